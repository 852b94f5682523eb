/*
** wsd_long_test.c: long messages that are received into room of somebody
** else's.
*/

#include "httpd/ws_kit.h"

#include "hub/store.h"

enum { SIZE = 300000 };

static const green_ws_terms thread_terms = {0};

/* Room with a guard behind each: who lends it, and what is lent. */
typedef struct lender {
  green_store store;
  int lent;
  int got;
  size_t refused; /* From so many bytes on there is none. */
} lender;

static char *lend(green_store *s, size_t n)
{
  lender *l = green_container(s, lender, store);
  if (n >= l->refused) return NULL;
  l->lent++;
  l->got++;
  return malloc(n); /* A byte more, and ASan tells. */
}

static void take_back(green_store *s, char *p, size_t n)
{
  lender *l = green_container(s, lender, store);
  memset(p, 'x', n);
  free(p);
  l->lent--;
}

static hall hall_with(lender *l)
{
  hall h = hall_open();
  *l = (lender){.store = {lend, take_back}, .refused = SIZE_MAX};
  green_hub_set_store(h.hub, &l->store);
  return h;
}

static char *text_of(size_t n)
{
  char *p = malloc(n);
  for (size_t i = 0; i < n; i++) p[i] = (char)('a' + i % 23);
  return p;
}

static int read_on(const hall *h, green_ws *ws, bool parts)
{
  turns(h->hub, 2);
  green_sock *s = green_ws_sock(ws);
  if (s) s->f.drained = 0;
  return green_ws_read(ws, parts);
}

/* Say the frame's head and n bytes of text, read meanwhile; what the last read
** has come to. */
static int say_long(const hall *h, green_ws *ws, int fd, int first,
                    const char *text, size_t n, size_t says)
{
  static const uint8_t mask[4] = {9, 8, 7, 6};
  char head[14], *masked = malloc(n);
  int r = GREEN_EAGAIN,
      len = green_ws_head(head, first & 15, first & 128, false, says, mask);
  say_n(fd, head, (size_t)len);
  green_ws_mask(masked, text, n, mask, 0);
  for (size_t at = 0; r == GREEN_EAGAIN && at < n;) {
    ssize_t k = write(fd, masked + at, n - at < 20000 ? n - at : 20000);
    if (k > 0) at += (size_t)k;
    r = read_on(h, ws, false);
  }
  free(masked);
  return r;
}

static void test_taken(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  int fd = peer_open(&h, &thread_terms, &ws);
  is(say_long(&h, ws, fd, 0x81, text, SIZE, SIZE), 1, "a long message");
  is(l.got, 1, "room for the whole of it was lent once");
  char *mine = green_ws_take(ws);
  ok(mine && !memcmp(mine, text, SIZE), "it stands there, unmasked");
  ok(!green_ws_take(ws) && !ws->text, "and is taken once");
  is(read_on(&h, ws, false), GREEN_EAGAIN, "the next is waited for");
  is(l.lent, 1, "what was taken is not given back");
  take_back(&l.store, mine, SIZE);
  say_text(fd, "short");
  ok(read_on(&h, ws, false) == 1 && message_is(ws, "short"), "a short one");
  ok(!green_ws_take(ws), "stands in no room of the lender's");
  green_ws_free(ws);
  hall_close(&h);
  free(text);
  close(fd);
}

static void test_not_taken(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  int fd = peer_open(&h, &thread_terms, &ws);
  say_long(&h, ws, fd, 0x82, text, SIZE, SIZE);
  ok(ws->len == SIZE && !memcmp(ws->text, text, SIZE), "a message");
  is(read_on(&h, ws, false), GREEN_EAGAIN, "that nobody has taken");
  is(l.lent, 0, "is given back with the next read");
  say_long(&h, ws, fd, 0x82, text, SIZE, SIZE);
  green_ws_rest(ws);
  is(l.lent, 0, "or when the connection rests");
  say_long(&h, ws, fd, 0x82, text, SIZE / 2, SIZE);
  is(l.lent, 1, "half of one has room for the whole");
  green_ws_free(ws);
  turns(h.hub, 2);
  close(fd);
  turns(h.hub, 2);
  is(l.lent, 0, "which is given back when the connection goes");
  hall_close(&h);
  free(text);
}

static void test_set_goes(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  int fd = peer_open(&h, &thread_terms, &ws);
  say_long(&h, ws, fd, 0x82, text, SIZE / 2, SIZE);
  hall_close(&h);
  is(l.lent, 0, "nothing is lent to a set that has gone");
  free(text);
  close(fd);
}

static void test_none(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  l.refused = 0;
  int fd = peer_open(&h, &thread_terms, &ws);
  is(say_long(&h, ws, fd, 0x81, text, SIZE, SIZE), 1, "where none is lent");
  ok(ws->len == SIZE && !memcmp(ws->text, text, SIZE), "it is done without");
  ok(!green_ws_take(ws), "and there is nothing to take");
  green_ws_free(ws);
  hall_close(&h);
  free(text);
  close(fd);
}

/* Peers say that very much will come, and send nothing of it. */
static void test_promises(void)
{
  enum { SAYS = 7 << 20, PEERS = 40 };
  lender l;
  hall h = hall_with(&l);
  green_ws *ws[PEERS];
  int fd[PEERS];
  char *text = text_of(20000);
  for (int i = 0; i < PEERS; i++) {
    fd[i] = peer_open(&h, &thread_terms, &ws[i]);
    say_long(&h, ws[i], fd[i], 0x82, text, 20000, SAYS);
  }
  is(l.lent, (64 << 20) / SAYS, "what is lent for promises is bounded");
  for (int i = 0; i < PEERS; i++) {
    green_ws_free(ws[i]);
    close(fd[i]);
  }
  turns(h.hub, 3);
  hall_close(&h);
  is(l.lent, 0, "all of it comes back");
  free(text);
}

/* Frames of a message, of which nobody knows how long it is. */
static void test_pieces(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  int fd = peer_open(&h, &thread_terms, &ws);
  say_long(&h, ws, fd, 0x01, text, SIZE / 2, SIZE / 2);
  int r = say_long(&h, ws, fd, 0x80, text + SIZE / 2, SIZE / 2, SIZE / 2);
  ok(r == 1 && ws->len == SIZE && !memcmp(ws->text, text, SIZE), "in pieces");
  is(l.got, 0, "has no room lent");
  green_ws_free(ws);
  hall_close(&h);
  free(text);
  close(fd);
}

/* It was waited for as a whole first, and then as it comes. */
static void test_part_of_one(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  int fd = peer_open(&h, &thread_terms, &ws);
  say_long(&h, ws, fd, 0x82, text, SIZE / 2, SIZE);
  say_n(fd, text, 9);
  is(read_on(&h, ws, true), 1, "a part");
  ok(ws->len == SIZE / 2 + 9 && !ws->last, "of a long one");
  ok(!green_ws_take(ws), "is not taken with the room of all");
  is(l.lent, 1, "which is given back");
  green_ws_rest(ws);
  is(l.lent, 0, "when the part is done with");
  green_ws_free(ws);
  hall_close(&h);
  free(text);
  close(fd);
}

static void test_wrong_text(void)
{
  lender l;
  hall h = hall_with(&l);
  green_ws *ws;
  char *text = text_of(SIZE);
  text[SIZE - 7] = (char)0xff;
  int fd = peer_open(&h, &thread_terms, &ws);
  is(say_long(&h, ws, fd, 0x81, text, SIZE, SIZE), 0, "it ends");
  is(ws->code, 1007, "a long text is looked at to its end");
  ok(!green_ws_take(ws), "what is wrong is nobody's to take");
  green_ws_free(ws);
  hall_close(&h);
  is(l.lent, 0, "and its room is given back");
  free(text);
  close(fd);
}

static void test_known_text(void)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &thread_terms, &ws);
  ok(green_ws_send(ws, GREEN_WS_TEXT, "ab", 2, GREEN_WS_CHECKED) > 0,
     "a text that is known to be one is sent");
  turns(h.hub, 2);
  hear(fd);
  ok(heard_frame(0x81, "ab", 2), "whole");
  green_ws_free(ws);
  hall_close(&h);
  close(fd);
}

int main(void)
{
  test_taken();
  test_not_taken();
  test_set_goes();
  test_none();
  test_promises();
  test_pieces();
  test_part_of_one();
  test_wrong_text();
  test_known_text();
  return t_done();
}
