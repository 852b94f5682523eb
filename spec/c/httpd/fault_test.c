/*
** fault_test.c: out of memory, and system calls that fail, at every
** place.
*/

#include "httpd/httpd_kit.h"
#include "base/mem.h"

/* wrap: green__recv green__send green__sendmsg */

/* The n-th call from now fails so; 0: none. Small: calls take a byte. */
static int fail_in, fail_errno, small;

ssize_t __real_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __real_green__sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags);

static int fails(void)
{
  if (!fail_in || --fail_in) return 0;
  errno = fail_errno;
  return 1;
}

ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags)
{
  return fails() ? -1 : __real_green__recv(fd, p, small ? 1 : n, flags);
}

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  return fails() ? -1 : __real_green__send(fd, p, small ? 1 : n, flags);
}

ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags)
{
  if (fails()) return -1;
  if (!small) return __real_green__sendmsg(fd, m, flags);
  for (size_t i = 0; i < (size_t)m->msg_iovlen; i++)
    if (m->msg_iov[i].iov_len)
      return __real_green__send(fd, m->msg_iov[i].iov_base, 1, flags);
  return 0;
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
#define CHUNKS \
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" \
  "3\r\nabc\r\n0\r\n\r\n"
#define EXPECT \
  "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" \
  "Content-Length: 3\r\n\r\n"

static char big[40001];

/* What a handler may do, by the number of the request. Errors end the answer as
** they would in Lua: taken back for a 500, or cut off. */
static int handle(green_conn *c)
{
  char text[64] = "";
  int err = 0;
  if (c->served % 3 != 2) err = take_body(c, text, sizeof(text));
  if (err < 0 && err != GREEN_EAGAIN) return err;
  err = green_conn_begin(c, 200);
  if (err == 0) err = green_conn_header(c, "X", 1, "y", 1, true);
  if (err < 0) return err;
  if (c->served % 2) return green_conn_whole(c, big, 40000);
  err = green_conn_stream(c);
  for (int i = 0; i < 3 && err >= 0; i++) err = green_conn_piece(c, big, 10000);
  return err < 0 ? err : green_conn_end(c);
}

static void work(house *h, int fd, green_conn *c)
{
  int r;
  do {
    if (c->found == GREEN_HTTPD_REQUEST && handle(c) < 0) {
      c->close = true;
      if (green_conn_rollback(c) == 0) answer(c, 500, "sorry");
    }
    for (int i = 0; (r = green_conn_finish(c)) == GREEN_EAGAIN; i++) {
      if (i > 100000) abort();
      if (fd >= 0) hear(fd);
      turns(h->hub, 1);
    }
  } while (r == 1);
}

/* One life of a server. */
static void live(void)
{
  static const char *const said[] = {
      GET,
      "GET / HT",
      "TP/1.1\r\nHost: a\r\n\r\n",
      POST GET,
      CHUNKS,
      EXPECT,
      "abc",
      GET GET GET CHUNKS POST,
      big,
      "bad\r\n\r\n",
      "whatever",
  };
  house h = {.hub = hub_open_virtual()};
  h.d = green_httpd_new(h.hub);
  int fd = h.d ? client_open(&h) : -1;
  for (size_t i = 0; i < sizeof(said) / sizeof(said[0]) && fd >= 0; i++) {
    green_conn *c;
    if (send(fd, said[i], strlen(said[i]), MSG_NOSIGNAL) < 0) break;
    turns(h.hub, 2);
    while ((c = green_httpd_next(h.d)) != NULL) work(&h, fd, c);
    hear(fd);
  }
  if (fd >= 0) close(fd);
  turns(h.hub, 2);
  green_httpd_free(h.d);
  turns(h.hub, 1);
  if (!is_clean(h.hub)) ok(0, "something is left");
  green_hub_free(h.hub);
}

static void test_memory(void)
{
  int n = 0;
  do {
    green_hub *spare = hub_open_virtual(); /* hub_open aborts. */
    green_hub_free(spare);
    green__alloc_fail_from(0);
    house h = house_open();
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
    green_sock *s = green_sock_new(h.hub);
    if (green_sock_adopt(s, fds[0]) < 0) abort();
    if (send(fds[1], GET POST, strlen(GET POST), MSG_NOSIGNAL) < 0) abort();
    green__alloc_fail_from(++n);
    if (green_httpd_adopt(h.d, s) == 0) {
      green_conn *c;
      turns(h.hub, 2);
      while ((c = green_httpd_next(h.d)) != NULL) work(&h, fds[1], c);
      if (send(fds[1], CHUNKS "bad\r\n\r\n", strlen(CHUNKS) + 7, MSG_NOSIGNAL) >
          0)
        turns(h.hub, 2);
      while ((c = green_httpd_next(h.d)) != NULL) work(&h, fds[1], c);
    }
    int calls = green__alloc_fail_from(0);
    green_sock_free(s);
    close(fds[1]);
    green_httpd_free(h.d);
    turns(h.hub, 1);
    int clean = is_clean(h.hub);
    green_hub_free(h.hub);
    if (!clean) ok(0, "something is left");
    if (calls < n) break;
  } while (n < 1000);
  ok(n > 4 && n < 1000, "out of memory at every place");
  green_hub *hub = hub_open_virtual();
  green__alloc_fail_from(1);
  ok(!green_httpd_new(hub), "no server");
  green__alloc_fail_from(0);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_system_calls(void)
{
  int errors[] = {EINTR, EAGAIN, ECONNRESET, EPIPE};
  for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
    int n = 0;
    fail_errno = errors[e];
    do {
      fail_in = ++n;
      live();
    } while (!fail_in && n < 2000);
    fail_in = 0;
    ok(n > 10 && n < 2000, strerror(errors[e]));
  }
}

static void test_byte_by_byte(void)
{
  small = 1;
  live();
  small = 0;
  ok(1, "each call takes one byte");
}

int main(void)
{
  t_start();
  memset(big, 'x', sizeof(big) - 1);
  live();
  ok(1, "nothing fails");
  test_memory();
  test_system_calls();
  test_byte_by_byte();
  return t_done();
}
