/*
** sock_test.c: TCP sockets, buffers, and how sockets begin and end. Other
** kinds: sock_unix_test.c; faults: sock_fault_test.c.
*/

#include "io/sock_kit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static char room[1 << 17];

/* -- TCP ------------------------------------------------------------------ */

static void test_tcp_there_and_back(void)
{
  green_addr at, peer, name;
  green_sock *l = tcp_listener(&at), *c = green_sock_new(hub);
  green_sock *s = green_sock_new(hub);
  is(green_sock_accept(l, s, NULL), GREEN_EAGAIN, "nobody there yet");
  is(green_sock_open(c, GREEN_INET, GREEN_STREAM), 0, "open");
  is(connect_wait(c, &at), 0, "connect");
  is(accept_wait(l, s, &peer), 0, "accept");
  green_sock_sockname(c, &name);
  ok(green_addr_equal(&peer, &name), "the peer is who connected");
  green_sock_peername(c, &name);
  ok(green_addr_equal(&at, &name), "and connected where we listen");
  is(green_sock_send(c, "hello", 5), 5, "send");
  is(recv_wait(s, room, sizeof(room)), 5, "receive");
  ok(memcmp(room, "hello", 5) == 0, "what was sent");
  is(green_sock_send(s, "back", 4), 4, "and back");
  is(recv_wait(c, room, sizeof(room)), 4, "again");
  is(green_sock_shutdown(c, GREEN_WRITE), 0, "no more from us");
  is(recv_wait(s, room, sizeof(room)), 0, "the end of the stream");
  is(green_sock_recv(s, room, sizeof(room)), 0, "stays the end");
  is(green_sock_send(s, "still", 5), 5, "the other direction is open");
  is(recv_wait(c, room, sizeof(room)), 5, "and works");
  free_both(c, s);
  green_sock_free(l);
}

static void test_flags(void)
{
  green_sock *a, *b;
  int good = 0;
  tcp_pair(&a, &b);
  green_sock *both[] = {a, b};
  for (int i = 0; i < 2; i++) {
    int fd = green_sock_fileno(both[i]);
    good += (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
    good += (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
  }
  is(good, 4, "non-blocking and close-on-exec");
  is(green_sock_family(b), GREEN_INET, "an accepted socket has a family");
  is(green_sock_type(b), GREEN_STREAM, "and a type");
  free_both(a, b);
}

static void test_tcp6(void)
{
  green_addr at = address("[::1]:0");
  green_sock *l = green_sock_new(hub), *c = green_sock_new(hub);
  green_sock *s = green_sock_new(hub);
  if (green_sock_open(l, GREEN_INET6, GREEN_STREAM) < 0 ||
      green_sock_bind(l, &at) < 0) {
    t_skip("TCP over IPv6", "no IPv6 here");
  } else {
    green_sock_listen(l, 4);
    green_sock_sockname(l, &at);
    green_sock_open(c, GREEN_INET6, GREEN_STREAM);
    is(connect_wait(c, &at), 0, "connect over IPv6");
    is(accept_wait(l, s, NULL), 0, "accept");
  }
  free_both(c, s);
  green_sock_free(l);
}

/* S05: the right error, at once. */
static void test_refused(void)
{
  green_addr at;
  green_sock_free(tcp_listener(&at));
  green_sock *c = green_sock_new(hub);
  for (int i = 0; i < 2; i++) {
    green_sock_open(c, GREEN_INET, GREEN_STREAM);
    is(connect_wait(c, &at), GREEN_ECONNREFUSED, "a port nobody listens on");
    ok(green_sock_send(c, "x", 1) < 0, "no success afterwards");
    green_sock_close(c);
  }
  green_sock_free(c);
}

static void test_connect_twice(void)
{
  green_addr at;
  green_sock *l = tcp_listener(&at), *c = green_sock_new(hub);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  is(connect_wait(c, &at), 0, "the first");
  green_sock_connect(c, &at); /* Linux lets one more pass. */
  is(green_sock_connect(c, &at), GREEN_EISCONN, "the next ones");
  is(green_sock_connect_finish(c), 0, "finishing again is fine");
  free_both(c, l);
}

/* A full queue leaves connects under way. */
static void test_connect_under_way(void)
{
  green_addr at = address("127.0.0.1:0");
  green_sock *l = green_sock_new(hub), *c[4];
  green_sock_open(l, GREEN_INET, GREEN_STREAM);
  green_sock_bind(l, &at);
  green_sock_listen(l, 0);
  green_sock_sockname(l, &at);
  for (int i = 0; i < 4; i++) {
    c[i] = green_sock_new(hub);
    green_sock_open(c[i], GREEN_INET, GREEN_STREAM);
    if (green_sock_connect(c[i], &at) == GREEN_EINPROGRESS)
      wait_for(c[i], GREEN_WRITE, 0.05);
  }
  is(green_sock_connect(c[3], &at), GREEN_EINPROGRESS, "asking again");
  is(green_sock_connect_finish(c[3]), GREEN_EINPROGRESS, "not finished yet");
  is(wait_for(c[3], GREEN_WRITE, 0.02), GREEN_ETIMEDOUT, "nor writable");
  for (int i = 0; i < 4; i++) green_sock_free(c[i]);
  green_sock_free(l);
}

static void test_not_connected(void)
{
  green_addr name;
  green_sock *c = green_sock_new(hub);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  is(green_sock_connect_finish(c), GREEN_ENOTCONN, "finish without connect");
  is(green_sock_peername(c, &name), GREEN_ENOTCONN, "no peer");
  is(green_sock_recv(c, room, 1), GREEN_ENOTCONN, "no bytes");
  is(green_sock_send(c, "x", 1), GREEN_EPIPE, "none to send");
  is(green_sock_shutdown(c, GREEN_READ | GREEN_WRITE), 0, "shutdown is fine");
  green_sock_free(c);
}

/* With bind behind sock's back, as if the system had chosen the port. */
static void test_self_connect_is_refused(void)
{
  struct sockaddr_in in = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  green_addr own;
  green_sock *c = green_sock_new(hub);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  ok(bind(green_sock_fileno(c), (struct sockaddr *)&in, sizeof(in)) == 0,
     "a port");
  green_sock_sockname(c, &own);
  is(connect_wait(c, &own), GREEN_ECONNREFUSED, "meeting itself is a refusal");
  green_sock_close(c);
  green_sock_open(c, GREEN_INET, GREEN_STREAM);
  own = address("127.0.0.1:0");
  green_sock_bind(c, &own);
  green_sock_sockname(c, &own);
  is(connect_wait(c, &own), 0, "unless the user has asked for it");
  green_sock_free(c);
}

static void test_address_in_use(void)
{
  green_addr at;
  green_sock *l = tcp_listener(&at), *m = green_sock_new(hub);
  green_sock_open(m, GREEN_INET, GREEN_STREAM);
  is(green_sock_bind(m, &at), GREEN_EADDRINUSE, "somebody listens there");
  green_sock_free(l);
  is(green_sock_bind(m, &at), 0, "free at once when it is closed");
  green_sock_close(m);
  l = green_sock_new(hub);
  green_sock_open(l, GREEN_INET, GREEN_STREAM);
  green_sock_open(m, GREEN_INET, GREEN_STREAM);
  green_sock_setnum(l, "SO_REUSEPORT", 1);
  green_sock_setnum(m, "SO_REUSEPORT", 1);
  is(green_sock_bind(l, &at) + green_sock_listen(l, 1), 0, "SO_REUSEPORT");
  is(green_sock_bind(m, &at) + green_sock_listen(m, 1), 0, "shares the port");
  free_both(l, m);
}

static void test_reset(void)
{
  green_sock *a, *b;
  tcp_pair(&a, &b);
  green_sock_setnum(a, "SO_LINGER", 0);
  green_sock_close(a);
  is(recv_wait(b, room, 10), GREEN_ECONNRESET, "the peer has reset it");
  is(green_sock_send(b, "x", 1), GREEN_EPIPE, "sending: no signal, an error");
  green_iov v = {"x", 1};
  is(green_sock_sendv(b, &v, 1), GREEN_EPIPE, "pieces likewise");
  is(green_sock_sendto(b, "x", 1, NULL), GREEN_EPIPE, "and datagram style");
  free_both(a, b);
}

/* -- Reading and writing -------------------------------------------------- */

/* A short read means: wait for the next event, ask nothing before. */
static void test_drained(void)
{
  green_sock *a, *b;
  tcp_pair(&a, &b);
  green_sock_send(a, "one", 3);
  is(recv_wait(b, room, 100), 3, "a short read");
  is(b->f.drained, 1, "drains the socket");
  green_sock_send(a, "two", 3);
  struct pollfd p = {.fd = b->f.fd, .events = POLLIN};
  is(poll(&p, 1, 10000), 1, "more has come,");
  is(green_sock_recv(b, room, 100), GREEN_EAGAIN, "but the next one waits");
  is(wait_for(b, GREEN_READ, 0), 0, "with no time at all it is ready");
  is(green_sock_recv(b, room, 3), 3, "a full read");
  is(b->f.drained, 0, "drains nothing");
  is(green_sock_recv(b, room, 3), GREEN_EAGAIN, "there was no more");
  is(b->f.drained, 1, "now it is drained");
  green_sock_shutdown(a, GREEN_WRITE);
  is(recv_wait(b, room, 100), 0, "the end");
  is(b->f.drained, 0, "is no short read");
  free_both(a, b);
}

static void test_shutdown_read_undrains(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  is(green_sock_recv(a, room, 10), GREEN_EAGAIN, "nothing there");
  is(green_sock_shutdown(a, GREEN_READ), 0, "and nothing wanted");
  is(green_sock_recv(a, room, 10), 0, "is the end at once");
  is(green_sock_shutdown(a, 0), GREEN_EINVAL, "neither direction");
  is(green_sock_shutdown(a, 4), GREEN_EINVAL, "a third direction");
  free_both(a, b);
}

/* Behaviour 73: whoever sends must cope with less. */
static void test_short_writes(void)
{
  green_sock *a, *b;
  long sent = 0, got = 0;
  int r, shortened = 0;
  memset(room, 'w', sizeof(room));
  tcp_pair(&a, &b);
  while ((r = green_sock_send(a, room, sizeof(room))) > 0) {
    sent += r;
    shortened += r < (int)sizeof(room);
  }
  is(r, GREEN_EAGAIN, "until there is no room");
  ok(sent > 0 && shortened > 0, "the last one was short");
  is(wait_for(a, GREEN_WRITE, 0.01), GREEN_ETIMEDOUT, "not writable");
  while (got < sent && (r = recv_wait(b, room, sizeof(room))) > 0) got += r;
  is(got, sent, "all of it arrives");
  is(wait_for(a, GREEN_WRITE, 5), 0, "writable again");
  free_both(a, b);
}

static void test_recv_of_nothing(void)
{
  green_sock *a, *b;
  tcp_pair(&a, &b);
  is(green_sock_recv(b, room, 0), GREEN_EAGAIN, "waits while there is nothing");
  green_sock_send(a, "x", 1);
  is(wait_readable(b), 0, "then there is");
  is(green_sock_recv(b, room, 0), 0, "and it takes nothing");
  is(green_sock_recv(b, room, 9), 1, "which is still there");
  free_both(a, b);
}

static void test_peek(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  is(green_sock_peek(b, room, 9), GREEN_EAGAIN, "nothing there");
  green_sock_send(a, "peek", 4);
  is(green_sock_peek(b, room, 2), 2, "a look");
  is(green_sock_peek(b, room, 9), 4, "takes nothing away");
  is(green_sock_recv(b, room, 9), 4, "a read does");
  green_sock_close(a);
  is(green_sock_peek(b, room, 9), 0, "the end is seen, drained or not");
  free_both(a, b);
}

static void test_pieces(void)
{
  green_sock *a, *b;
  green_iov many[1500];
  green_iov v[] = {{"one ", 4}, {"", 0}, {"two ", 4}, {"three", 5}};
  unix_pair(&a, &b, GREEN_STREAM);
  is(green_sock_sendv(a, v, 4), 13, "four pieces, one call");
  is(green_sock_recv(b, room, 100), 13, "arrive");
  ok(memcmp(room, "one two three", 13) == 0, "in order");
  for (int i = 0; i < 1500; i++) many[i] = (green_iov){"x", 1};
  is(green_sock_sendv(a, many, 1500), 1024, "the first 1,024");
  is(green_sock_sendv(a, many, -1), GREEN_EINVAL, "a negative number");
  is(green_sock_sendv(a, many, 0), 0, "none");
  free_both(a, b);
}

/* -- Buffered input ------------------------------------------------------- */

static void test_fill_and_find(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  green_buf *in = green_sock_input(b);
  is(green_sock_fill(b, 1), GREEN_EAGAIN, "nothing to read");
  ok(!in->data, "and no memory held");
  green_sock_send(a, "line one\nline", 13);
  is(fill_wait(b, 1), 13, "all there is, whatever was wanted");
  is(green_buf_find(in, "\n", 1, 0), 8, "a line");
  is(green_buf_find(in, "\n", 1, 9), GREEN_EAGAIN, "not a second one");
  green_sock_send(a, " two\n", 5);
  is(green_sock_fill(b, 1), GREEN_EAGAIN, "a short read drains");
  ok(in->data != NULL, "what is buffered stays");
  is(fill_wait(b, 1), 5, "the rest of it");
  green_buf_consume(in, 9);
  is(green_buf_find(in, "\n", 1, 0), 8, "the second line");
  is(green_sock_peek(b, room, 4), 4, "peek sees the buffer");
  is(green_sock_recv(b, room, 4), 4, "recv takes from it first");
  ok(memcmp(room, "line", 4) == 0, "in order");
  is(green_sock_recv(b, room, 100), 5, "no more than it has");
  ok(!in->data, "then it holds no memory");
  is(green_sock_recv(b, room, 100), GREEN_EAGAIN, "and waits");
  green_sock_close(a);
  is(fill_wait(b, 100), 0, "the end");
  ok(!in->data, "no memory held");
  free_both(a, b);
}

static void test_fill_keeps_the_rest_at_the_end(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_send(a, "tail", 4);
  green_sock_close(a);
  is(fill_wait(b, 1), 4, "the last bytes");
  is(fill_wait(b, 1), 0, "the end");
  is(green_buf_len(green_sock_input(b)), 4, "does not take them away");
  free_both(a, b);
}

static void test_fill_limit(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_input(b)->max = 100;
  memset(room, 'm', 300);
  green_sock_send(a, room, 300);
  is(green_sock_fill(b, 1000), 100, "no more than the limit");
  is(green_sock_fill(b, 1), GREEN_ETOOBIG, "full");
  green_buf_consume(green_sock_input(b), 60);
  is(green_sock_fill(b, 1), 60, "room again");
  ok(green_sock_input(b)->cap <= 100, "the memory keeps to it");
  free_both(a, b);
}

static void test_fill_anew(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  memset(room, 'm', 60000);
  is(green_sock_send(a, room, 60000), 60000, "much");
  is(green_sock_fill(b, 0), 4096, "little at first");
  is(green_sock_fill(b, 0), 8192, "more then");
  green_buf_reset(green_sock_input(b));
  green_sock_fill_anew(b);
  is(green_sock_fill(b, 0), 4096, "little again");
  free_both(a, b);
}

/* A buffer that has room is used as it is. */
static void test_fill_reuses_room(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_send(a, "part", 4);
  fill_wait(b, 1);
  uint32_t cap = green_sock_input(b)->cap;
  ok(cap <= 8192, "a small first buffer");
  for (int i = 0; i < 100; i++) {
    green_sock_send(a, "more", 4);
    fill_wait(b, 1);
  }
  is(green_buf_len(green_sock_input(b)), 404, "a hundred small pieces");
  is(green_sock_input(b)->cap, cap, "fit into it");
  free_both(a, b);
}

static void test_fill_much(void)
{
  green_sock *a, *b;
  size_t sent = 0, total = 8 << 20;
  int wrong = 0;
  tcp_pair(&a, &b);
  green_buf *in = green_sock_input(b);
  for (size_t i = 0; i < sizeof(room); i++) room[i] = (char)(i % 251);
  while (green_buf_len(in) < total && !wrong) {
    size_t at = sent % 251;
    int r = sent < total ? green_sock_send(a, room + at, 65536) : GREEN_EAGAIN;
    if (r > 0) sent += (size_t)r;
    if (r == GREEN_EAGAIN && fill_wait(b, 1) <= 0) wrong = 1;
  }
  for (size_t i = 0; i < total && !wrong; i++)
    wrong = green_buf_data(in)[i] != (char)(i % 251);
  ok(!wrong, "eight megabytes, byte for byte");
  ok(b->chunk >= 65536, "full reads were followed by larger ones");
  free_both(a, b);
}

/* -- Life ----------------------------------------------------------------- */

static void test_adopt(void)
{
  int fds[2], pipes[2];
  green_sock *s = green_sock_new(hub), *t = green_sock_new(hub);
  ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && pipe(pipes) == 0, "fds");
  is(green_sock_adopt(s, fds[0]), 0, "a socket");
  ok(fcntl(fds[0], F_GETFL) & O_NONBLOCK, "does not block any more");
  is(green_sock_type(s), GREEN_STREAM, "its type is asked for");
  is(green_sock_family(s), GREEN_UNIX, "its family too");
  is(green_sock_adopt(s, fds[1]), GREEN_EINVAL, "one at a time");
  is(green_sock_adopt(t, pipes[0]), -ENOTSOCK, "a pipe is none");
  is(green_sock_adopt(t, -1), GREEN_EBADF, "nor is -1");
  is(green_sock_adopt(t, 9999), GREEN_EBADF, "nor what is not open");
  is(fcntl(pipes[0], F_GETFD), 0, "what was refused stays as it was");
  close(pipes[0]), close(pipes[1]), close(fds[1]);
  free_both(s, t);
}

static void test_detach(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  int fd = green_sock_detach(a);
  ok(fd >= 0, "the number");
  is(green_sock_detach(a), GREEN_ECLOSED, "once");
  is(green_sock_close(a), 0, "closing does nothing");
  is(write(fd, "x", 1), 1, "it is still open");
  is(recv_wait(b, room, 9), 1, "and connected");
  close(fd);
  free_both(a, b);
}

static void test_dup(void)
{
  green_sock *a, *b, *c = green_sock_new(hub);
  unix_pair(&a, &b, GREEN_STREAM);
  is(green_sock_dup(a, c), 0, "a second number");
  is(green_sock_dup(a, c), GREEN_EINVAL, "into a closed object only");
  ok(fcntl(green_sock_fileno(c), F_GETFL) & O_NONBLOCK, "does not block");
  green_sock_close(a);
  is(green_sock_send(c, "dup", 3), 3, "it lives on");
  is(recv_wait(b, room, 9), 3, "the same connection");
  green_sock_close(c);
  is(recv_wait(b, room, 9), 0, "until the last is closed");
  is(green_sock_dup(a, c), GREEN_ECLOSED, "nothing to copy");
  free_both(a, b);
  green_sock_free(c);
}

static void test_open_twice(void)
{
  green_sock *a, *b, *s = green_sock_new(hub);
  unix_pair(&a, &b, GREEN_STREAM);
  is(green_sock_open(a, GREEN_INET, GREEN_STREAM), GREEN_EINVAL, "open");
  is(green_sock_pair(a, s, GREEN_STREAM), GREEN_EINVAL, "pair");
  is(green_sock_pair(s, s, GREEN_STREAM), GREEN_EINVAL, "pair with itself");
  is(green_sock_accept(a, b, NULL), GREEN_EINVAL, "accept into an open one");
  is(green_sock_accept(a, s, NULL), GREEN_EINVAL, "accept without listen");
  is(green_sock_open(s, 12345, GREEN_STREAM), GREEN_EAFNOSUPPORT, "family");
  free_both(a, b);
  green_sock_free(s);
}

/* Behaviours 77 and 78: a number that is used again is not the old socket's. */
static void test_stale(void)
{
  green_sock *old = green_sock_new(hub), *new = green_sock_new(hub);
  green_sock_open(old, GREEN_INET, GREEN_STREAM);
  int fd = green_sock_fileno(old);
  close(fd);
  green_sock_open(new, GREEN_INET, GREEN_STREAM);
  is(green_sock_fileno(new), fd, "the number came back");
  is(green_sock_fileno(old), GREEN_ECLOSED, "the old object is closed");
  is(green_sock_close(old), 0, "closing it");
  ok(fcntl(fd, F_GETFD) >= 0, "leaves the new one open");
  free_both(old, new);
  ok(fcntl(fd, F_GETFD) < 0, "until that is closed");
}

/* Behaviour 79. */
static void test_close_wakes(void)
{
  green_sock *a, *b;
  waiter r, w;
  char fill[4096];
  memset(fill, 'f', sizeof(fill));
  unix_pair(&a, &b, GREEN_STREAM);
  while (green_sock_send(a, fill, sizeof(fill)) > 0) continue;
  waiter_start(&r, a, GREEN_READ, 5);
  waiter_start(&w, a, GREEN_WRITE, 5);
  green_hub_turn(hub, 0);
  green_sock_close(a);
  green_hub_run(hub, &r.done);
  green_hub_run(hub, &w.done);
  is(r.status, GREEN_ECLOSED, "a reader");
  is(w.status, GREEN_ECLOSED, "and a writer");
  free_both(a, b);
}

static void test_free_wakes(void)
{
  green_sock *a, *b;
  waiter r;
  unix_pair(&a, &b, GREEN_STREAM);
  waiter_start(&r, a, GREEN_READ, 5);
  green_hub_turn(hub, 0);
  green_sock_free(a);
  green_hub_run(hub, &r.done);
  is(r.status, GREEN_ECLOSED, "free wakes likewise");
  green_sock_free(b);
  green_sock_free(NULL);
}

static void test_closed(void)
{
  green_addr at = address("127.0.0.1:1");
  int32_t cred[3];
  green_iov v = {"x", 1};
  green_sock *a, *s;
  unix_pair(&s, &a, GREEN_STREAM);
  green_sock_send(a, "buffered", 8);
  fill_wait(s, 1);
  is(green_sock_close(s), 0, "close");
  is(green_sock_close(s), 0, "and again");
  is(green_sock_bind(s, &at), GREEN_ECLOSED, "bind");
  is(green_sock_listen(s, 1), GREEN_ECLOSED, "listen");
  is(green_sock_accept(s, a, NULL), GREEN_ECLOSED, "accept");
  is(green_sock_connect(s, &at), GREEN_ECLOSED, "connect");
  is(green_sock_connect_finish(s), GREEN_ECLOSED, "connect_finish");
  is(green_sock_sockname(s, &at), GREEN_ECLOSED, "sockname");
  is(green_sock_peername(s, &at), GREEN_ECLOSED, "peername");
  is(green_sock_peercred(s, cred), GREEN_ECLOSED, "peercred");
  is(green_sock_recv(s, room, 1), GREEN_ECLOSED, "recv");
  is(green_sock_peek(s, room, 1), GREEN_ECLOSED, "peek");
  is(green_sock_send(s, "x", 1), GREEN_ECLOSED, "send");
  is(green_sock_sendv(s, &v, 1), GREEN_ECLOSED, "sendv");
  is(green_sock_recvfrom(s, room, 1, NULL, NULL), GREEN_ECLOSED, "recvfrom");
  is(green_sock_sendto(s, "x", 1, &at), GREEN_ECLOSED, "sendto");
  is(green_sock_fill(s, 1), GREEN_ECLOSED, "fill");
  is(green_sock_family(s), GREEN_ECLOSED, "family");
  is(green_sock_type(s), GREEN_ECLOSED, "type");
  is(green_sock_shutdown(s, GREEN_WRITE), 0, "shutdown is silent");
  ok(!green_sock_input(s)->data, "its buffer is gone");
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), 0, "it can be opened again");
  free_both(a, s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  int fds = open_fds();
  test_tcp_there_and_back();
  test_flags();
  test_tcp6();
  test_refused();
  test_connect_twice();
  test_connect_under_way();
  test_not_connected();
  test_self_connect_is_refused();
  test_address_in_use();
  test_reset();
  test_drained();
  test_shutdown_read_undrains();
  test_short_writes();
  test_recv_of_nothing();
  test_peek();
  test_pieces();
  test_fill_and_find();
  test_fill_keeps_the_rest_at_the_end();
  test_fill_limit();
  test_fill_anew();
  test_fill_reuses_room();
  test_fill_much();
  test_adopt();
  test_detach();
  test_dup();
  test_open_twice();
  test_stale();
  test_close_wakes();
  test_free_wakes();
  test_closed();
  nothing_is_left(fds);
  green_hub_free(hub);
  return t_done();
}
