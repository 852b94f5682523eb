/*
** rest.c: connections that nobody works on: between requests, lingering,
** closed.
**
** What a connection has only while a request is in hand, buffers and parser, is
** taken here from the server's pool and given back.
*/

#include "httpd/httpd_priv.h"
#include "base/mem.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define HTTPD_POOL \
  256 /* Free requests kept; with two buffers of 16 KB, 8 MB. */
#define HTTPD_LINGER_BYTES (32 << 20)   /* Of a peer that sends on and on. */
#define HTTPD_BRIEF_MOST 64             /* Behind alerts, at once. */
#define HTTPD_LOOK (GREEN_SECOND / 100) /* Between looks at who has it all. */
#define HTTPD_LINGER_TURN (256 << 10)   /* Of them in one turn. */

/* -- Requests from the pool ----------------------------------------------- */

void green__request_free(httpd_request *r)
{
  green__free(r->lines);
  green__free(r->in);
  green__free(r->out);
  green__free(r);
}

/* Who only ever sends a part of a head never gets room for an answer. */
static httpd_request *req_alloc(void)
{
  httpd_request *r = green__zalloc(sizeof(*r));
  if (!r) return NULL;
  r->in = green__alloc(HTTPD_BUFFER);
  if (!r->in) {
    green__request_free(r);
    return NULL;
  }
  r->in_cap = HTTPD_BUFFER;
  green_http_request_init(&r->head);
  green_http_body_init(&r->body, GREEN_BODY_NONE, 0);
  return r;
}

int green__request_take(httpd_conn *c)
{
  httpd *d = c->d;
  if (c->req) return 0;
  green_link *k = green_list_pop(&d->pool);
  c->req = k ? green_container(k, httpd_request, link) : req_alloc();
  if (!c->req) return GREEN_ENOMEM;
  if (k) d->pooled--;
  c->req->head.max_line = d->pub.max_line;
  c->req->head.max_field = d->pub.max_field;
  c->req->head.max_head = d->pub.max_head;
  c->req->head.max_headers = d->pub.max_headers;
  return 0;
}

void green__request_give(httpd_conn *c)
{
  httpd_request *r = c->req;
  if (!r) return;
  c->req = NULL;
  c->pub.head = NULL;
  c->pub.text = NULL;
  if (c->d->pooled >= HTTPD_POOL || r->in_cap > HTTPD_BUFFER ||
      r->out_cap > HTTPD_GATHER) {
    green__request_free(r);
    return;
  }
  r->start = r->pos = r->end = r->parsed = 0;
  r->out_len = r->out_sent = r->answer = 0;
  green_list_push_front(&c->d->pool, &r->link);
  c->d->pooled++;
}

/* -- Timers --------------------------------------------------------------- */

/* A server that has ended leaves no deadline behind; one that goes on saves the
** trouble. */
void green__httpd_if_over(httpd *d)
{
  if (!d->hub || !d->pub.closing || d->pub.connections > 0) return;
  green_hub_timer_stop(d->hub, &d->keep.timer);
  green_hub_timer_stop(d->hub, &d->heads.timer);
  green_hub_timer_stop(d->hub, &d->linger.timer);
  green_hub_timer_stop(d->hub, &d->brief.timer);
  green_hub_timer_stop(d->hub, &d->look);
  green_hub_timer_stop(d->hub, &d->away_timer);
  green__httpd_gone_close(d);
  green__pipe_drop(d);
}

void green__httpd_set_timeout(green_idle *s, int64_t timeout)
{
  if (s->timeout != timeout) green_idle_set_timeout(s, timeout);
}

/* -- The end of a connection ---------------------------------------------- */

/* Nearly always nobody waits: asked here, so that it costs a look. */
static void httpd_tell_departure(httpd *d)
{
  if (green_unlikely(d->departures.n)) green_waitq_wake_all(&d->departures, 0);
}

void green__conn_close(httpd_conn *c)
{
  httpd *d = c->d;
  green__crowd_leave(c);
  green_hub_undefer(&c->defer);
  green__conn_unwatch(c);
  if (c->chooses) d->pub.choices--;
  green_sock_close(&c->sock);
  green__request_give(c);
  green_link_remove(&c->link);
  green__free(c);
  if (--d->pub.connections == 0) green__httpd_if_over(d);
  httpd_tell_departure(d);
}

/* Without memory for it they linger as long as they may. */
static void httpd_look_later(httpd *d)
{
  if (d->look.slot || d->linger.n_waiting + d->brief.n_waiting == 0) return;
  green_hub_timer_set(d->hub, &d->look, green_hub_now(d->hub) + HTTPD_LOOK);
}

static void linger_in(green_idle *s, httpd_conn *c)
{
  int err = green_sock_shutdown(&c->sock, GREEN_WRITE);
  green_filter_drop(&c->sock); /* What comes is not looked at any more. */
  if (err == GREEN_EAGAIN) green_sock_shutdown(&c->sock, GREEN_WRITE);
  green__request_give(c);
  green__crowd_leave(c);
  c->phase = HTTPD_LINGER;
  c->drained = 0;
  green_hub_undefer(&c->defer);
  green_idle_remove(&c->sock.f);
  if (green_idle_add(s, &c->sock.f) < 0)
    green__conn_close(c);
  else if (c->d->pub.closing)
    httpd_look_later(c->d);
}

void green__conn_linger(httpd_conn *c)
{
  linger_in(&c->d->linger, c);
}

void green__conn_linger_briefly(httpd_conn *c)
{
  if (c->d->brief.n_waiting < HTTPD_BRIEF_MOST)
    linger_in(&c->d->brief, c);
  else
    green__conn_close(c);
}

/* After its share of a turn it waits for the next: the poll tells again. */
void green__conn_discard(httpd_conn *c, int expired)
{
  char sink[HTTPD_BUFFER];
  int64_t stop = c->drained + HTTPD_LINGER_TURN;
  while (!expired && c->drained < HTTPD_LINGER_BYTES) {
    int n = green_sock_recv(&c->sock, sink, sizeof(sink));
    if (n == GREEN_EAGAIN) return;
    if (n <= 0) break;
    c->drained += n;
    if (c->drained >= stop) return;
  }
  green__conn_close(c);
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

static void close_delivered(green_list *l)
{
  green_link *next;
  for (green_link *k = l->next; k != l; k = next) {
    httpd_conn *c = httpd_conn_of_fd(green_container(k, green_fd, idle_link));
    next = k->next;
    if (conn_is_delivered(c)) green__conn_close(c);
  }
}

void green__httpd_close_delivered(httpd *d)
{
  close_delivered(&d->linger.waiting);
  close_delivered(&d->brief.waiting);
  if (d->pub.closing) httpd_look_later(d);
}

/* That a peer has acknowledged all is no event: it has to be asked for. */
void green__httpd_on_look(green_timer *t)
{
  green__httpd_close_delivered(green_container(t, httpd, look));
}

/* -- Between requests ----------------------------------------------------- */

/* Waits for a request, and has nothing of one. */
static int conn_is_clean(const httpd_conn *c)
{
  const httpd_request *r = c->req;
  if (c->phase != HTTPD_HEAD && c->phase != HTTPD_HANDSHAKE) return 0;
  return !r || (r->start == r->end && r->out_sent == r->out_len);
}

/* What is due of a handshake was due before it had to wait for writing. */
static int conn_stand(green_idle *s, httpd_conn *c)
{
  green_fd *f = &c->sock.f;
  green_idle_remove(f);
  if (c->phase == HTTPD_HANDSHAKE && f->idle_due)
    return green_idle_add_by(s, f, f->idle_due);
  return green_idle_add(s, f);
}

int green__conn_rest(httpd_conn *c)
{
  green_idle *s = &c->d->heads;
  if (conn_is_clean(c)) {
    green__request_give(c);
    if (c->pub.served > 0 && !green_filter_has_part(&c->sock)) s = &c->d->keep;
    httpd_tell_departure(c->d);
  }
  if (c->sock.f.idle == s) return 0;
  int err = conn_stand(s, c);
  if (err < 0)
    green__conn_close(c);
  else if (green_filter_pending(&c->sock))
    green__idle_event(&c->sock.f); /* The poll does not know of these bytes. */
  return err;
}

int green__conn_settle(httpd_conn *c)
{
  green__httpd_set_timeout(&c->d->keep, c->d->pub.keepalive_timeout);
  return green__conn_rest(c);
}
