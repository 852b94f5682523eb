/*
** stall.c: green.core's functions for the detector of blocked loops.
*/

#include "core/door.h"
#include "jobwatch.h"
#include "stall.h"

#include <stddef.h>

static const struct {
  const char *name;
  size_t at;
} flags[] = {{"exact", offsetof(vm_stall_options, exact)},
             {"logs", offsetof(vm_stall_options, logs)},
             {"tells", offsetof(vm_stall_options, tells)},
             {"raises", offsetof(vm_stall_options, raises)}};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

/* code = watchdog(seconds, { exact =, logs =, tells =, raises = }): 0 seconds:
** no more. EBUSY: it watches, but another runtime has LuaJIT's profiler. */
static int core_watchdog(lua_State *L)
{
  vm *v = core_vm(L);
  vm_stall_options o = {.limit = (int64_t)(luaL_checknumber(L, 1) * 1e9)};
  luaL_checktype(L, 2, LUA_TTABLE);
  for (size_t i = 0; i < N_FLAGS; i++) {
    lua_getfield(L, 2, flags[i].name);
    *((uint8_t *)&o + flags[i].at) = (uint8_t)lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  lua_pushinteger(L, vm_stall_start(v, L, &o));
  return 1;
}

static void set_seconds(lua_State *L, const char *name, int64_t ns)
{
  lua_pushnumber(L, (double)ns * 1e-9);
  lua_setfield(L, -2, name);
}

/* Set the options in the table on top; NULL: nobody watches, and there are
** none. */
static void set_options(lua_State *L, const vm_stall_options *o)
{
  if (!o) return;
  set_seconds(L, "limit", o->limit);
  for (size_t i = 0; i < N_FLAGS; i++) {
    lua_pushboolean(L, *((const uint8_t *)o + flags[i].at));
    lua_setfield(L, -2, flags[i].name);
  }
}

/* { limit =, exact =, ..., count =, total =, longest =, buckets =, told = }; no
** limit: nobody watches. told: who asks is found to block. */
static int core_watchdog_state(lua_State *L)
{
  const vm *v = core_vm(L);
  vm_stall_stats s;
  vm_stall_stats_get(v, &s);
  lua_createtable(L, 0, 10);
  set_options(L, vm_stall_get(v));
  lua_pushnumber(L, s.count);
  lua_setfield(L, -2, "count");
  set_seconds(L, "total", s.total);
  set_seconds(L, "longest", s.longest);
  lua_pushboolean(L, vm_stall_is_told(v));
  lua_setfield(L, -2, "told");
  lua_createtable(L, VM_STALL_BUCKETS, 0);
  for (int i = 0; i < VM_STALL_BUCKETS; i++) {
    lua_pushinteger(L, (lua_Integer)s.buckets[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "buckets");
  return 1;
}

/* on_stall(function(stall)): in a green thread of its own, afterwards. */
static int core_on_stall(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_set_key(L, VM_KEY_ON_STALL);
  return 0;
}

/* on_stall_raise(function()), which raises, in a hook. */
static int core_on_stall_raise(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_set_key(L, VM_KEY_STALL_RAISE);
  return 0;
}

/* watch_jobs(seconds, fn): as vm_jobwatch_start; nil: no more. */
static int core_watch_jobs(lua_State *L)
{
  vm *v = core_vm(L);
  if (lua_isnil(L, 1)) {
    vm_jobwatch_stop(v);
    return 0;
  }
  double seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds > 0 && seconds < 1e9, 1, "seconds expected");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  vm_jobwatch_start(v, L, (int64_t)(seconds * 1e9));
  return 0;
}

const luaL_Reg vm_stall_functions[] = {
    {"watchdog", core_watchdog},     {"watchdog_state", core_watchdog_state},
    {"on_stall", core_on_stall},     {"on_stall_raise", core_on_stall_raise},
    {"watch_jobs", core_watch_jobs}, {NULL, NULL},
};
