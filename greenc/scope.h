/*
** scope.h: cancellation of tasks: kills, timeouts and shields.
**
** A task carries its scopes in a list, innermost last. A scope that has fired,
** and a kill, stay pending until they are popped: each checkpoint raises again
** (level-triggered). What is raised is the outermost pending one, but nothing
** outside of the innermost shield. What to raise for a scope is the caller's
** affair: greenc only says which.
*/
#ifndef GREEN_SCOPE_H
#define GREEN_SCOPE_H

#include "hub.h"

enum green_scope_kind {
  GREEN_SCOPE_TIMEOUT, /* Fires at its deadline, or by hand. */
  GREEN_SCOPE_SHIELD   /* The same, and masks all outside of it. */
};

struct green_scope {
  green_link link;   /* In its task's list. */
  green_task *task;  /* NULL: popped. */
  green_timer timer;
  uint8_t kind;
  uint8_t fired;
  uint32_t id;       /* Slot in the hub's table of scopes, from 1. */
  void *data;        /* The owner's. */
};

/* Open a scope innermost in t. Scopes come from the hub's pool and return to it
** at pop or at the task's end. NULL: out of memory. */
green_scope *green_scope_push(green_task *t, int kind, int64_t deadline);

/* Close it, in any order; what it had pending is pending no more. */
void green_scope_pop(green_scope *s);

/* Fire it now, as its deadline would. */
void green_scope_fire(green_scope *s);

/* The scope with that id, or NULL if it was popped. */
green_scope *green_scope_find(green_hub *hub, uint32_t id);

/* Ask for t's end: pending in it for ever, inside shields when they end. A
** parked task's wait is decided with GREEN_ECANCELED unless it is masked.
** Returns 1, or 0 for a task that is dead or already killed. */
int green_task_kill(green_task *t);

/* Deadline for the checkpoint of a task with cancel_pending set: 0 raise at
** once; else raise after parking until then. Counts the raise. */
int64_t green_task_raise_delay(green_task *t);

#endif
