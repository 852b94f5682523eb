/*
** wsd_unread_test.c: WebSocket connections that nobody reads for long: whoever
** has them only sends, or is at work.
*/

#include "httpd/ws_kit.h"

static const green_ws_terms threaded = {0};
static const green_ws_terms light_terms = {.light = true};

static hall hall_with_pings(void)
{
  hall h = hall_open();
  green_wsd_set_pings(h.d, 10 * GREEN_SECOND, 5 * GREEN_SECOND);
  return h;
}

static void seconds(hall *h, int n)
{
  for (int i = 0; i < 2 * n; i++)
    pass(&(house){h->hub, NULL}, GREEN_SECOND / 2);
}

static void end(hall *h, green_ws *ws, int fd)
{
  green_ws_free(ws);
  close(fd);
  hall_close(h);
}

/* The peer answers our pings, and we its. */
static void test_pings(const green_ws_terms *terms)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, terms, &ws);
  for (int i = 0; i < 4; i++) {
    seconds(&h, 11);
    hear(fd);
    ok(heard_frame(0x89, "", 0), "a ping after ten seconds");
    say_frame(fd, GREEN_WS_PONG, true, "", 0);
    say_frame(fd, GREEN_WS_PING, true, "?", 1);
    seconds(&h, 3);
    hear(fd);
    ok(heard_frame(0x8a, "?", 1), "and a pong for the peer's");
    is(ws->state, GREEN_WS_OPEN, "it goes on");
  }
  seconds(&h, 17);
  is(ws->state, GREEN_WS_CLOSED, "a peer that is silent is given up");
  is(ws->error, GREEN_ETIMEDOUT, "that is why");
  end(&h, ws, fd);
}

/* What comes byte by byte is put together. */
static void test_bytes(void)
{
  static const char ping[] = "\x89\x81\0\0\0\0?";
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  for (size_t i = 0; i < sizeof(ping) - 1; i++) {
    say_n(fd, ping + i, 1);
    seconds(&h, 4);
  }
  hear(fd);
  ok(heard_frame(0x8a, "?", 1), "a pong");
  end(&h, ws, fd);
}

/* Messages wait, whole and in order, and so does what stands behind them. */
static void test_messages(void)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  say_frame(fd, GREEN_WS_PING, true, "1", 1);
  say_text(fd, "one");
  say_frame(fd, GREEN_WS_TEXT, false, "tw", 2);
  seconds(&h, 60);
  is(ws->state, GREEN_WS_OPEN, "whoever has it is at work");
  say_frame(fd, GREEN_WS_CONT, true, "o", 1);
  is(green_ws_read(ws, false), 1, "a message");
  ok(message_is(ws, "one"), "the first");
  is(green_ws_read(ws, false), 1, "a message");
  ok(message_is(ws, "two"), "the second");
  is(green_ws_read(ws, false), GREEN_EAGAIN, "no other");
  end(&h, ws, fd);
}

/* Between the parts of one. */
static void test_parts(void)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  say_frame(fd, GREEN_WS_TEXT, false, "tw", 2);
  is(green_ws_read(ws, true), 1, "a part");
  say_frame(fd, GREEN_WS_PING, true, "?", 1);
  seconds(&h, 4);
  hear(fd);
  ok(heard_frame(0x8a, "?", 1), "a pong");
  say_frame(fd, GREEN_WS_CONT, true, "o", 1);
  seconds(&h, 4);
  is(green_ws_read_on(ws), 1, "the other part");
  ok(message_is(ws, "o") && ws->last, "and the last");
  end(&h, ws, fd);
}

/* Who only sends hears of the end. */
static void test_ends(void)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  say_close(fd, 1001);
  seconds(&h, 4);
  is(green_ws_send(ws, GREEN_WS_TEXT, "x", 1, 0), GREEN_ECLOSED, "a close");
  is(ws->code, 1001, "the peer's");
  hear(fd);
  ok(heard_frame(0x88, "\x03\xe9", 2), "which was answered");
  end(&h, ws, fd);
  h = hall_with_pings();
  fd = peer_open(&h, &threaded, &ws);
  shutdown(fd, SHUT_WR);
  seconds(&h, 4);
  is(ws->code, GREEN_WS_LOST, "an end without one");
  end(&h, ws, fd);
}

/* What was passed on is not looked at before a worker has it. */
static void test_passed_on(void)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  green_ws_finish(ws);
  say_text(fd, "one");
  say_text(fd, "two");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws, "a message");
  is(green_ws_finish(ws), 1, "and another");
  green_ws_pass_on(ws);
  say_frame(fd, GREEN_WS_PING, true, "?", 1);
  seconds(&h, 9);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_MESSAGE, "for others");
  ok(ws->text && message_is(ws, "two"), "it is whole");
  end(&h, ws, fd);
}

/* Its answer leaves while the message that has come meanwhile waits for a
** worker. */
static void test_has_rested(void)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  say_text(fd, "one");
  is(green_ws_finish(ws), 0, "it waits in the set");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws && message_is(ws, "one"), "a message");
  is(green_ws_read(ws, false), GREEN_EAGAIN, "its function looks for another");
  green_ws_rest(ws);
  say_text(fd, "two");
  seconds(&h, 4);
  green_ws_send(ws, GREEN_WS_TEXT, "b", 1, 0);
  is(green_ws_finish(ws), 1, "there is one by now");
  turns(h.hub, 2);
  ok(!green_wsd_next(h.d), "no other has anything");
  ok(ws->text && message_is(ws, "two"), "it is whole");
  end(&h, ws, fd);
}

/* There is no ping in these drafts: silence says nothing. */
static void test_legacy(void)
{
  hall h = hall_with_pings();
  green_ws *ws;
  int fd = peer_open(&h, &(green_ws_terms){.legacy = true}, &ws);
  seconds(&h, 60);
  hear(fd);
  is((long)heard_len, 0, "nothing is asked");
  is(ws->state, GREEN_WS_OPEN, "and nothing lost");
  say_n(fd, "\0hi\xff", 4);
  seconds(&h, 4);
  is(green_ws_read(ws, false), 1, "a message");
  ok(message_is(ws, "hi"), "has waited");
  is(green_ws_send(ws, GREEN_WS_TEXT, "hi", 2, GREEN_WS_CHECKED), 4,
     "what was looked at before is sent, too");
  is(green_ws_send(ws, GREEN_WS_TEXT, "hi", 2, GREEN_WS_MORE), GREEN_EOPNOTSUPP,
     "there are no parts");
  shutdown(fd, SHUT_WR);
  seconds(&h, 4);
  is(ws->state, GREEN_WS_CLOSED, "an end is noticed");
  end(&h, ws, fd);
}

int main(void)
{
  t_start();
  test_pings(&threaded);
  test_pings(&light_terms);
  test_bytes();
  test_messages();
  test_parts();
  test_ends();
  test_passed_on();
  test_has_rested();
  test_legacy();
  return t_done();
}
