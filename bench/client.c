/*
** client.c: many connections to one server, kept busy by one thread.
**
** Sockets are edge-triggered and registered once: no epoll_ctl a request. The
** clock is read once an event.
*/

#include "client.h"
#include "answer.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20, EVENTS = 256, PATTERN = 256, LARGE = 64 << 10 };

static const int64_t SECOND = 1000000000;
static const int64_t DRAIN = 10 * 1000000000LL;

typedef struct conn {
  int fd;           /* -1 when it has failed. */
  unsigned pending; /* Answers of this batch still to come. */
  const char *out;  /* The batch; all of them have the same length. */
  size_t sent;      /* Bytes of it written. */
  size_t echoed;    /* Bytes of it that came back (echo). */
  size_t skip;      /* Bytes of the present answer still to come (HTTP). */
  char *kept;       /* The start of an answer that is not whole enough. */
  size_t kept_len;
  int64_t due; /* When the batch was to be sent. */
  tls tls;
  SSL_SESSION *session; /* The newest. */
  bool resuming;        /* The handshake under way, or the last one. */
  bool failed;
} conn;

struct client {
  const client_opts *o;
  int epoll;
  conn *conns;
  unsigned alive;
  conn **idle; /* A ring of those with no batch on its way. */
  unsigned idle_first, idle_len;
  char *batches; /* What is sent; echo's connections start inside it. */
  size_t batch_len;
  size_t head_len; /* Of a request with a large body; else 0. */
  char *buf;       /* READ_MAX */
  answer_parser parser;
  SSL_CTX *tls; /* NULL: plain. */
  /* The present run. */
  client_result *r;
  uint64_t count, issued, outstanding;
  int64_t started, ends, now;
};

/* -- Connecting ----------------------------------------------------------- */

static int socket_connect(const client_opts *o, int64_t deadline)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(o->port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (;;) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    if (meter_now() > deadline) return -1;
    usleep(20000);
  }
}

/* The client's first flight leaves when its first request is due. */
static void conn_start_tls(client *c, conn *k)
{
  fcntl(k->fd, F_SETFL, O_NONBLOCK);
  tls_start(&k->tls, c->tls, k->fd, false);
  SSL_set_connect_state(k->tls.ssl);
  SSL_set_ex_data(k->tls.ssl, 0, &k->session);
  k->resuming = c->o->resume && k->session;
  if (k->resuming) SSL_set_session(k->tls.ssl, k->session);
}

static int conn_open(client *c, conn *k, int64_t deadline)
{
  int one = 1;
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  k->fd = socket_connect(c->o, deadline);
  if (k->fd < 0) return -1;
  setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!c->o->fresh)
    setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (c->tls) conn_start_tls(c, k);
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                          .data.ptr = k};
  return epoll_ctl(c->epoll, EPOLL_CTL_ADD, k->fd, &e);
}

static void idle_push(client *c, conn *k)
{
  c->idle[(c->idle_first + c->idle_len++) % c->o->conns] = k;
}

static conn *idle_pop(client *c)
{
  conn *k = c->idle[c->idle_first];
  c->idle_first = (c->idle_first + 1) % c->o->conns;
  c->idle_len--;
  return k;
}

/* Echo connections send different bytes, so that an answer which went to the
** wrong one is noticed: each starts at its own place in the repeated
** message. */
static void conns_fill(client *c)
{
  const client_opts *o = c->o;
  c->batch_len = o->request_len * o->depth;
  size_t all = c->batch_len + (c->batch_len > LARGE ? LARGE : PATTERN);
  c->batches = malloc(all);
  for (size_t i = 0; i < all; i++)
    c->batches[i] = o->request[i % o->request_len];
  if (o->mode == CLIENT_HTTP && o->depth == 1 && c->batch_len > 2 * LARGE)
    c->head_len = (size_t)(strstr(o->request, "\r\n\r\n") + 4 - o->request);
  for (unsigned i = 0; i < o->conns; i++) {
    c->conns[i].fd = -1;
    c->conns[i].out = c->batches + (o->mode == CLIENT_ECHO ? i % PATTERN : 0);
  }
}

/* -- Batches -------------------------------------------------------------- */

static void conn_close(conn *k, bool say)
{
  tls_end(&k->tls, say);
  close(k->fd);
  k->fd = -1;
}

static void conn_fail(client *c, conn *k, const char *why)
{
  if (c->r->errors == 0) fprintf(stderr, "load: %s\n", why);
  c->r->errors += k->pending ? k->pending : 1;
  if (k->pending) c->outstanding--;
  k->pending = 0;
  k->failed = true;
  conn_close(k, false);
  c->alive--;
}

static void conn_send_tls(client *c, conn *k)
{
  if (!k->tls.done) return;
  ssize_t n = tls_put(&k->tls, k->out + k->sent, c->batch_len - k->sent);
  if (n == TLS_FAILED)
    conn_fail(c, k, "TLS: sending failed");
  else
    k->sent += (size_t)n;
}

static void conn_send(client *c, conn *k)
{
  if (c->tls) {
    conn_send_tls(c, k);
    return;
  }
  while (k->sent < c->batch_len) {
    ssize_t n = write(k->fd, k->out + k->sent, c->batch_len - k->sent);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      conn_fail(c, k, strerror(errno));
      return;
    }
    k->sent += (size_t)n;
  }
}

static int64_t next_due(const client *c)
{
  if (c->o->rate <= 0) return c->now;
  return c->started + (int64_t)((double)c->issued / c->o->rate * 1e9);
}

static int may_issue(const client *c)
{
  return c->issued < c->count && c->now < c->ends && c->alive > 0;
}

/* The one before was closed, unless it has failed. */
static bool conn_again(client *c, conn *k)
{
  if (!c->o->fresh || k->failed) return false;
  if (conn_open(c, k, c->now + SECOND) == 0) return true;
  conn_fail(c, k, strerror(errno));
  return false;
}

/* No large body is the one before: it begins at its own place in the bytes,
** where its head is put, and nobody else's. A server that keeps equal strings
** once would notice. */
static void conn_vary(client *c, conn *k)
{
  char *at = c->batches + c->issued * 37 % PATTERN * (LARGE / PATTERN);
  memcpy(at, c->o->request, c->head_len);
  k->out = at;
}

/* Send what is due on the connections that are free. */
static void issue(client *c)
{
  while (c->idle_len && c->outstanding < c->o->in_flight && may_issue(c)) {
    int64_t due = next_due(c);
    if (due > c->now) return;
    conn *k = idle_pop(c);
    if (k->fd < 0 && !conn_again(c, k)) continue;
    k->due = due;
    k->pending = c->o->depth;
    k->sent = k->echoed = 0;
    if (c->head_len) conn_vary(c, k);
    c->issued += c->o->depth;
    c->outstanding++;
    if (c->tls && !k->tls.done && tls_hello(&k->tls) == TLS_FAILED)
      conn_fail(c, k, "TLS: the handshake failed");
    else
      conn_send(c, k);
  }
}

static void answered(client *c, conn *k)
{
  c->r->requests++;
  meter_add(&c->r->latency, c->now - k->due);
  if (--k->pending) return;
  c->outstanding--;
  if (c->o->fresh) conn_close(k, true);
  idle_push(c, k);
}

/* -- Answers -------------------------------------------------------------- */

static int echo_take(client *c, conn *k, const char *p, size_t n)
{
  if (k->echoed + n > k->sent) return -1;
  if (memcmp(p, k->out + k->echoed, n) != 0) return -1;
  size_t size = c->o->request_len;
  size_t messages = (k->echoed + n) / size - k->echoed / size;
  k->echoed += n;
  while (messages--) answered(c, k);
  return 0;
}

static int keep(conn *k, const char *p, size_t n)
{
  if (n > READ_MAX / 2) return -1;
  char *kept = realloc(k->kept, n);
  if (!kept) return -1;
  memmove(kept, p, n);
  k->kept = kept;
  k->kept_len = n;
  return 0;
}

static int http_take(client *c, conn *k, const char *p, size_t n)
{
  while (n > 0) {
    if (k->skip == 0) {
      if (k->pending == 0) return -1;
      ssize_t len = answer_length(&c->parser, p, n);
      if (len == 0) return keep(k, p, n);
      if (len < 0 || c->parser.status != c->o->status) return -1;
      k->skip = (size_t)len;
    }
    size_t part = n < k->skip ? n : k->skip;
    k->skip -= part;
    p += part;
    n -= part;
    if (k->skip == 0) answered(c, k);
  }
  return 0;
}

/* As read, and whether there may be more. */
static ssize_t conn_receive(conn *k, char *p, size_t room, bool *more)
{
  if (!k->tls.ssl) {
    ssize_t n = read(k->fd, p, room);
    *more = n == (ssize_t)room;
    return n;
  }
  ssize_t n = tls_take(&k->tls, p, room);
  *more = !k->tls.drained;
  errno = n == TLS_AGAIN ? EAGAIN : EPROTO;
  return n < 0 ? -1 : n;
}

/* A short read means that the socket is drained, unless the end has come too
** (to_end): no other event would tell of it. */
static void conn_read(client *c, conn *k, bool to_end)
{
  bool more = true;
  while (k->fd >= 0 && (more || to_end)) {
    size_t kept = k->kept_len, room = READ_MAX - kept;
    if (kept) memcpy(c->buf, k->kept, kept);
    ssize_t n = conn_receive(k, c->buf + kept, room, &more);
    if (n < 0 && errno == EAGAIN && more && k->tls.ssl) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      conn_fail(c, k, n == 0 ? "the server closed" : strerror(errno));
      return;
    }
    k->kept_len = 0;
    c->r->bytes += (uint64_t)n;
    size_t have = kept + (size_t)n;
    int bad = c->o->mode == CLIENT_ECHO ? echo_take(c, k, c->buf, have)
                                        : http_take(c, k, c->buf, have);
    if (bad) {
      conn_fail(c, k, "a wrong answer");
      return;
    }
  }
}

static void conn_send_rest(client *c, conn *k)
{
  if (k->sent < c->batch_len)
    conn_send(c, k);
  else if (k->tls.rest && tls_flush(&k->tls) == TLS_FAILED)
    conn_fail(c, k, "TLS: sending failed");
}

/* The handshake is over. */
static void conn_agreed(client *c, conn *k)
{
  if (k->resuming && !SSL_session_reused(k->tls.ssl))
    conn_fail(c, k, "TLS: the session was not resumed");
  else
    conn_send(c, k);
}

static void conn_event(client *c, conn *k, uint32_t events)
{
  uint32_t end = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  if (k->fd < 0) return;
  if (k->pending && (events & EPOLLOUT)) conn_send_rest(c, k);
  bool before = k->tls.done;
  if (k->fd >= 0 && (end || (events & EPOLLIN))) conn_read(c, k, end != 0);
  if (k->fd >= 0 && k->tls.done && !before) conn_agreed(c, k);
}

/* Until events or the next due time; 100 ms at most, for the deadlines. */
static int wait_events(client *c, struct epoll_event *events)
{
  int64_t ns = SECOND / 10;
  if (c->o->rate > 0 && c->idle_len && may_issue(c)) {
    int64_t until = next_due(c) - c->now;
    if (until < ns) ns = until > 0 ? until : 0;
  }
  struct timespec t = {.tv_nsec = ns};
  int n = epoll_pwait2(c->epoll, events, EVENTS, &t, NULL);
  c->now = meter_now();
  return n;
}

/* -- Public --------------------------------------------------------------- */

client *client_new(const client_opts *o)
{
  signal(SIGPIPE, SIG_IGN);
  client *c = calloc(1, sizeof *c);
  c->o = o;
  c->epoll = epoll_create1(EPOLL_CLOEXEC);
  c->conns = calloc(o->conns, sizeof *c->conns);
  c->idle = calloc(o->conns, sizeof *c->idle);
  c->buf = malloc(READ_MAX);
  if (o->tls) c->tls = tls_client(o->tls);
  conns_fill(c);
  int64_t deadline = meter_now() + (int64_t)(o->wait * 1e9);
  for (unsigned i = 0; i < o->conns; i++) {
    if (conn_open(c, &c->conns[i], deadline) < 0) {
      fprintf(stderr, "load: connection %u: %s\n", i + 1, strerror(errno));
      client_free(c);
      return NULL;
    }
    c->alive++;
    idle_push(c, &c->conns[i]);
  }
  return c;
}

void client_free(client *c)
{
  for (unsigned i = 0; i < c->o->conns; i++) {
    if (c->conns[i].fd >= 0) conn_close(&c->conns[i], false);
    SSL_SESSION_free(c->conns[i].session);
    free(c->conns[i].kept);
  }
  close(c->epoll);
  SSL_CTX_free(c->tls);
  free(c->batches);
  free(c->buf);
  free(c->idle);
  free(c->conns);
  free(c);
}

void client_run(client *c, uint64_t count, double seconds, client_result *r)
{
  struct epoll_event events[EVENTS];
  memset(r, 0, sizeof *r);
  c->r = r;
  c->count = count;
  c->issued = 0;
  c->now = c->started = meter_now();
  c->ends = c->started + (int64_t)(seconds * 1e9);
  issue(c);
  while (c->outstanding || may_issue(c)) {
    int n = wait_events(c, events);
    for (int i = 0; i < n; i++) {
      if (i) c->now = meter_now();
      conn_event(c, events[i].data.ptr, events[i].events);
      issue(c);
    }
    issue(c);
    if (c->now > c->ends + DRAIN) break;
  }
  r->errors += c->outstanding * c->o->depth;
  r->seconds = (double)(meter_now() - c->started) / 1e9;
}
