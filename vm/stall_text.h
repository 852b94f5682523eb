/*
** stall_text.h: what is said of a stall. Private to vm, for stall.c.
*/
#ifndef GREEN_STALL_TEXT_H
#define GREEN_STALL_TEXT_H

#include "thread.h"

#define VM_STALL_NO_CALL (-2)

/* Who stalls: what is known of it without Lua. */
typedef struct vm_stall_who {
  const void *thread; /* NULL: not known. */
  uint16_t site;
  uint16_t label;
  uint8_t is_main;
} vm_stall_who;

typedef struct vm_stall_trace_text {
  size_t len;
  char text[4096];
} vm_stall_trace_text;

typedef struct vm_stall_record {
  uint8_t is_open;
  uint8_t is_turn;
  uint8_t has_said;
  uint8_t is_after; /* The trace is of where it waits now. */
  int32_t call;     /* The system call it slept in; -1: some; or NO_CALL. */
  uint64_t run;
  int64_t begun;
  int64_t ended;
  vm_stall_who who;
  vm_stall_trace_text trace;
} vm_stall_record;

enum vm_stall_words {
  VM_STALL_AT,      /* It stands where the trace says. */
  VM_STALL_IN_CALL, /* It is in a system call. */
  VM_STALL_IN_C,    /* It has not come to where it could be looked at. */
  VM_STALL_NO_LINE, /* Another runtime has the profiler. */
  VM_STALL_AFTER    /* It has ended, and was not looked at. */
};

/* The thread that runs in v, if the run is still that one: from another thread,
** in whose time it may end. */
void vm_stall_look(const vm *v, const uint64_t *runs, uint64_t run,
                   vm_stall_who *who);

/* The same on the runtime's own thread, which needs no leave of the system. */
void vm_stall_look_here(const vm *v, vm_stall_who *who);

/* Where Lua stands in L, and below it in the running thread: as
** debug.traceback says it. Allocates nothing. */
void vm_stall_trace(vm *v, lua_State *L, vm_stall_trace_text *t);

/* The same without a runtime: of L alone. */
void vm_stall_trace_alone(lua_State *L, vm_stall_trace_text *t);

/* Say it on standard error, if that takes it at once. */
void vm_stall_write(const vm *v, const vm_stall_record *r,
                    enum vm_stall_words words, int64_t now);
void vm_stall_write_line(const char *text);

/* Push the table that the library is given. Raises when out of memory. */
void vm_stall_push(lua_State *L, const vm *v, const vm_stall_record *r);

#endif
