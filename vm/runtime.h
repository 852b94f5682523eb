/*
** runtime.h: one runtime: a Lua state with a hub, and what all of vm knows of
** the two. Private to vm.
**
** Its memory is the state's, and stays until every finalizer has run.
*/
#ifndef GREEN_RUNTIME_H
#define GREEN_RUNTIME_H

#include "blocks.h"
#include "keys.h"
#include "slot.h"
#include "turn.h"

#include "hub/hub.h"
#include "hub/store.h"

#include <lauxlib.h>
#include <lua.h>

typedef struct vm_thread vm_thread; /* thread.h */
typedef struct vm_loans vm_loans;   /* loans.h */

/* What the running thread wants when it yields to the bridge. */
enum vm_want_kind {
  VM_WANT_NOTHING,     /* A plain coroutine.yield. */
  VM_WANT_YIELD,       /* Back of the ready list. */
  VM_WANT_YIELD_FIRST, /* After the thread it has just killed. */
  VM_WANT_QUEUE,       /* ptr: a green_waitq, or NULL: the deadline only. */
  VM_WANT_FD           /* ptr: a green_fd */
};

typedef struct vm_want {
  uint8_t kind; /* The first three are written together. */
  uint8_t no_cancel;
  int16_t status;  /* What the wait returns, however it ends; 0: its own. */
  int32_t mode;    /* Of VM_WANT_FD: enum green_task_place */
  lua_State *from; /* Whose yield says so: a raw yield of another says
                      nothing. */
  void *ptr;
  int64_t deadline;
} vm_want;

/* Texts of sites and names of threads, for who has no Lua at hand: blocks of
** pointers to strings that the table of sites keeps alive (site.c). */
#define VM_TEXT_BLOCKS 48
#define VM_TEXT_BLOCK 256

/* Direct-mapped: chunk name and line of a call to spawn. */
#define VM_SITES 64
typedef struct vm_site_entry {
  const char *source;
  int line;
  int site;
  int is_own; /* The library's: good where no script's function called it. */
} vm_site_entry;

typedef struct vm {
  green_turn turn; /* What compiled Lua reads and writes. */
  green_hub *hub;
  lua_State *L; /* A coroutine of our own, never resumed: scratch space. */
  lua_State *main_state; /* NULL: the library was opened in a coroutine. */
  vm_thread *current;    /* The thread that runs; host when none does. */
  vm_thread *host;       /* Who calls from outside of the loop: a main chunk. */
  lua_State *inbox;      /* Never resumed: what the host's park will return. */
  vm_thread *main;       /* The main green thread: host, or greenlua_call's. */
  vm_want want;
  lua_CFunction open_core;      /* What opens green.core in a new state. */
  green_resume_fn *resume;      /* How tasks of threads are resumed, */
  green_resume_fn *resume_host; /* and the host's (bridge.c). */
  uint32_t n_slots;             /* Table of threads: slots ever used, */
  uint32_t free_slot;           /* and the first free one, 0: none. */
  uint64_t n_threads;           /* That were ever made. */
  uint32_t n_scopes;            /* Slots in the table of what scopes raise. */
  int main_done;                /* What green_hub_run watches. */
  int host_done;
  int objects;      /* Of core.object, not finalized yet. */
  uint32_t kept;    /* Counts what was made that stays (collector.h). */
  uint8_t ended;    /* The state is being closed. */
  uint8_t is_guest; /* In a state of somebody else's: the library as a rock. */
  uint8_t orphaned; /* This process is a child, and its main chunk the
                       parent's: the main green thread's end is its end. */
  green_forkhook forked;
  uint32_t generation; /* Of the process that the threads are in. */
  uint32_t stalled;    /* Atomic: the watchdog has told of what runs now, or a
                       sample of it is due. */
  struct vm_stall *stall;       /* NULL: nobody watches (stall.c). */
  struct vm_jobwatch *jobwatch; /* NULL: never asked for (jobwatch.c). */
  struct vm_trace *trace;       /* NULL: nothing is traced (trace.c). */
  struct vm_sampler *sampler;   /* NULL: never used (sampler.c). */
  struct vm_profiles *profiles; /* NULL: none were made (profile.c). */
  struct vm_native_profile *native_profile; /* NULL: none is on. */
  vm_slots slots; /* Of connections in hand (core/httpd.c), */
  double offered; /* and that on its way to a worker; 0: none. */
  const struct vm_native_ops *native; /* How others like it are made. */
  vm_blocks *blocks; /* Large ones that are kept; NULL: none are. */
  size_t gc_large;   /* Bytes of such that were made since the last cycle of the
                      collector (collector.c), */
  int32_t gc_begins; /* and the KB at which it begins the next, */
  int32_t gc_due;    /* and is hurried; 0: not known. */
  uint8_t gc_stale;  /* Cycles until no large one can be garbage: what is made
                        in a cycle stays until the next. */
  uint64_t gc_cycles;       /* Done so far. */
  green_histogram gc_steps; /* Work of the collector that was asked for, while
                               the hub measures. */
  uint8_t head;      /* Bytes of a block before a string's; 0: not known. */
  green_store store; /* Room for long strings (bytes.c). */
  vm_loans *loans;   /* Strings that ZeroMQ reads; NULL: none yet. */
  vm_site_entry sites[VM_SITES];      /* Cache: the last sites seen (site.c). */
  const char **texts[VM_TEXT_BLOCKS]; /* index of a site -> its text */
  uint32_t n_labels;                  /* Of those, names of threads. */
  char library[512]; /* How the sources of the library begin (site.c). */
} vm;

/* The state's runtime, or NULL. */
static inline vm *vm_get(lua_State *L)
{
  vm_push_key(L, VM_KEY_RUNTIME);
  vm *v = (vm *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return v;
}

/* At once, what a child of a fork has to do with its threads (bridge.c's
** vm_forked, through the hub). */
static inline void vm_check_fork(vm *v)
{
  if (green_unlikely(green_fork_happened(&v->generation)))
    green_hub_check_fork(v->hub);
}

/* Is L the state itself, and no coroutine of it? */
static inline int vm_is_main_state(lua_State *L)
{
  int is_main = lua_pushthread(L);
  lua_pop(L, 1);
  return is_main;
}

/* Put a runtime into L's state, which keeps it alive and closes it. Raises when
** out of memory; the hub is the state's then if vm_get is not NULL, else the
** caller's. green.core is not made yet (core/core.h). */
void vm_open(lua_State *L, green_hub *hub);

/* Keep large blocks of L's state, where that can be done. Its runtime closes
** that, too. */
void vm_open_blocks(lua_State *L);

/* An object of core.object was finalized: the hub goes with the last one. */
void vm_object_gone(vm *v);

#endif
