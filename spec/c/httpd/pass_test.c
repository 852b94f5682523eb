/*
** pass_test.c: requests that a worker has found and does not take.
*/

#include "httpd/httpd_kit.h"

static void test_next_of_a_connection(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET);
  is(serve(c), 1, "the second was there already");
  green_conn_pass_on(c);
  is(hear(fd), '-', "the connection stays");
  is(heard_count("hello"), 1, "the first answer is sent at once");
  is(green_httpd_ready(h.d), 1, "a worker is wanted");
  ok(green_httpd_next(h.d) == c, "it is handed out");
  is(c->found, GREEN_HTTPD_REQUEST, "as what it is");
  is(serve(c), 0, "and answered");
  hear(fd);
  is(heard_count("hello"), 1, "by the other");
  is(h.d->requests, 2, "each was counted once");
  close(fd);
  house_close(&h);
}

static void test_before_others(void)
{
  house h = house_open();
  int a = client_open(&h), b = client_open(&h);
  green_conn *c = next_after(&h, a, GET);
  green_conn_pass_on(c);
  say(b, GET);
  ok(next(&h) == c, "what was passed on comes first");
  serve(c);
  serve(green_httpd_next(h.d));
  hear(b);
  is(heard_count("hello"), 1, "then the others");
  close(a);
  close(b);
  house_close(&h);
}

static void test_refused(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET "BAD\r\n\r\n");
  is(serve(c), 1, "a bad one is behind it");
  green_conn_pass_on(c);
  c = green_httpd_next(h.d);
  ok(c && c->found == GREEN_HTTPD_REFUSED, "it is handed out to be logged");
  is(green_conn_finish(c), 0, "and finished");
  hear(fd);
  ok(heard("hello") && heard("400 Bad"), "both answers have come");
  close(fd);
  house_close(&h);
}

static void test_wakes_a_worker(void)
{
  house h = house_open();
  actor a;
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  actor_start(&a, h.hub, 0, step_park);
  a.q = green_httpd_shortage(h.d);
  turns(h.hub, 1);
  green_conn_pass_on(c);
  turns(h.hub, 2);
  is(h.d->wanted, 1, "one is wanted at the end of the turn");
  is(a.runs, 2, "and who makes them is told");
  serve(green_httpd_next(h.d));
  close(fd);
  house_close(&h);
}

static void test_client_has_gone(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET);
  answer(c, 200, "hello");
  close(fd);
  is(green_conn_finish(c), 1, "the answer leaves with the next one's");
  green_conn_pass_on(c);
  ok(!green_httpd_next(h.d), "the answer cannot leave: nothing to hand out");
  is(h.d->connections, 0, "and the connection is closed");
  house_close(&h);
}

static void test_server_ends(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn_pass_on(next_after(&h, fd, GET));
  house_close(&h);
  is(hear(fd), '.', "closed");
  close(fd);
}

int main(void)
{
  t_start();
  test_next_of_a_connection();
  test_before_others();
  test_refused();
  test_wakes_a_worker();
  test_client_has_gone();
  test_server_ends();
  return t_done();
}
