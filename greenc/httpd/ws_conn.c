/*
** ws_conn.c: WebSocket connections as such: their buffers, their handles,
** their end.
*/

#include "httpd/wsd_priv.h"
#include "base/mem.h"
#include "hub/hub_priv.h"
#include "hub/store.h"

#include <string.h>

#define WS_POOL 256 /* Free buffers kept; at 16 KB and a bit, 4 MB. */

uint32_t green__ws_ticks(const wsd *d)
{
  return (uint32_t)(green__hub_poll_now(d->hub) >> WS_TICK_BITS);
}

int64_t green_ws_due(const green_ws *ws)
{
  const ws_conn *c = (const ws_conn *)ws;
  int64_t t = c->d->pub.close_timeout;
  if (ws->state != GREEN_WS_CLOSING || t == GREEN_NEVER) return GREEN_NEVER;
  return green__hub_poll_now(c->d->hub) -
         ((int64_t)(green__ws_ticks(c->d) - c->heard) << WS_TICK_BITS) + t;
}

/* -- Buffers -------------------------------------------------------------- */

void green__ws_free_work(ws_work *w)
{
  green_buf_reset(&w->msg);
  green_buf_reset(&w->out);
  green_buf_reset(&w->packed);
  green__free(w->in);
  green__free(w);
}

void green__ws_leave_room(wsd *d, ws_work *w)
{
  d->lent -= w->msg.cap;
  w->lent = 0;
  green_buf_init(&w->msg, 0);
}

void green__ws_return_room(wsd *d, ws_work *w)
{
  green_store *s = green_hub_store(d->hub);
  if (!w->lent) return;
  s->put(s, w->msg.data, w->msg.cap);
  green__ws_leave_room(d, w);
}

static ws_work *work_new(void)
{
  ws_work *w = green__zalloc(sizeof(*w));
  if (!w) return NULL;
  green_waitq_init(&w->drained);
  return w;
}

/* The rules are the set's. */
static void work_begin(ws_conn *c, ws_work *w)
{
  const green_wsd *d = &c->d->pub;
  green_ws_init(&w->reader);
  w->reader.max_frame = d->max_frame;
  w->reader.max_message = d->max_message;
  w->reader.max_fragments = d->max_fragments;
  w->reader.masked = !c->pub.client;
  w->reader.deflate = c->pub.compressed;
  w->reader.legacy = c->pub.legacy;
  w->c = c;
  c->work = w;
}

int green__ws_take(ws_conn *c)
{
  wsd *d = c->d;
  if (c->work) return 0;
  green_link *k = green_list_pop(&d->pool);
  ws_work *w = k ? green_container(k, ws_work, link) : work_new();
  if (!w) return GREEN_ENOMEM;
  if (k) d->pooled--;
  work_begin(c, w);
  return 0;
}

/* Between two messages, with nothing to send, and nobody who waits for it. */
static int work_is_clean(const ws_work *w)
{
  return w->start == w->end && !w->sending && !w->parts_open &&
         w->drained.n == 0 && green_buf_len(&w->out) == 0 &&
         green_ws_is_idle(&w->reader) &&
         (w->given || green_buf_len(&w->msg) == 0);
}

static void buf_empty(green_buf *b, size_t most)
{
  if (b->cap > most)
    green_buf_reset(b);
  else
    green_buf_consume(b, green_buf_len(b));
}

static void work_pool(wsd *d, ws_work *w)
{
  green__ws_return_room(d, w);
  green_link_remove(&w->link);
  if (d->pooled >= WS_POOL || w->cap > WS_BUFFER) {
    green__ws_free_work(w);
    return;
  }
  size_t most = d->pooled < WS_KEEP_MOST ? WS_KEEP : WS_GATHER;
  buf_empty(&w->msg, most);
  buf_empty(&w->out, most);
  buf_empty(&w->packed, WS_GATHER);
  w->start = w->end = 0;
  w->given = w->is_full = w->parts_open = w->in_parts = w->skip = 0;
  w->c = NULL;
  green_list_push_front(&d->pool, &w->link);
  d->pooled++;
}

void green__ws_give(ws_conn *c)
{
  ws_work *w = c->work;
  if (!w || c->pub.state != GREEN_WS_OPEN || !work_is_clean(w)) return;
  c->work = NULL;
  c->pub.text = NULL;
  c->pub.len = 0;
  work_pool(c->d, w);
}

/* -- The end -------------------------------------------------------------- */

void green__ws_tell_of(ws_conn *c)
{
  wsd *d = c->d;
  green_list_push(&d->told, &c->event);
  if (!green_idlers_wake(d->keep.workers)) green_hub_defer(d->hub, &d->defer);
}

void green__ws_tell(ws_conn *c)
{
  if (!c->pub.light || c->phase != WS_IDLE || green_link_in(&c->event)) return;
  green_idle_remove(&c->sock.f);
  green__ws_tell_of(c);
}

static void ws_stop_sending(ws_conn *c)
{
  ws_work *w = c->work;
  if (!w) return;
  green_link_remove(&w->link);
  if (w->sending) green_task_end(&w->task);
  w->sending = 0;
  green_buf_reset(&w->out);
  green_waitq_wake_all(&w->drained, GREEN_ECLOSED);
}

/* Without memory for the reason there is none. */
void green__ws_set_closed(ws_conn *c, int code, const char *reason, size_t n)
{
  if (c->pub.state == GREEN_WS_CLOSED) return;
  c->pub.state = GREEN_WS_CLOSED;
  c->pub.code = (uint16_t)code;
  if (n == 0 || green__ws_take(c) < 0) return;
  if (n > sizeof(c->work->reason)) n = sizeof(c->work->reason);
  memcpy(c->work->reason, reason, n);
  c->pub.reason = c->work->reason;
  c->pub.reason_len = (uint8_t)n;
}

void green__ws_lose(ws_conn *c, int code, int error)
{
  if (c->pub.state != GREEN_WS_CLOSED) c->pub.error = error;
  green__ws_set_closed(c, code, "", 0);
  ws_stop_sending(c);
  if (c->phase == WS_LINGER) {
    green__ws_drop(c);
    return;
  }
  green__ws_tell(c);
  green_sock_close(&c->sock);
}

/* With input that nobody reads the system resets what is closed, and the peer
** may lose what we have said last. */
void green__ws_linger(ws_conn *c)
{
  green_sock_shutdown(&c->sock, GREEN_WRITE);
  green_filter_drop(&c->sock); /* What comes is not looked at any more. */
  if (c->sock.f.idle) return;
  if (c->ended || green_idle_add(&c->d->linger, &c->sock.f) < 0)
    green__ws_drop(c);
}

static void pack_free(ws_pack *p)
{
  if (!p) return;
  green_deflate_deinit(&p->out);
  green_inflate_deinit(&p->in);
  green__free(p);
}

static void slot_free(wsd *d, const ws_conn *c)
{
  ws_slot *s = &d->slots[c->pub.slot];
  if (c->pub.slot == 0 || s->c != c) return;
  s->c = NULL;
  s->next = d->free;
  d->free = c->pub.slot;
}

void green__ws_hide(ws_conn *c)
{
  slot_free(c->d, c);
  c->pub.slot = 0;
}

/* With none left there is no deadline left. */
static void wsd_rest(wsd *d)
{
  green_hub_timer_stop(d->hub, &d->sweep);
  green_hub_timer_stop(d->hub, &d->closing.timer);
}

static void conn_free(ws_conn *c)
{
  if (c->work) work_pool(c->d, c->work);
  pack_free(c->pack);
  green__free(c);
}

void green__wsd_free_dropped(wsd *d)
{
  green_link *k;
  while ((k = green_list_pop(&d->dropped)) != NULL)
    conn_free(green_container(k, ws_conn, link));
}

/* Whoever makes a string of what was read may run a finalizer, which may end
** this: what that looks at stays until the turn ends. */
static void conn_free_soon(ws_conn *c)
{
  wsd *d = c->d;
  if (!c->pub.text && !c->pub.reason) {
    conn_free(c);
    return;
  }
  green_list_push(&d->dropped, &c->link);
  green_hub_defer(d->hub, &d->defer);
}

void green__ws_drop(ws_conn *c)
{
  wsd *d = c->d;
  green__ws_hide(c);
  ws_stop_sending(c);
  green_link_remove(&c->event);
  green_link_remove(&c->link);
  green_sock_close(&c->sock);
  if (c->phase == WS_LINGER) {
    d->pub.lingering--;
  } else {
    d->pub.connections--;
    if (c->pub.light) d->n_light--;
  }
  conn_free_soon(c);
  if (d->pub.lingering == 0) green_hub_timer_stop(d->hub, &d->linger.timer);
  if (d->pub.connections + d->pub.lingering == 0) wsd_rest(d);
  if (d->departures.n) green_waitq_wake_all(&d->departures, 0);
}
