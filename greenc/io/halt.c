/*
** halt.c: poll, read and write, one after the other.
*/

#include "io/halt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int halt_wait(int fd, short events, int ms)
{
  struct pollfd p = {.fd = fd, .events = events};
  int r = poll(&p, 1, ms);
  if (r < 0) return errno == EINTR ? 1 : -errno;
  return r > 0 ? 1 : GREEN_EAGAIN;
}

static int is_again(int err)
{
  return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

int green_halt_read(int fd, void *p, size_t n, int ms)
{
  for (;;) {
    int r = halt_wait(fd, POLLIN, ms);
    if (r < 0) return r;
    ssize_t got = read(fd, p, n);
    int err = errno;
    if (got >= 0) return (int)got;
    if (!is_again(err)) return -err;
  }
}

int green_halt_write(int fd, const void *p, size_t n)
{
  const char *at = p;
  while (n > 0) {
    ssize_t put = write(fd, at, n);
    int err = errno;
    if (put < 0 && !is_again(err)) return -err;
    if (put < 0) {
      int r = halt_wait(fd, POLLOUT, -1);
      if (r < 0) return r;
      continue;
    }
    at += put;
    n -= (size_t)put;
  }
  return 0;
}

int green_halt_take_stdio(int fds[2])
{
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0) return -errno;
  int in = fcntl(0, F_DUPFD_CLOEXEC, 3);
  int out = in < 0 ? -1 : fcntl(1, F_DUPFD_CLOEXEC, 3);
  int err = errno;
  if (out < 0) goto fail;
  dup2(null, 0);
  dup2(2, 1);
  close(null);
  fds[0] = in;
  fds[1] = out;
  return 0;
fail:
  if (in >= 0) close(in);
  close(null);
  return -err;
}

int green_halt_realpath(const char *path, char *out, size_t n)
{
  green_assert(n > 0, "realpath: there is room for nothing");
  char *real = realpath(path, NULL);
  if (!real) return -errno;
  size_t len = strlen(real);
  int fits = len < n;
  if (fits) memcpy(out, real, len + 1);
  free(real);
  return fits ? (int)len : GREEN_ENAMETOOLONG;
}

void green_halt_close(int fd)
{
  close(fd);
}
