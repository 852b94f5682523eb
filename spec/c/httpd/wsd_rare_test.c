/*
** wsd_rare_test.c: WebSocket connections where something seldom happens: no
** memory for a context, a peer that takes nothing at the end, or goes while
** something is sent to many.
*/

#include "httpd/ws_kit.h"
#include "proto/ws_pack.h"

/* wrap: green__send */

static int send_errno;

ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  if (!send_errno) return __real_green__send(fd, p, n, flags);
  errno = send_errno;
  return -1;
}

static const green_ws_terms threaded = {0};
static const green_ws_terms packed = {.deflate = true};
static const green_ws_terms taken_over = {
    .deflate = true, .out_takeover = true, .in_takeover = true};

static void end(hall *h, green_ws *ws, int fd)
{
  if (ws) green_ws_free(ws);
  close(fd);
  hall_close(h);
}

/* A connection that is not to be had leaves nothing. */
static void test_open(void)
{
  int opened = 0;
  for (int n = 1; n < 30 && !opened; n++) {
    hall h = hall_open();
    green_ws *ws;
    green__alloc_fail_from(n);
    int fd = peer_open(&h, &taken_over, &ws);
    green__alloc_fail_from(0);
    opened = ws != NULL;
    is(h.d->connections, (uint32_t)opened, "counted, if it is there");
    end(&h, ws, fd);
  }
  ok(opened, "at last it is");
}

/* What a compressed message of these bytes looks like. */
static void say_packed(int fd, const char *text, bool last)
{
  static const uint8_t mask[4];
  char head[14];
  green_deflate z;
  green_buf b = {0};
  green_deflate_init(&z, GREEN_Z_RAW, 6, 15);
  green_ws_pack(&z, text, strlen(text), true, &b);
  size_t n = green_buf_len(&b);
  int len = green_ws_head(head, GREEN_WS_TEXT, last, true, n, mask);
  say_n(fd, head, (size_t)len);
  say_n(fd, green_buf_data(&b), n);
  green_buf_reset(&b);
  green_deflate_deinit(&z);
}

/* Unpacked where there is no memory: a message, or 1011. */
static int unpacks_at(int n, const green_ws_terms *terms, bool whole)
{
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, terms, &ws);
  say_packed(fd, "a message", whole);
  if (!whole) say_frame(fd, GREEN_WS_CONT, true, "", 0);
  turns(h.hub, 2);
  green__alloc_fail_from(n);
  int r = green_ws_read(ws, false);
  green__alloc_fail_from(0);
  if (r == 1) ok(message_is(ws, "a message"), "what was said");
  if (r == 0) is(ws->code, 1011, "out of memory");
  end(&h, ws, fd);
  return r == 1;
}

static void test_unpack(void)
{
  static const green_ws_terms *const terms[] = {&packed, &taken_over};
  for (int i = 0; i < 4; i++) {
    int n = 1;
    while (n < 30 && !unpacks_at(n, terms[i & 1], i < 2)) n++;
    ok(n > 1 && n < 30, "it failed, and then it did not");
  }
}

/* A message in pieces that are plain. */
static void test_pieces(void)
{
  int done = 0;
  for (int n = 1; n < 10 && !done; n++) {
    hall h = hall_open();
    green_ws *ws;
    int fd = peer_open(&h, &threaded, &ws);
    say_frame(fd, GREEN_WS_TEXT, false, "in ", 3);
    say_frame(fd, GREEN_WS_CONT, true, "pieces", 6);
    turns(h.hub, 2);
    green__alloc_fail_from(n);
    done = green_ws_read(ws, false) == 1;
    green__alloc_fail_from(0);
    if (!done && ws->state == GREEN_WS_CLOSED)
      is(ws->code, 1011, "out of memory");
    end(&h, ws, fd);
  }
  ok(done, "at last");
}

/* One message for many: who builds on earlier ones, and who masks, has it made
** anew. */
static void test_frames(void)
{
  static const green_ws_terms client = {.client = true};
  char text[300];
  memset(text, 'x', sizeof(text));
  green_ws_frame *f = green_ws_frame_new(text, sizeof(text), true, true);
  for (int i = 0; i < 2; i++) {
    hall h = hall_open();
    green_ws *ws;
    int fd = peer_open(&h, i ? &client : &taken_over, &ws);
    ok(green_ws_send_frame(ws, f) > 0, "it waits");
    green_wsd_flush(h.d);
    hear(fd);
    is((uint8_t)heard_text[0], i ? 0x82 : 0xc2, "compressed or not");
    is((uint8_t)heard_text[1] >> 7, i, "masked or not");
    end(&h, ws, fd);
  }
  green_ws_frame_free(f);
}

/* A receiver that takes nothing now, and one that has gone. */
static void test_frame_errors(void)
{
  green_ws_frame *f = green_ws_frame_new("hi", 2, false, false);
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  send_errno = EAGAIN;
  is(green_ws_send_frame(ws, f), 4, "it waits");
  send_errno = 0;
  turns(h.hub, 4);
  hear(fd);
  ok(heard_frame(0x81, "hi", 2), "and leaves");
  send_errno = EPIPE;
  is(green_ws_send_frame(ws, f), GREEN_ECLOSED, "a peer that has gone");
  send_errno = 0;
  is(ws->code, GREEN_WS_LOST, "is lost");
  is(ws->error, 0, "which is no failure");
  green_ws_frame_free(f);
  end(&h, ws, fd);
}

static void test_control(void)
{
  static char text[126];
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  is(green_ws_send(ws, GREEN_WS_PING, text, 126, 0), GREEN_EMSGSIZE, "long");
  ok(green_ws_send(ws, GREEN_WS_PONG, "x", 1, 0) > 0, "a pong unasked");
  green_wsd_flush(h.d);
  hear(fd);
  ok(heard_frame(0x8a, "x", 1), "leaves");
  end(&h, ws, fd);
}

/* Its last words are not taken. */
static void test_last_words(void)
{
  static char big[400000];
  hall h = hall_open();
  green_ws *ws;
  int fd = peer_open(&h, &threaded, &ws);
  limit_send(green_ws_sock(ws)->f.fd, 4096);
  green_ws_send(ws, GREEN_WS_BINARY, big, sizeof(big), 0);
  green_ws_close(ws, 1000, "", 0);
  green_ws_free(ws);
  turns(h.hub, 2);
  is(h.d->lingering, 1, "they wait");
  pass(&(house){h.hub, NULL}, 31 * GREEN_SECOND);
  is(h.d->lingering, 0, "not for ever");
  end(&h, NULL, fd);
}

int main(void)
{
  t_start();
  test_open();
  test_unpack();
  test_pieces();
  test_frames();
  test_frame_errors();
  test_control();
  test_last_words();
  return t_done();
}
