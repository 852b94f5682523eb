/*
** trace.h: what a hub does, told as it happens to a tracer, if one has asked
** for it; with none each place costs one branch, and a switch none.
*/
#ifndef GREEN_HUB_TRACE_H
#define GREEN_HUB_TRACE_H

#include "hub/hub.h"

enum green_trace_kind {
  GREEN_TRACE_SWITCH,  /* task is about to run; status: how its wait ended. */
  GREEN_TRACE_PARK,    /* task waits: place, fd, deadline. */
  GREEN_TRACE_YIELD,   /* task lets the others have a turn. */
  GREEN_TRACE_WAKE,    /* task's wait is decided: status. */
  GREEN_TRACE_SPAWN,   /* task was made. */
  GREEN_TRACE_END,     /* task is over. */
  GREEN_TRACE_IO,      /* fd is ready in these directions (modes). */
  GREEN_TRACE_TIMER,   /* A deadline has passed: task's, or nobody's (NULL);
                          place: enum green_trace_timer. */
  GREEN_TRACE_REQUEST, /* The head of a request has come on fd: text. */
  GREEN_TRACE_ANSWER   /* And its answer is complete: status, deadline: ns since
                          the poll that brought the request. */
};

enum green_trace_timer {
  GREEN_TIMER_OTHER, /* Of the library's own. */
  GREEN_TIMER_WAIT,  /* The end of a wait. */
  GREEN_TIMER_START, /* Of a task that was to start then. */
  GREEN_TIMER_SCOPE
};

/* Of one event; what its kind does not name is 0, NULL, or -1 for fd. Good
** during the call. */
typedef struct green_trace_event {
  uint8_t kind;
  uint8_t place; /* enum green_task_place, or of a timer. */
  uint8_t modes;
  int32_t status;
  int32_t fd;
  const green_task *task;
  int64_t deadline;
  const char *method;
  const char *target;
  uint32_t method_len;
  uint32_t target_len;
} green_trace_event;

/* Embed, and set tell, which is called on the hub's thread, also in the middle
** of FFI functions: it must change nothing of the hub but defer. */
typedef struct green_tracer {
  void (*tell)(struct green_tracer *tracer, const green_trace_event *e);
} green_tracer;

/* Tell it from here on; NULL: nobody. It lives until another one, or NULL, is
** set, or the hub is freed. */
GREEN_API void green_hub_set_tracer(green_hub *hub, green_tracer *tracer);

/* Tell the tracer, if there is one, that t, which has run and not ended, waits
** or lets others run; for one that no turn has run. */
GREEN_API void green_hub_trace_left(const green_task *t);

/* Tell the tracer, if there is one, of what no file of hub/ knows. */
GREEN_API void green_hub_trace(const green_hub *hub,
                               const green_trace_event *e);

#endif
