/*
** carry.c: the two functions of Lua's that are called around a job.
*/

#include "carry.h"
#include "keys.h"

#include <lauxlib.h>

/* Leaves what is to be called at the top, or nil. */
static void carry_load(lua_State *L)
{
  vm_push_key(L, VM_KEY_REQUIRE);
  lua_pushliteral(L, "green.thread.carry");
  lua_pcall(L, 1, 0, 0);
  vm_push_key(L, VM_KEY_CARRY_BEGIN);
}

void vm_carry_begin(lua_State *L, const vm_share *carried)
{
  int top = lua_gettop(L);
  luaL_checkstack(L, 4, "job");
  vm_push_key(L, VM_KEY_CARRY_BEGIN);
  if (lua_isnil(L, -1) && carried && carried->n > 1) carry_load(L);
  if (!lua_isnil(L, -1)) lua_pcall(L, 0, 0, 0);
  lua_settop(L, top);
}

void vm_carry_end(lua_State *L, vm_parcel *back)
{
  int top = lua_gettop(L);
  if (!lua_checkstack(L, 8)) return;
  vm_push_key(L, VM_KEY_CARRY_END);
  if (!lua_isnil(L, -1) && lua_pcall(L, 0, 1, 0) == 0 && !lua_isnil(L, -1))
    vm_pack(L, 1, "value", VM_PACK_NO_FUNCTIONS, back);
  lua_settop(L, top);
}
