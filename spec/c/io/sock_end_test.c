/*
** sock_end_test.c: sockets in memory of their owner's, and their end.
*/

#include "io/sock_kit.h"

#include <fcntl.h>

/* Everything that opens a socket, on one that has ended. */
static void refuses_all(green_sock *s)
{
  green_sock *other = green_sock_new(hub), *full = green_sock_new(hub);
  green_addr at;
  green_sock *l = tcp_listener(&at);
  int fds = open_fds();
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), GREEN_ECLOSED, "open");
  is(green_sock_pair(s, other, GREEN_STREAM), GREEN_ECLOSED, "pair, first");
  is(green_sock_pair(other, s, GREEN_STREAM), GREEN_ECLOSED, "or second");
  is(green_sock_fileno(other), GREEN_ECLOSED, "the other stays closed");
  is(green_sock_dup(s, other), GREEN_ECLOSED, "dup");
  is(green_sock_dup(l, s), GREEN_ECLOSED, "dup to it");
  is(green_sock_accept(s, other, NULL), GREEN_ECLOSED, "accept");
  is(green_sock_open(full, GREEN_INET, GREEN_STREAM), 0, "(a connection)");
  is(connect_wait(full, &at), 0, "(comes)");
  is(green_sock_accept(l, s, NULL), GREEN_ECLOSED, "accept to it");
  is(accept_wait(l, other, NULL), 0, "the connection is not lost by that");
  free_both(other, full);
  is(open_fds(), fds, "nothing was opened");
  int fd = dup(0);
  is(green_sock_adopt(s, fd), GREEN_ECLOSED, "adopt");
  ok(fcntl(fd, F_GETFD) >= 0, "the number stays the caller's");
  close(fd);
  is(green_sock_close(s), 0, "close is silent");
  is(green_sock_detach(s), GREEN_ECLOSED, "detach");
  is(green_sock_send(s, "x", 1), GREEN_ECLOSED, "send");
  is(green_sock_fileno(s), GREEN_ECLOSED, "fileno");
  green_sock_free(l);
}

static green_sock *sock_in_own_memory(void)
{
  green_sock *s = calloc(1, green_sock_size());
  if (!s) abort();
  green_sock_init(s, hub);
  return s;
}

static void test_init(void)
{
  green_sock *s = sock_in_own_memory();
  is(green_sock_fileno(s), GREEN_ECLOSED, "made closed");
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), 0, "it can be opened");
  is(green_sock_close(s), 0, "closed");
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), 0, "and opened again");
  green_sock_deinit(s);
  is(green_sock_fileno(s), GREEN_ECLOSED, "deinit closes it");
  green_sock_deinit(s);
  refuses_all(s);
  green_sock_deinit(s);
  free(s);
}

static void test_deinit_of_a_closed_one(void)
{
  green_sock *s = sock_in_own_memory();
  green_sock_deinit(s);
  refuses_all(s);
  free(s);
}

static void test_deinit_wakes_and_forgets(void)
{
  green_sock *a, *b;
  waiter w;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_send(b, "abc", 3);
  fill_wait(a, 16);
  waiter_start(&w, a, GREEN_READ, 5);
  green_hub_turn(hub, 0);
  green_sock_deinit(a);
  is(green_hub_run(hub, &w.done), 0, "who waits");
  is(w.status, GREEN_ECLOSED, "is told");
  ok(!green_sock_input(a)->data, "buffered bytes are gone");
  char c;
  is(recv_wait(b, &c, 1), 0, "and the peer sees the end");
  free_both(a, b);
}

/* The socket is older than its hub, and lives longer. */
static void test_hub_ends_before(void)
{
  green_hub *own;
  green_sock *s = calloc(1, green_sock_size());
  if (!s || green_hub_new(&own, NULL) < 0) abort();
  green_sock_init(s, own);
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), 0, "open");
  int fd = green_sock_fileno(s);
  green_hub_turn(own, 0);
  green_hub_free(own);
  is(green_sock_fileno(s), GREEN_ECLOSED,
     "the end of a hub closes its sockets");
  ok(fcntl(fd, F_GETFD) >= 0, "but not their numbers");
  green_sock_deinit(s);
  green_sock_deinit(s);
  is(green_sock_open(s, GREEN_INET, GREEN_STREAM), GREEN_ECLOSED,
     "there is no hub to open it on");
  close(fd);
  free(s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  int fds = open_fds();
  test_init();
  test_deinit_of_a_closed_one();
  test_deinit_wakes_and_forgets();
  test_hub_ends_before();
  nothing_is_left(fds);
  green_hub_free(hub);
  return t_done();
}
