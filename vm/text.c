/*
** text.c: makes a text of any error, and writes it where nobody else can.
*/

#include "text.h"
#include "data.h"

#include <stdio.h>

/* -- Texts ---------------------------------------------------------------- */

static int call_tostring(lua_State *L)
{
  if (!luaL_callmeta(L, 1, "__tostring")) return 0;
  return lua_type(L, -1) == LUA_TSTRING;
}

void vm_value_to_text(lua_State *L)
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
  vm_data_get(L, 1, "traceback");
  if (!lua_isstring(L, 2)) lua_pushliteral(L, "");
  int traceback = lua_gettop(L);
  vm_data_get(L, 1, "error");
  vm_value_to_text(L);
  lua_pushliteral(L, "\n");
  lua_pushvalue(L, traceback);
  lua_concat(L, 3);
}

/* -- Complaints ----------------------------------------------------------- */

/* Without the library nothing is queued, and C's stdio is right. */
void vm_complain_of(lua_State *L, int index)
{
  size_t n;
  const char *text = lua_tolstring(L, index, &n);
  vm_push_key(L, VM_KEY_COMPLAIN);
  lua_pushvalue(L, index);
  if (lua_pcall(L, 1, 0, 0) == 0) return;
  fwrite(text, 1, n, stderr);
  lua_pop(L, 1);
}

static int complain_body(lua_State *L)
{
  lua_pushstring(L, lua_touserdata(L, 1));
  vm_complain_of(L, 2);
  return 0;
}

void vm_complain(lua_State *L, const char *text)
{
  if (lua_cpcall(L, complain_body, (void *)text) == 0) return;
  lua_pop(L, 1);
  fputs(text, stderr); /* No memory. */
}
