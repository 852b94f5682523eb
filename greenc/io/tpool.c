/*
** tpool.c: the jobs of a hub: a queue of a crew's (crew.h) for those that any
** thread may do, and one for each pin.
*/

#include "io/tpool_priv.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/typed.h"

#include <stdlib.h>

#define TPOOL_THREADS 4
#define TPOOL_MOST 1024
#define TPOOL_LOST 4

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
    green__queue_pin(&green__pin_of(k)->queue, &p->queue);
  green__crew_unlock();
  return 0;
}

/* Without the lock; nothing is in line. */
static void pool_close(green_tpool *p)
{
  green__crew_lock();
  for (green_link *k = p->pins.next; k != &p->pins; k = k->next)
    green__queue_unpin(&green__pin_of(k)->queue);
  green__crew_unlock();
  green__queue_close(&p->queue);
}

/* -- Forks ---------------------------------------------------------------- */

/* Jobs that a parent's threads were at come first, as they did there. */
static void pool_requeue(green_tpool *p)
{
  green_link *k;
  while ((k = p->running.prev) != &p->running) {
    green_job *job = green__job_of(k);
    green_link_remove(k);
    green__line_push_front(green__job_line(p, job), job);
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
    green_pin *pin = green__pin_of(k);
    green__queue_forked(&pin->queue, green__line_count(&pin->line));
  }
  pool_post_again(p);
  green_list_init(&lost);
  green_list_splice(&lost, &p->lost);
  p->n_lost = 0;
  if (p->in_line) pool_open(p);
  green__jobs_drop(&lost);
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

static const green_typed threads_typed = {
    .what = "whole number", .least = 0, .most = TPOOL_MOST, .is_whole = 1};

static int threads_from_env(void)
{
  double n;
  const char *text = green_env("GREENLUA_THREADS");
  if (!text) return TPOOL_THREADS;
  return green_typed_read(&threads_typed, text, &n) == 0 ? (int)n : -1;
}

int green_tpool_env_wrong(char *out, size_t size)
{
  const char *text = green_env("GREENLUA_THREADS");
  if (!text || threads_from_env() >= 0) return 0;
  green_typed_explain(&threads_typed, "GREENLUA_THREADS=", text, out, size);
  return 1;
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
  p->queue.take = green__tpool_take;
  p->queue.size = threads_from_env();
  p->post.run = green__tpool_deliver;
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
    green_pin *pin = green__pin_of(k);
    line_let_go(&pin->line, &pin->queue, jobs);
    green__queue_unpin(&pin->queue);
    pin->pool = NULL;
    if (pin->unwanted) green__pin_delete(pin);
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
    green__job_of(k)->pool = NULL;
  for (green_link *k = p->lost.next; k != &p->lost; k = k->next)
    green__job_of(k)->pool = NULL;
}

void green_tpool_free(green_tpool *p)
{
  green_list jobs;
  if (!p) return;
  green_list_init(&jobs);
  pool_check_fork(p);
  green_forkhook_remove(&p->forked);
  green__crew_lock();
  while (p->pending) green__tpool_less_pending(p);
  p->hub = NULL;
  pool_let_go(p, &jobs);
  green__crew_unlock();
  green__queue_close(&p->queue);
  green__crew_lock();
  green__tpool_unref(p);
  green__crew_unlock();
  green__jobs_drop(&jobs);
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
  s->done = p->n_done;
  green__crew_unlock();
}

/* -- Pins ----------------------------------------------------------------- */

green_pin *green_pin_new(green_tpool *p)
{
  pool_check_fork(p);
  green_pin *pin = green__zalloc(sizeof(*pin));
  if (!pin) return NULL;
  green__line_init(&pin->line);
  pin->queue.take = green__pin_take;
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
  if (!pin->pool || !pin->jobs) green__pin_delete(pin);
  green__crew_unlock();
}

/* -- Jobs ----------------------------------------------------------------- */

/* With the lock held. */
static int pool_enqueue(green_tpool *p, green_job *job, green__hand **wake)
{
  green__queue *q = green__job_queue(p, job);
  if (job->pin) green__queue_pin(q, &p->queue);
  int err = green__queue_push(q, wake);
  if (err < 0) return err;
  job->state = GREEN_JOB_QUEUED;
  green__line_push(green__job_line(p, job), job);
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
  green__tpool_work(p, job, NULL);
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
  green__queue_pulled(green__job_queue(p, job), 1);
  p->in_line--;
  green__job_unpin(job);
  green__tpool_finish(p, job, NULL);
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
  int err = green__hand_lose(job->hand, green__job_queue(p, job));
  if (err < 0) return err;
  green_link_remove(&job->link);
  green_list_push(&p->lost, &job->link);
  job->state = GREEN_JOB_LOST;
  p->n_running--;
  p->n_lost++;
  green__job_unpin(job);
  green__tpool_less_pending(p);
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
