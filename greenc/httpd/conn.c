/*
** conn.c: from one request of a connection to the next.
**
** Bytes become a head, which is handed to a worker; when the worker has
** finished with it, the next one may stand in the buffer already, or the rest
** of a body has to be read first, or the connection is to end.
*/

#include "httpd/httpd_priv.h"
#include "base/mem.h"
#include "hub/trace_priv.h"

#include <string.h>
#include <sys/ioctl.h>

/* -- Heads ----------------------------------------------------------------- */

static void conn_hand_out(httpd_conn *c, int found)
{
  green_idle_remove(&c->sock.f);
  c->pub.found = (uint8_t)found;
  c->phase = HTTPD_ACTIVE;
}

/* What follows in the buffer cannot be trusted: never read as a request. */
static void conn_refuse_with(httpd_conn *c, int status, const char *reason,
                             const char *text)
{
  c->pub.head = NULL;
  c->pub.text = c->req->in + c->req->start;
  c->pub.reason = reason;
  c->body_done = 0;
  c->d->pub.refused++;
  conn_hand_out(c, GREEN_HTTPD_REFUSED);
  green__answer_refuse(c, status, text);
}

static void conn_refuse(httpd_conn *c, int status, const char *reason)
{
  conn_refuse_with(c, status, reason, NULL);
}

static GREEN_COLD void conn_trace_request(const httpd_conn *c)
{
  const green_http_request *h = c->pub.head;
  green_trace_event e = {.kind = GREEN_TRACE_REQUEST,
                         .fd = c->sock.f.fd,
                         .method = c->pub.text + h->method_off,
                         .method_len = h->method_len,
                         .target = c->pub.text + h->target_off,
                         .target_len = h->target_len};
  green_hub_trace(c->d->hub, &e);
}

static inline void conn_tell_request(const httpd_conn *c)
{
  GREEN_PROBE5(request, c, c->pub.text + c->pub.head->method_off,
               c->pub.head->method_len, c->pub.text + c->pub.head->target_off,
               c->pub.head->target_len);
  if (green__is_traced(c->d->hub)) conn_trace_request(c);
}

static GREEN_COLD void conn_trace_answer(const httpd_conn *c)
{
  int64_t began = c->req ? c->req->started : green__hub_now(c->d->hub);
  green_trace_event e = {.kind = GREEN_TRACE_ANSWER,
                         .fd = c->sock.f.fd,
                         .status = c->pub.status,
                         .deadline = green__hub_now(c->d->hub) - began};
  green_hub_trace(c->d->hub, &e);
}

static void conn_start_request(httpd_conn *c, int head_len)
{
  httpd_request *r = c->req;
  c->pub.head = &r->head;
  c->pub.reason = NULL;
  c->pub.text = r->in + r->start;
  c->pub.body_read = false;
  c->blank = 0;
  c->awaited = 0;
  answer_reset(c);
  c->pub.close = !r->head.keep_alive || !c->d->pub.keepalive;
  r->pos = r->start + (uint32_t)head_len;
  r->parsed = 0;
  r->started = green__hub_poll_now(c->d->hub);
  r->answer = r->out_len;
  c->d->pub.requests++;
  green__body_start(c);
  conn_tell_request(c);
}

/* What a client may do depends on who it has shown to be, and to whom (RFC
** 9110, 7.4). */
static int conn_is_misdirected(const httpd_conn *c)
{
  const httpd_request *r = c->req;
  const char *host = r->in + r->start + r->head.authority_off;
  const green_tls *t = green_conn_tls(&c->pub);
  return t && !green_tls_serves(t, host, r->head.host_len);
}

/* A head is complete. */
static void conn_take_head(httpd_conn *c, int head_len)
{
  const green_http_request *h = &c->req->head;
  const green_httpd *d = &c->d->pub;
  conn_start_request(c, head_len);
  if (h->method == GREEN_M_CONNECT && !d->connect)
    conn_refuse(c, 501, "CONNECT is not served");
  else if (green_unlikely(c->sock.filter != NULL) && conn_is_misdirected(c))
    conn_refuse(c, 421, "Host is not whom the TLS connection is to");
  else if (h->content_length > d->max_body && d->max_body >= 0)
    conn_refuse(c, 413, "body larger than the limit");
  else
    conn_hand_out(c, GREEN_HTTPD_REQUEST);
}

/* A CRLF that some clients send behind a request is no part of the next one,
** which may never come. A second one is not what a head begins with. */
static int conn_skip_blank(httpd_conn *c)
{
  httpd_request *r = c->req;
  const char *p = r->in + r->start;
  if (r->start == r->end || *p != '\r') return 0;
  if (c->blank) return GREEN_EPROTO;
  if (r->end - r->start < 2) return GREEN_EAGAIN;
  if (p[1] != '\n') return 0;
  r->start += 2;
  r->parsed = 0;
  c->blank = 1;
  return conn_skip_blank(c);
}

/* Look at what is in the buffer. 1: something for a worker; 0: not yet. */
static int conn_parse(httpd_conn *c)
{
  httpd_request *r = c->req;
  if (r->start == r->end) return 0;
  int blank = conn_skip_blank(c);
  size_t len = r->end - r->start;
  if (blank == GREEN_EAGAIN || len == 0) return 0;
  if (blank < 0) {
    green_http_request_init(&r->head);
    conn_refuse(c, 400, "bad method");
    return 1;
  }
  int n = green_http_request_parse(&r->head, r->in + r->start, len, r->parsed);
  if (n == GREEN_EAGAIN) {
    r->parsed = (uint32_t)len;
    return 0;
  }
  if (n > 0)
    conn_take_head(c, n);
  else
    conn_refuse(c, r->head.status, r->head.reason);
  return 1;
}

/* The rest of a body that its handler did not read. 1: gone, the next head may
** come; GREEN_EAGAIN: wait for more; another error: the connection is gone. The
** answer has been sent: it must not get lost for what cannot be read. */
static int conn_drain(httpd_conn *c)
{
  int r = green__body_drain(c);
  if (r == GREEN_EAGAIN) return r;
  if (r == GREEN_ETOOBIG || r == GREEN_EPROTO) {
    green__conn_linger(c);
    return r;
  }
  if (r < 0) {
    green__conn_lost(c, r);
    return r;
  }
  c->phase = HTTPD_HEAD;
  c->req->start = c->req->pos;
  return 1;
}

/* The client can read it: what it has sent shows that it speaks plainly. */
static int conn_refuse_plain(httpd_conn *c)
{
  if (green__request_take(c) < 0) {
    green__conn_close(c);
    return GREEN_ENOMEM;
  }
  green_http_request_init(&c->req->head);
  c->req->started = green__hub_poll_now(c->d->hub);
  conn_refuse_with(c, 400, "plain HTTP on a TLS port",
                   "This port speaks TLS: use https.\n");
  return 1;
}

/* Read and parse until there is something for a worker (1) or the connection
** has to wait (GREEN_EAGAIN) or is gone (another error). */
static int conn_try(httpd_conn *c)
{
  if (c->phase == HTTPD_HANDSHAKE) {
    int r = green__conn_shake(c);
    if (r == GREEN_ETLSPLAIN) return conn_refuse_plain(c);
    if (r != 0) return r;
  }
  int n = green__request_take(c);
  if (n == 0 && c->phase == HTTPD_DRAIN) {
    n = conn_drain(c);
    if (n < 0) return n;
  }
  while (n >= 0 && !conn_parse(c)) {
    n = green__request_fill(c);
    if (n == 0) n = GREEN_EEOF;
  }
  if (n < 0 && n != GREEN_EAGAIN) green__conn_lost(c, n);
  return n < 0 ? n : 1;
}

int green__conn_advance(httpd_conn *c)
{
  int r = conn_try(c);
  if (r == GREEN_EAGAIN) green__conn_rest(c);
  return r == 1;
}

/* Some of a head, be it encrypted; a blank line is none. */
static int conn_has_begun(const httpd_conn *c)
{
  if (c->phase != HTTPD_HEAD) return 0;
  const httpd_request *r = c->req;
  return green_filter_has_part(&c->sock) ||
         (r->start < r->end && r->in[r->start] != '\r');
}

/* Its time is up: what has arrived in it counts. Only who has sent part of a
** head is told. */
int green__conn_expire(httpd_conn *c)
{
  int was_idle = c->sock.f.idle == &c->d->keep;
  int r = conn_try(c);
  if (r != GREEN_EAGAIN) return r == 1;
  int has_part = conn_has_begun(c);
  if (was_idle && has_part) {
    green__conn_rest(c); /* A head has begun in time. */
    return 0;
  }
  if (!was_idle) c->d->pub.timeouts++;
  if (c->phase == HTTPD_HANDSHAKE)
    green__httpd_keep_failure(c, GREEN_ETIMEDOUT);
  if (!has_part) {
    green__conn_farewell(c);
    green__conn_close(c);
    return 0;
  }
  conn_refuse(c, 408, "head took too long");
  return 1;
}

/* -- Connections in a worker's hands -------------------------------------- */

green_sock *green_conn_sock(green_conn *pub)
{
  httpd_conn *c = conn_in_hand(pub);
  return c->sock.f.fd < 0 ? NULL : &c->sock;
}

green_httpd *green_conn_server(const green_conn *pub)
{
  return &((const httpd_conn *)pub)->d->pub;
}

void green_conn_peer(const green_conn *pub, green_addr *a)
{
  const httpd_conn *c = (const httpd_conn *)pub;
  memset(a, 0, sizeof(*a));
  a->len = c->peer_len;
  memcpy(a->u.bytes, c->peer, c->peer_len);
}

int64_t green_conn_since(const green_conn *pub)
{
  const httpd_conn *c = (const httpd_conn *)pub;
  return c->phase == HTTPD_ACTIVE && c->req ? c->req->started : 0;
}

/* Is there, or may there come, something that we will not read? A client that
** has asked for the close should send no more; some send a CRLF behind a body
** all the same, and with a long answer there is time for that. */
static int conn_has_unread(const httpd_conn *c)
{
  const httpd_request *r = c->req;
  int waiting = 0;
  if (!c->body_done || r->pos < r->end || !c->pub.head || r->head.keep_alive)
    return 1;
  return c->pub.sent > HTTPD_GATHER || green_filter_pending(&c->sock) ||
         (ioctl(c->sock.f.fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

/* An answer that was begun and has no end. */
static int conn_has_part(const httpd_conn *c)
{
  return c->pub.state == GREEN_ANSWER_HEAD || c->pub.state == GREEN_ANSWER_BODY;
}

/* Everything is sent and the connection ends. By TLS only a whole answer has an
** end: the client must see that this one was cut. */
static int conn_end(httpd_conn *c)
{
  if (conn_has_part(c)) green_filter_drop(&c->sock);
  if (conn_has_unread(c)) {
    green__conn_linger(c);
  } else {
    green__conn_farewell(c);
    green__conn_close(c);
  }
  return 0;
}

/* The answer is complete: is there another request in the buffer? Then its
** answer leaves together with this one. */
static int conn_next(httpd_conn *c)
{
  httpd_request *r = c->req;
  c->phase = HTTPD_HEAD;
  c->pub.served++;
  r->start = r->pos;
  c->pub.found = 0;
  if (green__conn_unsent(c) < HTTPD_GATHER && conn_parse(c)) {
    if (green__conn_unsent(c) > 0) green_hub_defer(c->d->hub, &c->defer);
    return 1;
  }
  return 0;
}

/* All answers are sent. Nothing new is read here: a client that sends without
** end gets its turn, as everybody does. */
static int conn_go_on(httpd_conn *c)
{
  int drained = 0;
  if (c->phase == HTTPD_HANDSHAKE) {
    green__conn_chosen(c);
    green__conn_settle(c);
    return 0;
  }
  if (c->phase == HTTPD_DRAIN) {
    drained = conn_drain(c);
    if (drained < 0 && drained != GREEN_EAGAIN) return 0;
  }
  /* What was read behind the rest of a body waits its turn, too. */
  if (drained == 0 && conn_parse(c)) return 1;
  if (green__conn_settle(c) == 0 && drained == 1 && c->req)
    green__idle_event(&c->sock.f);
  return 0;
}

static int conn_must_close(httpd_conn *c)
{
  const green_httpd *d = &c->d->pub;
  if (c->pub.close || c->body_failed || d->closing || conn_has_part(c))
    return 1;
  return d->max_requests && c->pub.served + 1 >= d->max_requests;
}

/* It has all that is at hand, and a small answer that will leave at once. */
static int conn_can_wait(const httpd_conn *c)
{
  const httpd_request *r = c->req;
  return c->d->pub.gather && c->phase == HTTPD_HEAD && !c->left &&
         r->start == r->end && green__conn_unsent(c) <= HTTPD_BUFFER;
}

int green_conn_finish(green_conn *pub)
{
  httpd_conn *c = conn_in_hand(pub);
  int active = c->phase == HTTPD_ACTIVE; /* Not when called again. */
  if (green_unlikely(c->d->load != NULL) && active) green__load_note(c);
  if (green__is_traced(c->d->hub) && active) conn_trace_answer(c);
  /* Threads that the handler left behind: it is not theirs any more. */
  green_fd_wake(&c->sock.f, GREEN_ECLOSED);
  int closing = active && conn_must_close(c);
  if (active && !closing && c->body_done && conn_next(c)) return 1;
  if (active && !closing && conn_can_wait(c)) {
    green__httpd_put_off(c);
    return 0;
  }
  int err = green_conn_flush(pub);
  int late = err == GREEN_EAGAIN && green__conn_is_late(c);
  if (err == GREEN_EAGAIN && !late) return err;
  c->d->pub.timeouts += (uint64_t)late;
  if (err < 0) {
    green__conn_lost(c, err);
    return 0;
  }
  if (closing) return conn_end(c);
  if (c->phase == HTTPD_ACTIVE) {
    c->phase = HTTPD_DRAIN;
    c->pub.served++;
  }
  return conn_go_on(c);
}

/* Answers before it are sent now, as its link is wanted for another list. What
** cannot leave, the next flush or finish will send. */
void green_conn_pass_on(green_conn *pub)
{
  httpd_conn *c = conn_with_request(pub);
  green_assert(!pub->head || pub->state == GREEN_ANSWER_NONE,
               "nothing of its answer was begun");
  int err = green_conn_flush(pub);
  if (err < 0 && err != GREEN_EAGAIN) {
    green__conn_close(c);
    return;
  }
  green_hub_undefer(&c->defer);
  green_list_push(&c->d->stuck, &c->defer.link);
}

void green_conn_close(green_conn *pub)
{
  green__conn_close(conn_in_hand(pub));
}

int green_conn_detach(green_conn *pub, green_sock *s)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_request *r = c->req;
  green_buf *in = green_sock_input(s);
  green_assert(s->f.fd < 0 && s->f.hub == c->d->hub,
               "s, a closed socket of the same hub");
  int err = green_conn_flush(pub);
  if (err == GREEN_EAGAIN) return err;
  green__conn_unwatch(c);
  if (err == 0) err = green_sock_move(&c->sock, s);
  if (err == 0) err = green_buf_append(in, r->in + r->given_off, r->given_len);
  if (err == 0) err = green_buf_append(in, r->in + r->pos, r->end - r->pos);
  if (err < 0) green_sock_close(s);
  green__conn_close(c);
  return err;
}
