/*
** ws_read.c: from bytes to messages.
**
** A small message is handed out from where it was read. One in pieces, one that
** is long, and one that was compressed are put together first; the bytes of a
** long frame are received where they belong.
*/

#include "httpd/wsd_priv.h"
#include "base/mem.h"
#include "hub/hub_priv.h"
#include "hub/store.h"

#include <string.h>

#define WS_LONG (512 << 10) /* Of a long frame, received at once. */

/* What has become of a piece of input. */
enum { WS_ENDED, WS_MESSAGE, WS_GO_ON };

/* -- Failures ------------------------------------------------------------- */

/* The peer has broken a rule, and is told which. */
static int ws_fail(ws_conn *c, int code, const char *reason)
{
  if (c->pub.state == GREEN_WS_OPEN)
    green__ws_say_close(c, code, reason, strlen(reason));
  c->pub.failed = true;
  if (c->pub.state != GREEN_WS_CLOSED)
    green__ws_set_closed(c, code, reason, strlen(reason));
  return WS_ENDED;
}

/* The stream has ended, or failed: a peer that goes is no failure. */
static int ws_lost(ws_conn *c, int err)
{
  if (err == GREEN_ECONNRESET || err == GREEN_EPIPE) err = 0;
  c->ended = 1;
  green__ws_lose(c, c->pub.legacy ? GREEN_WS_NO_CODE : GREEN_WS_LOST, err);
  return 0;
}

/* -- Messages ------------------------------------------------------------- */

static void ws_hand_out(ws_conn *c, const char *p, size_t n)
{
  const green_ws_reader *r = &c->work->reader;
  c->pub.text = p;
  c->pub.len = (uint32_t)n;
  c->pub.binary = c->work->binary;
  c->pub.first = r->first;
  c->pub.last = r->last;
  c->work->given = 1;
  c->work->gone += n;
}

/* Is what has come of a text one so far? ascii: no byte of it is higher. */
static int ws_check(ws_conn *c, const char *p, size_t n, bool ascii)
{
  ws_work *w = c->work;
  if (w->binary || (ascii && green_utf8_is_whole(&w->utf8))) return 1;
  if (w->reader.first && w->reader.last && !w->reader.compressed)
    return green_utf8_check(p, n);
  if (green_utf8_run(&w->utf8, p, n) < 0) return 0;
  return !w->reader.last || green_utf8_is_whole(&w->utf8);
}

static green_inflate *wsd_inflate(wsd *d, bool first, int *err)
{
  green_inflate *z = d->inflate;
  if (z) {
    if (first) green_inflate_reset(z);
    return z;
  }
  z = green__zalloc(sizeof(*z));
  *err = z ? green_inflate_init(z, GREEN_Z_MESSAGES, 15) : GREEN_ENOMEM;
  if (*err == 0) return d->inflate = z;
  green__free(z);
  return NULL;
}

/* A message that comes in pieces while others come has a context of its own:
** the shared one is for those that are whole. */
static green_inflate *ws_inflate(ws_conn *c, int *err)
{
  const green_ws_reader *r = &c->work->reader;
  ws_pack *p = c->pack;
  if (r->first && r->last && !c->in_takeover)
    return wsd_inflate(c->d, true, err);
  if (!p) p = c->pack = green__zalloc(sizeof(*p));
  *err = p ? 0 : GREEN_ENOMEM;
  if (p && !p->has_in) {
    *err = green_inflate_init(&p->in, GREEN_Z_MESSAGES, c->in_bits);
    p->has_in = *err == 0;
  }
  return *err == 0 ? &p->in : NULL;
}

/* What is not built on is not kept. */
static void ws_inflated(ws_conn *c)
{
  ws_pack *p = c->pack;
  if (!p || !p->has_in || c->in_takeover || !c->work->reader.last) return;
  green_inflate_deinit(&p->in);
  p->has_in = false;
}

static int unpack_failed(ws_conn *c, int err)
{
  if (err == GREEN_ETOOBIG) return ws_fail(c, 1009, "message too long");
  if (err == GREEN_EPROTO) return ws_fail(c, 1007, "compressed data is broken");
  return ws_fail(c, 1011, "out of memory");
}

static int ws_unpack(ws_conn *c, const char *p, size_t n)
{
  ws_work *w = c->work;
  int err = 0;
  green_inflate *z = ws_inflate(c, &err);
  if (!z) return unpack_failed(c, err);
  size_t before = green_buf_len(&w->msg);
  err = green_ws_unpack(z, p, n, w->reader.last, &w->msg,
                        (size_t)(c->d->pub.max_message - w->gone));
  ws_inflated(c);
  if (err < 0) return unpack_failed(c, err);
  if (!ws_check(c, green_buf_data(&w->msg) + before,
                green_buf_len(&w->msg) - before, false))
    return ws_fail(c, 1007, "text is no UTF-8");
  return WS_GO_ON;
}

/* Let all that is to come of a message stand in one place of the store's: n
** bytes. */
static void ws_borrow(ws_conn *c, uint64_t n)
{
  ws_work *w = c->work;
  wsd *d = c->d;
  green_store *s = green_hub_store(d->hub);
  if (!s || w->lent || n <= WS_GATHER || n > WS_LENT_MOST - d->lent) return;
  char *p = s->get(s, (size_t)n);
  if (!p) return;
  green_buf_reset(&w->msg);
  w->msg.data = p;
  w->msg.cap = (uint32_t)n;
  w->lent = 1;
  d->lent += w->msg.cap;
}

/* A piece that stands alone, or behind the others in msg already. */
static int ws_plain(ws_conn *c, const char *p, size_t n, bool parts,
                    bool placed)
{
  ws_work *w = c->work;
  if (!ws_check(c, p, n, w->reader.ascii))
    return ws_fail(c, 1007, "text is no UTF-8");
  if (parts && green_buf_len(&w->msg) == 0) return WS_GO_ON;
  if (placed || (w->reader.first && w->reader.last)) return WS_GO_ON;
  if (w->reader.first && w->reader.final) ws_borrow(c, n + w->reader.left);
  if (green_buf_append(&w->msg, p, n) < 0)
    return ws_fail(c, 1011, "out of memory");
  return WS_GO_ON;
}

static void ws_begin_message(ws_conn *c)
{
  ws_work *w = c->work;
  w->binary = w->reader.opcode == GREEN_WS_BINARY;
  w->gone = 0;
  memset(&w->utf8, 0, sizeof(w->utf8));
}

/* Nobody wants it; what comes later may build on it. */
static int ws_pass_over(ws_conn *c)
{
  ws_work *w = c->work;
  w->gone += green_buf_len(&w->msg);
  green_buf_consume(&w->msg, green_buf_len(&w->msg));
  if (!w->reader.last) return WS_GO_ON;
  w->skip = w->in_parts = 0;
  c->d->pub.messages_in++;
  return WS_GO_ON;
}

/* A piece of a message's data has come. */
static int ws_data(ws_conn *c, const char *p, size_t n, bool parts, bool placed)
{
  ws_work *w = c->work;
  const green_ws_reader *r = &w->reader;
  if (c->pub.state != GREEN_WS_OPEN) return WS_GO_ON;
  if (r->first) ws_begin_message(c);
  int went = r->compressed ? ws_unpack(c, p, n)
                           : ws_plain(c, p, n, parts || w->skip, placed);
  if (went == WS_GO_ON && w->skip) return ws_pass_over(c);
  if (went != WS_GO_ON || !(r->last || parts)) return went;
  if (r->last) c->d->pub.messages_in++;
  if (green_buf_len(&w->msg) > 0 || r->compressed)
    ws_hand_out(c, green_buf_data(&w->msg), green_buf_len(&w->msg));
  else
    ws_hand_out(c, p, n);
  if (!r->last && c->pub.len == 0) return WS_GO_ON; /* A part of nothing. */
  w->in_parts = !r->last;
  return WS_MESSAGE;
}

/* -- Control frames ------------------------------------------------------- */

/* Only as many as the peer takes: the latest of them says it all. */
static int ws_on_ping(ws_conn *c)
{
  const green_ws_reader *r = &c->work->reader;
  if (c->pub.state == GREEN_WS_OPEN &&
      green_buf_len(&c->work->out) < c->d->pub.max_buffered)
    green__ws_frame(c, GREEN_WS_PONG, true, false, r->control, r->control_len);
  return c->pub.state == GREEN_WS_CLOSED ? WS_ENDED : WS_GO_ON;
}

static int ws_on_close(ws_conn *c)
{
  const green_ws_reader *r = &c->work->reader;
  uint16_t code = GREEN_WS_NO_CODE;
  int err = c->pub.legacy
                ? 0
                : green_ws_close_parse(r->control, r->control_len, &code);
  if (err == GREEN_EILSEQ) return ws_fail(c, 1007, "reason is no UTF-8");
  if (err < 0) return ws_fail(c, 1002, "bad close code");
  if (c->pub.state == GREEN_WS_OPEN)
    green__ws_say_close(c, code == GREEN_WS_NO_CODE ? 0 : code, "", 0);
  size_t n = r->control_len > 2 ? r->control_len - 2u : 0;
  green__ws_set_closed(c, code, r->control + 2, n);
  return WS_ENDED;
}

static int ws_control(ws_conn *c)
{
  switch (c->work->reader.opcode) {
  case GREEN_WS_PING:
    return ws_on_ping(c);
  case GREEN_WS_CLOSE:
    return ws_on_close(c);
  default:
    return WS_GO_ON;
  }
}

/* -- Bytes ---------------------------------------------------------------- */

/* A result of green_ws_next on p. */
static int ws_event(ws_conn *c, int r, char *p, bool parts, bool placed)
{
  const green_ws_reader *reader = &c->work->reader;
  if (r == GREEN_WS_DATA)
    return ws_data(c, p + reader->data_off, reader->data_len, parts, placed);
  if (r == GREEN_WS_CONTROL) return ws_control(c);
  return ws_fail(c, reader->code, reader->reason);
}

/* Look at what was read. GREEN_EAGAIN: nothing is left of it. */
static int ws_step(ws_conn *c, bool parts)
{
  ws_work *w = c->work;
  if (w->start == w->end) return GREEN_EAGAIN;
  char *p = w->in + w->start;
  int r = green_ws_next(&w->reader, p, w->end - w->start);
  if (r == GREEN_EAGAIN) {
    w->start = w->end = 0;
    return r;
  }
  w->start += w->reader.used;
  return ws_event(c, r, p, parts, false);
}

static void ws_heard(ws_conn *c)
{
  if (c->pub.state != GREEN_WS_OPEN) return; /* Since when it closes. */
  c->heard = green__ws_ticks(c->d);
  c->pinged = 0;
}

/* n: what receiving came to. More than 0, or what it is for the reader. */
static int ws_received(ws_conn *c, int n)
{
  if (n > 0) ws_heard(c);
  if (n == 0) return ws_lost(c, 0);
  return n == GREEN_EAGAIN || n > 0 ? n : ws_lost(c, n);
}

static int ws_room(ws_work *w)
{
  if (w->in) return 0;
  w->in = green__alloc(WS_BUFFER);
  w->cap = w->in ? WS_BUFFER : 0;
  return w->in ? 0 : GREEN_ENOMEM;
}

static int ws_fill(ws_conn *c)
{
  ws_work *w = c->work;
  if (c->no_sock) return c->ended ? ws_lost(c, 0) : GREEN_EAGAIN;
  int err = ws_room(w);
  if (err < 0) return err;
  int n = green_sock_recv(&c->sock, w->in, w->cap);
  if (n > 0) {
    w->start = 0;
    w->end = (uint32_t)n;
  }
  return ws_received(c, n);
}

/* Is what comes next the middle of a long frame whose data goes to msg as it
** is? */
static int ws_is_long(const ws_conn *c, bool parts)
{
  const ws_work *w = c->work;
  return !parts && !w->skip && !c->no_sock && w->start == w->end &&
         !w->reader.compressed && c->pub.state == GREEN_WS_OPEN &&
         w->reader.inside && w->reader.left > WS_BUFFER / 2;
}

static int ws_fill_long(ws_conn *c)
{
  ws_work *w = c->work;
  uint64_t left = w->reader.left;
  if (w->reader.fresh && w->reader.final) ws_borrow(c, left);
  size_t want = left < WS_LONG ? (size_t)left : WS_LONG;
  int err = green_buf_reserve(&w->msg, want);
  if (err < 0) return err;
  char *p = green_buf_space(&w->msg);
  int n = ws_received(c, green_sock_recv(&c->sock, p, want));
  if (n <= 0) return n;
  int r = green_ws_next(&w->reader, p, (size_t)n);
  green_buf_commit(&w->msg, (size_t)n);
  return ws_event(c, r, p, false, true);
}

/* The message that was handed out is done with. */
static void ws_forget(ws_conn *c)
{
  ws_work *w = c->work;
  c->pub.text = NULL;
  c->pub.len = 0;
  if (!w->given) return;
  w->given = 0;
  green__ws_return_room(c->d, w);
  if (w->msg.cap > WS_KEEP)
    green_buf_reset(&w->msg);
  else
    green_buf_consume(&w->msg, green_buf_len(&w->msg));
}

int green__ws_at_hand(ws_conn *c, bool parts)
{
  int went = WS_GO_ON, n = 0;
  ws_forget(c);
  if (!parts) c->work->skip = c->work->in_parts;
  while (went == WS_GO_ON && n++ < WS_SHARE) {
    went = ws_step(c, parts);
    if (went == GREEN_EAGAIN) return went;
  }
  return went == WS_GO_ON ? GREEN_EINPROGRESS : went;
}

/* One receive. WS_GO_ON: there is something to look at. */
static int ws_more(ws_conn *c, bool parts)
{
  if (ws_is_long(c, parts)) return ws_fill_long(c);
  int n = ws_fill(c);
  return n > 0 ? WS_GO_ON : n;
}

/* Its close has not come in time; it may send other things without end. */
static int ws_is_late(const ws_conn *c)
{
  return c->pub.state == GREEN_WS_CLOSING &&
         green_ws_due(&c->pub) <= green__hub_poll_now(c->d->hub);
}

static int ws_receive(ws_conn *c, bool parts)
{
  if (ws_is_late(c) && c->late++ > 0) {
    green__ws_lose(c, GREEN_WS_LOST, 0);
    return 0;
  }
  for (int share = 0; share < 16; share++) {
    int r = green__ws_at_hand(c, parts);
    if (r != GREEN_EAGAIN) return r;
    r = ws_more(c, parts);
    if (r != WS_GO_ON) return r;
  }
  return GREEN_EINPROGRESS;
}

int green_ws_read(green_ws *ws, bool parts)
{
  ws_conn *c = ws_conn_of(ws);
  if (ws->state == GREEN_WS_CLOSED) return 0;
  c->rests = 0;
  int err = green__ws_take(c);
  if (err < 0) return err;
  c->work->skip = c->work->in_parts;
  return ws_receive(c, parts);
}

int green_ws_read_on(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  const ws_work *w = c->work;
  if (ws->state == GREEN_WS_CLOSED) return 0;
  if (!w || !w->in_parts || w->skip) return GREEN_EALREADY;
  c->rests = 0;
  return ws_receive(c, true);
}

/* Does what was read go on with a control frame? */
static int ws_control_next(const ws_work *w)
{
  const green_ws_reader *r = &w->reader;
  if (r->legacy || w->start == w->end) return 0;
  if (r->inside) return r->opcode & GREEN_WS_CLOSE;
  return (r->head_len ? r->head[0] : w->in[w->start]) & GREEN_WS_CLOSE;
}

/* Not what a worker is to be told, nor what a reader waits for: both look
** themselves. */
static int ws_is_unread(const ws_conn *c)
{
  return c->phase == WS_HELD && !c->no_sock && !green_link_in(&c->event) &&
         !green_fd_waiter(&c->sock.f, GREEN_READ);
}

void green__ws_attend(ws_conn *c)
{
  int went = WS_GO_ON;
  if (!ws_is_unread(c) || green__ws_take(c) < 0) return;
  if (c->work->start == c->work->end) {
    ws_forget(c);
    c->sock.f.drained = 0; /* No event says so where nobody waits for one: */
    ws_fill(c);
    c->sock.f.drained = 0; /* before it, and after it. */
  }
  while (went == WS_GO_ON && ws_control_next(c->work)) went = ws_step(c, false);
  if (c->work->start < c->work->end) ws_heard(c);
  green__ws_give(c);
}

char *green_ws_take(green_ws *ws)
{
  const ws_conn *c = ws_conn_of(ws);
  ws_work *w = c->work;
  if (!w || !w->lent || !w->given || ws->len < w->msg.cap) return NULL;
  char *p = w->msg.data;
  green__ws_leave_room(c->d, w);
  ws->text = NULL;
  return p;
}

void green_ws_rest(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  c->rests = 1;
  if (c->work) ws_forget(c);
  green__ws_give(c);
}

int green_ws_put(green_ws *ws, const char *p, size_t n)
{
  ws_conn *c = ws_conn_of(ws);
  int err = green__ws_take(c);
  if (err < 0) return err;
  ws_work *w = c->work;
  if (n == 0) c->ended = 1;
  uint32_t left = w->end - w->start;
  if (left + n > w->cap) {
    char *in = green__realloc(w->in, left + n + WS_BUFFER);
    if (!in) return GREEN_ENOMEM;
    w->in = in;
    w->cap = (uint32_t)(left + n + WS_BUFFER);
  }
  if (left) memmove(w->in, w->in + w->start, left);
  if (n) memcpy(w->in + left, p, n);
  w->start = 0;
  w->end = left + (uint32_t)n;
  if (n) ws_heard(c);
  return 0;
}
