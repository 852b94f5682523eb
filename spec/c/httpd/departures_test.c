/*
** departures_test.c: who waits for a connection to go is told.
*/

#include "httpd/httpd_kit.h"

#include <netinet/in.h>

/* A task that waits for departures once. */
static void wait_begin(actor *a, house *h)
{
  actor_start(a, h->hub, 0, step_park);
  a->q = green_httpd_departures(h->d);
  turns(h->hub, 1);
}

static int was_told(house *h, actor *a)
{
  turns(h->hub, 1);
  return a->runs == 2;
}

static void test_closed(void)
{
  house h = house_open();
  actor a, b;
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  wait_begin(&a, &h);
  wait_begin(&b, &h);
  ok(!was_told(&h, &a), "nothing has gone");
  green_conn_close(c);
  ok(was_told(&h, &a) && was_told(&h, &b), "all are told of a close");
  is(a.task.status, 0, "that all is well");
  close(fd);
  house_close(&h);
}

static void test_at_rest(void)
{
  house h = house_open();
  actor a;
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  wait_begin(&a, &h);
  serve(c);
  ok(was_told(&h, &a), "one between requests may be closed, too");
  wait_begin(&a, &h);
  say(fd, "\r\n");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "a blank line is no request");
  ok(was_told(&h, &a), "and one that had no more than that may go");
  wait_begin(&a, &h);
  ok(!next_after(&h, fd, "GET / HT"), "one in a head");
  ok(!was_told(&h, &a), "stays");
  close(fd);
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "its client goes");
  ok(was_told(&h, &a), "and it is gone");
  house_close(&h);
}

static void test_taken_over(void)
{
  house h = house_open();
  actor a;
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  green_sock *s = green_sock_new(h.hub);
  wait_begin(&a, &h);
  is(green_conn_detach(c, s), 0, "it is taken over");
  ok(was_told(&h, &a), "the server has one less");
  green_sock_free(s);
  close(fd);
  house_close(&h);
}

static void test_room(void)
{
  house h = house_open();
  actor a;
  green_addr at;
  green_sock *listener = green_sock_new(h.hub);
  green_addr_parse(&at, "127.0.0.1:0", 11, 0);
  green_sock_open(listener, GREEN_INET, GREEN_STREAM);
  green_sock_bind(listener, &at);
  green_sock_listen(listener, 8);
  green_sock_sockname(listener, &at);
  int fd = client_open(&h), other = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(other, (const struct sockaddr *)at.u.bytes, at.len) < 0) abort();
  h.d->max_connections = 1;
  green_conn *c = next_after(&h, fd, GET);
  is(green_httpd_accept(h.d, listener, 1), GREEN_EBUSY, "there is no room");
  wait_begin(&a, &h);
  serve(c);
  ok(was_told(&h, &a), "whoever accepts hears of it");
  is(green_httpd_accept(h.d, listener, 1), 1, "when there is some");
  is(hear(fd), '.', "the idle one has made it");
  green_sock_free(listener);
  close(other);
  close(fd);
  green_httpd_close_idle(h.d, true);
  house_close(&h);
}

static void test_end(void)
{
  house h = house_open();
  actor a;
  int fd = client_open(&h);
  wait_begin(&a, &h);
  green_httpd_deinit(h.d);
  turns(h.hub, 1);
  is(a.task.status, GREEN_ECLOSED, "the server's end is told as such");
  close(fd);
  house_close(&h);
}

/* -- While the server closes ---------------------------------------------- */

/* Their answers have left, and they go on sending: closed, they would lose
** it. */
static void test_lingering(void)
{
  house h = house_open();
  actor a;
  int fd = client_open(&h), quiet = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  say(fd, "more");
  h.d->closing = true;
  serve(c);
  say(fd, "and more");
  serve(next_after(&h, quiet, GET));
  wait_begin(&a, &h);
  is(h.d->connections, 2, "both linger, they may send more");
  pass(&h, 9 * MS);
  is(h.d->connections, 2, "for a while");
  pass(&h, MS);
  is(h.d->connections, 0, "then the server has looked who has it all");
  ok(was_told(&h, &a), "and tells");
  is(stats_of(h.hub).timers, 0, "no deadline is left");
  is(hear(fd), '.', "no reset");
  ok(heard("hello"), "no answer is lost");
  close(fd);
  close(quiet);
  house_close(&h);
}

/* Nobody is to take what waits for a worker any more. */
static void test_all_are_closed(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn_pass_on(next_after(&h, fd, GET));
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(h.d->connections, 1, "what was passed on is to be served");
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 0, "unless all are to go");
  ok(!green_httpd_next(h.d), "nothing is handed out");
  close(fd);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_closed();
  test_at_rest();
  test_taken_over();
  test_room();
  test_end();
  test_lingering();
  test_all_are_closed();
  return t_done();
}
