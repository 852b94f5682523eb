/*
** idle.h: connections that wait for their next bytes without a green thread.
**
** An fd in the set costs only its own struct. When bytes (or the end of the
** stream) arrive it moves to the set's ready list and one task that waits at
** the set is woken; when it has been idle too long it is handed out likewise,
** marked expired. All fds of a set share one timeout, so the list is in order
** of expiry and one timer serves all.
*/
#ifndef GREEN_IDLE_H
#define GREEN_IDLE_H

#include "fd.h"

typedef struct green_idle {
  green_hub *hub;
  green_waitq workers; /* Tasks that wait for a ready fd. */
  green_list waiting;  /* fds, soonest to expire first. */
  green_list ready;    /* fds with bytes or expired, oldest first. */
  green_timer timer;
  int64_t timeout;     /* Nanoseconds, or GREEN_NEVER. */
  uint32_t n_waiting;
  uint32_t n_ready;
} green_idle;

void green_idle_init(green_idle *s, green_hub *hub, int64_t timeout);

/* Hand back every fd, closing none; waiting workers get GREEN_ECLOSED. */
void green_idle_deinit(green_idle *s);

/* Put f into the set; it must have no reader. 0 or as green_fd_park. */
int green_idle_add(green_idle *s, green_fd *f);

/* Take f out, wherever it stands. No-op if it is in no set. */
void green_idle_remove(green_fd *f);

/* The oldest ready fd, out of the set; NULL: none (park on s->workers).
** *expired: it was idle too long. */
green_fd *green_idle_take(green_idle *s, int *expired);

/* For fd.c: f has an event, or was closed. */
void green__idle_event(green_fd *f);

#endif
