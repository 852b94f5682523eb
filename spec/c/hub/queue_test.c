/*
** queue_test.c: how many stand in a wait queue, and a queue that ends
** before those who stand in it.
*/

#include "actor.h"

#define MS (GREEN_SECOND / 1000)

enum { N = 5 };

typedef struct line {
  green_hub *hub;
  green_waitq q;
  actor a[N];
} line;

/* All stand in the queue, on a clock that moves by hand. */
static void line_open(line *l, int64_t patience)
{
  memset(l, 0, sizeof(*l));
  l->hub = hub_open_virtual();
  green_waitq_init(&l->q);
  for (int i = 0; i < N; i++) {
    actor_start(&l->a[i], l->hub, (char)('a' + i), step_park);
    l->a[i].q = &l->q;
    if (patience) l->a[i].deadline = green_hub_now(l->hub) + patience * (i + 1);
  }
  turns(l->hub, 1);
  trace_clear();
}

static void line_close(line *l)
{
  green_hub_abandon(l->hub);
  ok(is_clean(l->hub), "nothing is left");
  green_hub_free(l->hub);
}

static void pass(line *l, int64_t ns)
{
  green_hub_advance(l->hub, ns);
  turns(l->hub, 1);
}

static void test_counts_through_wakes(void)
{
  line l;
  line_open(&l, 0);
  is(l.q.n, N, "five stand in it");
  green_waitq_wake(&l.q, 0);
  is(l.q.n, 4, "one less after a wake");
  green_waitq_wake_last(&l.q, 0);
  is(l.q.n, 3, "and after one of the last");
  green_task_wake(&l.a[2].task, 0);
  is(l.q.n, 2, "one of the middle");
  green_task_wake(&l.a[2].task, 0);
  is(l.q.n, 2, "counts once");
  green_task_wake_first(&l.a[1].task, 0);
  is(l.q.n, 1, "one that is hurried");
  is(green_waitq_wake_all(&l.q, 0), 1, "the last");
  is(l.q.n, 0, "none is left");
  green_waitq_wake(&l.q, 0);
  green_waitq_wake_last(&l.q, 0);
  is(l.q.n, 0, "nor woken");
  line_close(&l);
}

static void test_counts_through_deadlines(void)
{
  line l;
  line_open(&l, MS);
  pass(&l, MS);
  is(l.q.n, 4, "one is late");
  pass(&l, 2 * MS);
  is(l.q.n, 2, "two more");
  green_waitq_wake_all(&l.q, 0);
  is(l.q.n, 0, "the others are woken");
  is(stats_of(l.hub).timers, 0, "and not late any more");
  line_close(&l);
}

static void test_counts_through_ends(void)
{
  line l;
  line_open(&l, 0);
  green_task_end(&l.a[1].task);
  is(l.q.n, 4, "the dead do not count");
  green_task_kill(&l.a[3].task);
  is(l.q.n, 3, "nor do the killed");
  turns(l.hub, 1);
  is(l.a[3].task.status, GREEN_ECANCELED, "who run once more");
  is(l.q.n, 3, "and leave once");
  green_hub_abandon(l.hub);
  is(l.q.n, 0, "nor the abandoned");
  line_close(&l);
}

static void step_park_twice(actor *a)
{
  if (a->runs < 3) green_task_park(&a->task, a->q, a->deadline);
}

static void test_counts_who_comes_back(void)
{
  line l;
  line_open(&l, 0);
  actor again;
  actor_start(&again, l.hub, 'x', step_park_twice);
  again.q = &l.q;
  turns(l.hub, 1);
  is(l.q.n, N + 1, "one more");
  green_waitq_wake_last(&l.q, 0);
  turns(l.hub, 1);
  is(l.q.n, N + 1, "who comes back counts again");
  ok(l.q.tasks.prev == &again.task.link, "and stands at the end");
  line_close(&l);
}

static void test_joiners_are_counted(void)
{
  line l;
  line_open(&l, 0);
  actor target;
  actor_init(&target, l.hub, 't', step_end);
  actor j[2];
  for (int i = 0; i < 2; i++) {
    actor_start(&j[i], l.hub, 'j', step_park);
    j[i].q = &target.task.joiners;
  }
  turns(l.hub, 1);
  is(target.task.joiners.n, 2, "two wait for an end");
  green_task_end(&target.task);
  is(target.task.joiners.n, 0, "they are told");
  line_close(&l);
}

/* -- Forgetting ----------------------------------------------------------- */

static void test_forget(void)
{
  line l;
  line_open(&l, MS);
  green_waitq_forget(&l.q);
  is(l.q.n, 0, "a forgotten queue is empty");
  ok(!green_waitq_first(&l.q), "to everybody");
  is(green_waitq_wake_all(&l.q, 0), 0, "and wakes nobody");
  is(stats_of(l.hub).timers, N, "who stood there has a deadline still");
  turns(l.hub, 2);
  is_str(trace, "", "and runs no sooner");
  memset(&l.q, 0xff, sizeof(l.q)); /* Nobody looks there again. */
  pass(&l, 2 * MS);
  is(l.a[0].task.status, GREEN_ETIMEDOUT, "the deadline");
  turns(l.hub, 1);
  is_str(trace, "ab", "wakes each in its time");
  is(green_task_wake(&l.a[3].task, 7), 1, "a wake finds them parked");
  green_task_kill(&l.a[2].task);
  green_task_end(&l.a[4].task);
  turns(l.hub, 1);
  is(l.a[3].task.status, 7, "and decides");
  is(l.a[2].task.status, GREEN_ECANCELED, "so does a kill");
  is_str(trace, "abdc", "the ended one does not run");
  line_close(&l);
}

static void test_forget_for_ever(void)
{
  line l;
  line_open(&l, 0);
  green_waitq_forget(&l.q);
  green_waitq_forget(&l.q);
  is(green_hub_turn(l.hub, 1), 0, "without a deadline they wait for ever");
  is(l.a[0].task.state, GREEN_TASK_PARKED, "parked");
  line_close(&l);
}

static void test_forget_in_the_middle_of_wakes(void)
{
  line l;
  line_open(&l, 0);
  green_waitq_wake(&l.q, 3);
  green_waitq_forget(&l.q);
  turns(l.hub, 1);
  is_str(trace, "a", "who was woken before runs");
  is(l.a[0].task.status, 3, "as it was told");
  line_close(&l);
}

int main(void)
{
  t_start();
  test_counts_through_wakes();
  test_counts_through_deadlines();
  test_counts_through_ends();
  test_counts_who_comes_back();
  test_joiners_are_counted();
  test_forget();
  test_forget_for_ever();
  test_forget_in_the_middle_of_wakes();
  return t_done();
}
