/*
** parcel.c: parcels' memory, and what pack.c and unpack.c share.
*/

#include "parcel_priv.h"

#include "base/mem.h"

/* -- Memory --------------------------------------------------------------- */

/* Lists of what parcels held, to be dropped by this thread. Each ends with an
** entry without a carrier, which leads to the next. */
static __thread struct {
  vm_held *first;
  int is_dropping;
} waiting;

static vm_held *list_end(vm_held *held)
{
  while (held->carrier) held++;
  return held;
}

/* What is dropped may free parcels, which hold what frees parcels, as often as
** somebody has put one channel into another: these wait for their turn, in
** place of a call inside of a call. */
static void drop_list(vm_held *held, uint32_t n)
{
  held[n] = (vm_held){NULL, waiting.first};
  waiting.first = held;
  if (waiting.is_dropping) return;
  waiting.is_dropping = 1;
  while ((held = waiting.first) != NULL) {
    waiting.first = list_end(held)->held;
    for (vm_held *h = held; h->carrier; h++) h->carrier->drop(h->held);
    green__free(held);
  }
  waiting.is_dropping = 0;
}

void vm_parcel_free(vm_parcel *p)
{
  vm_parcel was = *p;
  *p = (vm_parcel){NULL, 0, 0, NULL};
  green__free(was.data);
  if (was.held) drop_list(was.held, was.n_held);
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
