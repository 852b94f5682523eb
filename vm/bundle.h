/*
** bundle.h: the Lua library that travels inside the binary, and how require
** finds it there. Private to vm.
*/
#ifndef GREEN_BUNDLE_H
#define GREEN_BUNDLE_H

#include <stddef.h>

struct lua_State;

struct green_bundle_entry {
  const char *name; /* "green.queue" */
  const char *path; /* "lualib/green/queue.lua", for messages */
  const unsigned char *data;
  size_t len;
};

/* Generated; ends with a NULL name. */
extern const struct green_bundle_entry green__bundle[];

/* Generated: the table of functions of a noun for FFI, or NULL. */
const void *green__ffi_table(const char *noun);

/* Put a searcher for the bundle before Lua's own file searchers. With a
** GREENLUA_LIB in the environment, <dir>/green/x.lua goes first. */
void vm_bundle_install(struct lua_State *L);

#endif
