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

void green__httpd_free_tls(httpd *d)
{
  green_tls_ctx_free(d->tls_ctx);
  green_tls_io_free(d->tls_io);
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

/* What we write does not leave: a worker waits for that, as for an answer. */
static int conn_stick(httpd_conn *c)
{
  if (c->sock.f.idle_expired) {
    c->d->pub.timeouts++;
    green__conn_close(c);
    return GREEN_ETIMEDOUT;
  }
  green_idle_remove(&c->sock.f);
  c->pub.found = GREEN_HTTPD_UNSENT;
  green_list_push(&c->d->stuck, &c->defer.link);
  return GREEN_ENOBUFS;
}

static int conn_fail(httpd_conn *c, int err)
{
  if (err == GREEN_EBUSY) /* There are too many. */
    c->d->pub.handshakes_refused++;
  else
    c->d->pub.handshakes_failed++;
  green__conn_lost(c, err);
  return err;
}

int green__conn_shake(httpd_conn *c)
{
  httpd *d = c->d;
  int err = conn_start(c);
  if (err == 0) err = green_filter_handshake(&c->sock);
  d->taken |= HANDSHAKE_COSTS;
  if (err == GREEN_EAGAIN) return err;
  if (err == GREEN_ENOBUFS) return conn_stick(c);
  if (err == GREEN_ETLSPLAIN) {
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

/* The peer is owed TLS's end for his own. The alert that says what was wrong
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
