/*
** faults.h: what is wrong in the LuaJIT that we run on. Private to vm.
*/
#ifndef GREEN_FAULTS_H
#define GREEN_FAULTS_H

#include <lua.h>

enum {
  VM_FAULT_PAIRS = 1,      /* See pairs.h; */
  VM_FAULT_FINALIZERS = 2, /* finalizer.h: errors, */
  VM_FAULT_EXITS = 4,      /* loops. */
};

/* Those it has. LuaJIT is told by its table `jit`; without one it has none. */
int vm_faults(lua_State *L);

#endif
