/*
** actor.h: tasks for tests: a plain C function a step, and a trace of names.
**
** A step that neither parks nor yields ends its task.
*/
#ifndef GREEN_ACTOR_H
#define GREEN_ACTOR_H

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/scope.h"
#include "t.h"

typedef struct actor actor;
typedef void actor_fn(actor *a);

struct actor {
  green_task task;
  actor_fn *step;
  int runs;     /* Steps begun, this one included. */
  char name;    /* Put into the trace at each step; 0: not. */
  actor *other; /* Whom a step acts on. */
  green_waitq *q;
  green_fd *fd;
  int64_t deadline;
  long value;
};

#define actor_of(t) green_container(t, actor, task)

static char trace[4096];
static size_t trace_len;

static inline void trace_clear(void)
{
  trace[trace_len = 0] = '\0';
}

static inline void trace_add(char c)
{
  if (trace_len + 1 >= sizeof(trace)) abort();
  trace[trace_len++] = c;
  trace[trace_len] = '\0';
}

static inline void actor_resume(green_task *t)
{
  actor *a = actor_of(t);
  a->runs++;
  if (a->name) trace_add(a->name);
  a->step(a);
  if (t->state == GREEN_TASK_RUNNING) green_task_end(t);
}

/* A NEW task. */
static inline void actor_init(actor *a, green_hub *hub, char name,
                              actor_fn *step)
{
  memset(a, 0, sizeof(*a));
  a->step = step;
  a->name = name;
  a->deadline = GREEN_NEVER;
  green_task_init(&a->task, hub, actor_resume);
}

static inline void actor_start(actor *a, green_hub *hub, char name,
                               actor_fn *step)
{
  actor_init(a, hub, name, step);
  green_task_start(&a->task);
}

/* -- Steps ---------------------------------------------------------------- */

static inline void step_end(actor *a)
{
  (void)a;
}

/* Park once, in a->q if it is set, until a->deadline. */
static inline void step_park(actor *a)
{
  if (a->runs == 1) green_task_park(&a->task, a->q, a->deadline);
}

/* Wait once for a->fd to be readable. */
static inline void step_read(actor *a)
{
  int err = 0;
  if (a->runs == 1)
    err = green_fd_park(a->fd, &a->task, GREEN_READ, a->deadline);
  if (err < 0) a->task.status = err;
}

static inline void step_write(actor *a)
{
  int err = 0;
  if (a->runs == 1)
    err = green_fd_park(a->fd, &a->task, GREEN_WRITE, a->deadline);
  if (err < 0) a->task.status = err;
}

/* Yield a->value times. */
static inline void step_spin(actor *a)
{
  if (a->runs <= a->value) green_task_yield(&a->task);
}

/* -- Hubs ----------------------------------------------------------------- */

static inline green_hub *hub_open(const char *backend)
{
  green_hub *hub;
  if (green_hub_new(&hub, backend) < 0) abort();
  return hub;
}

static inline green_hub *hub_open_virtual(void)
{
  green_hub *hub = hub_open(NULL);
  green_hub_set_virtual(hub, 1);
  return hub;
}

/* Turn without waiting for real time. */
static inline void turns(green_hub *hub, int n)
{
  for (; n > 0; n--) {
    green_hub_turn(hub, 0);
    green_hub_check(hub);
  }
}

/* Turn until nothing can happen any more. */
static inline void run_out(green_hub *hub)
{
  while (green_hub_turn(hub, 1) > 0) green_hub_check(hub);
}

static inline green_hub_stats stats_of(const green_hub *hub)
{
  green_hub_stats s;
  green_hub_stats_get(hub, &s);
  return s;
}

/* Nothing left in the hub but what the caller still holds? */
static inline int is_clean(const green_hub *hub)
{
  green_hub_stats s = stats_of(hub);
  return !s.live && !s.ready && !s.timers && !s.fds && !s.waits;
}

#endif
