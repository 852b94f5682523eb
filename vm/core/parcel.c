/*
** parcel.c: green.core's functions about values that cross to other states.
*/

#include "parcel.h"
#include "core/door.h"

#include "base/mem.h"

#include <string.h>

static const struct {
  const char *name;
  int flags;
} kinds[] = {
    {"values", 0}, {"call", VM_PACK_CALL}, {"plain", VM_PACK_NO_FUNCTIONS}};

static int core_flags(lua_State *L, int i)
{
  const char *name = luaL_checkstring(L, i);
  for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
    if (!strcmp(kinds[k].name, name)) return kinds[k].flags;
  return luaL_argerror(L, i, "no such kind");
}

/* The parcel's bytes as a string; it is freed. Called protected. */
static int string_body(lua_State *L)
{
  const vm_parcel *p = lua_touserdata(L, 1);
  lua_pushlstring(L, p->data ? p->data : "", p->len);
  return 1;
}

/* bytes = pack(kind, ...): "values"; "call": a function and its arguments;
** "plain": no functions. nil, text. Nothing that a carrier holds crosses in a
** string. */
static int core_pack(lua_State *L)
{
  core_vm(L);
  vm_parcel p = {NULL, 0, 0, NULL};
  int flags = core_flags(L, 1), n = lua_gettop(L) - 1;
  luaL_checkstack(L, 8, "too many values");
  lua_pushcfunction(L, string_body);
  lua_insert(L, 1);
  int err = vm_pack(L, n, "arg", flags, &p);
  if (!err && p.n_held) {
    lua_pushliteral(L, "what a carrier holds does not cross in a string");
    err = -1;
  }
  if (!err) {
    lua_settop(L, 1);
    lua_pushlightuserdata(L, &p);
    err = lua_pcall(L, 1, 1, 0);
  }
  vm_parcel_free(&p);
  if (!err) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

/* ... = unpack(bytes). Raises what is wrong with them. */
static int core_unpack(lua_State *L)
{
  core_vm(L);
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  const vm_parcel p = {n ? (char *)s : NULL, (uint32_t)n, 0, NULL};
  int r = vm_unpack(L, &p);
  return r < 0 ? lua_error(L) : r;
}

/* text = crosses(...): nil where all values can cross. */
static int core_crosses(lua_State *L)
{
  core_vm(L);
  vm_parcel p = {NULL, 0, 0, NULL};
  int n = lua_gettop(L);
  luaL_checkstack(L, 8, "too many values");
  if (vm_pack(L, n, "arg", 0, &p) < 0) return 1;
  vm_parcel_free(&p);
  return 0;
}

const luaL_Reg vm_parcel_functions[] = {
    {"crosses", core_crosses},
    {"pack", core_pack},
    {"unpack", core_unpack},
    {NULL, NULL},
};
