/*
** idle.h: connections that wait for their next bytes without a green thread.
**
** An fd in the set costs only its own struct. When bytes (or the end of the
** stream) arrive it is put on the set's ready list and one task that waits for
** ready fds is woken, unless enough were; when it has been in the set too long
** it is handed out likewise, marked expired. All fds of a set share one
** timeout, so the set is in order of expiry and one timer serves all.
**
** Taking an fd from the ready list leaves it in the set, at its place in the
** order of expiry: a task that finds too few bytes just leaves it there, and a
** sender of single bytes wins no time.
*/
#ifndef GREEN_IDLE_H
#define GREEN_IDLE_H

#include "hub/fd.h"

/* Tasks that wait for ready fds, of one set or of several. */
typedef struct green_idlers {
  green_waitq tasks;
  uint32_t burst; /* None is woken once woken has come to it; 0: for each ready
                     fd one. */
  uint32_t woken; /* The owner puts it back to 0, say once a turn. */
  uint8_t polls;  /* A worker polls in place (green_hub_poll): it takes what
                     comes, and nobody is woken. */
} green_idlers;

typedef struct green_idle {
  green_hub *hub;
  green_link link;       /* Among the hub's sets. */
  green_idlers *workers; /* Woken for a ready fd: workers_own at first. */
  green_idlers workers_own;
  green_list waiting; /* Those whose time is not up, soonest first. */
  green_list expired; /* Those whose time was up, in that order. */
  green_list ready;   /* Those with bytes or expired, oldest first. */
  green_timer timer;
  int64_t timeout; /* Nanoseconds, or GREEN_NEVER. */
  /* NULL; else told of an fd's event instead of all that is ready above: it
  ** wakes whom it likes, and returns 0 if nobody is interested any more. */
  int (*told)(green_fd *f);
  uint32_t n_waiting; /* In the set, ready ones included. */
  uint32_t n_ready;   /* On the ready list, or held (green_idle_hold). */
} green_idle;

GREEN_API void green_idle_init(green_idle *s, green_hub *hub, int64_t timeout);

/* Let go of every fd, closing none; tasks in workers_own get GREEN_ECLOSED. */
GREEN_API void green_idle_deinit(green_idle *s);

/* Put f, of the same hub, into the set. 0, or as green_fd_park; GREEN_EBUSY
** also when it is in a set. */
GREEN_API int green_idle_add(green_idle *s, green_fd *f);

/* The same with a deadline of its own, which is not after those that come now:
** for one that was in the set before, and goes on from there. */
GREEN_API int green_idle_add_by(green_idle *s, green_fd *f, int64_t due);

/* Change the timeout. A shorter one counts for those that wait already, from
** now on; a longer one for those that come. */
GREEN_API void green_idle_set_timeout(green_idle *s, int64_t timeout);

/* Take f out, wherever it stands. No-op if it is in no set. */
GREEN_API void green_idle_remove(green_fd *f);

/* The oldest ready fd, off the ready list but still in the set; NULL: none
** (park on s->workers->tasks). *expired: it was in the set too long. */
GREEN_API green_fd *green_idle_take(green_idle *s, int *expired);

/* The oldest ready fd, moved from the ready list behind those of held, a list
** of the caller's; NULL: none. It counts as ready still: events do not list it
** again, its time may run out there, and green_idle_remove takes it out of held
** as well. */
GREEN_API green_fd *green_idle_hold(green_idle *s, green_list *held);

/* The first of held, as green_idle_take. Its set is f->idle. */
GREEN_API green_fd *green_idle_take_held(green_list *held, int *expired);

/* Wake the worker that came last: its memory is warm, and those that are not
** needed can time out. How many: 1 or 0. */
GREEN_API int green_idlers_wake(green_idlers *w);

/* Treat f, which is in a set, as if it had an event. 0 if it stands on the
** ready list since long ago: nobody takes it, and the poll must not tell again.
*/
int green__idle_event(green_fd *f);

/* How many fds all sets of the hub hold. */
uint32_t green__idles_count(const green_hub *hub);

#ifdef GREEN_DEBUG
/* For green_hub_check: every set of the hub. Returns how many fds they hold. */
uint32_t green__idles_check(const green_hub *hub);
#endif

#endif
