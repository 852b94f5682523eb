/*
** misuse.h: errors for wrong calls of the library. Private to vm.
**
** A wrong call is blamed on the first function of the stack that is not of the
** library: however many of the library's own lie above it, and through pcall.
** For functions of green.core, whose upvalue is needed.
*/
#ifndef GREEN_MISUSE_H
#define GREEN_MISUSE_H

#include <lua.h>

/* Raise the string at the top of the stack, with the place of who called. */
_Noreturn void vm_misuse(lua_State *L);

/* Raise "where: what, not <the value at index i>", likewise. */
_Noreturn void vm_wrong(lua_State *L, const char *where, const char *what,
                        int i);

/* Push what a value is, for a message: a string in quotes, a number, "a
** table". */
void vm_push_shown(lua_State *L, int i);

/* Is the value at index i a function, or something with __call? */
int vm_is_callable(lua_State *L, int i);

#endif
