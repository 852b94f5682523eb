/*
** names.h: what is found in package.loaded goes by its name. Private to vm.
**
** A name is that of a module, or a module's and a field's with a NUL between
** them.
*/
#ifndef GREEN_NAMES_H
#define GREEN_NAMES_H

#include <lua.h>

/* Made with the state (vm_parcel_open). Raises when out of memory. */
void vm_names_open(lua_State *L);

/* Push the name of the function, table or userdata at index i, and return 1; or
** return 0. Tables have one if they are modules; Lua functions, if they stand
** in a module that is not one of Lua's own, or are the library's. Looks at
** package.loaded again where *looked is 0, and sets it. Raises when out of
** memory. */
int vm_names_push(lua_State *L, int i, int *looked);

/* The same for a metatable: it may stand in a module. */
int vm_names_push_class(lua_State *L, int i, int *looked);

/* And for what cannot cross without a name. */
int vm_names_push_given(lua_State *L, int i);

/* Replace the name at the top by what it stands for: its module is required.
** Raises. */
void vm_names_get(lua_State *L);

#endif
