/*
** pairs.c: they raise what Lua's raise, in the caller's line.
*/

#include "pairs.h"
#include "faults.h"

#include <lauxlib.h>

/* key, value = next(t, key) */
static int next_field(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_next(L, 1)) return 2;
  lua_pushnil(L);
  return 1;
}

enum { OURS = 1, LUAS_NEXT, LUAS_PAIRS }; /* Upvalues of pairs. */

/* LuaJIT asks __pairs of cdata, and some builds of it of tables: it knows what
** is to be done. */
static void ask_luas(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(LUAS_PAIRS));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 3);
  if (!lua_rawequal(L, -3, lua_upvalueindex(LUAS_NEXT))) return;
  lua_pushvalue(L, lua_upvalueindex(OURS));
  lua_replace(L, -4);
}

/* next, t, nil = pairs(t) */
static int pairs_of(lua_State *L)
{
  if (lua_type(L, 1) != LUA_TUSERDATA && luaL_getmetafield(L, 1, "__pairs")) {
    ask_luas(L);
    return 3;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(OURS));
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* Is what is at index i written in LuaJIT's assembler, as these two are? A host
** may have put others there. */
static int is_luas(lua_State *L, int i)
{
  return lua_iscfunction(L, i) && !lua_tocfunction(L, i);
}

/* LuaJIT's next and pairs are at the top. */
static void put_pairs(lua_State *L)
{
  lua_pushcfunction(L, next_field);
  lua_pushvalue(L, -1);
  lua_insert(L, -4);
  lua_insert(L, -3); /* Before LuaJIT's own. */
  lua_pushcclosure(L, pairs_of, 3);
  lua_setglobal(L, "pairs"); /* From here on nothing allocates. */
  lua_setglobal(L, "next");
}

void vm_pairs_mend(lua_State *L)
{
  int top = lua_gettop(L);
  if (vm_faults(L) & VM_FAULT_PAIRS) {
    lua_getglobal(L, "next");
    lua_getglobal(L, "pairs");
    if (is_luas(L, -1) && is_luas(L, -2)) put_pairs(L);
  }
  lua_settop(L, top);
}
