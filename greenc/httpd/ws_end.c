/*
** ws_end.c: how a connection ends: its close is said, or it is let go; and what
** is nobody's any more is read until the peer has closed its side.
*/

#include "httpd/wsd_priv.h"

#define LINGER_BYTES (1 << 20) /* Of a peer that sends on and on. */

int green_ws_close(green_ws *ws, int code, const char *reason, size_t n)
{
  ws_conn *c = ws_conn_of(ws);
  if (ws->state != GREEN_WS_OPEN) return GREEN_EALREADY;
  if (code ? !green_ws_code_is_valid(code) : n > 0) return GREEN_EINVAL;
  if (n > 123 || !green_utf8_check(reason, n)) return GREEN_EINVAL;
  int err = green__ws_say_close(c, code, reason, n);
  if (err == GREEN_ENOMEM) green__ws_lose(c, GREEN_WS_LOST, err);
  if (err < 0 || ws->state != GREEN_WS_OPEN) return 0;
  ws->state = GREEN_WS_CLOSING;
  c->heard = green__ws_ticks(c->d);
  if (c->phase == WS_IDLE && c->sock.f.idle) {
    green_idle_remove(&c->sock.f);
    green__ws_put_by(c);
  } else if (c->phase == WS_HELD && !c->no_sock) {
    green_fd_wake(&c->sock.f, 0); /* Its reader has a deadline now. */
  }
  return 0;
}

void green_ws_abort(green_ws *ws, int code, int error)
{
  green__ws_lose(ws_conn_of(ws), code, error);
}

/* What it has to say is said without it. */
void green_ws_free(green_ws *ws)
{
  ws_conn *c = ws_conn_of(ws);
  wsd *d = c->d;
  green__ws_hide(c);
  green_link_remove(&c->event);
  green_idle_remove(&c->sock.f);
  if (c->no_sock || c->sock.f.fd < 0 || ws->state == GREEN_WS_OPEN) {
    green__ws_drop(c);
    return;
  }
  green_fd_wake(&c->sock.f, 0); /* The task that sends its last goes on. */
  c->phase = WS_LINGER;
  d->pub.connections--;
  if (ws->light) d->n_light--;
  d->pub.lingering++;
  if (d->linger.timeout != d->pub.close_timeout)
    green_idle_set_timeout(&d->linger, d->pub.close_timeout);
  green_hub_defer(d->hub, &d->defer);
  if (c->work)
    green__ws_flush(c); /* TLS may have something left where we have not. */
  else
    green__ws_linger(c);
  if (d->departures.n) green_waitq_wake_all(&d->departures, 0);
}

void green__wsd_linger(wsd *d)
{
  green_fd *f;
  int expired;
  while ((f = green_idle_take(&d->linger, &expired)) != NULL) {
    char sink[WS_BUFFER];
    ws_conn *c = ws_conn_of_fd(f);
    int n = expired ? 0 : green_sock_recv(&c->sock, sink, sizeof(sink));
    if (n > 0) c->drained += (uint32_t)n;
    if (n == GREEN_EAGAIN || (n > 0 && c->drained < LINGER_BYTES)) continue;
    green__ws_drop(c);
  }
}
