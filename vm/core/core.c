/*
** core.c: green.core: the list of all doors, and the doors to the hub itself.
**
** Not a public interface: arguments are checked only as far as a mistake in
** lualib must not crash.
*/

#include "core/core.h"
#include "bundle.h"
#include "bytes.h"
#include "core/door.h"
#include "greenlua.h"
#include "parcel.h"
#include "scope.h"

#include "httpd/conn.h"

#include <string.h>

/* p = pointer(object or cdata pointer): a light userdata, the cheaper argument.
** What it points to must be kept alive by other means. */
static int core_pointer(lua_State *L)
{
  core_vm(L);
  lua_pushlightuserdata(L, vm_pointer(L, 1));
  return 1;
}

/* -- Hub ------------------------------------------------------------------ */

static int core_now(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)green_hub_now(core_vm(L)->hub) * 1e-9);
  return 1;
}

/* 0 or an error code */
static int core_use_hub(lua_State *L)
{
  const char *name = luaL_optstring(L, 1, NULL);
  lua_pushinteger(L, green_hub_use(core_vm(L)->hub, name));
  return 1;
}

static int core_backend(lua_State *L)
{
  lua_pushstring(L, green_hub_backend(core_vm(L)->hub));
  return 1;
}

static int core_set_virtual(lua_State *L)
{
  int on = lua_toboolean(L, 1);
  lua_pushinteger(L, green_hub_set_virtual(core_vm(L)->hub, on));
  return 1;
}

/* advance(seconds): any number of them; the clock stops at GREEN_NEVER. */
static int core_advance(lua_State *L)
{
  green_hub *hub = core_vm(L)->hub;
  int64_t now = green_hub_now(hub);
  green_hub_advance(hub, green_clock_after(now, luaL_checknumber(L, 1)) - now);
  return 0;
}

static int core_stats(lua_State *L)
{
  const vm *v = core_vm(L);
  /* The host is no thread of the script's when main is one. */
  const uint32_t hosts = v->main != v->host;
  green_hub_stats s;
  green_hub_stats_get(v->hub, &s);
  const struct {
    const char *name;
    double value;
  } fields[] = {{"turns", (double)s.turns},
                {"switches", (double)s.switches},
                {"threads", s.live - hosts},
                {"ready", s.ready},
                {"timers", s.timers},
                {"fds", s.fds},
                {"waits", s.waits},
                {"idle", s.idle},
                {"made", (double)s.made - hosts}};
  lua_createtable(L, 0, 9);
  for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
    lua_pushnumber(L, fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
  return 1;
}

/* -- The door for FFI ----------------------------------------------------- */

/* The address of a noun's table of functions, nil if there is none. */
static int core_api(lua_State *L)
{
  core_vm(L);
  const void *table = green__ffi_table(luaL_checkstring(L, 1));
  if (!table) return 0;
  lua_pushlightuserdata(L, (void *)table);
  return 1;
}

static int core_turn(lua_State *L)
{
  lua_pushlightuserdata(L, &core_vm(L)->turn);
  return 1;
}

/* Good after the end of the runtime, too: name, text of an error code. */
static int core_errtext(lua_State *L)
{
  int code = (int)luaL_checkinteger(L, 1);
  lua_pushstring(L, green_err_name(code));
  lua_pushstring(L, green_err_text(code));
  return 2;
}

/* value = open(loader, name): loader(name) on the main state, if there is one.
** A C library may keep the state it is opened in and call back on it when it
** likes: a coroutine would be parked by then, or gone. */
static int core_open(lua_State *L)
{
  const vm *v = lua_touserdata(L, lua_upvalueindex(1));
  lua_State *main = v->main_state;
  lua_settop(L, 2);
  if (v->ended || !main || main == L) {
    lua_call(L, 1, 1);
    return 1;
  }
  lua_xmove(L, main, 2); /* There is always room for two. */
  int err = lua_pcall(main, 1, 1, 0);
  lua_xmove(main, L, 1);
  return err ? lua_error(L) : 1;
}

/* The numbers that stand in greenc's headers, so that Lua need not repeat
** them. */
static const struct {
  const char *name;
  int value;
} constants[] = {
    /* Modes of park (wait.c). */
    {"READ", GREEN_AT_READ},
    {"WRITE", GREEN_AT_WRITE},
    {"WATCH", GREEN_AT_WATCH},
    {"QUEUE", GREEN_AT_QUEUE},
    /* Kinds of scope_push (thread.c). */
    {"TIMEOUT", GREEN_SCOPE_TIMEOUT},
    {"SHIELD", GREEN_SCOPE_SHIELD},
    {"CANCEL", GREEN_SCOPE_CANCEL},
    /* What raise says (wait.c), and the count after which raises are slower. */
    {"RAISE_KILL", GREEN_RAISE_KILL},
    {"RAISE_SCOPE", GREEN_RAISE_SCOPE},
    {"RAISE_THROW", GREEN_RAISE_THROW},
    {"RAISE_REFUSED", VM_RAISE_REFUSED},
    {"RAISE_LIMIT", GREEN_RAISE_LIMIT},
    /* What httpd_next and conn_finish have found (httpd.c). */
    {"FOUND_REQUEST", GREEN_HTTPD_REQUEST},
    {"FOUND_REFUSED", GREEN_HTTPD_REFUSED},
    {"FOUND_CHOICE", GREEN_HTTPD_CHOICE},
};

static void core_set_constants(lua_State *L)
{
  for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
    lua_pushinteger(L, constants[i].value);
    lua_setfield(L, -2, constants[i].name);
  }
}

static void core_set_codes(lua_State *L)
{
  lua_newtable(L);
#define X(name, number, text) \
  lua_pushinteger(L, number); \
  lua_setfield(L, -2, #name);
  GREEN_ERR_MAP(X)
#undef X
  lua_setfield(L, -2, "codes");
}

static const luaL_Reg core_functions[] = {
    {"now", core_now},
    {"pointer", core_pointer},
    {"use_hub", core_use_hub},
    {"backend", core_backend},
    {"set_virtual", core_set_virtual},
    {"advance", core_advance},
    {"stats", core_stats},
    {"api", core_api},
    {"turn", core_turn},
    {"errtext", core_errtext},
    {"open", core_open},
    {NULL, NULL},
};

static void set_functions(lua_State *L, vm *v, const luaL_Reg *f)
{
  for (; f->name; f++) {
    lua_pushlightuserdata(L, v);
    lua_pushcclosure(L, f->func, 1);
    lua_setfield(L, -2, f->name);
  }
}

void vm_push_core(lua_State *L, vm *v)
{
  vm_parcel_open(L);
  lua_newtable(L);
  set_functions(L, v, core_functions);
  set_functions(L, v, vm_wait_functions);
  set_functions(L, v, vm_thread_functions);
  set_functions(L, v, vm_look_functions);
  set_functions(L, v, vm_role_functions);
  set_functions(L, v, vm_httpd_functions);
  set_functions(L, v, vm_answer_functions);
  set_functions(L, v, vm_env_functions);
  set_functions(L, v, vm_relay_functions);
  set_functions(L, v, vm_ws_functions);
  set_functions(L, v, vm_resp_functions);
  set_functions(L, v, vm_file_functions);
  set_functions(L, v, vm_gather_functions);
  set_functions(L, v, vm_native_functions);
  set_functions(L, v, vm_object_functions);
  set_functions(L, v, vm_process_functions);
  set_functions(L, v, vm_misuse_functions);
  set_functions(L, v, vm_parcel_functions);
  set_functions(L, v, vm_call_functions);
  set_functions(L, v, vm_channel_functions);
  set_functions(L, v, vm_share_functions);
  set_functions(L, v, vm_zmq_functions);
  set_functions(L, v, vm_measure_functions);
  set_functions(L, v, vm_stall_functions);
  set_functions(L, v, vm_trace_functions);
  set_functions(L, v, vm_profile_functions);
  vm_open_objects(L, v);
  vm_open_channels(L);
  vm_open_shares(L);
  vm_bytes_open_copy(L);
  vm_resp_open(L);
  core_set_codes(L);
  core_set_constants(L);
  vm_push_key(L, VM_KEY_WAITQ_MT);
  lua_pushcfunction(L, vm_waitq_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  vm_push_key(L, VM_KEY_MT);
  lua_setfield(L, -2, "thread_mt");
  vm_push_key(L, VM_KEY_SENTINEL);
  lua_setfield(L, -2, "sentinel");
  vm_push_key(L, VM_KEY_LEVELS);
  lua_setfield(L, -2, "levels");
  lua_pushliteral(L, GREENLUA_VERSION);
  lua_setfield(L, -2, "version");
}
