/*
** names.c: the names of what stands in package.loaded.
**
** Two tables, whose keys are weak: value -> name, and metatable -> name. They
** are made anew when package.loaded has other modules than it had then. A name
** that is found is looked up: the field of a module may have changed.
*/

#include "names.h"
#include "finalizer.h"
#include "keys.h"
#include "site.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

/* -- What stands where ---------------------------------------------------- */

static int is_one_of(const char *name, const char *const *list)
{
  for (; *list; list++)
    if (!strcmp(name, *list)) return 1;
  return 0;
}

/* Modules of Lua's own, which the other state has without those functions that
** a script has put there. */
static int is_luas(const char *module)
{
  static const char *const names[] = {
      "_G",    "string",  "table", "math", "io",  "os", "coroutine",
      "debug", "package", "bit",   "jit",  "ffi", NULL};
  return is_one_of(module, names);
}

static int is_librarys(const char *module)
{
  return !strcmp(module, "green") || !strncmp(module, "green.", 6);
}

/* Is the function at the top C's, or the library's? */
static int is_given(lua_State *L)
{
  lua_Debug ar;
  const vm *v = vm_get(L);
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &ar);
  return !strcmp(ar.what, "C") || vm_finalizers_has(ar.source) ||
         (v && vm_is_library(v, ar.source));
}

/* Does the value at the top go by its name, standing in that module? */
static int is_named_there(lua_State *L, const char *module)
{
  switch (lua_type(L, -1)) {
  case LUA_TFUNCTION:
    return !is_luas(module) || is_given(L);
  case LUA_TUSERDATA:
    return 1;
  default:
    return 0;
  }
}

/* The value at the top has that name in the table at index t, if it has none
** yet; the name, which is at the top behind it, is popped. */
static void set_name(lua_State *L, int t)
{
  lua_pushvalue(L, -2);
  lua_rawget(L, t);
  int is_known = !lua_isnil(L, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, -2);
  lua_insert(L, -2);
  if (is_known)
    lua_pop(L, 2);
  else
    lua_rawset(L, t);
}

static void push_field_name(lua_State *L, const char *module, int key)
{
  luaL_Buffer b;
  size_t n;
  const char *field = lua_tolstring(L, key, &n);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, module);
  luaL_addchar(&b, '\0');
  luaL_addlstring(&b, field, n);
  luaL_pushresult(&b);
}

/* -- The tables ----------------------------------------------------------- */

/* Indices of the two. */
typedef struct tables {
  int names;
  int classes;
} tables;

/* The fields of the module at the top. */
static void add_fields(lua_State *L, const tables *t, const char *module)
{
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    int is_text = lua_type(L, -2) == LUA_TSTRING;
    int is_class =
        lua_istable(L, -1) && !is_luas(module) && !is_librarys(module);
    if (is_text && (is_class || is_named_there(L, module))) {
      push_field_name(L, module, lua_gettop(L) - 1);
      set_name(L, is_class ? t->classes : t->names);
    }
    lua_pop(L, 1);
  }
}

/* The module at the top, whose name is below it: a string, which stays. */
static void add_module(lua_State *L, const tables *t)
{
  int type = lua_type(L, -1);
  if (lua_type(L, -2) != LUA_TSTRING) return;
  if (type != LUA_TTABLE && type != LUA_TFUNCTION) return;
  lua_pushvalue(L, -2);
  set_name(L, t->names);
  if (type == LUA_TTABLE) add_fields(L, t, lua_tostring(L, -2));
}

static void new_table(lua_State *L, enum vm_key k)
{
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  vm_set_key(L, k);
}

/* A number that is another one when other modules are loaded. */
static lua_Number modules_now(lua_State *L)
{
  uint64_t sum = 0;
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    sum += ((uintptr_t)lua_topointer(L, -1) >> 3) * 31 +
           ((uintptr_t)lua_topointer(L, -2) >> 3) * 17;
  lua_pop(L, 1);
  return (lua_Number)(sum & 0xffffffffffff);
}

static void names_make(lua_State *L)
{
  tables t;
  luaL_checkstack(L, 16, "names");
  new_table(L, VM_KEY_NAMES);
  t.names = lua_gettop(L);
  new_table(L, VM_KEY_CLASSES);
  t.classes = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    add_module(L, &t);
    lua_pop(L, 1);
  }
  lua_pushnumber(L, modules_now(L));
  lua_rawseti(L, t.names, 0);
  lua_settop(L, t.names - 1);
}

static void names_check(lua_State *L, int *looked)
{
  if (*looked) return;
  *looked = 1;
  luaL_checkstack(L, 5, "names");
  vm_push_key(L, VM_KEY_NAMES);
  lua_rawgeti(L, -1, 0);
  lua_Number then = lua_tonumber(L, -1);
  lua_pop(L, 2);
  if (then != modules_now(L)) names_make(L);
}

/* Is what has the name at the top still the value at i? */
static int is_still(lua_State *L, int i)
{
  size_t n;
  const char *name = lua_tolstring(L, -1, &n);
  size_t module = strlen(name);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_pushlstring(L, name, module);
  lua_rawget(L, -2);
  if (module < n && lua_istable(L, -1)) {
    lua_pushlstring(L, name + module + 1, n - module - 1);
    lua_rawget(L, -2);
    lua_remove(L, -2);
  }
  int is = lua_rawequal(L, -1, i);
  lua_pop(L, 2);
  return is;
}

static int push_found(lua_State *L, enum vm_key k, int i)
{
  vm_push_key(L, k);
  lua_pushvalue(L, i);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_isstring(L, -1) && is_still(L, i)) return 1;
  lua_pop(L, 1);
  return 0;
}

int vm_names_push(lua_State *L, int i, int *looked)
{
  if (push_found(L, VM_KEY_NAMES, i)) return 1;
  if (*looked) return 0;
  names_check(L, looked);
  return push_found(L, VM_KEY_NAMES, i);
}

/* Modules come and go, and a new one may be where the old one was: before
** something is refused, all are looked at. */
static int push_surely(lua_State *L, int i, int is_class)
{
  for (int made = 0;; made = 1) {
    if (push_found(L, VM_KEY_NAMES, i)) return 1;
    if (is_class && push_found(L, VM_KEY_CLASSES, i)) return 1;
    if (made) return 0;
    names_make(L);
  }
}

int vm_names_push_class(lua_State *L, int i, int *looked)
{
  names_check(L, looked);
  return push_surely(L, i, 1);
}

int vm_names_push_given(lua_State *L, int i)
{
  return push_surely(L, i, 0);
}

/* -- Getting -------------------------------------------------------------- */

static void push_require(lua_State *L)
{
  vm_push_key(L, VM_KEY_REQUIRE);
  if (lua_isfunction(L, -1)) return;
  lua_pop(L, 1);
  lua_getglobal(L, "require");
}

/* Is the value at the top one? Else require knows: it may be its mark of a
** module that is being loaded. */
static int is_module(lua_State *L)
{
  int type = lua_type(L, -1);
  return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA;
}

static void push_module(lua_State *L, const char *name)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  if (is_module(L)) return;
  lua_pop(L, 1);
  push_require(L);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

void vm_names_get(lua_State *L)
{
  size_t n;
  const char *name = lua_tolstring(L, -1, &n);
  size_t module = strlen(name);
  push_module(L, name);
  if (module < n) {
    lua_pushlstring(L, name + module + 1, n - module - 1);
    lua_gettable(L, -2);
    lua_remove(L, -2);
  }
  if (lua_isnil(L, -1))
    luaL_error(L, "module '%s' has no '%s' in this thread", name,
               module < n ? name + module + 1 : "");
  lua_remove(L, -2);
}

void vm_names_open(lua_State *L)
{
  new_table(L, VM_KEY_NAMES);
  new_table(L, VM_KEY_CLASSES);
  lua_pop(L, 2);
}
