/*
** bytes.h: long strings that are made where their bytes lie. Private to vm.
**
** LuaJIT copies what it makes a string of. A megabyte that was received into a
** block of LuaJIT's own, behind as many bytes as stand before those of a string
** in its block, becomes a string by offering it that block: the copy is from
** itself to itself, which memcpy sees.
*/
#ifndef GREEN_BYTES_H
#define GREEN_BYTES_H

#include "runtime.h"

/* Open the store of v's hub (hub/store.h), in L's state. */
void vm_bytes_open(vm *v, lua_State *L);

/* Make sure that it is known where a long string has its bytes: else the store
** has no room. */
void vm_bytes_learn(vm *v, lua_State *L);

/* Whatever makes an object of Lua's may run finalizers, and these may do what
** any Lua code may: read on, send, end a request, close a connection. Push
** p[0 .. n) as they are now; p is not looked at any more once anything of Lua's
** has run. Needs three places on the stack. */
void vm_push_bytes(vm *v, lua_State *L, const char *p, size_t n);

/* With the doors, before the first of these. */
void vm_bytes_open_copy(lua_State *L);

/* The same of n bytes in room of the store's; **takes** that, also when it
** raises. */
void vm_push_room(vm *v, lua_State *L, char *p, size_t n);

/* A long string that lives is remembered to be UTF-8; is it? */
void vm_string_is_utf8(const vm *v, const char *p, size_t n);
int vm_string_was_utf8(const vm *v, const char *p, size_t n);

#endif
