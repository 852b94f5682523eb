/*
** call.h: a function of this state that a native thread calls in its own: a job
** of a pool, and who waits for its end. Private to vm.
*/
#ifndef GREEN_CALL_H
#define GREEN_CALL_H

#include "thread.h"
#include "worker.h"

#include "hub/hub.h"
#include "io/tpool.h"

/* What it calls and for whom: copies, for whoever looks in at any time. "" and
** 0: not known. */
typedef struct vm_call_note {
  char function[64]; /* Its name, if a module has it. */
  char source[LUA_IDSIZE];
  int line; /* Where it is defined; 0: in C. */
  uint64_t by;
  char name[64]; /* Of the green thread that calls. */
  char site[128];
} vm_call_note;

/* Whoever waits for it holds a reference, and the pool while it has it. */
typedef struct vm_call {
  green_job job;
  vm_run run;          /* In the thread's hands until done. */
  green_waitq waiters; /* Woken once, at its end. */
  uint32_t generation; /* Of the process that wants it. */
  atomic_int refs;
  vm_call_note note;
  uint8_t done;
  uint8_t quiet; /* Nobody is woken: the program ends. */
} vm_call;

/* **takes** the reference to the setup, also when it fails. What is to be run
** is put into run.in. NULL: out of memory. **Free with** vm_call_free. */
vm_call *vm_call_new(vm_setup *setup);

/* Before the start: the function at index i of L's stack is what it calls, and
** the running green thread wants it. May raise for want of memory. */
void vm_call_set_note(vm_call *c, const vm *v, lua_State *L, int i);

/* Let a thread do it. As green_job_submit. In a child of a fork it is not done
** once more. */
int vm_call_start(vm_call *c, green_tpool *p);

/* Tell it to stop; if it has not begun, it will not. 1: a thread is at it. */
int vm_call_stop(vm_call *c);

/* What a job runs; NULL: it is none of these. For green_roster_visit. */
vm_run *vm_call_run(const green_job *job);

/* Nobody waits any more; what runs is told to stop. NULL is fine. */
void vm_call_free(vm_call *c);

#endif
