/*
** keys.h: what the library keeps in a Lua state's registry, each under a
** number. Private to vm. The metatables of core/object.c stand there, too, and
** what the command keeps, each under an address of their own.
*/
#ifndef GREEN_KEYS_H
#define GREEN_KEYS_H

#include <lua.h>

enum vm_key {
  /* Made with the runtime (runtime.c). */
  VM_KEY_RUNTIME,  /* The vm's userdata. */
  VM_KEY_CORE,     /* The table green.core. */
  VM_KEY_L,        /* Anchors vm.L. */
  VM_KEY_THREADS,  /* slot -> coroutine at 2 * slot - 1, userdata at 2 * slot */
  VM_KEY_SCOPES,   /* slot of a scope, from 1 -> what it raises (scope.h) */
  VM_KEY_SITES,    /* index -> "file:line", and back; sources it keeps alive */
  VM_KEY_MT,       /* Metatable of threads, filled by green.thread. */
  VM_KEY_WAITQ_MT, /* Has __gc. */
  VM_KEY_BLOCKERS, /* Lua's functions that call back but cannot be waited in,
                      as they were at vm_open -> their names */
  VM_KEY_LEVELS,   /* depth -> the user coroutine of the running thread there;
                      weak */
  VM_KEY_SAVED,    /* Wait queues that outlived their finalizer -> true */
  VM_KEY_CHILDREN, /* address -> core.object's child that runs (process.c) */
  VM_KEY_SENTINEL, /* What a coroutine yields that waits in a green thread. */
  VM_KEY_COUNTER,  /* function(): long enough for a hook to be called. */
  VM_KEY_LONG,     /* string = function(long_string): makes it (bytes.c). */
  VM_KEY_MAIN,     /* In a child of a fork: the thread that became main. */
  VM_KEY_STRING,   /* ffi.string (bytes.c). */
  VM_KEY_LOANS,    /* number -> a string that ZeroMQ reads (loans.h). */

  /* What the library does for C (core/role.c). */
  VM_KEY_ON_END,    /* function(thread, report): links and reports. */
  VM_KEY_ON_EXIT,   /* function(thread): what a thread holds is given back. */
  VM_KEY_ON_ENDING, /* function(can_run): what the end of the program runs. */
  VM_KEY_DESCRIBE,  /* text = function(thread): of the error that ended it. */
  VM_KEY_DEADLOCK,  /* function(): main is about to be told of a deadlock. */
  VM_KEY_RAISE, /* function(): raise what is pending in the running thread. */
  VM_KEY_COMPLAIN, /* function(text): to stderr, behind what is queued. */
  VM_KEY_LEAVE,    /* function(status): end the process. */
  VM_KEY_ON_STALL, /* function(stall): a green thread has blocked the loop. */
  VM_KEY_ON_TRACE, /* function(): events wait to be taken (trace.h). */
  VM_KEY_ON_JOB,   /* function(): a job goes on for long (jobwatch.h). */
  VM_KEY_STALL_RAISE, /* function(): raise in the one that does. */
  VM_KEY_EXPLAIN,     /* err = function(part, code, a, b): for an answer that is
                      refused (core/answer.c). */

  /* C functions that thread.c calls protected, */
  VM_KEY_FINISH_BODY,
  VM_KEY_TELL_BODY,
  VM_KEY_EXIT_BODY,
  VM_KEY_LOST_BODY,
  VM_KEY_UNTOLD_BODY,
  VM_KEY_TELL_NOW_BODY,
  VM_KEY_STALL_BODY, /* stall.c, */
  VM_KEY_TELL_TRACE, /* trace.c, */
  /* core/resp.c, */
  VM_KEY_REPLY_BODY,
  /* and greenlua.c. */
  VM_KEY_LOAD_BODY,
  VM_KEY_MAKE_BODY,
  VM_KEY_TEXT_BODY,
  VM_KEY_OUTCOME_BODY,
  VM_KEY_REQUIRE, /* Lua's own require, as it was before any script. */

  /* Values that cross to other states (parcel.h). */
  VM_KEY_PACK_BODY,
  VM_KEY_UNPACK_BODY,
  VM_KEY_DUMPS,   /* function -> its code; weak (code.h) */
  VM_KEY_MAKERS,  /* code -> what makes functions of it */
  VM_KEY_NAMES,   /* value -> its name; weak (names.h) */
  VM_KEY_CLASSES, /* metatable -> its name; weak */

  /* Of a native thread's state (worker.c). */
  VM_KEY_RUN_BODY,
  VM_KEY_STRIP_BODY,
  VM_KEY_TRACE_BODY,
  VM_KEY_UNMARK_BODY,
  VM_KEY_NATIVE_BODY, /* Loads what a runtime of a native thread runs. */
  VM_KEY_LOADING,     /* What require puts in a module's place meanwhile. */
  VM_KEY_TRACE,       /* The traceback of the last error, or nil. */
  VM_KEY_CARRY_BEGIN, /* function(): a job is about to run (carry.h). */
  VM_KEY_CARRY_END    /* back = function(): it has ended. */
};

/* Numbers that nobody else has: LuaJIT finds those faster than addresses, which
** fall on each other in its hash. */
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

#endif
