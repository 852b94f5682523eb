/*
** data.c: the table that a green thread has of its own: what it ended with is
** kept there.
*/

#include "data.h"

/* -- The table ------------------------------------------------------------ */

void vm_push_data(lua_State *L, int index)
{
  vm_thread *t = lua_touserdata(L, index);
  if (!(t->flags & VM_F_DATA)) {
    lua_newtable(L);
    lua_setfenv(L, index < 0 ? index - 1 : index);
    t->flags |= VM_F_DATA;
    vm_touch(t);
  }
  lua_getfenv(L, index);
}

void vm_data_set(lua_State *L, int ud, const char *name)
{
  vm_push_data(L, ud);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static void raw_field(lua_State *L, const char *name)
{
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

void vm_data_get(lua_State *L, int ud, const char *name)
{
  const vm_thread *t = lua_touserdata(L, ud);
  if (!(t->flags & VM_F_DATA)) {
    lua_pushnil(L);
    return;
  }
  lua_getfenv(L, ud);
  raw_field(L, name);
}

/* -- What it ended with --------------------------------------------------- */

static void keep_results(lua_State *L, int ud, lua_State *co)
{
  int n = lua_gettop(co);
  lua_createtable(L, n, 1);
  for (int i = 1; i <= n; i++) {
    lua_pushvalue(co, i);
    lua_xmove(co, L, 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  vm_data_set(L, ud, "results");
}

static int was_killed(lua_State *L, int ud, int err)
{
  vm_data_get(L, ud, "kill_error");
  int same = !lua_isnil(L, -1) && lua_rawequal(L, -1, err);
  lua_pop(L, 1);
  return same;
}

static enum vm_ending keep_error(lua_State *L, int ud, lua_State *co)
{
  lua_pushvalue(co, -1);
  lua_xmove(co, L, 1);
  int err = lua_gettop(L);
  enum vm_ending ending = was_killed(L, ud, err) ? VM_KILLED : VM_RAISED;
  luaL_traceback(L, co, NULL, 0);
  vm_data_set(L, ud, "traceback");
  if (lua_isnil(L, err)) { /* error(nil): still an error. */
    lua_pushboolean(L, 1);
    vm_data_set(L, ud, "error_is_nil");
  }
  vm_data_set(L, ud, "error");
  return ending;
}

enum vm_ending vm_data_keep(lua_State *L, int ud, lua_State *co, int r)
{
  if (r != 0) return keep_error(L, ud, co);
  keep_results(L, ud, co);
  return VM_RETURNED;
}

int vm_data_push_outcome(lua_State *L, int ud)
{
  const vm_thread *t = lua_touserdata(L, ud);
  if (t->flags & VM_F_SPEECHLESS) lua_pushliteral(L, "not enough memory");
  if (t->flags & VM_F_SPEECHLESS) return 1;
  vm_data_get(L, ud, t->ending == VM_RETURNED ? "results" : "error");
  if (t->ending != VM_RETURNED) return 1;
  if (!lua_istable(L, -1)) return 0;
  int results = lua_gettop(L);
  lua_pushvalue(L, results);
  raw_field(L, "n");
  int n = (int)lua_tointeger(L, -1);
  luaL_checkstack(L, n + 2, "too many results");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, results, i);
  return n;
}
