/*
** request.c: bytes from the socket into a request's buffer, and bodies out of
** it.
**
** The buffer keeps the head, which handlers read late, at start; the body's
** bytes pass through the room behind it. Who waits for it is told that the body
** may come ("100 Continue").
**
** Ready connections are read some at a time (green__httpd_fetch); then they are
** handed out one by one.
*/

#include "httpd/httpd_priv.h"
#include "hub/hub_priv.h"
#include "base/mem.h"

#include <string.h>

/* With less room behind end a read is hardly worth its call: what is there
** moves to the front, or the buffer grows. */
#define ROOM_LEAST 1024

/* Of a body that nobody wants so much is read at once: fewer calls, and still
** in the processor's own memory. */
#define HTTPD_SINK 262144

/* -- Filling -------------------------------------------------------------- */

int green__request_grow(httpd_request *r)
{
  char *in = green__realloc(r->in, 2 * (size_t)r->in_cap);
  if (!in) return GREEN_ENOMEM;
  r->in = in;
  r->in_cap *= 2;
  return 0;
}

/* Before a head is complete the buffer may move and grow. */
static int req_make_room(httpd_request *r)
{
  if (r->start > 0) {
    memmove(r->in, r->in + r->start, r->end - r->start);
    r->end -= r->start;
    r->start = r->pos = 0;
  }
  return r->end < r->in_cap ? 0 : green__request_grow(r);
}

int green__request_fill(httpd_conn *c)
{
  httpd_request *r = c->req;
  if (r->start == r->end) r->start = r->pos = r->end = 0;
  if (r->in_cap - r->end < ROOM_LEAST && req_make_room(r) < 0)
    return GREEN_ENOMEM;
  if (r->start == r->end) r->started = green__hub_poll_now(c->d->hub);
  int n = green_sock_recv(&c->sock, r->in + r->end, r->in_cap - r->end);
  if (n > 0) r->end += (uint32_t)n;
  return n;
}

/* Bytes that were not looked at are enough for a turn (adopted with them, or
** read behind the rest of a body). What has expired, or has not all of a body,
** is read by whoever takes it. */
static int conn_wants_more(const httpd_conn *c)
{
  const httpd_request *r = c->req;
  if (c->phase != HTTPD_HEAD || c->sock.f.idle_expired) return 0;
  return !r || r->end - r->start == r->parsed;
}

/* That there is nothing is found again by whoever takes it. */
static void conn_fetch(httpd_conn *c)
{
  if (!conn_wants_more(c)) return;
  int n = green__request_take(c);
  if (n == 0) n = green__request_fill(c);
  if (n <= 0 && n != GREEN_EAGAIN) green__conn_lost(c, n ? n : GREEN_EEOF);
}

int green__httpd_fetch(httpd *d)
{
  green_idle *const sets[] = {&d->keep, &d->heads};
  int n = 0;
  for (; n < HTTPD_TOGETHER; n++) {
    int first = d->fetches++ & 1; /* Neither starves the other. */
    green_fd *f = green_idle_hold(sets[first], &d->fetched);
    if (!f) f = green_idle_hold(sets[!first], &d->fetched);
    if (!f) break;
    conn_fetch(httpd_conn_of_fd(f));
  }
  return n;
}

/* How much room a read of the body must find, and how much it gets when it does
** not. By TLS a long body comes by records of 16 KB: less room would cut each
** in two. */
static uint32_t body_least(const httpd_conn *c)
{
  bool records = c->sock.filter && c->req->body.left >= 2 * HTTPD_BUFFER;
  return records ? 2 * HTTPD_BUFFER : HTTPD_BUFFER / 2;
}

/* Handlers see offsets, so the head may move: to the front of the buffer, for
** requests that come one behind the other would carry it on without end; and
** with the buffer, when it fills that. */
static int body_room(httpd_conn *c, uint32_t least)
{
  httpd_request *r = c->req;
  uint32_t head = (uint32_t)r->head.head_len;
  if (r->start > 0) {
    memmove(r->in, r->in + r->start, head);
    r->start = 0;
  }
  if (r->in_cap - head < least) {
    uint32_t more = least > HTTPD_BUFFER ? 3 * HTTPD_BUFFER : HTTPD_BUFFER;
    char *in = green__realloc(r->in, (size_t)r->in_cap + more);
    if (!in) return GREEN_ENOMEM;
    r->in = in;
    r->in_cap += more;
  }
  c->pub.text = r->in;
  r->pos = r->end = head;
  return 0;
}

/* The body so far was handed out: the window behind the head starts anew. */
static int body_fill(httpd_conn *c)
{
  httpd_request *r = c->req;
  uint32_t window = r->start + (uint32_t)r->head.head_len;
  uint32_t least = body_least(c);
  r->pos = r->end = window;
  if (r->in_cap - window < least && body_room(c, least) < 0)
    return GREEN_ENOMEM;
  int n = green_sock_recv(&c->sock, r->in + r->end, r->in_cap - r->end);
  if (n > 0) r->end += (uint32_t)n;
  return n == 0 ? GREEN_EEOF : n;
}

/* -- Bodies --------------------------------------------------------------- */

void green__body_start(httpd_conn *c)
{
  httpd_request *r = c->req;
  const green_http_request *h = &r->head;
  if (!h->has_body)
    green__http_body_start(&r->body, GREEN_BODY_NONE, 0);
  else if (h->chunked)
    green__http_body_start(&r->body, GREEN_BODY_CHUNKED, 0);
  else
    green__http_body_start(&r->body, GREEN_BODY_LENGTH, h->content_length);
  c->body_done = !h->has_body;
  c->body_failed = 0;
  c->continued = 0;
  c->drained = 0;
  r->given_len = 0;
  r->lines_len = 0;
}

static int body_fail(httpd_conn *c, int err)
{
  c->body_failed = 1;
  c->pub.close = true;
  return err;
}

/* Without a system call. 0: the end; GREEN_EAGAIN: the buffer is empty. Chunks
** of a byte each are not handed out byte by byte. */
static int body_buffered(httpd_conn *c, const char **ptr)
{
  httpd_request *r = c->req;
  if (c->body_done) return 0;
  char *in = r->in + r->pos;
  size_t n = r->end - r->pos;
  int e = r->head.chunked ? green_http_body_gather(&r->body, in, n)
                          : green__http_body_plain(&r->body, n);
  if (e < 0 && e != GREEN_EAGAIN)
    return GREEN_EPROTO; /* Overlong extensions, too: the body is not large. */
  r->pos += r->body.used;
  c->body_done = r->body.done;
  *ptr = in + r->body.data_off;
  return e > 0 ? (int)r->body.data_len : e;
}

static int body_next(httpd_conn *c, const char **ptr)
{
  for (;;) {
    int n = body_buffered(c, ptr);
    if (n >= 0) return n;
    if (n != GREEN_EAGAIN) return body_fail(c, n);
    n = body_fill(c);
    if (n == GREEN_EAGAIN) return n;
    if (n < 0) return body_fail(c, n);
  }
}

/* given_off is behind what was handed out last, or at what was given back. */
static int body_again(httpd_request *r, const char **ptr)
{
  int n = (int)r->given_len;
  *ptr = r->in + r->given_off;
  r->given_off += r->given_len;
  r->given_len = 0;
  return n;
}

int green_conn_continue_lines(green_conn *pub, const char *lines, size_t n)
{
  httpd_request *r = conn_with_request(pub)->req;
  char *copy = green__realloc(r->lines, n ? n : 1);
  if (!copy) return GREEN_ENOMEM;
  memcpy(copy, lines, n);
  r->lines = copy;
  r->lines_len = n;
  return 0;
}

int green_conn_continue(green_conn *pub)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_request *r = c->req;
  if (pub->state != GREEN_ANSWER_NONE || c->body_done ||
      !pub->head->expect_continue || c->d->pub.http10)
    return 0;
  if (out_reserve(r, r->lines_len + 64) < 0) return GREEN_ENOMEM;
  c->continued = 1;
  out_put(r, TEXT("HTTP/1.1 100 Continue\r\n"));
  if (r->lines_len) out_put(r, r->lines, r->lines_len);
  out_put(r, TEXT("\r\n"));
  r->answer = r->out_len;
  return 1;
}

/* "100 Continue", for who waits for it: not for one who sends already (RFC
** 9110, 10.1.1). */
static int body_invite(httpd_conn *c)
{
  green_conn *pub = &c->pub;
  if (!pub->head->expect_continue || c->continued || c->body_done ||
      pub->state != GREEN_ANSWER_NONE)
    return 0;
  if (c->req->pos < c->req->end) {
    c->continued = 1;
    return 0;
  }
  int err = green_conn_continue(pub);
  if (err >= 0) err = green_conn_flush(pub);
  return err == GREEN_EAGAIN ? 0 : err;
}

/* n more have come: n, or they are too many. */
static int body_count(httpd_conn *c, int n)
{
  if (c->d->pub.max_body >= 0 && c->req->body.total > c->d->pub.max_body)
    return body_fail(c, GREEN_ETOOBIG);
  return n;
}

int green_conn_body(green_conn *pub, const char **ptr)
{
  httpd_conn *c = conn_with_request(pub);
  if (c->body_failed) return GREEN_EPROTO;
  pub->body_read = true;
  int err = body_invite(c);
  if (err < 0) return body_fail(c, err);
  if (c->req->given_len) return body_again(c->req, ptr);
  int n = body_next(c, ptr);
  if (n <= 0) return n;
  c->req->given_off = (uint32_t)(*ptr - c->req->in) + (uint32_t)n;
  return body_count(c, n);
}

/* Where such a body goes: what lies there is anybody's. NULL: no memory. */
static char *sink_of(httpd *d)
{
  if (!d->sink) d->sink = green__alloc(HTTPD_SINK);
  return d->sink;
}

/* A run of a body with a length, past the buffer. */
static int body_sink(httpd_conn *c)
{
  httpd_request *r = c->req;
  char *sink = c->d->sink;
  size_t n = r->body.left < HTTPD_SINK ? (size_t)r->body.left : HTTPD_SINK;
  int got = green_sock_recv(&c->sock, sink, n);
  if (got == GREEN_EAGAIN) return got;
  if (got <= 0) return body_fail(c, got ? got : GREEN_EEOF);
  green_http_body_next(&r->body, sink, (size_t)got);
  c->body_done = r->body.done;
  return body_count(c, got);
}

int green_conn_skip(green_conn *pub)
{
  const char *ptr;
  httpd_conn *c = conn_with_request(pub);
  const httpd_request *r = c->req;
  bool past = pub->body_read && !c->body_failed && !r->head.chunked &&
              r->pos == r->end && !r->given_len && r->body.left > 0;
  return past && sink_of(c->d) ? body_sink(c) : green_conn_body(pub, &ptr);
}

bool green_conn_body_ended(const green_conn *pub)
{
  const httpd_conn *c = (const httpd_conn *)pub;
  green_assert(c->req, "while a worker has it");
  return c->body_done && !c->req->given_len;
}

void green_conn_unread(green_conn *pub, uint32_t n)
{
  httpd_request *r = conn_with_request(pub)->req;
  green_assert(n <= r->given_off - r->start - (uint32_t)r->head.head_len,
               "of the bytes that body returned last");
  r->given_off -= n;
  r->given_len += n;
}

int green__body_is_bad(const httpd_conn *c)
{
  const httpd_request *r = c->req;
  if (!r->head.chunked) return 0;
  green_http_body look = r->body;
  uint32_t pos = r->pos;
  int e = 1;
  while (e == 1 && pos < r->end) {
    e = green_http_body_next(&look, r->in + pos, r->end - pos);
    pos += look.used;
  }
  return e < 0 && e != GREEN_EAGAIN;
}

int green__body_drain(httpd_conn *c)
{
  const char *ptr;
  if (c->req->body.left > c->d->pub.max_drain) return GREEN_ETOOBIG;
  for (;;) {
    int n = body_next(c, &ptr);
    if (n <= 0) return n;
    c->drained += n;
    if (c->drained > c->d->pub.max_drain) return GREEN_ETOOBIG;
  }
}
