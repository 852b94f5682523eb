/*
** profile_native.h: the CPU time of jobs in native threads, for a profile.
** Private to vm, for profile.c.
**
** All of a job's time is counted, by the clock of its thread. What runs Lua
** says now and then where it stands, by itself: a timer of CPU time sends its
** thread a signal, and the next step of Lua pays for what was used until then
** (worker.h). What is not paid for by a line is the job's as a whole: C,
** compiled code that is never left, what is too short, and what had begun
** before.
*/
#ifndef GREEN_PROFILE_NATIVE_H
#define GREEN_PROFILE_NATIVE_H

#include "runtime.h"

#include "base/census.h"
#include "io/roster.h"

/* Count what jobs of v use, and have those that begin from now on look each
** period (ns). 0; GREEN_ENOMEM: nobody does. */
int vm_native_profile_start(vm *v, double period);

/* No more: what was seen goes into a census. Idempotent; NULL: it goes nowhere.
** How many ns that is, in *times samples. */
double vm_native_profile_stop(vm *v, green_census *into, uint64_t *times);

/* The period in ns; 0: nobody counts. */
int64_t vm_native_profile_period(const vm *v);

/* In the job's thread, at a step of Lua: it stands in L, and base is the state
** whose outermost function is the worker's. */
void vm_native_profile_sample(const green_job *job, lua_State *L,
                              lua_State *base);

#endif
