/*
** thread.h: green threads: what one is, how it is made and how it ends. Private
** to vm.
*/
#ifndef GREEN_VM_THREAD_H
#define GREEN_VM_THREAD_H

#include "runtime.h"

/* First word of each userdata that core.park takes. */
enum vm_kind { VM_WAITQ = 0x71756575, VM_THREAD = 0x74687264 };

/* Most values that are handed over by one wake. */
enum { VM_HANDED_MOST = 8 };

/* A green thread: the userdata that scripts hold. It is anchored through its
** coroutine's stack, the coroutine through the runtime's table of threads. */
struct vm_thread {
  uint32_t kind; /* VM_THREAD */
  uint32_t slot; /* In the table of threads, from 1. */
  vm *vm;
  lua_State *co;   /* NULL when dead. */
  int32_t depth;   /* User coroutines it has open below itself. */
  uint32_t flags;  /* VM_F_* */
  int16_t nargs;   /* Values on co's stack for the next resume. */
  int16_t status;  /* Overrides the task's status at the next resume. */
  uint16_t site;   /* Where it was spawned: index into the table of sites. */
  uint8_t quiet;   /* The next resume passes no status if all is well. */
  uint8_t ending;  /* enum vm_ending, once dead */
  uint64_t id;     /* From 1, of this runtime; no other thread gets it. */
  uint64_t parent; /* Who spawned it: the id of one that may have ended. */
  green_task task;
};

enum {
  VM_F_DATA = 1,   /* Its environment is its own table (data.h). */
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
  VM_F_KNOWN = 4096,     /* Scripts have got hold of it, or of its coroutine:
                             it must not be used again for something else. */
  VM_F_REFUSED = 8192,   /* data.refusal is what it raises next. */
  VM_F_CONTEXT = 16384,  /* data.context goes to the threads that it spawns. */
  VM_F_TRACES = 32768    /* It tells of what others do: nobody tells of it. */
};

enum vm_ending { VM_ALIVE, VM_RETURNED, VM_RAISED, VM_KILLED };

/* Make what ends need. */
void vm_open_threads(lua_State *L);

/* The thread of whoever calls from outside of the loop: v->host. */
void vm_thread_new_host(vm *v, lua_State *L);

/* Make a thread of the function below n arguments on L's stack; they are
** popped, the thread's userdata is pushed. level: of L's stack, where the call
** stands that is its site; 0: it has none. Raises when out of memory, and has
** done nothing then. */
vm_thread *vm_thread_new(vm *v, lua_State *L, int n, int flags, int level);

/* Its coroutine has ended, with this result of lua_resume. Never raises. */
void vm_thread_finish(vm *v, vm_thread *t, int r);

/* End a thread that never ran, or is given up: its ending is "killed", its
** waiters are woken. Never raises. */
void vm_thread_drop(vm_thread *t);

/* The same, and nobody is told: a child of a fork has no use for it. */
void vm_thread_forget(vm_thread *t);

/* In a child whose main chunk is the parent's: what that holds is given
** back. */
void vm_forget_host(vm *v);

/* The process ends: tell of unheard errors that were to be told in the next
** turn. Never raises. */
void vm_tell_rest(vm *v);

/* Push the userdata of t. */
void vm_push_thread(lua_State *L, const vm_thread *t);

/* Is it a thread's? Tasks of greenc's own may stand among those. */
static inline int vm_is_thread(const vm *v, const green_task *task)
{
  return task->resume == v->resume || task->resume == v->resume_host;
}

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

/* Where the values lie that t's park will return. The host's own stack is in
** use: it waits in place, and C libraries may call functions on it
** meanwhile. */
static inline lua_State *vm_inbox(const vm_thread *t)
{
  return t == t->vm->host ? t->vm->inbox : t->co;
}

#endif
