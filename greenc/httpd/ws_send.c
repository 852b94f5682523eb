/*
** ws_send.c: from messages to the socket.
**
** Frames gather in a buffer, and leave at the end of the turn, or when there
** are enough of them. What the socket does not take is sent by a task, so that
** one connection can have many senders, and none that waits.
*/

#include "httpd/wsd_priv.h"
#include "base/mem.h"
#include "base/random.h"
#include "hub/hub_priv.h"

#include <string.h>

#define WS_RATE 512 /* Bytes a second that a peer takes at least. */

/* -- To the socket -------------------------------------------------------- */

/* Room again. */
static int ws_has_room(const ws_conn *c)
{
  return green_buf_len(&c->work->out) <= c->d->pub.max_buffered / 2;
}

/* Who was told that there was none is told when nobody has it: what a worker
** was given is told of first. */
int green__ws_tell_room(ws_conn *c)
{
  ws_work *w = c->work;
  if (!w || !w->is_full || c->pub.state != GREEN_WS_OPEN) return 0;
  if (c->phase != WS_IDLE || !ws_has_room(c)) return 0;
  w->is_full = 0;
  c->pub.found = GREEN_WSD_DRAINED;
  green__ws_tell(c);
  return 1;
}

/* For those who wait for it, and who was told that there was none. */
static void ws_on_room(ws_conn *c)
{
  ws_work *w = c->work;
  if (!ws_has_room(c)) return;
  if (w->drained.n) green_waitq_wake_all(&w->drained, 0);
  green__ws_tell_room(c);
}

/* 0: all has left; or what the socket says. *moved: what it took. */
static int ws_send_out(ws_conn *c, size_t *moved)
{
  ws_work *w = c->work;
  size_t n;
  while ((n = green_buf_len(&w->out)) > 0) {
    int sent = green_sock_send(&c->sock, green_buf_data(&w->out), n);
    if (sent < 0) return sent;
    green_buf_consume(&w->out, (size_t)sent);
    *moved += (size_t)sent;
  }
  return green_filter_flush(&c->sock);
}

/* That a peer has gone is no failure of ours. */
static int failure_of(int err)
{
  return err == GREEN_EPIPE || err == GREEN_ECONNRESET ? 0 : err;
}

/* r: what sending came to, EAGAIN not among it. */
static int ws_sent(ws_conn *c, int r)
{
  if (r < 0) {
    if (r == GREEN_ETIMEDOUT) c->d->pub.timeouts++;
    green__ws_lose(c, GREEN_WS_LOST, failure_of(r));
    return r;
  }
  green_link_remove(&c->work->link);
  ws_on_room(c);
  if (c->phase == WS_LINGER) green__ws_linger(c);
  return 0;
}

/* Until when the peer is to take more: it has as long anew when it has taken
** what it has to in that time. */
static int64_t send_due(ws_work *w, size_t moved)
{
  const wsd *d = w->c->d;
  int64_t t = d->pub.send_timeout;
  if (t == GREEN_NEVER) return t;
  w->took += moved;
  if (w->due && w->took < (uint64_t)(t / (GREEN_SECOND / WS_RATE)))
    return w->due;
  w->took = 0;
  w->due = green_hub_now(d->hub) + t;
  return w->due;
}

static void ws_resume(green_task *t)
{
  ws_work *w = green_container(t, ws_work, task);
  ws_conn *c = w->c;
  size_t moved = 0;
  int r = t->started && t->status < 0 ? t->status : 0;
  if (r == 0) r = ws_send_out(c, &moved);
  if (r == GREEN_EAGAIN) {
    if (moved) ws_on_room(c);
    r = green_fd_park(&c->sock.f, t, GREEN_WRITE, send_due(w, moved));
    if (r == 0) return;
  }
  w->sending = 0;
  green_task_end(t);
  /* One that lingers may be gone then. */
  int rests = c->phase != WS_LINGER && green__ws_rests(c);
  if (ws_sent(c, r) == 0 && rests) green__ws_give(c);
}

static void ws_send_later(ws_conn *c)
{
  ws_work *w = c->work;
  if (w->sending) return;
  memset(&w->task, 0, sizeof(w->task));
  green_task_init(&w->task, c->d->hub, ws_resume);
  green_task_start(&w->task);
  w->sending = 1;
  w->due = 0;
}

int green__ws_flush(ws_conn *c)
{
  size_t moved = 0;
  if (c->no_sock || !c->work) return 0;
  if (c->work->sending) return GREEN_EAGAIN;
  int r = ws_send_out(c, &moved);
  if (r != GREEN_EAGAIN) return ws_sent(c, r);
  green_link_remove(&c->work->link);
  if (moved) ws_on_room(c);
  ws_send_later(c);
  return r;
}

void green__wsd_send_unsent(wsd *d)
{
  green_link *k;
  d->n_unsent = 0;
  while ((k = green_list_pop(&d->unsent)) != NULL) {
    ws_conn *c = green_container(k, ws_work, link)->c;
    if (green__ws_flush(c) == 0 && green__ws_rests(c)) green__ws_give(c);
  }
}

void green__ws_put_off(ws_conn *c)
{
  wsd *d = c->d;
  if (c->no_sock || c->work->sending || green_link_in(&c->work->link)) return;
  /* Those before it: c is at work, and what has nothing left to send gives its
  ** buffers back. */
  if (d->n_unsent >= WS_TOGETHER) green__wsd_send_unsent(d);
  green_list_push(&d->unsent, &c->work->link);
  green_hub_defer(d->hub, &d->defer);
  d->n_unsent++;
}

/* -- Frames --------------------------------------------------------------- */

/* So many that a call of the system is worth it. */
static int next_mask(wsd *d, uint8_t mask[4])
{
  if (d->mask_left == 0) {
    int err = green_random_fill(d->masks, sizeof(d->masks));
    if (err < 0) return err;
    d->mask_left = sizeof(d->masks);
  }
  d->mask_left -= 4;
  memcpy(mask, d->masks + d->mask_left, 4);
  return 0;
}

/* Large ones are sent from where they lie; what the socket leaves is copied. */
static int ws_send_past(ws_conn *c, const char *head, size_t n_head,
                        const char *p, size_t n)
{
  ws_work *w = c->work;
  green_iov v[3] = {{green_buf_data(&w->out), green_buf_len(&w->out)},
                    {head, n_head},
                    {p, n}};
  int sent = green_sock_sendv(&c->sock, v, 3);
  if (sent < 0) sent = 0; /* The flush finds out. */
  size_t left[3], done = (size_t)sent;
  for (int i = 0; i < 3; i++) {
    left[i] = v[i].len - (done < v[i].len ? done : v[i].len);
    done -= v[i].len - left[i];
  }
  green_buf_consume(&w->out, v[0].len - left[0]);
  int err = green_buf_reserve(&w->out, left[1] + left[2]);
  if (err < 0) return err;
  green_buf_append(&w->out, head + n_head - left[1], left[1]);
  return green_buf_append(&w->out, p + n - left[2], left[2]);
}

static int ws_append(ws_conn *c, const char *head, size_t n_head, const char *p,
                     size_t n, const uint8_t *mask)
{
  ws_work *w = c->work;
  int err = green_buf_reserve(&w->out, n_head + n);
  if (err < 0) return err;
  green_buf_append(&w->out, head, n_head);
  if (mask)
    green_ws_mask(green_buf_space(&w->out), p, n, mask, 0);
  else if (n)
    memcpy(green_buf_space(&w->out), p, n);
  green_buf_commit(&w->out, n);
  return 0;
}

/* Bytes that wait, or why they cannot. What of a message was sent before there
** was no memory for its rest leaves nothing to go on with. */
static int ws_queue(ws_conn *c, const char *head, size_t n_head, const char *p,
                    size_t n, const uint8_t *mask)
{
  ws_work *w = c->work;
  int big = n > WS_BUFFER && !mask && !c->no_sock && !w->sending;
  int err = big ? ws_send_past(c, head, n_head, p, n)
                : ws_append(c, head, n_head, p, n, mask);
  if (err < 0) {
    if (big) green__ws_lose(c, GREEN_WS_LOST, GREEN_ENOMEM);
    return err == GREEN_ETOOBIG ? GREEN_ENOMEM : err;
  }
  if (green_buf_len(&w->out) >= WS_GATHER && !c->no_sock) {
    err = green__ws_flush(c);
    if (err < 0 && err != GREEN_EAGAIN) return GREEN_ECLOSED;
  } else {
    green__ws_put_off(c);
  }
  if (green_buf_len(&w->out) > c->d->pub.max_buffered) w->is_full = 1;
  return (int)green_buf_len(&w->out);
}

int green__ws_frame(ws_conn *c, int opcode, bool last, bool compressed,
                    const char *p, size_t n)
{
  char head[14];
  uint8_t mask[4];
  int err = green__ws_take(c);
  if (err == 0 && c->pub.client) err = next_mask(c->d, mask);
  if (err < 0) return err;
  const uint8_t *m = c->pub.client ? mask : NULL;
  int n_head = green_ws_head(head, opcode, last, compressed, n, m);
  return ws_queue(c, head, (size_t)n_head, p, n, m);
}

int green__ws_encoded(ws_conn *c, const char *p, size_t n)
{
  int err = green__ws_take(c);
  return err < 0 ? err : ws_queue(c, "", 0, p, n, NULL);
}

/* Nearly always the socket takes it all: then no buffer is needed. */
int green__ws_shared(ws_conn *c, const char *p, size_t n)
{
  int sent = 0;
  if (!c->no_sock && (!c->work || green_ws_buffered(&c->pub) == 0)) {
    sent = c->is_plain ? green__sock_send_raw(&c->sock, p, n)
                       : green_sock_send(&c->sock, p, n);
    if (sent == (int)n && c->is_plain) return 0;
    if (sent == GREEN_EAGAIN) sent = 0;
    if (sent < 0) {
      green__ws_lose(c, GREEN_WS_LOST, failure_of(sent));
      return GREEN_ECLOSED;
    }
  }
  int r = green__ws_encoded(c, p + sent, n - (size_t)sent);
  if (r < 0 && sent > 0) green__ws_lose(c, GREEN_WS_LOST, r);
  return r;
}

/* Drafts 75 and 76: 0x00 text 0xFF. */
static int ws_legacy_frame(ws_conn *c, const char *p, size_t n)
{
  int err = green__ws_take(c);
  if (err == 0) err = green_buf_reserve(&c->work->out, n + 2);
  if (err < 0) return err;
  green_buf_append(&c->work->out, "\0", 1);
  green_buf_append(&c->work->out, p, n);
  return ws_queue(c, "\xff", 1, "", 0, NULL);
}

/* -- Messages ------------------------------------------------------------- */

green_deflate *green__wsd_deflate(wsd *d, int bits, int *err)
{
  green_deflate *z = d->deflate[bits];
  if (z) {
    green_deflate_reset(z);
    return z;
  }
  z = green__zalloc(sizeof(*z));
  *err =
      z ? green_deflate_init(z, GREEN_Z_RAW, d->pub.level, bits) : GREEN_ENOMEM;
  if (*err == 0) return d->deflate[bits] = z;
  green__free(z);
  return NULL;
}

static green_deflate *ws_deflate(ws_conn *c, int *err)
{
  if (c->pack && c->pack->has_out) return &c->pack->out;
  return green__wsd_deflate(c->d, c->out_bits ? c->out_bits : 15, err);
}

/* Shared ones hold a message's state only as long as nobody else sends. */
static int ws_can_pack_parts(const ws_conn *c)
{
  return c->pack && c->pack->has_out;
}

static int ws_send_packed(ws_conn *c, int opcode, const char *p, size_t n,
                          bool first, bool last)
{
  int err = 0;
  green_deflate *z = ws_deflate(c, &err);
  if (!z) return err;
  green_buf *b = &c->work->packed;
  err = green_ws_pack(z, p, n, last, b);
  if (err < 0) { /* The window has a part of it; below it has all. */
    green__ws_lose(c, GREEN_WS_LOST, err);
    return err;
  }
  int r = green__ws_frame(c, first ? opcode : GREEN_WS_CONT, last, first,
                          green_buf_data(b), green_buf_len(b));
  if (r < 0 && ws_can_pack_parts(c)) green__ws_lose(c, GREEN_WS_LOST, r);
  if (b->cap > WS_GATHER)
    green_buf_reset(b);
  else
    green_buf_consume(b, green_buf_len(b));
  return r;
}

static int ws_wants_packing(const ws_conn *c, size_t n, int how)
{
  if (!c->pub.compressed || c->out_bits == 8) return 0;
  if (how & GREEN_WS_MORE) return ws_can_pack_parts(c);
  return n >= c->d->pub.threshold;
}

/* A text must be one from its first part to its last. */
static int ws_check_text(ws_work *w, const char *p, size_t n, int how)
{
  if (how & GREEN_WS_CHECKED) return 0;
  if (!how) return green_utf8_check(p, n) ? 0 : GREEN_EILSEQ;
  green_utf8 u = w->said;
  if (!(how & GREEN_WS_AGAIN)) memset(&u, 0, sizeof(u));
  if (green_utf8_run(&u, p, n) < 0) return GREEN_EILSEQ;
  if (!(how & GREEN_WS_MORE) && !green_utf8_is_whole(&u)) return GREEN_EILSEQ;
  w->said = u;
  return 0;
}

static int ws_send_data(ws_conn *c, int opcode, const char *p, size_t n,
                        int how)
{
  ws_work *w = c->work;
  bool first = !(how & GREEN_WS_AGAIN), last = !(how & GREEN_WS_MORE);
  if (first != !w->parts_open) return GREEN_EBUSY;
  if (opcode == GREEN_WS_TEXT) {
    int err = ws_check_text(w, p, n, how);
    if (err < 0) return err;
  }
  bool packed = first ? ws_wants_packing(c, n, how) : w->parts_packed;
  w->parts_open = !last;
  w->parts_packed = packed;
  if (last) c->d->pub.messages_out++;
  if (packed) return ws_send_packed(c, opcode, p, n, first, last);
  return green__ws_frame(c, first ? opcode : GREEN_WS_CONT, last, false, p, n);
}

int green_ws_send(green_ws *ws, int opcode, const char *p, size_t n, int how)
{
  ws_conn *c = ws_conn_of(ws);
  if (ws->state != GREEN_WS_OPEN) return GREEN_ECLOSED;
  int err = green__ws_take(c);
  if (err < 0) return err;
  if (ws->legacy) {
    if (opcode != GREEN_WS_TEXT || (how & ~GREEN_WS_CHECKED))
      return GREEN_EOPNOTSUPP;
    if (!how && !green_utf8_check(p, n)) return GREEN_EILSEQ;
    c->d->pub.messages_out++;
    return ws_legacy_frame(c, p, n);
  }
  if (opcode < GREEN_WS_CLOSE) return ws_send_data(c, opcode, p, n, how);
  if (n > 125) return GREEN_EMSGSIZE;
  return green__ws_frame(c, opcode, true, false, p, n);
}

int green_ws_send_raw(green_ws *ws, const char *p, size_t n)
{
  return green__ws_encoded(ws_conn_of(ws), p, n) < 0 ? GREEN_ENOMEM : 0;
}

size_t green_ws_buffered(const green_ws *ws)
{
  const ws_conn *c = (const ws_conn *)ws;
  return c->work ? green_buf_len(&c->work->out) : 0;
}

green_waitq *green_ws_drained(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  return green_ws_buffered(ws) ? &c->work->drained : NULL;
}

size_t green_ws_output(green_ws *ws, const char **p)
{
  ws_conn *c = ws_conn_of(ws);
  size_t n = green_ws_buffered(ws);
  *p = n ? green_buf_data(&c->work->out) : "";
  return n;
}

void green_ws_taken(green_ws *ws, size_t n)
{
  ws_conn *c = ws_conn_of(ws);
  if (!c->work) return;
  green_buf_consume(&c->work->out, n);
  ws_on_room(c);
  if (green__ws_rests(c)) green__ws_give(c);
}

/* -- The close ------------------------------------------------------------ */

int green__ws_say_close(ws_conn *c, int code, const char *reason, size_t n)
{
  char text[125];
  if (c->pub.legacy) return green__ws_encoded(c, "\xff\0", 2);
  int len = code ? green_ws_close_write(text, code, reason, n) : 0;
  return green__ws_frame(c, GREEN_WS_CLOSE, true, false, text, (size_t)len);
}
