/*
** job.h: a piece of work for a native thread. What becomes of it: tpool.h.
*/
#ifndef GREEN_JOB_H
#define GREEN_JOB_H

#include "base/err.h"
#include "base/list.h"

#include <stdint.h>

struct green_tpool;
struct green_pin;
struct green__hand;

typedef struct green_job green_job;
typedef void green_job_fn(green_job *job);

/* What a job is at, in words, for who looks in (roster.h): "" and 0 is not
** known. What does not fit is cut off. */
typedef struct green_job_note {
  char what[192];
  uint64_t by;    /* The number of the green thread that wants it, */
  char name[64];  /* its name, */
  char site[128]; /* and where it was spawned. */
} green_job_note;

/* Embed in the owner, zeroed, and set the functions. */
struct green_job {
  green_link link;          /* The pool's alone, */
  green_link level;         /* so is this, */
  struct green__hand *hand; /* and this. */
  struct green_tpool *pool; /* Valid until done; NULL: the pool was freed. */
  green_job_fn *work; /* In a pool thread. Must not touch pool, hub or task. */
  green_job_fn *done; /* On the hub's thread; may free the job, may submit. */
  green_job_fn *drop; /* Instead of done when the pool was freed, or the job was
                         lost: any thread; the hub may be gone. NULL: nothing to
                         do. */
  /* While work runs, in any thread, with a lock held that others wait for: fill
  ** a zeroed note from what nobody writes meanwhile. NULL: it has no words. */
  void (*note)(const green_job *job, green_job_note *n);
  struct green_pin *pin; /* Of the same pool; NULL: any thread will do. Set
                            before submit. */
  void *slot;      /* For work: what the pool's hooks have made in this thread.
                      NULL: no hooks, or it is the hub's thread. */
  int32_t status;  /* For done: 0; GREEN_ECANCELED; or what the hooks said: then
                      there was no work. */
  int8_t priority; /* Jobs begin by priority, higher first, then by age. Set
                      before submit. */
  uint8_t state;   /* enum green_job_state; the pool's alone */
};

enum green_job_state {
  GREEN_JOB_NEW,
  GREEN_JOB_QUEUED,
  GREEN_JOB_RUNNING,
  GREEN_JOB_FINISHED,
  GREEN_JOB_LOST
};

#endif
