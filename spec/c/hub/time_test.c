/*
** time_test.c: deadlines, a million of them, and the virtual clock.
*/

#include "actor.h"

#define MS (GREEN_SECOND / 1000)

/* -- Deadlines ------------------------------------------------------------ */

static void test_deadlines_in_order(void)
{
  enum { N = 200 };
  static actor a[N];
  green_hub *hub = hub_open_virtual();
  int64_t t0 = green_hub_now(hub), sorted = 1;
  for (int i = 0; i < N; i++) {
    actor_start(&a[i], hub, 0, step_park);
    a[i].deadline = t0 + (1 + i / 20) * MS; /* Ten bunches of ties. */
    a[i].name = (char)('a' + i % 20);
  }
  trace_clear();
  run_out(hub);
  for (size_t i = N; i < trace_len; i++)
    if (trace[i] != (char)('a' + i % 20)) sorted = 0;
  is(trace_len, 2 * N, "each ran twice");
  ok(sorted, "equal deadlines fire in the order in which they were set");
  is(green_hub_now(hub) - t0, 10 * MS, "and the clock has moved as far");
  is(a[0].task.status, GREEN_ETIMEDOUT, "a deadline wakes with ETIMEDOUT");
  green_hub_free(hub);
}

/* For those who look: since when a task waits, and until when. */
static void test_since_and_due(void)
{
  actor a, b;
  green_hub *hub = hub_open_virtual();
  int64_t t0 = green_hub_now(hub);
  is(green_task_start_at((actor_init(&b, hub, 0, step_end), &b.task),
                         t0 + 50 * MS),
     0, "one that is to start");
  is(green_hub_timer_due(hub, &b.task.timer), t0 + 50 * MS, "says when");
  actor_start(&a, hub, 0, step_park);
  a.deadline = t0 + 30 * MS;
  turns(hub, 1);
  is(a.task.since, t0, "since the turn in which it began to wait");
  is(green_hub_timer_due(hub, &a.task.timer), t0 + 30 * MS, "until then");
  green_hub_advance(hub, 10 * MS);
  is(a.task.since, t0, "that does not move");
  run_out(hub);
  is(green_hub_timer_due(hub, &a.task.timer), GREEN_NEVER, "no deadline left");
  green_hub_free(hub);
}

/* A timer that sets itself again while it fires. */
typedef struct again {
  green_timer timer;
  green_hub *hub;
  int fired;
} again;

static void again_fire(green_timer *t)
{
  again *g = green_container(t, again, timer);
  g->fired++;
  green_hub_timer_set(g->hub, t, green_hub_now(g->hub));
}

static void test_timer_set_while_firing(void)
{
  again g = {.timer = {.fire = again_fire}, .hub = hub_open(NULL)};
  green_hub_timer_set(g.hub, &g.timer, green_hub_now(g.hub));
  turns(g.hub, 1);
  is(g.fired, 1, "a timer set while timers fire waits");
  turns(g.hub, 1);
  is(g.fired, 2, "for the next turn");
  green_hub_timer_stop(g.hub, &g.timer);
  green_hub_timer_stop(g.hub, &g.timer);
  turns(g.hub, 1);
  is(g.fired, 2, "stopped is stopped");
  green_hub_free(g.hub);
}

typedef struct rival {
  green_timer timer;
  struct rival *other;
  green_hub *hub;
  int fired;
} rival;

static void rival_fire(green_timer *t)
{
  rival *r = green_container(t, rival, timer);
  r->fired++;
  green_hub_timer_stop(r->hub, &r->other->timer);
}

static void test_timer_stops_its_equal(void)
{
  green_hub *hub = hub_open(NULL);
  rival a = {.timer = {.fire = rival_fire}, .hub = hub};
  rival b = {.timer = {.fire = rival_fire}, .hub = hub};
  int64_t now = green_hub_now(hub);
  a.other = &b;
  b.other = &a;
  green_hub_timer_set(hub, &a.timer, now);
  green_hub_timer_set(hub, &b.timer, now);
  turns(hub, 2);
  ok(a.fired == 1 && b.fired == 0, "a due timer can stop one due with it");
  green_hub_timer_set(hub, &b.timer, now + GREEN_SECOND);
  green_hub_timer_set(hub, &b.timer, now);
  is(stats_of(hub).timers, 1, "a timer that is set is moved");
  turns(hub, 1);
  is(b.fired, 1, "to its new deadline");
  is(green_hub_timer_set(hub, &b.timer, GREEN_NEVER), 0,
     "never is no deadline");
  is(stats_of(hub).timers, 0, "and takes no place");
  green_hub_free(hub);
}

static void test_start_at(void)
{
  green_hub *hub = hub_open_virtual();
  actor a, b, c;
  int64_t now = green_hub_now(hub);
  trace_clear();
  actor_init(&a, hub, 'a', step_end);
  actor_init(&b, hub, 'b', step_end);
  actor_init(&c, hub, 'c', step_end);
  green_task_start_at(&a.task, now + 2 * MS);
  green_task_start_at(&b.task, now + MS);
  green_task_start_at(&c.task, now + MS);
  green_task_start(&c.task);
  run_out(hub);
  is_str(trace, "cba", "started at their deadlines, or before by hand, once");
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_cancelled_deadlines(void)
{
  green_hub *hub = hub_open(NULL);
  int64_t due = green_hub_now(hub) + 3600 * GREEN_SECOND;
  for (int i = 0; i < 2000; i++) {
    actor a;
    actor_start(&a, hub, 0, step_park);
    a.deadline = due + i;
    turns(hub, 1);
    green_task_end(&a.task);
  }
  ok(is_clean(hub), "2,000 cancelled deadlines leave nothing");
  green_hub_free(hub);
}

static int64_t million_last;
static int million_sorted, million_fired;

typedef struct million {
  green_timer timer;
  int64_t due;
} million;

static void million_fire(green_timer *t)
{
  million *m = green_container(t, million, timer);
  if (m->due < million_last) million_sorted = 0;
  million_last = m->due;
  million_fired++;
}

static void test_a_million_timers(void)
{
  enum { N = 1000000 };
  green_hub *hub = hub_open_virtual();
  million *m = calloc(N, sizeof(*m));
  int64_t now = green_hub_now(hub);
  uint64_t seed = 88172645463325252u;
  million_sorted = 1;
  for (int i = 0; i < N; i++) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    m[i].timer.fire = million_fire;
    m[i].due = now + (int64_t)(seed % 1000) * MS;
    if (green_hub_timer_set(hub, &m[i].timer, m[i].due) < 0) abort();
  }
  for (int i = 0; i < N; i += 2) green_hub_timer_stop(hub, &m[i].timer);
  is(stats_of(hub).timers, N / 2, "half a million of a million are left");
  run_out(hub);
  is(million_fired, N / 2, "each fires once");
  ok(million_sorted, "in order");
  ok(is_clean(hub), "nothing is left");
  free(m);
  green_hub_free(hub);
}

/* -- The virtual clock ---------------------------------------------------- */

static void test_virtual_clock(void)
{
  green_hub *hub = hub_open(NULL);
  actor day, hour;
  is(green_hub_set_virtual(hub, 1), 0, "the clock becomes virtual");
  is(green_hub_set_virtual(hub, 1), 0, "twice is once");
  int64_t t0 = green_hub_now(hub);
  usleep(2000);
  is(green_hub_now(hub) - t0, 0, "and stands still");
  actor_start(&day, hub, 'd', step_park);
  day.deadline = t0 + 86400 * GREEN_SECOND;
  actor_start(&hour, hub, 'h', step_park);
  hour.deadline = t0 + 3600 * GREEN_SECOND;
  turns(hub, 3);
  is(green_hub_now(hub) - t0, 0, "a turn that may not wait does not move it");
  is(green_hub_set_virtual(hub, 0), GREEN_EBUSY, "deadlines bind it");
  trace_clear();
  green_hub_turn(hub, 1);
  is(green_hub_now(hub) - t0, 3600 * GREEN_SECOND, "it jumps to a deadline");
  green_hub_advance(hub, 86400 * GREEN_SECOND);
  turns(hub, 2);
  is_str(trace, "hd", "advance moves it past others");
  is(green_hub_set_virtual(hub, 0), 0, "and it can be given back");
  ok(llabs(green_hub_now(hub) - green_clock_now()) < GREEN_SECOND,
     "to the system's time");
  green_hub_advance(hub, 86400 * GREEN_SECOND);
  ok(llabs(green_hub_now(hub) - green_clock_now()) < GREEN_SECOND,
     "which advance does not move");
  green_hub_free(hub);
}

static void test_virtual_clock_waits_for_fds(void)
{
  green_hub *hub = hub_open_virtual();
  green_fd in;
  actor r, s;
  int p[2];
  if (pipe(p)) abort();
  green_fd_open(&in, hub, p[0]);
  actor_start(&r, hub, 'r', step_read);
  r.fd = &in;
  actor_start(&s, hub, 's', step_park);
  s.deadline = green_hub_now(hub) + GREEN_SECOND;
  turns(hub, 1);
  if (write(p[1], "x", 1) != 1) abort();
  int64_t t0 = green_hub_now(hub);
  trace_clear();
  green_hub_turn(hub, 1);
  is(green_hub_now(hub) - t0, 0, "time stands while a real fd is waited for");
  run_out(hub);
  is_str(trace, "rs", "and jumps once it is not");
  green_fd_close(&in);
  close(p[1]);
  green_hub_free(hub);
}

int main(void)
{
  t_start();
  test_deadlines_in_order();
  test_since_and_due();
  test_timer_set_while_firing();
  test_timer_stops_its_equal();
  test_start_at();
  test_cancelled_deadlines();
  test_a_million_timers();
  test_virtual_clock();
  test_virtual_clock_waits_for_fds();
  return t_done();
}
