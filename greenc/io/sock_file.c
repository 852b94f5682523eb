/*
** sock_file.c: bytes that go between a socket and a file or a pipe without
** being seen here.
*/

#include "io/sock.h"
#include "io/sock_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

int green_sock_sendfile(green_sock *s, int fd, int64_t offset, int64_t n)
{
  off_t at = offset;
  ssize_t r;
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (s->filter) return GREEN_EOPNOTSUPP;
  if (n > GREEN_SOCK_CHUNK) n = GREEN_SOCK_CHUNK;
  do r = sendfile(s->f.fd, fd, &at, (size_t)n);
  while (r < 0 && errno == EINTR);
  if (r < 0 && errno == ENOSYS) return GREEN_EOPNOTSUPP;
  return r < 0 ? -errno : (int)r;
}

static int sock_splice(int from, int to, size_t n)
{
  ssize_t r;
  if (n > GREEN_SOCK_CHUNK) n = GREEN_SOCK_CHUNK;
  do r = splice(from, NULL, to, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  while (r < 0 && errno == EINTR);
  if (r < 0 && errno == ENOSYS) return GREEN_EOPNOTSUPP;
  return r < 0 ? -errno : (int)r;
}

int green_sock_splice_in(green_sock *s, int pipe, size_t n)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (s->filter || green_buf_len(&s->in)) return GREEN_EOPNOTSUPP;
  if (s->f.drained) return GREEN_EAGAIN;
  int r = sock_splice(s->f.fd, pipe, n);
  /* A short one tells nothing: the pipe may have been full. */
  if (r == GREEN_EAGAIN) s->f.drained = 1;
  return r;
}

int green_sock_splice_out(green_sock *s, int pipe, size_t n)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (s->filter) return GREEN_EOPNOTSUPP;
  return sock_splice(pipe, s->f.fd, n);
}

int green_sock_send_more(green_sock *s, const void *ptr, size_t n)
{
  ssize_t r;
  if (s->filter || s->f.fd < 0) return green_sock_send(s, ptr, n);
  do r = green__send(s->f.fd, ptr, n, MSG_NOSIGNAL | MSG_MORE);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : (int)r;
}
