/*
** wsd_test.c: WebSocket connections of both forms: messages, pings, closes,
** silence, slow peers, forks.
*/

#include "child.h"
#include "httpd/ws_kit.h"
#include "httpd/wsd_priv.h"

static const green_ws_terms thread_terms = {0};
static const green_ws_terms light_terms = {.light = true};

/* What a park would do: nothing is known of the socket any more. */
static int read_on(const hall *h, green_ws *ws, bool parts)
{
  turns(h->hub, 2);
  green_sock *s = green_ws_sock(ws);
  if (s) s->f.drained = 0;
  return green_ws_read(ws, parts);
}

#define CLOSE_1000 "\x03\xe8"

static void test_messages(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  is(green_ws_read(ws, false), GREEN_EAGAIN, "nothing has come");
  say_text(fd, "hello");
  is(read_on(&h, ws, false), 1, "a message");
  ok(message_is(ws, "hello") && !ws->binary, "as it was sent");
  is(green_ws_send(ws, GREEN_WS_BINARY, "abc", 3, 0), 5, "one of ours");
  turns(h.hub, 2);
  hear(fd);
  ok(heard_frame(0x82, "abc", 3), "leaves at the end of the turn");
  is(green_ws_send(ws, GREEN_WS_TEXT, "\xff", 1, 0), GREEN_EILSEQ,
     "a text is UTF-8");
  green_ws_abort(ws, GREEN_WS_LOST, 0);
  ok(hear(fd) != '-', "it ends at once");
  green_ws_free(ws);
  hall_close(&h);
  close(fd);
}

static void test_pieces(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  say_frame(fd, GREEN_WS_TEXT, false, "h\xc3", 2);
  say_frame(fd, GREEN_WS_PING, true, "?", 1);
  say_frame(fd, GREEN_WS_CONT, false, "\xa4", 1);
  is(read_on(&h, ws, false), GREEN_EAGAIN, "half a message");
  turns(h.hub, 2);
  hear(fd);
  ok(heard_frame(0x8a, "?", 1), "a ping in between is answered");
  say_frame(fd, GREEN_WS_CONT, true, "!", 1);
  is(read_on(&h, ws, false), 1, "it is complete");
  ok(message_is(ws, "h\xc3\xa4!"), "a character may be cut");
  say_frame(fd, GREEN_WS_BINARY, false, "ab", 2);
  is(read_on(&h, ws, true), 1, "a part");
  ok(message_is(ws, "ab") && ws->first && !ws->last && ws->binary, "the first");
  is(green_ws_send(ws, GREEN_WS_TEXT, "x", 1, GREEN_WS_MORE), 3, "ours too");
  is(green_ws_send(ws, GREEN_WS_TEXT, "y", 1, 0), GREEN_EBUSY,
     "nothing comes between its parts");
  is(green_ws_send(ws, GREEN_WS_TEXT, "y", 1, GREEN_WS_AGAIN), 6, "its end");
  turns(h.hub, 2);
  hear(fd);
  ok(!memcmp(heard_text, "\x01\x01x\x80\x01y", 6), "are one message");
  green_ws_free(ws);
  hall_close(&h);
  close(fd);
}

/* A long frame is received where it belongs. */
static void test_long(void)
{
  enum { SIZE = 300000 };
  hall h = hall_open();
  green_ws *ws;
  char *big = malloc(SIZE);
  int fd = peer_open(&h, &thread_terms, &ws), r = GREEN_EAGAIN;
  for (size_t i = 0; i < SIZE; i++) big[i] = (char)(i * 7 % 251);
  char head[14];
  static const uint8_t mask[4] = {1, 2, 3, 4};
  int n = green_ws_head(head, GREEN_WS_BINARY, true, false, SIZE, mask);
  say_n(fd, head, (size_t)n);
  char *masked = malloc(SIZE);
  green_ws_mask(masked, big, SIZE, mask, 0);
  for (size_t at = 0; r == GREEN_EAGAIN && at < SIZE;) {
    ssize_t k = write(fd, masked + at, SIZE - at < 20000 ? SIZE - at : 20000);
    if (k > 0) at += (size_t)k;
    r = read_on(&h, ws, false);
  }
  ok(r == 1 && ws->len == SIZE && !memcmp(ws->text, big, SIZE), "unmasked");
  is(green_ws_send(ws, GREEN_WS_BINARY, big, SIZE, 0) > 0, 1, "waits");
  size_t got = 0;
  for (int i = 0; i < 100 && got < SIZE + 10; i++) {
    hear(fd);
    got += heard_len;
    turns(h.hub, 3);
  }
  is((long)got, SIZE + 10, "a task sends what the socket did not take");
  is((long)green_ws_buffered(ws), 0, "nothing waits any more");
  green_ws_free(ws);
  hall_close(&h);
  free(big);
  free(masked);
  close(fd);
}

static void test_peer_closes(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  say_close(fd, 1000);
  is(read_on(&h, ws, false), 0, "it has ended");
  is(ws->code, 1000, "with the peer's code");
  green_ws_free(ws);
  turns(h.hub, 2);
  is(hear(fd), '.', "its side is closed");
  ok(heard_frame(0x88, CLOSE_1000, 2), "after the same close");
  is(h.d->lingering, 1, "it waits for the peer's side");
  close(fd);
  turns(h.hub, 3);
  is(h.d->lingering, 0, "which was closed");
  hall_close(&h);
}

static void test_we_close(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  is(green_ws_close(ws, 1005, "", 0), GREEN_EINVAL, "1005 is no code to send");
  is(green_ws_close(ws, 0, "x", 1), GREEN_EINVAL, "no reason without a code");
  is(green_ws_close(ws, 1000, "", 0), 0, "begun");
  is(green_ws_close(ws, 1000, "", 0), GREEN_EALREADY, "once");
  is(green_ws_send(ws, GREEN_WS_TEXT, "x", 1, 0), GREEN_ECLOSED, "the last");
  turns(h.hub, 2);
  hear(fd);
  ok(heard_frame(0x88, CLOSE_1000, 2), "said");
  say_text(fd, "late");
  say_close(fd, 1000);
  is(read_on(&h, ws, false), 0, "what comes late is dropped");
  is(ws->code, 1000, "the peer's close has come");
  green_ws_free(ws);
  close(fd);
  turns(h.hub, 3);
  hall_close(&h);
}

/* Freed before the peer's close has come: it is waited for, not for ever. */
static void test_linger(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  green_ws_close(ws, 1000, "", 0);
  double handle = green_wsd_handle(h.d, ws);
  green_ws_free(ws);
  ok(!green_wsd_get(h.d, handle), "its handle is good no more");
  turns(h.hub, 2);
  is(h.d->lingering, 1, "it lingers");
  pass(&(house){h.hub, NULL}, 6 * GREEN_SECOND);
  is(h.d->lingering, 0, "and goes");
  hall_close(&h);
  close(fd);
}

static void test_faults(void)
{
  static const struct {
    const char *text;
    int n, code;
  } faults[] = {
      {"\xc1\x80\0\0\0\0", 6, 1002}, /* RSV1 */
      {"\x81\x01x", 3, 1002},        /* unmasked */
      {"\x83\x80\0\0\0\0", 6, 1002}, /* opcode 3 */
      {"\x81\x81\0\0\0\0\xff", 7, 1007},
      {"\x88\x81\0\0\0\0x", 7, 1002},
      {"\x88\x82\0\0\0\0\x03\xed", 8, 1002}, /* 1005 */
  };
  for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
    hall h = hall_open();
    green_ws *ws;
    int fd = peer_open(&h, &thread_terms, &ws);
    say_n(fd, faults[i].text, (size_t)faults[i].n);
    is(read_on(&h, ws, false), 0, "it has ended");
    is(ws->code, faults[i].code, "for that reason");
    ok(ws->failed && ws->reason_len > 0, "which is told");
    green_ws_free(ws);
    turns(h.hub, 2);
    hear(fd);
    ok((uint8_t)heard_text[0] == 0x88 &&
           (uint8_t)heard_text[3] == (faults[i].code & 255),
       "to the peer, too");
    close(fd);
    turns(h.hub, 3);
    hall_close(&h);
  }
}

static void test_light(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  is(green_ws_finish(ws), 0, "it waits in the set");
  ok(!green_wsd_next(h.d), "nothing to tell");
  say_text(fd, "one");
  say_text(fd, "two");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_MESSAGE, "a message");
  ok(message_is(ws, "one"), "the first");
  is(green_ws_finish(ws), 1, "there is more at hand");
  ok(message_is(ws, "two"), "the second");
  is(green_ws_finish(ws), 0, "no more");
  say_close(fd, 1001);
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_CLOSED, "its end");
  is(ws->code, 1001, "and why");
  green_ws_free(ws);
  close(fd);
  turns(h.hub, 3);
  hall_close(&h);
}

/* Those in no worker's hands are told of, whatever ends them. */
/* There may be a million. */
static void test_idle(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  say_text(fd, "a");
  is(green_ws_finish(ws), 0, "it waits in the set");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws, "has a message");
  ok(ws_conn_of(ws)->work != NULL, "and buffers");
  green_ws_send(ws, GREEN_WS_TEXT, "b", 1, 0);
  is(green_ws_finish(ws), 0, "waits again");
  ok(ws_conn_of(ws)->work != NULL, "with buffers while it has to send");
  turns(h.hub, 2);
  ok(!ws_conn_of(ws)->work, "and without, when that has left");
  ok(green_list_empty(&wsd_of(h.d)->unsent), "no list has them");
  is(wsd_of(h.d)->pooled, 1, "but the pool");
  ok(sizeof(ws_conn) <= 312, "an idle connection takes 312 bytes");
  ok(sizeof(ws_slot) <= 24, "and its handle 24");
  green_ws_abort(ws, GREEN_WS_LOST, 0);
  hall_close(&h);
  close(fd);
}

/* Read by a thread that waits for the next, its answer is sent meanwhile. */
static void test_rest(void)
{
  static char big[100000];
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  say_text(fd, "a");
  is(read_on(&h, ws, false), 1, "a message");
  green_ws_send(ws, GREEN_WS_TEXT, "b", 1, 0);
  is(green_ws_read(ws, false), GREEN_EAGAIN, "answered, and no other");
  green_ws_rest(ws);
  ok(ws_conn_of(ws)->work != NULL, "the answer needs buffers");
  turns(h.hub, 2);
  ok(!ws_conn_of(ws)->work, "until it has left");
  while (green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0) < 500000)
    turns(h.hub, 1);
  for (int i = 0; i < 100 && green_ws_buffered(ws) > 0; i++) {
    hear(fd);
    turns(h.hub, 3);
  }
  ok(!ws_conn_of(ws)->work, "likewise where the peer is slow");
  say_text(fd, "c");
  is(read_on(&h, ws, false), 1, "another message");
  green_ws_send(ws, GREEN_WS_TEXT, "d", 1, 0);
  turns(h.hub, 2);
  ok(message_is(ws, "c"), "is there until the next call, whatever leaves");
  green_ws_abort(ws, GREEN_WS_LOST, 0);
  green_ws_free(ws);
  hall_close(&h);
  close(fd);
}

static void test_light_is_lost(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  green_ws_finish(ws);
  close(fd);
  green_ws_send(ws, GREEN_WS_TEXT, "x", 1, 0);
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_CLOSED, "lost");
  is(ws->code, GREEN_WS_LOST, "without a close");
  green_ws_free(ws);
  fd = peer_open(&h, &light_terms, &ws);
  green_ws_finish(ws);
  green_ws_close(ws, 1000, "", 0);
  pass(&(house){h.hub, NULL}, 6 * GREEN_SECOND);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_CLOSED,
     "no close has come in time");
  green_ws_free(ws);
  close(fd);
  turns(h.hub, 3);
  hall_close(&h);
}

static void test_silence(void)
{
  hall h = hall_open();
  green_ws *ws;
  green_wsd_set_pings(h.d, 10 * GREEN_SECOND, 5 * GREEN_SECOND);
  int fd = peer_open(&h, &light_terms, &ws);
  green_ws_finish(ws);
  for (int i = 0; i < 11; i++) pass(&(house){h.hub, NULL}, GREEN_SECOND);
  hear(fd);
  ok(heard_frame(0x89, "", 0), "a ping after ten seconds");
  say_frame(fd, GREEN_WS_PONG, true, "", 0);
  turns(h.hub, 2);
  ok(!green_wsd_next(h.d), "the answer is not told");
  for (int i = 0; i < 11; i++) pass(&(house){h.hub, NULL}, GREEN_SECOND);
  hear(fd);
  ok(heard_frame(0x89, "", 0), "again");
  for (int i = 0; i < 6; i++) pass(&(house){h.hub, NULL}, GREEN_SECOND);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_CLOSED, "no answer");
  is(ws->error, GREEN_ETIMEDOUT, "that is why");
  is((long)h.d->timeouts, 1, "and counted");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
}

/* A peer that takes nothing. */
static void test_slow(void)
{
  static char big[100000];
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws), n = 0;
  green_ws_finish(ws);
  while (n <= (int)h.d->max_buffered)
    n = green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0);
  ok(green_ws_drained(ws) != NULL, "somewhere to wait");
  for (int i = 0; i < 100 && green_ws_buffered(ws) > 0; i++) {
    hear(fd);
    turns(h.hub, 3);
  }
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_DRAINED, "told");
  is(green_ws_finish(ws), 0, "and goes on");
  while (green_ws_buffered(ws) <= h.d->max_buffered)
    green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0);
  turns(h.hub, 1);
  pass(&(house){h.hub, NULL}, 31 * GREEN_SECOND);
  ok(green_wsd_next(h.d) == ws && ws->found == GREEN_WSD_CLOSED,
     "who takes nothing for long is closed");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
}

/* The state of one whose peer takes all that has come, some kilobytes, every so
** often. */
static int state_after(int64_t every, int times)
{
  static char big[1 << 20];
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws), small = 1, state;
  green_wsd_set_pings(h.d, GREEN_NEVER, GREEN_NEVER);
  setsockopt(green_ws_sock(ws)->f.fd, SOL_SOCKET, SO_SNDBUF, &small,
             sizeof(small));
  green_ws_finish(ws);
  green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0);
  for (int i = 0; i < times && ws->state == GREEN_WS_OPEN; i++) {
    pass(&(house){h.hub, NULL}, every);
    hear(fd);
    turns(h.hub, 3);
  }
  state = ws->state;
  green_ws_abort(ws, GREEN_WS_LOST, 0);
  ok(green_wsd_next(h.d) == ws, "told of its end");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
  return state;
}

static void test_dribble(void)
{
  is(state_after(28 * GREEN_SECOND, 9), GREEN_WS_CLOSED,
     "who takes next to nothing for long is closed");
  is(state_after(2 * GREEN_SECOND, 120), GREEN_WS_OPEN, "a slow one is not");
}

static void test_frame(void)
{
  hall h = hall_open();
  green_ws *a, *b;
  int fd = peer_open(&h, &light_terms, &a);
  int other = peer_open(&h, &light_terms, &b);
  green_ws_finish(a);
  green_ws_finish(b);
  green_ws_frame *f = green_ws_frame_new("all", 3, false, true);
  is(green_ws_send_frame(a, f), 0, "it leaves at once");
  is(green_ws_send_frame(b, f), 0, "to each");
  green_ws_frame_free(f);
  hear(fd);
  ok(heard_frame(0x81, "all", 3), "here");
  hear(other);
  ok(heard_frame(0x81, "all", 3), "and there");
  green_wsd_close_all(h.d, 1001);
  hear(fd);
  ok(heard_frame(0x88, "\x03\xe9", 2), "all are told that this end goes away");
  green_wsd_abort_all(h.d);
  while ((a = green_wsd_next(h.d)) != NULL) green_ws_free(a);
  is(h.d->connections, 0, "all have gone");
  close(fd);
  close(other);
  hall_close(&h);
}

static void test_without_sock(void)
{
  hall h = hall_open();
  double handle;
  const char *p;
  is(green_wsd_open(h.d, NULL, &(green_ws_terms){.client = true}, &handle), 0,
     "over a stream of somebody else's");
  green_ws *ws = green_wsd_get(h.d, handle);
  is(green_ws_read(ws, false), GREEN_EAGAIN, "nothing was put in");
  is(green_ws_put(ws, "\x81\x02hi\x81", 5), 0, "put in");
  is(green_ws_read(ws, false), 1, "a message");
  ok(message_is(ws, "hi"), "of a server: not masked");
  is(green_ws_send(ws, GREEN_WS_TEXT, "yo", 2, 0), 8, "one of ours");
  is((long)green_ws_output(ws, &p), 8, "waits for whoever writes it");
  ok((p[1] & 0x80) != 0, "masked");
  green_ws_taken(ws, 8);
  is(green_ws_put(ws, "\1!", 2), 0, "the rest");
  is(green_ws_read(ws, false), 1, "of another");
  green_ws_send(ws, GREEN_WS_TEXT, "", 0, 0);
  is(green_ws_read(ws, false), GREEN_EAGAIN, "nothing more");
  green_ws_rest(ws);
  ok(ws_conn_of(ws)->work != NULL, "buffers are there");
  green_ws_taken(ws, green_ws_output(ws, &p));
  ok(!ws_conn_of(ws)->work, "while something is to be written");
  is(green_ws_put(ws, "", 0), 0, "the end");
  is(green_ws_read(ws, false), 0, "of the connection");
  is(ws->code, GREEN_WS_LOST, "without a close");
  green_ws_free(ws);
  hall_close(&h);
}

static void child_sees_none(void *arg)
{
  hall *h = arg;
  green_hub_check_fork(h->hub);
  must(h->d->connections == 0);
}

static void test_fork(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &light_terms, &ws);
  green_ws_finish(ws);
  is(in_child(child_sees_none, &h), 0, "a child has none of them");
  say_text(fd, "still");
  turns(h.hub, 2);
  ok(green_wsd_next(h.d) == ws, "the parent's go on");
  green_ws_free(ws);
  close(fd);
  hall_close(&h);
}

int main(void)
{
  t_start();
  test_messages();
  test_pieces();
  test_long();
  test_peer_closes();
  test_we_close();
  test_linger();
  test_faults();
  test_light();
  test_idle();
  test_rest();
  test_light_is_lost();
  test_silence();
  test_slow();
  test_dribble();
  test_frame();
  test_without_sock();
  test_fork();
  return t_done();
}
