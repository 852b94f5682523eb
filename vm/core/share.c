/*
** share.c: green.core's functions for values that were packed once, and that
** any Lua state of the process unpacks a part of when it is read.
*/

#include "core/door.h"
#include "crossing.h"

/* -- Crossing ------------------------------------------------------------- */

static void *share_hold(lua_State *L, int i)
{
  vm_share *s = *(vm_share **)lua_touserdata(L, i);
  if (!s) luaL_error(L, "share: it has no values");
  return vm_share_ref(s);
}

static void share_push(lua_State *L, void *held)
{
  vm *v = vm_get(L);
  if (!v) luaL_error(L, "share: the library is not loaded here");
  int err = vm_push_object(v, L, "share", 0, 0);
  if (err < 0) luaL_error(L, "share: %s", green_err_text(err));
  *(vm_share **)lua_touserdata(L, -1) = vm_share_ref(held);
}

static void share_drop(void *held)
{
  vm_share_unref(held);
}

static const vm_carrier share_carrier = {share_hold, share_push, share_drop};

void vm_open_shares(lua_State *L)
{
  vm_carry_objects(L, "share", &share_carrier);
}

/* -- Doors ---------------------------------------------------------------- */

/* Pack the i-th value of the list at index 2. 0; -1: a text was pushed. */
static int pack_part(lua_State *L, vm_share *s, uint32_t i)
{
  lua_rawgeti(L, 2, (int)i + 1);
  return vm_pack(L, 1, "value", 0, &s->parts[i]);
}

/* share_fill(object, list, n): pack the values 1 to n of the list, each for
** itself. The number of one that cannot cross, and the text. */
static int share_fill(lua_State *L)
{
  core_vm(L);
  vm_share **out = vm_pointer(L, 1);
  uint32_t n = (uint32_t)luaL_checkinteger(L, 3);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checkstack(L, 8, "shared values");
  vm_share *s = vm_share_new(n);
  if (!s) return luaL_error(L, "not enough memory");
  *out = s;
  for (uint32_t i = 0; i < n; i++) {
    if (pack_part(L, s, i) == 0) continue;
    lua_pushinteger(L, (int)i + 1);
    lua_insert(L, -2);
    return 2;
  }
  return 0;
}

/* value = share_part(object, i) */
static int share_part(lua_State *L)
{
  core_vm(L);
  vm_share *s = *(vm_share **)vm_pointer(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  luaL_argcheck(L, s, 1, "shared values expected");
  luaL_argcheck(L, i >= 1 && (uint32_t)i <= s->n, 2, "no such part");
  luaL_checkstack(L, 8, "shared values");
  int n = vm_unpack(L, &s->parts[i - 1]);
  return n < 0 ? lua_error(L) : n;
}

const luaL_Reg vm_share_functions[] = {
    {"share_fill", share_fill},
    {"share_part", share_part},
    {NULL, NULL},
};
