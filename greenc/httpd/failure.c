/*
** failure.c: why TLS handshakes were not done, kept until somebody asks.
*/

#include "httpd/httpd_priv.h"
#include "base/mem.h"

#include <string.h>

/* Where the next one goes. NULL: nowhere. */
static green_httpd_failure *httpd_next_room(httpd *d)
{
  if (d->n_failures == GREEN_HTTPD_FAILURES) return NULL;
  if (!d->failures)
    d->failures = green__zalloc(GREEN_HTTPD_FAILURES * sizeof(*d->failures));
  if (!d->failures) return NULL;
  uint32_t i = d->first_failure + d->n_failures++;
  return d->failures + i % GREEN_HTTPD_FAILURES;
}

/* What TLS has to say of it, if it is TLS's. */
static void say_why(green_httpd_failure *f, const green_tls *t)
{
  const green_tls_error *said = t ? green_tls_failure(t) : NULL;
  f->alert = t ? green_tls_alert(t) : -1;
  f->refused = t && green_tls_is_refused(t);
  f->text[0] = '\0';
  if (said && said->code == f->code)
    memcpy(f->text, said->text, sizeof(f->text));
}

void green__httpd_keep_failure(httpd_conn *c, int err)
{
  httpd *d = c->d;
  if (!d->pub.keeps_failures) return;
  green_httpd_failure *f = httpd_next_room(d);
  if (!f) {
    d->pub.failures_lost++;
    return;
  }
  f->code = err;
  memset(&f->who, 0, sizeof(f->who));
  green_addr_set(&f->who, (const struct sockaddr *)(const void *)c->peer,
                 c->peer_len);
  say_why(f, green_tls_sock_codec(&c->sock));
  if (d->failed.n) green_waitq_wake_all(&d->failed, 0);
}

bool green_httpd_take_failure(green_httpd *pub, green_httpd_failure *out)
{
  httpd *d = httpd_of(pub);
  if (d->n_failures == 0) return false;
  *out = d->failures[d->first_failure];
  d->first_failure = (d->first_failure + 1) % GREEN_HTTPD_FAILURES;
  d->n_failures--;
  return true;
}

green_waitq *green_httpd_failed(green_httpd *d)
{
  return &httpd_of(d)->failed;
}

void green__httpd_forget_failures(httpd *d)
{
  d->n_failures = 0;
}

void green__httpd_free_failures(httpd *d)
{
  green_waitq_wake_all(&d->failed, GREEN_ECLOSED);
  d->n_failures = 0;
  green__free(d->failures);
  d->failures = NULL;
}
