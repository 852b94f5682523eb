/*
** reply.c: answers that are given again and again.
**
** Most answers are said by one call, and nothing is asked of them but what is
** asked of nearly all: their heads depend on what the worker says, and on the
** second. One that was written before is copied.
*/

#include "httpd/httpd_priv.h"

#include <string.h>

/* Nothing but what the worker says, and the date, will stand in the head. */
static int reply_is_plain(const httpd_conn *c)
{
  const green_http_request *h = c->pub.head;
  const green_httpd *d = &c->d->pub;
  return c->pub.state == GREEN_ANSWER_NONE && c->body_done && !c->pub.close &&
         h && !h->conn_keep_alive && h->method != GREEN_M_HEAD &&
         h->method != GREEN_M_CONNECT && d->date && !d->closing &&
         !d->max_requests && !d->http10;
}

/* Where such a head is kept; NULL: it is not kept. */
static httpd_reply *reply_slot(httpd *d, int status, const green_header *h,
                               size_t n)
{
  size_t hash = n + (size_t)status + 3 * h->value_len + h->name_len;
  httpd_reply *k = &d->replies[hash % HTTPD_REPLIES];
  if (h->name_len - 1 >= sizeof(k->name) || h->value_len > sizeof(k->value) ||
      n > OUT_COPY_MAX)
    return NULL;
  return k;
}

static int reply_is(const httpd_reply *k, int status, const green_header *h,
                    size_t n)
{
  return k->status == status && k->length == n && k->name_len == h->name_len &&
         k->value_len == h->value_len && k->capitalize == h->capitalize &&
         k->second == time(NULL) && text_is(k->name, h->name, h->name_len) &&
         text_is(k->value, h->value, h->value_len);
}

/* It has been written, and proved to be plain. */
static void reply_keep(httpd_conn *c, httpd_reply *k, const green_header *h,
                       size_t n)
{
  const httpd_request *r = c->req;
  size_t len = r->out_len - r->answer - n;
  if (k->missed != n) {
    k->missed = (uint32_t)n; /* What differs each time costs no copy. */
    return;
  }
  if (r->flags || r->out_length >= 0 || c->pub.close || c->pub.no_body ||
      len > sizeof(k->text))
    return;
  k->status = c->pub.status;
  k->length = (uint32_t)n;
  k->second = c->d->date_second;
  k->name_len = (uint8_t)h->name_len;
  k->value_len = (uint8_t)h->value_len;
  k->capitalize = h->capitalize;
  k->len = (uint16_t)len;
  memcpy(k->name, h->name, h->name_len);
  memcpy(k->value, h->value, h->value_len);
  memcpy(k->text, r->out + r->answer, len);
}

/* As the three calls would that wrote it first. */
static int reply_again(httpd_conn *c, const httpd_reply *k, const char *body,
                       size_t n)
{
  httpd_request *r = c->req;
  if (out_reserve(r, k->len + n) < 0) return GREEN_ENOMEM;
  r->answer = r->out_len;
  out_put(r, k->text, k->len);
  out_put(r, body, n);
  c->pub.status = k->status;
  c->pub.sent = (int64_t)n;
  c->pub.state = GREEN_ANSWER_DONE;
  return 0;
}

static int reply_write(green_conn *pub, int status, const green_header *h,
                       const char *body, size_t n)
{
  int err = green_conn_begin(pub, status);
  if (err == 0 && h->name)
    err = green_conn_header(pub, h->name, h->name_len, h->value, h->value_len,
                            h->capitalize);
  return err < 0 ? err : green_conn_whole(pub, body, n);
}

int green_conn_reply(green_conn *pub, int status, const green_header *h,
                     const char *body, size_t n)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_reply *k = NULL;
  if (green_likely(reply_is_plain(c))) k = reply_slot(c->d, status, h, n);
  if (k && green_likely(reply_is(k, status, h, n)))
    return reply_again(c, k, body, n);
  int err = reply_write(pub, status, h, body, n);
  if (err == 0 && k) reply_keep(c, k, h, n);
  return err;
}
