/*
** tpool.h: native threads for work that would stop the loop.
**
** A job's work runs in a pool thread, its done on the hub's thread. The job
** belongs to the pool from a successful submit until done (or drop) is called,
** which happens exactly once; whoever submitted it must leave its memory alone
** until then, cancelled or not. So what a cancelled task leaves behind is freed
** by done, and nobody has to wait for it.
**
** A pool is a hub's. The threads are the process's: all pools share them, and
** jobs of different pools begin by turns, so thousands of one hub do not keep
** another's waiting for more than one job a thread. Threads are started on
** demand, retire when idle for ten seconds or when no pool is left, and have
** all signals blocked. While jobs are under way the hub is held.
**
** A child of a fork has none of its parent's threads: it starts its own, and
** what the parent's were at is done again there, so a job's work must bear to
** be begun anew. fork(2) waits for work that runs, 50 ms at most: the locks of
** the C library that it holds would stay locked in the child. What pools of
** other threads' hubs had to do is not done in the child.
*/
#ifndef GREEN_TPOOL_H
#define GREEN_TPOOL_H

#include "hub/hub.h"

/* ffi */
typedef struct green_hub green_hub;
typedef struct green_tpool green_tpool;

/* A pool for this hub. It shares up to GREENLUA_THREADS threads (from the
** environment; 4 without it) with the other pools of the process: what stood
** there when the first of them had its first job counts. Nothing starts before
** that. **Free with** green_tpool_free, before the hub. NULL: out of memory. */
GREEN_API green_tpool *green_tpool_new(green_hub *hub);

/* End a pool without waiting for work that runs: such jobs get drop, in their
** thread, when they return; queued and finished ones get it now. With the last
** pool go the threads: those that are idle have ended when this returns. NULL
** is fine. */
GREEN_API void green_tpool_free(green_tpool *p);

/* Run at most n threads, of this pool alone from now on. 0: jobs run on the
** hub's own thread, inside submit. Any number is taken (a wrong one is reported
** by submit); GREEN_EBUSY while threads run for it: stop it first. */
GREEN_API int green_tpool_set_threads(green_tpool *p, int n);

/* Let all jobs of the pool be done, and join the threads if no other pool has a
** use for them. Blocks this thread; done is called by the hub's next turn. The
** pool can be used again. */
GREEN_API void green_tpool_stop(green_tpool *p);

/* For tests and curiosity. */
typedef struct green_tpool_stats {
  uint32_t threads; /* Alive: shared ones while the pool uses them, or its own;
                       none before its first job and after a stop. */
  uint32_t idle;    /* Those without work. */
  uint32_t queued;  /* Jobs of this pool. */
  uint32_t pending; /* Submitted, and done not called yet. */
} green_tpool_stats;
GREEN_API void green_tpool_stats_get(green_tpool *p, green_tpool_stats *s);

/* end ffi */

/* -- Jobs ----------------------------------------------------------------- */

typedef struct green_job green_job;
typedef void green_job_fn(green_job *job);

/* Embed in the owner, zeroed, and set the functions. */
struct green_job {
  green_link link;
  green_tpool *pool;  /* Valid until done; NULL when the pool was freed. */
  green_job_fn *work; /* In a pool thread. Must not touch pool, hub or task. */
  green_job_fn *done; /* On the hub's thread; may free the job, may submit. */
  green_job_fn *drop; /* Instead of done when the pool was freed: any thread;
                         the hub may be gone. NULL: nothing to do. */
  int32_t status;     /* For done: 0, or GREEN_ECANCELED. */
  uint8_t state;      /* enum green_job_state; the pool's alone */
};

enum green_job_state {
  GREEN_JOB_NEW,
  GREEN_JOB_QUEUED,
  GREEN_JOB_RUNNING,
  GREEN_JOB_FINISHED
};

/* Let a thread do the job. 0; GREEN_EINVAL: the pool's size is wrong, or the
** job was submitted already; GREEN_ENOMEM: there is no thread and none could be
** started. Then it never was the pool's. */
GREEN_API int green_job_submit(green_tpool *p, green_job *job);

/* The answer is not wanted any more: done will be told GREEN_ECANCELED. Returns
** 1 if work will never run, 0 if it runs or is over (its result is dropped), or
** if it is no pool's, or no more. done is called by a later turn of the hub,
** never from inside here. */
GREEN_API int green_job_cancel(green_job *job);

#endif
