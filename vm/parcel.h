/*
** parcel.h: Lua values on their way to another Lua state of this process.
** Private to vm.
**
** A graph of values is written as bytes in one state (vm_pack) and read in
** another (vm_unpack), in whatever thread; between the two nothing is Lua's.
** What crosses, and how:
**
** - nil, booleans, numbers, strings, light userdata: as they are.
** - Tables: by value, shared and cyclic ones too. One with a metatable crosses
**   where that has a name: it is a module, stands in one that is not the
**   library's, or has a field `__cross`, the name of the module whose `mt` it
**   is. There it is required again. Others are refused.
** - Functions of C's, modules, and functions that stand in a module: by name,
**   from package.loaded; they are required again. Functions of a script's: as
**   bytecode with their upvalues, which stay shared among themselves. Their
**   globals are those of the other state.
** - cdata: integers, structs and arrays by value, types by name. Pointers and
**   references are refused, and types without a name.
** - Userdata whose metatable has a carrier: by that.
**
** What is refused is named by its path: "arg[1].conn.socket". Nothing is left
** out without a word.
**
** The bytes are good in this process only: bytecode and addresses are in them.
** The reader trusts these, and looks at all else: bytes that are cut off, or
** wrong, give an error.
*/
#ifndef GREEN_PARCEL_H
#define GREEN_PARCEL_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#define VM_PARCEL_DEPTH 200 /* Levels of tables and functions, at most. */

/* How a class of userdata crosses. A parcel holds a reference of its own, from
** hold to drop: each unpack may push another object for it. */
typedef struct vm_carrier {
  /* Of the userdata at index i, which has this carrier; raises when it cannot
  ** cross. No metamethods are called. */
  void *(*hold)(lua_State *L, int i);
  /* Push one value for it, in the other state. May raise. */
  void (*push)(lua_State *L, void *held);
  /* Any thread. Never raises. */
  void (*drop)(void *held);
} vm_carrier;

/* The metatable at the top of L is of a class with that carrier, which is
** static. */
void vm_carrier_set(lua_State *L, const vm_carrier *carrier);

typedef struct vm_held {
  const vm_carrier *carrier;
  void *held;
} vm_held;

/* Zeroed: it has no values, as vm_parcel_free leaves it. */
typedef struct vm_parcel {
  char *data;
  uint32_t len;
  uint32_t n_held;
  vm_held *held; /* With room for one more, for vm_parcel_free; or NULL. */
} vm_parcel;

/* Any thread. What it held is dropped when this returns, but inside of a drop:
** then a moment later, by the same thread. */
void vm_parcel_free(vm_parcel *p);

enum vm_pack_flags {
  VM_PACK_CALL = 1, /* The first value is a function that the others are for:
                       its upvalues are "upvalue 'x'", the others "arg[i]". */
  VM_PACK_NO_FUNCTIONS = 2 /* But those that go by name. */
};

/* -- Calls (cross.c) ------------------------------------------------------ */

/* In each state that packs or unpacks, once; again does no harm. Raises when
** out of memory. */
void vm_parcel_open(lua_State *L);

/* Write the n values at the top of L, which are popped, into an empty parcel.
** what: how their names begin ("arg", "result"). 0; -1: the text of the error
** is pushed, and the parcel is empty. It never raises; needs n + 3 places on
** the stack. */
int vm_pack(lua_State *L, int n, const char *what, int flags, vm_parcel *p);

/* Push the values; how many; -1: an error is pushed instead. It never raises,
** but runs what `require` runs. The parcel stays as it is. */
int vm_unpack(lua_State *L, const vm_parcel *p);

/* The same for who is called protected already: raises the error. */
int vm_unpack_here(lua_State *L, const vm_parcel *p);

#endif
