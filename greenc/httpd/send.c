/*
** send.c: the bytes of answers, from their buffer to the socket.
**
** They leave when somebody flushes; or, when the server gathers, the answers of
** some connections leave one behind the other, and each connection goes to
** rest.
*/

#include "httpd/httpd_priv.h"
#include "hub/hub_priv.h"
#include "base/mem.h"

#include <string.h>
#include <time.h>

/* -- The buffer ----------------------------------------------------------- */

int green__out_grow(httpd_request *r, size_t n)
{
  if (r->out_sent == r->out_len && r->answer == r->out_len)
    r->out_sent = r->out_len = r->answer = 0;
  size_t cap = r->out_cap ? r->out_cap : HTTPD_BUFFER;
  while (cap - r->out_len < n) cap *= 2;
  if (cap == r->out_cap) return 0;
  char *out = cap < UINT32_MAX ? green__realloc(r->out, cap) : NULL;
  if (!out) return GREEN_ENOMEM;
  r->out = out;
  r->out_cap = (uint32_t)cap;
  return 0;
}

/* out[..stop) is sent; the rest, if any, is a head that is being made. */
static void out_sent(httpd_request *r, uint32_t stop)
{
  uint32_t rest = r->out_len - stop;
  if (rest) memmove(r->out, r->out + stop, rest);
  r->out_len = rest;
  r->out_sent = r->answer = 0;
}

int green_conn_flush(green_conn *pub)
{
  httpd_conn *c = conn_in_hand(pub);
  httpd_request *r = c->req;
  if (!r) return green_filter_flush(&c->sock);
  uint32_t stop = pub->state == GREEN_ANSWER_HEAD ? r->answer : r->out_len;
  while (r->out_sent < stop) {
    int n = green_sock_send(&c->sock, r->out + r->out_sent, stop - r->out_sent);
    if (n < 0) return n;
    r->out_sent += (uint32_t)n;
    if (r->out_sent > r->answer) c->left = 1;
  }
  int err = green_filter_flush(&c->sock);
  if (err < 0) return err;
  out_sent(r, stop);
  green_hub_undefer(&c->defer);
  return 0;
}

bool green_conn_is_slow(const green_conn *pub)
{
  const httpd_conn *c = (const httpd_conn *)pub;
  if (!c->left || c->sock.f.fd < 0) return false;
  return green__conn_unsent(c) > 0;
}

int green__out_send_past(httpd_conn *c, const char *p, size_t n)
{
  httpd_request *r = c->req;
  green_iov v[2] = {{r->out + r->out_sent, r->out_len - r->out_sent}, {p, n}};
  int sent = green_sock_sendv(&c->sock, v, 2);
  if (sent < 0) sent = 0;
  if (r->out_sent + (size_t)sent > r->answer) c->left = 1;
  size_t head = (size_t)sent < v[0].len ? (size_t)sent : v[0].len;
  r->out_sent += (uint32_t)head;
  size_t body = (size_t)sent - head;
  if (r->out_sent == r->out_len) r->out_sent = r->out_len = r->answer = 0;
  return out_append(r, p + body, n - body);
}

/* -- Sending together ------------------------------------------------------ */

static void conn_send(httpd_conn *c)
{
  int err = green_conn_flush(&c->pub);
  if (err == GREEN_EAGAIN) {
    c->pub.found = GREEN_HTTPD_UNSENT;
    green_list_push(&c->d->stuck, &c->defer.link);
  } else if (err < 0) {
    green__conn_close(c);
  } else {
    green__conn_settle(c);
  }
}

void green__httpd_send_unsent(httpd *d)
{
  green_link *k;
  d->n_unsent = 0;
  while ((k = green_list_pop(&d->unsent)) != NULL)
    conn_send(green_container(k, httpd_conn, defer.link));
}

/* A slow handler must not hold up the answers of others for long. */
static int64_t httpd_ticks(const httpd *d)
{
  struct timespec t;
  if (green__hub_is_virtual(d->hub)) return green_hub_now(d->hub);
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return t.tv_sec * GREEN_SECOND + t.tv_nsec;
}

void green__httpd_put_off(httpd_conn *c)
{
  httpd *d = c->d;
  int64_t now = httpd_ticks(d);
  if (d->n_unsent++ == 0) d->unsent_since = now;
  green_hub_undefer(&c->defer);
  green_list_push(&d->unsent, &c->defer.link);
  if (d->n_unsent >= HTTPD_TOGETHER || now != d->unsent_since)
    green__httpd_send_unsent(d);
}
