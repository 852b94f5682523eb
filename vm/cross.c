/*
** cross.c: the protected calls around what writes and reads parcels.
*/

#include "code.h"
#include "keys.h"
#include "names.h"
#include "pack.h"

void vm_parcel_open(lua_State *L)
{
  vm_push_key(L, VM_KEY_PACK_BODY);
  int is_open = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (is_open) return;
  vm_code_open(L);
  vm_names_open(L);
  lua_pushcfunction(L, vm__unpack_body);
  vm_set_key(L, VM_KEY_UNPACK_BODY);
  lua_pushcfunction(L, vm__pack_body);
  vm_set_key(L, VM_KEY_PACK_BODY);
}

int vm_pack(lua_State *L, int n, const char *what, int flags, vm_parcel *p)
{
  vm__packer w = {.parcel = p, .what = what, .flags = flags};
  if (n == 0) return 0;
  vm_push_key(L, VM_KEY_PACK_BODY);
  lua_insert(L, -n - 1);
  lua_pushlightuserdata(L, &w);
  lua_insert(L, -n - 1);
  int err = lua_pcall(L, n + 1, 0, 0);
  vm__packer_end(&w);
  if (err) vm_parcel_free(p);
  return err ? -1 : 0;
}

int vm_unpack(lua_State *L, const vm_parcel *p)
{
  int top = lua_gettop(L);
  if (!p->data) return 0;
  vm_push_key(L, VM_KEY_UNPACK_BODY);
  lua_pushlightuserdata(L, (void *)p);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != 0) return -1;
  return lua_gettop(L) - top;
}
