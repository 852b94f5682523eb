/*
** trace_test.c: what a tracer is told, in which order, and that nobody is told
** anything without one.
*/

#include "actor.h"

#include "hub/trace.h"

#include <unistd.h>

#define MS (GREEN_SECOND / 1000)

/* Letters of the events that were told, with the names of their actors. */
typedef struct ear {
  green_tracer tracer;
  green_trace_event last[GREEN_TRACE_ANSWER + 1];
} ear;

static void ear_tell(green_tracer *tracer, const green_trace_event *e)
{
  static const char letters[] = "spywnxitrq";
  ear *me = green_container(tracer, ear, tracer);
  me->last[e->kind] = *e;
  trace_add(letters[e->kind]);
  if (e->task) trace_add(actor_of(e->task)->name);
}

static ear *ear_open(green_hub *hub)
{
  static ear e;
  e = (ear){.tracer.tell = ear_tell};
  green_hub_set_tracer(hub, &e.tracer);
  trace_clear();
  return &e;
}

static void step_quiet_end(actor *a)
{
  (void)a;
}

static void step_park_once(actor *a)
{
  if (a->runs == 1) green_task_park(&a->task, a->q, a->deadline);
}

static void step_yield_once(actor *a)
{
  if (a->runs == 1) green_task_yield(&a->task);
}

static void step_read_once(actor *a)
{
  if (a->runs == 1) green_fd_park(a->fd, &a->task, GREEN_READ, GREEN_NEVER);
}

static void step_wake_other(actor *a)
{
  green_task_wake(&a->other->task, GREEN_EINTR);
}

/* As actor_resume, and adds no letter. */
static void silent_resume(green_task *t)
{
  actor *a = actor_of(t);
  a->runs++;
  a->step(a);
  if (t->state == GREEN_TASK_RUNNING) green_task_end(t);
}

static void silent_start(actor *a, green_hub *hub, char name, actor_fn *step)
{
  actor_init(a, hub, name, step);
  a->deadline = GREEN_NEVER;
  a->task.resume = silent_resume;
  green_task_start(&a->task);
}

static void test_nobody(void)
{
  green_hub *hub = hub_open_virtual();
  actor a;
  ear_open(hub);
  green_hub_set_tracer(hub, NULL);
  silent_start(&a, hub, 'a', step_quiet_end);
  run_out(hub);
  is_str(trace, "", "who does not listen any more is told nothing");
  green_hub_free(hub);
}

static void test_switch_yield_end(void)
{
  green_hub *hub = hub_open_virtual();
  actor a;
  ear_open(hub);
  silent_start(&a, hub, 'a', step_yield_once);
  run_out(hub);
  is_str(trace, "sayasaxa", "it runs, lets others run, runs, ends");
  green_hub_free(hub);
}

static void test_deadline(void)
{
  green_hub *hub = hub_open_virtual();
  actor a;
  ear *e = ear_open(hub);
  silent_start(&a, hub, 'a', step_park_once);
  a.deadline = green_hub_now(hub) + 5 * MS;
  run_out(hub);
  is_str(trace, "sapatawasaxa", "a wait, its deadline, the wake");
  is(e->last[GREEN_TRACE_PARK].deadline, a.deadline, "the deadline");
  is(e->last[GREEN_TRACE_PARK].fd, -1, "of no descriptor");
  is(e->last[GREEN_TRACE_TIMER].place, GREEN_TIMER_WAIT, "of a wait");
  is(e->last[GREEN_TRACE_WAKE].status, GREEN_ETIMEDOUT, "its status");
  is(e->last[GREEN_TRACE_SWITCH].status, GREEN_ETIMEDOUT, "seen again");
  green_hub_free(hub);
}

static void test_start_and_scope(void)
{
  green_hub *hub = hub_open_virtual();
  actor a;
  ear *e = ear_open(hub);
  actor_init(&a, hub, 'a', step_park_once);
  a.task.resume = silent_resume;
  a.deadline = GREEN_NEVER;
  green_task_start_at(&a.task, green_hub_now(hub) + MS);
  green_hub_turn(hub, 1);
  is_str(trace, "ta", "its time to start has come");
  is(e->last[GREEN_TRACE_TIMER].place, GREEN_TIMER_START, "of a start");
  green_scope_push(&a.task, GREEN_SCOPE_TIMEOUT, green_hub_now(hub) + MS);
  trace_clear();
  run_out(hub);
  is_str(trace, "sapatawasaxa", "the scope's deadline ends its wait");
  is(e->last[GREEN_TRACE_TIMER].place, GREEN_TIMER_SCOPE, "of a scope");
  green_hub_free(hub);
}

static void on_timer(green_timer *t)
{
  (void)t;
}

static void test_other_timer(void)
{
  green_hub *hub = hub_open_virtual();
  green_timer t = {.fire = on_timer};
  ear *e = ear_open(hub);
  green_hub_timer_set(hub, &t, green_hub_now(hub) + MS);
  green_hub_turn(hub, 1);
  is_str(trace, "t", "a deadline that is no task's");
  is(e->last[GREEN_TRACE_TIMER].place, GREEN_TIMER_OTHER, "of another kind");
  green_hub_free(hub);
}

static void test_queue(void)
{
  green_hub *hub = hub_open_virtual();
  green_waitq q;
  actor a, b;
  ear *e = ear_open(hub);
  green_waitq_init(&q);
  silent_start(&a, hub, 'a', step_park_once);
  a.q = &q;
  silent_start(&b, hub, 'b', step_wake_other);
  b.other = &a;
  run_out(hub);
  is_str(trace, "sapasbwaxbsaxa", "one waits in a queue, another wakes it");
  is(e->last[GREEN_TRACE_PARK].place, GREEN_AT_QUEUE, "in a queue");
  is(e->last[GREEN_TRACE_WAKE].status, GREEN_EINTR, "with its status");
  green_hub_free(hub);
}

static void test_fd(void)
{
  green_hub *hub;
  green_fd in;
  actor a;
  int p[2];
  if (pipe(p) || green_hub_new(&hub, NULL) < 0) abort();
  green_fd_open(&in, hub, p[0]);
  ear *e = ear_open(hub);
  silent_start(&a, hub, 'a', step_read_once);
  a.fd = &in;
  green_hub_turn(hub, 0);
  is_str(trace, "sapa", "told once that it waits");
  is(e->last[GREEN_TRACE_PARK].fd, p[0], "for that number,");
  is(e->last[GREEN_TRACE_PARK].place, GREEN_AT_READ, "to read");
  if (write(p[1], "x", 1) != 1) abort();
  trace_clear();
  green_hub_turn(hub, 1);
  green_hub_turn(hub, 0);
  is_str(trace, "iwasaxa", "an event, the wake, the run");
  is(e->last[GREEN_TRACE_IO].fd, p[0], "of that number,");
  is(e->last[GREEN_TRACE_IO].modes, GREEN_READ, "which can be read");
  green_fd_close(&in);
  close(p[1]);
  green_hub_free(hub);
}

static void test_refused(void)
{
  green_hub *hub = hub_open_virtual();
  green_fd closed = {.fd = -1};
  actor a;
  ear_open(hub);
  closed.hub = hub;
  silent_start(&a, hub, 'a', step_read_once);
  a.fd = &closed;
  run_out(hub);
  is_str(trace, "saxa", "a wait that was refused is none");
  green_hub_free(hub);
}

int main(void)
{
  t_start();
  test_nobody();
  test_switch_yield_end();
  test_deadline();
  test_start_and_scope();
  test_other_timer();
  test_queue();
  test_fd();
  test_refused();
  return t_done();
}
