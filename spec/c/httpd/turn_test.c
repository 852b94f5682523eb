/*
** turn_test.c: what is read behind the rest of a body that nobody wanted
** waits its turn: a client that sends without end keeps nobody out.
*/

#include "httpd/httpd_kit.h"

static void test_drained_body_costs_the_turn(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(
      &h, fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  say(fd, "defghi" GET);
  turns(h.hub, 1);
  httpd_conn_of(c)->sock.f.drained = 0; /* As after a full read. */
  is(serve(c), 0, "the next request is not taken at once");
  is(green_httpd_ready(h.d), 1, "but waits");
  c = green_httpd_next(h.d);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "and is there without a poll");
  if (c) serve(c);
  hear(fd);
  is(heard_count("hello"), 2, "both are answered");
  close(fd);
  green_httpd_close_idle(h.d, true);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_drained_body_costs_the_turn();
  return t_done();
}
