/*
** bridge.h: green threads as tasks of the hub that resume coroutines. Private
** to vm.
**
** bridge.c alone calls what makes a Lua coroutine go on or stop (lua_resume,
** lua_yield), parks its task (green_task_park, green_task_yield, green_fd_park,
** green_fd_watch) and runs the loop (green_hub_run). tools/layers checks it.
*/
#ifndef GREEN_BRIDGE_H
#define GREEN_BRIDGE_H

#include "thread.h"

/* How tasks of threads are resumed; the host's. Never raise. */
void vm_resume(green_task *task);
void vm_resume_host(green_task *task);

/* Is L the running thread's own coroutine (the main state, where the main chunk
** runs), and not one that was resumed in it, by whomever? */
int vm_is_own(const vm *v, lua_State *L);

/* Wait as v->want says: what a lua_CFunction returns. Raises where L cannot
** wait (refusal.h), and nothing has been done then. */
int vm_wait(vm *v, lua_State *L);

/* Raise what is pending in the running thread, now or after a wait, as a
** lua_CFunction's result: the status GREEN_ECANCELED. */
int vm_cancel(vm *v, lua_State *L);

/* The running thread has waited in place (green_hub_poll): what is true of one
** that was resumed is true of it. */
void vm_stayed(vm *v);

/* Run the loop until the main green thread t ends. 0, 1 (it raised, or was
** killed), or GREEN_EBUSY: the loop runs already, t is dropped. */
int vm_run_main(vm *v, vm_thread *t);

/* For the hub: this process is a child of a fork. The thread that forked goes
** on alone. */
void vm_forked(green_forkhook *h);

#endif
