/*
** text.c: errors as texts, whatever they are and whatever the script has made of
** Lua's own functions.
*/

#include "bridge.h"

void vm_raw_field(lua_State *L, const char *name)
{
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

static int call_tostring(lua_State *L)
{
  if (!luaL_callmeta(L, 1, "__tostring")) return 0;
  return lua_type(L, -1) == LUA_TSTRING;
}

/* At the top of the stack stands a text for the value that stood there. */
static void value_to_text(lua_State *L)
{
  if (lua_tostring(L, -1)) return;
  if (lua_isnil(L, -1) || lua_isboolean(L, -1)) {
    lua_pushstring(L, lua_toboolean(L, -1) ? "true"
                      : lua_isnil(L, -1)   ? "nil"
                                           : "false");
    return;
  }
  lua_pushcfunction(L, call_tostring);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) == 0 && lua_isstring(L, -1)) return;
  lua_pushliteral(L, "(error object is not a string)");
}

/* Push the library's account of it. Returns whether there is one. */
static int push_account(lua_State *L)
{
  vm_push_key(L, VM_KEY_DESCRIBE);
  lua_pushvalue(L, 1);
  return lua_isfunction(L, -2) && lua_pcall(L, 1, 1, 0) == 0 &&
         lua_type(L, -1) == LUA_TSTRING;
}

void vm_push_text(lua_State *L)
{
  lua_settop(L, 1);
  if (push_account(L)) return;
  lua_settop(L, 1);
  vm_push_data(L, 1);
  vm_raw_field(L, "traceback");
  if (!lua_isstring(L, 2)) lua_pushliteral(L, "");
  int traceback = lua_gettop(L);
  vm_push_data(L, 1);
  vm_raw_field(L, "error");
  value_to_text(L);
  lua_pushliteral(L, "\n");
  lua_pushvalue(L, traceback);
  lua_concat(L, 3);
}
