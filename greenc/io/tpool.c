/*
** tpool.c: the jobs of a hub: a queue of a crew's (crew.h) for those that any
** thread may do, one for each pin, and their delivery.
**
** What threads touch stands under the lock of the crews. The pool's memory is
** counted: the owner, each job that runs, lost or not, and a post under way
** hold a reference, so that a pool can be freed while a thread is still in
** somebody's work.
*/

#include "io/tpool.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/crew.h"
#include "io/line.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TPOOL_THREADS 4
#define TPOOL_MOST 1024
#define TPOOL_LOST 4
#define TPOOL_DELIVER_MOST 256 /* In a turn. */

struct green_tpool {
  green__queue queue;    /* Its size: of threads; 0: none; negative: wrong. */
  green__line line;      /* What is in the queue: jobs nobody has begun. */
  green_list pins;       /* Each with a queue and a line of its own. */
  green_list running;    /* Jobs that threads are at. */
  green_list lost;       /* Likewise, and nobody waits for them. */
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
  uint32_t in_line; /* Jobs of all its lines. */
  uint32_t n_running;
  uint32_t n_lost, lost_most;
  uint32_t pending, pending_most; /* Hub thread only. */
};

struct green_pin {
  green__queue queue;
  green__line line;
  green_link link;   /* Among the pool's. */
  green_tpool *pool; /* NULL: it was freed. */
  uint32_t jobs;     /* In line, or at work. */
  uint8_t unwanted;  /* Its owner has freed it. */
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

static green_pin *pin_of_link(green_link *k)
{
  return green_container(k, green_pin, link);
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

static void pin_delete(green_pin *pin)
{
  green__queue_unpin(&pin->queue);
  green_link_remove(&pin->link);
  green__free(pin);
}

/* Where it stands in line. */
static green__queue *job_queue(green_tpool *p, const green_job *job)
{
  return job->pin ? &job->pin->queue : &p->queue;
}

static green__line *job_line(green_tpool *p, const green_job *job)
{
  return job->pin ? &job->pin->line : &p->line;
}

/* With the lock held: neither in line nor at work any more. */
static void job_unpin(const green_job *job)
{
  green_pin *pin = job->pin;
  if (pin && --pin->jobs == 0 && pin->unwanted) pin_delete(pin);
}

/* -- Delivery ------------------------------------------------------------- */

/* With the lock held: something is to be delivered. h: the thread, NULL: the
** hub's. */
static void pool_post(green_tpool *p, green__hand *h)
{
  if (p->posted) return;
  p->posted = 1;
  p->refs++;
  if (h)
    green__hand_post(h, p->hub, &p->post);
  else
    green_hub_post(p->hub, &p->post);
}

/* With the lock held: the job is over, done is due. */
static void pool_finish(green_tpool *p, green_job *job, green__hand *h)
{
  job->state = GREEN_JOB_FINISHED;
  green_list_push(&p->finished, &job->link);
  pool_post(p, h);
}

static void pool_less_pending(green_tpool *p)
{
  p->pending--;
  green_hub_unhold(p->hub);
}

static green_job *pool_next_done(green_tpool *p)
{
  green_job *job = job_of_link(green_list_pop(&p->delivering));
  if (!job) return NULL;
  pool_less_pending(p);
  job->state = GREEN_JOB_NEW;
  return job;
}

/* done may do anything to the pool, even free it: then what is left here has
** been dropped, and the post's reference still holds the memory. The rest of a
** long row waits for the next turns. */
static void pool_deliver(green_post *post)
{
  green_tpool *p = green_container(post, green_tpool, post);
  green_job *job;
  green__crew_lock();
  p->posted = 0;
  p->deliveries++;
  green_list_splice(&p->delivering, &p->finished);
  green__crew_unlock();
  for (int n = 0; n < TPOOL_DELIVER_MOST && (job = pool_next_done(p)); n++)
    job->done(job);
  green__crew_lock();
  if (!green_list_empty(&p->delivering)) pool_post(p, NULL);
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
static void pool_run(green_tpool *p, green_job *job, green__hand *h)
{
  task t = {job, p->hooks, h ? green__hand_slots(h) : NULL, 0};
  job->state = GREEN_JOB_RUNNING;
  job->hand = h;
  green_list_push(&p->running, &job->link);
  p->n_running++;
  green__crew_do(h, task_work, &t);
  if (t.err < 0 && job->status == 0) job->status = t.err;
  green_link_remove(&job->link);
}

/* With the lock held: it was lost, or the pool freed. */
static void pool_leave(green_tpool *p, green_job *job)
{
  if (job->state == GREEN_JOB_LOST) p->n_lost--;
  job_forget(job);
  green__crew_unlock();
  job_drop(job);
  green__crew_lock();
}

/* With the lock held, which is given up meanwhile. */
static void pool_work(green_tpool *p, green_job *job, green__hand *h)
{
  p->refs++;
  pool_run(p, job, h);
  if (!p->hub || job->state == GREEN_JOB_LOST) {
    pool_leave(p, job);
  } else {
    p->n_running--;
    if (h) green__queue_rest(job_queue(p, job));
    if (h) job_unpin(job);
    pool_finish(p, job, h);
    if (!p->in_line && !p->n_running) pthread_cond_signal(&p->quiet);
  }
  pool_unref(p);
}

/* In a thread, with the lock held. */
static void pool_take(green__queue *q, green__hand *h)
{
  green_tpool *p = green_container(q, green_tpool, queue);
  p->in_line--;
  pool_work(p, green__line_pop(&p->line), h);
}

static void pin_take(green__queue *q, green__hand *h)
{
  green_pin *pin = green_container(q, green_pin, queue);
  pin->pool->in_line--;
  pool_work(pin->pool, green__line_pop(&pin->line), h);
}

/* -- Threads, had or not -------------------------------------------------- */

/* Without the lock: threads are to be had. Pins follow. */
static int pool_open(green_tpool *p)
{
  if (p->queue.size < 0) return GREEN_EINVAL;
  if (p->queue.size == 0 || p->queue.crew) return 0;
  int err = green__queue_open(&p->queue);
  if (err < 0) return err;
  green__crew_lock();
  for (green_link *k = p->pins.next; k != &p->pins; k = k->next)
    green__queue_pin(&pin_of_link(k)->queue, &p->queue);
  green__crew_unlock();
  return 0;
}

/* Without the lock; nothing is in line. */
static void pool_close(green_tpool *p)
{
  green__crew_lock();
  for (green_link *k = p->pins.next; k != &p->pins; k = k->next)
    green__queue_unpin(&pin_of_link(k)->queue);
  green__crew_unlock();
  green__queue_close(&p->queue);
}

/* -- Forks ---------------------------------------------------------------- */

/* Jobs that a parent's threads were at come first, as they did there. */
static void pool_requeue(green_tpool *p)
{
  green_link *k;
  while ((k = p->running.prev) != &p->running) {
    green_job *job = job_of_link(k);
    green_link_remove(k);
    green__line_push_front(job_line(p, job), job);
    job->state = GREEN_JOB_QUEUED;
    p->in_line++;
  }
  p->n_running = 0;
}

static void pool_post_again(green_tpool *p)
{
  p->refs = 1 + p->deliveries; /* done may have forked. */
  green_hub_unpost(p->hub, &p->post);
  p->posted =
      !green_list_empty(&p->finished) || !green_list_empty(&p->delivering);
  if (!p->posted) return;
  p->refs++;
  green_hub_post(p->hub, &p->post);
}

/* Only this thread has come along. Without memory for a crew the jobs wait for
** the next one to be submitted. */
static void pool_begin_anew(green_tpool *p)
{
  green_list lost;
  pool_requeue(p);
  green__crew_cond_init(&p->quiet);
  green__queue_forked(&p->queue, green__line_count(&p->line));
  for (green_link *k = p->pins.next; k != &p->pins; k = k->next) {
    green_pin *pin = pin_of_link(k);
    green__queue_forked(&pin->queue, green__line_count(&pin->line));
  }
  pool_post_again(p);
  green_list_init(&lost);
  green_list_splice(&lost, &p->lost);
  p->n_lost = 0;
  if (p->in_line) pool_open(p);
  drop_all(&lost);
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

static void pool_init(green_tpool *p)
{
  green__line_init(&p->line);
  green_list_init(&p->pins);
  green_list_init(&p->running);
  green_list_init(&p->lost);
  green_list_init(&p->finished);
  green_list_init(&p->delivering);
  green__crew_cond_init(&p->quiet);
  p->queue.take = pool_take;
  p->queue.size = threads_from_env();
  p->post.run = pool_deliver;
  p->forked.run = pool_forked;
  p->generation = green_fork_generation();
  p->lost_most = TPOOL_LOST;
  p->refs = 1;
}

green_tpool *green_tpool_new(green_hub *hub)
{
  green_tpool *p = green__zalloc(sizeof(*p));
  if (!p) return NULL;
  pool_init(p);
  p->hub = hub;
  green_hub_on_fork(hub, &p->forked);
  return p;
}

static void line_let_go(green__line *line, green__queue *q, green_list *jobs)
{
  green_job *job;
  while ((job = green__line_pop(line)) != NULL)
    green_list_push(jobs, &job->link);
  green__queue_pulled(q, q->len);
}

/* With the lock held: pins live on without the pool. */
static void pool_let_go_pins(green_tpool *p, green_list *jobs)
{
  green_link *k;
  while ((k = green_list_pop(&p->pins)) != NULL) {
    green_pin *pin = pin_of_link(k);
    line_let_go(&pin->line, &pin->queue, jobs);
    green__queue_unpin(&pin->queue);
    pin->pool = NULL;
    if (pin->unwanted) pin_delete(pin);
  }
}

/* With the lock held: take all jobs that no thread is at. Who still runs does
** not lead here any more. */
static void pool_let_go(green_tpool *p, green_list *jobs)
{
  green_list_splice(jobs, &p->delivering);
  green_list_splice(jobs, &p->finished);
  line_let_go(&p->line, &p->queue, jobs);
  pool_let_go_pins(p, jobs);
  for (green_link *k = p->running.next; k != &p->running; k = k->next)
    job_of_link(k)->pool = NULL;
  for (green_link *k = p->lost.next; k != &p->lost; k = k->next)
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
  while (p->pending) pool_less_pending(p);
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
  int busy = p->in_line || green__queue_threads(&p->queue);
  green__crew_unlock();
  if (busy) return GREEN_EBUSY;
  pool_close(p);
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

void green_tpool_set_limits(green_tpool *p, uint32_t at_work,
                            uint32_t under_way)
{
  pool_check_fork(p);
  green__crew_lock();
  green__queue_limit(&p->queue, at_work);
  green__crew_unlock();
  p->pending_most = under_way;
}

void green_tpool_set_lost(green_tpool *p, uint32_t most)
{
  p->lost_most = most;
}

/* Jobs that no thread can be had for stay in line. */
int green_tpool_stop_until(green_tpool *p, int64_t deadline)
{
  int late = 0;
  pool_check_fork(p);
  green__crew_lock();
  while (!late && green__queue_threads(&p->queue) &&
         (p->in_line || p->n_running))
    late = green__crew_wait(&p->quiet, deadline);
  int busy = p->in_line || p->n_running;
  green__crew_unlock();
  if (busy) return GREEN_ETIMEDOUT;
  pool_close(p);
  green_hub_post_await(p->hub); /* The next turn delivers all. */
  return 0;
}

void green_tpool_stop(green_tpool *p)
{
  green_tpool_stop_until(p, GREEN_NEVER);
}

void green_tpool_stats_get(green_tpool *p, green_tpool_stats *s)
{
  pool_check_fork(p);
  green__crew_lock();
  s->threads = green__queue_threads(&p->queue);
  s->idle = green__queue_idle(&p->queue);
  s->queued = p->in_line;
  s->pending = p->pending;
  s->at_work = p->n_running;
  s->lost = p->n_lost;
  green__crew_unlock();
}

/* -- Pins ----------------------------------------------------------------- */

green_pin *green_pin_new(green_tpool *p)
{
  pool_check_fork(p);
  green_pin *pin = green__zalloc(sizeof(*pin));
  if (!pin) return NULL;
  green__line_init(&pin->line);
  pin->queue.take = pin_take;
  pin->pool = p;
  green__crew_lock();
  green_list_push(&p->pins, &pin->link);
  green__crew_unlock();
  return pin;
}

void green_pin_free(green_pin *pin)
{
  if (!pin) return;
  if (pin->pool) pool_check_fork(pin->pool);
  green__crew_lock();
  pin->unwanted = 1;
  if (!pin->pool || !pin->jobs) pin_delete(pin);
  green__crew_unlock();
}

/* -- Jobs ----------------------------------------------------------------- */

/* With the lock held. */
static int pool_enqueue(green_tpool *p, green_job *job, green__hand **wake)
{
  green__queue *q = job_queue(p, job);
  if (job->pin) green__queue_pin(q, &p->queue);
  int err = green__queue_push(q, wake);
  if (err < 0) return err;
  job->state = GREEN_JOB_QUEUED;
  green__line_push(job_line(p, job), job);
  p->in_line++;
  if (job->pin) job->pin->jobs++;
  return 0;
}

/* With the lock held: what speaks against it. */
static int pool_refuses(const green_tpool *p, const green_job *job)
{
  if (job->state != GREEN_JOB_NEW) return GREEN_EINVAL;
  if (job->pin && job->pin->pool != p) return GREEN_EINVAL;
  if (p->n_lost && p->n_lost >= p->lost_most) return GREEN_ELOST;
  if (p->pending_most && p->pending >= p->pending_most) return GREEN_EAGAIN;
  return 0;
}

/* With the lock held. */
static int pool_take_job(green_tpool *p, green_job *job, green__hand **wake)
{
  int err = pool_refuses(p, job);
  if (err < 0) return err;
  job->pool = p;
  job->status = 0;
  if (p->queue.size) return pool_enqueue(p, job, wake);
  pool_work(p, job, NULL);
  return 0;
}

int green_job_submit(green_tpool *p, green_job *job)
{
  green__hand *wake = NULL;
  pool_check_fork(p);
  int err = pool_open(p);
  if (err < 0) return err;
  green__crew_lock();
  err = pool_take_job(p, job, &wake);
  if (err == 0) {
    p->pending++;
    green_hub_hold(p->hub);
  }
  green__crew_unlock();
  green__hand_wake(wake);
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

/* With the lock held: it is in line. */
static void pool_cancel(green_tpool *p, green_job *job)
{
  green__line_remove(job);
  green__queue_pulled(job_queue(p, job), 1);
  p->in_line--;
  job_unpin(job);
  pool_finish(p, job, NULL);
}

int green_job_cancel(green_job *job)
{
  green_tpool *p = job_pool(job);
  if (!p) return 0;
  pool_check_fork(p);
  green__crew_lock();
  int queued = job->state == GREEN_JOB_QUEUED;
  job->status = GREEN_ECANCELED;
  if (queued) pool_cancel(p, job);
  green__crew_unlock();
  return queued;
}

/* With the lock held: 1, or GREEN_ENOMEM. */
static int pool_lose(green_tpool *p, green_job *job)
{
  int err = green__hand_lose(job->hand, job_queue(p, job));
  if (err < 0) return err;
  green_link_remove(&job->link);
  green_list_push(&p->lost, &job->link);
  job->state = GREEN_JOB_LOST;
  p->n_running--;
  p->n_lost++;
  job_unpin(job);
  pool_less_pending(p);
  return 1;
}

int green_job_lose(green_job *job)
{
  green_tpool *p = job_pool(job);
  if (!p) return 0;
  pool_check_fork(p);
  green__crew_lock();
  int runs = job->state == GREEN_JOB_RUNNING && job->hand;
  int lost = runs ? pool_lose(p, job) : 0;
  green__crew_unlock();
  return lost;
}
