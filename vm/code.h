/*
** code.h: Lua functions as strings that another state makes functions of,
** again and again, without compiling their loops anew. Private to vm.
**
** What LuaJIT has compiled hangs on a function's prototype, and loading
** bytecode makes a new one each time. So what is loaded is a maker: bytecode of
** a function that has the other as its only nested one, and returns a closure
** of it with upvalues of its own. The makers of a state are kept by their
** code.
*/
#ifndef GREEN_CODE_H
#define GREEN_CODE_H

#include <lua.h>

/* Makers that a state keeps; with one more it begins anew. */
#define VM_CODES_MOST 256

/* Made with the state (vm_parcel_open). Raises when out of memory. */
void vm_code_open(lua_State *L);

/* Push the code of the function at index i, which must be positive; 0, and
** nothing is pushed: it is none of Lua's. Raises when out of memory. */
int vm_code_push(lua_State *L, int i);

/* Is its code known already? Pushes it, and returns 1; or 0. */
int vm_code_known(lua_State *L, int i);

/* Replace the code at the top by a new closure of it; its upvalues are nil.
** Raises. */
void vm_code_make(lua_State *L);

#endif
