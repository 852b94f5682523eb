/*
** relay_test.c: bodies that come from another socket and go through the
** server's pipe.
*/

#include "httpd/httpd_kit.h"

#define SIZE 200000

static char text[SIZE];

/* Another server: our end of a connection to it, and its own. */
typedef struct origin {
  green_sock *sock;
  int fd;
} origin;

static origin origin_open(house *h)
{
  int fds[2];
  origin o = {green_sock_new(h->hub), -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  if (green_sock_adopt(o.sock, fds[0]) < 0) abort();
  o.fd = fds[1];
  return o;
}

static void origin_close(origin *o)
{
  green_sock_free(o->sock);
  if (o->fd >= 0) close(o->fd);
}

static green_conn *begin(house *h, int fd, const char *length)
{
  green_conn *c = next_after(h, fd, GET);
  green_conn_begin(c, 200);
  if (length)
    green_conn_header(c, TEXT("Content-Length"), length, strlen(length), false);
  is(green_conn_stream(c), 0, "the head is there");
  return c;
}

static void test_passes(void)
{
  house h = house_open();
  origin o = origin_open(&h);
  int fd = client_open(&h);
  green_conn *c = begin(&h, fd, "9");
  is(green_conn_relay(c, o.sock, 9), GREEN_EAGAIN, "nothing has come");
  is(hear(fd), '-', "the head stays");
  is((int)heard_len, 0, "with us");
  turns(h.hub, 1);
  green_conn_piece(c, "one", 3);
  say(o.fd, "two345more");
  is(green_conn_relay(c, o.sock, 7), GREEN_EINVAL, "more than is left");
  is(green_conn_relay(c, o.sock, 0), GREEN_EINVAL, "or none");
  is(green_conn_relay(c, o.sock, -1), GREEN_EINVAL, "or fewer");
  o.sock->f.drained = 0; /* As the poll does for who waits. */
  is(green_conn_relay(c, o.sock, 6), 6, "what is left has come");
  hear(fd);
  ok(heard("\r\n\r\nonetwo345"), "behind the head and what was written before");
  is(c->sent, 9, "it counts");
  is(green_conn_end(c), 0, "that is all");
  is(green_conn_finish(c), 0, "and the connection goes on");
  char rest[8];
  is(green_sock_recv(o.sock, rest, 8), 4, "what is behind it stays");
  close(fd);
  origin_close(&o);
  house_close(&h);
}

static void test_ends(void)
{
  house h = house_open();
  origin o = origin_open(&h);
  int fd = client_open(&h);
  green_conn *c = begin(&h, fd, "9");
  say(o.fd, "two");
  close(o.fd);
  o.fd = -1;
  is(green_conn_relay(c, o.sock, 9), 3, "what has come");
  is(green_conn_relay(c, o.sock, 6), 0, "the end");
  is(green_conn_end(c), GREEN_EINVAL, "is too early");
  is(c->close, 1, "and the client's, too");
  green_conn_finish(c);
  is(hear(fd), '.', "it sees that");
  close(fd);
  origin_close(&o);
  house_close(&h);
}

/* What a client does not take waits in its buffer, and the pipe is empty. */
static void test_slow(void)
{
  house h = house_open();
  origin a = origin_open(&h), b = origin_open(&h);
  int slow = client_open(&h), quick = client_open(&h);
  green_conn *c = begin(&h, slow, "2000000");
  memset(text, 'a', SIZE);
  size_t put = 0;
  int got = 1;
  while (got > 0 && put < SIZE) {
    ssize_t n = send(a.fd, text + put, SIZE - put, MSG_DONTWAIT);
    if (n > 0) put += (size_t)n;
    a.sock->f.drained = 0;
    got = green_conn_relay(c, a.sock, 100000);
    if (green_conn_is_slow(c)) break;
  }
  while ((got = green_conn_relay(c, a.sock, 100000)) > 0) continue;
  is(got, GREEN_EAGAIN, "all of it is with us");
  is((int)c->sent, (int)put, "and was counted");
  green_conn *d = begin(&h, quick, "3");
  say(b.fd, "bbb");
  is(green_conn_relay(d, b.sock, 3), 3, "another's goes on meanwhile");
  hear(quick);
  ok(heard("\r\n\r\nbbb"), "and is its own");
  size_t heard_all = 0;
  for (int i = 0; i < 1000 && heard_all < put; i++) {
    hear(slow);
    heard_all += heard_len;
    green_conn_flush(c);
  }
  ok(heard_all > put, "the slow one gets all, and the head");
  ok(!heard("b"), "of its own");
  green_conn_close(c);
  green_conn_close(d);
  close(slow);
  close(quick);
  origin_close(&a);
  origin_close(&b);
  house_close(&h);
}

static void test_refuses(void)
{
  house h = house_open();
  origin o = origin_open(&h);
  int fd = client_open(&h);
  say(o.fd, "two");
  green_conn *c = begin(&h, fd, NULL);
  is(green_conn_relay(c, o.sock, 3), GREEN_EOPNOTSUPP, "no chunks");
  green_conn_end(c);
  green_conn_finish(c);
  c = begin(&h, fd, "3");
  green_sock_fill(o.sock, 1);
  is(green_conn_relay(c, o.sock, 3), GREEN_EOPNOTSUPP, "nor what was read");
  green_sock_close(o.sock);
  is(green_conn_relay(c, o.sock, 3), GREEN_ECLOSED, "nor of nothing");
  green_conn_piece(c, "two", 3);
  green_conn_end(c);
  is(green_conn_relay(c, o.sock, 3), GREEN_ECLOSED, "nor behind the end");
  green_conn_finish(c);
  close(fd);
  origin_close(&o);
  house_close(&h);
}

/* An error of the client's is found by the flush that follows. */
static void test_client_has_gone(void)
{
  house h = house_open();
  origin o = origin_open(&h);
  int fd = client_open(&h);
  green_conn *c = begin(&h, fd, "6");
  say(o.fd, "two");
  close(fd);
  is(green_conn_relay(c, o.sock, 6), 3, "it was taken");
  ok(green_conn_flush(c) < 0, "and cannot leave");
  green_conn_close(c);
  origin_close(&o);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_passes();
  test_ends();
  test_slow();
  test_refuses();
  test_client_has_gone();
  return t_done();
}
