/*
** handshake.c: what TLS adds to a connection before its first head, and to its
** end. In between its socket's filter is not noticed.
*/

#include "httpd/httpd_priv.h"
#include "hub/hub_priv.h"

/* Where httpd_turn_is_over looks at the clock next: a handshake takes as long
** as many requests. */
#define HANDSHAKE_COSTS 15

int green_httpd_set_tls(green_httpd *pub, green_tls_ctx *ctx)
{
  httpd *d = httpd_of(pub);
  if (!d->hub) return GREEN_ECLOSED;
  if (!green_tls_ctx_can_serve(ctx)) return GREEN_EINVAL;
  if (!d->tls_io) d->tls_io = green_tls_io_new();
  if (!d->tls_io) return GREEN_ENOMEM;
  green_tls_ctx_ref(ctx);
  green_tls_ctx_free(d->tls_ctx);
  d->tls_ctx = ctx;
  return 0;
}

int green_httpd_set_tls_pool(green_httpd *pub, green_tls_pool *pool)
{
  httpd *d = httpd_of(pub);
  if (!d->hub) return GREEN_ECLOSED;
  if (pool) green_tls_pool_ref(pool);
  green_tls_pool_unref(d->tls_pool);
  d->tls_pool = pool;
  return 0;
}

void green__httpd_free_tls(httpd *d)
{
  green_tls_pool_unref(d->tls_pool);
  green_tls_ctx_free(d->tls_ctx);
  green_tls_io_free(d->tls_io);
  d->tls_pool = NULL;
  d->tls_ctx = NULL;
  d->tls_io = NULL;
}

green_tls *green_conn_tls(const green_conn *pub)
{
  return green_tls_sock_codec(&((const httpd_conn *)pub)->sock);
}

/* A client that says nothing has no TLS yet, and costs no memory for it. */
static int conn_start(httpd_conn *c)
{
  int err = green__crowd_enter(c);
  if (err < 0 || c->sock.filter) return err;
  return green_tls_sock_start(&c->sock, c->d->tls_io, c->d->tls_ctx);
}

static int conn_is_too_slow(httpd_conn *c)
{
  c->d->pub.timeouts++;
  green__httpd_keep_failure(c, GREEN_ETIMEDOUT);
  green__conn_close(c);
  return GREEN_ETIMEDOUT;
}

/* What we write does not leave: a worker waits for that, as for an answer. */
static int conn_stick(httpd_conn *c)
{
  if (c->sock.f.idle_expired) return conn_is_too_slow(c);
  green_idle_remove(&c->sock.f);
  c->pub.found = GREEN_HTTPD_UNSENT;
  green_list_push(&c->d->stuck, &c->defer.link);
  return GREEN_ENOBUFS;
}

/* In a child of a fork (GREEN_ECONNABORTED) nothing is said to who is the
** parent's: their socket is the same. */
static int conn_fail(httpd_conn *c, int err)
{
  if (err == GREEN_EBUSY) /* There are too many. */
    c->d->pub.handshakes_refused++;
  else
    c->d->pub.handshakes_failed++;
  if (err == GREEN_ECONNABORTED) {
    green__conn_close(c);
    return err;
  }
  if (err != GREEN_EBUSY) green__httpd_keep_failure(c, err);
  green__conn_lost(c, err);
  return err;
}

/* -- Handshakes that wait for others -------------------------------------- */

static httpd_conn *conn_of_away(green_link *k)
{
  return green_container(k, httpd_conn, defer.link);
}

/* It may be set for one that has come back. */
static void httpd_set_away_timer(httpd *d)
{
  green_link *k = green_list_first(&d->away);
  if (!k || d->away_timer.slot) return;
  int64_t due = conn_of_away(k)->sock.f.idle_due;
  if (due != GREEN_NEVER) green_hub_timer_set(d->hub, &d->away_timer, due);
}

void green__httpd_on_away(green_timer *t)
{
  httpd *d = green_container(t, httpd, away_timer);
  int64_t now = green_hub_now(d->hub);
  green_link *k;
  while ((k = green_list_first(&d->away)) != NULL) {
    httpd_conn *c = conn_of_away(k);
    if (c->sock.f.idle_due > now) break;
    conn_is_too_slow(c);
  }
  httpd_set_away_timer(d);
}

/* They come nearly in order. */
static void httpd_add_away(httpd *d, httpd_conn *c)
{
  green_link *k = d->away.prev;
  while (k != &d->away && conn_of_away(k)->sock.f.idle_due > c->sock.f.idle_due)
    k = k->prev;
  green_list_push_front(k, &c->defer.link);
  green_hub_timer_stop(d->hub, &d->away_timer);
  httpd_set_away_timer(d);
}

static void conn_is_back(void *data)
{
  httpd_conn *c = data;
  green_link_remove(&c->defer.link);
  green__conn_rest(c);
}

/* In no set: what the client sends meanwhile nobody would take. Its time goes
** on. */
static int conn_go_away(httpd_conn *c)
{
  httpd *d = c->d;
  green_tls *t = green_tls_sock_codec(&c->sock);
  int err = green_tls_pool_start_for(d->tls_pool, t, conn_is_back, c);
  if (err < 0) return conn_fail(c, err);
  d->pub.handshakes_pooled++;
  green_idle_remove(&c->sock.f);
  httpd_add_away(d, c);
  return GREEN_EINPROGRESS;
}

static int conn_hand_out_choice(httpd_conn *c)
{
  httpd *d = c->d;
  if (d->pub.choices >= d->pub.max_choices) return conn_fail(c, GREEN_EBUSY);
  d->pub.choices++;
  c->chooses = 1;
  c->pub.found = GREEN_HTTPD_CHOICE;
  green_idle_remove(&c->sock.f);
  return 1;
}

void green__conn_chosen(httpd_conn *c)
{
  if (!c->chooses) return;
  c->d->pub.choices--;
  c->chooses = 0;
  c->pub.found = 0;
}

/* -- Handshakes ----------------------------------------------------------- */

/* 0: it can go on at once. What others do costs this turn only the reading of a
** hello. */
static int conn_ask_others(httpd_conn *c)
{
  green_tls *t = green_tls_sock_codec(&c->sock);
  if (c->sock.f.idle_expired) return conn_is_too_slow(c);
  if (!green_tls_wants_pool(t)) return conn_hand_out_choice(c);
  if (c->d->tls_pool) return conn_go_away(c);
  return green_tls_work(t);
}

int green__conn_shake(httpd_conn *c)
{
  httpd *d = c->d;
  int err = conn_start(c);
  if (err == 0) err = green_filter_handshake(&c->sock);
  while (err == GREEN_EINPROGRESS) {
    int taken = conn_ask_others(c);
    if (taken != 0) return taken;
    err = green_filter_handshake(&c->sock);
  }
  d->taken |= HANDSHAKE_COSTS;
  if (err == GREEN_EAGAIN) return err;
  if (err == GREEN_ENOBUFS) return conn_stick(c);
  if (err == GREEN_ETLSPLAIN) {
    green__httpd_keep_failure(c, err);
    green__crowd_leave(c);
    green_filter_drop(&c->sock);
    return err;
  }
  if (err < 0) return conn_fail(c, err);
  green__crowd_leave(c);
  d->pub.handshakes++;
  c->phase = HTTPD_HEAD;
  c->awaited = d->pub.closing;
  return 0;
}

/* The peer is owed TLS's end for its own. The alert that says what was wrong
** must not get lost for what was not read. */
void green__conn_lost(httpd_conn *c, int err)
{
  const green_tls *t = green_conn_tls(&c->pub);
  if (err == GREEN_EEOF) green__conn_farewell(c);
  c->body_done = 1; /* What comes is nobody's. */
  if (t && green_tls_failure(t) && err != GREEN_ETLSTRUNCATED)
    green__conn_linger_briefly(c);
  else
    green__conn_close(c);
}

int green__conn_is_late(const httpd_conn *c)
{
  return c->phase == HTTPD_HANDSHAKE &&
         c->sock.f.idle_due <= green__hub_poll_now(c->d->hub);
}

void green__conn_farewell(httpd_conn *c)
{
  if (green_unlikely(c->sock.filter != NULL))
    green_sock_shutdown(&c->sock, GREEN_WRITE);
}
