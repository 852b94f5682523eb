/*
** call.h: a function of this state that a native thread calls in its own: a job
** of a pool, and who waits for its end. Private to vm.
*/
#ifndef GREEN_CALL_H
#define GREEN_CALL_H

#include "worker.h"

#include "hub/hub.h"
#include "io/tpool.h"

/* Whoever waits for it holds a reference, and the pool while it has it. */
typedef struct vm_call {
  green_job job;
  vm_run run;          /* In the thread's hands until done. */
  green_waitq waiters; /* Woken once, at its end. */
  uint32_t generation; /* Of the process that wants it. */
  atomic_int refs;
  uint8_t done;
  uint8_t quiet; /* Nobody is woken: the program ends. */
} vm_call;

/* **takes** the reference to the setup, also when it fails. What is to be run
** is put into run.in. NULL: out of memory. **Free with** vm_call_free. */
vm_call *vm_call_new(vm_setup *setup);

/* Let a thread do it. As green_job_submit. In a child of a fork it is not done
** once more. */
int vm_call_start(vm_call *c, green_tpool *p);

/* Tell it to stop; if it has not begun, it will not. 1: a thread is at it. */
int vm_call_stop(vm_call *c);

/* Nobody waits any more; what runs is told to stop. NULL is fine. */
void vm_call_free(vm_call *c);

#endif
