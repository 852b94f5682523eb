/*
** tpool_run.c: jobs in threads, and their delivery.
**
** What threads touch stands under the lock of the crews. The pool's memory is
** counted: the owner, each job that runs, lost or not, and a post under way
** hold a reference, so that a pool can be freed while a thread is still in
** somebody's work.
*/

#include "io/tpool_priv.h"
#include "base/mem.h"

#define TPOOL_DELIVER_MOST 256 /* In a turn. */

/* -- Life of the memory --------------------------------------------------- */

void green__tpool_unref(green_tpool *p)
{
  if (--p->refs > 0) return;
  pthread_cond_destroy(&p->quiet);
  green__free(p);
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

void green__jobs_drop(green_list *jobs)
{
  green_job *job;
  while ((job = green__job_of(green_list_pop(jobs))) != NULL) {
    job_forget(job);
    job_drop(job);
  }
}

void green__pin_delete(green_pin *pin)
{
  green__queue_unpin(&pin->queue);
  green_link_remove(&pin->link);
  green__free(pin);
}

void green__job_unpin(const green_job *job)
{
  green_pin *pin = job->pin;
  if (pin && --pin->jobs == 0 && pin->unwanted) green__pin_delete(pin);
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

void green__tpool_finish(green_tpool *p, green_job *job, green__hand *h)
{
  job->state = GREEN_JOB_FINISHED;
  green_list_push(&p->finished, &job->link);
  pool_post(p, h);
}

void green__tpool_less_pending(green_tpool *p)
{
  p->pending--;
  green_hub_unhold(p->hub);
}

static green_job *pool_next_done(green_tpool *p)
{
  green_job *job = green__job_of(green_list_pop(&p->delivering));
  if (!job) return NULL;
  green__tpool_less_pending(p);
  p->n_done++;
  job->state = GREEN_JOB_NEW;
  return job;
}

/* done may do anything to the pool, even free it: then what is left here has
** been dropped, and the post's reference still holds the memory. The rest of a
** long row waits for the next turns. */
void green__tpool_deliver(green_post *post)
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
  green__tpool_unref(p);
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
  if (h) green__seat_work(green__hand_seat(h), job, p->hub);
  green__crew_do(h, task_work, &t);
  if (h) green__seat_end(green__hand_seat(h));
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

void green__tpool_work(green_tpool *p, green_job *job, green__hand *h)
{
  p->refs++;
  pool_run(p, job, h);
  if (!p->hub || job->state == GREEN_JOB_LOST) {
    pool_leave(p, job);
  } else {
    p->n_running--;
    if (h) green__queue_rest(green__job_queue(p, job));
    if (h) green__job_unpin(job);
    green__tpool_finish(p, job, h);
    if (!p->in_line && !p->n_running) pthread_cond_signal(&p->quiet);
  }
  green__tpool_unref(p);
}

/* In a thread, with the lock held. */
void green__tpool_take(green__queue *q, green__hand *h)
{
  green_tpool *p = green_container(q, green_tpool, queue);
  p->in_line--;
  green__tpool_work(p, green__line_pop(&p->line), h);
}

void green__pin_take(green__queue *q, green__hand *h)
{
  green_pin *pin = green_container(q, green_pin, queue);
  pin->pool->in_line--;
  green__tpool_work(pin->pool, green__line_pop(&pin->line), h);
}
