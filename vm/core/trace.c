/*
** trace.c: green.core's functions for tracing: events for the script's own
** functions, and lines of the library's.
*/

#include "core/door.h"
#include "site.h"
#include "trace.h"

static const struct {
  const char *name;
  int bit;
} hooks[] = {{"switch", VM_TRACE_ON_SWITCH},
             {"park", VM_TRACE_ON_PARK},
             {"wake", VM_TRACE_ON_WAKE},
             {"io", VM_TRACE_ON_IO}};

#define N_HOOKS (sizeof(hooks) / sizeof(hooks[0]))

/* trace_hooks({ switch = true, ... }): of which there are functions. */
static int core_trace_hooks(lua_State *L)
{
  vm *v = core_vm(L);
  int set = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  for (size_t i = 0; i < N_HOOKS; i++) {
    lua_getfield(L, 1, hooks[i].name);
    if (lua_toboolean(L, -1)) set |= hooks[i].bit;
    lua_pop(L, 1);
  }
  vm_trace_set_hooks(v, L, set);
  return 0;
}

/* on_trace(function()): to take what there is, in a green thread. */
static int core_on_trace(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_set_key(L, VM_KEY_ON_TRACE);
  return 0;
}

/* -- Events --------------------------------------------------------------- */

static void set_number(lua_State *L, const char *field, double value)
{
  lua_pushnumber(L, value);
  lua_setfield(L, -2, field);
}

static void set_text(lua_State *L, const char *field, const char *text)
{
  if (!text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

static void set_true(lua_State *L, const char *field, int is)
{
  if (!is) return;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, field);
}

static const char *waits_of(const vm_trace_record *r)
{
  static const char *const places[] = {
      [GREEN_AT_NOTHING] = "sleep", [GREEN_AT_READ] = "read",
      [GREEN_AT_WRITE] = "write",   [GREEN_AT_WATCH] = "watch",
      [GREEN_AT_QUEUE] = "queue",
  };
  return r->kind == GREEN_TRACE_YIELD ? "turn" : places[r->place];
}

static void push_thread_fields(lua_State *L, const vm *v,
                               const vm_trace_record *r)
{
  const char *name = vm_text_of(v, r->label);
  if (!r->id) return;
  set_number(L, "id", (double)r->id);
  set_text(L, "name", !name && r->is_main ? "main" : name);
  set_text(L, "spawned_at", vm_text_of(v, r->site));
}

static void push_park_fields(lua_State *L, const vm_trace_record *r)
{
  set_text(L, "waits", waits_of(r));
  if (r->kind == GREEN_TRACE_PARK && r->deadline != GREEN_NEVER)
    set_number(L, "timeout", (double)(r->deadline - r->at) * 1e-9);
}

static const char *kind_of(const vm_trace_record *r)
{
  switch (r->kind) {
  case GREEN_TRACE_SWITCH:
    return "switch";
  case GREEN_TRACE_WAKE:
    return "wake";
  case GREEN_TRACE_IO:
    return "io";
  default:
    return "park";
  }
}

static void push_record(lua_State *L, const vm *v, const vm_trace_record *r)
{
  const char *kind = kind_of(r);
  lua_createtable(L, 0, 8);
  set_text(L, "kind", kind);
  set_number(L, "at", (double)r->at * 1e-9);
  push_thread_fields(L, v, r);
  if (r->lost) set_number(L, "lost", r->lost);
  if (r->fd >= 0) set_number(L, "fd", r->fd);
  if (r->status) set_text(L, "status", green_err_name(r->status));
  set_true(L, "first", r->is_first);
  if (*kind == 'p') push_park_fields(L, r);
  if (*kind == 'w' && r->by) set_number(L, "by", (double)r->by);
  set_true(L, "read", r->modes & GREEN_READ);
  set_true(L, "write", r->modes & GREEN_WRITE);
}

/* event = trace_take(): a table, or nil. */
static int core_trace_take(lua_State *L)
{
  vm *v = core_vm(L);
  vm_trace_record r;
  if (!vm_trace_take(v, &r)) return 0;
  push_record(L, v, &r);
  return 1;
}

/* -- Lines ---------------------------------------------------------------- */

/* traces_http() */
static int core_traces_http(lua_State *L)
{
  lua_pushboolean(L, vm_trace_has(core_vm(L), VM_TRACE_HTTP));
  return 1;
}

/* trace_http(text): a line about the running thread. */
static int core_trace_http(lua_State *L)
{
  vm_trace_note(core_vm(L), VM_TRACE_HTTP, luaL_checkstring(L, 1));
  return 0;
}

const luaL_Reg vm_trace_functions[] = {
    {"trace_hooks", core_trace_hooks}, {"on_trace", core_on_trace},
    {"trace_take", core_trace_take},   {"traces_http", core_traces_http},
    {"trace_http", core_trace_http},   {NULL, NULL},
};
