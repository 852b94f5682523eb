/*
** native.c: green.core's functions for runtimes in native threads.
*/

#include "core/door.h"
#include "native.h"

#include "io/signal.h"

#include <poll.h>

static vm_native *native_of(lua_State *L, int i)
{
  vm_native *n = *(vm_native **)vm_pointer(L, i);
  if (!n) luaL_argerror(L, i, "it has not been started");
  return n;
}

/* code, text = native_start(object, chunk, name, path, cpath, ...): 0, or an
** error; nil and the text where one of the values cannot cross. The chunk gets
** them, as the main green thread of a runtime of its own. */
static int native_start(lua_State *L)
{
  vm *v = core_vm(L);
  vm_native **out = vm_pointer(L, 1);
  vm_native_plan plan = {.ops = v->native,
                         .code = luaL_checkstring(L, 2),
                         .name = luaL_checkstring(L, 3),
                         .path = luaL_checkstring(L, 4),
                         .cpath = luaL_checkstring(L, 5)};
  if (vm_stall_get(v)) plan.watch = *vm_stall_get(v);
  plan.watch.tells = plan.watch.raises = 0; /* Functions do not cross. */
  luaL_argcheck(L, !*out, 1, "it has been started");
  luaL_checkstack(L, 8, "arguments of a native thread");
  if (vm_pack(L, lua_gettop(L) - 5, "arg", 0, &plan.parcel) < 0) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  int err = vm_native_start(out, &plan);
  if (err < 0) vm_parcel_free(&plan.parcel);
  lua_pushinteger(L, err);
  return 1;
}

/* fd = native_fd(object): readable when it is over. The object's. */
static int native_fd(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, vm_native_fd(native_of(L, 1)));
  return 1;
}

/* status, text = native_status(object): EBUSY while it runs; 0; 1 and what was
** raised; another error. */
static int native_status(lua_State *L)
{
  core_vm(L);
  const vm_native *n = native_of(L, 1);
  int status = vm_native_status(n);
  lua_pushinteger(L, status);
  lua_pushstring(L, status == GREEN_EBUSY ? "" : vm_native_error(n));
  return 2;
}

/* native_interrupt(object): kill its main green thread. */
static int native_interrupt(lua_State *L)
{
  core_vm(L);
  vm_native_interrupt(native_of(L, 1));
  return 0;
}

/* over = native_wait(object, seconds): nothing else runs here meanwhile. */
static int native_wait(lua_State *L)
{
  core_vm(L);
  const vm_native *n = native_of(L, 1);
  struct pollfd p = {.fd = vm_native_fd(n), .events = POLLIN};
  if (vm_native_status(n) == GREEN_EBUSY)
    poll(&p, 1, (int)(luaL_checknumber(L, 2) * 1000));
  lua_pushboolean(L, vm_native_status(n) != GREEN_EBUSY);
  return 1;
}

/* n = signal_raise(number): for this runtime alone, a signal has come; how many
** watch it. */
static int signal_raise(lua_State *L)
{
  vm *v = core_vm(L);
  int signo = (int)luaL_checkinteger(L, 1);
  lua_pushinteger(L, green_signal_raise(v->hub, signo));
  return 1;
}

const luaL_Reg vm_native_functions[] = {
    {"native_start", native_start},
    {"native_fd", native_fd},
    {"native_status", native_status},
    {"native_interrupt", native_interrupt},
    {"native_wait", native_wait},
    {"signal_raise", signal_raise},
    {NULL, NULL},
};
