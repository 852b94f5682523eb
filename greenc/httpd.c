/*
** httpd.c: connections come, wait, are handed out, and go.
*/

#include "httpd.h"
#include "httpd_conn.h"
#include "hub_loop.h"
#include "mem.h"

#include <netinet/in.h>
#include <string.h>

#define HTTPD_POOL 256 /* Free requests kept. */
#define HTTPD_LINGER_TIME (2 * GREEN_SECOND)
#define HTTPD_LINGER_BYTES (1 << 20)
#define HTTPD_GATHER 65536 /* Flush before the next request beyond this. */

_Static_assert(sizeof(struct sockaddr_in6) <= 28, "room for a peer");

/* -- Requests from the pool ----------------------------------------------- */

static void req_free(httpd_req *r)
{
  green__free(r->in);
  green__free(r->out);
  green__free(r);
}

static httpd_req *req_alloc(void)
{
  httpd_req *r = green__zalloc(sizeof(*r));
  if (!r) return NULL;
  r->in = green__alloc(HTTPD_BUFFER);
  r->out = green__alloc(HTTPD_BUFFER);
  if (!r->in || !r->out) {
    req_free(r);
    return NULL;
  }
  r->in_cap = r->out_cap = HTTPD_BUFFER;
  green_http1_init(&r->head);
  green_chunked_init(&r->chunk);
  return r;
}

/* The last one given back comes first: its memory is warm. */
static int conn_take_req(httpd_conn *c)
{
  httpd *d = c->d;
  if (c->req) return 0;
  green_link *k = green_list_pop(&d->pool);
  c->req = k ? green_container(k, httpd_req, link) : req_alloc();
  if (!c->req) return GREEN_ENOMEM;
  if (k) d->pooled--;
  c->req->head.max_line = d->pub.max_line;
  c->req->head.max_field = d->pub.max_field;
  c->req->head.max_head = d->pub.max_head;
  c->req->head.max_headers = d->pub.max_headers;
  return 0;
}

static void conn_give_req(httpd_conn *c)
{
  httpd_req *r = c->req;
  if (!r) return;
  c->req = NULL;
  c->pub.head = NULL;
  c->pub.text = NULL;
  if (c->d->pooled >= HTTPD_POOL || r->in_cap > HTTPD_BUFFER ||
      r->out_cap > HTTPD_GATHER) {
    req_free(r);
    return;
  }
  r->start = r->pos = r->end = r->parsed = 0;
  r->out_len = r->out_sent = r->answer = 0;
  green_list_push_front(&c->d->pool, &r->link);
  c->d->pooled++;
}

/* -- The end of a connection ---------------------------------------------- */

static void conn_close(httpd_conn *c)
{
  green_hub_undefer(&c->defer);
  green_sock_close(&c->sock);
  conn_give_req(c);
  green_link_remove(&c->link);
  c->d->pub.connections--;
  green__free(c);
}

static int conn_has_unread(const httpd_conn *c)
{
  return !c->body_done || c->req->pos < c->req->end;
}

/* Closing with unread input makes the system reset the connection, and the
** client may lose the answer: say that we are done, and read on for a while. */
static void conn_linger(httpd_conn *c)
{
  green_sock_shutdown(&c->sock, GREEN_WRITE);
  c->phase = HTTPD_LINGER;
  c->drained = 0;
  c->req->start = c->req->pos = c->req->end = 0;
  if (green_idle_add(&c->d->linger, &c->sock.f) < 0) conn_close(c);
}

static void conn_discard(httpd_conn *c, int expired)
{
  httpd_req *r = c->req;
  int n = 0;
  while (!expired && c->drained < HTTPD_LINGER_BYTES) {
    n = green_sock_recv(&c->sock, r->in, r->in_cap);
    if (n == GREEN_EAGAIN) return;
    if (n <= 0) break;
    c->drained += n;
  }
  conn_close(c);
}

/* -- Between requests ----------------------------------------------------- */

static int conn_is_clean(const httpd_conn *c)
{
  const httpd_req *r = c->req;
  return !r || (r->start == r->end && r->out_sent == r->out_len);
}

/* Leave the connection to the poll. A head that has begun keeps its deadline,
** however slowly it comes. */
static void conn_rest(httpd_conn *c)
{
  green_idle *s = &c->d->heads;
  if (c->phase == HTTPD_HEAD && conn_is_clean(c)) {
    conn_give_req(c);
    if (c->pub.served > 0) s = &c->d->keep;
  }
  if (c->sock.f.idle == s) return;
  green_idle_remove(&c->sock.f);
  if (green_idle_add(s, &c->sock.f) < 0) conn_close(c);
}

static void conn_hand_out(httpd_conn *c, int found)
{
  green_idle_remove(&c->sock.f);
  c->pub.found = (uint8_t)found;
  c->phase = HTTPD_ACTIVE;
}

/* What follows in the buffer cannot be trusted: never read as a request. */
static void conn_refuse(httpd_conn *c, int status, const char *reason)
{
  c->pub.head = NULL;
  c->pub.reason = reason;
  c->body_done = 0;
  green__httpd_refuse(c, status);
  conn_hand_out(c, GREEN_HTTPD_REFUSED);
}

static void conn_start_request(httpd_conn *c, int head_len)
{
  httpd_req *r = c->req;
  c->pub.head = &r->head;
  c->pub.text = r->in + r->start;
  c->pub.begun = c->pub.head_out = c->pub.body_read = c->pub.chunked = false;
  c->pub.status = 0;
  c->pub.sent = 0;
  c->pub.close = !r->head.keep_alive || !c->d->pub.keepalive;
  r->pos = r->start + (uint32_t)head_len;
  r->parsed = 0;
  r->answer = r->out_len;
  c->d->pub.requests++;
  green__httpd_body_start(c);
}

/* Look at what is in the buffer. 1: something for a worker; 0: not yet. */
static int conn_parse(httpd_conn *c)
{
  httpd_req *r = c->req;
  size_t len = r->end - r->start;
  if (len == 0) return 0;
  int n = green_http1_parse(&r->head, r->in + r->start, len, r->parsed);
  if (n == GREEN_EAGAIN) {
    r->parsed = (uint32_t)len;
    return 0;
  }
  if (n > 0) {
    conn_start_request(c, n);
    if (r->head.content_length > c->d->pub.max_body && c->d->pub.max_body >= 0)
      conn_refuse(c, 413, "body larger than the limit");
    else
      conn_hand_out(c, GREEN_HTTPD_REQUEST);
  } else {
    conn_refuse(c, r->head.status, r->head.reason);
  }
  return 1;
}

/* The rest of a body that its handler did not read. 1: gone, the next head may
** come; 0: wait for more, or the connection is closed. */
static int conn_drain(httpd_conn *c)
{
  int r = green__httpd_body_drain(c);
  if (r == GREEN_EAGAIN) {
    conn_rest(c);
    return 0;
  }
  if (r < 0) {
    conn_close(c);
    return 0;
  }
  c->phase = HTTPD_HEAD;
  c->req->start = c->req->pos;
  return 1;
}

/* Read and parse until there is something for a worker (1) or the connection
** has to wait or has gone (0). */
static int conn_advance(httpd_conn *c)
{
  if (conn_take_req(c) < 0) {
    conn_close(c);
    return 0;
  }
  if (c->phase == HTTPD_DRAIN && !conn_drain(c)) return 0;
  c->pub.found = 0;
  while (!conn_parse(c)) {
    int n = green__httpd_fill(c);
    if (n > 0) continue;
    if (n == GREEN_EAGAIN)
      conn_rest(c);
    else
      conn_close(c);
    return 0;
  }
  return 1;
}

/* Its time is up. Only who has sent part of a head is told. */
static int conn_expire(httpd_conn *c)
{
  c->d->pub.timeouts++;
  if (c->phase != HTTPD_HEAD || !c->req || c->req->start == c->req->end) {
    conn_close(c);
    return 0;
  }
  conn_refuse(c, 408, "head took too long");
  return 1;
}

/* -- Servers -------------------------------------------------------------- */

/* At the end of each turn: are there connections that no worker has taken? */
static void httpd_on_turn(green_defer *defer)
{
  httpd *d = green_container(defer, httpd, defer);
  if (green_httpd_ready(&d->pub)) green_waitq_wake_all(&d->shortage, 0);
  green_hub_defer(d->hub, defer);
}

static const green_httpd httpd_defaults = {
    .keepalive_timeout = 75 * GREEN_SECOND,
    .header_timeout = 30 * GREEN_SECOND,
    .max_body = 64 << 20,
    .max_drain = 1 << 20,
    .max_connections = UINT32_MAX,
    .max_line = 8192,
    .max_field = 8192,
    .max_head = 65536,
    .max_headers = 100,
    .keepalive = true,
    .date = true,
};

green_httpd *green_httpd_new(green_hub *hub)
{
  httpd *d = green__zalloc(sizeof(*d));
  if (!d) return NULL;
  d->pub = httpd_defaults;
  d->hub = hub;
  green_idle_init(&d->keep, hub, d->pub.keepalive_timeout);
  green_idle_init(&d->heads, hub, d->pub.header_timeout);
  green_idle_init(&d->linger, hub, HTTPD_LINGER_TIME);
  d->heads.workers = d->linger.workers = d->keep.workers;
  green_waitq_init(&d->shortage);
  green_list_init(&d->conns);
  green_list_init(&d->pool);
  d->defer.run = httpd_on_turn;
  green_hub_defer(hub, &d->defer);
  return &d->pub;
}

void green_httpd_free(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  green_link *k;
  if (!d) return;
  while ((k = green_list_first(&d->conns)) != NULL)
    conn_close(green_container(k, httpd_conn, link));
  while ((k = green_list_pop(&d->pool)) != NULL)
    req_free(green_container(k, httpd_req, link));
  green_hub_undefer(&d->defer);
  green_waitq_wake_all(&d->shortage, GREEN_ECLOSED);
  green_idle_deinit(&d->linger);
  green_idle_deinit(&d->heads);
  green_idle_deinit(&d->keep);
  green__free(d);
}

static void conn_on_turn_end(green_defer *defer)
{
  httpd_conn *c = green_container(defer, httpd_conn, defer);
  green_httpconn_flush(&c->pub); /* What it cannot send, finish will. */
}

static httpd_conn *conn_new(httpd *d)
{
  httpd_conn *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  c->d = d;
  c->defer.run = conn_on_turn_end;
  c->sock.f.hub = d->hub;
  c->sock.f.fd = -1;
  return c;
}

static void conn_enter(httpd_conn *c, const green_addr *peer)
{
  httpd *d = c->d;
  if (peer->len <= sizeof(c->peer) && peer->u.family != GREEN_UNIX) {
    c->peer_len = (uint8_t)peer->len;
    memcpy(c->peer, peer->u.bytes, peer->len);
  }
  green_list_push(&d->conns, &c->link);
  d->pub.connections++;
  d->pub.accepted++;
  d->heads.timeout = d->pub.header_timeout;
  conn_rest(c);
}

int green_httpd_accept(green_httpd *pub, green_sock *listener, int max)
{
  httpd *d = httpd_of(pub);
  green_addr peer;
  int n = 0;
  for (; n < max; n++) {
    if (pub->connections >= pub->max_connections) return n ? n : GREEN_EBUSY;
    httpd_conn *c = conn_new(d);
    if (!c) return n ? n : GREEN_ENOMEM;
    int err = green_sock_accept(listener, &c->sock, &peer);
    if (err < 0) {
      green__free(c);
      return n ? n : err;
    }
    conn_enter(c, &peer);
  }
  return n;
}

int green_httpd_adopt(green_httpd *pub, green_sock *s)
{
  httpd_conn *c = conn_new(httpd_of(pub));
  green_addr peer = {0};
  if (!c) return GREEN_ENOMEM;
  green_sock_peername(s, &peer);
  int fd = green_sock_detach(s);
  int err = fd < 0 ? fd : green_sock_adopt(&c->sock, fd);
  if (err < 0) {
    green__free(c);
    return err;
  }
  conn_enter(c, &peer);
  return 0;
}

/* One ready connection of a set. -1: none; 0: nothing for a worker in it. */
static int httpd_take(green_idle *s, httpd_conn **out)
{
  int expired;
  green_fd *f = green_idle_take(s, &expired);
  if (!f) return -1;
  httpd_conn *c = green_container(green_sock_of(f), httpd_conn, sock);
  *out = c;
  if (c->phase == HTTPD_LINGER) {
    conn_discard(c, expired);
    return 0;
  }
  return expired ? conn_expire(c) : conn_advance(c);
}

green_httpconn *green_httpd_next(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  green_idle *const sets[] = {&d->keep, &d->heads, &d->linger};
  httpd_conn *c = NULL;
  for (int i = 0; i < 3; i++) {
    int found;
    while ((found = httpd_take(sets[i], &c)) >= 0)
      if (found) return &c->pub;
  }
  return NULL;
}

void *green_httpd_queue(green_httpd *d)
{
  return &httpd_of(d)->keep.workers_own;
}

void *green_httpd_shortage(green_httpd *d)
{
  return &httpd_of(d)->shortage;
}

uint32_t green_httpd_ready(const green_httpd *pub)
{
  const httpd *d = (const httpd *)pub;
  return d->keep.n_ready + d->heads.n_ready + d->linger.n_ready;
}

static void httpd_close_set(green_idle *s)
{
  green_fd *f;
  while ((f = green_idle_oldest(s)) != NULL)
    conn_close(green_container(green_sock_of(f), httpd_conn, sock));
}

void green_httpd_close_idle(green_httpd *pub, bool all)
{
  httpd *d = httpd_of(pub);
  httpd_close_set(&d->keep);
  if (!all) return;
  httpd_close_set(&d->heads);
  httpd_close_set(&d->linger);
}

/* -- Connections in a worker's hands -------------------------------------- */

green_sock *green_httpconn_sock(green_httpconn *pub)
{
  httpd_conn *c = httpd_conn_of(pub);
  return c->sock.f.fd < 0 ? NULL : &c->sock;
}

void green_httpconn_peer(const green_httpconn *pub, green_addr *a)
{
  const httpd_conn *c = (const httpd_conn *)pub;
  memset(a, 0, sizeof(*a));
  a->len = c->peer_len;
  memcpy(a->u.bytes, c->peer, c->peer_len);
}

/* Everything is sent and the connection ends. */
static int conn_end(httpd_conn *c)
{
  if (conn_has_unread(c))
    conn_linger(c);
  else
    conn_close(c);
  return 0;
}

/* The answer is complete: is there another request in the buffer? Then its
** answer leaves together with this one. */
static int conn_next(httpd_conn *c)
{
  httpd_req *r = c->req;
  c->phase = HTTPD_HEAD;
  c->pub.served++;
  r->start = r->pos;
  c->pub.found = 0;
  if (r->out_len - r->out_sent < HTTPD_GATHER && conn_parse(c)) {
    if (r->out_len > r->out_sent) green_hub_defer(c->d->hub, &c->defer);
    return 1;
  }
  return 0;
}

static int conn_must_close(httpd_conn *c)
{
  const green_httpd *d = &c->d->pub;
  if (c->pub.close || c->body_failed || d->closing) return 1;
  return d->max_requests && c->pub.served + 1 >= d->max_requests;
}

int green_httpconn_finish(green_httpconn *pub)
{
  httpd_conn *c = httpd_conn_of(pub);
  int closing = c->phase == HTTPD_ACTIVE && conn_must_close(c);
  if (c->phase == HTTPD_ACTIVE && !closing && c->body_done && conn_next(c))
    return 1;
  int err = green_httpconn_flush(pub);
  if (err == GREEN_EAGAIN) return err;
  if (err < 0) {
    conn_close(c);
    return 0;
  }
  if (closing) return conn_end(c);
  if (!c->body_done && c->phase == HTTPD_ACTIVE) {
    c->phase = HTTPD_DRAIN;
    c->pub.served++;
  }
  c->d->keep.timeout = c->d->pub.keepalive_timeout;
  return conn_advance(c);
}

void green_httpconn_close(green_httpconn *pub)
{
  conn_close(httpd_conn_of(pub));
}

int green_httpconn_detach(green_httpconn *pub, green_sock *s)
{
  httpd_conn *c = httpd_conn_of(pub);
  httpd_req *r = c->req;
  int fd = green_sock_detach(&c->sock);
  int err = fd < 0 ? fd : green_sock_adopt(s, fd);
  if (err == 0 && r->pos < r->end)
    err = green_buf_append(green_sock_input(s), r->in + r->pos,
                           r->end - r->pos);
  conn_close(c);
  return err;
}
