/*
** resolver.c: which server is asked, when the next one is, and who waits.
**
** A question makes attempts, one at a time; each has a time of its own. One
** whose time is up stays in its channel: a late answer is as good as any, as
** long as the question is open. What the question does not need any more goes
** on as an orphan, and its answer is dropped.
*/

#include "io/resolver.h"

#include "base/fork.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/resolver_priv.h"
#include "proto/dns_message.h"

#include <string.h>

/* How long one is not told of EDNS that did not understand it. */
#define NO_EDNS (600 * GREEN_SECOND)

/* What a server has not answered by then may be lost. */
#define AGAIN GREEN_SECOND

typedef struct dns_attempt {
  green__dns_call call;
  green_link link; /* In its question, or among the probes. */
  green_timer timer;
  green__question *question; /* NULL: an orphan, or a probe. */
  green_resolver *resolver;
  green__dns_channel *channel; /* While wanted. */
  uint16_t query_len;
  uint8_t server;
  uint8_t tcp;
  uint8_t edns;
  uint8_t late; /* Its time is up. */
  uint8_t query[];
} dns_attempt;

/* -- Health --------------------------------------------------------------- */

/* Of those not tried in this round, the first that answers, or of those that do
** not the one whose time comes first; -1: none is left. */
static int server_choose(const green_resolver *r, const green__question *q)
{
  int best = -1;
  for (uint32_t k = 0; k < r->n_servers; k++) {
    uint32_t i = (q->first + k) % r->n_servers;
    if (q->tried & 1u << i) continue;
    if (!r->servers[i].peace) return (int)i;
    if (best < 0 || r->servers[i].down_till < r->servers[best].down_till)
      best = (int)i;
  }
  return best;
}

/* A server that is well by UDP may take no TCP. */
static void server_blame(dns_attempt *a)
{
  green_resolver *r = a->resolver;
  if (a->tcp && !r->opts.tcp) return;
  green__dns_server_fell(&r->servers[a->server], green_hub_now(r->hub));
}

/* -- Attempts ------------------------------------------------------------- */

static void attempt_done(green__dns_call *call);
static void attempt_expired(green_timer *t);

/* Nobody waits for it: after that it is its channel's alone. That may go, and
** take it along. */
static void attempt_orphan(dns_attempt *a)
{
  green__dns_channel *c = a->channel;
  green_link_remove(&a->link);
  a->question = NULL;
  a->channel = NULL;
  green_hub_timer_stop(a->resolver->hub, &a->timer);
  c->wanted--;
  green__resolver_rest(a->resolver, c);
}

/* Who drops what has EDNS is silent in the first round. */
static int says_edns(const green_resolver *r, const green__dns_server *s,
                     const green__question *q)
{
  if (!r->opts.edns || q->round > 0) return 0;
  return !s->plain_till || green_hub_now(r->hub) >= s->plain_till;
}

static int attempt_fill(dns_attempt *a, const green__question *q)
{
  green_resolver *r = a->resolver;
  green__dns_server *s = &r->servers[a->server];
  memcpy(a->query, q->query, q->query_len);
  a->query_len = q->query_len;
  a->edns = (uint8_t)says_edns(r, s, q);
  if (!a->edns)
    a->query_len = (uint16_t)green__dns_plain(a->query, a->query_len);
  return green__dns_roll(a->query, &r->dice, !a->tcp);
}

static int64_t attempt_due(const green_resolver *r, const green__question *q,
                           int64_t now)
{
  int64_t timeout = r->opts.timeout << (q->round < 8 ? q->round : 8);
  return now > GREEN_NEVER - timeout ? GREEN_NEVER : now + timeout;
}

/* Room of those that are used again: for nearly all names. */
enum { ATTEMPT_ROOM = 128, ATTEMPTS_SPARE = 64 };

static dns_attempt *attempt_new(green_resolver *r, size_t room)
{
  green_link *k = room <= ATTEMPT_ROOM ? green_list_pop(&r->spare) : NULL;
  if (!k)
    return green__zalloc(sizeof(dns_attempt) +
                         (room <= ATTEMPT_ROOM ? ATTEMPT_ROOM : room));
  r->n_spare--;
  dns_attempt *a = green_container(k, dns_attempt, link);
  memset(a, 0, sizeof(*a));
  return a;
}

/* r: where it may be used again, or NULL. */
static void attempt_free(dns_attempt *a, green_resolver *r)
{
  if (!r || r->n_spare >= ATTEMPTS_SPARE || a->query_len > ATTEMPT_ROOM) {
    green__free(a);
    return;
  }
  r->n_spare++;
  green_list_push(&r->spare, &a->link);
}

/* Send the question to that server. list: where the attempt stands. 0, or why
** it could not even be tried. */
static int attempt_start(green__question *q, int server, int tcp,
                         green_list *list)
{
  green_resolver *r = q->resolver;
  int64_t now = green_hub_now(r->hub);
  int err = GREEN_ENOMEM;
  dns_attempt *a = attempt_new(r, q->query_len);
  if (!a) return err;
  a->resolver = r;
  a->server = (uint8_t)server;
  a->tcp = (uint8_t)tcp;
  a->call.done = attempt_done;
  a->timer.fire = attempt_expired;
  err = attempt_fill(a, q);
  if (err == 0)
    err = green_hub_timer_set(r->hub, &a->timer, attempt_due(r, q, now));
  if (err == 0)
    a->channel = green__resolver_channel(r, &r->servers[server], tcp, &err);
  if (err < 0) {
    green_hub_timer_stop(r->hub, &a->timer);
    green__free(a);
    return err;
  }
  a->question = list == &q->attempts ? q : NULL;
  if (a->question) q->sent_at = now;
  a->channel->wanted++;
  green_list_push(list, &a->link);
  r->n_sent++;
  green__dns_channel_ask(a->channel, &a->call, a->query, a->query_len);
  return 0;
}

/* A server whose peace is over gets a copy; who cannot be asked is not. */
static void attempt_probe(green__question *q, int but)
{
  green_resolver *r = q->resolver;
  int64_t now = r->n_servers > 1 ? green_hub_now(r->hub) : 0;
  for (uint32_t i = 0; i < r->n_servers; i++) {
    green__dns_server *s = &r->servers[i];
    if ((int)i == but || !s->peace || now < s->down_till) continue;
    green__dns_server_fell(s, green_hub_now(r->hub));
    attempt_start(q, (int)i, r->opts.tcp, &r->probes);
    return;
  }
}

/* -- Questions ------------------------------------------------------------ */

/* The end of a pair, if it is one. */
green__question *green__question_part(green__question *q)
{
  green__question *other = q->other;
  if (other) q->other = other->other = NULL;
  return other;
}

void green__question_leave(green__question *q)
{
  green_resolver *r = q->resolver;
  for (green_link *k; (k = green_list_first(&q->attempts));)
    attempt_orphan(green_container(k, dns_attempt, link));
  green_link_remove(&q->link);
  q->resolver = NULL;
  if (q->is_out) r->n_out--;
}

/* Nobody needs it any more? */
void green__question_free(green__question *q)
{
  if (q->users || q->resolver || q->node.state != GREEN__DNS_ALONE) return;
  green__free((void *)(uintptr_t)q->q.answer);
  if (q->q.addrs != q->q.few) green__free((void *)(uintptr_t)q->q.addrs);
  green__free(q);
}

static void question_lose(green__dns_store *s, green__dns_node *node)
{
  green__dns_store_remove(s, node);
  green__question_free(green__question_at(node));
}

/* Its result is kept for others, or not. */
static void question_store(green_resolver *r, green__question *q)
{
  green__dns_node *k = &q->node;
  if (k->state != GREEN__DNS_ASKED) return;
  int is_kept = q->q.result == 0 && q->q.till > q->q.done_at && r->store.most;
  k = is_kept ? green__dns_store_keep(&r->store, k) : k;
  if (k) question_lose(&r->store, k);
}

static void question_done(green__question *q, int result, int64_t now)
{
  green__question *other = green__question_part(q);
  green_assert(result != GREEN_EAGAIN, "Nobody would go on waiting for it.");
  if (!q->is_read) q->q.done_at = now;
  if (!q->is_read && result == 0) result = green__dns_result(&q->q, now);
  q->q.result = result;
  green_waitq_wake_all(&q->waiters, 0);
  if (other) green_waitq_wake_all(&other->waiters, 0);
}

static void question_finish(green__question *q, int result)
{
  green_resolver *r = q->resolver;
  green__question_leave(q);
  question_done(q, result, green_hub_now(r->hub));
  question_store(r, q);
  green__resolver_pump(r);
}

/* An answer that says that the server could not: better than nothing, if no
** other one can. */
static void question_keep(green__question *q, dns_attempt *a)
{
  green__free((void *)(uintptr_t)q->q.answer);
  q->q.answer = (const char *)a->call.answer;
  q->q.len = (uint32_t)a->call.len;
  q->q.server = a->server;
  a->call.answer = NULL;
}

/* 0: send it to that server. */
static int question_send(green__question *q, int server, int tcp)
{
  int err = attempt_start(q, server, tcp, &q->attempts);
  if (err < 0) return err;
  q->q.sent++;
  if (!q->q.answer) q->q.server = server;
  return 0;
}

void green__question_again(green__question *q)
{
  green_resolver *r = q->resolver;
  green_hub_check_fork(r->hub);
  int64_t now = green_hub_now(r->hub);
  if (green_list_empty(&q->attempts) || now - q->sent_at < AGAIN) return;
  dns_attempt *a = green_container(q->attempts.prev, dns_attempt, link);
  q->sent_at = now;
  if (!green__dns_channel_again(a->channel, &a->call)) return;
  q->q.sent++;
  r->n_sent++;
}

/* The next server, or the end of the rounds. */
static void question_next(green__question *q)
{
  green_resolver *r = q->resolver;
  int i = server_choose(r, q);
  if (i < 0 && ++q->round < r->opts.tries) {
    q->tried = 0;
    i = server_choose(r, q);
  }
  if (i < 0) {
    question_finish(q, q->q.answer ? 0 : q->error);
    return;
  }
  q->tried |= 1u << i;
  int err = question_send(q, i, r->opts.tcp);
  if (err < 0) question_finish(q, err);
}

static void question_begin(green__question *q)
{
  green_resolver *r = q->resolver;
  q->first = r->opts.rotate ? r->next++ % r->n_servers : 0;
  q->tried = 0;
  q->round = 0;
  q->error = GREEN_ETIMEDOUT;
  q->is_out = 1;
  r->n_out++;
  question_next(q);
  if (q->resolver) attempt_probe(q, q->q.server);
}

/* Those in line, as many as may be out. */
void green__resolver_pump(green_resolver *r)
{
  if (r->pumping) return;
  r->pumping = 1;
  while (r->n_out < GREEN_RESOLVER_OUT) {
    green_link *k = green_list_pop(&r->waiting);
    if (!k) break;
    green_list_push(&r->asking, k);
    question_begin(green_container(k, green__question, link));
  }
  r->pumping = 0;
}

/* -- What comes back ------------------------------------------------------ */

static void attempt_expired(green_timer *t)
{
  dns_attempt *a = green_container(t, dns_attempt, timer);
  green__question *q = a->question;
  server_blame(a);
  a->late = 1;
  if (!q) {
    attempt_orphan(a);
    return;
  }
  q->error = GREEN_ETIMEDOUT;
  question_next(q);
}

/* It is the end, unless it makes no sense: another server may. */
static void answer_read(green__question *q, const dns_attempt *a)
{
  q->q.done_at = green_hub_now(q->resolver->hub);
  int err = green__dns_result(&q->q, q->q.done_at);
  q->is_read = err != GREEN_EPROTO;
  if (q->is_read)
    question_finish(q, err);
  else if (!a->late)
    question_next(q);
}

/* An answer that nobody has forged: is it the end? */
static void answer_take(green__question *q, dns_attempt *a)
{
  green_resolver *r = q->resolver;
  int rcode = a->call.answer[3] & 15;
  if (!a->late && a->edns &&
      (rcode == GREEN_DNS_FORMERR || rcode == GREEN_DNS_NOTIMP)) {
    r->servers[a->server].plain_till = green_hub_now(r->hub) + NO_EDNS;
    if (question_send(q, a->server, a->tcp) == 0) return;
  }
  if (!a->edns && r->opts.edns && q->round > 0)
    r->servers[a->server].plain_till = green_hub_now(r->hub) + NO_EDNS;
  question_keep(q, a);
  if (rcode == GREEN_DNS_NOERROR || rcode == GREEN_DNS_NXDOMAIN)
    answer_read(q, a);
  else if (!a->late)
    question_next(q);
}

/* It was cut short; or the letters differ: somebody may have guessed the rest.
** By TCP there is room for all, and nobody can come between. */
static void answer_again(green__question *q, const dns_attempt *a)
{
  int err = a->late ? 0 : question_send(q, a->server, 1);
  if (err < 0) question_finish(q, err);
}

/* Is that what it takes to be believed, by UDP? */
static int is_whole(const dns_attempt *a)
{
  const green__dns_call *call = &a->call;
  return green__dns_is_answer(call->answer, (size_t)call->len, a->query) &&
         !(call->answer[2] & GREEN_DNS_TC >> 8);
}

/* To a question that is open still. While one is late another one is under
** way. */
static void answer_come(green__question *q, dns_attempt *a)
{
  const green__dns_call *call = &a->call;
  if (call->status < 0) {
    if (a->late) return;
    q->error = call->status;
    question_next(q);
  } else if (green__dns_is_headless(call->answer, (size_t)call->len)) {
    answer_take(q, a);
  } else if (!a->tcp && !is_whole(a)) {
    answer_again(q, a);
  } else if (!green__dns_restore(call->answer, (size_t)call->len, q->query)) {
    q->error = GREEN_EPROTO;
    if (!a->late) question_next(q);
  } else {
    answer_take(q, a);
  }
}

static void attempt_done(green__dns_call *call)
{
  dns_attempt *a = green_container(call, dns_attempt, call);
  green__dns_channel *c = a->channel;
  green_resolver *r = a->resolver;
  if (c) { /* Else it is an orphan, and its resolver may have ended. */
    green__question *q = a->question;
    if (call->status == 0)
      r->servers[a->server].peace = 0;
    else if (call->status != GREEN_ECLOSED && !green__dns_is_ours(call->status))
      server_blame(a);
    green_hub_timer_stop(r->hub, &a->timer);
    green_link_remove(&a->link);
    c->wanted--;
    if (q) answer_come(q, a);
    green__resolver_rest(r, c);
  }
  green__free(call->answer);
  attempt_free(a, c ? r : NULL);
}

/* -- Resolvers ------------------------------------------------------------ */

size_t green_resolver_size(void)
{
  return sizeof(green_resolver);
}

static void resolver_close_channels(green_resolver *r)
{
  green_list line;
  green_list_init(&line);
  for (green_link *k; (k = green_list_first(&r->asking));) {
    green__question *q = green_container(k, green__question, link);
    while ((k = green_list_first(&q->attempts)))
      attempt_orphan(green_container(k, dns_attempt, link));
    green_link_remove(&q->link);
    green_list_push(&line, &q->link);
    q->is_out = 0;
  }
  green_list_splice(&line, &r->waiting);
  green_list_splice(&r->waiting, &line);
  for (green_link *k; (k = green_list_first(&r->probes));)
    attempt_orphan(green_container(k, dns_attempt, link));
  for (green_link *k; (k = green_list_first(&r->channels));)
    green__dns_channel_free(green_container(k, green__dns_channel, link));
  for (uint32_t i = 0; i < r->n_servers; i++)
    memset(r->servers[i].channels, 0, sizeof(r->servers[i].channels));
  r->n_out = 0;
}

/* The sockets are the parent's, too: both would read the same answers. */
static void resolver_forked(green_forkhook *h)
{
  green_resolver *r = green_container(h, green_resolver, forked);
  resolver_close_channels(r);
  r->pumping = 0;
  green__resolver_pump(r);
}

int green_resolver_init(green_resolver *r, green_hub *hub)
{
  int err = green_dns_lib_load(NULL);
  if (err < 0) return err;
  r->hub = hub;
  green_list_init(&r->asking);
  green_list_init(&r->waiting);
  green_list_init(&r->channels);
  green_list_init(&r->probes);
  green_list_init(&r->spare);
  r->forked.run = resolver_forked;
  green_hub_on_fork(hub, &r->forked);
  return 0;
}

static int opts_are_good(const green_resolver_opts *o)
{
  return o->timeout > 0 && o->tries >= 1 &&
         (o->edns == 0 || (o->edns >= 512 && o->edns <= 4096));
}

static int servers_are_good(const green_addr *servers, int n)
{
  for (int i = 0; i < n; i++) {
    int family = green_addr_family(&servers[i]);
    if (family != GREEN_INET && family != GREEN_INET6) return 0;
  }
  return n >= 1 && n <= GREEN_RESOLVER_SERVERS;
}

int green_resolver_set(green_resolver *r, const green_resolver_opts *opts,
                       const green_addr *servers, int n)
{
  if (!r->hub) return GREEN_ECLOSED;
  if (r->servers) return GREEN_EALREADY;
  if (!opts_are_good(opts) || !servers_are_good(servers, n))
    return GREEN_EINVAL;
  uint64_t seed;
  int err = green_random_fill(&seed, sizeof(seed));
  if (err < 0) return err;
  r->servers = green__zalloc((size_t)n * sizeof(*r->servers));
  if (!r->servers) return GREEN_ENOMEM;
  for (int i = 0; i < n; i++) r->servers[i].addr = servers[i];
  r->n_servers = (uint32_t)n;
  r->opts = *opts;
  green__dns_store_init(&r->store, opts->known, seed);
  return 0;
}

static void resolver_forget_all(green_resolver *r)
{
  green__dns_node *k;
  for (int i = 0; i < GREEN__DNS_CLASSES; i++)
    while ((k = green__dns_store_oldest(&r->store, i)))
      question_lose(&r->store, k);
  green__dns_store_free(&r->store);
}

void green_resolver_deinit(green_resolver *r)
{
  if (!r->hub) return;
  green_forkhook_remove(&r->forked);
  resolver_close_channels(r);
  for (green_link *k; (k = green_list_pop(&r->waiting));) {
    green__question *q = green_container(k, green__question, link);
    q->resolver = NULL;
    green__dns_store_remove(&r->store, &q->node);
    question_done(q, GREEN_ECLOSED, green_hub_now(r->hub));
  }
  for (green_link *k; (k = green_list_pop(&r->spare));)
    green__free(green_container(k, dns_attempt, link));
  if (r->servers) resolver_forget_all(r);
  green__free(r->servers);
  r->servers = NULL;
  r->n_servers = 0;
  r->hub = NULL;
}
