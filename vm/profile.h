/*
** profile.h: where a runtime's time and memory go: how often its threads were
** seen in which stack. Private to vm.
**
** There are three kinds, each on or off by itself. Of CPU time: a timer sends a
** signal, and LuaJIT's profiler says where Lua stands (sampler.h). Of memory: a
** function before the allocator counts, and after so many bytes asks as a
** signal does. Of waits: the hub looks at those that wait, now and then.
*/
#ifndef GREEN_PROFILE_H
#define GREEN_PROFILE_H

#include "runtime.h"

#include "base/census.h"

enum vm_profile_kind {
  VM_PROFILE_CPU,
  VM_PROFILE_ALLOC,
  VM_PROFILE_WAIT,
  VM_PROFILE_KINDS
};

/* What a CPU sample is of: LuaJIT's letters, and the loop. */
enum vm_profile_state {
  VM_PROFILE_COMPILED,
  VM_PROFILE_INTERPRETED,
  VM_PROFILE_C,
  VM_PROFILE_GC,
  VM_PROFILE_JIT,
  VM_PROFILE_LOOP,
  VM_PROFILE_NATIVE, /* In native threads. */
  VM_PROFILE_STATES
};

typedef struct vm_profile {
  green_census seen; /* Stacks (profile_text.h), and how many ns or bytes they
                        stand for. */
  double period;     /* ns or bytes of a sample, as asked for. */
  int64_t begun;     /* ns of the clock. */
  uint8_t is_on;
  uint64_t times[VM_PROFILE_STATES];
  double values[VM_PROFILE_STATES];
} vm_profile;

/* Begin one. period: ns, or bytes of memory. 0; GREEN_EALREADY: it is on;
** GREEN_EBUSY: another runtime has LuaJIT's profiler; another GREEN_E* of the
** system's. Raises in L when out of memory, and has begun nothing then. */
int vm_profile_start(vm *v, lua_State *L, enum vm_profile_kind kind,
                     double period);

/* End it. What it has seen stays until it is forgotten, or begins again; NULL:
** it was never on. Idempotent. */
const vm_profile *vm_profile_stop(vm *v, enum vm_profile_kind kind);
void vm_profile_forget(vm *v, enum vm_profile_kind kind);

/* NULL: it was never on. */
const vm_profile *vm_profile_get(const vm *v, enum vm_profile_kind kind);

/* v->stalled, and the running thread has ended, or is about to wait: a sample
** that is due is its own. What was asked for in a function of C, which had
** nothing of Lua behind it, would be blamed on the next thread. */
void vm_profile_end(vm *v);

/* With the state. */
void vm_profiles_close(vm *v);

#endif
