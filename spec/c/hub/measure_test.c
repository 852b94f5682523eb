/*
** measure_test.c: how long turns take, and what is counted of tasks.
*/

#include "actor.h"
#include "hub/idle.h"

#include <sys/socket.h>

#define MS (GREEN_SECOND / 1000)

/* Keep the loop waiting for 20 ms, then end. */
static void step_hog(actor *a)
{
  int64_t until = green_clock_now() + 20 * MS;
  (void)a;
  while (green_clock_now() < until) continue;
}

static void run_hog(green_hub *hub)
{
  actor hog;
  actor_start(&hog, hub, 0, step_hog);
  turns(hub, 2);
}

static void test_turns(void)
{
  green_hub *hub = hub_open(NULL);
  const green_histogram *h = green_hub_turn_times(hub);
  run_hog(hub);
  is(green_histogram_count(h), 0, "nobody asks, nothing is measured");
  green_hub_measure(hub, 1);
  is(green_hub_measures(hub), 1, "somebody asks");
  green_hub_measure(hub, 1);
  run_hog(hub);
  ok(green_hub_turn_times(hub)->most < 20 * MS, "not of the present turn");
  run_hog(hub);
  ok(green_histogram_count(h) > 0, "turns are measured");
  ok(h->most >= 20 * MS, "the one that was kept waiting");
  uint64_t count = green_histogram_count(h);
  green_hub_measure(hub, 0);
  run_hog(hub);
  is(green_histogram_count(h), count, "not any more");
  green_hub_free(hub);
}

/* The poll is no part of a turn. */
static void test_sleep(void)
{
  green_hub *hub = hub_open(NULL);
  actor sleeper;
  green_hub_measure(hub, 1);
  turns(hub, 1); /* What went before. */
  uint64_t sum = green_hub_turn_times(hub)->sum;
  int64_t began = green_clock_now();
  actor_start(&sleeper, hub, 0, step_park);
  sleeper.deadline = began + 50 * MS;
  run_out(hub);
  uint64_t slept = (uint64_t)(green_clock_now() - began);
  ok(slept >= 50 * MS, "it slept for 50 ms");
  ok(green_hub_turn_times(hub)->sum - sum <= slept - 50 * MS + MS,
     "which no turn has taken");
  green_hub_free(hub);
}

static void test_virtual(void)
{
  green_hub *hub = hub_open_virtual();
  green_hub_measure(hub, 1);
  run_hog(hub);
  is(green_histogram_count(green_hub_turn_times(hub)), 0,
     "time that stands still is not measured");
  green_hub_free(hub);
}

static void step_hurry(actor *a)
{
  if (a->runs > 1) return;
  green_task_hurry(&a->other->task);
  green_task_yield_first(&a->task);
}

/* How many are ready is known without a look at them. */
static void test_counts(void)
{
  green_hub *hub = hub_open_virtual();
  actor a, b, c, parked;
  actor_start(&a, hub, 0, step_hurry);
  actor_start(&b, hub, 0, step_end);
  actor_start(&parked, hub, 0, step_park);
  actor_init(&c, hub, 0, step_end);
  a.other = &b;
  is(stats_of(hub).made, 4, "four were made");
  is(stats_of(hub).ready, 3, "three of them are ready");
  turns(hub, 1);
  is(stats_of(hub).ready, 0, "they have run");
  is(stats_of(hub).made - stats_of(hub).live, 2, "two have ended");
  green_task_start(&c.task);
  green_task_end(&c.task);
  is(stats_of(hub).ready, 0, "one that ends unrun is ready no more");
  green_task_wake(&parked.task, 0);
  is(stats_of(hub).ready, 1, "one that is woken is");
  turns(hub, 1);
  is(stats_of(hub).live, 0, "all have ended");
  green_hub_check(hub);
  green_hub_free(hub);
}

static void test_idle(void)
{
  green_hub *hub = hub_open_virtual();
  green_idle set;
  green_fd f;
  int s[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  green_idle_init(&set, hub, GREEN_NEVER);
  green_fd_open(&f, hub, s[0]);
  green_idle_add(&set, &f);
  is(stats_of(hub).waits, 1, "one waits for a descriptor");
  is(stats_of(hub).idle, 1, "and is no task");
  green_idle_remove(&f);
  is(stats_of(hub).idle, 0, "nor is there any more");
  green_fd_close(&f);
  close(s[1]);
  green_idle_deinit(&set);
  green_hub_free(hub);
}

int main(void)
{
  t_start();
  test_turns();
  test_sleep();
  test_virtual();
  test_counts();
  test_idle();
  return t_done();
}
