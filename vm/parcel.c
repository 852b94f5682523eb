/*
** parcel.c: parcels' memory, and what pack.c and unpack.c share.
*/

#include "parcel_priv.h"

#include "base/mem.h"

void vm_parcel_free(vm_parcel *p)
{
  for (uint32_t i = 0; i < p->n_held; i++)
    p->held[i].carrier->drop(p->held[i].held);
  green__free(p->held);
  green__free(p->data);
  *p = (vm_parcel){NULL, 0, 0, NULL};
}

/* -- Carriers ------------------------------------------------------------- */

const void *vm__carrier_key(void)
{
  static const char key = 0;
  return &key;
}

void vm_carrier_set(lua_State *L, const vm_carrier *carrier)
{
  lua_pushlightuserdata(L, (void *)vm__carrier_key());
  lua_pushlightuserdata(L, (void *)carrier);
  lua_rawset(L, -3);
}

/* -- The FFI -------------------------------------------------------------- */

void vm__push_ffi(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "ffi");
  lua_remove(L, -2);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_getfield(L, -1, "ffi");
  lua_remove(L, -2);
  lua_pushliteral(L, "ffi");
  lua_call(L, 1, 1);
}
