/*
** slot.h: what a native thread has of its own for those that give it work: a
** Lua state, say. It is made in the thread, before the first piece of work that
** wants it, and ended there, before the thread is.
**
** Whose it is is told by the address of the hooks: all pools with the same ones
** find the same slot in a thread, so several runtimes share the states of the
** threads that they share.
*/
#ifndef GREEN_SLOT_H
#define GREEN_SLOT_H

#include "base/err.h"

/* Static: it must outlive all threads that have seen it. */
typedef struct green_thread_hooks {
  /* In the thread, which has all signals blocked, and without a lock: put what
  ** it shall have in *slot. 0, or an error: then the work that wanted it is not
  ** done and is told, and the next work in this thread makes another try. */
  int (*thread_start)(void **slot);
  /* In the thread, before it ends: by itself because it was idle, with its last
  ** pool, or when the work that it was given up for (green_job_lose) returns.
  ** Not where the process ends before; nor in a child of a fork, for threads of
  ** the parent's: their slots are not to be touched there. NULL: nothing. */
  void (*thread_end)(void *slot);
} green_thread_hooks;

/* -- For the threads. Private to greenc ----------------------------------- */

/* A thread's; NULL: it has none yet. Only that thread looks. */
typedef struct green__slots green__slots;

/* What the hooks have made here, made now if need be. 0, their error, or
** GREEN_ENOMEM. */
int green__slots_get(green__slots **all, const green_thread_hooks *hooks,
                     void **slot);

/* End them, the last one first. */
void green__slots_end(green__slots **all);

#endif
