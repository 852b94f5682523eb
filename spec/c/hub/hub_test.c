/*
** hub_test.c: tasks, queues, turns and runs.
*/

#include "actor.h"
#include "base/mem.h"

#define MS (GREEN_SECOND / 1000)

/* -- Order ---------------------------------------------------------------- */

static actor child;

static void step_start_child(actor *a)
{
  actor_start(&child, a->task.hub, 'c', step_end);
  trace_add('-');
}

static void test_start_runs_later_and_in_order(void)
{
  green_hub *hub = hub_open(NULL);
  actor a, b;
  trace_clear();
  actor_start(&a, hub, 'a', step_start_child);
  actor_start(&b, hub, 'b', step_end);
  is_str(trace, "", "start runs nothing");
  turns(hub, 1);
  is_str(trace, "a-b", "tasks run in the order of start, never inside it");
  turns(hub, 1);
  is_str(trace, "a-bc", "a task made during a turn runs in the next one");
  green_task_start(&a.task);
  turns(hub, 1);
  is_str(trace, "a-bc", "a dead task does not start");
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_spinner_starves_nobody(void)
{
  green_hub *hub = hub_open(NULL);
  actor spin, other, sleeper, reader;
  green_fd in;
  int p[2];
  if (pipe(p)) abort();
  green_fd_open(&in, hub, p[0]);
  trace_clear();
  actor_start(&spin, hub, 0, step_spin);
  spin.value = 1L << 30;
  actor_start(&other, hub, 'o', step_spin);
  other.value = 2;
  actor_start(&sleeper, hub, 's', step_park);
  sleeper.deadline = green_hub_now(hub);
  actor_start(&reader, hub, 'r', step_read);
  reader.fd = &in;
  if (write(p[1], "x", 1) != 1) abort();
  turns(hub, 4);
  is_str(
      trace, "osrorso",
      "a task that only yields lets tasks, I/O and deadlines have their turn");
  is(spin.runs, 4, "and has its own, once a turn");
  green_task_end(&spin.task);
  green_fd_close(&in);
  close(p[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void step_wake_other(actor *a)
{
  is(green_task_wake(&a->other->task, 7), 1, "the first wake decides");
  is(green_task_wake(&a->other->task, 8), 0, "a second finds it decided");
  is(green_task_wake_first(&a->other->task, 9), 0, "and a third");
}

static void test_first_wake_decides(void)
{
  green_hub *hub = hub_open(NULL);
  green_waitq q;
  actor a, b, c;
  green_waitq_init(&q);
  trace_clear();
  actor_start(&a, hub, 'a', step_park);
  a.q = &q;
  a.deadline = green_hub_now(hub) + GREEN_SECOND;
  actor_start(&b, hub, 'b', step_wake_other);
  b.other = &a;
  actor_start(&c, hub, 'c', step_end);
  turns(hub, 1);
  is(stats_of(hub).timers, 0, "a wake takes the deadline back");
  ok(!green_waitq_first(&q), "and the task out of its queue");
  turns(hub, 1);
  is_str(trace, "abca", "a woken task runs in the next turn");
  is(a.task.status, 7, "with the status of the first wake");
  green_hub_free(hub);
}

static void step_wake_other_first(actor *a)
{
  green_task_wake_first(&a->other->task, 0);
}

static void test_wake_first_runs_in_this_turn(void)
{
  green_hub *hub = hub_open(NULL);
  actor a, b, c;
  trace_clear();
  actor_start(&a, hub, 'a', step_park);
  actor_start(&b, hub, 'b', step_wake_other_first);
  b.other = &a;
  actor_start(&c, hub, 'c', step_end);
  turns(hub, 1);
  is_str(trace, "abac", "wake_first breaks the order");
  green_hub_free(hub);
}

/* What vm does for kill: hurry the target, then stand behind it. */
static void step_hand_over(actor *a)
{
  if (a->runs > 1) return;
  green_task_wake(&a->other->task, GREEN_ECANCELED);
  green_task_hurry(&a->other->task);
  green_task_yield_first(&a->task);
}

static void test_hand_over(void)
{
  green_hub *hub = hub_open(NULL);
  actor target, killer, third;
  trace_clear();
  actor_start(&target, hub, 't', step_park);
  actor_start(&killer, hub, 'k', step_hand_over);
  killer.other = &target;
  actor_start(&third, hub, '3', step_end);
  turns(hub, 1);
  is_str(trace, "tktk3", "target, killer, then the others, in one turn");
  green_task_hurry(&third.task);
  ok(is_clean(hub), "hurry leaves a dead task alone");
  green_hub_free(hub);
}

static void step_hand_over_back(actor *a)
{
  if (a->runs == 1) {
    green_task_park(&a->task, NULL, GREEN_NEVER);
  } else if (a->runs == 2) {
    green_task_hurry(&a->other->task);
    green_task_yield_first(&a->task);
  }
}

static void test_hand_over_and_back(void)
{
  green_hub *hub = hub_open(NULL);
  actor target, killer, third;
  trace_clear();
  actor_start(&target, hub, 't', step_hand_over_back);
  actor_start(&killer, hub, 'k', step_hand_over);
  killer.other = &target;
  target.other = &killer;
  actor_start(&third, hub, '3', step_end);
  turns(hub, 1);
  is_str(trace, "tktkt3", "a target that hurries its killer comes after it");
  green_hub_free(hub);
}

/* -- Queues --------------------------------------------------------------- */

static void queue_of(green_hub *hub, green_waitq *q, actor *a, int n)
{
  green_waitq_init(q);
  for (int i = 0; i < n; i++) {
    actor_start(&a[i], hub, (char)('a' + i), step_park);
    a[i].q = q;
  }
  turns(hub, 1);
  trace_clear();
}

static void test_queues_are_fifo(void)
{
  green_hub *hub = hub_open(NULL);
  green_waitq q;
  actor a[5];
  queue_of(hub, &q, a, 5);
  is(green_waitq_wake(&q, 0), 1, "wake wakes one");
  ok(green_waitq_first(&q) == &a[1].task, "the one that has waited longest");
  is(green_waitq_wake_last(&q, 0), 1, "wake_last wakes one");
  is(a[4].task.state, GREEN_TASK_READY, "the one that came last");
  is(green_waitq_wake_all(&q, 3), 3, "wake_all wakes the rest");
  is(green_waitq_wake(&q, 0), 0, "nobody is left to wake");
  is(green_waitq_wake_last(&q, 0), 0, "from neither end");
  turns(hub, 1);
  is_str(trace, "aebcd", "woken in order, run in order");
  is(a[2].task.status, 3, "the status is the waker's");
  green_hub_free(hub);
}

static void test_leaving_a_queue(void)
{
  green_hub *hub = hub_open_virtual();
  green_waitq q;
  actor a[3], late;
  queue_of(hub, &q, a, 3);
  actor_start(&late, hub, 'l', step_park);
  late.q = &q;
  late.deadline = green_hub_now(hub) + GREEN_SECOND;
  green_task_end(&a[0].task);
  ok(green_waitq_first(&q) == &a[1].task, "the dead leave the queue");
  turns(hub, 1);
  green_hub_turn(hub, 1);
  green_hub_turn(hub, 1);
  is(late.task.status, GREEN_ETIMEDOUT, "who is late leaves it too");
  is(green_waitq_wake_all(&q, 0), 2, "the others stand as they stood");
  turns(hub, 1);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* -- Ends ----------------------------------------------------------------- */

static void test_joiners(void)
{
  green_hub *hub = hub_open(NULL);
  actor target, a, b;
  trace_clear();
  actor_init(&target, hub, 't', step_park);
  actor_start(&a, hub, 'a', step_park);
  actor_start(&b, hub, 'b', step_park);
  a.q = b.q = &target.task.joiners;
  turns(hub, 1);
  green_task_end(&target.task);
  is(target.task.state, GREEN_TASK_DEAD, "a task may end before it starts");
  turns(hub, 1);
  is_str(trace, "abab", "its joiners are woken in order; it never runs");
  is(a.task.status, 0, "with status 0");
  green_task_end(&target.task);
  ok(is_clean(hub), "ending twice is nothing");
  green_hub_free(hub);
}

static void test_end_in_every_state(void)
{
  green_hub *hub = hub_open(NULL);
  green_waitq q;
  actor fresh, later, ready, parked;
  green_waitq_init(&q);
  trace_clear();
  actor_init(&fresh, hub, 'f', step_end);
  actor_init(&later, hub, 'l', step_end);
  green_task_start_at(&later.task, green_hub_now(hub) + GREEN_SECOND);
  actor_start(&parked, hub, 'p', step_park);
  parked.q = &q;
  parked.deadline = green_hub_now(hub) + GREEN_SECOND;
  turns(hub, 1);
  actor_start(&ready, hub, 'r', step_end);
  is(stats_of(hub).live, 4, "four are alive");
  is(stats_of(hub).timers, 2, "with two deadlines");
  is(stats_of(hub).ready, 1, "one of them is ready");
  green_task_end(&fresh.task);
  green_task_end(&later.task);
  green_task_end(&parked.task);
  green_task_end(&ready.task);
  ok(is_clean(hub), "an ended task leaves every list");
  ok(!green_waitq_first(&q), "its queue too");
  turns(hub, 2);
  is_str(trace, "p", "and never runs again");
  green_hub_free(hub);
}

static void test_live_tasks(void)
{
  green_hub *hub = hub_open(NULL);
  actor a[3];
  green_task *t;
  int n = 0;
  for (int i = 0; i < 3; i++) actor_start(&a[i], hub, 'a', step_park);
  turns(hub, 1);
  for (t = green_hub_first_task(hub); t; t = green_hub_next_task(hub, t)) n++;
  is(n, 3, "live tasks can be listed");
  green_hub_abandon(hub);
  ok(!green_hub_first_task(hub) && is_clean(hub), "abandon unlinks them all");
  is(a[1].runs, 1, "without resuming one");
  green_hub_free(hub);
}

/* -- I/O first ------------------------------------------------------------ */

static void test_io_beats_a_due_deadline(void)
{
  green_hub *hub = hub_open(NULL);
  green_fd in;
  actor a, b;
  int p[2];
  if (pipe(p)) abort();
  green_fd_open(&in, hub, p[0]);
  actor_start(&a, hub, 'a', step_read);
  a.fd = &in;
  a.deadline = green_hub_now(hub) + MS;
  actor_start(&b, hub, 'b', step_park);
  b.deadline = green_hub_now(hub);
  if (write(p[1], "x", 1) != 1) abort();
  usleep(3000); /* Both are due when the turn comes to poll. */
  trace_clear();
  turns(hub, 2);
  is(a.task.status, 0, "data that has arrived beats a timeout that is due");
  is_str(trace, "abab", "I/O completions come before expired deadlines");
  green_fd_close(&in);
  close(p[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* -- Running -------------------------------------------------------------- */

static int done_flag;

static void step_done(actor *a)
{
  (void)a;
  done_flag = 1;
}

static void test_run_until_done(void)
{
  green_hub *hub = hub_open(NULL);
  actor a, b, c;
  trace_clear();
  done_flag = 0;
  actor_start(&a, hub, 'a', step_spin);
  a.value = 1;
  actor_start(&b, hub, 'b', step_done);
  actor_start(&c, hub, 'c', step_end);
  is(green_hub_run(hub, &done_flag), 0, "run ends when *done is set");
  is_str(trace, "ab", "checked after each task");
  done_flag = 0;
  is(green_hub_run(hub, &done_flag), GREEN_EDEADLOCK, "run goes on later");
  is_str(trace, "abca", "what was left comes before the newly ready");
  green_hub_free(hub);
}

static void step_nest(actor *a)
{
  int done = 0;
  is(green_hub_run(a->task.hub, &done), GREEN_EBUSY, "a run inside a run");
  is(green_hub_turn(a->task.hub, 0), GREEN_EBUSY, "and a turn are refused");
  ok(green_hub_current(a->task.hub) == &a->task, "current is who runs");
}

static void test_runs_do_not_nest(void)
{
  green_hub *hub = hub_open(NULL);
  actor a, b;
  actor_start(&a, hub, 'a', step_nest);
  actor_start(&b, hub, 'b', step_nest);
  turns(hub, 1);
  ok(!green_hub_current(hub), "outside nobody runs");
  is(b.runs, 1, "the others run as always");
  green_hub_free(hub);
}

static void test_deadlock(void)
{
  green_hub *hub = hub_open(NULL);
  int never = 0;
  actor a;
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "an empty hub has no future");
  actor_start(&a, hub, 'a', step_park);
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK,
     "nor has one whose tasks are parked for ever");
  is(green_hub_turn(hub, 1), 0, "a blocking turn returns then");
  green_hub_hold(hub);
  is(green_hub_turn(hub, 0), 1, "unless the hub is held");
  green_hub_unhold(hub);
  green_hub_unhold(hub);
  is(green_hub_turn(hub, 0), 0, "unhold once too often is harmless");
  green_task_wake(&a.task, GREEN_EDEADLOCK);
  is(green_hub_turn(hub, 0), 0, "a deadlock can be told to a task");
  is(a.task.status, GREEN_EDEADLOCK, "which then goes on");
  green_hub_free(hub);
}

/* One that was retired waits for a time; whatever ends that wait, the hub's
** count of them is right again (green_hub_check). */
static void test_deadlock_of_retired(void)
{
  green_hub *hub = hub_open_virtual();
  int never = 0;
  actor keeper, a;
  actor_init(&keeper, hub, 'k', step_park);
  green_task_retire(&keeper.task);
  keeper.deadline = green_hub_now(hub) + 1000;
  green_task_start(&keeper.task);
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK,
     "the deadline of one that was retired is no future");
  is(keeper.task.state, GREEN_TASK_PARKED, "and has not passed");
  actor_init(&a, hub, 'a', step_park);
  a.deadline = keeper.deadline + 1000;
  green_task_start(&a.task);
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "others' deadlines are one");
  is(a.task.state, GREEN_TASK_DEAD, "they pass");
  is(keeper.task.state, GREEN_TASK_DEAD, "its own, too, where time goes on");
  is(keeper.task.status, GREEN_ETIMEDOUT, "as ever");
  actor_init(&keeper, hub, 'k', step_park);
  green_task_retire(&keeper.task);
  keeper.deadline = green_hub_now(hub) + 1000;
  green_task_start(&keeper.task);
  is(green_hub_turn(hub, 0), 0, "it is told at once");
  green_task_end(&keeper.task);
  actor_init(&a, hub, 'a', step_park);
  a.deadline = green_hub_now(hub) + 1;
  green_task_start(&a.task);
  is(green_hub_turn(hub, 0), 1, "one that has ended counts no more");
  green_hub_free(hub);
}

/* -- Before the poll ------------------------------------------------------ */

typedef struct late {
  green_defer defer;
  green_hub *hub;
  int again;
} late;

static void late_run(green_defer *d)
{
  late *l = green_container(d, late, defer);
  trace_add('D');
  if (l->again-- > 0) green_hub_defer(l->hub, d);
}

static void test_defer(void)
{
  green_hub *hub = hub_open(NULL);
  late l = {.defer = {.run = late_run}, .hub = hub, .again = 1};
  late gone = {.defer = {.run = late_run}, .hub = hub};
  actor a, b;
  trace_clear();
  actor_start(&a, hub, 'a', step_spin);
  a.value = 2;
  actor_start(&b, hub, 'b', step_end);
  green_hub_defer(hub, &l.defer);
  green_hub_defer(hub, &l.defer);
  green_hub_defer(hub, &gone.defer);
  green_hub_undefer(&gone.defer);
  turns(hub, 3);
  is_str(trace, "abDaDa", "deferred: once, after the tasks, again: next turn");
  green_hub_free(hub);
}

/* -- Out of memory -------------------------------------------------------- */

/* Everything of this file that allocates. 0 or what failed. */
static int scenario(void)
{
  green_hub *hub;
  static actor a[100];
  int err = green_hub_new(&hub, NULL);
  if (err < 0) return err;
  for (int i = 0; i < 100 && err == 0; i++) {
    actor_init(&a[i], hub, 0, step_end);
    err = green_task_start_at(&a[i].task, green_hub_now(hub));
  }
  if (err == 0) err = green_hub_use(hub, "poll");
  turns(hub, 2);
  green__alloc_fail_from(0); /* Deadlines that could not be set aside wait. */
  run_out(hub);
  for (int i = 0; i < 100 && err == 0; i++) err = a[i].runs == 1 ? 0 : 1;
  green_hub_free(hub);
  return err;
}

static void test_out_of_memory(void)
{
  int n = 0, err;
  do {
    green__alloc_fail_from(++n);
    err = scenario();
    green__alloc_fail_from(0);
  } while (err == GREEN_ENOMEM && n < 1000);
  is(err, 0, "each allocation may fail, and only ENOMEM comes of it");
  ok(n > 3, "several were tried");
}

static void step_park_without_memory(actor *a)
{
  green__alloc_fail_from(1);
  a->value = green_task_park(&a->task, NULL, a->deadline);
  green__alloc_fail_from(0);
  a->runs = a->task.state; /* What park has left. */
}

static void test_park_out_of_memory(void)
{
  green_hub *hub = hub_open(NULL);
  static actor a[5000];
  int i, err = 0;
  for (i = 0; i < 5000 && err == 0; i++) {
    actor_start(&a[i], hub, 0, step_park_without_memory);
    a[i].deadline = green_hub_now(hub) + 1000 * GREEN_SECOND;
    turns(hub, 1);
    err = (int)a[i].value;
  }
  is(err, GREEN_ENOMEM, "park without memory for the deadline");
  is(a[i - 1].runs, GREEN_TASK_RUNNING, "changes nothing");
  is(stats_of(hub).timers, i - 1, "and the other deadlines stand");
  green_hub_abandon(hub);
  green_hub_free(hub);
}

int main(void)
{
  t_start();
  test_start_runs_later_and_in_order();
  test_spinner_starves_nobody();
  test_first_wake_decides();
  test_wake_first_runs_in_this_turn();
  test_hand_over();
  test_hand_over_and_back();
  test_queues_are_fifo();
  test_leaving_a_queue();
  test_joiners();
  test_end_in_every_state();
  test_live_tasks();
  test_io_beats_a_due_deadline();
  test_run_until_done();
  test_runs_do_not_nest();
  test_deadlock();
  test_deadlock_of_retired();
  test_defer();
  test_out_of_memory();
  test_park_out_of_memory();
  return t_done();
}
