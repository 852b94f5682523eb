/*
** tpool.c: a queue of jobs, and the threads that empty it.
**
** One lock guards queue, finished jobs and thread slots. The pool's memory is
** counted: the owner, each thread and a post under way hold a reference, so
** that a pool can be freed while a thread is still in somebody's work.
*/

#include "io/tpool.h"
#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TPOOL_THREADS 4
#define TPOOL_MOST 1024
#define TPOOL_IDLE_SECONDS 10
/* How long a fork waits for jobs to end. */
#define TPOOL_FORK_PATIENCE (GREEN_SECOND / 20)

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
  pthread_cond_t quiet;  /* The last job that was running is over. */
  green_hub *hub;        /* NULL: freed by its owner. */
  green_list queue;      /* Jobs nobody has begun. */
  green_list running;    /* Jobs that threads are at. */
  green_list finished;   /* Jobs whose done is due. */
  green_list delivering; /* Likewise; hub thread only. */
  green_post post;
  green_forkhook forked;
  uint32_t generation; /* Of the process that the threads are in. */
  green_link pools;    /* In the list of all. */
  pool_slot *slots;    /* size of them, while any is not free. */
  int size;            /* Threads at most; negative: wrong. */
  int refs;
  int deliveries; /* pool_deliver is under way; done may turn the hub. */
  uint8_t posted;
  uint8_t forking; /* No thread begins a job. */
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
  pthread_cond_destroy(&p->quiet);
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
  p->deliveries++;
  green_list_splice(&p->delivering, &p->finished);
  pthread_mutex_unlock(&p->lock);
  while ((job = job_of_link(green_list_pop(&p->delivering))) != NULL) {
    p->pending--;
    green_hub_unhold(p->hub);
    job->state = GREEN_JOB_NEW;
    job->done(job);
  }
  pthread_mutex_lock(&p->lock);
  p->deliveries--;
  pool_unref_unlock(p);
}

/* -- Threads -------------------------------------------------------------- */

static struct timespec time_after(int seconds, int64_t ns)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  ns += ts.tv_nsec;
  ts.tv_sec += seconds + (time_t)(ns / GREEN_SECOND);
  ts.tv_nsec = (long)(ns % GREEN_SECOND);
  return ts;
}

/* With the lock held: the next job, or NULL: this thread shall end. */
static green_job *pool_next(green_tpool *p)
{
  struct timespec until = time_after(TPOOL_IDLE_SECONDS, 0);
  int err = 0;
  while (green_list_empty(&p->queue) || p->forking) {
    if (green_list_empty(&p->queue) && (p->stopping || err == ETIMEDOUT))
      return NULL;
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
  green_list_push(&p->running, &job->link);
  pthread_mutex_unlock(&p->lock);
  job->work(job);
  pthread_mutex_lock(&p->lock);
  green_link_remove(&job->link);
  if (green_list_empty(&p->running)) pthread_cond_signal(&p->quiet);
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

/* -- Forks ---------------------------------------------------------------- */

/* All pools of the process. A fork of C's waits until no thread is in the
** middle of something, so that a child finds their lists whole; and for a
** moment until no thread is at a job: a child of a process that was inside the
** C library's resolver, say, may find its locks taken for ever. */
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t pools_once = PTHREAD_ONCE_INIT;
static green_list pools;

static void pools_before_fork(void)
{
  struct timespec until = time_after(0, TPOOL_FORK_PATIENCE);
  pthread_mutex_lock(&pools_lock);
  for (green_link *k = pools.next; k != &pools; k = k->next) {
    green_tpool *p = green_container(k, green_tpool, pools);
    pthread_mutex_lock(&p->lock);
    p->forking = 1;
    while (!green_list_empty(&p->running))
      if (pthread_cond_timedwait(&p->quiet, &p->lock, &until)) break;
  }
}

static void pools_after_fork(int in_child)
{
  for (green_link *k = pools.next; k != &pools; k = k->next) {
    green_tpool *p = green_container(k, green_tpool, pools);
    p->forking = 0;
    if (!in_child) pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
  }
  pthread_mutex_unlock(&pools_lock);
}

static void pools_in_parent(void)
{
  pools_after_fork(0);
}

/* Who waited for the conditions is not here. */
static void pools_in_child(void)
{
  pools_after_fork(1);
}

static void pools_begin(void)
{
  green_list_init(&pools);
  pthread_atfork(pools_before_fork, pools_in_parent, pools_in_child);
}

static void pools_add(green_tpool *p)
{
  pthread_once(&pools_once, pools_begin);
  pthread_mutex_lock(&pools_lock);
  green_list_push(&pools, &p->pools);
  pthread_mutex_unlock(&pools_lock);
}

static void pools_remove(green_tpool *p)
{
  pthread_mutex_lock(&pools_lock);
  green_link_remove(&p->pools);
  pthread_mutex_unlock(&pools_lock);
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

static void pool_init_lock(green_tpool *p)
{
  pthread_condattr_t attr;
  pthread_mutex_init(&p->lock, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&p->more, &attr);
  pthread_cond_init(&p->quiet, &attr);
  pthread_condattr_destroy(&attr);
}

/* With the lock held: jobs that a parent's threads were at come first, as they
** did there. */
static void pool_requeue(green_tpool *p)
{
  green_link *k;
  while ((k = p->running.prev) != &p->running) {
    green_link_remove(k);
    green_list_push_front(&p->queue, k);
    job_of_link(k)->state = GREEN_JOB_QUEUED;
    p->queued++;
  }
  while (p->threads < p->queued && p->threads < (uint32_t)p->size)
    if (pool_start_thread(p) < 0) return;
}

/* Only this thread has come along, and who held the lock is not known. */
static void pool_begin_anew(green_tpool *p)
{
  pool_init_lock(p);
  green__free(p->slots);
  p->slots = NULL;
  p->threads = p->idle = 0;
  p->stopping = 0;
  p->refs = 1 + p->deliveries; /* done may have forked. */
  green_hub_unpost(p->hub, &p->post);
  p->posted = !green_list_empty(&p->finished);
  if (p->posted) {
    p->refs++;
    green_hub_post(p->hub, &p->post);
  }
  pthread_mutex_lock(&p->lock); /* For the threads that come now. */
  pool_requeue(p);
  pthread_mutex_unlock(&p->lock);
}

/* Before each use of the lock by the hub's thread. The hub comes first: it
** forgets who was posting, and threads that begin here post. A hook of its own
** that uses the pool finds it anew already. */
static void pool_check_fork(green_tpool *p)
{
  green_hub_check_fork(p->hub);
  if (green_unlikely(green_fork_happened(&p->generation))) pool_begin_anew(p);
}

static void pool_forked(green_forkhook *h)
{
  pool_check_fork(green_container(h, green_tpool, forked));
}

green_tpool *green_tpool_new(green_hub *hub)
{
  green_tpool *p = green__zalloc(sizeof(*p));
  if (!p) return NULL;
  pool_init_lock(p);
  green_list_init(&p->queue);
  green_list_init(&p->running);
  green_list_init(&p->finished);
  green_list_init(&p->delivering);
  p->hub = hub;
  p->post.run = pool_deliver;
  p->forked.run = pool_forked;
  p->generation = green_fork_generation();
  green_hub_on_fork(hub, &p->forked);
  p->size = threads_from_env();
  p->refs = 1;
  pools_add(p);
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
  pool_check_fork(p);
  green_forkhook_remove(&p->forked);
  pools_remove(p);
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
  pool_check_fork(p);
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
  pool_check_fork(p);
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
  pool_check_fork(p);
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
  pool_check_fork(p);
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
  pool_check_fork(p);
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
