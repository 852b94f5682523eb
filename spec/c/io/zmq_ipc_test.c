/*
** zmq_ipc_test.c: files of ipc endpoints: the user's alone from the beginning,
** without touching the process's mask; what fails leaves nothing.
*/
/* wrap: umask listen fchmod */

#include "base/clock.h"
#include "base/mem.h"
#include "io/zmq_priv.h"
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PULL = 7, PUSH = 8 };

static char folder[] = "/tmp/green-zmq-ipc-XXXXXX";
static char path[64], endpoint[80];
static int umasks, fail_listen, fail_chmod;
static unsigned mode_at_listen;

mode_t __real_umask(mode_t mask);
mode_t __wrap_umask(mode_t mask);
mode_t __wrap_umask(mode_t mask)
{
  umasks++;
  return __real_umask(mask);
}

static unsigned mode_of(const char *name)
{
  struct stat st;
  return lstat(name, &st) < 0 ? 0 : (unsigned)st.st_mode & 07777;
}

/* Nobody can connect before this. */
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog)
{
  mode_at_listen = mode_of(path);
  if (!fail_listen) return __real_listen(fd, backlog);
  errno = ENOBUFS;
  return -1;
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
  if (!fail_chmod) return __real_fchmod(fd, mode);
  errno = EPERM;
  return -1;
}

static green_hub *hub;

static green_zmq *zmq_new(green_zmq_context *ctx, int type)
{
  green_zmq *z = green__alloc(green_zmq_size());
  green_zmq_init(z, hub);
  if (green_zmq_open(z, ctx, type) < 0) abort();
  return z;
}

static void zmq_free(green_zmq *z)
{
  green_zmq_close(z, 0);
  green__free(z);
}

static void test_mode(green_zmq_context *ctx)
{
  mode_t old = __real_umask(0);
  green_zmq *a = zmq_new(ctx, PULL);
  is(green_zmq_bind(a, endpoint), 0, "a path is bound");
  is(mode_of(path), 0600, "its file is the user's alone, whatever the mask");
  is(mode_at_listen, 0600, "and was before anybody could connect");
  is(umasks, 0, "the process's mask is nobody's");
  is(__real_umask(old), 0, "and as it was");
  green_zmq *b = zmq_new(ctx, PULL);
  is(green_zmq_bind(b, endpoint), 0, "a socket's file gives way");
  zmq_free(b);
  zmq_free(a);
}

static void test_file(green_zmq_context *ctx)
{
  green_zmq *a = zmq_new(ctx, PULL);
  unlink(path);
  int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  close(fd);
  is(green_zmq_bind(a, endpoint), GREEN_EADDRINUSE, "another file stays");
  is(mode_of(path), 0644, "as it is");
  unlink(path);
  zmq_free(a);
}

static int lowest_fd(void)
{
  int fd = dup(0);
  close(fd);
  return fd;
}

/* libzmq's thread closes what earlier sockets had a little later: when the
** number has stayed for a tenth of a second. */
static int settled_fd(void)
{
  int last = lowest_fd();
  for (int same = 0, i = 0; same < 10 && i < 500; i++) {
    usleep(10000);
    int now = lowest_fd();
    same = now == last ? same + 1 : 0;
    last = now;
  }
  return last;
}

static void test_failures(green_zmq_context *ctx)
{
  green_zmq *a = zmq_new(ctx, PULL);
  int before = settled_fd();
  fail_chmod = 1;
  is(green_zmq_bind(a, endpoint), GREEN_EPERM, "no mode, no file");
  fail_chmod = 0;
  is(mode_of(path), 0, "nothing is made");
  fail_listen = 1;
  is(green_zmq_bind(a, endpoint), GREEN_ENOBUFS, "it cannot listen");
  fail_listen = 0;
  is(mode_of(path), 0, "nothing is left");
  is(settled_fd(), before, "no descriptor either");
  is(green_zmq_bind(a, endpoint), 0, "and it may be done again");
  zmq_free(a);
}

static void test_others(green_zmq_context *ctx)
{
  char bound[300] = "";
  size_t n = sizeof(bound);
  green_zmq *a = zmq_new(ctx, PULL);
  is(green_zmq_bind(a, "ipc://*"), 0, "a name of libzmq's");
  green_zmq_get(a, GREEN__ZMQ_LAST_ENDPOINT, bound, &n);
  is(mode_of(bound + 6), 0600, "the user's alone");
  is(green_zmq_bind(a, "ipc://@green-zmq-ipc-test"), 0, "one without a file");
  is(green_zmq_bind(a, "inproc://x"), 0, "other transports");
  is(green_zmq_bind(a, "ipc://"), GREEN_EINVAL, "no path");
  zmq_free(a);
}

int main(void)
{
  if (green_hub_new(&hub, NULL) < 0) return 1;
  if (green_zmq_ctx_load() < 0) {
    printf("1..0 # SKIP %s\n", green_zmq_ctx_why());
    return 0;
  }
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof(path), "%s/s", folder);
  snprintf(endpoint, sizeof(endpoint), "ipc://%s", path);
  green_zmq_context *ctx = green_zmq_ctx_new(1);
  test_mode(ctx);
  test_file(ctx);
  test_failures(ctx);
  test_others(ctx);
  green_zmq_ctx_unref(ctx);
  green_zmq_ctx_end_wait(green_clock_now() + 10000000000);
  green_hub_free(hub);
  unlink(path);
  rmdir(folder);
  return t_done();
}
