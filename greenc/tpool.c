/*
** tpool.c: a queue of jobs, the threads that empty it, and getaddrinfo.
**
** One lock guards queue, finished jobs and thread slots. The pool's memory is
** counted: the owner, each thread and a post under way hold a reference, so
** that a pool can be freed while a thread is still in somebody's work.
*/

#include "tpool.h"
#include "list.h"
#include "mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TPOOL_THREADS 4
#define TPOOL_MOST 1024
#define TPOOL_IDLE_SECONDS 10

enum { SLOT_FREE, SLOT_ALIVE, SLOT_ENDED };

/* Where a thread is kept until it is joined. */
typedef struct pool_slot {
  green_tpool *pool;
  pthread_t id;
  int state;
} pool_slot;

struct green_tpool {
  pthread_mutex_t lock;
  pthread_cond_t more;   /* A job was queued, or threads shall end. */
  green_hub *hub;        /* NULL: freed by its owner. */
  green_list queue;      /* Jobs nobody has begun. */
  green_list finished;   /* Jobs whose done is due. */
  green_list delivering; /* Likewise; hub thread only. */
  green_post post;
  pool_slot *slots; /* size of them, while any is not free. */
  int size;         /* Threads at most; negative: wrong. */
  int refs;
  uint8_t posted;
  uint8_t stopping;
  uint32_t threads;
  uint32_t idle;
  uint32_t queued;
  uint32_t pending; /* Hub thread only. */
};

/* -- Life of the memory --------------------------------------------------- */

/* With the lock held, which is given up. */
static void pool_unref_unlock(green_tpool *p)
{
  int last = --p->refs == 0;
  pthread_mutex_unlock(&p->lock);
  if (!last) return;
  pthread_cond_destroy(&p->more);
  pthread_mutex_destroy(&p->lock);
  green__free(p->slots);
  green__free(p);
}

static green_job *job_of_link(green_link *k)
{
  return k ? green_container(k, green_job, link) : NULL;
}

static void job_drop(green_job *job)
{
  job->state = GREEN_JOB_NEW;
  if (job->drop) job->drop(job);
}

static void drop_all(green_list *jobs)
{
  green_job *job;
  while ((job = job_of_link(green_list_pop(jobs))) != NULL) job_drop(job);
}

/* -- Delivery ------------------------------------------------------------- */

/* With the lock held: the job is over, done is due. */
static void pool_finish(green_tpool *p, green_job *job)
{
  job->state = GREEN_JOB_FINISHED;
  green_list_push(&p->finished, &job->link);
  if (p->posted) return;
  p->posted = 1;
  p->refs++;
  green_hub_post(p->hub, &p->post);
}

/* done may do anything to the pool, even free it: then what is left here has
** been dropped, and the post's reference still holds the memory. */
static void pool_deliver(green_post *post)
{
  green_tpool *p = green_container(post, green_tpool, post);
  green_job *job;
  pthread_mutex_lock(&p->lock);
  p->posted = 0;
  green_list_splice(&p->delivering, &p->finished);
  pthread_mutex_unlock(&p->lock);
  while ((job = job_of_link(green_list_pop(&p->delivering))) != NULL) {
    p->pending--;
    green_hub_unhold(p->hub);
    job->state = GREEN_JOB_NEW;
    job->done(job);
  }
  pthread_mutex_lock(&p->lock);
  pool_unref_unlock(p);
}

/* -- Threads -------------------------------------------------------------- */

static struct timespec retire_time(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  ts.tv_sec += TPOOL_IDLE_SECONDS;
  return ts;
}

/* With the lock held: the next job, or NULL: this thread shall end. */
static green_job *pool_next(green_tpool *p)
{
  struct timespec until = retire_time();
  int err = 0;
  while (green_list_empty(&p->queue)) {
    if (p->stopping || err == ETIMEDOUT) return NULL;
    p->idle++;
    err = pthread_cond_timedwait(&p->more, &p->lock, &until);
    p->idle--;
  }
  p->queued--;
  return job_of_link(green_list_pop(&p->queue));
}

/* With the lock held, which is given up meanwhile. */
static void pool_work(green_tpool *p, green_job *job)
{
  job->state = GREEN_JOB_RUNNING;
  pthread_mutex_unlock(&p->lock);
  job->work(job);
  pthread_mutex_lock(&p->lock);
  if (p->hub) {
    pool_finish(p, job);
    return;
  }
  pthread_mutex_unlock(&p->lock);
  job_drop(job);
  pthread_mutex_lock(&p->lock);
}

static void *pool_main(void *arg)
{
  pool_slot *slot = arg;
  green_tpool *p = slot->pool;
  green_job *job;
  pthread_mutex_lock(&p->lock);
  while ((job = pool_next(p)) != NULL) pool_work(p, job);
  slot->state = SLOT_ENDED;
  p->threads--;
  pool_unref_unlock(p);
  return NULL;
}

/* Join threads that have retired. They hold the lock no more, so this does not
** block. */
static void pool_reap(green_tpool *p)
{
  for (int i = 0; p->slots && i < p->size; i++) {
    if (p->slots[i].state != SLOT_ENDED) continue;
    pthread_join(p->slots[i].id, NULL);
    p->slots[i].state = SLOT_FREE;
  }
}

static pool_slot *pool_free_slot(green_tpool *p)
{
  if (!p->slots) p->slots = green__zalloc((size_t)p->size * sizeof(*p->slots));
  if (!p->slots) return NULL;
  pool_reap(p);
  for (int i = 0; i < p->size; i++)
    if (p->slots[i].state == SLOT_FREE) return &p->slots[i];
  return NULL;
}

/* With the lock held. Signals are for the other threads of the process: a
** thread inherits the mask. */
static int pool_start_thread(green_tpool *p)
{
  sigset_t all, old;
  pool_slot *slot = pool_free_slot(p);
  if (!slot) return GREEN_ENOMEM;
  slot->pool = p;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int error = pthread_create(&slot->id, NULL, pool_main, slot);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error) return GREEN_ENOMEM;
  pthread_setname_np(slot->id, "green-pool");
  slot->state = SLOT_ALIVE;
  p->threads++;
  p->refs++;
  return 0;
}

/* With the lock held: is there, or will there be, a thread for one more job? */
static int pool_find_thread(green_tpool *p)
{
  if (p->idle > p->queued) return 0;
  if (p->threads >= (uint32_t)p->size) return 0;
  int err = pool_start_thread(p);
  return p->threads ? 0 : err;
}

/* -- Pools ---------------------------------------------------------------- */

static int threads_from_env(void)
{
  char *end;
  const char *text = getenv("GREENLUA_THREADS");
  if (!text || !*text) return TPOOL_THREADS;
  long n = strtol(text, &end, 10);
  return *end == '\0' && n >= 0 && n <= TPOOL_MOST ? (int)n : -1;
}

green_tpool *green_tpool_new(green_hub *hub)
{
  pthread_condattr_t attr;
  green_tpool *p = green__zalloc(sizeof(*p));
  if (!p) return NULL;
  pthread_mutex_init(&p->lock, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&p->more, &attr);
  pthread_condattr_destroy(&attr);
  green_list_init(&p->queue);
  green_list_init(&p->finished);
  green_list_init(&p->delivering);
  p->hub = hub;
  p->post.run = pool_deliver;
  p->size = threads_from_env();
  p->refs = 1;
  return p;
}

/* With the lock held: threads that work now look after themselves. */
static void pool_let_go(green_tpool *p)
{
  pool_reap(p);
  for (int i = 0; p->slots && i < p->size; i++)
    if (p->slots[i].state == SLOT_ALIVE) pthread_detach(p->slots[i].id);
}

void green_tpool_free(green_tpool *p)
{
  green_list jobs;
  if (!p) return;
  green_list_init(&jobs);
  pthread_mutex_lock(&p->lock);
  for (; p->pending; p->pending--) green_hub_unhold(p->hub);
  p->hub = NULL;
  p->stopping = 1;
  green_list_splice(&jobs, &p->delivering);
  green_list_splice(&jobs, &p->finished);
  green_list_splice(&jobs, &p->queue);
  p->queued = 0;
  pool_let_go(p);
  pthread_cond_broadcast(&p->more);
  pool_unref_unlock(p);
  drop_all(&jobs);
}

int green_tpool_set_threads(green_tpool *p, int n)
{
  int err = 0;
  pthread_mutex_lock(&p->lock);
  pool_reap(p);
  if (p->threads) {
    err = GREEN_EBUSY;
  } else {
    green__free(p->slots);
    p->slots = NULL;
    p->size = n <= TPOOL_MOST ? n : -1;
  }
  pthread_mutex_unlock(&p->lock);
  return err;
}

/* The hub's thread alone makes and frees slots: they stay while it joins. */
void green_tpool_stop(green_tpool *p)
{
  pthread_mutex_lock(&p->lock);
  p->stopping = 1;
  pthread_cond_broadcast(&p->more);
  for (int i = 0; p->slots && i < p->size; i++) {
    if (p->slots[i].state == SLOT_FREE) continue;
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->slots[i].id, NULL);
    pthread_mutex_lock(&p->lock);
    p->slots[i].state = SLOT_FREE;
  }
  p->stopping = 0;
  pthread_mutex_unlock(&p->lock);
}

void green_tpool_stats_get(green_tpool *p, green_tpool_stats *s)
{
  pthread_mutex_lock(&p->lock);
  s->threads = p->threads;
  s->idle = p->idle;
  s->queued = p->queued;
  s->pending = p->pending;
  pthread_mutex_unlock(&p->lock);
}

/* -- Jobs ----------------------------------------------------------------- */

/* With the lock held. */
static int pool_enqueue(green_tpool *p, green_job *job)
{
  int err = pool_find_thread(p);
  if (err < 0) return err;
  job->state = GREEN_JOB_QUEUED;
  green_list_push(&p->queue, &job->link);
  p->queued++;
  pthread_cond_signal(&p->more);
  return 0;
}

/* With the lock held. */
static int pool_take_job(green_tpool *p, green_job *job)
{
  if (p->size < 0 || job->state != GREEN_JOB_NEW) return GREEN_EINVAL;
  job->pool = p;
  job->status = 0;
  if (p->size) return pool_enqueue(p, job);
  pool_work(p, job);
  return 0;
}

int green_job_submit(green_tpool *p, green_job *job)
{
  pthread_mutex_lock(&p->lock);
  int err = pool_take_job(p, job);
  if (err == 0) {
    p->pending++;
    green_hub_hold(p->hub);
  }
  pthread_mutex_unlock(&p->lock);
  return err;
}

int green_job_cancel(green_job *job)
{
  green_tpool *p = job->pool;
  if (!p) return 0;
  pthread_mutex_lock(&p->lock);
  int queued = job->state == GREEN_JOB_QUEUED;
  if (job->state != GREEN_JOB_NEW) job->status = GREEN_ECANCELED;
  if (queued) {
    green_link_remove(&job->link);
    p->queued--;
    pool_finish(p, job);
  }
  pthread_mutex_unlock(&p->lock);
  return queued;
}

/* -- Name lookup ---------------------------------------------------------- */

struct green_lookup {
  green_job job;
  green_waitq waiters;
  green_lookup_hint hint;
  int result; /* GREEN_EAGAIN while the pool has the job. */
  int answer; /* The thread's, until done makes it the result. */
  uint8_t unwanted;
  green_addr *addrs;
  const char *host; /* In text, or NULL. */
  const char *service;
  char text[];
};

static void lookup_delete(green_lookup *l)
{
  green__free(l->addrs);
  green__free(l);
}

static int error_of_eai(int eai)
{
  switch (eai) {
  case EAI_NONAME:
    return GREEN_EAI_NONAME;
  case EAI_AGAIN:
    return GREEN_EAI_AGAIN;
  case EAI_FAMILY:
  case EAI_ADDRFAMILY:
  case EAI_NODATA:
    return GREEN_EAI_FAMILY;
  case EAI_SERVICE:
    return GREEN_EAI_SERVICE;
  case EAI_MEMORY:
    return GREEN_ENOMEM;
  case EAI_BADFLAGS:
  case EAI_SOCKTYPE:
    return GREEN_EINVAL;
  default:
    return GREEN_EAI_FAIL;
  }
}

/* How many addresses were copied, or GREEN_ENOMEM. */
static int lookup_copy(green_lookup *l, const struct addrinfo *list)
{
  int n = 0;
  for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) n++;
  l->addrs = green__alloc((size_t)n * sizeof(*l->addrs));
  if (!l->addrs) return GREEN_ENOMEM;
  n = 0;
  for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
    if (green_addr_set(&l->addrs[n], ai->ai_addr, ai->ai_addrlen) == 0) n++;
  return n ? n : GREEN_EAI_FAIL;
}

static void lookup_work(green_job *job)
{
  green_lookup *l = green_container(job, green_lookup, job);
  struct addrinfo *list = NULL;
  struct addrinfo hint = {.ai_family = l->hint.family,
                          .ai_socktype = l->hint.type};
  if (l->hint.flags & GREEN_LOOKUP_PASSIVE) hint.ai_flags = AI_PASSIVE;
  int eai = getaddrinfo(l->host, l->service, &hint, &list);
  if (eai == EAI_SYSTEM)
    l->answer = -errno;
  else
    l->answer = eai ? error_of_eai(eai) : lookup_copy(l, list);
  if (list) freeaddrinfo(list);
}

static void lookup_done(green_job *job)
{
  green_lookup *l = green_container(job, green_lookup, job);
  if (l->unwanted) {
    lookup_delete(l);
    return;
  }
  l->result = l->answer;
  green_waitq_wake_all(&l->waiters, 0);
}

static void lookup_drop(green_job *job)
{
  green_lookup *l = green_container(job, green_lookup, job);
  if (l->unwanted) lookup_delete(l);
}

/* A decimal port, 0 for none, or -1: the name of a service. */
static int service_port(const char *service)
{
  char *end;
  if (!service) return 0;
  if (*service < '0' || *service > '9') return -1;
  long n = strtol(service, &end, 10);
  return *end == '\0' && n <= 65535 ? (int)n : -1;
}

/* Numeric hosts need no thread, and no name service shall see wrong ones. */
static int lookup_at_once(green_lookup *l)
{
  green_addr a;
  int port = service_port(l->service);
  if (!l->host) return GREEN_EAGAIN;
  int err = green_addr_ip(&a, l->host, strlen(l->host), port < 0 ? 0 : port);
  if (err == GREEN_EAI_NONAME || (err == 0 && port < 0)) return GREEN_EAGAIN;
  if (err < 0) return err == GREEN_EINVAL ? GREEN_EAI_NONAME : err;
  if (l->hint.family && l->hint.family != green_addr_family(&a))
    return GREEN_EAI_FAMILY;
  l->addrs = green__alloc(sizeof(a));
  if (!l->addrs) return GREEN_ENOMEM;
  l->addrs[0] = a;
  return 1;
}

/* A lookup with copies of the strings behind it. */
static green_lookup *lookup_new(const char *host, const char *service)
{
  size_t n = host ? strlen(host) + 1 : 0;
  size_t m = service ? strlen(service) + 1 : 0;
  green_lookup *l = green__zalloc(sizeof(*l) + n + m);
  if (!l) return NULL;
  if (host) l->host = memcpy(l->text, host, n);
  if (service) l->service = memcpy(l->text + n, service, m);
  green_waitq_init(&l->waiters);
  l->job.work = lookup_work;
  l->job.done = lookup_done;
  l->job.drop = lookup_drop;
  return l;
}

int green_lookup_start(green_lookup **lookup, green_tpool *p, const char *host,
                       const char *service, const green_lookup_hint *hint)
{
  if (!host && !service) return GREEN_EINVAL;
  if (host && strlen(host) >= NI_MAXHOST) return GREEN_ENAMETOOLONG;
  if (service && strlen(service) >= NI_MAXSERV) return GREEN_ENAMETOOLONG;
  green_lookup *l = lookup_new(host, service);
  if (!l) return GREEN_ENOMEM;
  if (hint) l->hint = *hint;
  l->result = lookup_at_once(l);
  int err = l->result == GREEN_EAGAIN ? green_job_submit(p, &l->job) : 0;
  if (err < 0) {
    lookup_delete(l);
    return err;
  }
  *lookup = l;
  return 0;
}

int green_lookup_result(const green_lookup *l)
{
  return l->result;
}

const green_addr *green_lookup_addr(const green_lookup *l, int i)
{
  return i >= 0 && i < l->result ? &l->addrs[i] : NULL;
}

void green_lookup_free(green_lookup *l)
{
  if (!l) return;
  if (l->result != GREEN_EAGAIN) {
    lookup_delete(l);
    return;
  }
  l->unwanted = 1;
  green_job_cancel(&l->job);
}

green_waitq *green_lookup_waiters(green_lookup *l)
{
  return &l->waiters;
}
