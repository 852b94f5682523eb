/*
** sock_unix_test.c: UNIX sockets, and datagrams of both kinds.
*/

#include "io/sock_kit.h"

#include <sys/socket.h>
#include <sys/stat.h>

static char room[1 << 17];

/* -- Datagrams ------------------------------------------------------------ */

static green_sock *udp_socket(green_addr *at)
{
  green_addr any = address("127.0.0.1:0");
  green_sock *s = green_sock_new(hub);
  green_sock_open(s, GREEN_INET, GREEN_DGRAM);
  green_sock_bind(s, &any);
  green_sock_sockname(s, at);
  return s;
}

static void test_udp(void)
{
  green_addr at_a, at_b, from;
  uint32_t whole = 0;
  green_sock *a = udp_socket(&at_a), *b = udp_socket(&at_b);
  is(green_sock_recvfrom(b, room, 10, &from, NULL), GREEN_EAGAIN, "nothing");
  is(green_sock_sendto(a, "datagram", 8, &at_b), 8, "sent to an address");
  is(green_sock_sendto(a, "", 0, &at_b), 0, "an empty one");
  is(green_sock_sendto(a, "cut off", 7, &at_b), 7, "a third");
  is(wait_readable(b), 0, "they arrive");
  is(green_sock_recvfrom(b, room, 100, &from, &whole), 8, "the first");
  ok(green_addr_equal(&from, &at_a), "from whom it is");
  is(whole, 8, "it is whole");
  is(green_sock_recvfrom(b, room, 100, &from, NULL), 0, "the empty one");
  is(green_sock_recvfrom(b, room, 3, NULL, &whole), 3, "into little room");
  is(whole, 7, "its full length is known");
  is(green_sock_recv(b, room, 3), GREEN_EAGAIN, "the rest is lost");
  is(b->f.drained, 0, "datagrams never drain");
  free_both(a, b);
}

static void test_udp_connected(void)
{
  green_addr at_a, at_b;
  green_sock *a = udp_socket(&at_a), *b = udp_socket(&at_b);
  is(green_sock_sendto(a, "x", 1, NULL), GREEN_EDESTADDRREQ, "to whom?");
  is(green_sock_connect(a, &at_b), 0, "connects at once");
  is(green_sock_send(a, "abc", 3), 3, "sends");
  is(recv_wait(b, room, 2), 2, "a short read");
  green_sock_send(a, "de", 2);
  is(recv_wait(b, room, 9), 2, "is one datagram, the next is the next");
  green_sock_close(b);
  green_sock_send(a, "gone", 4);
  is(recv_wait(a, room, 9), GREEN_ECONNREFUSED, "nobody there any more");
  memset(room, 'd', sizeof(room));
  is(green_sock_send(a, room, 70000), GREEN_EMSGSIZE, "too long");
  free_both(a, b);
}

/* -- UNIX ----------------------------------------------------------------- */

static green_addr unix_address(const char *kind)
{
  char text[100];
  snprintf(text, sizeof(text), "unix:%sgreen-sock-test-%d", kind, getpid());
  return address(text);
}

static void unix_there_and_back(green_addr at)
{
  int32_t cred[3];
  green_sock *l = green_sock_new(hub), *c = green_sock_new(hub);
  green_sock *s = green_sock_new(hub);
  green_sock_open(l, GREEN_UNIX, GREEN_STREAM);
  is(green_sock_bind(l, &at), 0, "bind");
  green_sock_listen(l, 4);
  green_sock_open(c, GREEN_UNIX, GREEN_STREAM);
  is(green_sock_connect(c, &at), 0, "connects at once");
  is(accept_wait(l, s, NULL), 0, "accept");
  green_sock_send(c, "unix", 4);
  is(recv_wait(s, room, 9), 4, "receive");
  is(green_sock_peercred(s, cred), 0, "who is it?");
  ok(cred[0] == getpid() && cred[1] == (int32_t)getuid(), "we ourselves");
  free_both(c, s);
  green_sock_free(l);
}

static void test_unix_path(void)
{
  green_addr at = unix_address("/tmp/");
  green_sock *l = green_sock_new(hub);
  char path[GREEN_ADDR_TEXT];
  struct stat st;
  unix_there_and_back(at);
  green_addr_path(&at, path, sizeof(path));
  is(stat(path, &st), 0, "the path outlives the socket");
  green_sock_open(l, GREEN_UNIX, GREEN_STREAM);
  is(green_sock_bind(l, &at), GREEN_EADDRINUSE, "and is in the way");
  unlink(path);
  is(green_sock_connect(l, &at), GREEN_ENOENT, "nobody there");
  is(green_sock_bind(l, &at), 0, "removed, it is free");
  unlink(path);
  green_sock_free(l);
}

static void test_unix_abstract(void)
{
  green_addr at = unix_address("@"), empty, name;
  green_sock *l = green_sock_new(hub);
  unix_there_and_back(at);
  green_sock_open(l, GREEN_UNIX, GREEN_STREAM);
  is(green_sock_connect(l, &at), GREEN_ECONNREFUSED, "gone with its socket");
  green_addr_unix(&empty, NULL, 0);
  is(green_sock_bind(l, &empty), 0, "a name of the system's choice");
  is(green_sock_sockname(l, &name), 0, "can be asked for");
  ok(name.len > empty.len, "and is one");
  green_sock_free(l);
}

/* Nothing will tell when there is room: the caller has to try again. */
static void test_unix_queue_full(void)
{
  green_addr at = unix_address("@full-");
  green_sock *l = green_sock_new(hub), *c[4];
  int err = 0, n = 0;
  green_sock_open(l, GREEN_UNIX, GREEN_STREAM);
  green_sock_bind(l, &at);
  green_sock_listen(l, 1);
  while (n < 4 && err == 0) {
    c[n] = green_sock_new(hub);
    green_sock_open(c[n], GREEN_UNIX, GREEN_STREAM);
    err = green_sock_connect(c[n++], &at);
  }
  is(err, GREEN_EAGAIN, "the queue is full");
  green_sock *s = green_sock_new(hub);
  is(green_sock_accept(l, s, NULL), 0, "one is taken");
  is(green_sock_connect(c[n - 1], &at), 0, "then it works");
  while (n) green_sock_free(c[--n]);
  free_both(l, s);
}

static void test_unix_datagrams(void)
{
  green_addr at = unix_address("@dgram-"), from;
  uint32_t whole;
  green_sock *a = green_sock_new(hub), *b = green_sock_new(hub);
  green_sock_open(a, GREEN_UNIX, GREEN_DGRAM);
  green_sock_open(b, GREEN_UNIX, GREEN_DGRAM);
  green_sock_bind(a, &at);
  is(green_sock_sendto(b, "hello", 5, &at), 5, "to a name");
  is(green_sock_recvfrom(a, room, 4, &from, &whole), 4, "received");
  is(whole, 5, "with one byte lost");
  is(green_addr_family(&from), 0, "from somebody without a name");
  is(green_sock_connect(b, &at), 0, "connected");
  is(green_sock_send(b, "again", 5), 5, "no name needed");
  is(recv_wait(a, room, 9), 5, "received");
  free_both(a, b);
}

static void test_seqpacket(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_SEQPACKET);
  green_sock_send(a, "first", 5);
  green_sock_send(a, "second", 6);
  is(green_sock_recv(b, room, 99), 5, "messages keep their bounds");
  is(green_sock_recv(b, room, 99), 6, "each");
  green_sock_close(a);
  is(green_sock_recv(b, room, 99), 0, "and have an end");
  free_both(a, b);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  int fds = open_fds();
  test_udp();
  test_udp_connected();
  test_unix_path();
  test_unix_abstract();
  test_unix_queue_full();
  test_unix_datagrams();
  test_seqpacket();
  nothing_is_left(fds);
  green_hub_free(hub);
  return t_done();
}
