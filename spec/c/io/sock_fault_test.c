/*
** sock_fault_test.c: sock when the system or the allocator says no.
*/

/* wrap: socket socketpair bind listen accept4 connect */
/* wrap: green__recv green__send green__sendmsg recvmsg */
/* wrap: getsockopt setsockopt getpeername getsockname */

#include "io/sock_kit.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* -- The system, made to fail --------------------------------------------- */

/* Calls until the failures begin, how many there are, and of what kind. */
static struct {
  const char *call; /* NULL: any. */
  int skip;
  int times;
  int error;
  int calls;      /* Seen since fault_set. */
  size_t shorten; /* recv and send take at most this; 0: as asked. */
} fault;

static void fault_set(const char *call, int skip, int times, int error)
{
  memset(&fault, 0, sizeof(fault));
  fault.call = call;
  fault.skip = skip;
  fault.times = times;
  fault.error = error;
}

static void fault_clear(void)
{
  memset(&fault, 0, sizeof(fault));
}

static int fails(const char *call)
{
  if (fault.call && strcmp(fault.call, call) != 0) return 0;
  fault.calls++;
  if (!fault.times || fault.skip-- > 0) return 0;
  fault.skip = 0;
  fault.times--;
  errno = fault.error;
  return 1;
}

static size_t cut(size_t n)
{
  return fault.shorten && fault.shorten < n ? fault.shorten : n;
}

typedef struct sockaddr sa;

int __real_socket(int f, int t, int p);
int __real_socketpair(int f, int t, int p, int fds[2]);
int __real_bind(int fd, const sa *a, socklen_t n);
int __real_listen(int fd, int n);
int __real_accept4(int fd, sa *a, socklen_t *n, int flags);
int __real_connect(int fd, const sa *a, socklen_t n);
ssize_t __real_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __real_green__sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *m, int flags);
int __real_getsockopt(int fd, int l, int o, void *p, socklen_t *n);
int __real_setsockopt(int fd, int l, int o, const void *p, socklen_t n);
int __real_getpeername(int fd, sa *a, socklen_t *n);
int __real_getsockname(int fd, sa *a, socklen_t *n);

int __wrap_socket(int f, int t, int p);
int __wrap_socketpair(int f, int t, int p, int fds[2]);
int __wrap_bind(int fd, const sa *a, socklen_t n);
int __wrap_listen(int fd, int n);
int __wrap_accept4(int fd, sa *a, socklen_t *n, int flags);
int __wrap_connect(int fd, const sa *a, socklen_t n);
ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
int __wrap_getsockopt(int fd, int l, int o, void *p, socklen_t *n);
int __wrap_setsockopt(int fd, int l, int o, const void *p, socklen_t n);
int __wrap_getpeername(int fd, sa *a, socklen_t *n);
int __wrap_getsockname(int fd, sa *a, socklen_t *n);

int __wrap_socket(int f, int t, int p)
{
  return fails("socket") ? -1 : __real_socket(f, t, p);
}

int __wrap_socketpair(int f, int t, int p, int fds[2])
{
  return fails("socketpair") ? -1 : __real_socketpair(f, t, p, fds);
}

int __wrap_bind(int fd, const sa *a, socklen_t n)
{
  return fails("bind") ? -1 : __real_bind(fd, a, n);
}

int __wrap_listen(int fd, int n)
{
  return fails("listen") ? -1 : __real_listen(fd, n);
}

int __wrap_accept4(int fd, sa *a, socklen_t *n, int flags)
{
  return fails("accept4") ? -1 : __real_accept4(fd, a, n, flags);
}

int __wrap_connect(int fd, const sa *a, socklen_t n)
{
  return fails("connect") ? -1 : __real_connect(fd, a, n);
}

ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags)
{
  return fails("recv") ? -1 : __real_green__recv(fd, p, cut(n), flags);
}

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  return fails("send") ? -1 : __real_green__send(fd, p, cut(n), flags);
}

ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags)
{
  return fails("sendmsg") ? -1 : __real_green__sendmsg(fd, m, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
  return fails("recvmsg") ? -1 : __real_recvmsg(fd, m, flags);
}

int __wrap_getsockopt(int fd, int l, int o, void *p, socklen_t *n)
{
  return fails("getsockopt") ? -1 : __real_getsockopt(fd, l, o, p, n);
}

int __wrap_setsockopt(int fd, int l, int o, const void *p, socklen_t n)
{
  return fails("setsockopt") ? -1 : __real_setsockopt(fd, l, o, p, n);
}

int __wrap_getpeername(int fd, sa *a, socklen_t *n)
{
  return fails("getpeername") ? -1 : __real_getpeername(fd, a, n);
}

int __wrap_getsockname(int fd, sa *a, socklen_t *n)
{
  return fails("getsockname") ? -1 : __real_getsockname(fd, a, n);
}

/* -- Interrupted calls ---------------------------------------------------- */

static char room[4096];

static void test_interrupted(void)
{
  green_sock *a, *b;
  green_iov v = {"vvv", 3};
  unix_pair(&a, &b, GREEN_DGRAM);
  fault_set("send", 0, 3, EINTR);
  is(green_sock_send(a, "abc", 3), 3, "send goes on");
  is(fault.calls, 4, "after three interruptions");
  fault_set("recv", 0, 3, EINTR);
  is(green_sock_recv(b, room, 9), 3, "recv goes on");
  fault_set("sendmsg", 0, 3, EINTR);
  is(green_sock_sendv(a, &v, 1), 3, "sendv goes on");
  fault_set("recv", 0, 3, EINTR);
  is(green_sock_peek(b, room, 9), 3, "peek goes on");
  fault_set("recvmsg", 0, 3, EINTR);
  is(green_sock_recvfrom(b, room, 9, NULL, NULL), 3, "recvfrom goes on");
  fault_clear();
  free_both(a, b);
}

static void test_interrupted_connect_goes_on(void)
{
  green_addr at;
  green_sock *l = tcp_listener(&at), *c = green_sock_new(hub);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  fault_set("connect", 0, 1, EINTR);
  is(green_sock_connect(c, &at), GREEN_EINPROGRESS, "in the background");
  fault_set("connect", 0, 1, EALREADY);
  is(green_sock_connect(c, &at), GREEN_EINPROGRESS, "it is at it already");
  fault_clear();
  free_both(c, l);
}

/* -- accept --------------------------------------------------------------- */

static green_sock *listener_with_client(green_sock **client)
{
  green_addr at;
  green_sock *l = tcp_listener(&at);
  *client = green_sock_new(hub);
  green_sock_open(*client, GREEN_INET, GREEN_STREAM);
  connect_wait(*client, &at);
  return l;
}

static void test_accept_passes_over(void)
{
  static const int passing[] = {
      EINTR,       ECONNABORTED, EPROTO, EPERM,       ENETDOWN, EHOSTDOWN,
      ENOPROTOOPT, EHOSTUNREACH, ENONET, ENETUNREACH, ETIMEDOUT};
  int taken = 0, n = (int)(sizeof(passing) / sizeof(passing[0]));
  for (int i = 0; i < n; i++) {
    green_sock *c, *s = green_sock_new(hub);
    green_sock *l = listener_with_client(&c);
    fault_set("accept4", 0, 5, passing[i]);
    taken += green_sock_accept(l, s, NULL) == 0;
    fault_clear();
    free_both(c, s);
    green_sock_free(l);
  }
  is(taken, n, "what is said of one connection does not end accept");
}

static void test_accept_does_not_spin(void)
{
  green_sock *c, *s = green_sock_new(hub);
  green_sock *l = listener_with_client(&c);
  fault_set("accept4", 0, 1000000, ECONNABORTED);
  is(green_sock_accept(l, s, NULL), GREEN_EAGAIN, "a flood of dead ones");
  ok(fault.calls < 100, "is left to the next turn");
  fault_clear();
  is(accept_wait(l, s, NULL), 0, "which goes on");
  free_both(c, s);
  green_sock_free(l);
}

static void test_accept_shortage(void)
{
  static const int shortage[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
  green_sock *c, *s = green_sock_new(hub);
  green_sock *l = listener_with_client(&c);
  for (int i = 0; i < 4; i++) {
    fault_set("accept4", 0, 1, shortage[i]);
    is(green_sock_accept(l, s, NULL), -shortage[i], "a shortage is told");
  }
  fault_clear();
  is(green_sock_accept(l, s, NULL), 0, "when it is over accept goes on");
  free_both(c, s);
  green_sock_free(l);
}

/* memcheck takes the connection and throws it away. */
static int is_under_memcheck(void)
{
  const char *preload = getenv("LD_PRELOAD");
  return preload && strstr(preload, "vgpreload");
}

/* The real thing: no number is free. */
static void test_accept_at_the_limit(void)
{
  struct rlimit old, low;
  if (is_under_memcheck()) {
    t_skip("accept without a free number", "not so under memcheck");
    return;
  }
  green_sock *c, *s = green_sock_new(hub);
  green_sock *l = listener_with_client(&c);
  getrlimit(RLIMIT_NOFILE, &old);
  low = old;
  low.rlim_cur = (rlim_t)green_sock_fileno(c) + 1;
  setrlimit(RLIMIT_NOFILE, &low);
  is(green_sock_accept(l, s, NULL), GREEN_EMFILE, "no number is free");
  is(green_sock_accept(l, s, NULL), GREEN_EMFILE, "nor the second time");
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), GREEN_EMFILE, "for open");
  setrlimit(RLIMIT_NOFILE, &old);
  is(green_sock_accept(l, s, NULL), 0, "the connection has waited");
  free_both(c, s);
  green_sock_free(l);
}

/* -- connect -------------------------------------------------------------- */

/* S05: each error under its own name, on the first call. */
static void test_connect_errors(void)
{
  static const int errors[] = {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH,
                               ETIMEDOUT,    EACCES,      EADDRNOTAVAIL};
  green_addr at;
  int good = 0, n = (int)(sizeof(errors) / sizeof(errors[0]));
  green_sock *l = tcp_listener(&at), *c = green_sock_new(hub);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  for (int i = 0; i < n; i++) {
    fault_set("connect", 0, 1, errors[i]);
    good += green_sock_connect(c, &at) == -errors[i];
  }
  is(good, n, "what connect says");
  fault_set("connect", 0, 1, EAGAIN);
  is(green_sock_connect(c, &at), GREEN_EADDRNOTAVAIL, "TCP out of ports");
  fault_clear();
  free_both(c, l);
}

static void test_finish_errors(void)
{
  green_addr at;
  green_sock *l = tcp_listener(&at), *c = green_sock_new(hub);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  connect_wait(c, &at);
  fault_set("getsockopt", 0, 1, ENOBUFS);
  is(green_sock_connect_finish(c), GREEN_ENOBUFS, "asking for the error");
  fault_set("getpeername", 0, 1, ENOBUFS);
  is(green_sock_connect_finish(c), GREEN_ENOBUFS, "asking for the peer");
  fault_set("getpeername", 0, 1, ENOTCONN);
  is(green_sock_connect_finish(c), GREEN_ENOTCONN, "no peer, yet writable");
  fault_clear();
  free_both(c, l);
}

/* -- Bytes ---------------------------------------------------------------- */

static void test_drained_asks_nothing(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_send(a, "abc", 3);
  fault_set("recv", 0, 0, 0);
  is(green_sock_recv(b, room, 9), 3, "a short read");
  is(green_sock_recv(b, room, 9), GREEN_EAGAIN, "then nothing");
  is(green_sock_fill(b, 1), GREEN_EAGAIN, "to fill either");
  is(fault.calls, 1, "in one system call");
  is(wait_for(b, GREEN_READ, 0.001), GREEN_ETIMEDOUT, "a wait in vain");
  is(green_sock_recv(b, room, 9), GREEN_EAGAIN, "is no event");
  is(fault.calls, 1, "still one");
  green_sock_send(a, "x", 1);
  is(recv_wait(b, room, 9), 1, "an event is");
  is(fault.calls, 2, "two");
  fault_clear();
  free_both(a, b);
}

static void test_one_byte_at_a_time(void)
{
  green_sock *a, *b;
  char text[] = "one byte at a time, both ways";
  int n = (int)strlen(text), sent = 0, got = 0;
  unix_pair(&a, &b, GREEN_STREAM);
  fault_set("none", 0, 0, 0);
  fault.shorten = 1;
  while (sent < n) sent += green_sock_send(a, text + sent, (size_t)(n - sent));
  while (got < n) {
    int r = recv_wait(b, room + got, sizeof(room));
    if (r <= 0) break;
    got += r;
  }
  is(got, n, "all of it");
  ok(memcmp(room, text, (size_t)n) == 0, "in order");
  fault_clear();
  free_both(a, b);
}

static void test_errors_are_told(void)
{
  green_addr at;
  green_sock *a, *b;
  green_iov v = {"x", 1};
  unix_pair(&a, &b, GREEN_STREAM);
  fault_set(NULL, 0, 1000, ENOBUFS);
  is(green_sock_recv(a, room, 1), GREEN_ENOBUFS, "recv");
  is(green_sock_peek(a, room, 1), GREEN_ENOBUFS, "peek");
  is(green_sock_fill(a, 1), GREEN_ENOBUFS, "fill");
  ok(!green_sock_input(a)->data, "which holds nothing then");
  is(green_sock_send(a, "x", 1), GREEN_ENOBUFS, "send");
  is(green_sock_sendv(a, &v, 1), GREEN_ENOBUFS, "sendv");
  is(green_sock_recvfrom(a, room, 1, NULL, NULL), GREEN_ENOBUFS, "recvfrom");
  is(green_sock_sockname(a, &at), GREEN_ENOBUFS, "sockname");
  is(green_sock_peername(a, &at), GREEN_ENOBUFS, "peername");
  is(green_sock_listen(a, 1), GREEN_ENOBUFS, "listen");
  is(green_sock_bind(a, &at), GREEN_ENOBUFS, "bind");
  fault_clear();
  free_both(a, b);
}

static void test_fill_out_of_memory(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_send(a, "kept", 4);
  green__alloc_fail_from(1);
  is(green_sock_fill(b, 1), GREEN_ENOMEM, "no memory to read into");
  green__alloc_fail_from(0);
  is(green_sock_fill(b, 1), 4, "nothing was lost");
  green_sock_send(a, " too", 4);
  wait_readable(b);
  green__alloc_fail_from(1);
  is(green_sock_fill(b, 100000), GREEN_ENOMEM, "none to grow into");
  is(green_buf_len(green_sock_input(b)), 4, "what is buffered stays");
  green__alloc_fail_from(0);
  is(green_sock_fill(b, 100000), 4, "nothing was lost");
  free_both(a, b);
}

/* -- Each call and each allocation in turn -------------------------------- */

/* As much as a program does with sockets, going on as far as errors allow.
** Returns 1 if all of it worked. */
static int talk(void)
{
  green_addr at = address("127.0.0.1:0"), name;
  green_sock *s[6], *l, *c, *conn;
  int good = 1;
  for (int i = 0; i < 6; i++) good &= (s[i] = green_sock_new(hub)) != NULL;
  if (!good) goto out;
  l = s[0], c = s[1], conn = s[2];
  good &= green_sock_open(l, GREEN_INET, GREEN_STREAM) == 0;
  good &= green_sock_bind(l, &at) == 0 && green_sock_listen(l, 4) == 0;
  good &= green_sock_sockname(l, &at) == 0;
  good &= green_sock_open(c, GREEN_INET, GREEN_STREAM) == 0;
  good = good && connect_wait(c, &at) == 0;
  good = good && accept_wait(l, conn, &name) == 0;
  good = good && green_sock_peername(conn, &name) == 0;
  good = good && green_sock_send(c, "hello", 5) == 5;
  good = good && fill_wait(conn, 1) == 5;
  good &= green_sock_pair(s[3], s[4], GREEN_STREAM) == 0;
  good &= green_sock_setnum(s[3], "SO_KEEPALIVE", 1) == 0;
  good = good && green_sock_dup(s[3], s[5]) == 0;
  good = good && green_sock_send(s[5], "x", 1) == 1;
  int fd = green_sock_detach(s[5]);
  if (fd >= 0 && green_sock_adopt(s[5], fd) < 0) good = 0, close(fd);
out:
  for (int i = 0; i < 6; i++) green_sock_free(s[i]);
  return good;
}

/* TCP_NODELAY and SO_REUSEADDR are niceties: failing them fails nothing. */
static void test_each_call_fails(int error)
{
  int fds = open_fds(), leaks = 0, succeeded = 0, n = 0;
  do {
    fault_set(NULL, n++, 1, error);
    succeeded += talk();
    leaks += open_fds() != fds;
  } while (fault.times == 0);
  fault_clear();
  ok(n > 15, "each system call failed in turn");
  is(leaks, 0, "no descriptor was ever lost");
  ok(succeeded < n - 10, "the failures were noticed");
}

static void test_each_allocation_fails(void)
{
  int fds = open_fds(), leaks = 0, n = 0, calls;
  do {
    green_hub *fresh, *old = hub;
    green_hub_new(&fresh, NULL);
    hub = fresh;
    green__alloc_fail_from(++n);
    talk();
    calls = green__alloc_fail_from(0);
    hub = old;
    green_hub_free(fresh);
    leaks += open_fds() != fds;
  } while (calls >= n);
  ok(n > 8, "each allocation failed in turn");
  is(leaks, 0, "no descriptor was ever lost");
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_interrupted();
  test_interrupted_connect_goes_on();
  test_accept_passes_over();
  test_accept_does_not_spin();
  test_accept_shortage();
  test_accept_at_the_limit();
  test_connect_errors();
  test_finish_errors();
  test_drained_asks_nothing();
  test_one_byte_at_a_time();
  test_errors_are_told();
  test_fill_out_of_memory();
  test_each_call_fails(ENOBUFS);
  test_each_call_fails(EINTR);
  test_each_allocation_fails();
  green_hub_free(hub);
  return t_done();
}
