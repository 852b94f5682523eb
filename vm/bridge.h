/*
** bridge.h: one runtime, and green threads as tasks that resume coroutines.
** Private to vm.
*/
#ifndef GREEN_BRIDGE_H
#define GREEN_BRIDGE_H

#include "greenlua.h"
#include "slot.h"
#include "turn.h"

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/scope.h"

#include <lauxlib.h>
#include <lua.h>

/* First word of each userdata that core.park takes. */
enum vm_kind {
  VM_WAITQ = 0x71756575,
  VM_THREAD = 0x74687264,
  VM_WATCH = 0x77617463
};

/* A wait queue. One with an owner (its environment, an object with a method
** _lost) hands things over: what a waiter was given who then ends without having
** run goes back to owner:_lost(queue, ...). */
typedef struct vm_waitq {
  uint32_t kind;
  uint8_t owned;
  uint8_t closed; /* Its finalizer has run. */
  green_waitq q;
} vm_waitq;

/* Most values that are handed over by one wake. */
enum { VM_HANDED_MOST = 8 };

/* A green thread: the userdata that scripts hold. It is anchored through its
** coroutine's stack, the coroutine through the runtime's table of threads. */
typedef struct vm_thread {
  uint32_t kind;
  uint32_t slot; /* In the table of threads, from 1. */
  struct vm *vm;
  lua_State *co;  /* NULL when dead. */
  int32_t depth;  /* User coroutines it has open below itself. */
  uint32_t flags; /* VM_F_* */
  int16_t nargs;  /* Values on co's stack for the next resume. */
  int16_t status; /* Overrides the task's status at the next resume. */
  uint16_t site;  /* Where it was spawned: index into the table of sites. */
  uint8_t quiet;  /* The next resume passes no status if all is well. */
  uint8_t ending; /* enum vm_ending, once dead */
  green_task task;
} vm_thread;

enum {
  VM_F_DATA = 1,   /* Its environment is its own table (vm_push_data). */
  VM_F_NOWAIT = 2, /* spawn_n: results are dropped. */
  VM_F_LINKED = 4, /* Somebody linked: on_end runs at its death. */
  VM_F_LOCAL = 8,  /* spawn_after_local: dropped if its parent is dead. */
  VM_F_MAIN = 16,
  VM_F_STARTED = 32,
  VM_F_TOUCHED = 64,     /* Counted in turn.touched. */
  VM_F_EXITS = 128,      /* on_exit runs at its end, whatever that is. */
  VM_F_HANDED = 256,     /* Woken by an owned queue, and has not run since. */
  VM_F_SPEECHLESS = 512, /* No memory for its results or its error. */
  VM_F_HEARD = 1024,     /* What it raises is heard by what on_exit runs. */
  VM_F_TELLS = 2048,     /* It runs on_end for data.tells, whose error is to be
                            reported. */
  VM_F_KNOWN = 4096      /* Scripts have got hold of it, or of its coroutine:
                             it must not be used again for something else. */
};

enum vm_ending { VM_ALIVE, VM_RETURNED, VM_RAISED, VM_KILLED };

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
  uint32_t n_slots;   /* Table of threads: slots ever used, */
  uint32_t free_slot; /* and the first free one, 0: none. */
  int main_done;      /* What green_hub_run watches. */
  int host_done;
  int objects;      /* Of core.object, not finalized yet. */
  uint8_t ended;    /* The state is being closed. */
  uint8_t is_guest; /* In a state of somebody else's: the library as a rock. */
  uint8_t orphaned; /* This process is a child, and its main chunk the
                       parent's: the main green thread's end is its end. */
  green_forkhook forked;
  uint32_t generation;           /* Of the process that the threads are in. */
  vm_slots slots;                /* Of connections in hand (http.c). */
  vm_site_entry sites[VM_SITES]; /* Cache: the last sites seen. */
  char library[512]; /* How the sources of the library begin (misuse.c). */
} vm;

/* The state's runtime, or NULL. */
vm *vm_get(lua_State *L);

/* Put a runtime into L's state, which keeps it alive and closes it, and push its
** core table. Raises when out of memory; the hub is the state's then if vm_get is
** not NULL, else the caller's. */
void vm_open(lua_State *L, green_hub *hub);

/* Run the loop until the main green thread t ends. 0, 1 (it raised, or was
** killed), or negative. */
int vm_run_main(vm *v, vm_thread *t);

/* Make a thread of the function below n arguments on L's stack; they are
** popped, the thread's userdata is pushed. Raises when out of memory, and has
** done nothing then. */
vm_thread *vm_thread_new(vm *v, lua_State *L, int n, int flags, int level);

/* The thread of whoever calls from outside of the loop. */
void vm_thread_new_host(vm *v, lua_State *L);

/* Its coroutine has ended, with this result of lua_resume. Never raises. */
void vm_thread_finish(vm *v, vm_thread *t, int r);

/* How tasks of threads are resumed; the host's. */
void vm_resume(green_task *task);
void vm_resume_host(green_task *task);

/* Make what ends need. */
void vm_open_threads(lua_State *L);

/* Tasks of greenc's own may stand among the threads'. */
int vm_is_thread(const green_task *task);

/* It has got a table or a scope; and it has none any more. */
static inline void vm_touch(vm_thread *t)
{
  if (!(t->flags & VM_F_TOUCHED)) t->vm->turn.touched++;
  t->flags |= VM_F_TOUCHED;
}

static inline void vm_untouch(vm_thread *t)
{
  if (t->flags & VM_F_TOUCHED) t->vm->turn.touched--;
  t->flags &= ~(uint32_t)VM_F_TOUCHED;
}

/* Where the values lie that t's park will return. The host's own stack is in use: it
** waits in place, and C libraries may call functions on it meanwhile. */
static inline lua_State *vm_inbox(const vm_thread *t)
{
  return t == t->vm->host ? t->vm->inbox : t->co;
}

/* Push the userdata of t. */
void vm_push_thread(lua_State *L, const vm_thread *t);

/* Push the thread's own table (name, links, results, error, ...). */
void vm_push_data(lua_State *L, int index);

/* Is L the running thread's own coroutine (the main state, where the main chunk
** runs), and not one that was resumed in it, by whomever? */
int vm_is_own(const vm *v, lua_State *L);

/* Wait as v->want says: what a lua_CFunction returns. */
int vm_wait(vm *v, lua_State *L);

/* Is a chunk of that name the library's? (misuse.c) */
int vm_is_library(const vm *v, const char *source);

/* Push "file:line: " of the first function of the stack that is not of the
** library, or "" (misuse.c). */
void vm_push_place(lua_State *L, const vm *v);

/* May vm_wait be called here, or would it raise? */
int vm_can_wait(vm *v, lua_State *L);
/* 1: it would; the message is pushed. 0: it may be called. */
int vm_push_refusal(vm *v, lua_State *L);
/* Raise it, if it would. */
void vm_check_wait(vm *v, lua_State *L);

/* The process ends: tell of unheard errors that were to be told in the next turn.
** Never raises. */
void vm_tell_rest(vm *v);

/* End a thread that never ran, or is given up: its waiters get the kill error.
** Never raises. */
void vm_thread_drop(vm_thread *t);

/* The same, and nobody is told: a child of a fork has no use for it. */
void vm_thread_forget(vm_thread *t);

/* In a child whose main chunk is the parent's: what that holds is given back. */
void vm_forget_host(vm *v);

/* The index of the site of the function at a level of L's stack. */
int vm_site(vm *v, lua_State *L, int level);

/* Push a field of the table at the top, which is popped; no metamethods. */
void vm_raw_field(lua_State *L, const char *name);

/* L's stack is a dead thread's userdata: push a text for the error that ended it:
** the library's own account when it is loaded, else message and traceback. To be
** called protected. */
void vm_push_text(lua_State *L);

/* Write text to standard error, behind what is queued there. Never raises. */
void vm_complain(lua_State *L, const char *text);

/* "file:line" of the spawn, or "?". */
void vm_push_site(lua_State *L, const vm_thread *t);

/* Raise what is pending in the running thread, now or after a wait, as a
** lua_CFunction's result: the status GREEN_ECANCELED. */
int vm_cancel(vm *v, lua_State *L);

/* Push on L "string.gsub" or what else keeps the coroutine at from waiting. */
void vm_push_blocker(lua_State *L, lua_State *at);

/* May the main chunk, whose state is at, run the loop here, or is it inside
** string.gsub or the like, or L inside a finalizer? */
int vm_host_can_wait(lua_State *at, lua_State *L);

/* At once, what a child has to do with its threads. */
void vm_check_fork(vm *v);

/* An object of core.object was finalized. */
void vm_object_gone(vm *v);

/* Remember the functions of Lua's that call back, for the above. */
void vm_open_blockers(lua_State *L);

/* Registry keys: only their addresses matter. */
enum vm_key {
  VM_KEY_RUNTIME,  /* The vm's userdata. */
  VM_KEY_THREADS,  /* slot -> coroutine at 2 * slot - 1, userdata at 2 * slot */
  VM_KEY_SITES,    /* index -> "file:line", and back; sources it keeps alive */
  VM_KEY_MT,       /* Metatable of threads, filled by green.thread. */
  VM_KEY_WAITQ_MT, /* Has __gc. */
  VM_KEY_BLOCKERS, /* Lua's functions that call back but cannot be waited in,
                      as they were at vm_open -> their names */
  VM_KEY_LEVELS,   /* depth -> the user coroutine of the running thread there;
                      weak */
  VM_KEY_SAVED,    /* Wait queues that outlived their finalizer -> true */
  VM_KEY_SENTINEL, /* What a coroutine yields that waits in a green thread. */
  VM_KEY_ON_END,   /* function(thread, report): links and reports. */
  VM_KEY_ON_EXIT,  /* function(thread): what a thread holds is given back. */
  VM_KEY_DESCRIBE, /* text = function(thread): of the error that ended it. */
  VM_KEY_DEADLOCK, /* function(): main is about to be told of a deadlock. */
  VM_KEY_RAISE, /* function(): raise what is pending in the running thread. */
  VM_KEY_COMPLAIN, /* function(text): to standard error, behind what is queued. */
  VM_KEY_LEAVE,    /* function(status): end the process. */
  VM_KEY_ON_ENDING,   /* function(can_run): what the end of the program runs. */
  VM_KEY_COUNTER,     /* function(): long enough for a hook to be called. */
  VM_KEY_MAIN,        /* In a child of a fork: the thread that became main. */
  VM_KEY_FINISH_BODY, /* C functions that thread.c calls protected. */
  VM_KEY_TELL_BODY,
  VM_KEY_EXIT_BODY,
  VM_KEY_LOST_BODY,
  VM_KEY_UNTOLD_BODY,
  VM_KEY_TELL_NOW_BODY,
  VM_KEY_REQUIRE,   /* Lua's own. */
  VM_KEY_MAKE_BODY, /* And greenlua.c. */
  VM_KEY_LOAD_BODY,
  VM_KEY_TEXT_BODY,
  VM_KEY_OUTCOME_BODY,
  VM_KEY_CORE, /* The table green.core. */
  VM_KEY_L,    /* Anchors vm.L. */
  VM_N_KEYS
};

/* The keys are numbers that nobody else has: LuaJIT finds those faster than
** addresses, which fall on each other in its hash. */
#define VM_KEY_FIRST 0x67726e00

static inline void vm_push_key(lua_State *L, enum vm_key k)
{
  lua_rawgeti(L, LUA_REGISTRYINDEX, VM_KEY_FIRST + (int)k);
}

/* Pops the value. */
static inline void vm_set_key(lua_State *L, enum vm_key k)
{
  lua_rawseti(L, LUA_REGISTRYINDEX, VM_KEY_FIRST + (int)k);
}

/* The lua_CFunctions of green.core (core.c). */
void vm_push_core(lua_State *L, vm *v);

#endif
