/*
** core.h: green.core, the table of C functions that the Lua library is built
** on. Private to vm.
*/
#ifndef GREEN_CORE_H
#define GREEN_CORE_H

#include "runtime.h"

/* Push the core table of the state's runtime. Raises when out of memory. */
void vm_push_core(lua_State *L, vm *v);

#endif
