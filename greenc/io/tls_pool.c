/*
** tls_pool.c: handshakes wait for a thread, and for their return.
**
** A step is a job of the native pool's. It has the connection until its done,
** or, where the pool was closed before, for good: then whoever comes last, the
** thread or the owner who frees it, frees both.
*/

#include "io/tls_pool.h"
#include "io/tls_priv.h"
#include "io/tpool.h"
#include "base/mem.h"

#include <string.h>

#define POOL_AT_ONCE 2
#define POOL_QUEUE 256

typedef struct tls_pool {
  green_tls_pool pub;
  int refs;
  green_tpool *threads; /* NULL: closed. */
  green_list line;      /* Steps that wait, */
  green_list under_way; /* and those that the threads have. */
} tls_pool;

/* Who has let go of a step. */
enum { STEP_LEFT = 1, STEP_DROPPED = 2 };

typedef struct tls_step {
  green__tls_away away;
  green_job job;
  green_link link;
  tls_pool *pool; /* NULL: it was closed. */
  green_tls *t;
  void (*back)(void *data);
  void *data;
  green_waitq waiters;
  int gone;   /* Atomic: STEP_* */
  bool waits; /* In line. */
  bool begun; /* Here, or in the process that this one was forked from. */
  bool lost;
} tls_step;

/* -- A step's end --------------------------------------------------------- */

/* Nobody wants it back. Any thread. */
static void step_destroy(tls_step *s)
{
  if (s->lost) green__tls_work_lost(s->t);
  green__tls_destroy(s->t);
  green__free(s);
}

/* It is the owner's again, who is told. */
static void step_return(tls_step *s)
{
  green_tls *t = s->t;
  void (*back)(void *) = s->back;
  void *data = s->data;
  t->away = NULL;
  if (s->lost) green__tls_work_lost(t);
  green__tls_work_end(t);
  green_waitq_wake_all(&s->waiters, 0);
  green__free(s);
  if (back) back(data);
}

static void step_fail(tls_step *s, int err)
{
  green__tls_fail(s->t, err, "no thread could take the handshake");
  step_return(s);
}

static int step_let_go(tls_step *s, int who)
{
  return __atomic_exchange_n(&s->gone, who, __ATOMIC_ACQ_REL);
}

/* Its owner frees the connection. */
static void step_leave(green__tls_away *a)
{
  tls_step *s = green_container(a, tls_step, away);
  green_waitq_wake_all(&s->waiters, GREEN_ECLOSED);
  if (s->waits) {
    green_link_remove(&s->link);
    s->pool->pub.waiting--;
    step_destroy(s);
  } else if (s->pool) {
    green_job_cancel(&s->job);
    step_let_go(s, STEP_LEFT); /* done comes. */
  } else if (step_let_go(s, STEP_LEFT) == STEP_DROPPED) {
    step_destroy(s);
  }
}

/* -- In the pool ---------------------------------------------------------- */

static tls_step *step_of(green_job *job)
{
  return green_container(job, tls_step, job);
}

/* In a child of a fork what the parent's thread was at is given anew, and is
** not whole. */
static void step_work(green_job *job)
{
  tls_step *s = step_of(job);
  s->lost = s->begun;
  s->begun = true;
  if (!s->lost) green__tls_work(s->t);
}

static void step_drop(green_job *job)
{
  tls_step *s = step_of(job);
  if (step_let_go(s, STEP_DROPPED) == STEP_LEFT) step_destroy(s);
}

static void step_note(const green_job *job, green_job_note *n)
{
  (void)job;
  strcpy(n->what, "TLS handshake");
}

static int pool_submit(tls_pool *p, tls_step *s)
{
  int err = green_job_submit(p->threads, &s->job);
  if (err < 0) return err;
  green_list_push(&p->under_way, &s->link);
  p->pub.running++;
  p->pub.begun++;
  return 0;
}

static bool pool_is_busy(const tls_pool *p)
{
  return p->pub.running > 0 && p->pub.running >= p->pub.at_once;
}

/* Whose turn it is may begin. */
static void pool_go_on(tls_pool *p)
{
  while (p->threads && p->pub.waiting > 0 && !pool_is_busy(p)) {
    tls_step *s = green_container(green_list_pop(&p->line), tls_step, link);
    p->pub.waiting--;
    s->waits = false;
    int err = pool_submit(p, s);
    if (err < 0) step_fail(s, err);
  }
}

/* Whoever is told may close the pool. */
static void step_done(green_job *job)
{
  tls_step *s = step_of(job);
  tls_pool *p = s->pool;
  green_link_remove(&s->link);
  p->pub.running--;
  green_tls_pool_ref(&p->pub);
  if (s->gone == STEP_LEFT)
    step_destroy(s);
  else
    step_return(s);
  pool_go_on(p);
  green_tls_pool_unref(&p->pub);
}

/* -- Pools ---------------------------------------------------------------- */

green_tls_pool *green_tls_pool_new(green_hub *hub)
{
  tls_pool *p = green__zalloc(sizeof(*p));
  if (!p) return NULL;
  p->threads = green_tpool_new(hub);
  if (!p->threads) {
    green__free(p);
    return NULL;
  }
  p->refs = 1;
  p->pub.at_once = POOL_AT_ONCE;
  p->pub.queue = POOL_QUEUE;
  green_list_init(&p->line);
  green_list_init(&p->under_way);
  return &p->pub;
}

green_tls_pool *green_tls_pool_ref(green_tls_pool *pub)
{
  ((tls_pool *)pub)->refs++;
  return pub;
}

void green_tls_pool_unref(green_tls_pool *pub)
{
  tls_pool *p = (tls_pool *)pub;
  if (!p || --p->refs > 0) return;
  green_tls_pool_close(pub);
  green__free(p);
}

/* No done comes any more: who has a thread is freed by the last of two. */
void green_tls_pool_close(green_tls_pool *pub)
{
  tls_pool *p = (tls_pool *)pub;
  green_tpool *threads = p->threads;
  green_link *k;
  if (!threads) return;
  p->threads = NULL;
  while ((k = green_list_pop(&p->under_way)) != NULL) {
    tls_step *s = green_container(k, tls_step, link);
    green_waitq_wake_all(&s->waiters, GREEN_ECLOSED);
    s->pool = NULL;
    p->pub.running--;
  }
  green_tpool_free(threads);
  while ((k = green_list_pop(&p->line)) != NULL) {
    p->pub.waiting--;
    step_fail(green_container(k, tls_step, link), GREEN_ECLOSED);
  }
}

/* -- Steps ---------------------------------------------------------------- */

static tls_step *step_new(tls_pool *p, green_tls *t)
{
  tls_step *s = green__zalloc(sizeof(*s));
  if (!s) return NULL;
  s->away.leave = step_leave;
  s->job.work = step_work;
  s->job.done = step_done;
  s->job.drop = step_drop;
  s->job.note = step_note;
  s->pool = p;
  s->t = t;
  green_waitq_init(&s->waiters);
  return s;
}

/* Behind those that wait, or at once. */
static int pool_take(tls_pool *p, tls_step *s)
{
  if (!pool_is_busy(p) && p->pub.waiting == 0) return pool_submit(p, s);
  green_list_push(&p->line, &s->link);
  p->pub.waiting++;
  s->waits = true;
  return 0;
}

int green_tls_pool_start_for(green_tls_pool *pub, green_tls *t,
                             void (*back)(void *data), void *data)
{
  tls_pool *p = (tls_pool *)pub;
  if (!green_tls_wants_pool(t)) return GREEN_EINVAL;
  if (!p->threads) return GREEN_ECLOSED;
  if (pool_is_busy(p) && pub->waiting >= pub->queue) {
    pub->refused++;
    return GREEN_EBUSY;
  }
  tls_step *s = step_new(p, t);
  if (!s) return GREEN_ENOMEM;
  s->back = back;
  s->data = data;
  green__tls_work_begin(t);
  t->away = &s->away;
  int err = pool_take(p, s);
  if (err == 0) return 0;
  t->away = NULL;
  green__tls_work_undo(t);
  green__free(s);
  return err;
}

int green_tls_pool_start(green_tls_pool *p, green_tls *t)
{
  return green_tls_pool_start_for(p, t, NULL, NULL);
}

green_waitq *green_tls_pool_waiters(const green_tls *t)
{
  if (!t->away) return NULL;
  tls_step *s = green_container(t->away, tls_step, away);
  return s->pool ? &s->waiters : NULL;
}
