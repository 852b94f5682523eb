/*
** gather.h: for doors that put pieces of long data into a gather. Private to
** vm/core.
*/
#ifndef GREEN_GATHER_H
#define GREEN_GATHER_H

#include <lua.h>

#define VM_GATHER_MOST (64 << 20) /* Bytes. */

/* How much more the gather at index i takes. Raises when it is none. */
size_t vm_gather_room(lua_State *L, int i);

/* Put n bytes into it, not more than there is room for. */
void vm_gather_add(lua_State *L, int i, const char *p, size_t n);

#endif
