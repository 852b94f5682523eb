/*
** stall.h: green threads that keep the loop of their runtime: who it is, for
** how long, and where it stands. Private to vm.
**
** greenc's watchdog finds them, from a thread of its own; LuaJIT's profiler
** says where they stand (sampler.h). A word goes to standard error while it
** lasts; a function of the library's hears of it afterwards. Where another
** runtime has the profiler there is no line, only the thread and the duration.
*/
#ifndef GREEN_STALL_H
#define GREEN_STALL_H

#include "thread.h"

typedef struct vm_stall_options {
  int64_t limit;  /* ns; 0: do not watch. */
  uint8_t exact;  /* Lines of compiled code are known from the beginning; else
                    from the first stall on that has shown none. */
  uint8_t logs;   /* To standard error. */
  uint8_t tells;  /* VM_KEY_ON_STALL is called with each. */
  uint8_t raises; /* VM_KEY_STALL_RAISE is called in whoever stalls. */
} vm_stall_options;

/* Durations up to 2, 4, 8, ... limits, and what is longer. */
#define VM_STALL_BUCKETS 12

typedef struct vm_stall_stats {
  double count;
  int64_t total; /* ns */
  int64_t longest;
  uint32_t buckets[VM_STALL_BUCKETS];
} vm_stall_stats;

/* Watch the calling thread, which is v's; replaces what was before, the stats
** stay. 0; GREEN_EBUSY: watched, but another runtime has the profiler;
** GREEN_ENOMEM: not watched. Raises when out of memory, with nothing done but a
** stop of what was before. */
int vm_stall_start(vm *v, lua_State *L, const vm_stall_options *o);

/* Idempotent. */
void vm_stall_stop(vm *v);

/* NULL: not watched. */
const vm_stall_options *vm_stall_get(const vm *v);
void vm_stall_stats_get(const vm *v, vm_stall_stats *s);

/* Has what runs now been found, and looked at? */
int vm_stall_is_told(const vm *v);

/* Seconds of a text as a limit: 0 is none. -1: out says what is wrong with it
** behind name, "--watchdog=". */
int64_t vm_stall_limit(const char *name, const char *text, char *out,
                       size_t size);

/* The same of GREENLUA_WATCHDOG; 0: it is not set. */
int64_t vm_stall_limit_of_env(char *out, size_t size);

/* Start, if that says so. What makes no sense is no word; or, if that is
** strict, an error. Raises as above. */
void vm_stall_start_env(vm *v, lua_State *L, int strict);

/* v->stalled, and the running thread's lua_resume has returned r. */
void vm_stall_end(vm *v, int r);

#endif
