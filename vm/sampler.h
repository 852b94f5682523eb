/*
** sampler.h: LuaJIT's profiler, as far as it says where Lua stands. Private to
** vm.
**
** The profiler is one a process: a second state's start of it does nothing, and
** a signal to that one's thread would be answered by the first. So it has one
** owner here. A signal (VM_SAMPLER_SIGNAL) to the owner's thread has its
** `sample` called at the next place where Lua may be looked at: the next line
** of interpreted code, the return of a C function, and in compiled code the
** next line if that is asked for (exact), else where it is left. What sends the
** signal is not the sampler's affair: a watchdog, or a timer.
**
** A script's own jit.profile (and jit.p on it) takes turns with that: its start
** and stop are wrapped, and meanwhile `sample` is called beside its callback.
**
** All here is the owner's thread only.
*/
#ifndef GREEN_SAMPLER_H
#define GREEN_SAMPLER_H

#include <lua.h>
#include <signal.h>
#include <stdatomic.h>

#define VM_SAMPLER_SIGNAL SIGPROF

/* Embed, zeroed, and set what is above the line. */
typedef struct vm_sampler {
  /* Lua stands in L, whose stack may be looked at as in a hook
  ** (lua_getstack, lua_getinfo, luaJIT_profile_dumpstack). It may be called
  ** when nobody asked. It must neither allocate in the state nor raise. */
  void (*sample)(struct vm_sampler *s, lua_State *L);
  lua_Hook hook; /* What the next signal sets, if hooks is not 0. */
  atomic_int
      hooks; /* Any thread may set it. It is 0 again when that is done. */
  int exact; /* Also lines of compiled code, which makes that slower. */
  /* Private. */
  lua_State *L;
  int is_lent; /* The script's jit.profile is at it. */
} vm_sampler;

/* Become the owner; own: a coroutine of L's state that lives as long. 0; or
** GREEN_EBUSY: another runtime has the profiler. Raises in L when out of
** memory, and owns nothing then; a second try needs none. */
int vm_sampler_take(vm_sampler *s, lua_State *L, lua_State *own);

/* Let others have it. Idempotent. */
void vm_sampler_leave(vm_sampler *s);

int vm_sampler_is_owner(const vm_sampler *s);

/* From now on exact: code that is compiled is thrown away. */
void vm_sampler_set_exact(vm_sampler *s);

/* In s->hook: put back what the script had there. */
void vm_sampler_unhook(lua_State *L);

#endif
