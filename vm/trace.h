/*
** trace.h: what the hub, the server and the collector do, as lines on standard
** error (GREENLUA_TRACE), and as events for functions of the script's
** (debug.instrument). Private to vm.
**
** While a turn goes on nothing is done but to note: lines are written, and the
** functions called, when it is over. What finds no room is counted.
*/
#ifndef GREEN_VM_TRACE_H
#define GREEN_VM_TRACE_H

#include "thread.h"

#include "hub/trace.h"

/* What lines there are; a set of bits. */
enum vm_trace_class {
  VM_TRACE_SCHED = 1,
  VM_TRACE_IO = 2,
  VM_TRACE_TIMER = 4,
  VM_TRACE_HTTP = 8,
  VM_TRACE_GC = 16
};

/* The first word of the text that is none of theirs, or of "all": *len bytes.
** Else NULL, and *classes. */
const char *vm_trace_read(const char *text, int *classes, size_t *len);

/* As GREENLUA_TRACE says. Raises when out of memory, and, if strict is set, a
** text that names an unknown word; else nothing is traced then. */
void vm_trace_start_env(vm *v, lua_State *L, int strict);

/* Write what has been noted. Never raises. */
void vm_trace_flush(vm *v);

/* With the state. */
void vm_trace_close(vm *v);

/* Are there lines of that class? */
int vm_trace_has(const vm *v, enum vm_trace_class c);

/* A line of that class about the running thread. */
void vm_trace_note(vm *v, enum vm_trace_class c, const char *text);

/* A step of the collector took so many ns; a cycle of it has ended (ns < 0),
** with so many KB alive. Only where v->trace is. */
void vm_trace_gc(vm *v, int64_t ns, int kb);

/* -- For functions -------------------------------------------------------- */

/* What they are told of; a set of bits. */
enum vm_trace_hook {
  VM_TRACE_ON_SWITCH = 1,
  VM_TRACE_ON_PARK = 2,
  VM_TRACE_ON_WAKE = 4,
  VM_TRACE_ON_IO = 8
};

typedef struct vm_trace_record {
  int64_t at;       /* By the hub's clock. */
  int64_t deadline; /* Of a park; GREEN_NEVER: it has none. */
  uint64_t id;      /* Of the thread; 0: it is about none. */
  uint64_t by;      /* Of the one that ran then. */
  uint32_t lost;    /* Others that there was no room for, just before. */
  int32_t status;
  int32_t fd;
  uint16_t label;
  uint16_t site;
  uint8_t kind; /* enum green_trace_kind */
  uint8_t place;
  uint8_t modes;
  uint8_t is_first; /* The thread has not run before. */
  uint8_t is_main;
} vm_trace_record;

/* Note these from here on, 0: none, and call VM_KEY_ON_TRACE after each turn
** that has brought some, in a green thread, of which nothing is noted. Raises
** when out of memory. */
void vm_trace_set_hooks(vm *v, lua_State *L, int hooks);

/* In a child, the running thread is one as others, and told of, though it made
** the fork in one of the functions. */
void vm_trace_pardon(vm *v);

/* Take the oldest one; 0: there is none for the running thread, which is not
** the one that calls the functions, or no more. */
int vm_trace_take(vm *v, vm_trace_record *r);

#endif
