/*
** sampler.c: who owns LuaJIT's profiler, and the handlers around its own.
**
** All here is of the process: the profiler is, and a signal has no other way to
** find its program.
*/

#include "sampler.h"
#include "base/err.h"

#include <errno.h>
#include <lauxlib.h>
#include <luajit.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

/* No timer sends a signal but in 27 hours, and that one is taken back. */
#define SELDOM "i100000000"

static struct {
  _Atomic(vm_sampler *) owner;
  pthread_t thread;                  /* The owner's. */
  void (*_Atomic theirs)(int signo); /* LuaJIT's handler. */
  lua_Hook hook; /* The script's own, while the owner's is set. */
  int mask;
  int count;
} sampler;

/* -- Hooks ---------------------------------------------------------------- */

/* In the handler. LuaJIT allows a hook to be set there. */
static void sampler_set_hook(vm_sampler *s)
{
  lua_Hook old = lua_gethook(s->L);
  if (old != s->hook) {
    sampler.hook = old;
    sampler.mask = lua_gethookmask(s->L);
    sampler.count = lua_gethookcount(s->L);
  }
  lua_sethook(s->L, s->hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

void vm_sampler_unhook(lua_State *L)
{
  lua_sethook(L, sampler.hook, sampler.mask, sampler.count);
  sampler.hook = NULL;
}

/* -- Handlers ------------------------------------------------------------- */

/* A hook is set first: LuaJIT's own handler then has compiled code left, which
** looks at no hook. */
static void sampler_caught(int signo)
{
  int error = errno;
  vm_sampler *s = atomic_load(&sampler.owner);
  void (*theirs)(int) = atomic_load(&sampler.theirs);
  if (s && pthread_equal(sampler.thread, pthread_self()) &&
      atomic_exchange(&s->hooks, 0))
    sampler_set_hook(s);
  if (theirs) theirs(signo);
  errno = error;
}

static void sampler_ignore(int signo)
{
  (void)signo;
}

static void sampler_handle(void (*handler)(int))
{
  struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigemptyset(&sa.sa_mask);
  sigaction(VM_SAMPLER_SIGNAL, &sa, NULL);
}

static void (*sampler_handler(void))(int)
{
  struct sigaction now;
  sigaction(VM_SAMPLER_SIGNAL, NULL, &now);
  return now.sa_handler;
}

/* LuaJIT puts back what was there before its own: never the default, which
** would end the process at a signal that comes late. */
static void sampler_handle_late(void)
{
  void (*now)(int) = sampler_handler();
  if (now == SIG_DFL || now == SIG_IGN || now == sampler_caught)
    sampler_handle(sampler_ignore);
}

/* LuaJIT has just put its own there. 0: it has not. */
static int sampler_wrap(void (*before)(int))
{
  void (*now)(int) = sampler_handler();
  if (now == before) return 0;
  atomic_store(&sampler.theirs, now);
  sampler_handle(sampler_caught);
  return 1;
}

/* -- The profiler --------------------------------------------------------- */

static void sampler_on_profile(void *data, lua_State *L, int samples,
                               int vmstate)
{
  vm_sampler *s = data;
  (void)samples, (void)vmstate;
  s->sample(s, L);
}

/* Its timer is the process's, and may be somebody's. */
static int sampler_start(vm_sampler *s)
{
  struct itimerval timer;
  sampler_handle_late();
  void (*before)(int) = sampler_handler();
  getitimer(ITIMER_PROF, &timer);
  luaJIT_profile_start(s->L, s->exact ? "l" SELDOM : SELDOM, sampler_on_profile,
                       s);
  setitimer(ITIMER_PROF, &timer, NULL);
  return sampler_wrap(before);
}

int vm_sampler_is_owner(const vm_sampler *s)
{
  return atomic_load(&sampler.owner) == s;
}

void vm_sampler_set_exact(vm_sampler *s)
{
  if (s->exact) return;
  s->exact = 1;
  if (!vm_sampler_is_owner(s) || s->is_lent) return;
  luaJIT_profile_stop(s->L);
  sampler_start(s);
}

/* -- The script's own ----------------------------------------------------- */

/* Upvalues of what stands in the place of start, stop, and a callback. */
enum { UP_SAMPLER = 1, UP_RAW };

static vm_sampler *sampler_of(lua_State *L)
{
  lua_rawgeti(L, lua_upvalueindex(UP_SAMPLER), 1);
  vm_sampler *s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s && vm_sampler_is_owner(s) ? s : NULL;
}

/* callback(thread, samples, vmstate), as jit.profile calls it. */
static int profile_callback(lua_State *L)
{
  vm_sampler *s = sampler_of(L);
  lua_State *where = lua_tothread(L, 1);
  if (s && where) s->sample(s, where);
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

/* Replace the callback at index 2. */
static void wrap_callback(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(UP_SAMPLER));
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, profile_callback, 2);
  lua_replace(L, 2);
}

/* start(mode, callback). Its "f" is finer then than it was asked for, where
** lines are to be known: its own letters are the last. */
static int profile_start(lua_State *L)
{
  vm_sampler *s = sampler_of(L);
  if (!s && atomic_load(&sampler.owner))
    return luaL_error(L, "LuaJIT's profiler is one a process, and the blocking "
                         "detector of another runtime has it");
  lua_settop(L, 2);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (s) wrap_callback(L);
  if (s && s->exact) {
    lua_pushfstring(L, "%sl", luaL_optstring(L, 1, ""));
    lua_replace(L, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_insert(L, 1);
  lua_call(L, 2, 0);
  if (!s) return 0;
  s->is_lent = 1;
  sampler_wrap(sampler_caught);
  return 0;
}

static int profile_stop(lua_State *L)
{
  vm_sampler *s = sampler_of(L);
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_call(L, 0, 0);
  if (!s || !s->is_lent) return 0;
  s->is_lent = 0;
  sampler_start(s);
  return 0;
}

/* The field of the module at the top; box is the table that has the sampler. */
static void wrap_field(lua_State *L, int box, const char *name,
                       lua_CFunction wrapped)
{
  lua_pushvalue(L, box);
  lua_getfield(L, -2, name);
  lua_pushcclosure(L, wrapped, 2);
  lua_setfield(L, -2, name);
}

/* module = load(...): jit.profile, wrapped. */
static int profile_load(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  if (!lua_istable(L, -1)) return 1;
  wrap_field(L, lua_upvalueindex(UP_SAMPLER), "start", profile_start);
  wrap_field(L, lua_upvalueindex(UP_SAMPLER), "stop", profile_stop);
  return 1;
}

/* The box of this state's sampler stays, and what was wrapped with it. */
static const char box_key;

static void wrap_loaded(lua_State *L, int box)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "jit.profile");
  if (lua_istable(L, -1)) {
    wrap_field(L, box, "start", profile_start);
    wrap_field(L, box, "stop", profile_stop);
  }
  lua_pop(L, 2);
}

static void wrap_preload(lua_State *L, int box)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_pushvalue(L, box);
  lua_getfield(L, -2, "jit.profile");
  if (lua_isfunction(L, -1)) {
    lua_pushcclosure(L, profile_load, 2);
    lua_setfield(L, -2, "jit.profile");
    lua_pop(L, 1);
  } else {
    lua_pop(L, 3);
  }
}

/* jit.profile says what it does to this sampler from here on. */
static void wrap_profile(vm_sampler *s, lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&box_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  int is_wrapped = lua_istable(L, -1);
  if (!is_wrapped) {
    lua_pop(L, 1);
    lua_createtable(L, 1, 0);
    lua_pushlightuserdata(L, (void *)&box_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
  }
  int box = lua_gettop(L);
  lua_pushlightuserdata(L, s);
  lua_rawseti(L, box, 1);
  if (!is_wrapped) wrap_loaded(L, box);
  if (!is_wrapped) wrap_preload(L, box);
  lua_pop(L, 1);
}

void vm_sampler_leave(vm_sampler *s)
{
  if (!s->L) return;
  lua_pushlightuserdata(s->L, (void *)&box_key);
  lua_rawget(s->L, LUA_REGISTRYINDEX);
  lua_pushnil(s->L);
  lua_rawseti(s->L, -2, 1);
  lua_pop(s->L, 1);
  if (!vm_sampler_is_owner(s)) return;
  atomic_store(&sampler.owner, NULL);
  if (s->is_lent) return; /* LuaJIT's handler is called as long as it goes. */
  luaJIT_profile_stop(s->L);
  atomic_store(&sampler.theirs, NULL);
}

/* -- Taking --------------------------------------------------------------- */

int vm_sampler_take(vm_sampler *s, lua_State *L, lua_State *own)
{
  vm_sampler *nobody = NULL;
  wrap_profile(s, L);
  s->L = own;
  if (vm_sampler_is_owner(s)) return 0;
  if (!atomic_compare_exchange_strong(&sampler.owner, &nobody, s))
    return GREEN_EBUSY;
  sampler.thread = pthread_self();
  if (sampler_start(s)) return 0;
  atomic_store(&sampler.owner, NULL);
  return GREEN_EBUSY;
}
