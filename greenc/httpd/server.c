/*
** server.c: a server: it accepts connections, hands those with a request to
** workers, and closes them all when it ends.
*/

#include "httpd/httpd.h"
#include "httpd/httpd_priv.h"
#include "hub/hub_priv.h"
#include "base/mem.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define HTTPD_LINGER_TIME (2 * GREEN_SECOND)
#define HTTPD_BRIEF_TIME (GREEN_SECOND / 2)
#define HTTPD_TURN (GREEN_SECOND / 20) /* For requests, of one turn. */

/* Requests between two polls that are worth a nap (green_httpd.nap). */
#define HTTPD_FEW_LEAST 2
#define HTTPD_FEW_MOST 15

/* How many workers may be woken in one turn; and each turn that leaves nothing
** over takes a sixteenth of that away: a lull of a turn or two forgets little,
** and a hundred turns everything. */
#define HTTPD_BURST_MAX 4096
#define HTTPD_BURST_LOSS 16

/* At connections that could go, for one that comes: each is a system call. If
** all of these have a request on its way, so have the others, most likely. */
#define HTTPD_SPARE_LOOKS 16

_Static_assert(sizeof(struct sockaddr_in6) <= 28, "room for a peer");

/* -- Turns ----------------------------------------------------------------- */

/* Lingering needs no worker. */
static void httpd_linger(green_idle *s)
{
  green_fd *f;
  int expired;
  while ((f = green_idle_take(s, &expired)) != NULL)
    green__conn_discard(httpd_conn_of_fd(f), expired);
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
    w->burst -= (w->burst - 1 + HTTPD_BURST_LOSS - 1) / HTTPD_BURST_LOSS;
}

static void httpd_wake_workers(httpd *d, uint32_t ready)
{
  green_idlers *w = d->keep.workers;
  uint32_t want = ready < w->burst ? ready : w->burst;
  while (w->woken < want && green_idlers_wake(w)) continue;
  d->pub.wanted = want - w->woken;
  if (d->pub.wanted && !d->pub.full) green_waitq_wake_all(&d->shortage, 0);
}

/* At the end of each turn: are there connections that no worker has taken? */
static void httpd_on_turn(green_defer *defer)
{
  httpd *d = green_container(defer, httpd, defer);
  green__httpd_send_unsent(d);
  uint32_t ready = green_httpd_ready(&d->pub);
  if (d->linger.n_ready) httpd_linger(&d->linger);
  if (d->brief.n_ready) httpd_linger(&d->brief);
  httpd_set_burst(d, ready);
  d->pub.wanted = 0;
  if (ready) httpd_wake_workers(d, ready);
  d->over = 0;
  d->pub.idle = d->keep.n_waiting;
  green_hub_defer(d->hub, defer);
}

/* -- Servers -------------------------------------------------------------- */

static const green_httpd httpd_defaults = {
    .keepalive_timeout = 75 * GREEN_SECOND,
    .header_timeout = 30 * GREEN_SECOND,
    .max_body = 64 << 20,
    .max_drain = 1 << 20,
    .max_connections = UINT32_MAX,
    .max_handshakes = UINT32_MAX,
    .max_handshakes_per_address = UINT32_MAX,
    .max_choices = 1024,
    .max_line = 8192,
    .max_field = 8192,
    .max_head = 65536,
    .max_headers = 100,
    .keepalive = true,
    .date = true,
    .half_close = true,
    .in_place = true,
};

size_t green_httpd_size(void)
{
  return sizeof(httpd);
}

static void httpd_close_all(httpd *d)
{
  green_link *k;
  while ((k = green_list_first(&d->conns)) != NULL)
    green__conn_close(green_container(k, httpd_conn, link));
}

static void httpd_close_links(green_list *l)
{
  green_link *k;
  while ((k = green_list_first(l)) != NULL)
    green__conn_close(green_container(k, httpd_conn, defer.link));
}

/* Nothing may be said by a TLS that is the parent's, nor without it: who has
** such a connection in hand finds it cut. */
static void httpd_drop_filters(httpd *d)
{
  for (green_link *k = d->conns.next; k != &d->conns; k = k->next) {
    httpd_conn *c = green_container(k, httpd_conn, link);
    if (c->sock.f.idle)
      green_filter_drop(&c->sock);
    else if (c->sock.filter)
      green_conn_cut(&c->pub, 0);
  }
}

/* Those in workers' hands are closed by whoever knows the workers. */
static void httpd_forked(green_forkhook *h)
{
  httpd *d = green_container(h, httpd, forked);
  green__httpd_gone_forked(d);
  green__pipe_drop(d); /* It is the parent's, too. */
  if (green_hub_inherits(d->hub)) return;
  green__httpd_forget_failures(d);
  httpd_close_links(&d->unsent);
  httpd_close_links(&d->stuck);
  httpd_close_links(&d->away);
  httpd_drop_filters(d);
  d->n_unsent = 0;
  green_httpd_close_idle(&d->pub, true);
}

void green_httpd_init(green_httpd *pub, green_hub *hub)
{
  httpd *d = httpd_of(pub);
  green_assert(!d->hub, "in zeroed memory");
  d->pub = httpd_defaults;
  d->hub = hub;
  d->gone.fd = d->pipe[0] = d->pipe[1] = -1;
  green_idle_init(&d->keep, hub, d->pub.keepalive_timeout);
  green_idle_init(&d->heads, hub, d->pub.header_timeout);
  green_idle_init(&d->linger, hub, HTTPD_LINGER_TIME);
  green_idle_init(&d->brief, hub, HTTPD_BRIEF_TIME);
  d->heads.workers = d->keep.workers;
  d->keep.workers->burst = 1;
  green_waitq_init(&d->shortage);
  green_waitq_init(&d->departures);
  green_waitq_init(&d->failed);
  d->look.fire = green__httpd_on_look;
  green_list_init(&d->conns);
  green_list_init(&d->pool);
  green_list_init(&d->fetched);
  green_list_init(&d->unsent);
  green_list_init(&d->stuck);
  green_list_init(&d->away);
  d->away_timer.fire = green__httpd_on_away;
  d->defer.run = httpd_on_turn;
  green_hub_defer(hub, &d->defer);
  d->forked.run = httpd_forked;
  green_hub_on_fork(hub, &d->forked);
}

void green_httpd_deinit(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  green_link *k;
  if (!d->hub) return;
  green_waitq_wake_all(&d->departures, GREEN_ECLOSED);
  httpd_close_all(d);
  green_hub_timer_stop(d->hub, &d->look);
  green_hub_timer_stop(d->hub, &d->away_timer);
  green__httpd_gone_close(d);
  green__pipe_drop(d);
  while ((k = green_list_pop(&d->pool)) != NULL)
    green__request_free(green_container(k, httpd_request, link));
  d->pooled = 0;
  green__free(d->sink);
  d->sink = NULL;
  green__free(d->load);
  d->load = NULL;
  green__httpd_free_failures(d);
  green__httpd_free_tls(d);
  green_tally_deinit(&d->crowd);
  green_forkhook_remove(&d->forked);
  green_hub_undefer(&d->defer);
  green_waitq_wake_all(&d->shortage, GREEN_ECLOSED);
  green_idle_deinit(&d->brief);
  green_idle_deinit(&d->linger);
  green_idle_deinit(&d->heads);
  green_idle_deinit(&d->keep);
  d->hub = NULL;
}

green_httpd *green_httpd_new(green_hub *hub)
{
  httpd *d = green__zalloc(sizeof(*d));
  if (!d) return NULL;
  green_httpd_init(&d->pub, hub);
  return &d->pub;
}

void green_httpd_free(green_httpd *pub)
{
  if (!pub) return;
  green_httpd_deinit(pub);
  green__free(httpd_of(pub));
}

static void conn_on_turn_end(green_defer *defer)
{
  httpd_conn *c = green_container(defer, httpd_conn, defer);
  /* What it cannot send, the next flush or finish will. */
  green_conn_flush(&c->pub);
}

static httpd_conn *conn_new(httpd *d)
{
  httpd_conn *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  c->d = d;
  c->defer.run = conn_on_turn_end;
  c->sock.f.hub = d->hub;
  c->sock.f.fd = -1;
  c->phase = HTTPD_HEAD;
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
  green__httpd_set_timeout(&d->heads, d->pub.header_timeout);
  if (d->tls_ctx || c->sock.filter) c->phase = HTTPD_HANDSHAKE;
  if (green__conn_rest(c) == 0 && (c->req || green_buf_len(&c->sock.in)))
    green__idle_event(&c->sock.f);
}

/* Bytes that the poll has not told of yet are a request that has begun, as are
** those that were fetched. */
static int conn_is_spare(const httpd_conn *c)
{
  int unread = 1;
  if (c->req && c->req->start < c->req->end) return 0;
  if (green_filter_pending(&c->sock) || green_filter_has_part(&c->sock))
    return 0;
  return ioctl(c->sock.f.fd, FIONREAD, &unread) == 0 && unread == 0;
}

static httpd_conn *list_spare(const green_list *l, int *looks)
{
  for (const green_link *k = l->next; k != l && *looks > 0; k = k->next) {
    httpd_conn *c = httpd_conn_of_fd(green_container(k, green_fd, idle_link));
    --*looks;
    if (conn_is_spare(c)) return c;
  }
  return NULL;
}

/* The oldest between requests, if it can be spared; NULL: none. */
static httpd_conn *httpd_spare(const httpd *d)
{
  int looks = HTTPD_SPARE_LOOKS;
  httpd_conn *c = list_spare(&d->keep.expired, &looks);
  return c ? c : list_spare(&d->keep.waiting, &looks);
}

static void httpd_evict(httpd *d, httpd_conn *spare)
{
  d->pub.evicted++;
  green__conn_close(spare);
}

/* accept4 wants a descriptor before it looks whether somebody is there. */
static int is_waited_for(const green_sock *listener)
{
  struct pollfd p = {.fd = green_sock_fileno(listener), .events = POLLIN};
  return poll(&p, 1, 0) > 0;
}

static int accept_without(httpd *d, green_sock *listener, httpd_conn *c,
                          green_addr *peer, int err)
{
  if (!is_waited_for(listener)) return GREEN_EAGAIN;
  httpd_conn *spare = httpd_spare(d);
  if (!spare) return err;
  httpd_evict(d, spare);
  return green_sock_accept(listener, &c->sock, peer);
}

/* Who comes is let in before another has to go: there may be nobody. */
static int accept_into(httpd *d, green_sock *listener, httpd_conn *c,
                       green_addr *peer)
{
  httpd_conn *spare = NULL;
  if (d->pub.connections >= d->pub.max_connections) {
    spare = httpd_spare(d);
    if (!spare) return GREEN_EBUSY;
  }
  int err = green_sock_accept(listener, &c->sock, peer);
  if (err == GREEN_EMFILE || err == GREEN_ENFILE)
    return accept_without(d, listener, c, peer, err);
  if (err == 0 && spare) httpd_evict(d, spare);
  return err;
}

int green_httpd_accept(green_httpd *pub, green_sock *listener, int max)
{
  httpd *d = httpd_of(pub);
  green_addr peer;
  int n = 0;
  if (!d->hub) return GREEN_ECLOSED;
  for (; n < max; n++) {
    httpd_conn *c = conn_new(d);
    if (!c) return n ? n : GREEN_ENOMEM;
    int err = accept_into(d, listener, c, &peer);
    if (err < 0) {
      green__free(c);
      return n ? n : err;
    }
    conn_enter(c, &peer);
  }
  return n;
}

/* What s has read and not given out is the start of the first head; or of the
** handshake, to which it goes with the socket. */
static int conn_take_input(httpd_conn *c, green_sock *s)
{
  size_t n = green_buf_len(&s->in);
  if (n == 0 || (c->d->tls_ctx && !s->filter)) return 0;
  int err = green__request_take(c);
  while (err == 0 && c->req->in_cap < n) err = green__request_grow(c->req);
  if (err < 0) return err;
  memcpy(c->req->in, green_buf_data(&s->in), n);
  c->req->end = (uint32_t)n;
  c->req->started = green__hub_poll_now(c->d->hub);
  green_buf_reset(&s->in);
  return 0;
}

int green_httpd_adopt(green_httpd *pub, green_sock *s)
{
  green_addr peer = {0};
  if (!httpd_of(pub)->hub) return GREEN_ECLOSED;
  httpd_conn *c = conn_new(httpd_of(pub));
  if (!c) return GREEN_ENOMEM;
  green_sock_peername(s, &peer);
  int err = conn_take_input(c, s);
  if (err == 0) err = green_sock_move(s, &c->sock);
  if (err < 0) {
    green__request_give(c);
    green__free(c);
    return err;
  }
  conn_enter(c, &peer);
  return 0;
}

/* One ready connection. -1: none; 0: nothing for a worker in it. */
static int httpd_take(httpd *d, httpd_conn **out)
{
  int expired, n = 0;
  if (green_list_empty(&d->fetched)) n = green__httpd_fetch(d);
  green_fd *f = green_idle_take_held(&d->fetched, &expired);
  if (!f) return n > 0 ? 0 : -1; /* All that were looked at had gone. */
  httpd_conn *c = *out = httpd_conn_of_fd(f);
  return expired ? green__conn_expire(c) : green__conn_advance(c);
}

/* Timers and other threads must not wait for all requests there are. The clock
** is read now and then. */
static int httpd_turn_is_over(httpd *d)
{
  if (!d->over && (++d->taken & 15) == 0)
    d->over = green_hub_now(d->hub) - green__hub_poll_now(d->hub) > HTTPD_TURN;
  return d->over;
}

green_conn *green_httpd_next(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  httpd_conn *c = NULL;
  int found = 0;
  if (!d->hub) return NULL;
  green_link *k = green_list_pop(&d->stuck);
  if (k) return &green_container(k, httpd_conn, defer.link)->pub;
  while (found == 0 && !httpd_turn_is_over(d)) found = httpd_take(d, &c);
  if (found > 0) return &c->pub;
  green__httpd_send_unsent(d);
  return NULL;
}

/* A poll for a few requests costs each of them much. One alone is not kept
** waiting, and many are enough. */
static int64_t httpd_nap(httpd *d)
{
  uint64_t n = d->pub.requests - d->polled;
  d->polled = d->pub.requests;
  return n >= HTTPD_FEW_LEAST && n <= HTTPD_FEW_MOST ? d->pub.nap : 0;
}

/* With some ready the turn is over, and others have theirs first. */
int green_httpd_poll(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  green_idlers *w = d->keep.workers;
  if (!d->hub || !pub->in_place || green_httpd_ready(pub)) return 0;
  w->polls = 1;
  int more = green_hub_poll(d->hub, httpd_nap(d));
  w->polls = 0;
  return more;
}

green_waitq *green_httpd_queue(green_httpd *d)
{
  return &httpd_of(d)->keep.workers_own.tasks;
}

green_waitq *green_httpd_shortage(green_httpd *d)
{
  return &httpd_of(d)->shortage;
}

green_waitq *green_httpd_departures(green_httpd *d)
{
  return &httpd_of(d)->departures;
}

uint32_t green_httpd_ready(const green_httpd *pub)
{
  const httpd *d = (const httpd *)pub;
  return d->keep.n_ready + d->heads.n_ready + !green_list_empty(&d->stuck);
}

/* Waits, and nothing of a request has been seen, nor of a handshake, which
** comes with one. */
static int conn_is_idle(const httpd_conn *c)
{
  if (green_link_in(&c->sock.f.ready_link)) return 0;
  if (c->phase == HTTPD_HANDSHAKE) return !c->sock.filter;
  if (c->phase != HTTPD_HEAD || c->awaited) return 0;
  if (green_filter_has_part(&c->sock)) return 0;
  return !c->req || c->req->start == c->req->end;
}

static void httpd_close_list(green_list *l, bool all)
{
  green_link *next;
  for (green_link *k = l->next; k != l; k = next) {
    httpd_conn *c = httpd_conn_of_fd(green_container(k, green_fd, idle_link));
    next = k->next;
    if (all || conn_is_idle(c)) {
      green__conn_farewell(c);
      green__conn_close(c);
    } else if (c->phase == HTTPD_DRAIN) {
      green__conn_linger(c); /* It has its answer, and a while to read it. */
    }
  }
}

static void httpd_close_set(green_idle *s, bool all)
{
  httpd_close_list(&s->waiting, all);
  httpd_close_list(&s->expired, all);
}

void green_httpd_close_idle(green_httpd *pub, bool all)
{
  httpd *d = httpd_of(pub);
  httpd_close_set(&d->keep, all);
  httpd_close_set(&d->heads, all);
  if (all) {
    httpd_close_links(&d->away);
    httpd_close_links(&d->stuck);
    httpd_close_set(&d->linger, all);
    httpd_close_set(&d->brief, all);
  } else if (!d->look.slot) { /* Else it comes soon: many may ask often. */
    green__httpd_close_delivered(d);
  }
  green__httpd_if_over(d);
  pub->idle = d->keep.n_waiting;
}
