/*
** trace.c: puts events together for a hub's tracer. All here is off the usual
** path: who calls has looked whether there is one.
*/

#include "hub/trace_priv.h"
#include "hub/fd.h"

void green_hub_set_tracer(green_hub *hub, green_tracer *tracer)
{
  green__assert_thread(hub);
  green_assert(!tracer || tracer->tell, "Embed, and set tell");
  hub->tracer = tracer;
}

void green_hub_trace(const green_hub *hub, const green_trace_event *e)
{
  if (green_unlikely(hub->tracer != NULL)) hub->tracer->tell(hub->tracer, e);
}

/* The end, or the wake, of the one that runs: what it did is known. */
static void trace_note_told(const green_task *t, int kind)
{
  if (t == t->hub->current && kind != GREEN_TRACE_SWITCH) t->hub->told = 1;
}

void green__trace_task(const green_task *t, int kind)
{
  green_trace_event e = {
      .kind = (uint8_t)kind, .task = t, .fd = -1, .status = t->status};
  trace_note_told(t, kind);
  green_hub_trace(t->hub, &e);
}

static int64_t deadline_of(const green_task *t)
{
  return t->timer.slot ? green_heap_due(&t->hub->heap, &t->timer) : GREEN_NEVER;
}

static void trace_park(const green_task *t)
{
  const green_fd *f = green_task_fd(t);
  green_trace_event e = {.kind = GREEN_TRACE_PARK,
                         .task = t,
                         .place = t->place,
                         .fd = f ? f->fd : -1,
                         .deadline = deadline_of(t)};
  green_hub_trace(t->hub, &e);
}

/* Woken before it was back: where it stood is forgotten. */
void green__trace_wake(const green_task *t)
{
  if (t == t->hub->current) trace_park(t);
  green__trace_task(t, GREEN_TRACE_WAKE);
}

/* A task that the main chunk stands for runs on outside of its turn. */
void green_hub_trace_left(const green_task *t)
{
  if (t->state == GREEN_TASK_PARKED)
    trace_park(t);
  else if (t->state == GREEN_TASK_READY)
    green__trace_task(t, GREEN_TRACE_YIELD);
}

void green__trace_io(const green_hub *hub, int fd, int modes)
{
  green_trace_event e = {
      .kind = GREEN_TRACE_IO, .fd = fd, .modes = (uint8_t)modes};
  green_hub_trace(hub, &e);
}

void green__trace_timer(const green_hub *hub, const green_task *t, int place)
{
  green_trace_event e = {
      .kind = GREEN_TRACE_TIMER, .task = t, .fd = -1, .place = (uint8_t)place};
  green_hub_trace(hub, &e);
}
