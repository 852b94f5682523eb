/*
** moved.h: open streams and files on their way to another state: they are taken
** from their object here, and given to a new one there, once. Private to vm.
*/
#ifndef GREEN_MOVED_H
#define GREEN_MOVED_H

#include "io/tls.h"

#include <lua.h>

/* Push a token that crosses (parcel.h) and has nothing yet but what is told of
** it, the value at index i. Raises when that cannot cross, or when out of
** memory. */
void vm_moved_push(lua_State *L, int i);

/* The token at index i has the descriptor from here on, and the connection of
** TLS over it (green_tls_depart), which may be NULL. It arrives as what
** `arrive` of green.tpool.move gives, called with what was told, the
** descriptor, and a light userdata of the connection, or nil. Where it never
** arrives, both are closed. Raises when there is no such token, or it has
** something. */
void vm_moved_give(lua_State *L, int i, int fd, green_tls *tls);

/* Push what the token at index i stands for, which arrives here; of any other
** value the value. Raises as an arrival does. */
void vm_moved_land(lua_State *L, int i);

/* Push a token that has the file of Lua's at index i, which is closed then.
** Raises for one that cannot be moved: closed, or a standard stream. */
void vm_moved_push_file(lua_State *L, int i);

#endif
