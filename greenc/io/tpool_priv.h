/*
** tpool_priv.h: what a pool of jobs (tpool.h) is made of. Private to
** tpool_run.c (what threads do with jobs, and how these are delivered) and
** tpool.c (all that is asked of a pool), which stands on the other.
*/
#ifndef GREEN_TPOOL_PRIV_H
#define GREEN_TPOOL_PRIV_H

#include "io/crew.h"
#include "io/line.h"
#include "io/tpool.h"

#include <pthread.h>

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
  int deliveries; /* Deliveries under way; done may turn the hub. */
  uint8_t posted;
  uint32_t in_line; /* Jobs of all its lines. */
  uint32_t n_running;
  uint32_t n_lost, lost_most;
  uint32_t pending, pending_most; /* Hub thread only. */
  uint64_t n_done;                /* Likewise. */
};

struct green_pin {
  green__queue queue;
  green__line line;
  green_link link;   /* Among the pool's. */
  green_tpool *pool; /* NULL: it was freed. */
  uint32_t jobs;     /* In line, or at work. */
  uint8_t unwanted;  /* Its owner has freed it. */
};

static inline green_job *green__job_of(green_link *k)
{
  return k ? green_container(k, green_job, link) : NULL;
}

static inline green_pin *green__pin_of(green_link *k)
{
  return green_container(k, green_pin, link);
}

/* Where it stands in line. */
static inline green__queue *green__job_queue(green_tpool *p,
                                             const green_job *job)
{
  return job->pin ? &job->pin->queue : &p->queue;
}

static inline green__line *green__job_line(green_tpool *p, const green_job *job)
{
  return job->pin ? &job->pin->line : &p->line;
}

/* -- tpool_run.c ---------------------------------------------------------- */

/* With the lock held: one holder less. */
void green__tpool_unref(green_tpool *p);

/* With the lock held: the job is over, done is due. h: the thread, NULL: the
** hub's. */
void green__tpool_finish(green_tpool *p, green_job *job, green__hand *h);

/* Hub thread: one job less keeps the hub. */
void green__tpool_less_pending(green_tpool *p);

/* The post of a pool: calls done of what is finished. */
void green__tpool_deliver(green_post *post);

/* With the lock held, which is given up meanwhile: do the job, in that thread;
** NULL: in the hub's. */
void green__tpool_work(green_tpool *p, green_job *job, green__hand *h);

/* What queues of pools and of pins have as take (crew.h). */
void green__tpool_take(green__queue *q, green__hand *h);
void green__pin_take(green__queue *q, green__hand *h);

/* Without the lock: let all of them go, which are no pool's any more. */
void green__jobs_drop(green_list *jobs);

/* With the lock held: it is neither in line nor at work any more. */
void green__job_unpin(const green_job *job);

/* With the lock held: leave crew and pool. **Frees** it. */
void green__pin_delete(green_pin *pin);

#endif
