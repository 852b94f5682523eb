/*
** native.h: a runtime in a native thread of its own, which runs one chunk and
** ends. Private to vm.
**
** Nothing is shared with the runtime that starts it but this record: its memory
** is counted, the starter and the thread have it. Where the thread does not
** end in time, the starter lets go of it and the thread frees it later.
**
** A child of a fork has none of its parent's threads: what they ran is over
** there, with GREEN_ECLOSED.
*/
#ifndef GREEN_NATIVE_H
#define GREEN_NATIVE_H

#include "parcel.h"
#include "stall.h"

typedef struct vm_native vm_native;
typedef struct greenlua greenlua; /* greenlua.h */

/* How whole runtimes are made and run, which greenlua.c knows. */
typedef struct vm_native_ops {
  greenlua *(*open)(int *err); /* NULL: a negative *err. */
  lua_State *(*state)(greenlua *g);
  int (*call)(greenlua *g, int n); /* As greenlua_call. */
  const char *(*error)(const greenlua *g);
  void (*interrupt)(greenlua *g); /* Any thread. */
  void (*close)(greenlua *g);
} vm_native_ops;

/* The texts are copied. */
typedef struct vm_native_plan {
  const vm_native_ops *ops; /* Static. */
  const char *code;
  const char *name;       /* Of the chunk. */
  const char *path;       /* Its package.path, */
  const char *cpath;      /* and package.cpath. */
  vm_parcel parcel;       /* The chunk's arguments. */
  vm_stall_options watch; /* As the starter is watched. */
} vm_native_plan;

/* Start it. 0: it has taken the parcel, and *out is to be freed with
** vm_native_release; GREEN_ENOMEM, GREEN_EMFILE and GREEN_ENFILE (a descriptor
** tells of its end), GREEN_EAGAIN (no more threads). */
int vm_native_start(vm_native **out, const vm_native_plan *plan);

/* A descriptor that can be read when it is over. It is the record's. */
int vm_native_fd(const vm_native *n);

/* How it ended: 0; 1: the chunk raised; a negative code: it could not run.
** GREEN_EBUSY while it runs. */
int vm_native_status(const vm_native *n);

/* The text of what was raised; good once it is over. Never NULL. */
const char *vm_native_error(const vm_native *n);

/* Kill its main green thread at its next wait, as Ctrl-C does. Nothing happens
** when it is over, or has not begun to run the chunk. */
void vm_native_interrupt(vm_native *n);

/* Let go of it: the record lives until its thread has ended. NULL is fine. */
void vm_native_release(vm_native *n);

#endif
