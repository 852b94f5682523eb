/*
** ws_light.c: connections of the light form: where they wait, which one is
** next, and who is woken for it.
*/

#include "httpd/wsd_priv.h"
#include "hub/hub_priv.h"

#define LIGHT_TURN (GREEN_SECOND / 20) /* For messages, of one turn. */
#define LIGHT_BURST_MAX 4096
#define LIGHT_SAME 16 /* Messages of one, before others have theirs. */

/* -- Waiting -------------------------------------------------------------- */

static void conn_wake_soon(ws_conn *c)
{
  if (c->sock.f.idle) green__idle_event(&c->sock.f);
  green_hub_defer(c->d->hub, &c->d->defer);
}

/* What it has at hand the poll does not know of. */
void green__ws_put_by(ws_conn *c)
{
  wsd *d = c->d;
  green_idle *s = c->pub.state == GREEN_WS_OPEN ? &d->keep : &d->closing;
  c->phase = WS_IDLE;
  c->pub.found = 0;
  if (green__ws_tell_room(c)) return;
  green_ws_rest(&c->pub);
  if (s->timeout != d->pub.close_timeout && s == &d->closing)
    green_idle_set_timeout(s, d->pub.close_timeout);
  if (green_idle_add(s, &c->sock.f) < 0) {
    green__ws_lose(c, GREEN_WS_LOST, GREEN_EBADF);
    return;
  }
  const ws_work *w = c->work;
  if ((w && w->start < w->end) || green_buf_len(&c->sock.in) > 0 ||
      green_filter_pending(&c->sock))
    conn_wake_soon(c);
}

/* -- The next one --------------------------------------------------------- */

static green_ws *conn_hand_out(ws_conn *c, int found)
{
  green_idle_remove(&c->sock.f);
  c->phase = WS_HELD;
  c->rests = 0;
  c->pub.found = (uint8_t)found;
  return &c->pub;
}

/* A ready one. NULL: it has nothing to tell. */
static green_ws *conn_try(ws_conn *c, int expired)
{
  if (expired) {
    green__ws_lose(c, GREEN_WS_LOST, 0); /* Its close has not come in time. */
    return NULL;
  }
  int r = green_ws_read(&c->pub, false);
  if (r == 1) return conn_hand_out(c, GREEN_WSD_MESSAGE);
  if (r == 0) {
    green_link_remove(&c->event);
    return conn_hand_out(c, GREEN_WSD_CLOSED);
  }
  if (r == GREEN_EINPROGRESS) conn_wake_soon(c);
  if (r == GREEN_EAGAIN) green_ws_rest(&c->pub);
  return NULL;
}

static green_ws *wsd_told(wsd *d)
{
  green_link *k = green_list_pop(&d->told);
  if (!k) return NULL;
  ws_conn *c = green_container(k, ws_conn, event);
  int closed = c->pub.state == GREEN_WS_CLOSED;
  return conn_hand_out(c, closed ? GREEN_WSD_CLOSED : c->pub.found);
}

static int wsd_turn_is_over(wsd *d)
{
  if (!d->over && (++d->taken & 15) == 0)
    d->over = green_hub_now(d->hub) - green__hub_poll_now(d->hub) > LIGHT_TURN;
  return d->over;
}

green_ws *green_wsd_next(green_wsd *pub)
{
  wsd *d = wsd_of(pub);
  int expired;
  if (!d->hub) return NULL;
  while (!wsd_turn_is_over(d)) {
    green_ws *ws = wsd_told(d);
    if (ws) return ws;
    green_fd *f = green_idle_take(&d->keep, &expired);
    if (!f) f = green_idle_take(&d->closing, &expired);
    if (!f) break;
    ws = conn_try(ws_conn_of_fd(f), expired);
    if (ws) return ws;
  }
  green__wsd_send_unsent(d);
  return NULL;
}

/* What was read with the last message; not what may have come since. */
static int conn_go_on(ws_conn *c)
{
  c->rests = 0;
  int r = c->work && c->same++ < LIGHT_SAME ? green__ws_at_hand(c, false)
                                            : GREEN_EAGAIN;
  if (r == 1) c->pub.found = GREEN_WSD_MESSAGE;
  if (r == 0) c->pub.found = GREEN_WSD_CLOSED;
  return r == 0 || r == 1;
}

int green_ws_finish(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  if (ws->state == GREEN_WS_CLOSED) {
    ws->found = GREEN_WSD_CLOSED;
    return 1;
  }
  if (conn_go_on(c)) return 1;
  c->same = 0;
  green__ws_put_by(c);
  return 0;
}

/* It does not wait meanwhile: its buffers have what was found. */
void green_ws_pass_on(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  green__ws_tell_of(c);
}

/* -- Workers -------------------------------------------------------------- */

static uint32_t wsd_ready(const wsd *d)
{
  return d->keep.n_ready + d->closing.n_ready + !green_list_empty(&d->told);
}

/* Whoever takes one goes on until there are none (server.c's httpd_set_burst).
*/
void green__wsd_wake_workers(wsd *d)
{
  uint32_t ready = wsd_ready(d);
  green_idlers *w = d->keep.workers;
  w->woken = 0;
  if (!ready)
    w->burst -= (w->burst - 1 + 15) / 16;
  else if (!d->over && w->burst < LIGHT_BURST_MAX)
    w->burst *= 2;
  d->over = 0;
  d->pub.wanted = 0;
  if (!ready) return;
  uint32_t want = ready < w->burst ? ready : w->burst;
  while (w->woken < want && green_idlers_wake(w)) continue;
  d->pub.wanted = want - w->woken;
  if (d->pub.wanted && !d->pub.full) green_waitq_wake_all(&d->shortage, 0);
}

green_waitq *green_wsd_queue(green_wsd *d)
{
  return &wsd_of(d)->keep.workers_own.tasks;
}

green_waitq *green_wsd_shortage(green_wsd *d)
{
  return &wsd_of(d)->shortage;
}
