/*
** hub.h: the scheduler: it runs green threads ("tasks", task.h), and sleeps
** until the next of them has what it waits for.
**
** A hub belongs to the OS thread that made it; several hubs may live in one
** process. All here is hub-thread only unless a comment begins "Any thread.".
**
** A turn: ready tasks, poll, I/O completions, expired deadlines. What is made
** ready during a turn runs in the next one; only green_task_wake_first,
** _hurry and _yield_first break the order.
*/
#ifndef GREEN_HUB_H
#define GREEN_HUB_H

#include "base/fork.h"
#include "base/histogram.h"
#include "hub/task.h"

/* -- Hubs ----------------------------------------------------------------- */

/* A new hub. backend: "epoll", "poll", "select", what else libev has, or NULL
** for the best. *hub is freed with green_hub_free. 0, GREEN_ENOMEM,
** GREEN_EINVAL (no such backend), GREEN_ENOSYS (not on this system),
** GREEN_EMFILE and GREEN_ENFILE (three descriptors must be free). */
GREEN_API int green_hub_new(green_hub **hub, const char *backend);

/* A hub inside a host's loop (a struct ev_loop *), which must outlive it and
** run on this thread. The host runs the loop. */
GREEN_API int green_hub_attach(green_hub **hub, void *ev_loop);

/* Live tasks are abandoned (green_hub_abandon). Open fds are disarmed and stay
** open. What was posted and has not run is run. */
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
** GREEN_EDEADLOCK when no task is ready, no deadline is set but of tasks that
** were retired (green_task_retire), no fd is armed and nothing holds the hub
** (green_hub_hold): nothing can happen any more. */
GREEN_API int green_hub_run(green_hub *hub, const volatile int *done);

/* One turn; wait in poll until something happens only if block is set.
** Returns 1 while there is something to wait for, 0 when nothing can happen
** any more, or GREEN_EBUSY. */
GREEN_API int green_hub_turn(green_hub *hub, int block);

/* From inside resume, instead of a park for events that come to this task
** first: what a turn does between two batches (deferred work, poll, deadlines)
** is done in place, and the task goes on without a switch. Waits until
** something happens; looks for that only after a nap of so many nanoseconds, so
** that more of it is there at once. 1: it did, look again; 0: not now, park:
** somebody is ready or was posted to, the run is over, or of one turn only, or
** the host's; the clock is virtual; this is a child that has not noticed; or
** nothing can happen any more. */
GREEN_API int green_hub_poll(green_hub *hub, int64_t nap);

/* While held, an idle hub is not a deadlock: a host loop, a job in a native
** pool, a signal that is waited for. */
GREEN_API void green_hub_hold(green_hub *hub);
/* Undoes one green_hub_hold; nothing when nothing holds it. */
GREEN_API void green_hub_unhold(green_hub *hub);

/* For a task that might go on for ever without a wait: 1: a turn would find
** nothing to do but this task, as far as is known without a poll, and the last
** poll is not long ago (0.1 ms). 0: let the others have a turn: somebody is
** ready or was posted to, something was deferred or is due, or the clock is
** virtual. */
GREEN_API int green_hub_is_quiet(const green_hub *hub);

/* A virtual clock for tests: time stands still and jumps to the next deadline
** when nothing is ready and no fd is armed. Switching back returns to the
** system's clock. GREEN_EBUSY while deadlines are pending. */
GREEN_API int green_hub_set_virtual(green_hub *hub, int on);
/* Move a virtual clock on by ns; due deadlines fire in the next turn. */
GREEN_API void green_hub_advance(green_hub *hub, int64_t ns);

/* The task that is to run after the present one in this turn, or NULL: its
** owner may fetch its memory ahead, which is cold when very many are alive. */
GREEN_API green_task *green_hub_upcoming(const green_hub *hub);

/* The task that runs now, or NULL. */
GREEN_API green_task *green_hub_current(const green_hub *hub);

/* Where a hub's pulse can be felt from another thread, with relaxed atomic
** loads, as long as the hub lives: a turn that does not end, or a run of a
** task, leaves the numbers as they are, with current set. */
typedef struct green_pulse {
  const uint64_t *turns;
  const uint64_t *runs; /* Tasks resumed. */
  void *const *current; /* The task that runs now; NULL: none does. */
} green_pulse;
GREEN_API green_pulse green_hub_pulse(const green_hub *hub);

/* What a hub has and did. */
typedef struct green_hub_stats {
  uint64_t turns;
  uint64_t switches; /* Tasks resumed. */
  uint64_t made;     /* Tasks, so far; all but those that live have ended. */
  uint32_t live;     /* Tasks made and not ended. */
  uint32_t ready;
  uint32_t timers; /* Deadlines pending. */
  uint32_t fds;    /* Registered descriptors. */
  uint32_t waits; /* Tasks, and fds in idle sets, that wait for a descriptor, */
  uint32_t idle;  /* and how many of these are in idle sets. */
} green_hub_stats;
GREEN_API void green_hub_stats_get(const green_hub *hub, green_hub_stats *s);

/* Measure from the next turn on how long each keeps the others waiting: from
** the return of one poll to the beginning of the next. Costs a reading of the
** clock a turn; off, next to nothing. Under a virtual clock nothing is
** measured. */
GREEN_API void green_hub_measure(green_hub *hub, int on);
GREEN_API int green_hub_measures(const green_hub *hub);

/* What was measured so far. Lives as long as the hub. */
GREEN_API const green_histogram *green_hub_turn_times(const green_hub *hub);

/* Walk all lists and states of the hub, and stop as green_assert does where
** something does not hold. On the hub's thread, at any time but from inside
** what the loop or a timer calls. Builds with GREEN_DEBUG also do it by
** themselves now and then; in others it does nothing. */
#ifdef GREEN_DEBUG
GREEN_API void green_hub_check(const green_hub *hub);
#else
static inline void green_hub_check(const green_hub *hub)
{
  (void)hub;
}
#endif

/* First and next live task; NULL at the end. No task may end in between. */
GREEN_API green_task *green_hub_first_task(const green_hub *hub);
GREEN_API green_task *green_hub_next_task(const green_hub *hub,
                                          const green_task *t);

/* -- Before the poll ------------------------------------------------------ */

/* Something to do once this turn's tasks have run, before the poll: what they
** have left is sent in one go. Embed, zeroed, and set run; it is in the list
** until it has run. */
typedef struct green_defer {
  green_link link;
  void (*run)(struct green_defer *d);
} green_defer;

/* Does nothing for one that is in the list already. It may defer itself again,
** for the next turn. */
GREEN_API void green_hub_defer(green_hub *hub, green_defer *d);
GREEN_API void green_hub_undefer(green_defer *d);

/* -- Posts ---------------------------------------------------------------- */

/* Work handed to the hub's thread. Embed, and set run; it must live until run
** is called. */
typedef struct green_post {
  struct green_post *next;
  void (*run)(struct green_post *p);
} green_post;

/* Any thread, and signal handlers. Run p->run(p) on the hub's thread, in its
** next turn, in the order of posting. Hold the hub meanwhile if it must not
** report a deadlock. A child of a fork that starts threads which post calls
** green_hub_check_fork before. */
GREEN_API void green_hub_post(green_hub *hub, green_post *p);

/* Any thread. Between the two green_hub_free waits: for a post that is settled
** under a lock which keeps the hub alive, and made when that has been given up.
** In between the thread waits for nothing. */
GREEN_API void green_hub_post_begin(green_hub *hub);
GREEN_API void green_hub_post_end(green_hub *hub);

/* Wait, for a moment, until the posts that were begun have been made. */
GREEN_API void green_hub_post_await(green_hub *hub);

/* Take p back if it was posted and has not run; nobody may post it meanwhile.
** 1: it was. */
GREEN_API int green_hub_unpost(green_hub *hub, green_post *p);

/* -- Forks ---------------------------------------------------------------- */

/* What is to be done in a child. Embed, zeroed, and set run; it is called in
** the order of adding, before the child's first poll. */
typedef struct green_forkhook {
  green_link link;
  void (*run)(struct green_forkhook *h);
} green_forkhook;

GREEN_API void green_hub_on_fork(green_hub *hub, green_forkhook *h);

/* The same, before those that are there: for what the ends of tasks would say
** a word to, if it were not gone by then. */
static inline void green_hub_on_fork_first(green_hub *hub, green_forkhook *h)
{
  green_hub_on_fork(hub, h);
  green_list *hooks = h->link.next; /* It is the last of them. */
  green_link_remove(&h->link);
  green_list_push_front(hooks, &h->link);
}

static inline void green_forkhook_remove(green_forkhook *h)
{
  green_link_remove(&h->link);
}

/* Do the next fork's children keep all tasks? Hooks ask. */
GREEN_API void green_hub_set_inherit(green_hub *hub, int on);
GREEN_API int green_hub_inherits(const green_hub *hub);

/* In a child: give the hub kernel state and a wake-up of its own, and run the
** hooks; the parent's are untouched. Returns 1 if that was done. The hub asks
** by itself before each batch and each poll. */
GREEN_API int green_hub_check_fork(green_hub *hub);

#endif
