/*
** moved.h: open sockets and files on their way to another state: they are taken
** from their object here, and given to a new one there, once. Private to vm.
*/
#ifndef GREEN_MOVED_H
#define GREEN_MOVED_H

#include <lua.h>
#include <stddef.h>

/* Push a token that crosses (parcel.h), and has the descriptor from now, and
** n bytes of input that were read from it. There it arrives as what
** `arrive` of green.tpool.move gives, called with the descriptor, these bytes
** and the number. Where it never arrives, the descriptor is closed. Raises when
** out of memory, and has done nothing then. */
void vm_moved_push_fd(lua_State *L, int fd, const char *rest, size_t n,
                      lua_Number number);

/* The same of the file of Lua's at index i, which is closed then. Raises for
** one that cannot be moved: closed, a standard stream, a pipe of popen's. */
void vm_moved_push_file(lua_State *L, int i);

#endif
