/*
** task.h: a green thread as the scheduler (hub.h) sees it: whether it can run,
** and what it waits for if it cannot.
**
** A task is whatever its resume function makes of it: that may resume a
** coroutine, or call a plain function. A task runs until resume returns, and
** before it returns it has either parked (green_task_park) or ended
** (green_task_end). Nothing here switches stacks.
**
** Each wait ends once: the first wake decides, later ones find the task decided
** and do nothing. All here is hub-thread only: a hub belongs to the OS thread
** that made it.
*/
#ifndef GREEN_TASK_H
#define GREEN_TASK_H

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

typedef struct green_hub green_hub;
typedef struct green_task green_task;
typedef struct green_fd green_fd;
typedef struct green_scope green_scope;

/* -- Tasks ---------------------------------------------------------------- */

typedef void green_resume_fn(green_task *t);

enum green_task_state {
  GREEN_TASK_NEW,     /* Made, not started (spawn_after waits as NEW). */
  GREEN_TASK_READY,   /* Its wait is decided; it stands in a ready list. */
  GREEN_TASK_RUNNING, /* Inside resume. */
  GREEN_TASK_PARKED,  /* Waits for a wake. */
  GREEN_TASK_DEAD
};

/* A wait queue: tasks in order of arrival. Embed, init, and wake or forget all
** before freeing it. */
typedef struct green_waitq {
  green_list tasks;
  uint32_t n; /* How many stand in it. */
} green_waitq;

/* Where a parked task stands besides its deadline: green_task.place. */
enum green_task_place {
  GREEN_AT_NOTHING,
  GREEN_AT_READ, /* In the direction of the same number (fd.h). */
  GREEN_AT_WRITE,
  GREEN_AT_WATCH, /* Watches for reading, beside a reader. */
  GREEN_AT_QUEUE
};

/* Embed in the owner, zeroed, then green_task_init. The fields are read-only
** outside of greenc. */
struct green_task {
  /* What every switch touches, together. */
  green_link link; /* In a ready list or in a wait queue. */
  green_hub *hub;
  green_resume_fn *resume;
  int32_t status; /* How the last wait ended: 0 or GREEN_E*. */
  uint8_t state;  /* enum green_task_state */
  uint8_t started;
  uint8_t cancel_pending; /* A kill or scope is due at the next checkpoint. */
  uint8_t no_cancel;      /* The present wait may not be cancelled. */
  /* What waits and cancels touch. */
  green_timer timer; /* The deadline of the present wait. */
  union {
    green_fd *fd; /* What it waits for, as place says. */
    green_waitq *queue;
  } at;
  uint8_t place;        /* enum green_task_place of the present wait. */
  uint8_t killed;       /* A kill was asked for. */
  uint8_t raises;       /* Cancels raised in a row, saturating (scope.h). */
  uint8_t thrown;       /* An error is to be raised once, at the next check. */
  uint8_t background;   /* Its deadlines are no future (green_task_retire). */
  uint16_t label;       /* The owner's; 0 at init. */
  int64_t since;        /* When the present wait began, by the clock as of the
                           poll before it: for those who look. */
  green_link all;       /* In the hub's list of live tasks. */
  green_waitq joiners;  /* Woken when the task ends. */
  green_list scopes;    /* Innermost last (scope.h). */
  green_scope *pending; /* The scope whose cancel is to be raised, or NULL. */
};

/* A new task: state NEW, in the list of live tasks, in no ready list. */
GREEN_API void green_task_init(green_task *t, green_hub *hub,
                               green_resume_fn *resume);

/* Its deadlines are nothing to wait for from here on: where there is nothing
** else, the hub is in a deadlock. For a NEW task that only looks after what
** others have left, and that nobody waits for. */
GREEN_API void green_task_retire(green_task *t);

/* Put a NEW task at the end of the ready list (once). */
GREEN_API void green_task_start(green_task *t);

/* Put a NEW task on the ready list at a deadline; green_task_end before that
** unschedules it. 0 or GREEN_ENOMEM. */
GREEN_API int green_task_start_at(green_task *t, int64_t due);

/* From inside resume: the task waits until it is woken or the deadline passes
** (status GREEN_ETIMEDOUT). q may be NULL; else the task stands at its end
** until decided. 0, or GREEN_ENOMEM with nothing changed. */
GREEN_API int green_task_park(green_task *t, green_waitq *q, int64_t deadline);

/* From inside resume: give the others a turn (back of the ready list). */
GREEN_API void green_task_yield(green_task *t);

/* From inside resume: let the task that was hurried last run, then this one,
** before all others. */
GREEN_API void green_task_yield_first(green_task *t);

/* Decide a parked task's wait: it leaves queue, fd and deadline, and becomes
** ready with this status. Returns 1, or 0 if it was not parked (nothing
** changes then). */
GREEN_API int green_task_wake(green_task *t, int status);

/* The same, but the task runs next, before all others, in this very turn. */
GREEN_API int green_task_wake_first(green_task *t, int status);

/* Let a READY task run next, before all others. */
GREEN_API void green_task_hurry(green_task *t);

/* The task is over, from inside resume or not: it leaves every list, its
** scopes are gone, its joiners are woken with status 0. */
GREEN_API void green_task_end(green_task *t);

/* For hub.c: out of every list, and dead; joiners are not told. */
void green__task_leave(green_task *t);

/* For fd.c: as green_task_park, without its probe (trace.h). */
int green__task_park(green_task *t, green_waitq *q, int64_t deadline);

/* For hub.c: the task whose deadline that is, *place: enum green_trace_timer.
** NULL: it is no task's. */
const green_task *green__task_of_timer(const green_timer *timer, int *place);

#ifdef GREEN_DEBUG
/* For green_hub_check: every live task, and the queues they stand in. Returns
** how many wait for an fd. */
uint32_t green__tasks_check(const green_hub *hub);
#endif

/* The descriptor whose readiness a parked task waits for, or NULL. */
static inline green_fd *green_task_fd(const green_task *t)
{
  int is_fd = t->place != GREEN_AT_NOTHING && t->place != GREEN_AT_QUEUE;
  return is_fd ? t->at.fd : NULL;
}

/* -- Wait queues ---------------------------------------------------------- */

static inline void green_waitq_init(green_waitq *q)
{
  green_list_init(&q->tasks);
  q->n = 0;
}

/* Let all go without a wake: they stay parked, on their deadline alone. For a
** queue whose memory ends before those who stand in it. */
GREEN_API void green_waitq_forget(green_waitq *q);

/* The task that has waited longest, or NULL. */
static inline green_task *green_waitq_first(const green_waitq *q)
{
  green_link *k = green_list_first(&q->tasks);
  return k ? green_container(k, green_task, link) : NULL;
}

/* Wake the first, or all. Returns how many. */
GREEN_API int green_waitq_wake(green_waitq *q, int status);
GREEN_API int green_waitq_wake_all(green_waitq *q, int status);

/* Wake the one that came last. Returns how many. */
GREEN_API int green_waitq_wake_last(green_waitq *q, int status);

/* -- Deadlines ------------------------------------------------------------ */

/* Nanoseconds on the hub's clock, read afresh. */
GREEN_API int64_t green_hub_now(const green_hub *hub);

/* A deadline of one's own: set t->fire first. A timer belongs to one hub while
** it is set. 0 or GREEN_ENOMEM; a timer that is set is moved. */
GREEN_API int green_hub_timer_set(green_hub *hub, green_timer *t, int64_t due);
GREEN_API void green_hub_timer_stop(green_hub *hub, green_timer *t);

/* When it is due; GREEN_NEVER: it is not set. For those who look. */
GREEN_API int64_t green_hub_timer_due(const green_hub *hub,
                                      const green_timer *t);

#endif
