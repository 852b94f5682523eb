/*
** wsd_attack_test.c: WebSocket connections whose buffers come and go while they
** are at work: many that ping in one turn, messages that wait for a worker,
** peers that send on and on, last words that leave late.
*/

#include "httpd/ws_kit.h"

static const green_ws_terms thread_terms = {0};
static const green_ws_terms light_terms = {.light = true};

enum { CROWD = 100 };

typedef struct crowd {
  int fds[CROWD];
  green_ws *ws[CROWD];
} crowd;

static void crowd_open(hall *h, crowd *all)
{
  for (int i = 0; i < CROWD; i++) {
    all->fds[i] = peer_open(h, &light_terms, &all->ws[i]);
    green_ws_finish(all->ws[i]);
  }
}

static void crowd_close(hall *h, crowd *all)
{
  for (int i = 0; i < CROWD; i++) {
    green_ws_abort(all->ws[i], GREEN_WS_LOST, 0);
    green_ws_free(all->ws[i]);
    close(all->fds[i]);
  }
  hall_close(h);
}

/* What is answered leaves for many at once, while one of them is being read. */
static void test_pings_of_many(void)
{
  hall h = hall_open();
  crowd all;
  int good = 1;
  crowd_open(&h, &all);
  for (int i = 0; i < CROWD; i++)
    say_frame(all.fds[i], GREEN_WS_PING, true, "?", 1);
  turns(h.hub, 2);
  ok(!green_wsd_next(h.d), "pings are not told");
  turns(h.hub, 2);
  for (int i = 0; i < CROWD; i++) {
    hear(all.fds[i]);
    good = good && heard_frame(0x8a, "?", 1);
  }
  ok(good, "each is answered");
  crowd_close(&h, &all);
}

/* With a full pool the buffers of the last one are freed. */
static void test_sends_to_many(void)
{
  enum { MANY = 600 };
  hall h = hall_open();
  static green_ws *ws[MANY];
  static int fds[MANY];
  for (int i = 0; i < MANY; i++) {
    fds[i] = peer_open(&h, &light_terms, &ws[i]);
    green_ws_finish(ws[i]);
    if (i < 300) say_n(fds[i], "\x81", 1);
  }
  turns(h.hub, 2);
  ok(!green_wsd_next(h.d), "half a head: they hold buffers");
  for (int i = 0; i < 256; i++) say_n(fds[i], "\x80\0\0\0\0", 5);
  turns(h.hub, 2);
  for (int i = 0; i < 256; i++) green_ws_finish(green_wsd_next(h.d));
  for (int i = 300; i < 331; i++)
    green_ws_send(ws[i], GREEN_WS_TEXT, "a", 1, 0);
  for (int i = 256; i < 300; i++) say_n(fds[i], "\x80\0\0\0\0", 5);
  turns(h.hub, 0);
  for (int i = 0; i < 31; i++) green_ws_abort(ws[i], GREEN_WS_LOST, 0);
  is(green_ws_send(ws[340], GREEN_WS_TEXT, "a", 1, 0), 3, "it waits");
  turns(h.hub, 2);
  hear(fds[340]);
  ok(heard_frame(0x81, "a", 1), "and leaves");
  for (int i = 0; i < MANY; i++) {
    green_ws_free(ws[i]);
    close(fds[i]);
  }
  turns(h.hub, 3);
  hall_close(&h);
}

/* A message that was passed on is there until a worker takes it, whatever is
** sent meanwhile. */
static void test_passed_on(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  green_ws_finish(ws);
  say_text(fd, "one");
  say_text(fd, "two");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws, "a message");
  is(green_ws_finish(ws), 1, "and another");
  green_ws_pass_on(ws);
  green_ws_send(ws, GREEN_WS_TEXT, "x", 1, 0);
  green_wsd_flush(h.d);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_MESSAGE, "for others");
  ok(ws->text && message_is(ws, "two"), "it is whole");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
}

/* Nor is it forgotten for the news that there is room again. */
static void test_passed_on_and_drained(void)
{
  static char big[200000];
  hall h = hall_open();
  green_ws *ws;
  h.d->max_buffered = 1000;
  int fd = peer_open(&h, &light_terms, &ws);
  limit_send(green_ws_sock(ws)->f.fd, 4096);
  green_ws_finish(ws);
  say_text(fd, "one");
  say_text(fd, "two");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws, "a message");
  green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0);
  is(green_ws_finish(ws), 1, "and another");
  green_ws_pass_on(ws);
  for (int i = 0; i < 200 && green_ws_buffered(ws) > 0; i++) {
    hear(fd);
    turns(h.hub, 3);
  }
  is((long)green_ws_buffered(ws), 0, "all has left");
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_MESSAGE, "for others");
  ok(ws->text && message_is(ws, "two"), "it is whole");
  is(green_ws_finish(ws), 0, "no more at hand");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_DRAINED,
     "that there is room again is told afterwards");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
}

/* Its time to answer a close is over, whatever it sends. */
static void test_streams_on(const green_ws_terms *terms)
{
  static const char piece[1000];
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, terms, &ws), ended = 0;
  if (terms->light) green_ws_finish(ws);
  green_ws_close(ws, 1000, "", 0);
  for (int i = 0; i < 20 && !ended; i++) {
    for (int k = 0; k < 40; k++)
      say_frame(fd, GREEN_WS_BINARY, true, piece, sizeof(piece));
    pass(&(house){h.hub, NULL}, GREEN_SECOND);
    if (!terms->light) green_ws_sock(ws)->f.drained = 0;
    ended = terms->light ? green_wsd_next(h.d) != NULL
                         : green_ws_read(ws, false) == 0;
  }
  ok(ended, "it has ended");
  is(ws->code, GREEN_WS_LOST, "without a close");
  green_ws_free(ws);
  close(fd);
  turns(h.hub, 3);
  hall_close(&h);
}

/* What waits for a slow peer, and the close behind it, is sent when the
** connection is not used any more. */
static void test_last_words(void)
{
  enum { SIZE = 1 << 20 };
  static char big[SIZE];
  hall h = hall_open();
  green_ws *ws;
  size_t got = 0;
  int fd = peer_open(&h, &thread_terms, &ws);
  green_ws_send(ws, GREEN_WS_BINARY, big, SIZE, 0);
  turns(h.hub, 3);
  ok(green_ws_buffered(ws) > 0, "it takes some");
  green_ws_close(ws, 1000, "", 0);
  green_ws_free(ws);
  for (int i = 0; i < 1000 && got < SIZE + 14; i++) {
    hear(fd);
    got += heard_len;
    turns(h.hub, 3);
  }
  is((long)got, SIZE + 14, "the rest, and the close");
  close(fd);
  turns(h.hub, 3);
  is(h.d->lingering, 0, "it is gone");
  hall_close(&h);
}

/* A message whose beginning came while it was read as a whole, and that is read
** in parts from there on. */
static void test_parts_of_a_rest(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  say_frame(fd, GREEN_WS_TEXT, false, "abc", 3);
  turns(h.hub, 2);
  is(green_ws_read(ws, false), GREEN_EAGAIN, "not whole");
  say_frame(fd, GREEN_WS_CONT, true, "def", 3);
  turns(h.hub, 2);
  green_ws_sock(ws)->f.drained = 0;
  is(green_ws_read(ws, true), 1, "in parts");
  ok(message_is(ws, "abcdef") && ws->last, "nothing of it is lost");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
}

int main(void)
{
  t_start();
  test_parts_of_a_rest();
  test_last_words();
  test_streams_on(&thread_terms);
  test_streams_on(&light_terms);
  test_passed_on();
  test_passed_on_and_drained();
  test_sends_to_many();
  test_pings_of_many();
  return t_done();
}
