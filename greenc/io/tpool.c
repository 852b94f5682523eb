/*
** tpool.c: the jobs of a hub: a queue of a crew's (crew.h), and their delivery.
**
** What threads touch stands under the lock of the crews. The pool's memory is
** counted: the owner, each job that runs and a post under way hold a reference,
** so that a pool can be freed while a thread is still in somebody's work.
*/

#include "io/tpool.h"
#include "base/env.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TPOOL_THREADS 4
#define TPOOL_MOST 1024

struct green_tpool {
  green__queue queue;    /* Its size: of threads; 0: none; negative: wrong. */
  green_list jobs;       /* What is in the queue: jobs nobody has begun. */
  green_list running;    /* Jobs that threads are at. */
  green_list finished;   /* Jobs whose done is due. */
  green_list delivering; /* Likewise; hub thread only. */
  pthread_cond_t quiet;  /* No job is in line or runs. */
  green_hub *hub;        /* NULL: freed by its owner. */
  const green_thread_hooks *hooks;
  green_post post;
  green_forkhook forked;
  uint32_t generation; /* Of the process that it is for. */
  int refs;
  int deliveries; /* pool_deliver is under way; done may turn the hub. */
  uint8_t posted;
  uint32_t pending; /* Hub thread only. */
};

/* -- Life of the memory --------------------------------------------------- */

/* With the lock held. */
static void pool_unref(green_tpool *p)
{
  if (--p->refs > 0) return;
  pthread_cond_destroy(&p->quiet);
  green__free(p);
}

static green_job *job_of_link(green_link *k)
{
  return k ? green_container(k, green_job, link) : NULL;
}

/* It is no pool's any more. */
static void job_forget(green_job *job)
{
  job->state = GREEN_JOB_NEW;
  job->pool = NULL;
}

static void job_drop(green_job *job)
{
  if (job->drop) job->drop(job);
}

static void drop_all(green_list *jobs)
{
  green_job *job;
  while ((job = job_of_link(green_list_pop(jobs))) != NULL) {
    job_forget(job);
    job_drop(job);
  }
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
  green__crew_lock();
  p->posted = 0;
  p->deliveries++;
  green_list_splice(&p->delivering, &p->finished);
  green__crew_unlock();
  while ((job = job_of_link(green_list_pop(&p->delivering))) != NULL) {
    p->pending--;
    green_hub_unhold(p->hub);
    job->state = GREEN_JOB_NEW;
    job->done(job);
  }
  green__crew_lock();
  p->deliveries--;
  pool_unref(p);
  green__crew_unlock();
}

/* -- Work ----------------------------------------------------------------- */

/* What a thread is at. */
typedef struct task {
  green_job *job;
  const green_thread_hooks *hooks;
  green__slots **slots; /* NULL: it is the hub's. */
  int err;              /* What its hooks said. */
} task;

static void task_work(void *arg)
{
  task *t = arg;
  t->job->slot = NULL;
  if (t->hooks && t->slots)
    t->err = green__slots_get(t->slots, t->hooks, &t->job->slot);
  if (t->err == 0) t->job->work(t->job);
}

/* With the lock held, which is given up meanwhile. */
static void pool_work(green_tpool *p, green_job *job, green__slots **slots)
{
  task t = {job, p->hooks, slots, 0};
  job->state = GREEN_JOB_RUNNING;
  p->refs++;
  green__crew_do(task_work, &t);
  if (t.err < 0 && job->status == 0) job->status = t.err;
  green_link_remove(&job->link);
  if (p->hub) {
    pool_finish(p, job);
  } else {
    job_forget(job);
    green__crew_unlock();
    job_drop(job);
    green__crew_lock();
  }
  if (!p->queue.len && green_list_empty(&p->running))
    pthread_cond_signal(&p->quiet);
  pool_unref(p);
}

/* In a thread, with the lock held. */
static void pool_take(green__queue *q, green__slots **slots)
{
  green_tpool *p = green_container(q, green_tpool, queue);
  green_job *job = job_of_link(green_list_pop(&p->jobs));
  green_list_push(&p->running, &job->link);
  pool_work(p, job, slots);
}

/* -- Forks ---------------------------------------------------------------- */

/* Jobs that a parent's threads were at come first, as they did there. How many
** wait. */
static uint32_t pool_requeue(green_tpool *p)
{
  green_link *k;
  uint32_t n = 0;
  while ((k = p->running.prev) != &p->running) {
    green_link_remove(k);
    green_list_push_front(&p->jobs, k);
    job_of_link(k)->state = GREEN_JOB_QUEUED;
  }
  for (k = p->jobs.next; k != &p->jobs; k = k->next) n++;
  return n;
}

/* Only this thread has come along. Without memory for a crew the jobs wait for
** the next one to be submitted. */
static void pool_begin_anew(green_tpool *p)
{
  uint32_t n = pool_requeue(p);
  pthread_cond_init(&p->quiet, NULL);
  green__queue_forked(&p->queue, n);
  p->refs = 1 + p->deliveries; /* done may have forked. */
  green_hub_unpost(p->hub, &p->post);
  p->posted = !green_list_empty(&p->finished);
  if (p->posted) {
    p->refs++;
    green_hub_post(p->hub, &p->post);
  }
  if (n) green__queue_open(&p->queue);
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

/* -- Pools ---------------------------------------------------------------- */

static int threads_from_env(void)
{
  char *end;
  const char *text = green_env("GREENLUA_THREADS");
  if (!text) return TPOOL_THREADS;
  long n = strtol(text, &end, 10);
  return *end == '\0' && n >= 0 && n <= TPOOL_MOST ? (int)n : -1;
}

green_tpool *green_tpool_new(green_hub *hub)
{
  green_tpool *p = green__zalloc(sizeof(*p));
  if (!p) return NULL;
  green_list_init(&p->jobs);
  green_list_init(&p->running);
  green_list_init(&p->finished);
  green_list_init(&p->delivering);
  pthread_cond_init(&p->quiet, NULL);
  p->hub = hub;
  p->queue.take = pool_take;
  p->queue.size = threads_from_env();
  p->post.run = pool_deliver;
  p->forked.run = pool_forked;
  p->generation = green_fork_generation();
  green_hub_on_fork(hub, &p->forked);
  p->refs = 1;
  return p;
}

/* With the lock held: take all jobs that no thread is at. Who still runs does
** not lead here any more. */
static void pool_let_go(green_tpool *p, green_list *jobs)
{
  green_list_splice(jobs, &p->delivering);
  green_list_splice(jobs, &p->finished);
  green_list_splice(jobs, &p->jobs);
  green__queue_pulled(&p->queue, p->queue.len);
  for (green_link *k = p->running.next; k != &p->running; k = k->next)
    job_of_link(k)->pool = NULL;
}

void green_tpool_free(green_tpool *p)
{
  green_list jobs;
  if (!p) return;
  green_list_init(&jobs);
  pool_check_fork(p);
  green_forkhook_remove(&p->forked);
  green__crew_lock();
  for (; p->pending; p->pending--) green_hub_unhold(p->hub);
  p->hub = NULL;
  pool_let_go(p, &jobs);
  green__crew_unlock();
  green__queue_close(&p->queue);
  green__crew_lock();
  pool_unref(p);
  green__crew_unlock();
  drop_all(&jobs);
}

int green_tpool_set_threads(green_tpool *p, int n)
{
  pool_check_fork(p);
  green__crew_lock();
  int busy = p->queue.len || green__queue_threads(&p->queue);
  green__crew_unlock();
  if (busy) return GREEN_EBUSY;
  green__queue_close(&p->queue);
  p->queue.own = 1;
  p->queue.size = n <= TPOOL_MOST ? n : -1;
  return 0;
}

void green_tpool_set_hooks(green_tpool *p, const green_thread_hooks *hooks)
{
  pool_check_fork(p);
  green_assert(!p->pending, "Before the first job");
  p->hooks = hooks;
}

/* Jobs that no thread can be had for stay in line. */
void green_tpool_stop(green_tpool *p)
{
  pool_check_fork(p);
  green__crew_lock();
  while (green__queue_threads(&p->queue) &&
         (p->queue.len || !green_list_empty(&p->running)))
    green__crew_wait(&p->quiet);
  int empty = !p->queue.len;
  green__crew_unlock();
  if (empty) green__queue_close(&p->queue);
}

void green_tpool_stats_get(green_tpool *p, green_tpool_stats *s)
{
  pool_check_fork(p);
  green__crew_lock();
  s->threads = green__queue_threads(&p->queue);
  s->idle = green__queue_idle(&p->queue);
  s->queued = p->queue.len;
  s->pending = p->pending;
  green__crew_unlock();
}

/* -- Jobs ----------------------------------------------------------------- */

/* With the lock held. */
static int pool_enqueue(green_tpool *p, green_job *job)
{
  int err = green__queue_reserve(&p->queue);
  if (err < 0) return err;
  job->state = GREEN_JOB_QUEUED;
  green_list_push(&p->jobs, &job->link);
  green__queue_pushed(&p->queue);
  return 0;
}

/* With the lock held. */
static int pool_take_job(green_tpool *p, green_job *job)
{
  if (job->state != GREEN_JOB_NEW) return GREEN_EINVAL;
  job->pool = p;
  job->status = 0;
  if (p->queue.size) return pool_enqueue(p, job);
  pool_work(p, job, NULL);
  return 0;
}

/* Threads are had without the lock. */
static int pool_open(green_tpool *p)
{
  if (p->queue.size < 0) return GREEN_EINVAL;
  return p->queue.size ? green__queue_open(&p->queue) : 0;
}

int green_job_submit(green_tpool *p, green_job *job)
{
  pool_check_fork(p);
  int err = pool_open(p);
  if (err < 0) return err;
  green__crew_lock();
  err = pool_take_job(p, job);
  if (err == 0) {
    p->pending++;
    green_hub_hold(p->hub);
  }
  green__crew_unlock();
  return err;
}

/* Whose it is, or NULL: nobody's, and what it knows of a pool is old. */
static green_tpool *job_pool(green_job *job)
{
  green__crew_lock();
  green_tpool *p = job->state == GREEN_JOB_NEW ? NULL : job->pool;
  green__crew_unlock();
  return p;
}

int green_job_cancel(green_job *job)
{
  green_tpool *p = job_pool(job);
  if (!p) return 0;
  pool_check_fork(p);
  green__crew_lock();
  int queued = job->state == GREEN_JOB_QUEUED;
  job->status = GREEN_ECANCELED;
  if (queued) {
    green_link_remove(&job->link);
    green__queue_pulled(&p->queue, 1);
    pool_finish(p, job);
  }
  green__crew_unlock();
  return queued;
}
