/*
** call.c: green.core's functions about calls that native threads make: objects
** of kind "call" and "setup" (object.c).
*/

#include "call.h"
#include "core/door.h"
#include "moved.h"
#include "profile_native.h"
#include "refusal.h"

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

/* Which has not been closed. */
static green_tpool *pool_of(lua_State *L, int i)
{
  green_tpool *p = *(green_tpool **)vm_pointer(L, i);
  if (!p) luaL_argerror(L, i, "the pool is closed");
  return p;
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

/* A call of the function below n arguments, packed. 0; or EINVAL, and a text is
** pushed: what cannot cross. */
static int fill_call(const vm *v, lua_State *L, vm_call **slot, vm_setup *s,
                     int n)
{
  vm_setup_ref(s);
  *slot = vm_call_new(s);
  if (!*slot) luaL_error(L, "not enough memory");
  luaL_checkstack(L, n + 5, "too many arguments");
  int at = lua_gettop(L) - n;
  lua_pushvalue(L, at);
  lua_insert(L, at);
  int err = vm_pack(L, n + 1, "arg", VM_PACK_CALL, &(*slot)->run.in);
  if (!err) vm_call_set_note(*slot, v, L, at); /* Names are known now. */
  lua_remove(L, at);
  return err ? GREEN_EINVAL : 0;
}

enum { AT_POOL = 1, AT_SETUP, AT_KILLABLE, AT_PIN, AT_CARRIED, AT_FUNCTION };

static vm_share *carried_of(lua_State *L)
{
  vm_share *s = *(vm_share **)vm_pointer(L, AT_CARRIED);
  return s ? vm_share_ref(s) : NULL;
}

static int no_call(lua_State *L, int err)
{
  lua_pushnil(L);
  lua_pushinteger(L, err);
  return 2;
}

/* call, queue = call(pool, setup, killable, pin, carried, fn, ...): an object
** of kind "call" that was submitted (pin: an object, or nil; carried: one of
** kind "share", or nil: carry.h), and where to wait for its end; or nil, code,
** text: what green_job_submit says; ECLOSED; ECANCELED: a cancel is pending; or
** EINVAL with what cannot cross. Raises where the caller cannot wait. */
static int core_call_start(lua_State *L)
{
  vm *v = core_vm(L);
  vm_check_wait(v, L);
  vm_setup *s = core_setup_of(L, AT_SETUP);
  green_tpool *const *p = vm_pointer(L, AT_POOL);
  if (!*p) return no_call(L, GREEN_ECLOSED);
  if (v->current->task.cancel_pending) return no_call(L, GREEN_ECANCELED);
  luaL_checkstack(L, 8, "too many arguments");
  int err = vm_push_object(v, L, "call", 0, 0);
  if (err < 0) luaL_error(L, "not enough memory");
  vm_call **slot = lua_touserdata(L, -1);
  lua_replace(L, AT_SETUP); /* The call keeps that alive. */
  err = fill_call(v, L, slot, s, lua_gettop(L) - AT_FUNCTION);
  int has_text = err < 0;
  (*slot)->run.period = vm_native_profile_period(v);
  (*slot)->run.killable = (uint8_t)lua_toboolean(L, AT_KILLABLE);
  if (lua_isuserdata(L, AT_PIN))
    (*slot)->job.pin = *(green_pin **)lua_touserdata(L, AT_PIN);
  if (lua_isuserdata(L, AT_CARRIED)) (*slot)->run.carried = carried_of(L);
  /* Packing may have run finalizers, and these may have closed the pool. */
  if (err == 0) err = *p ? vm_call_start(*slot, *p) : GREEN_ECLOSED;
  if (err < 0) {
    vm_close_object(v, L, AT_SETUP);
    lua_pushnil(L);
    lua_pushinteger(L, err);
    if (has_text) lua_pushvalue(L, -3);
    return 2 + has_text;
  }
  lua_pushvalue(L, AT_SETUP);
  lua_pushlightuserdata(L, &(*slot)->waiters);
  return 2;
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

/* What a call that is over has, which is closed then. 1, ...: its results; 2,
** err, traceback; or a code: why it did not run. Raises where these cannot be
** read here; it is the collector's then. */
static int core_call_outcome(lua_State *L)
{
  vm *v = core_vm(L);
  const vm_call *c = core_started(L, 1);
  luaL_argcheck(L, c->done, 1, "it is not over");
  int outcome = outcome_of(c);
  lua_settop(L, 1);
  lua_pushinteger(L, outcome);
  int n = outcome > 0 ? vm_unpack_here(L, &c->run.out) : 0;
  vm_close_object(v, L, 1);
  return n + 1;
}

/* value = call_back(call): what came back for what a call that is over has
** brought; nil: nothing did. */
static int core_call_back(lua_State *L)
{
  core_vm(L);
  const vm_call *c = core_started(L, 1);
  if (!c->done || !c->run.back.data) return 0;
  return vm_unpack_here(L, &c->run.back);
}

/* on_carry(begin, finish): call these around each job of this native thread's
** state (carry.h). */
static int core_on_carry(lua_State *L)
{
  core_vm(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  vm_set_key(L, VM_KEY_CARRY_END);
  vm_set_key(L, VM_KEY_CARRY_BEGIN);
  return 0;
}

/* share = carried(): what the job that runs here brings; nil. */
static int core_carried(lua_State *L)
{
  vm *v = core_vm(L);
  vm_share *s = vm_worker_carried();
  if (!s) return 0;
  if (vm_push_object(v, L, "share", 0, 0) < 0)
    luaL_error(L, "not enough memory");
  *(vm_share **)lua_touserdata(L, -1) = vm_share_ref(s);
  return 1;
}

/* runs = call_stop(call, quiet): is a thread at it? It was told to stop. quiet:
** who waits for it waits on. */
static int core_call_stop(lua_State *L)
{
  core_vm(L);
  vm_call *c = core_started(L, 1);
  if (lua_toboolean(L, 2)) c->quiet = 1;
  lua_pushboolean(L, vm_call_stop(c));
  return 1;
}

/* code = call_lose(call): give its thread up: as green_job_lose. */
static int core_call_lose(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, green_job_lose(&core_started(L, 1)->job));
  return 1;
}

/* pin = pin(pool): a claim on one of its threads, for `call`. */
static int core_pin(lua_State *L)
{
  vm *v = core_vm(L);
  green_tpool *p = pool_of(L, 1);
  if (vm_push_object(v, L, "pin", 0, 0) < 0) luaL_error(L, "not enough memory");
  green_pin **pin = lua_touserdata(L, -1);
  *pin = green_pin_new(p);
  if (!*pin) luaL_error(L, "not enough memory");
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

/* token = move_begin(what), move_give(token, fd, box), token = move_file(file):
** moved.h. box: nil, or cdata that begins with a green_tls *, which is NULL
** from then on. */
static int core_move_begin(lua_State *L)
{
  core_vm(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  vm_moved_push(L, 1);
  return 1;
}

static int core_move_give(lua_State *L)
{
  core_vm(L);
  int fd = (int)luaL_checkinteger(L, 2);
  if (lua_isnoneornil(L, 3)) {
    vm_moved_give(L, 1, fd, NULL);
    return 0;
  }
  if (lua_type(L, 3) <= LUA_TTHREAD) luaL_typerror(L, 3, "box");
  green_tls **box = (green_tls **)(uintptr_t)lua_topointer(L, 3);
  vm_moved_give(L, 1, fd, *box);
  *box = NULL;
  return 0;
}

/* x = move_land(token or x) */
static int core_move_land(lua_State *L)
{
  core_vm(L);
  luaL_checkany(L, 1);
  vm_moved_land(L, 1);
  return 1;
}

static int core_move_file(lua_State *L)
{
  core_vm(L);
  vm_moved_push_file(L, 1);
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
    {"call_back", core_call_back},
    {"on_carry", core_on_carry},
    {"carried", core_carried},
    {"call_stop", core_call_stop},
    {"call_over", core_call_over},
    {"call_lose", core_call_lose},
    {"pin", core_pin},
    {"inside", core_inside},
    {"thread_id", core_thread_id},
    {"move_begin", core_move_begin},
    {"move_give", core_move_give},
    {"move_land", core_move_land},
    {"move_file", core_move_file},
    {"env", core_env},
    {NULL, NULL},
};
