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
#include "io/job.h"
#include "io/slot.h"

/* ffi */
typedef struct green_hub green_hub;
typedef struct green_tpool green_tpool;

/* A pool for this hub. It shares up to GREENLUA_THREADS threads (from the
** environment; 4 without it) with the other pools of the process: what stood
** there when the first of them had its first job counts. Nothing starts before
** that. **Free with** green_tpool_free, before the hub. NULL: out of memory. */
GREEN_API green_tpool *green_tpool_new(green_hub *hub);

/* Is what stands there no such number, with which every job ends with
** GREEN_EINVAL? Then out says so. Any thread. */
GREEN_API int green_tpool_env_wrong(char *out, size_t size);

/* End a pool without waiting for work that runs: such jobs get drop, in their
** thread, when they return; queued and finished ones get it now. With the last
** pool go the threads: those that are idle have ended when this returns. NULL
** is fine. */
GREEN_API void green_tpool_free(green_tpool *p);

/* Run at most n threads, of this pool alone from now on. 0: jobs run on the
** hub's own thread, inside submit. Any number is taken (a wrong one is reported
** by submit); GREEN_EBUSY while threads run for it: stop it first. */
GREEN_API int green_tpool_set_threads(green_tpool *p, int n);

/* Have at most so many threads at work at once for this pool (jobs with a pin
** do not count), and at most so many jobs under way (pending, those with a pin
** too): what is submitted beyond is refused with GREEN_EAGAIN. 0: no limit, as
** at the beginning. At any time; what is beyond already stays so. */
GREEN_API void green_tpool_set_limits(green_tpool *p, uint32_t at_work,
                                      uint32_t under_way);

/* How many of the pool's threads may be lost (green_job_lose) before it takes
** no job any more: 4 at the beginning. */
GREEN_API void green_tpool_set_lost(green_tpool *p, uint32_t most);

/* Let all jobs of the pool be done, and join the threads if no other pool has a
** use for them. Blocks this thread; done is called by the hub's next turn. The
** pool can be used again. */
GREEN_API void green_tpool_stop(green_tpool *p);

/* As green_tpool_stop, but not beyond the deadline. 0; GREEN_ETIMEDOUT: jobs
** are at work, or in line, still; the pool is as before and may be freed, which
** waits for nobody. Lost threads are not waited for. */
GREEN_API int green_tpool_stop_until(green_tpool *p, int64_t deadline);

/* For tests and curiosity. */
typedef struct green_tpool_stats {
  uint32_t threads; /* Alive: shared ones while the pool uses them, or its own;
                       none before its first job and after a stop. */
  uint32_t idle;    /* Those without work. */
  uint32_t queued;  /* Jobs of this pool in line. */
  uint32_t pending; /* Submitted, and done not called yet. */
  uint32_t at_work; /* Jobs of this pool that threads are at, */
  uint32_t lost;    /* and those that were given up and have not returned. */
  uint64_t done;    /* Those whose done was called, so far. */
} green_tpool_stats;
GREEN_API void green_tpool_stats_get(green_tpool *p, green_tpool_stats *s);

/* end ffi */

/* What the threads shall have of their own for this pool's jobs, each of which
** finds it in its slot. Before the first job; NULL: nothing. */
GREEN_API void green_tpool_set_hooks(green_tpool *p,
                                     const green_thread_hooks *hooks);

/* -- Pins ----------------------------------------------------------------- */

/* A claim on one thread of a pool: jobs with the same pin run in one thread,
** one after another, in the order of priority and age. The thread is the one
** with the fewest pins when the first of them is submitted, or a new one where
** that is busy, has others, and there may be more; it does other jobs, too, by
** turns, and does not retire while it has a pin.
**
** When the pool is stopped, in a child, and when the thread is lost, a pin
** gets another thread with its next job. Who keeps something in the slot that
** belongs to a pin must look whether it is there. */
typedef struct green_pin green_pin;

/* **Free with** green_pin_free. NULL: out of memory. */
GREEN_API green_pin *green_pin_new(green_tpool *p);

/* Its jobs that are under way are done as ever, in its thread. The pool may
** have been freed. NULL is fine. */
GREEN_API void green_pin_free(green_pin *pin);

/* -- Jobs ----------------------------------------------------------------- */

/* Let a thread do the job. 0, or it never was the pool's:
** GREEN_EINVAL: the pool's size is wrong, the job was submitted already, or its
** pin is not of this pool;
** GREEN_ENOMEM: there is no thread and none could be started;
** GREEN_EAGAIN: too many are under way (green_tpool_set_limits): try again when
** one is done;
** GREEN_ELOST: too many threads of the pool are lost (green_tpool_set_lost):
** try again when one has come back, or free the pool. */
GREEN_API int green_job_submit(green_tpool *p, green_job *job);

/* The answer is not wanted any more: done will be told GREEN_ECANCELED. Returns
** 1 if work will never run, 0 if it runs or is over (its result is dropped), or
** if it is no pool's, or no more. done is called by a later turn of the hub,
** never from inside here. */
GREEN_API int green_job_cancel(green_job *job);

/* Give up a job that runs, and its thread, which counts as lost until its work
** returns: then drop is called there, and the thread ends. done is not called,
** nothing is pending any more, and other jobs, those with a pin on that thread
** too, go on in a new thread.
** 1; 0: it does not run (cancel it), is over, or is no pool's; GREEN_ENOMEM: no
** other thread could be had to do what is in line, and nothing has changed.
** Where the process ends nobody waits for a lost thread. In a child of a fork
** there is none: drop is called there before the first turn. */
GREEN_API int green_job_lose(green_job *job);

#endif
