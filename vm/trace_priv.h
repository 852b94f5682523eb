/*
** trace_priv.h: what the files of vm/trace share. Private.
**
** trace.c -> trace_line.c, trace_ring.c
*/
#ifndef GREEN_VM_TRACE_PRIV_H
#define GREEN_VM_TRACE_PRIV_H

#include "trace.h"

#define TRACE_RING 4096 /* Events that wait for functions. */

/* When threads were last heard of: by their ids, of so many. */
#define TRACE_LAST 16384
typedef struct trace_last {
  uint64_t id;
  int64_t at;
} trace_last;

typedef struct trace_lines {
  char *text;
  size_t len;
  size_t cap;
  uint64_t dropped;
  int64_t start;
  int id;           /* The system's, of the runtime's native thread. */
  trace_last *last; /* NULL: there was no memory. */
} trace_lines;

typedef struct trace_ring {
  vm_trace_record *at; /* NULL: there were never any hooks. */
  uint32_t first;
  uint32_t n;
  uint32_t lost;
  const green_task *teller; /* Of the thread that runs the functions; NULL:
                               there is none. */
} trace_ring;

struct vm_trace {
  green_tracer tracer;
  green_defer defer;
  green_forkhook forked;
  vm *v;
  int classes;
  int hooks;
  trace_lines lines;
  trace_ring ring;
};

/* The thread that runs, NULL: none does. v->current has been left where one
** ends. */
static inline const vm_thread *vm__trace_runner(const vm *v)
{
  const green_task *task = green_hub_current(v->hub);
  return task && vm_is_thread(v, task) ? green_container(task, vm_thread, task)
                                       : NULL;
}

/* Of that event, about t (NULL: about no thread), a line. */
void vm__trace_line(struct vm_trace *x, const green_trace_event *e,
                    const vm_thread *t);

/* A line of a class, about t, with that text. */
void vm__trace_text(struct vm_trace *x, const char *of, const vm_thread *t,
                    const char *text);

void vm__trace_lines_init(trace_lines *l);

/* Drop what there is: in a child, with no loss. */
void vm__trace_lines_forked(trace_lines *l);
void vm__trace_lines_deinit(trace_lines *l);

/* Into the ring. */
void vm__trace_put(struct vm_trace *x, const green_trace_event *e,
                   const vm_thread *t);

#endif
