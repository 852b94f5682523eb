/*
** end_test.c: how connections of an HTTP server end: refused, too slow,
** closed by the server, by the client, by others.
*/

#include "httpd/httpd_kit.h"

/* -- Refusals ------------------------------------------------------------- */

static void test_refused(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET "GET / HTTP/1.1\r\n\r\nmore");
  is(serve(c), 1, "a good one, then");
  is(c->found, GREEN_HTTPD_REFUSED, "one without Host");
  is(c->status, 400, "is refused");
  ok(c->reason && !c->head, "with a reason, without a head");
  is(green_conn_finish(c), 0, "answered");
  is(h.d->refused, 1, "counted");
  say(fd, "and more");
  is(hear(fd), '.', "a clean end, although there was more");
  ok(heard("200 OK") && heard("400 Bad") && heard("Connection: close"), "told");
  turns(h.hub, 2);
  is(h.d->connections, 1, "it lingers");
  ok(!green_httpd_next(h.d), "without a worker");
  say(fd, GET);
  turns(h.hub, 3);
  is(hear(fd), '.', "what comes then is read and dropped");
  close(fd);
  turns(h.hub, 3);
  is(h.d->connections, 0, "until the client closes");
  house_close(&h);
}

/* Who asked with HEAD reads a head and nothing else, whatever is wrong. */
static void test_refused_head(void)
{
  static const char *const bad[] = {
      "HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/2.0\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"};
  house h = house_open();
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    int fd = client_open(&h);
    green_conn *c = next_after(&h, fd, bad[i]);
    is(c->found, GREEN_HTTPD_REFUSED, "a bad HEAD");
    green_conn_finish(c);
    is(hear(fd), '.', "is answered");
    is_str(strstr(heard_text, "\r\n\r\n"), "\r\n\r\n", "without a body");
    close(fd);
    turns(h.hub, 3);
  }
  int fd = client_open(&h);
  serve(next_after(&h, fd, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
  hear(fd);
  green_conn_finish(next_after(&h, fd, "\r\n\r\n"));
  hear(fd);
  ok(heard("\r\n\r\nBad Request"), "what came before does not count");
  close(fd);
  turns(h.hub, 3);
  house_close(&h);
}

/* A CRLF behind a request, in one piece or two. */
static void test_blank_line(void)
{
  static const char *const after[] = {"\r\n", "\r", "\n"};
  house h = house_open();
  h.d->keepalive_timeout = 20 * GREEN_SECOND;
  h.d->header_timeout = 5 * GREEN_SECOND;
  int fd = client_open(&h);
  serve(next_after(&h, fd, GET "\r\n"));
  hear(fd);
  pass(&h, 19 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "no request");
  is(h.d->idle, 1, "it counts as none");
  is(serve(next_after(&h, fd, GET)), 0, "one comes");
  for (int i = 1; i < 3; i++) {
    say(fd, after[i]);
    turns(h.hub, 2);
    ok(!green_httpd_next(h.d), "half of one, half of the other");
  }
  is(h.d->refused, 0, "nothing bad");
  is(serve(next_after(&h, fd, GET)), 0, "and a request");
  say(fd, after[0]);
  pass(&h, 21 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "nobody needs to be told");
  hear(fd);
  is(hear(fd), '.', "when its time is over");
  ok(!heard("408"), "that it was slow");
  close(fd);
  fd = client_open(&h);
  green_conn *c = next_after(&h, fd, "\r\n");
  ok(!c, "before the first one, too");
  c = next_after(&h, fd, "\r\n" GET);
  is(c->found, GREEN_HTTPD_REFUSED, "but not a second one");
  green_conn_finish(c);
  close(fd);
  turns(h.hub, 3);
  house_close(&h);
}

/* What is known of the body when the head of the answer is made. */
static void test_early_answer(void)
{
  static const struct {
    const char *body;
    int bad;
  } t[] = {{"3\r\nabc\r\n0\r\n\r\n", 0},
           {"3\r\nab", 0},
           {"", 0},
           {"x", 1},
           {"3\r\nabcd", 1},
           {"3\r\nabc\r\n0\r\n bad\r\n", 1}};
  house h = house_open();
  for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
    int fd = client_open(&h);
    say(fd, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    serve(next_after(&h, fd, t[i].body));
    hear(fd);
    is(heard("Connection: close"), t[i].bad, t[i].body);
    close(fd);
    turns(h.hub, 2);
    while (green_httpd_next(h.d)) continue;
    pass(&h, 3 * GREEN_SECOND);
  }
  house_close(&h);
}

static void test_cut_has_a_reason(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET);
  green_conn_begin(c, 200);
  is(green_conn_room(c), -1, "any length");
  green_conn_header(c, "content-length", 14, "10", 2, false);
  is(green_conn_room(c), 10, "ten bytes");
  green_conn_stream(c);
  green_conn_piece(c, "abc", 3);
  is(green_conn_room(c), 7, "seven are left");
  ok(!c->reason && !green_conn_is_slow(c), "all is well");
  green_conn_cut(c, GREEN_ETIMEDOUT);
  green_conn_cut(c, GREEN_ECLOSED);
  is_str(c->reason, "client did not read in time", "the first reason stands");
  green_conn_finish(c);
  is(hear(fd), '.', "the end");
  close(fd);
  house_close(&h);
}

static void test_linger_has_bounds(void)
{
  house h = house_open();
  int slow = client_open(&h), fast = client_open(&h);
  char block[65536] = "";
  green_conn_finish(next_after(&h, slow, "bad\r\n\r\n"));
  green_conn_finish(next_after(&h, fast, "bad\r\n\r\n"));
  int most = 2000;
  while (most-- > 0) {
    ssize_t n = send(fast, block, sizeof(block), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) break;
    turns(h.hub, 1);
  }
  ok(most > 0, "a client that never stops sending is cut off");
  is(h.d->connections, 1, "the other one stays");
  pass(&h, GREEN_SECOND);
  is(h.d->connections, 1, "for a while");
  pass(&h, 2 * GREEN_SECOND);
  is(h.d->connections, 0, "not for ever");
  close(slow);
  close(fast);
  house_close(&h);
}

static void test_too_large_a_body(void)
{
  house h = house_open();
  h.d->max_body = 10;
  int fd = client_open(&h);
  green_conn *c = next_after(
      &h, fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
  is(c->found, GREEN_HTTPD_REFUSED, "refused at once");
  is(c->status, 413, "as too large");
  green_conn_finish(c);
  hear(fd);
  ok(heard("413 Content Too Large"), "told");
  close(fd);
  house_close(&h);
}

/* -- Time ----------------------------------------------------------------- */

static void test_header_timeout(void)
{
  house h = house_open();
  int fd = client_open(&h), mute = client_open(&h);
  const char *text = "GET / HTTP/1.1\r\nHost: a";
  for (int i = 0; i < 20; i++) {
    say_n(fd, text + i, 1);
    pass(&h, GREEN_SECOND);
    if (green_httpd_next(h.d)) abort();
  }
  is(h.d->connections, 2, "both wait");
  pass(&h, 11 * GREEN_SECOND);
  green_conn *c = green_httpd_next(h.d);
  ok(c && c->found == GREEN_HTTPD_REFUSED, "single bytes win no time");
  is(c->status, 408, "told so");
  is(green_conn_finish(c), 0, "sent");
  ok(!green_httpd_next(h.d), "who said nothing is told nothing");
  is(hear(fd), '.', "one is ended");
  ok(heard("408 Request Timeout"), "with an answer");
  is(hear(mute), '.', "the other, too");
  is(heard_len, 0, "without");
  is(h.d->timeouts, 2, "both are counted");
  close(fd);
  close(mute);
  house_close(&h);
}

static void test_data_beats_the_deadline(void)
{
  house h = house_open();
  int head = client_open(&h), kept = client_open(&h), part = client_open(&h);
  serve(next_after(&h, kept, GET));
  serve(next_after(&h, part, GET));
  say(head, "GET / HT");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "half a head");
  say(head, "TP/1.1\r\nHost: a\r\n\r\n");
  say(kept, GET);
  say(part, "GET ");
  pass(&h, 100 * GREEN_SECOND);
  int served = 0;
  for (green_conn *c; (c = green_httpd_next(h.d)) != NULL; served++) {
    is(c->found, GREEN_HTTPD_REQUEST, "arrived in time");
    serve(c);
  }
  is(served, 2, "what has arrived is served");
  is(h.d->connections, 3, "and a head that has begun may go on");
  close(head);
  close(kept);
  close(part);
  house_close(&h);
}

static void test_keepalive_timeout(void)
{
  house h = house_open();
  h.d->keepalive_timeout = 5 * GREEN_SECOND;
  int fd = client_open(&h);
  serve(next_after(&h, fd, GET));
  pass(&h, 4 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "it waits");
  is(h.d->connections, 1, "still");
  pass(&h, 2 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "nobody's work");
  is(h.d->connections, 0, "closed");
  is(h.d->timeouts, 0, "that is nobody's fault");
  hear(fd);
  is(heard_count("HTTP/"), 1, "without a word");
  close(fd);
  house_close(&h);
}

static void test_timeouts_change(void)
{
  house h = house_open();
  int first = client_open(&h), second = client_open(&h), third;
  serve(next_after(&h, first, GET));
  h.d->keepalive_timeout = 5 * GREEN_SECOND;
  h.d->header_timeout = 3 * GREEN_SECOND;
  serve(next_after(&h, second, GET));
  third = client_open(&h);
  pass(&h, 4 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "idle ones are closed");
  is(h.d->connections, 2, "the one without a head first");
  pass(&h, 2 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "then those");
  is(h.d->connections, 0, "that wait with a shorter time now");
  close(first);
  close(second);
  close(third);
  house_close(&h);
}

/* -- Closing -------------------------------------------------------------- */

static void test_max_requests(void)
{
  house h = house_open();
  h.d->max_requests = 2;
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET GET);
  is(serve(c), 1, "one");
  is(serve(c), 0, "two and no more");
  is(hear(fd), '.', "closed without a reset");
  is(heard_count("hello"), 2, "two answers");
  is(heard_count("Connection: close"), 1, "the last says so");
  close(fd);
  house_close(&h);
}

static void test_closing(void)
{
  house h = house_open();
  int idle = client_open(&h), fresh = client_open(&h), part = client_open(&h);
  int busy = client_open(&h), soon = client_open(&h);
  serve(next_after(&h, idle, GET));
  serve(next_after(&h, soon, GET));
  green_conn *c = next_after(&h, busy, GET);
  say(part, "GET / HTTP/1.1\r\n");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "a part of a head");
  say(soon, GET);
  turns(h.hub, 2);
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(hear(idle), '.', "an idle one is closed");
  is(hear(fresh), '.', "a fresh one, too");
  is(h.d->connections, 3, "the others go on");
  is(serve(c), 0, "an answer is finished");
  hear(busy);
  ok(heard("hello") && heard("Connection: close"), "and says that it ends");
  c = green_httpd_next(h.d);
  ok(c, "a request that has arrived is served");
  serve(c);
  is(hear(soon), '.', "and closed then");
  c = next_after(&h, part, "Host: a\r\n\r\n");
  ok(c, "a head that was on its way is served");
  serve(c);
  is(hear(part), '.', "and closed");
  ok(heard("hello"), "answered");
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 0, "none is left");
  is(stats_of(h.hub).timers, 0, "and no deadline");
  int fds[] = {idle, fresh, part, busy, soon};
  for (int i = 0; i < 5; i++) close(fds[i]);
  house_close(&h);
}

/* One connection in each state when the server is freed. */
static void test_free_in_every_state(void)
{
  house h = house_open();
  int fd[8];
  for (int i = 0; i < 8; i++) fd[i] = client_open(&h);
  serve(next_after(&h, fd[1], GET));
  ok(!next_after(&h, fd[2], "GET / HT"), "in a head");
  green_conn_finish(next_after(&h, fd[3], "bad\r\n\r\n"));
  serve(next_after(&h, fd[4],
                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"));
  say(fd[5], GET);
  say(fd[6], "bad\r\n\r\n");
  turns(h.hub, 2);
  green_conn *c = green_httpd_next(h.d);
  serve(c);
  is(h.d->connections, 8, "fresh, idle, head, linger, drain, ready, refused");
  for (int i = 0; i < 8; i++) close(fd[i]);
  house_close(&h);
}

static void test_half_closed(void)
{
  house h = house_open();
  int fd = client_open(&h);
  say(fd, GET GET);
  shutdown(fd, SHUT_WR);
  green_conn *c = next(&h);
  is(serve(c), 1, "a client that has ended its side");
  serve(c);
  is(hear(fd), '-', "gets its answers");
  is(heard_count("hello"), 2, "all of them");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "then");
  is(hear(fd), '.', "it ends");
  close(fd);
  house_close(&h);
}

static void test_closed_behind_our_back(void)
{
  house h = house_open();
  int idle = client_open(&h), busy = client_open(&h);
  green_conn *c = next_after(&h, idle, GET);
  serve(c);
  close(httpd_conn_of(c)->sock.f.fd);
  c = next_after(&h, busy, GET);
  close(httpd_conn_of(c)->sock.f.fd);
  is(serve(c), 0, "an answer that cannot be sent");
  pass(&h, 100 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "and a connection that nobody hears of again");
  is(h.d->connections, 0, "are given up");
  close(idle);
  close(busy);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_refused();
  test_refused_head();
  test_blank_line();
  test_early_answer();
  test_cut_has_a_reason();
  test_linger_has_bounds();
  test_too_large_a_body();
  test_header_timeout();
  test_data_beats_the_deadline();
  test_keepalive_timeout();
  test_timeouts_change();
  test_max_requests();
  test_closing();
  test_free_in_every_state();
  test_half_closed();
  test_closed_behind_our_back();
  return t_done();
}
