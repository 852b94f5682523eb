/*
** sampler.h: LuaJIT's profiler, as far as it says where Lua stands. Private to
** vm.
**
** The profiler is one a process: a second state's start of it does nothing, and
** a signal to that one's thread would be answered by the first. So it has one
** owner here, a runtime, whose sampler has users: the blocking detector and the
** profiler, each of which comes and goes by itself. A signal
** (VM_SAMPLER_SIGNAL) to the owner's thread has their `sample` called at the
** next place where Lua may be looked at: the next line of interpreted code, the
** return of a C function, and in compiled code the next line if a user asks for
** that (exact), else where it is left. What sends the signal is not the
** sampler's affair: a watchdog, or a timer.
**
** A script's own jit.profile (and jit.p on it) takes turns with that: its start
** and stop are wrapped, and meanwhile `sample` is called beside its callback.
**
** All here is the owner's thread only.
*/
#ifndef GREEN_SAMPLER_H
#define GREEN_SAMPLER_H

#include "runtime.h"

#include <signal.h>
#include <stdatomic.h>

#define VM_SAMPLER_SIGNAL SIGPROF

typedef struct vm_sampler vm_sampler;

/* Embed, zeroed, and set what is above the line. */
typedef struct vm_sampler_user {
  /* Lua stands in L, whose stack may be looked at as in a hook
  ** (lua_getstack, lua_getinfo, luaJIT_profile_dumpstack). It may be called
  ** when nobody asked. state: what ran when it was asked, N, I, C, G or J as
  ** LuaJIT's profiler says; 0: not known. It must neither allocate in the
  ** state nor raise. */
  void (*sample)(struct vm_sampler_user *u, lua_State *L, int state);
  /* In the handler of each signal, whoever has sent it: is Lua to be looked at
  ** for u? NULL: no timer of its own sends any. */
  int (*tick)(struct vm_sampler_user *u, const siginfo_t *info);
  lua_Hook hook; /* What the next signal sets, if hooks is not 0. */
  atomic_int
      hooks; /* Any thread may set it. It is 0 again when that is done. */
  int exact; /* Also lines of compiled code, which makes that slower. */
  /* Private. */
  vm_sampler *sampler;
} vm_sampler_user;

/* Use the sampler of v, which becomes the owner with the first. 0; GREEN_EBUSY:
** another runtime has the profiler, and u may try again. Raises in L when out
** of memory, and owns nothing then; a second try needs none. */
int vm_sampler_join(vm *v, vm_sampler_user *u, lua_State *L);

/* No more; the owner is one no more with the last. Idempotent. */
void vm_sampler_part(vm_sampler_user *u);

/* Is it used? A u of another runtime than the owner's is not. */
int vm_sampler_is_joined(const vm_sampler_user *u);

/* From now on exact: code that is compiled is thrown away. */
void vm_sampler_set_exact(vm_sampler_user *u);

/* As a signal would: sample is called at the next place. A joined one's; also
** from within the allocator. */
void vm_sampler_ask(vm_sampler_user *u);

/* Called in each signal's handler, before LuaJIT's own: who wants to break into
** compiled code, which looks at no hook, sets one there and returns 1; that
** code is left then. NULL: nobody does. One a process. */
void vm_sampler_set_breaker(int (*breaks)(void));

/* In u->hook: put back what the script had there. */
void vm_sampler_unhook(lua_State *L);

/* The system's number of the thread whose runtime has the profiler; 0: nobody
** has. Any thread. */
int vm_sampler_owner(void);

/* With the state. */
void vm_sampler_free(vm *v);

#endif
