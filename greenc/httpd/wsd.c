/*
** wsd.c: a set of WebSocket connections: how one gets into it, what stands for
** it, and what is done with all.
*/

#include "httpd/wsd_priv.h"
#include "base/mem.h"
#include "hub/hub_priv.h"

#include <string.h>

/* -- Handles -------------------------------------------------------------- */

static int slots_grow(wsd *d)
{
  uint32_t cap = d->cap ? 2 * d->cap : 16;
  if (cap > GREEN_HANDLE_SLOTS) return GREEN_ENOMEM;
  ws_slot *at = green__realloc(d->slots, cap * sizeof(*at));
  if (!at) return GREEN_ENOMEM;
  if (!d->cap) memset(at, 0, sizeof(*at));
  uint32_t first = d->cap ? d->cap : 1;
  for (uint32_t i = first; i < cap; i++)
    at[i] = (ws_slot){.handle = green_handle_first(i), .next = i + 1};
  at[cap - 1].next = 0;
  d->slots = at;
  d->cap = cap;
  d->free = first;
  return 0;
}

/* There is a free one. */
static void slot_take(wsd *d, ws_conn *c)
{
  ws_slot *s = &d->slots[d->free];
  c->pub.slot = d->free;
  d->free = s->next;
  s->c = c;
  s->handle = green_handle_next(s->handle);
}

green_ws *green_wsd_get(green_wsd *pub, double handle)
{
  const wsd *d = wsd_of(pub);
  green_handle h = green_handle_of_number(handle);
  uint32_t i = green_handle_slot(h);
  if (i >= d->cap || d->slots[i].handle != h || !d->slots[i].c) return NULL;
  return &d->slots[i].c->pub;
}

double green_wsd_handle(const green_wsd *pub, const green_ws *ws)
{
  const wsd *d = (const wsd *)pub;
  return (double)(int64_t)d->slots[ws->slot].handle;
}

/* -- Connections ---------------------------------------------------------- */

static int conn_make_pack(ws_conn *c, const green_wsd *d)
{
  int err = 0;
  if (!c->out_takeover || c->out_bits == 8) return 0;
  c->pack = green__zalloc(sizeof(*c->pack));
  if (!c->pack) return GREEN_ENOMEM;
  err = green_deflate_init(&c->pack->out, GREEN_Z_RAW, d->level,
                           c->out_bits ? c->out_bits : 15);
  c->pack->has_out = err == 0;
  if (err == 0) return 0;
  green__free(c->pack);
  c->pack = NULL;
  return err;
}

static int conn_agree(ws_conn *c, const green_ws_terms *t)
{
  c->pub.client = t->client;
  c->pub.light = t->light;
  c->pub.legacy = t->legacy;
  c->pub.compressed = t->deflate;
  c->out_takeover = t->deflate && t->out_takeover;
  c->in_takeover = t->deflate && t->in_takeover;
  c->out_bits = t->out_bits & 15;
  c->in_bits = t->in_bits & 15;
  return conn_make_pack(c, &c->d->pub);
}

static void conn_discard(ws_conn *c)
{
  if (c->pack) green_deflate_deinit(&c->pack->out);
  green__free(c->pack);
  green__free(c);
}

static ws_conn *conn_new(wsd *d, const green_ws_terms *terms, int *err)
{
  *err = GREEN_ENOMEM;
  if (!d->free && slots_grow(d) < 0) return NULL;
  ws_conn *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  c->d = d;
  green_sock_init(&c->sock, d->hub);
  *err = conn_agree(c, terms);
  if (*err == 0) return c;
  conn_discard(c);
  return NULL;
}

static void conn_enter(wsd *d, ws_conn *c)
{
  slot_take(d, c);
  c->phase = WS_HELD;
  c->heard = green__ws_ticks(d);
  green_list_push(&d->conns, &c->link);
  d->pub.connections++;
  d->pub.accepted++;
  d->n_light += c->pub.light;
  green__wsd_sweep_later(d);
  green_hub_defer(d->hub, &d->defer);
}

int green_wsd_open(green_wsd *pub, green_sock *s, const green_ws_terms *terms,
                   double *handle)
{
  wsd *d = wsd_of(pub);
  int err;
  if (!d->hub) return GREEN_ECLOSED;
  ws_conn *c = conn_new(d, terms, &err);
  if (!c) return err;
  c->no_sock = !s;
  if (s) err = green_sock_move(s, &c->sock);
  if (err < 0) {
    conn_discard(c);
    return err;
  }
  c->is_plain = s && !c->sock.filter;
  if (s && terms->legacy) green__ws_keep_alive(c);
  conn_enter(d, c);
  *handle = green_wsd_handle(pub, &c->pub);
  return 0;
}

green_sock *green_ws_sock(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  return c->no_sock || c->sock.f.fd < 0 ? NULL : &c->sock;
}

/* -- Turns ---------------------------------------------------------------- */

static void wsd_on_turn(green_defer *defer)
{
  wsd *d = green_container(defer, wsd, defer);
  green__wsd_free_dropped(d);
  green__wsd_send_unsent(d);
  if (d->linger.n_ready) green__wsd_linger(d);
  green__wsd_wake_workers(d);
  if (d->n_light + d->pub.lingering > 0) green_hub_defer(d->hub, defer);
}

void green_wsd_flush(green_wsd *d)
{
  if (wsd_of(d)->hub) green__wsd_send_unsent(wsd_of(d));
}

/* -- All of them ---------------------------------------------------------- */

void green_wsd_close_all(green_wsd *pub, int code)
{
  wsd *d = wsd_of(pub);
  green_link *next;
  for (green_link *k = d->conns.next; k != &d->conns; k = next) {
    ws_conn *c = green_container(k, ws_conn, link);
    next = k->next;
    green_ws_close(&c->pub, c->pub.legacy ? 0 : code, "", 0);
  }
  green__wsd_send_unsent(d);
}

void green_wsd_abort_all(green_wsd *pub)
{
  wsd *d = wsd_of(pub);
  green_link *next;
  for (green_link *k = d->conns.next; k != &d->conns; k = next) {
    ws_conn *c = green_container(k, ws_conn, link);
    next = k->next;
    green__ws_lose(c, GREEN_WS_LOST, 0);
  }
}

green_waitq *green_wsd_departures(green_wsd *d)
{
  return &wsd_of(d)->departures;
}

/* -- Sets ----------------------------------------------------------------- */

static const green_wsd wsd_defaults = {
    .ping_interval = 30 * GREEN_SECOND,
    .ping_timeout = 20 * GREEN_SECOND,
    .close_timeout = 5 * GREEN_SECOND,
    .send_timeout = 30 * GREEN_SECOND,
    .max_frame = 8 << 20,
    .max_message = 8 << 20,
    .max_fragments = 4096,
    .max_buffered = 1 << 20,
    .threshold = 256,
    .level = -1,
};

size_t green_wsd_size(void)
{
  return sizeof(wsd);
}

/* They are the parent's: not a word of ours. */
static void wsd_forked(green_forkhook *h)
{
  wsd *d = green_container(h, wsd, forked);
  green_link *k;
  if (green_hub_inherits(d->hub)) return;
  while ((k = green_list_first(&d->conns)) != NULL) {
    ws_conn *c = green_container(k, ws_conn, link);
    green_filter_drop(&c->sock);
    green__ws_drop(c);
  }
}

void green_wsd_init(green_wsd *pub, green_hub *hub)
{
  wsd *d = wsd_of(pub);
  green_assert(!d->hub, "in zeroed memory");
  d->pub = wsd_defaults;
  d->hub = hub;
  green_idle_init(&d->keep, hub, GREEN_NEVER);
  green_idle_init(&d->closing, hub, d->pub.close_timeout);
  green_idle_init(&d->linger, hub, d->pub.close_timeout);
  d->closing.workers = d->keep.workers;
  d->keep.workers->burst = 1;
  green_waitq_init(&d->shortage);
  green_waitq_init(&d->departures);
  green_list_init(&d->conns);
  green_list_init(&d->told);
  green_list_init(&d->unsent);
  green_list_init(&d->dropped);
  green_list_init(&d->pool);
  d->sweep.fire = green__wsd_sweep;
  d->defer.run = wsd_on_turn;
  d->forked.run = wsd_forked;
  green_hub_on_fork_first(hub, &d->forked);
}

static void wsd_free_shared(wsd *d)
{
  for (int i = 0; i < 16; i++) {
    if (d->deflate[i]) green_deflate_deinit(d->deflate[i]);
    green__free(d->deflate[i]);
    d->deflate[i] = NULL;
  }
  if (d->inflate) green_inflate_deinit(d->inflate);
  green__free(d->inflate);
  d->inflate = NULL;
}

static void wsd_free_pool(wsd *d)
{
  green_link *k;
  while ((k = green_list_pop(&d->pool)) != NULL)
    green__ws_free_work(green_container(k, ws_work, link));
  d->pooled = 0;
}

void green_wsd_deinit(green_wsd *pub)
{
  wsd *d = wsd_of(pub);
  green_link *k;
  if (!d->hub) return;
  while ((k = green_list_first(&d->conns)) != NULL)
    green__ws_drop(green_container(k, ws_conn, link));
  green__wsd_free_dropped(d);
  green_hub_timer_stop(d->hub, &d->sweep);
  green_hub_undefer(&d->defer);
  green_forkhook_remove(&d->forked);
  green_idle_deinit(&d->keep);
  green_idle_deinit(&d->closing);
  green_idle_deinit(&d->linger);
  green_waitq_wake_all(&d->shortage, GREEN_ECLOSED);
  green_waitq_wake_all(&d->departures, GREEN_ECLOSED);
  wsd_free_shared(d);
  wsd_free_pool(d);
  green__free(d->slots);
  d->slots = NULL;
  d->cap = d->free = 0;
  d->hub = NULL;
}
