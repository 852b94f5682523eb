/*
** http.h: the functions of green.core that serve green.wsgi. Private to vm.
*/
#ifndef GREEN_VM_HTTP_H
#define GREEN_VM_HTTP_H

#include <lauxlib.h>

extern const luaL_Reg vm_http_functions[];

/* The address that a cdata pointer or a light userdata at index i holds. */
void *vm_pointer(lua_State *L, int i);

#endif
