/*
** fdname_test.c: what descriptors are, in words.
*/

#include "base/addr.h"
#include "io/fdname.h"
#include "t.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

static char text[GREEN_FDNAME_TEXT];

static const char *name_of(int fd)
{
  return green_fdname(fd, text, sizeof(text)) < 0 ? NULL : text;
}

static const char *kind_of(int fd)
{
  return green_fdname_kind(fd, text, sizeof(text)) < 0 ? NULL : text;
}

/* A socket bound to a free port of the loopback; its address. */
static int bound(int type, struct sockaddr_in *at)
{
  socklen_t n = sizeof(*at);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  *at = (struct sockaddr_in){.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)at, n) < 0) abort();
  if (getsockname(fd, (struct sockaddr *)at, &n) < 0) abort();
  return fd;
}

static void named(const char *shape, const struct sockaddr_in *at, int fd)
{
  char want[64];
  snprintf(want, sizeof(want), shape, ntohs(at->sin_port));
  is_str(name_of(fd), want, want);
}

/* -- Sockets -------------------------------------------------------------- */

static void test_tcp(void)
{
  struct sockaddr_in at, own;
  socklen_t n = sizeof(own);
  int l = bound(SOCK_STREAM, &at), c = socket(AF_INET, SOCK_STREAM, 0);
  is_str(name_of(c), "tcp from 0.0.0.0:0", "not bound, not connected");
  if (listen(l, 1) < 0) abort();
  named("tcp listening on 127.0.0.1:%d", &at, l);
  if (connect(c, (struct sockaddr *)&at, sizeof(at)) < 0) abort();
  named("tcp 127.0.0.1:%d", &at, c);
  int s = accept(l, NULL, NULL);
  if (getsockname(c, (struct sockaddr *)&own, &n) < 0) abort();
  named("tcp 127.0.0.1:%d", &own, s);
  is_str(kind_of(s), "tcp", "its kind alone");
  close(s);
  close(c);
  close(l);
}

static void test_udp(void)
{
  struct sockaddr_in at;
  int u = bound(SOCK_DGRAM, &at);
  named("udp from 127.0.0.1:%d", &at, u);
  close(u);
}

static void test_unix(void)
{
  int s[2];
  struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "\0fdname_test"};
  socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 12);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0) abort();
  is_str(kind_of(s[0]), "unix", "one of a pair");
  ok(!strncmp(name_of(s[0]), "unix", 4), "it has no address");
  close(s[0]);
  close(s[1]);
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(l, (struct sockaddr *)&at, n) < 0 || listen(l, 1) < 0) abort();
  is_str(name_of(l), "unix listening on unix:@fdname_test", "with a name");
  close(l);
}

/* -- All others ----------------------------------------------------------- */

static void test_files(void)
{
  int p[2], f = open("/proc/self/exe", O_RDONLY), d = open("/", O_RDONLY);
  int null = open("/dev/null", O_RDONLY);
  if (pipe(p) < 0) abort();
  is_str(name_of(p[0]), "pipe", "a pipe");
  ok(!strncmp(name_of(f), "file /", 6), "a file and its path");
  is_str(name_of(d), "folder /", "a folder");
  is_str(name_of(null), "device /dev/null", "a device");
  is_str(kind_of(f), "file", "the kind alone");
  close(null);
  close(d);
  close(f);
  close(p[0]);
  close(p[1]);
}

static void test_inner(void)
{
  int ep = epoll_create1(0), ev = eventfd(0, 0);
  is_str(name_of(ep), "epoll", "an epoll");
  is_str(name_of(ev), "eventfd", "an eventfd");
  close(ep);
  close(ev);
  is_str(name_of(ev), "closed", "a number that is not open");
  is_str(name_of(-1), "closed", "and one that never was");
}

static void test_room(void)
{
  char little[5], fits[6];
  int p[2];
  if (pipe(p) < 0) abort();
  is(green_fdname(p[0], little, sizeof(little)), 4, "the length");
  is_str(little, "pipe", "it just fits");
  is(green_fdname(p[0], little, 4), GREEN_EOVERFLOW, "and does not");
  close(p[0]);
  is(green_fdname_kind(p[0], fits, sizeof(fits)), GREEN_EOVERFLOW, "likewise");
  close(p[1]);
}

int main(void)
{
  t_start();
  test_tcp();
  test_udp();
  test_unix();
  test_files();
  test_inner();
  test_room();
  return t_done();
}
