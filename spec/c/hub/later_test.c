/*
** later_test.c: what is done when there is time for it.
*/

#include "actor.h"
#include "hub/later.h"

#define MS (GREEN_SECOND / 1000)

typedef struct chore {
  green_later later;
  green_hub *hub;
  int done;
  int again; /* It comes back so many times. */
} chore;

static void chore_run(green_later *l)
{
  chore *c = green_container(l, chore, later);
  c->done++;
  if (c->again-- > 0) green_hub_later(c->hub, l, green_hub_now(c->hub));
}

static chore chore_in(green_hub *hub)
{
  return (chore){.later = {.run = chore_run}, .hub = hub};
}

static void test_wakes_a_hub_that_sleeps(void)
{
  green_hub *hub = hub_open(NULL);
  chore c = chore_in(hub);
  green_hub_hold(hub); /* Something may still be posted: the poll waits. */
  int64_t t0 = green_hub_now(hub);
  green_hub_later(hub, &c.later, t0 + 20 * MS);
  while (!c.done) green_hub_turn(hub, 1);
  ok(green_hub_now(hub) - t0 >= 20 * MS, "it is done when it is due");
  green_hub_unhold(hub);
  green_hub_free(hub);
}

static void test_one_of_two(void)
{
  green_hub *hub = hub_open(NULL);
  chore a = chore_in(hub), b = chore_in(hub);
  green_hub_hold(hub);
  green_hub_later(hub, &a.later, green_hub_now(hub) + 3600 * GREEN_SECOND);
  green_hub_later(hub, &b.later, green_hub_now(hub) + MS);
  while (!b.done) green_hub_turn(hub, 1);
  is(a.done, 0, "the poll waits for the first of two");
  green_hub_later(hub, &a.later, green_hub_now(hub));
  green_hub_turn(hub, 0);
  is(a.done, 1, "one that is in the list is moved");
  green_hub_unhold(hub);
  green_hub_free(hub);
}

static void test_is_no_future(void)
{
  green_hub *hub = hub_open(NULL);
  chore c = chore_in(hub);
  green_hub_stats s;
  int never = 0;
  green_hub_later(hub, &c.later, green_hub_now(hub) + 3600 * GREEN_SECOND);
  green_hub_stats_get(hub, &s);
  is(s.timers, 0, "it is no deadline of the statistics");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "a deadlock is told at once");
  green_later_remove(&c.later);
  green_later_remove(&c.later);
  is(c.done, 0, "and it was not done");
  green_hub_free(hub);
}

static void test_virtual_clock(void)
{
  static actor a;
  green_hub *hub = hub_open_virtual();
  chore c = chore_in(hub);
  int64_t t0 = green_hub_now(hub);
  green_hub_later(hub, &c.later, t0 + MS);
  actor_start(&a, hub, 0, step_park);
  a.deadline = t0 + 5 * MS;
  green_hub_turn(hub, 1);
  is(green_hub_now(hub) - t0, 5 * MS, "a virtual clock does not jump to it");
  is(c.done, 1, "but it is done when the clock has passed it");
  run_out(hub);
  green_hub_free(hub);
}

static void test_again(void)
{
  green_hub *hub = hub_open(NULL);
  chore c = chore_in(hub);
  c.again = 1;
  green_hub_hold(hub);
  green_hub_later(hub, &c.later, 0);
  green_hub_turn(hub, 0);
  is(c.done, 1, "what comes back while it runs waits");
  green_hub_turn(hub, 0);
  is(c.done, 2, "for the next turn");
  green_hub_unhold(hub);
  green_hub_free(hub);
}

int main(void)
{
  test_wakes_a_hub_that_sleeps();
  test_one_of_two();
  test_is_no_future();
  test_virtual_clock();
  test_again();
  return t_done();
}
