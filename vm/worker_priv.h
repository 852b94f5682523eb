/*
** worker_priv.h: what a worker (worker.h) is made of. Private to worker.c (its
** state, and runs in it), which stands on worker_signal.c (what others tell it
** meanwhile).
*/
#ifndef GREEN_WORKER_PRIV_H
#define GREEN_WORKER_PRIV_H

#include "thread.h"
#include "worker.h"

#include <time.h>

struct vm_worker {
  lua_State *L;
  pthread_t thread;
  uint32_t generation; /* Of the process that the thread is in. */
  atomic_int stopping; /* What runs shall raise. */
  atomic_int looking;  /* It shall say where it stands. */
  lua_Hook theirs;     /* The script's, while the hook for that is set. */
  int their_mask;
  int their_count;
  vm_setup *setup;    /* The last one. */
  vm_share *carried;  /* By the last run; counted. */
  uint16_t label;     /* The name that its thread had then. */
  uint32_t raised;    /* Errors that told the run to stop. */
  uint8_t interprets; /* Nothing is compiled now. */
  vm_run *run;        /* That it is at, whose lock is that of the next: */
  vm *v;              /* NULL: green.core is not there. */
  green_post post;    /* Ends a wait of its hub. */
  atomic_int posted;
  timer_t timer; /* Of a profile. */
  uint8_t has_timer;
  atomic_int sampling; /* It has gone off. */
  green_post ask;      /* Has its hub say where it waits. */
  atomic_int asked;
};

/* This thread's; NULL: it is none. */
extern __thread vm_worker *vm__worker;

/* What ends a wait of the worker's hub, for its post. */
void vm__worker_stop_wait(green_post *post);

/* Says where it waits, for the other. */
void vm__worker_look_at_wait(green_post *post);

/* Say where the run stands now and then, for a profile that wants that; and no
** more. In its thread. */
void vm__worker_sample(vm_worker *w, const vm_run *r);
void vm__worker_sample_no_more(vm_worker *w);

/* In a new worker's thread: signals come in. */
void vm__worker_let_signals_in(void);

#endif
