/*
** worker.h: the Lua state of a native thread, which runs functions of other
** states. Private to vm.
**
** It is made in the thread, at the first run, and closed there at the thread's
** end. It has Lua's libraries; `require "green"` works in it, and gives it a
** hub of its own, which runs while a function waits. What a function leaves in
** its globals and modules the next one finds.
**
** A runaway is told to stop: a signal to its thread sets a hook, which raises.
** A pcall of the function's may swallow that, so it is told again and again.
** Compiled loops look at no hook: killable runs are not compiled. After a run
** that was told to stop the thread gets a new state.
*/
#ifndef GREEN_WORKER_H
#define GREEN_WORKER_H

#include "crossing.h"

#include "io/job.h"
#include "io/slot.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct vm_worker vm_worker;

/* For green_tpool_set_hooks. */
extern const green_thread_hooks vm_worker_hooks;

/* -- What states are set up with ------------------------------------------ */

/* Where they look for modules, and what they run first. Counted: any thread
** may let go of it. */
typedef struct vm_setup {
  atomic_int refs;
  lua_CFunction core; /* What opens green.core. */
  char *path;         /* package.path */
  char *cpath;
  vm_parcel init; /* A function, and its arguments; or nothing. */
} vm_setup;

/* Copies of the texts. NULL: out of memory. One reference is the caller's. */
vm_setup *vm_setup_new(lua_CFunction core, const char *path, const char *cpath);
void vm_setup_ref(vm_setup *s);
void vm_setup_unref(vm_setup *s); /* NULL is fine. */

/* -- Runs ----------------------------------------------------------------- */

enum vm_run_outcome {
  VM_RUN_NONE,      /* It has not run. */
  VM_RUN_RETURNED,  /* out: its results. */
  VM_RUN_RAISED,    /* out: the error, and a traceback or nil. */
  VM_RUN_SPEECHLESS /* Out of memory. */
};

typedef struct vm_run {
  vm_parcel in;      /* A function and its arguments. */
  vm_parcel out;     /* As the outcome says. */
  vm_share *carried; /* Counted, or NULL (carry.h). */
  vm_parcel back;    /* What comes back for that, or nothing. */
  vm_setup *setup;
  const green_job *job; /* Whose run it is, */
  int64_t period;       /* and the ns of CPU time from look to look of a
                           profile; 0: there is none. */
  uint8_t killable;     /* Compile nothing meanwhile. */
  uint8_t outcome;      /* enum vm_run_outcome */
  pthread_mutex_t lock; /* Of the rest. */
  struct vm_look *look; /* Where it stood when it was asked; NULL: never. */
  vm_worker *worker;    /* That is at it. */
  uint8_t stopped;      /* It shall not begin. */
} vm_run;

/* In zeroed memory. **takes** the reference to the setup; in is still to be
** filled. */
void vm_run_init(vm_run *r, vm_setup *setup);
void vm_run_deinit(vm_run *r);

/* In the worker's thread. Never raises. */
void vm_worker_run(vm_worker *w, vm_run *r);

/* Tell it to stop; if it has not begun, not to begin. 1: a worker is at it.
** Any thread. */
int vm_worker_stop(vm_run *r);

/* What the run that this thread is at brings; NULL: nothing. */
vm_share *vm_worker_carried(void);

/* Ask where its function stands: the thread answers by itself, at the next step
** of Lua (look.h). sleeps: it is in a system call: only where it waits in a hub
** of its own it can answer. 1: it will; 0; GREEN_ENOMEM. Any thread. */
int vm_worker_ask(vm_run *r, int sleeps);

/* The answer, for all who asked: as vm_look_answer. */
size_t vm_worker_answer(vm_run *r, char *text, size_t room);

/* Is this thread a worker's? */
int vm_worker_is_here(void);

/* A number for this thread that no other one has. */
int vm_worker_thread(void);

#endif
