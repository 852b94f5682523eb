/*
** pack.h: what writes a parcel, for parcel.c. Private to it and pack.c.
*/
#ifndef GREEN_PACK_H
#define GREEN_PACK_H

#include "parcel_priv.h"

/* Things that were met, and where they stand in the bytes. Open addressing. */
typedef struct vm__met {
  const void *thing;
  uint32_t at;
} vm__met;

#define VM_MET_FEW 8 /* A power of two. */

enum { STEP_VALUE, STEP_KEY, STEP_UPVALUE };

/* A step of the path to what is being written. */
typedef struct vm__step {
  const struct vm__step *outer;
  int kind;         /* STEP_* */
  int n;            /* Which value, or the stack's index of a key. */
  const char *name; /* Of an upvalue. */
} vm__step;

/* Zeroed but for the first three. */
typedef struct vm__packer {
  vm_parcel *parcel;
  const char *what;
  int flags;
  lua_State *L;
  const vm__step *path;
  int depth;
  int looked; /* At package.loaded (names.h). */
  uint32_t cap;
  uint32_t held_cap;
  vm__met *met; /* NULL: the few. */
  uint32_t n_met;
  uint32_t met_cap;
  vm__met few[VM_MET_FEW];
} vm__packer;

/* Raise "path why"; the text of the latter is at the top of the stack, */
_Noreturn void vm__refuse(vm__packer *w);
/* or given, */
_Noreturn void vm__refuse_as(vm__packer *w, const char *why);
/* or tells what the value at i is. */
_Noreturn void vm__refuse_kind(vm__packer *w, int i);

/* Free what is the packer's own. */
void vm__packer_end(vm__packer *w);

#endif
