/*
** tpool_kit.h: jobs that write down what becomes of them.
*/
#ifndef GREEN_TPOOL_KIT_H
#define GREEN_TPOOL_KIT_H

#include "t.h"
#include "io/tpool.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct job {
  green_job job;
  /* Work is not over before it is 1; NULL: there is no gate. Looked at again
  ** and again rather than slept on: a child of a fork has a gate of its own. */
  atomic_int *gate;
  atomic_int begun; /* How often. */
  int done;
  atomic_int dropped;
  int status;
  int order;
  pthread_t thread; /* Where work ran. */
} job;

static atomic_int work_order;

static inline void job_work(green_job *j)
{
  job *me = green_container(j, job, job);
  me->order = ++work_order;
  me->thread = pthread_self();
  me->begun++;
  while (me->gate && !*me->gate) usleep(500);
}

static inline void job_done(green_job *j)
{
  job *me = green_container(j, job, job);
  me->done++;
  me->status = j->status;
}

static inline void job_drop(green_job *j)
{
  green_container(j, job, job)->dropped++;
}

static inline void job_init(job *j, atomic_int *gate)
{
  memset(j, 0, sizeof(*j));
  j->job.work = job_work;
  j->job.done = job_done;
  j->job.drop = job_drop;
  j->gate = gate;
  j->status = 99;
}

static inline green_tpool_stats stats(green_tpool *p)
{
  green_tpool_stats s;
  green_tpool_stats_get(p, &s);
  return s;
}

static inline void wait_begun(const job *j)
{
  while (!j->begun) usleep(500);
}

static inline int begun_of(const job *j, int n)
{
  int begun = 0;
  for (int i = 0; i < n; i++) begun += j[i].begun;
  return begun;
}

static inline int done_of(const job *j, int n)
{
  int done = 0;
  for (int i = 0; i < n; i++) done += j[i].done;
  return done;
}

/* n jobs that are over, of which some have been delivered. */
static inline void deliver_some(green_tpool *p, green_hub *hub, job *j, int n)
{
  green_tpool_set_threads(p, 0);
  for (int i = 0; i < n; i++) {
    job_init(&j[i], NULL);
    green_job_submit(p, &j[i].job);
  }
  while (!done_of(j, n)) green_hub_turn(hub, 0);
}

static inline void wait_idle(green_tpool *p, int threads)
{
  while ((int)stats(p).idle < threads) usleep(500);
}

/* Its work has returned, but done was not called. */
static inline void wait_over(const job *j, green_tpool *p)
{
  wait_begun(j);
  wait_idle(p, 1);
}

#endif
