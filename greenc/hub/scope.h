/*
** scope.h: how a task is told to stop what it does: kills, timeouts, and
** shields that put both off.
**
** A task carries its scopes in a list, innermost last. A scope that has fired,
** and a kill, stay pending until they are popped: each checkpoint raises again
** (level-triggered). What is raised is the outermost pending one, but nothing
** outside of the innermost shield. What to raise for a scope is the caller's
** affair (vm/scope.h keeps it for Lua): greenc only says which.
*/
#ifndef GREEN_SCOPE_H
#define GREEN_SCOPE_H

#include "base/handle.h"
#include "hub/task.h"

enum green_scope_kind {
  GREEN_SCOPE_TIMEOUT, /* Fires at its deadline, or by hand. */
  GREEN_SCOPE_SHIELD,  /* The same, and masks all outside of it. */
  GREEN_SCOPE_CANCEL   /* Has no deadline, fires by hand only: a group's. */
};

struct green_scope {
  green_link link;  /* In its task's list. */
  green_task *task; /* NULL: popped. */
  green_timer timer;
  uint8_t kind;
  uint8_t fired;
  green_handle id; /* Good until it is popped. */
  int data;        /* The owner's; 0 at push. */
};

/* Make room for one scope more, so that the next push takes none but its
** deadline's memory. How many slots there are then: the ids of all scopes have
** theirs below that. Or GREEN_ENOMEM. */
GREEN_API int green_scope_reserve(green_hub *hub);

/* Open a scope innermost in t. Scopes come from the hub's pool and return to it
** at pop or at the task's end. A dead task may have one when its hub turns no
** more: finalizers of a state that closes run so. NULL: out of memory. */
GREEN_API green_scope *green_scope_push(green_task *t, int kind,
                                        int64_t deadline);

/* Close it, once, in any order; what it had pending is pending no more. */
GREEN_API void green_scope_pop(green_scope *s);

/* Fire one that is open now, as its deadline would. */
GREEN_API void green_scope_fire(green_scope *s);

/* The scope with that id, or NULL if it was popped. */
GREEN_API green_scope *green_scope_find(green_hub *hub, green_handle id);

/* Ask for t's end: pending in it for ever, inside shields when they end. A
** parked task's wait is decided with GREEN_ECANCELED unless it is masked.
** Returns 1, or 0 for a task that is dead or already killed. */
GREEN_API int green_task_kill(green_task *t);

/* Raise once in t at its next check, masked by nothing; a parked task's wait is
** decided with GREEN_ECANCELED. Returns 1, or 0 for a dead task. */
GREEN_API int green_task_throw(green_task *t);

/* Forget that a kill or a throw was asked for; scopes stay. */
GREEN_API void green_task_pardon(green_task *t);

/* At a checkpoint of a task with cancel_pending set: when to raise. 0: at once;
** -1: after a trip through the ready list; else: after parking until then.
** Counts the raise, so that a task which swallows it cannot spin: the first is
** at once, after GREEN_RAISE_LIMIT of them they come 10 ms apart. */
GREEN_API int64_t green_task_raise_at(green_task *t);

/* The raise itself: what is pending, decided now. A throw is used up. NONE: the
** scope was popped by another task between the decision and the raise. */
enum green_raise {
  GREEN_RAISE_NONE,
  GREEN_RAISE_KILL,
  GREEN_RAISE_SCOPE, /* t->pending */
  GREEN_RAISE_THROW
};
GREEN_API int green_task_raise(green_task *t);

/* More than any cleanup swallows that means well. */
#define GREEN_RAISE_LIMIT 100

/* -- For hub.c ------------------------------------------------------------ */

void green__scopes_init(green_hub *hub);
void green__scopes_deinit(green_hub *hub);

/* The task of the scope whose deadline that is; NULL: it is no scope's. */
const green_task *green__scope_task_of_timer(const green_timer *timer);

#ifdef GREEN_DEBUG
/* For green_hub_check: every scope, and what is pending in each task. */
void green__scopes_check(const green_hub *hub);
#endif

#endif
