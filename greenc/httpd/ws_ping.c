/*
** ws_ping.c: peers that are silent for too long.
*/

#include "httpd/wsd_priv.h"
#include "hub/hub_priv.h"

#define WS_SWEEPS 64 /* Looks at a part of all, in a quarter of the time. */
#define WS_SWEEP_LEAST (GREEN_SECOND / 20)

static uint32_t ticks_of(int64_t t)
{
  return t == GREEN_NEVER ? UINT32_MAX : (uint32_t)(t >> WS_TICK_BITS);
}

/* A peer of whom nothing has come for long is asked for a sign of life. */
static void conn_look(wsd *d, ws_conn *c, uint32_t now)
{
  uint32_t interval = ticks_of(d->pub.ping_interval);
  if (c->pub.state != GREEN_WS_OPEN || c->phase == WS_LINGER) return;
  if (now - c->heard > interval / 8) green__ws_attend(c);
  uint32_t silent = now - c->heard;
  if (c->pub.state != GREEN_WS_OPEN || c->pub.legacy) return;
  if (silent < interval) return;
  if (!c->pinged) {
    c->pinged = 1;
    c->heard = now - interval;
    green__ws_frame(c, GREEN_WS_PING, true, false, "", 0);
  } else if (silent - interval >= ticks_of(d->pub.ping_timeout)) {
    d->pub.timeouts++;
    green__ws_lose(c, GREEN_WS_LOST, GREEN_ETIMEDOUT);
  }
}

/* Whole seconds, one at least. */
static double seconds_of(int64_t t)
{
  int64_t whole = t / GREEN_SECOND;
  return whole > 0 ? (double)whole : 1;
}

/* A socket without TCP has none of these: it knows when its peer goes. */
void green__ws_keep_alive(ws_conn *c)
{
  const green_wsd *d = &c->d->pub;
  if (d->ping_interval == GREEN_NEVER || d->ping_timeout == GREEN_NEVER) return;
  green_sock_setnum(&c->sock, "SO_KEEPALIVE", 1);
  green_sock_setnum(&c->sock, "TCP_KEEPIDLE", seconds_of(d->ping_interval));
  green_sock_setnum(&c->sock, "TCP_KEEPINTVL", seconds_of(d->ping_timeout / 4));
  green_sock_setnum(&c->sock, "TCP_KEEPCNT", 4);
}

void green__wsd_sweep_later(wsd *d)
{
  int64_t t = d->pub.ping_interval;
  if (t == GREEN_NEVER || d->sweep.slot || d->pub.connections == 0) return;
  if (d->pub.ping_timeout < t) t = d->pub.ping_timeout;
  t /= 4 * WS_SWEEPS;
  if (t < WS_SWEEP_LEAST) t = WS_SWEEP_LEAST;
  green_hub_timer_set(d->hub, &d->sweep, green_hub_now(d->hub) + t);
}

void green__wsd_sweep(green_timer *t)
{
  wsd *d = green_container(t, wsd, sweep);
  uint32_t now = green__ws_ticks(d), n = d->pub.connections / WS_SWEEPS + 1;
  while (n-- > 0) {
    green_link *k = green_list_first(&d->conns);
    if (!k) break;
    green_link_remove(k);
    green_list_push(&d->conns, k);
    conn_look(d, green_container(k, ws_conn, link), now);
  }
  green__wsd_sweep_later(d);
}

void green_wsd_set_pings(green_wsd *pub, int64_t interval, int64_t timeout)
{
  wsd *d = wsd_of(pub);
  pub->ping_interval = interval;
  pub->ping_timeout = timeout;
  if (!d->hub) return;
  green_hub_timer_stop(d->hub, &d->sweep);
  green__wsd_sweep_later(d);
}
