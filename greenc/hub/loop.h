/*
** loop.h: what hub.c and fd.c see of libev. Private to greenc.
*/
#ifndef GREEN_HUB_LOOP_H
#define GREEN_HUB_LOOP_H

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/scope.h"

#include <stdatomic.h>

typedef struct green__loop green__loop;

/* Blocks of scopes and the free ones among them (scope.c). */
typedef struct green__scopes {
  green_scope **blocks;
  uint32_t n_blocks;
  green_list free;
} green__scopes;

struct green_hub {
  green__loop *loop; /* Other threads read it in green_hub_post. */
  green_list ready;  /* Runs in the next turn. */
  green_list batch;  /* Runs in this turn, first to last. */
  green_list defers; /* What runs before the next poll. */
  green_list all;    /* Every live task. */
  green_task *current;
  uint32_t generation; /* Of the process that the loop was made for. */
  uint8_t running;     /* Inside a run: runs do not nest. */
  uint8_t unpolled;    /* A batch was begun since the last poll. */
  uint8_t inherits;    /* A child keeps all tasks. */
  uint8_t is_virtual;
  green_heap heap;
  green__scopes scopes;
  green_fd **fds; /* By number: who has it registered. */
  uint32_t fds_cap;
  green_list touched; /* fds whose registration changed since the last poll. */
  uint32_t n_fds;
  uint32_t n_waits; /* Tasks parked on fds, and fds in idle sets. */
  uint32_t n_live;
  uint32_t holds;
  int64_t virtual_now;
  int64_t poll_now; /* The clock as of the last poll. */
  uint64_t turns;
  uint64_t switches;
  _Atomic(green_post *) posts; /* Newest first. */
  green_post *mail;            /* Taken from there, oldest first. */
  green_post *mail_now;        /* What runs in this turn. */
  green_list forkhooks;
  atomic_int posting; /* Threads inside green_hub_post: loop is in use. */
};

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
