/*
** wsd_fault_test.c: WebSocket connections out of memory, and with system calls
** that fail or do little, at every place.
*/

#include "httpd/ws_kit.h"

/* wrap: green__recv green__send green__sendmsg */

static int fail_in, fail_errno, small;

ssize_t __real_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __real_green__sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags);

static int fails(void)
{
  if (!fail_in || --fail_in) return 0;
  errno = fail_errno;
  return 1;
}

ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags)
{
  return fails() ? -1 : __real_green__recv(fd, p, small ? 1 : n, flags);
}

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  return fails() ? -1 : __real_green__send(fd, p, small ? 1 : n, flags);
}

ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags)
{
  return fails() ? -1 : __real_green__sendmsg(fd, m, flags);
}

static char big[40000];

/* What a handler of the light form does with what it is told. */
static void deal(green_ws *ws, green_ws_frame *f)
{
  if (ws->found == GREEN_WSD_CLOSED) {
    green_ws_free(ws);
    return;
  }
  green_ws_send(ws, GREEN_WS_TEXT, "echo", 4, 0);
  green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0);
  green_ws_send(ws, GREEN_WS_TEXT, "a", 1, GREEN_WS_MORE);
  green_ws_send(ws, GREEN_WS_TEXT, "b", 1, GREEN_WS_AGAIN);
  if (f) green_ws_send_frame(ws, f);
}

static void serve_all(hall *h, green_ws_frame *f)
{
  for (int i = 0; i < 60; i++) {
    green_ws *ws;
    turns(h->hub, 2);
    while ((ws = green_wsd_next(h->d)) != NULL) {
      int more = 1;
      while (more && ws->found != GREEN_WSD_CLOSED) {
        deal(ws, f);
        more = green_ws_finish(ws);
      }
      if (more) deal(ws, f);
    }
  }
}

/* A peer's life: messages of all kinds, then a close. Returns whether all of it
** came about. */
static int live(int n_alloc, const green_ws_terms *terms)
{
  hall h = hall_open();
  green_ws *ws;
  green__alloc_fail_from(n_alloc);
  int fd = peer_open(&h, terms, &ws);
  green_ws_frame *f = green_ws_frame_new(big, 1000, true, true);
  if (ws) {
    if (green_ws_finish(ws)) deal(ws, f);
    say_text(fd, "one");
    say_frame(fd, GREEN_WS_PING, true, "p", 1);
    say_frame(fd, GREEN_WS_TEXT, false, "two", 3);
    say_frame(fd, GREEN_WS_CONT, true, "three", 5);
    say_frame(fd, GREEN_WS_BINARY, true, big, sizeof(big));
    say_close(fd, 1000);
    serve_all(&h, f);
  }
  green__alloc_fail_from(0);
  green_ws_frame_free(f);
  hear(fd);
  int done = heard_len > 4 &&
             !memcmp(heard_text + heard_len - 4, "\x88\x02\x03\xe8", 4);
  close(fd);
  serve_all(&h, NULL);
  hall_close(&h);
  return done;
}

static void test_memory(void)
{
  static const green_ws_terms plain = {.light = true};
  static const green_ws_terms packed = {.light = true, .deflate = true};
  for (int n = 1; n < 60 && !live(n, &plain); n++) continue;
  ok(live(0, &plain), "with memory all is done");
  for (int n = 1; n < 60 && !live(n, &packed); n++) continue;
  ok(live(0, &packed), "compressed, too");
}

/* What cannot be guessed from what stood before it. */
static void fill_noise(char *p, size_t n)
{
  uint32_t x = 1;
  for (size_t i = 0; i < n; i++) {
    x = x * 1664525 + 1013904223;
    p[i] = (char)(x >> 24);
  }
}

/* The next message at the other end; NULL: none. */
static green_ws *told(hall *h, green_ws *ws)
{
  for (int i = 0; i < 8; i++) {
    turns(h->hub, 2);
    if (green_ws_read(ws, false) == 1) return ws;
  }
  return NULL;
}

/* One message is sent where there is no memory, and the same again. Returns
** whether the first one left. */
static int pack_again(int n_alloc, const char *p, size_t n)
{
  static const green_ws_terms ours = {.deflate = true, .out_takeover = true};
  static const green_ws_terms theirs = {
      .client = true, .deflate = true, .in_takeover = true};
  hall h = hall_open();
  green_ws *ws, *peer = NULL;
  double handle;
  green_sock *s = green_sock_new(h.hub);
  int fd = peer_open(&h, &ours, &ws);
  green_sock_adopt(s, fd);
  green_wsd_open(h.d, s, &theirs, &handle);
  green_sock_free(s);
  peer = green_wsd_get(h.d, handle);
  green__alloc_fail_from(n_alloc);
  int sent = green_ws_send(ws, GREEN_WS_BINARY, p, n, 0);
  green__alloc_fail_from(0);
  int again = green_ws_send(ws, GREEN_WS_BINARY, p, n, 0);
  for (int i = (sent >= 0) + (again >= 0); i > 0; i--)
    ok(told(&h, peer) && peer->len == n && !memcmp(peer->text, p, n),
       "what was sent is what comes");
  green_ws_free(ws);
  green_ws_free(peer);
  hall_close(&h);
  return sent >= 0;
}

/* A window that has what the peer has not is good for nothing. */
static void test_window(void)
{
  static char noise[12000];
  int n = 1;
  fill_noise(noise, sizeof(noise));
  while (n < 60 && !pack_again(n, noise, sizeof(noise))) n++;
  ok(n > 1 && n < 60, "it failed, and then it did not");
}

/* Whoever wants it to end need not ask twice. */
static void test_close(void)
{
  for (int n = 1; n < 6; n++) {
    hall h = hall_open();
    green_ws *ws;
    int fd = peer_open(&h, &(green_ws_terms){0}, &ws);
    green__alloc_fail_from(n);
    is(green_ws_close(ws, 1000, "", 0), 0, "closed");
    green__alloc_fail_from(0);
    ok(ws->state != GREEN_WS_OPEN, "with memory or without");
    green_ws_free(ws);
    close(fd);
    hall_close(&h);
  }
}

static void test_calls(void)
{
  static const green_ws_terms terms = {.light = true};
  static const int errors[] = {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM};
  for (size_t e = 0; e < sizeof(errors) / sizeof(*errors); e++) {
    for (int n = 1; n <= 12; n++) {
      fail_in = n;
      fail_errno = errors[e];
      live(0, &terms);
    }
  }
  fail_in = 0;
  ok(live(0, &terms), "after all of them it works");
}

static void test_small(void)
{
  hall h = hall_open();
  green_ws *ws;
  small = 1;
  int fd = peer_open(&h, &(green_ws_terms){.light = true}, &ws);
  green_ws_finish(ws);
  say_text(fd, "slowly");
  int got = 0;
  for (int i = 0; i < 100 && !got; i++) {
    turns(h.hub, 2);
    ws = green_wsd_next(h.d);
    got = ws && message_is(ws, "slowly");
  }
  ok(got, "a byte at a time");
  green_ws_send(ws, GREEN_WS_TEXT, "ok", 2, 0);
  green_ws_finish(ws);
  small = 0;
  turns(h.hub, 4);
  hear(fd);
  ok(heard_frame(0x81, "ok", 2), "answered");
  hall_close(&h);
  close(fd);
}

int main(void)
{
  t_start();
  test_memory();
  test_window();
  test_close();
  test_calls();
  test_small();
  return t_done();
}
