/*
** httpd.c: connections come, wait, are handed out, and go.
*/

#include "httpd.h"
#include "httpd_conn.h"
#include "hub_loop.h"
#include "mem.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HTTPD_LINGER_TIME (2 * GREEN_SECOND)
#define HTTPD_LINGER_BYTES (32 << 20)
#define HTTPD_LINGER_TURN (256 << 10) /* Of them in one turn. */
#define HTTPD_BURST_MAX 4096
#define HTTPD_TOGETHER 16              /* Answers sent one after the other. */
#define HTTPD_TURN (GREEN_SECOND / 20) /* For requests, of one turn. */

_Static_assert(sizeof(struct sockaddr_in6) <= 28, "room for a peer");

/* -- The end of a connection ---------------------------------------------- */

/* A server that has ended leaves no deadline behind; one that goes on saves the
** trouble. */
static void httpd_stop_timers(httpd *d)
{
  if (!d->pub.closing || d->pub.connections > 0) return;
  green_hub_timer_stop(d->hub, &d->keep.timer);
  green_hub_timer_stop(d->hub, &d->heads.timer);
  green_hub_timer_stop(d->hub, &d->linger.timer);
}

static void conn_close(httpd_conn *c)
{
  httpd *d = c->d;
  green_hub_undefer(&c->defer);
  green_sock_close(&c->sock);
  green__httpd_give_req(c);
  green_link_remove(&c->link);
  green__free(c);
  if (--d->pub.connections == 0) httpd_stop_timers(d);
}

/* Is there, or may there come, something that we will not read? A client that
** has asked for the close should send no more; some send a CRLF behind a body
** all the same, and with a long answer there is time for that. */
static int conn_has_unread(const httpd_conn *c)
{
  const httpd_req *r = c->req;
  int waiting = 0;
  if (!c->body_done || r->pos < r->end || !c->pub.head || r->head.keep_alive)
    return 1;
  return c->pub.sent > HTTPD_GATHER ||
         (ioctl(c->sock.f.fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

/* Closing with unread input makes the system reset the connection, and the
** client may lose the answer: say that we are done, and read on for a while. */
static void conn_linger(httpd_conn *c)
{
  green_sock_shutdown(&c->sock, GREEN_WRITE);
  green__httpd_give_req(c);
  c->phase = HTTPD_LINGER;
  c->drained = 0;
  green_idle_remove(&c->sock.f);
  if (green_idle_add(&c->d->linger, &c->sock.f) < 0) conn_close(c);
}

/* After its share of a turn it waits for the next: the poll tells again. */
static void conn_discard(httpd_conn *c, int expired)
{
  char sink[16384];
  int64_t stop = c->drained + HTTPD_LINGER_TURN;
  while (!expired && c->drained < HTTPD_LINGER_BYTES) {
    int n = green_sock_recv(&c->sock, sink, sizeof(sink));
    if (n == GREEN_EAGAIN) return;
    if (n <= 0) break;
    c->drained += n;
    if (c->drained >= stop) return;
  }
  conn_close(c);
}

/* Has the peer's system all that we sent, the end too, and has it sent no more
** than we have read? Then closing resets nothing and loses nothing: what the
** peer sends now, it sends after our end. Not while a body is on its way, its
** sender may look at the answer much later. */
static int conn_is_delivered(const httpd_conn *c)
{
  int fd = green_sock_fileno(&c->sock), left = 1, unread = 1;
  if (!c->body_done || fd < 0) return 0;
  if (ioctl(fd, SIOCOUTQ, &left) < 0 || ioctl(fd, SIOCINQ, &unread) < 0)
    return 0;
  return unread == 0 && (left == 0 || c->peer_len == 0);
}

/* -- Between requests ----------------------------------------------------- */

static int conn_is_clean(const httpd_conn *c)
{
  const httpd_req *r = c->req;
  return !r || (r->start == r->end && r->out_sent == r->out_len);
}

/* Leave the connection to the poll. A head that has begun keeps its deadline,
** however slowly it comes. 0, or an error when it had to be closed. */
static int conn_rest(httpd_conn *c)
{
  green_idle *s = &c->d->heads;
  if (c->phase == HTTPD_HEAD && conn_is_clean(c)) {
    green__httpd_give_req(c);
    if (c->pub.served > 0) s = &c->d->keep;
  }
  if (c->sock.f.idle == s) return 0;
  green_idle_remove(&c->sock.f);
  int err = green_idle_add(s, &c->sock.f);
  if (err < 0) conn_close(c);
  return err;
}

/* Options may change at any time. */
static void set_timeout(green_idle *s, int64_t timeout)
{
  if (s->timeout != timeout) green_idle_set_timeout(s, timeout);
}

/* Everything is answered and sent, nothing is at hand. */
static void conn_settle(httpd_conn *c)
{
  set_timeout(&c->d->keep, c->d->pub.keepalive_timeout);
  conn_rest(c);
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
  c->d->pub.refused++;
  green__httpd_refuse(c, status);
  conn_hand_out(c, GREEN_HTTPD_REFUSED);
}

static void conn_start_request(httpd_conn *c, int head_len)
{
  httpd_req *r = c->req;
  c->pub.head = &r->head;
  c->pub.text = r->in + r->start;
  c->pub.begun = c->pub.head_out = c->pub.body_read = c->pub.chunked = false;
  c->pub.ended = false;
  c->pub.status = 0;
  c->pub.sent = 0;
  c->left = 0;
  c->pub.close = !r->head.keep_alive || !c->d->pub.keepalive;
  r->pos = r->start + (uint32_t)head_len;
  r->parsed = 0;
  r->started = c->d->hub->poll_now;
  r->answer = r->out_len;
  c->d->pub.requests++;
  green__httpd_body_start(c);
}

/* A head is complete. */
static void conn_take_head(httpd_conn *c, int head_len)
{
  const green_http1 *h = &c->req->head;
  const green_httpd *d = &c->d->pub;
  conn_start_request(c, head_len);
  if (h->method == GREEN_M_CONNECT && !d->connect)
    conn_refuse(c, 501, "CONNECT is not served");
  else if (h->content_length > d->max_body && d->max_body >= 0)
    conn_refuse(c, 413, "body larger than the limit");
  else
    conn_hand_out(c, GREEN_HTTPD_REQUEST);
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
  int r = green__httpd_body_drain(c);
  if (r == GREEN_EAGAIN) return r;
  if (r == GREEN_ETOOBIG || r == GREEN_EPROTO) {
    conn_linger(c);
    return r;
  }
  if (r < 0) {
    conn_close(c);
    return r;
  }
  c->phase = HTTPD_HEAD;
  c->req->start = c->req->pos;
  return 1;
}

/* Read and parse until there is something for a worker (1) or the connection
** has to wait (GREEN_EAGAIN) or is gone (another error). */
static int conn_try(httpd_conn *c)
{
  int n = green__httpd_take_req(c);
  if (n == 0 && c->phase == HTTPD_DRAIN) {
    n = conn_drain(c);
    if (n < 0) return n;
  }
  while (n >= 0 && !conn_parse(c)) {
    n = green__httpd_fill(c);
    if (n == 0) n = GREEN_EEOF;
  }
  if (n < 0 && n != GREEN_EAGAIN) conn_close(c);
  return n < 0 ? n : 1;
}

static int conn_advance(httpd_conn *c)
{
  int r = conn_try(c);
  if (r == GREEN_EAGAIN) conn_rest(c);
  return r == 1;
}

/* Its time is up: what has arrived in it counts. Only who has sent part of a
** head is told. */
static int conn_expire(httpd_conn *c)
{
  int was_idle = c->sock.f.idle == &c->d->keep;
  int r = conn_try(c);
  if (r != GREEN_EAGAIN) return r == 1;
  int has_part = c->phase == HTTPD_HEAD && c->req->start < c->req->end;
  if (was_idle && has_part) {
    conn_rest(c); /* A head has begun in time. */
    return 0;
  }
  if (!was_idle) c->d->pub.timeouts++;
  if (!has_part) {
    conn_close(c);
    return 0;
  }
  conn_refuse(c, 408, "head took too long");
  return 1;
}

/* -- Servers -------------------------------------------------------------- */

static httpd_conn *conn_of_fd(green_fd *f)
{
  return green_container(green_sock_of(f), httpd_conn, sock);
}

/* Lingering needs no worker. */
static void httpd_linger(httpd *d)
{
  green_fd *f;
  int expired;
  while ((f = green_idle_take(&d->linger, &expired)) != NULL)
    conn_discard(conn_of_fd(f), expired);
}

/* Whoever takes a ready connection goes on until there are none, so few workers
** are woken at first. Some left over means that handlers wait: more, then. */
static void httpd_set_burst(httpd *d, uint32_t ready)
{
  green_idlers *w = d->keep.workers;
  w->woken = 0;
  if (ready && !d->over && w->burst < HTTPD_BURST_MAX)
    w->burst *= 2;
  else if (!ready)
    w->burst -= (w->burst - 1 + 15) / 16;
}

static void httpd_wake_workers(httpd *d, uint32_t ready)
{
  green_idlers *w = d->keep.workers;
  uint32_t want = ready < w->burst ? ready : w->burst;
  while (w->woken < want && green_idlers_wake(w)) continue;
  d->pub.wanted = want - w->woken;
  if (d->pub.wanted && !d->pub.full) green_waitq_wake_all(&d->shortage, 0);
}

/* -- Sending together ------------------------------------------------------ */

/* Between two system calls the caches are the kernel's. So answers of several
** connections are made one after the other, and then sent. */
static void conn_send(httpd_conn *c)
{
  int err = green_httpconn_flush(&c->pub);
  if (err == GREEN_EAGAIN) {
    c->pub.found = GREEN_HTTPD_UNSENT;
    green_list_push(&c->d->stuck, &c->defer.link);
  } else if (err < 0) {
    conn_close(c);
  } else {
    conn_settle(c);
  }
}

static void httpd_send_unsent(httpd *d)
{
  green_link *k;
  d->n_unsent = 0;
  while ((k = green_list_pop(&d->unsent)) != NULL)
    conn_send(green_container(k, httpd_conn, defer.link));
}

/* A slow handler must not hold up the answers of others for long. */
static time_t coarse_ticks(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (time_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static void conn_put_off(httpd_conn *c)
{
  httpd *d = c->d;
  time_t now = coarse_ticks();
  if (d->n_unsent++ == 0) d->unsent_since = now;
  green_hub_undefer(&c->defer);
  green_list_push(&d->unsent, &c->defer.link);
  if (d->n_unsent >= HTTPD_TOGETHER || now != d->unsent_since)
    httpd_send_unsent(d);
}

/* At the end of each turn: are there connections that no worker has taken? */
static void httpd_on_turn(green_defer *defer)
{
  httpd *d = green_container(defer, httpd, defer);
  httpd_send_unsent(d);
  uint32_t ready = green_httpd_ready(&d->pub);
  if (d->linger.n_ready) httpd_linger(d);
  httpd_set_burst(d, ready);
  d->pub.wanted = 0;
  if (ready) httpd_wake_workers(d, ready);
  d->over = 0;
  d->pub.idle = d->keep.n_waiting;
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
  d->heads.workers = d->keep.workers;
  d->keep.workers->burst = 1;
  green_waitq_init(&d->shortage);
  green_list_init(&d->conns);
  green_list_init(&d->pool);
  green_list_init(&d->unsent);
  green_list_init(&d->stuck);
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
    green__httpd_req_free(green_container(k, httpd_req, link));
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
  /* What it cannot send, the next flush or finish will. */
  green_httpconn_flush(&c->pub);
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
  set_timeout(&d->heads, d->pub.header_timeout);
  if (conn_rest(c) == 0 && c->req) green__idle_event(&c->sock.f);
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

/* What s has read and not given out is the start of the first head. */
static int conn_take_input(httpd_conn *c, const green_sock *s)
{
  size_t n = green_buf_len(&s->in);
  if (n == 0) return 0;
  int err = green__httpd_take_req(c);
  while (err == 0 && c->req->in_cap < n) err = green__httpd_grow(c->req);
  if (err < 0) return err;
  memcpy(c->req->in, green_buf_data(&s->in), n);
  c->req->end = (uint32_t)n;
  return 0;
}

int green_httpd_adopt(green_httpd *pub, green_sock *s)
{
  httpd_conn *c = conn_new(httpd_of(pub));
  green_addr peer = {0};
  if (!c) return GREEN_ENOMEM;
  green_sock_peername(s, &peer);
  int err = conn_take_input(c, s), fd = -1;
  if (err == 0) err = fd = green_sock_detach(s);
  if (err >= 0) err = green_sock_adopt(&c->sock, fd);
  if (err < 0) {
    if (fd >= 0) close(fd);
    green__httpd_give_req(c);
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
  httpd_conn *c = *out = conn_of_fd(f);
  return expired ? conn_expire(c) : conn_advance(c);
}

/* Timers and other threads must not wait for all requests there are. The clock
** is read now and then. */
static int httpd_turn_is_over(httpd *d)
{
  if (!d->over && (++d->taken & 15) == 0)
    d->over = green_hub_now(d->hub) - d->hub->poll_now > HTTPD_TURN;
  return d->over;
}

green_httpconn *green_httpd_next(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  green_idle *const sets[] = {&d->keep, &d->heads};
  httpd_conn *c = NULL;
  int found = 0;
  green_link *k = green_list_pop(&d->stuck);
  if (k) return &green_container(k, httpd_conn, defer.link)->pub;
  while (found == 0 && !httpd_turn_is_over(d)) {
    int first = d->taken & 1; /* Neither starves the other. */
    found = httpd_take(sets[first], &c);
    if (found < 0) found = httpd_take(sets[!first], &c);
  }
  if (found > 0) return &c->pub;
  httpd_send_unsent(d);
  return NULL;
}

void *green_httpd_queue(green_httpd *d)
{
  return &httpd_of(d)->keep.workers_own.tasks;
}

void *green_httpd_shortage(green_httpd *d)
{
  return &httpd_of(d)->shortage;
}

uint32_t green_httpd_ready(const green_httpd *pub)
{
  const httpd *d = (const httpd *)pub;
  return d->keep.n_ready + d->heads.n_ready + !green_list_empty(&d->stuck);
}

/* Waits, and nothing of a request has been seen; or was answered. */
static int conn_is_idle(const httpd_conn *c)
{
  if (c->phase == HTTPD_LINGER) return conn_is_delivered(c);
  if (c->phase != HTTPD_HEAD || green_link_in(&c->sock.f.ready_link)) return 0;
  return !c->req || c->req->start == c->req->end;
}

static void httpd_close_set(green_idle *s, bool all)
{
  green_link *next, *k = s->waiting.next;
  for (; k != &s->waiting; k = next) {
    httpd_conn *c = conn_of_fd(green_container(k, green_fd, idle_link));
    next = k->next;
    if (all || conn_is_idle(c))
      conn_close(c);
    else if (c->phase == HTTPD_DRAIN)
      conn_linger(c); /* It has its answer, and a while to read it. */
  }
}

void green_httpd_close_idle(green_httpd *pub, bool all)
{
  httpd *d = httpd_of(pub);
  httpd_close_set(&d->keep, all);
  httpd_close_set(&d->heads, all);
  httpd_close_set(&d->linger, all);
  httpd_stop_timers(d);
  pub->idle = d->keep.n_waiting;
}

/* -- Connections in a worker's hands -------------------------------------- */

green_sock *green_httpconn_sock(green_httpconn *pub)
{
  httpd_conn *c = httpd_conn_of(pub);
  return c->sock.f.fd < 0 ? NULL : &c->sock;
}

green_httpd *green_httpconn_server(const green_httpconn *pub)
{
  return &((const httpd_conn *)pub)->d->pub;
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

/* All answers are sent. Nothing new is read here: a client that sends without
** end gets its turn, as everybody does. */
static int conn_go_on(httpd_conn *c)
{
  int drained = 0;
  if (c->phase == HTTPD_DRAIN) {
    drained = conn_drain(c);
    if (drained < 0 && drained != GREEN_EAGAIN) return 0;
  }
  /* What was read behind the rest of a body waits its turn, too. */
  if (drained == 0 && conn_parse(c)) return 1;
  set_timeout(&c->d->keep, c->d->pub.keepalive_timeout);
  if (conn_rest(c) == 0 && drained == 1 && c->req)
    green__idle_event(&c->sock.f);
  return 0;
}

static int conn_must_close(httpd_conn *c)
{
  const green_httpd *d = &c->d->pub;
  if (c->pub.close || c->body_failed || d->closing) return 1;
  return d->max_requests && c->pub.served + 1 >= d->max_requests;
}

/* It has all that is at hand, and a small answer that will leave at once. */
static int conn_can_wait(const httpd_conn *c)
{
  const httpd_req *r = c->req;
  return c->d->pub.gather && c->phase == HTTPD_HEAD && !c->left &&
         r->start == r->end && r->out_len - r->out_sent <= HTTPD_BUFFER;
}

int green_httpconn_finish(green_httpconn *pub)
{
  httpd_conn *c = httpd_conn_of(pub);
  int active = c->phase == HTTPD_ACTIVE; /* Not when called again. */
  /* Threads that the handler left behind: it is not theirs any more. */
  green_fd_wake(&c->sock.f, GREEN_ECLOSED);
  int closing = active && conn_must_close(c);
  if (active && !closing && c->body_done && conn_next(c)) return 1;
  if (active && !closing && conn_can_wait(c)) {
    conn_put_off(c);
    return 0;
  }
  int err = green_httpconn_flush(pub);
  if (err == GREEN_EAGAIN) return err;
  if (err < 0) {
    conn_close(c);
    return 0;
  }
  if (closing) return conn_end(c);
  if (c->phase == HTTPD_ACTIVE) {
    c->phase = HTTPD_DRAIN;
    c->pub.served++;
  }
  return conn_go_on(c);
}

void green_httpconn_close(green_httpconn *pub)
{
  conn_close(httpd_conn_of(pub));
}

int green_httpconn_detach(green_httpconn *pub, green_sock *s)
{
  httpd_conn *c = httpd_conn_of(pub);
  httpd_req *r = c->req;
  green_buf *in = green_sock_input(s);
  int fd = -1, err = green_httpconn_flush(pub);
  if (err == GREEN_EAGAIN) return err;
  if (err == 0) err = fd = green_sock_detach(&c->sock);
  if (err >= 0) err = green_sock_adopt(s, fd);
  if (err < 0 && fd >= 0) close(fd);
  if (err == 0) err = green_buf_append(in, r->in + r->given_off, r->given_len);
  if (err == 0) err = green_buf_append(in, r->in + r->pos, r->end - r->pos);
  if (err < 0) green_sock_close(s);
  conn_close(c);
  return err;
}
