/*
** call.c: green.core's functions about calls that native threads make: objects
** of kind "call" and "setup" (object.c).
*/

#include "call.h"
#include "core/door.h"

#include "base/env.h"

static vm_call **core_call(lua_State *L, int i)
{
  luaL_checktype(L, i, LUA_TUSERDATA);
  return lua_touserdata(L, i);
}

/* Which has been started, and not been freed. */
static vm_call *core_started(lua_State *L, int i)
{
  vm_call *c = *core_call(L, i);
  if (!c) luaL_argerror(L, i, "a call expected");
  return c;
}

static vm_setup *core_setup_of(lua_State *L, int i)
{
  luaL_checktype(L, i, LUA_TUSERDATA);
  vm_setup *s = *(vm_setup **)lua_touserdata(L, i);
  if (!s) luaL_argerror(L, i, "a setup expected");
  return s;
}

/* code, text = setup(setup, path, cpath, fn, ...): fill a new object of that
** kind; fn may be nil. 0; or EINVAL and a text: what cannot cross. */
static int core_setup(lua_State *L)
{
  const vm *v = core_vm(L);
  luaL_checktype(L, 1, LUA_TUSERDATA);
  vm_setup **s = lua_touserdata(L, 1);
  const char *path = luaL_checkstring(L, 2), *cpath = luaL_checkstring(L, 3);
  vm_setup_unref(*s);
  *s = vm_setup_new(v->open_core, path, cpath);
  if (!*s) luaL_error(L, "not enough memory");
  int n = lua_isnil(L, 4) ? 0 : lua_gettop(L) - 3;
  luaL_checkstack(L, 8, "too many arguments");
  if (n && vm_pack(L, n, "arg", VM_PACK_CALL, &(*s)->init) < 0) {
    lua_pushinteger(L, GREEN_EINVAL);
    lua_insert(L, -2);
    return 2;
  }
  lua_pushinteger(L, 0);
  return 1;
}

/* code, text = call(call, pool, setup, killable, pin, fn, ...): fill a new
** object of kind "call" and submit it; pin: a pointer, or nil. 0; what
** green_job_submit says; or EINVAL and a text: what cannot cross. */
static int core_call_start(lua_State *L)
{
  core_vm(L);
  vm_call **slot = core_call(L, 1);
  green_tpool *p = *(green_tpool **)vm_pointer(L, 2);
  vm_setup *s = core_setup_of(L, 3);
  int n = lua_gettop(L) - 5;
  luaL_checkstack(L, 8, "too many arguments");
  if (!p) luaL_argerror(L, 2, "the pool is closed");
  vm_setup_ref(s);
  *slot = vm_call_new(s);
  if (!*slot) luaL_error(L, "not enough memory");
  (*slot)->run.killable = (uint8_t)lua_toboolean(L, 4);
  if (vm_pack(L, n, "arg", VM_PACK_CALL, &(*slot)->run.in) < 0) {
    lua_pushinteger(L, GREEN_EINVAL);
    lua_insert(L, -2);
    return 2;
  }
  lua_pushinteger(L, vm_call_start(*slot, p));
  return 1;
}

/* queue = call_waiters(call): to park on until it is over. */
static int core_call_waiters(lua_State *L)
{
  core_vm(L);
  lua_pushlightuserdata(L, &core_started(L, 1)->waiters);
  return 1;
}

/* What became of it, before what it has: 1 ok, 2 an error, else a code. */
static int outcome_of(const vm_call *c)
{
  if (c->run.outcome == VM_RUN_RETURNED) return 1;
  if (c->run.outcome == VM_RUN_RAISED) return 2;
  if (c->run.outcome == VM_RUN_SPEECHLESS) return GREEN_ENOMEM;
  return c->job.status < 0 ? c->job.status : GREEN_ECANCELED;
}

/* 0: it is not over; 1, ...: its results; 2, err, traceback; or a code: why it
** did not run. Raises where what it has cannot be read here. */
static int core_call_outcome(lua_State *L)
{
  core_vm(L);
  const vm_call *c = core_started(L, 1);
  int outcome = c->done ? outcome_of(c) : 0;
  lua_settop(L, 1);
  lua_pushinteger(L, outcome);
  if (outcome <= 0) return 1;
  int n = vm_unpack(L, &c->run.out);
  return n < 0 ? lua_error(L) : n + 1;
}

/* runs = call_stop(call): is a thread at it? It was told to stop. */
static int core_call_stop(lua_State *L)
{
  core_vm(L);
  vm_call *c = core_started(L, 1);
  int runs = !c->done && vm_worker_stop(&c->run);
  if (!c->done) green_job_cancel(&c->job);
  lua_pushboolean(L, runs);
  return 1;
}

/* is_over = call_over(call) */
static int core_call_over(lua_State *L)
{
  core_vm(L);
  lua_pushboolean(L, core_started(L, 1)->done);
  return 1;
}

/* inside(): is this state a native thread's? */
static int core_inside(lua_State *L)
{
  lua_pushboolean(L, vm_worker_is_here());
  return 1;
}

/* number = thread_id(): of this native thread. */
static int core_thread_id(lua_State *L)
{
  lua_pushinteger(L, vm_worker_thread());
  return 1;
}

/* text = env(name): of the environment, where that is looked at; nil. */
static int core_env(lua_State *L)
{
  const char *value = green_env(luaL_checkstring(L, 1));
  if (!value) return 0;
  lua_pushstring(L, value);
  return 1;
}

const luaL_Reg vm_call_functions[] = {
    {"setup", core_setup},
    {"call", core_call_start},
    {"call_waiters", core_call_waiters},
    {"call_outcome", core_call_outcome},
    {"call_stop", core_call_stop},
    {"call_over", core_call_over},
    {"inside", core_inside},
    {"thread_id", core_thread_id},
    {"env", core_env},
    {NULL, NULL},
};
