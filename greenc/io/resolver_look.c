/*
** resolver_look.c: who asks, joins, and leaves.
*/

#include "base/mem.h"
#include "io/resolver_priv.h"
#include "proto/dns_message.h"

#include <string.h>

/* The query's bytes, in whose place an id and capitals come later; its length,
** or an error. */
static int query_write(const green_resolver *r, const char *name, size_t n,
                       int type, char query[GREEN_DNS_QUERY_MAX])
{
  green_dns_query what = {.flags = GREEN_DNS_RD | GREEN_DNS_AD,
                          .type = (uint16_t)type,
                          .udp_size = (uint16_t)r->opts.edns};
  if (!r->hub) return GREEN_ECLOSED;
  if (type < 1 || type > 65535 || !r->servers) return GREEN_EINVAL;
  return green_dns_message_query(&what, name, n, query, GREEN_DNS_QUERY_MAX);
}

static uint8_t class_of(int type)
{
  if (type == GREEN_DNS_A) return 0;
  return type == GREEN_DNS_AAAA ? 1 : 2;
}

static green__question *question_new(green_resolver *r, const char *query,
                                     int len, int type)
{
  green__question *q = green__zalloc(sizeof(*q) + (size_t)len);
  if (!q) return NULL;
  green_hub_check_fork(r->hub);
  q->q.result = GREEN_EAGAIN;
  q->q.server = -1;
  q->users = 1;
  q->resolver = r;
  q->query_len = (uint16_t)len;
  memcpy(q->query, query, (size_t)len);
  q->node.key = q->query;
  q->node.n = q->query_len;
  q->node.cls = class_of(type);
  green_waitq_init(&q->waiters);
  green_list_init(&q->attempts);
  return q;
}

static void question_start(green__question *q)
{
  green_resolver *r = q->resolver;
  green_list_push(&r->waiting, &q->link);
  green__resolver_pump(r);
}

int green_resolver_ask(green_question **out, green_resolver *r,
                       const char *name, size_t n, int type)
{
  char query[GREEN_DNS_QUERY_MAX];
  int len = query_write(r, name, n, type, query);
  if (len < 0) return len;
  green__question *q = question_new(r, query, len, type);
  if (!q) return GREEN_ENOMEM;
  *out = &q->q;
  question_start(q);
  return 0;
}

static uint32_t hash_of(const green_resolver *r, const char *query, int len)
{
  return green__dns_store_hash(&r->store, (const uint8_t *)query, (size_t)len);
}

static green__question *question_find(const green_resolver *r,
                                      const char *query, int len, uint32_t hash,
                                      int state)
{
  green__dns_node *k = green__dns_store_find(&r->store, (const uint8_t *)query,
                                             (uint16_t)len, hash, state);
  return k ? green__question_at(k) : NULL;
}

/* One of which the answer holds, or that is under way, or NULL. */
static green__question *question_shared(green_resolver *r, const char *query,
                                        int len, uint32_t hash,
                                        uint8_t *has_old)
{
  green__question *q = question_find(r, query, len, hash, 0);
  *has_old = q && q->node.state == GREEN__DNS_KNOWN;
  if (!*has_old) return q;
  if (green_hub_now(r->hub) >= q->q.till)
    return question_find(r, query, len, hash, GREEN__DNS_ASKED);
  green__dns_store_touch(&r->store, &q->node);
  return q;
}

int green_resolver_look(green_question **out, green_resolver *r,
                        const char *name, size_t n, int type)
{
  char query[GREEN_DNS_QUERY_MAX];
  int len = query_write(r, name, n, type, query);
  if (len < 0) return len;
  uint32_t hash = hash_of(r, query, len);
  uint8_t has_old;
  green__question *q = question_shared(r, query, len, hash, &has_old);
  if (q) {
    q->users++;
    *out = &q->q;
    if (q->resolver) green__question_again(q);
    return 0;
  }
  q = question_new(r, query, len, type);
  if (!q) return GREEN_ENOMEM;
  q->node.hash = hash;
  q->node.has_old = has_old;
  int err = green__dns_store_add(&r->store, &q->node);
  if (err < 0) {
    green__free(q);
    return err;
  }
  *out = &q->q;
  question_start(q);
  return 0;
}

int green_resolver_known(green_question **out, green_resolver *r,
                         const char *name, size_t n, int type)
{
  char query[GREEN_DNS_QUERY_MAX];
  int len = query_write(r, name, n, type, query);
  if (len < 0) return len;
  green__question *q =
      question_find(r, query, len, hash_of(r, query, len), GREEN__DNS_KNOWN);
  if (!q) return GREEN_ENOENT;
  q->users++;
  *out = &q->q;
  return 0;
}

int green_resolver_spots(const green_resolver *r, green_order *o,
                         const green_question *six, const green_question *four,
                         green_spot *out, int cap)
{
  int64_t now = r->hub ? green_hub_now(r->hub) : 0;
  return green__dns_spots(o, six, four, out, cap, now);
}

double green_resolver_now(const green_resolver *r)
{
  return r->hub ? (double)green_hub_now(r->hub) * 1e-9 : -1;
}

void green_resolver_forget(green_question *question)
{
  if (!question) return;
  green__question *q = green__question_of(question);
  green_resolver *r = q->resolver;
  if (--q->users) return;
  green_waitq_wake_all(&q->waiters, GREEN_ECLOSED);
  green__question_part(q);
  if (r) {
    green__dns_store_remove(&r->store, &q->node);
    green__question_leave(q);
    green__resolver_pump(r);
  }
  green__question_free(q);
}

void green_resolver_forget_in(green_question **q)
{
  green_resolver_forget(*q);
  *q = NULL;
}

green_waitq *green_resolver_waiters(green_question *q)
{
  return &green__question_of(q)->waiters;
}

void green_resolver_pair(green_question *one, green_question *two)
{
  green__question *a = green__question_of(one), *b = green__question_of(two);
  if (!a->resolver || !b->resolver || a == b) return;
  green__question_part(a);
  green__question_part(b);
  a->other = b;
  b->other = a;
}

static uint32_t length(const green_list *l)
{
  uint32_t n = 0;
  for (const green_link *k = l->next; k != l; k = k->next) n++;
  return n;
}

void green_resolver_stats_get(const green_resolver *r, green_resolver_stats *s)
{
  memset(s, 0, sizeof(*s));
  if (!r->hub) return;
  s->out = r->n_out;
  s->waiting = length(&r->waiting);
  s->channels = length(&r->channels);
  s->sent = r->n_sent;
}

const green_addr *green_resolver_server(const green_resolver *r, int i)
{
  return i >= 0 && i < (int)r->n_servers ? &r->servers[i].addr : NULL;
}

int green_resolver_is_down(const green_resolver *r, int i)
{
  return i >= 0 && i < (int)r->n_servers && r->servers[i].peace != 0;
}
