/*
** faults.c: which version it is.
*/

#include "faults.h"

#include <string.h>

/* Later ones have a date in the place of beta3, and luajit2 has more in its
** table. */
static int faults_of(const char *version, int is_luajit2)
{
  if (!version || !strstr(version, "beta")) return 0;
  return VM_FAULT_FINALIZERS | (is_luajit2 ? VM_FAULT_EXITS : VM_FAULT_PAIRS);
}

int vm_faults(lua_State *L)
{
  int top = lua_gettop(L), faults = 0;
  lua_getglobal(L, "jit");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "version");
    lua_getfield(L, -2, "prngstate");
    faults = faults_of(lua_tostring(L, -2), !lua_isnil(L, -1));
  }
  lua_settop(L, top);
  return faults;
}
