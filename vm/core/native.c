/*
** native.c: green.core's functions for runtimes in native threads.
*/

#include "core/door.h"
#include "native.h"

#include "io/signal.h"

enum { TEXTS_MOST = 8 };

static vm_native *native_of(lua_State *L, int i)
{
  return *(vm_native **)vm_pointer(L, i);
}

/* code = native_start(object, chunk, name, text...): 0, or an error. The chunk
** runs as the main green thread of a runtime of its own. */
static int native_start(lua_State *L)
{
  const char *texts[TEXTS_MOST];
  size_t lens[TEXTS_MOST];
  vm_native_plan plan = {.texts = texts, .lens = lens};
  core_vm(L);
  vm_native **out = vm_pointer(L, 1);
  plan.code = luaL_checkstring(L, 2);
  plan.name = luaL_checkstring(L, 3);
  plan.n = lua_gettop(L) - 3;
  luaL_argcheck(L, plan.n <= TEXTS_MOST, 4, "too many texts");
  for (int i = 0; i < plan.n; i++)
    texts[i] = luaL_checklstring(L, 4 + i, &lens[i]);
  lua_pushinteger(L, *out ? GREEN_EALREADY : vm_native_start(out, &plan));
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
    {"native_start", native_start},   {"native_fd", native_fd},
    {"native_status", native_status}, {"native_interrupt", native_interrupt},
    {"signal_raise", signal_raise},   {NULL, NULL},
};
