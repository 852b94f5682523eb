/*
** loop.h: what hub.c and fd.c see of libev. Private to greenc.
*/
#ifndef GREEN_HUB_LOOP_H
#define GREEN_HUB_LOOP_H

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/hub_priv.h"

/* Open a loop of our own, or use the host's (ev_loop != NULL). */
int green__loop_open(green__loop **loop, green_hub *hub, const char *backend,
                     void *ev_loop);
void green__loop_close(green__loop *loop);
void green__loop_version(int *major, int *minor);
int green__loop_is_host(const green__loop *loop);
/* Is the host inside its own run of the loop? */
int green__loop_is_inside(const green__loop *loop);
/* In a child: the next poll builds its kernel state and wake-up anew. */
void green__loop_forked(green__loop *loop);
const char *green__loop_backend(const green__loop *loop);

/* Poll once; wait, if block is set, at most until due. Calls back for events
** and posts. Not inside a run of the host's. */
void green__loop_poll(green__loop *loop, int block, int64_t due, int64_t now);

/* Any thread, and signal handlers: make the poll return. */
void green__loop_wake(green__loop *loop);

/* Watch f in one direction, or stop. The number must be open. */
void green__loop_arm(green__loop *loop, green_fd *f, int mode);
void green__loop_disarm(green__loop *loop, green_fd *f, int mode);

/* Called by the loop. */
void green__hub_run_ready(green_hub *hub);
void green__hub_run_posts(green_hub *hub);
void green__hub_expire(green_hub *hub);
int green__hub_is_ready(const green_hub *hub);
/* error: the number is not open any more, the loop has dropped it. */
void green__fd_event(green_fd *f, int mode, int error);
/* t, parked on f, leaves. */
void green__fd_unpark(green_fd *f, green_task *t);
/* Before libev tells the kernel: let go of numbers that are not open any more,
** for it would abort. Those touched since the last poll, or all. */
void green__fd_check_touched(green_hub *hub);
void green__fd_check_all(green_hub *hub);

/* The earliest deadline, GREEN_NEVER without one. */
static inline int64_t green__hub_due(const green_hub *hub)
{
  return hub->heap.len ? hub->heap.a[0].due : GREEN_NEVER;
}

/* Owned by task.c: out of every list, and dead; joiners are not told. */
void green__task_leave(green_task *t);

/* Owned by scope.c. */
void green__scopes_init(green_hub *hub);
void green__scopes_deinit(green_hub *hub);
void green__scope_drop_all(green_task *t);

#endif
