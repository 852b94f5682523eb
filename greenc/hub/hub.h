/*
** hub.h: tasks, and the loop that runs them.
**
** A hub belongs to the OS thread that made it; several hubs may live in one
** process. All here is hub-thread only unless a comment begins "Any thread.".
**
** A task is whatever its resume function makes of it: vm resumes a coroutine,
** greenc's tests call a plain function. A task runs until resume returns, and
** before it returns it has either parked (green_task_park) or ended
** (green_task_end). Nothing here switches stacks.
**
** A turn: ready tasks, poll, I/O completions, expired deadlines. What is made
** ready during a turn runs in the next one; only green_task_wake_first breaks
** the order. Each wait ends once: the first wake decides, later ones find the
** task decided and do nothing.
*/
#ifndef GREEN_HUB_H
#define GREEN_HUB_H

#include "base/clock.h"
#include "base/err.h"
#include "base/fork.h"
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

/* What a wait queue is: tasks in order of arrival. Embed, init, and wake or
** forget all before freeing it. */
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
  green_link all;       /* In the hub's list of live tasks. */
  green_waitq joiners;  /* Woken when the task ends. */
  green_list scopes;    /* Innermost last (scope.h). */
  green_scope *pending; /* The scope whose cancel is to be raised, or NULL. */
};

/* A new task: state NEW, in the list of live tasks, in no ready list. */
void green_task_init(green_task *t, green_hub *hub, green_resume_fn *resume);

/* Put a NEW task at the end of the ready list (once). */
void green_task_start(green_task *t);

/* Put a NEW task on the ready list at a deadline; green_task_end before that
** unschedules it. 0 or GREEN_ENOMEM. */
int green_task_start_at(green_task *t, int64_t due);

/* From inside resume: the task waits until it is woken or the deadline passes
** (status GREEN_ETIMEDOUT). q may be NULL; else the task stands at its end
** until decided. 0, or GREEN_ENOMEM with nothing changed. */
int green_task_park(green_task *t, green_waitq *q, int64_t deadline);

/* From inside resume: give the others a turn (back of the ready list). */
void green_task_yield(green_task *t);

/* From inside resume: let the task that was hurried last run, then this one,
** before all others. */
void green_task_yield_first(green_task *t);

/* Decide a parked task's wait: it leaves queue, fd and deadline, and becomes
** ready with this status. Returns 1, or 0 if it was not parked (nothing
** changes then). */
int green_task_wake(green_task *t, int status);

/* The same, but the task runs next, before all others, in this very turn. */
int green_task_wake_first(green_task *t, int status);

/* Let a READY task run next, before all others. */
void green_task_hurry(green_task *t);

/* The task is over, from inside resume or not: it leaves every list, its
** scopes are gone, its joiners are woken with status 0. */
void green_task_end(green_task *t);

/* The descriptor whose readiness a parked task waits for, or NULL. */
static inline green_fd *green_task_fd(const green_task *t)
{
  int is_fd = t->place != GREEN_AT_NOTHING && t->place != GREEN_AT_QUEUE;
  return is_fd ? t->at.fd : NULL;
}

static inline void green_waitq_init(green_waitq *q)
{
  green_list_init(&q->tasks);
  q->n = 0;
}

/* Let all go without a wake: they stay parked, on their deadline alone. For a
** queue whose memory ends before those who stand in it. */
void green_waitq_forget(green_waitq *q);

/* The task that has waited longest, or NULL. */
static inline green_task *green_waitq_first(const green_waitq *q)
{
  green_link *k = green_list_first(&q->tasks);
  return k ? green_container(k, green_task, link) : NULL;
}

/* Wake the first, or all. Returns how many. */
int green_waitq_wake(green_waitq *q, int status);
int green_waitq_wake_all(green_waitq *q, int status);

/* Wake the one that came last. Returns how many. */
int green_waitq_wake_last(green_waitq *q, int status);

/* -- Hubs ----------------------------------------------------------------- */

/* A new hub. backend: "epoll", "poll", "select", what else libev has, or NULL
** for the best. *hub is freed with green_hub_free. 0, GREEN_ENOMEM,
** GREEN_EINVAL (no such backend), GREEN_ENOSYS (not on this system). */
GREEN_API int green_hub_new(green_hub **hub, const char *backend);

/* A hub inside a host's loop (a struct ev_loop *), which must outlive it and
** run on this thread. The host runs the loop. */
GREEN_API int green_hub_attach(green_hub **hub, void *ev_loop);

/* Tasks must have ended or been abandoned (green_hub_abandon). Open fds are
** disarmed and stay open. */
GREEN_API void green_hub_free(green_hub *hub);

/* Unlink every live task, wherever it stands, without resuming it. */
GREEN_API void green_hub_abandon(green_hub *hub);

/* Replace the backend of a hub with fds armed or not; the fds move over.
** 0, or as green_hub_new with nothing changed; GREEN_EBUSY when attached. */
GREEN_API int green_hub_use(green_hub *hub, const char *backend);

/* The version of libev that runs the polls. Any thread. */
GREEN_API void green_hub_library(int *major, int *minor);

/* The backend's name ("epoll"). */
GREEN_API const char *green_hub_backend(const green_hub *hub);

/* May it not be turned now? 1: it runs already (runs do not nest), or the
** host's loop that it lives in is inside its own run. */
GREEN_API int green_hub_is_busy(const green_hub *hub);

/* Turn until *done is non-zero, checked after each task and each turn. Between
** two batches there is a poll, also when they belong to two runs: a task that
** is always ready starves nobody.
** 0; GREEN_EBUSY when it is busy: then nothing has run;
** GREEN_EDEADLOCK when no task is ready, no deadline is set, no fd is armed
** and nothing holds the hub (green_hub_hold): nothing can happen any more. */
GREEN_API int green_hub_run(green_hub *hub, const volatile int *done);

/* One turn; wait in poll until something happens only if block is set.
** Returns 1 while there is something to wait for, 0 when nothing can happen
** any more, or GREEN_EBUSY. */
GREEN_API int green_hub_turn(green_hub *hub, int block);

/* While held, an idle hub is not a deadlock: a host loop, a job in a native
** pool, a signal that is waited for. */
GREEN_API void green_hub_hold(green_hub *hub);
GREEN_API void green_hub_unhold(green_hub *hub);

/* Nanoseconds on the hub's clock, read afresh. */
GREEN_API int64_t green_hub_now(const green_hub *hub);

/* A virtual clock for tests: time stands still and jumps to the next deadline
** when nothing is ready and no fd is armed. Switching back returns to the
** system's clock. GREEN_EBUSY while deadlines are pending. */
GREEN_API int green_hub_set_virtual(green_hub *hub, int on);
/* Move a virtual clock on by ns; due deadlines fire in the next turn. */
GREEN_API void green_hub_advance(green_hub *hub, int64_t ns);

/* The task that is to run after the present one in this turn, or NULL: its
** owner may fetch its memory ahead, which is cold when very many are alive. */
green_task *green_hub_upcoming(const green_hub *hub);

/* The task that runs now, or NULL. */
green_task *green_hub_current(const green_hub *hub);

/* What a hub has and did. */
typedef struct green_hub_stats {
  uint64_t turns;
  uint64_t switches; /* Tasks resumed. */
  uint32_t live;     /* Tasks made and not ended. */
  uint32_t ready;
  uint32_t timers; /* Deadlines pending. */
  uint32_t fds;    /* Registered descriptors. */
  uint32_t waits;  /* Tasks and idle sets that wait for a descriptor. */
} green_hub_stats;
GREEN_API void green_hub_stats_get(const green_hub *hub, green_hub_stats *s);

/* First and next live task; NULL at the end. No task may end in between. */
green_task *green_hub_first_task(const green_hub *hub);
green_task *green_hub_next_task(const green_hub *hub, const green_task *t);

/* A deadline of one's own. 0 or GREEN_ENOMEM; a timer that is set is moved. */
int green_hub_timer_set(green_hub *hub, green_timer *t, int64_t due);
void green_hub_timer_stop(green_hub *hub, green_timer *t);

/* -- Before the poll ------------------------------------------------------- */

/* Something to do once this turn's tasks have run, before the poll: what they
** have left is sent in one go. Embed, zeroed; in the list until it has run. */
typedef struct green_defer {
  green_link link;
  void (*run)(struct green_defer *d);
} green_defer;

/* Does nothing for one that is in the list already. It may defer itself again,
** for the next turn. */
void green_hub_defer(green_hub *hub, green_defer *d);
void green_hub_undefer(green_defer *d);

/* -- Posts ---------------------------------------------------------------- */

/* Work handed to the hub's thread. Embed; it must live until run is called. */
typedef struct green_post {
  struct green_post *next;
  void (*run)(struct green_post *p);
} green_post;

/* Any thread, and signal handlers. Run p->run(p) on the hub's thread, in its
** next turn, in the order of posting. Hold the hub meanwhile if it must not
** report a deadlock. */
GREEN_API void green_hub_post(green_hub *hub, green_post *p);

/* Take p back if it was posted and has not run; nobody may post it meanwhile. 1:
** it was. */
GREEN_API int green_hub_unpost(green_hub *hub, green_post *p);

/* -- Forks ----------------------------------------------------------------- */

/* What is to be done in a child. Embed, zeroed, and set run; it is called in
** the order of adding, before the child's first poll. */
typedef struct green_forkhook {
  green_link link;
  void (*run)(struct green_forkhook *h);
} green_forkhook;

void green_hub_on_fork(green_hub *hub, green_forkhook *h);

static inline void green_forkhook_remove(green_forkhook *h)
{
  green_link_remove(&h->link);
}

/* Do the next fork's children keep all tasks? Hooks ask. */
void green_hub_set_inherit(green_hub *hub, int on);
int green_hub_inherits(const green_hub *hub);

/* In a child: give the hub kernel state and a wake-up of its own, and run the
** hooks; the parent's are untouched. Returns 1 if that was done. The hub asks
** by itself before each batch and each poll. */
int green_hub_check_fork(green_hub *hub);

#endif
