/*
** turn_test.c: what keeps a turn short, and turns that belong to several
** runs.
*/

#include "actor.h"

#include <sys/socket.h>
#include <time.h>

#define MS (GREEN_SECOND / 1000)

enum { MANY = 5000, MOST = 1024 };

/* -- Many deadlines at once ----------------------------------------------- */

static green_timer timers[MANY];
static int fired[MANY]; /* When: 1 is the first; 0: not. */
static int n_fired, is_sorted;

static void timer_fire(green_timer *t)
{
  int i = (int)(t - timers);
  is_sorted = is_sorted && !fired[i] && (!i || fired[i - 1]);
  fired[i] = ++n_fired;
}

/* All due now, in the order of their numbers; equal is by twos. */
static void timers_set(green_hub *hub)
{
  int64_t now = green_hub_now(hub);
  memset(timers, 0, sizeof(timers));
  memset(fired, 0, sizeof(fired));
  n_fired = 0;
  is_sorted = 1;
  for (int i = 0; i < MANY; i++) {
    timers[i].fire = timer_fire;
    green_hub_timer_set(hub, &timers[i], now + i / 2);
  }
  green_hub_advance(hub, MANY);
}

static void test_a_thousand_a_turn(void)
{
  green_hub *hub = hub_open_virtual();
  timers_set(hub);
  is(stats_of(hub).timers, MANY, "five thousand are pending");
  for (int i = 1; i <= 4; i++) {
    is(green_hub_turn(hub, 1), 1, "a turn");
    is(n_fired, MOST * i, "fires so many and no more");
    is(stats_of(hub).timers, MANY - MOST * i, "the others are pending still");
  }
  turns(hub, 1);
  is(n_fired, MANY, "the last one fires the rest");
  ok(is_sorted, "each once, in order");
  is(stats_of(hub).timers, 0, "nothing is pending");
  is(green_hub_turn(hub, 1), 0, "nor left");
  green_hub_free(hub);
}

static void test_io_between_deadlines(void)
{
  green_hub *hub = hub_open_virtual();
  green_fd in;
  actor reader;
  int s[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  green_fd_open(&in, hub, s[0]);
  actor_start(&reader, hub, 0, step_read);
  reader.fd = &in;
  turns(hub, 1);
  timers_set(hub);
  turns(hub, 1);
  is(n_fired, MOST, "in the middle of many deadlines");
  if (write(s[1], "x", 1) != 1) abort();
  turns(hub, 2);
  is(reader.task.state, GREEN_TASK_DEAD, "a descriptor has its turn");
  is(reader.task.status, 0, "and its event");
  ok(n_fired < MANY, "before all are through");
  turns(hub, 3);
  is(n_fired, MANY, "which they are later");
  green_fd_close(&in);
  close(s[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* On the system's clock, with a turn that may wait. */
static void test_the_rest_is_not_waited_for(void)
{
  green_hub *hub = hub_open(NULL);
  timers_set(hub);
  actor far;
  actor_start(&far, hub, 0, step_park);
  far.deadline = green_hub_now(hub) + 1000 * GREEN_SECOND;
  usleep(100);
  int64_t start = green_hub_now(hub);
  for (int i = 0; i < 5; i++) green_hub_turn(hub, 1);
  is(n_fired, MANY, "turns that may wait fire one another's rest");
  ok(is_sorted, "in order");
  ok(green_hub_now(hub) - start < 20 * GREEN_SECOND, "at once");
  green_hub_abandon(hub);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_removed_ones_never_fire(void)
{
  green_hub *hub = hub_open_virtual();
  int wrong = 0;
  timers_set(hub);
  turns(hub, 1);
  for (int i = MOST; i < MANY; i += 2) green_hub_timer_stop(hub, &timers[i]);
  int left = (MANY - MOST) / 2;
  is(stats_of(hub).timers, left, "removed ones are not pending");
  for (int i = MOST; i < MANY; i += 2) green_hub_timer_stop(hub, &timers[i]);
  is(stats_of(hub).timers, left, "twice is once");
  turns(hub, 4);
  for (int i = MOST; i < MANY; i++) wrong += !fired[i] != !((i - MOST) & 1);
  is(wrong, 0, "nor do they fire; the others do");
  is(n_fired, MOST + left, "each once");
  is(stats_of(hub).timers, 0, "nothing is pending");
  green_hub_free(hub);
}

static void test_all_of_the_rest_removed(void)
{
  green_hub *hub = hub_open_virtual();
  timers_set(hub);
  turns(hub, 1);
  for (int i = MOST; i < MANY; i++) green_hub_timer_stop(hub, &timers[i]);
  is(stats_of(hub).timers, 0, "nothing is pending");
  is(green_hub_turn(hub, 1), 0, "and nothing can happen any more");
  is(n_fired, MOST, "nor does it");
  is(green_hub_set_virtual(hub, 0), 0, "the clock may be changed");
  green_hub_free(hub);
}

/* Those that are moved, and those that come, stand behind the present row. */
static void test_moved_and_added_meanwhile(void)
{
  green_hub *hub = hub_open_virtual();
  timers_set(hub);
  turns(hub, 1);
  is(green_hub_set_virtual(hub, 0), GREEN_EBUSY, "in the middle of a row");
  int64_t now = green_hub_now(hub);
  green_hub_timer_set(hub, &timers[MANY - 1], now + MS);
  green_hub_timer_set(hub, &timers[0], now - MS);
  fired[0] = 0;
  is(stats_of(hub).timers, MANY - MOST + 1, "one moved, one came");
  turns(hub, 4);
  is(n_fired, MANY - 1, "the row but for the moved one");
  turns(hub, 1);
  is(fired[0], MANY, "what came meanwhile was last, however early");
  ok(!fired[MANY - 1], "the moved one is not due");
  green_hub_advance(hub, MS);
  turns(hub, 1);
  is(fired[MANY - 1], MANY + 1, "until it is");
  green_hub_free(hub);
}

static actor sleepers[MANY];

static void test_tasks_by_the_thousand(void)
{
  green_hub *hub = hub_open_virtual();
  int late = 0, again = 0;
  for (int i = 0; i < MANY; i++) {
    actor_start(&sleepers[i], hub, 0, step_park);
    sleepers[i].deadline = green_hub_now(hub) + MS;
  }
  turns(hub, 1);
  green_hub_advance(hub, MS);
  turns(hub, 1);
  for (int i = 0; i < MANY; i++) late += sleepers[i].task.status != 0;
  is(late, MOST, "so many are late in this turn");
  is(green_task_wake(&sleepers[MANY - 1].task, 7), 1, "others may be woken");
  green_task_end(&sleepers[MANY - 2].task);
  run_out(hub);
  is(sleepers[MANY - 1].task.status, 7, "and are not late then");
  is(sleepers[MANY - 2].runs, 1, "or end before it");
  for (int i = 0; i < MANY - 2; i++) {
    late += sleepers[i].task.status == GREEN_ETIMEDOUT;
    again += sleepers[i].runs != 2;
  }
  is(late - MOST, MANY - 2, "all the others are");
  is(again, 0, "each once");
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_freed_in_the_middle(void)
{
  green_hub *hub = hub_open_virtual();
  timers_set(hub);
  turns(hub, 1);
  green_hub_free(hub);
  is(n_fired, MOST, "a hub may end in the middle of a row");
}

/* -- Several runs --------------------------------------------------------- */

static int done_flag;

static void step_spin_and_cut(actor *a)
{
  done_flag = 1;
  green_task_yield(&a->task);
}

/* Each run is cut by a task that is ready again at once. */
static void test_runs_that_are_cut_poll(const char *backend)
{
  green_hub *hub = hub_open(backend);
  green_fd in;
  actor spin, sleeper, reader;
  int s[2], runs = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  green_fd_open(&in, hub, s[0]);
  actor_start(&sleeper, hub, 0, step_park);
  sleeper.deadline = green_hub_now(hub) + MS;
  actor_start(&reader, hub, 0, step_read);
  reader.fd = &in;
  if (write(s[1], "x", 1) != 1) abort();
  actor_start(&spin, hub, 0, step_spin_and_cut);
  while (runs < 100000 && (sleeper.task.state != GREEN_TASK_DEAD ||
                           reader.task.state != GREEN_TASK_DEAD)) {
    done_flag = 0;
    if (green_hub_run(hub, &done_flag) < 0) break;
    runs++;
    if (runs > 10) usleep(100);
  }
  is(sleeper.task.status, GREEN_ETIMEDOUT,
     "a deadline fires although each run is cut");
  is(reader.task.state, GREEN_TASK_DEAD, "and a descriptor has its event");
  ok(spin.runs >= 2, "by a task that is always ready");
  green_task_end(&spin.task);
  green_fd_close(&in);
  close(s[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* Two runs are enough: the second begins with a poll. */
static void test_two_runs(void)
{
  green_hub *hub = hub_open_virtual();
  actor spin, sleeper;
  actor_start(&sleeper, hub, 0, step_park);
  sleeper.deadline = green_hub_now(hub) + MS;
  actor_start(&spin, hub, 0, step_spin_and_cut);
  done_flag = 0;
  green_hub_run(hub, &done_flag);
  green_hub_advance(hub, MS);
  is(sleeper.runs, 1, "one is due when a run has been cut");
  done_flag = 0;
  green_hub_run(hub, &done_flag);
  done_flag = 0;
  green_hub_run(hub, &done_flag);
  is(sleeper.task.status, GREEN_ETIMEDOUT, "the next runs find it");
  green_task_end(&spin.task);
  green_hub_free(hub);
}

static void test_done_before_the_run(void)
{
  green_hub *hub = hub_open(NULL);
  actor a;
  done_flag = 1;
  actor_start(&a, hub, 0, step_end);
  is(green_hub_run(hub, &done_flag), 0, "done already");
  is(a.runs, 0, "nothing runs");
  green_task_end(&a.task);
  green_hub_free(hub);
}

static void step_busy(actor *a)
{
  a->value = green_hub_is_busy(a->task.hub);
}

static void test_busy(void)
{
  green_hub *hub = hub_open(NULL);
  actor a;
  is(green_hub_is_busy(hub), 0, "a hub that nobody runs is free");
  actor_start(&a, hub, 0, step_busy);
  turns(hub, 1);
  is(a.value, 1, "inside a turn it is busy");
  actor_start(&a, hub, 0, step_busy);
  done_flag = 0;
  green_hub_run(hub, &done_flag);
  is(a.value, 1, "inside a run too");
  is(green_hub_is_busy(hub), 0, "and free after it");
  green_hub_free(hub);
}

/* -- Whether a turn is needed --------------------------------------------- */

static void step_ask(actor *a)
{
  a->value = green_hub_is_quiet(a->task.hub);
}

static void step_ask_late(actor *a)
{
  nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
  step_ask(a);
}

static void step_defer_and_ask(actor *a)
{
  green_hub_defer(a->task.hub, (green_defer *)a->q);
  step_ask(a);
}

static void step_post_and_ask(actor *a)
{
  green_hub_post(a->task.hub, (green_post *)a->q);
  step_ask(a);
}

static void step_wake_and_ask(actor *a)
{
  green_task_wake(&a->other->task, 0);
  step_ask(a);
}

/* What a task is told that runs right behind a poll. */
static int ask(green_hub *hub, actor_fn *step, void *with)
{
  actor a;
  green_hub_turn(hub, 0);
  actor_start(&a, hub, 0, step);
  a.q = with;
  a.other = with;
  green_hub_turn(hub, 0);
  return (int)a.value;
}

static void run_defer(green_defer *d)
{
  (void)d;
}

static void run_post(green_post *p)
{
  (void)p;
}

/* The tenth of a millisecond may pass before the question. */
static int is_ever_quiet(green_hub *hub)
{
  for (int i = 0; i < 1000; i++)
    if (ask(hub, step_ask, NULL)) return 1;
  return 0;
}

static void test_quiet(void)
{
  green_hub *hub = hub_open(NULL);
  green_defer d = {.run = run_defer};
  green_post p = {.run = run_post};
  green_timer t = {.fire = timer_fire};
  actor waiter;
  ok(is_ever_quiet(hub), "nobody has anything to do");
  is(ask(hub, step_ask_late, NULL), 0, "the last poll was long ago");
  is(ask(hub, step_defer_and_ask, &d), 0, "something was deferred");
  is(ask(hub, step_post_and_ask, &p), 0, "something was posted");
  actor_start(&waiter, hub, 0, step_park);
  is(ask(hub, step_wake_and_ask, &waiter), 0, "somebody is ready");
  green_hub_timer_set(hub, &t, green_hub_now(hub) + 60 * GREEN_SECOND);
  ok(is_ever_quiet(hub), "a deadline is far");
  green_hub_timer_stop(hub, &t);
  turns(hub, 2);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void step_ask_when_due(actor *a)
{
  green_timer *t = (green_timer *)a->q;
  green_hub_timer_set(a->task.hub, t, green_hub_now(a->task.hub));
  step_ask(a);
}

static void test_not_quiet(void)
{
  green_hub *hub = hub_open(NULL);
  actor a, b;
  actor_start(&a, hub, 0, step_ask);
  actor_start(&b, hub, 0, step_end);
  turns(hub, 1);
  is(a.value, 0, "another has its turn behind it");
  memset(timers, 0, sizeof(timers));
  memset(fired, 0, sizeof(fired));
  timers[0].fire = timer_fire;
  is(ask(hub, step_ask_when_due, timers), 0, "a deadline is due");
  is(fired[0] != 0, 1, "it fires");
  green_hub_free(hub);
  hub = hub_open_virtual();
  is(ask(hub, step_ask, NULL), 0, "the clock is virtual");
  green_hub_free(hub);
}

int main(void)
{
  t_start();
  test_a_thousand_a_turn();
  test_io_between_deadlines();
  test_the_rest_is_not_waited_for();
  test_removed_ones_never_fire();
  test_all_of_the_rest_removed();
  test_moved_and_added_meanwhile();
  test_tasks_by_the_thousand();
  test_freed_in_the_middle();
  test_runs_that_are_cut_poll("epoll");
  test_runs_that_are_cut_poll("poll");
  test_runs_that_are_cut_poll("select");
  test_two_runs();
  test_done_before_the_run();
  test_busy();
  test_quiet();
  test_not_quiet();
  return t_done();
}
