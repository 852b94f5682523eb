/*
** scope_test.c: what is pending in a task, what is raised, and how often.
*/

#include "actor.h"
#include "base/mem.h"

#define MS (GREEN_SECOND / 1000)

/* A parked task in a hub of its own. */
typedef struct stage {
  green_hub *hub;
  actor a;
} stage;

/* Parks again and again, noting how each wait ended. */
static void step_park_on(actor *a)
{
  if (a->runs > 1) trace_add(a->task.status == GREEN_ECANCELED ? 'C' : 'w');
  green_task_park(&a->task, NULL, GREEN_NEVER);
}

static void stage_open(stage *s)
{
  s->hub = hub_open_virtual();
  actor_start(&s->a, s->hub, 0, step_park_on);
  turns(s->hub, 1);
  trace_clear();
}

static void stage_close(stage *s)
{
  green_task_end(&s->a.task);
  ok(is_clean(s->hub), "nothing is left");
  green_hub_free(s->hub);
}

static green_scope *push(stage *s, int kind)
{
  return green_scope_push(&s->a.task, kind, GREEN_NEVER);
}

static void raises(stage *s, int kind, const green_scope *scope,
                   const char *why)
{
  green_task *t = &s->a.task;
  ok(green_task_raise(t) == kind && t->pending == scope, why);
}

/* -- What is raised ------------------------------------------------------- */

static void test_deadline(void)
{
  stage s;
  stage_open(&s);
  int64_t now = green_hub_now(s.hub);
  green_scope *k =
      green_scope_push(&s.a.task, GREEN_SCOPE_TIMEOUT, now + GREEN_SECOND);
  raises(&s, GREEN_RAISE_NONE, NULL, "nothing before the deadline");
  is(stats_of(s.hub).timers, 1, "which is a timer");
  green_hub_turn(s.hub, 1);
  is(green_hub_now(s.hub) - now, GREEN_SECOND, "time passes");
  ok(k->fired && s.a.task.cancel_pending, "the scope fires");
  turns(s.hub, 1);
  is_str(trace, "C", "the wait ends with ECANCELED");
  raises(&s, GREEN_RAISE_SCOPE, k, "the scope is to be raised");
  raises(&s, GREEN_RAISE_SCOPE, k, "and again");
  green_scope_pop(k);
  raises(&s, GREEN_RAISE_NONE, NULL, "until it is popped");
  ok(!s.a.task.cancel_pending, "then nothing is pending");
  stage_close(&s);
}

static void test_outermost_first(void)
{
  stage s;
  stage_open(&s);
  green_scope *outer = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope *middle = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope *inner = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(inner);
  raises(&s, GREEN_RAISE_SCOPE, inner, "the inner scope");
  green_scope_fire(outer);
  raises(&s, GREEN_RAISE_SCOPE, outer, "the outer one when it has fired too");
  green_scope_fire(middle);
  raises(&s, GREEN_RAISE_SCOPE, outer, "whatever fires inside of it");
  green_task_kill(&s.a.task);
  raises(&s, GREEN_RAISE_KILL, NULL, "a kill before all");
  stage_close(&s);
}

/* A group's: it has no deadline. */
static void test_cancel_by_hand(void)
{
  stage s;
  stage_open(&s);
  green_scope *k = push(&s, GREEN_SCOPE_CANCEL);
  is(stats_of(s.hub).timers, 0, "no deadline");
  green_scope_fire(k);
  turns(s.hub, 1);
  is_str(trace, "C", "the wait is ended");
  raises(&s, GREEN_RAISE_SCOPE, k, "by it");
  green_scope *shield = push(&s, GREEN_SCOPE_SHIELD);
  raises(&s, GREEN_RAISE_NONE, NULL, "a shield masks it");
  green_scope_pop(shield);
  green_scope_pop(k);
  stage_close(&s);
}

static void test_popped_in_any_order(void)
{
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int i = 0; i < 6; i++) {
    stage s;
    green_scope *k[3];
    int live[3] = {1, 1, 1}, good = 1;
    stage_open(&s);
    for (int n = 0; n < 3; n++) k[n] = push(&s, GREEN_SCOPE_TIMEOUT);
    for (int n = 0; n < 3; n++) green_scope_fire(k[n]);
    for (int n = 0; n < 3; n++) {
      green_scope_pop(k[orders[i][n]]);
      live[orders[i][n]] = 0;
      green_scope *want = NULL;
      for (int m = 2; m >= 0; m--) want = live[m] ? k[m] : want;
      if (s.a.task.pending != want) good = 0;
    }
    ok(good && !s.a.task.cancel_pending, "scopes end in any order");
    stage_close(&s);
  }
}

static void test_one_of_two_fires(void)
{
  stage s;
  stage_open(&s);
  green_scope *outer = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope *inner = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(inner);
  green_scope_pop(inner);
  ok(!outer->fired && !s.a.task.cancel_pending, "the outer stays as it was");
  inner = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(outer);
  ok(!inner->fired, "and the reverse");
  green_scope_pop(inner);
  raises(&s, GREEN_RAISE_SCOPE, outer, "what is pending outlives the inner");
  green_scope_fire(outer);
  raises(&s, GREEN_RAISE_SCOPE, outer, "firing twice is firing once");
  stage_close(&s);
}

/* -- Shields -------------------------------------------------------------- */

static void test_shield(void)
{
  stage s;
  stage_open(&s);
  green_scope *outer = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope *shield = push(&s, GREEN_SCOPE_SHIELD);
  green_scope_fire(outer);
  is(green_task_kill(&s.a.task), 1, "a kill inside a shield is taken");
  ok(!s.a.task.cancel_pending, "but waits, as an outer scope does");
  turns(s.hub, 1);
  is_str(trace, "", "the wait goes on");
  green_scope *inner = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(inner);
  raises(&s, GREEN_RAISE_SCOPE, inner, "what is inside of the shield counts");
  green_scope_fire(shield);
  raises(&s, GREEN_RAISE_SCOPE, shield, "its own time too");
  green_scope_pop(inner);
  green_scope_pop(shield);
  raises(&s, GREEN_RAISE_KILL, NULL, "after it the kill is due");
  stage_close(&s);
}

static void test_shield_ended_by_another(void)
{
  stage s;
  stage_open(&s);
  green_scope *shield = push(&s, GREEN_SCOPE_SHIELD);
  green_task_kill(&s.a.task);
  turns(s.hub, 1);
  is_str(trace, "", "shielded");
  green_scope_pop(shield);
  turns(s.hub, 1);
  is_str(trace, "C", "a wait ends when its shield is taken away");
  stage_close(&s);
}

static void test_shield_after_the_kill(void)
{
  stage s;
  stage_open(&s);
  green_task_kill(&s.a.task);
  green_scope *shield = push(&s, GREEN_SCOPE_SHIELD);
  ok(!s.a.task.cancel_pending, "a shield masks what came before it");
  green_scope *second = push(&s, GREEN_SCOPE_SHIELD);
  green_scope_pop(shield);
  ok(!s.a.task.cancel_pending, "one of two is enough");
  green_scope_pop(second);
  ok(s.a.task.cancel_pending, "none is not");
  stage_close(&s);
}

/* -- Kill and throw ------------------------------------------------------- */

static void test_kill(void)
{
  stage s;
  actor fresh;
  stage_open(&s);
  is(green_task_kill(&s.a.task), 1, "killed");
  is(green_task_kill(&s.a.task), 0, "once");
  turns(s.hub, 2);
  is_str(trace, "C", "its wait ends with ECANCELED");
  green_task_end(&s.a.task);
  is(green_task_kill(&s.a.task), 0, "the dead are not killed");
  is(green_task_throw(&s.a.task), 0, "nor thrown at");
  actor_init(&fresh, s.hub, 0, step_end);
  is(green_task_kill(&fresh.task), 1, "one that has not started is");
  ok(fresh.task.state == GREEN_TASK_NEW, "and is left to its owner");
  green_task_end(&fresh.task);
  stage_close(&s);
}

static void test_throw_once(void)
{
  stage s;
  stage_open(&s);
  push(&s, GREEN_SCOPE_SHIELD);
  is(green_task_throw(&s.a.task), 1, "thrown at, masked by nothing");
  turns(s.hub, 1);
  is_str(trace, "C", "its wait ends");
  is(green_task_raise(&s.a.task), GREEN_RAISE_THROW, "the throw is raised");
  raises(&s, GREEN_RAISE_NONE, NULL, "once");
  green_task_throw(&s.a.task);
  green_scope *inner = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(inner);
  is(green_task_raise(&s.a.task), GREEN_RAISE_THROW, "before all others");
  raises(&s, GREEN_RAISE_SCOPE, inner, "which come after it");
  stage_close(&s);
}

static void test_first_decided_wins(void)
{
  stage s;
  stage_open(&s);
  green_task_wake(&s.a.task, 0);
  green_task_kill(&s.a.task);
  turns(s.hub, 1);
  is_str(trace, "w", "a wait that was decided keeps its result");
  ok(s.a.task.cancel_pending, "the kill is due at the next checkpoint");
  stage_close(&s);
}

static void step_park_uncancelled(actor *a)
{
  if (a->runs > 1) return;
  green_task_park(&a->task, NULL, green_hub_now(a->task.hub) + MS);
  a->task.no_cancel = 1;
}

static void test_a_wait_that_may_not_be_cancelled(void)
{
  green_hub *hub = hub_open_virtual();
  actor a;
  actor_start(&a, hub, 0, step_park_uncancelled);
  turns(hub, 1);
  green_task_kill(&a.task);
  green_task_throw(&a.task);
  is(a.task.state, GREEN_TASK_PARKED, "it goes on");
  run_out(hub);
  is(a.task.status, GREEN_ETIMEDOUT, "to its deadline");
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* -- How often ------------------------------------------------------------ */

/* Ask as a running task does that swallows each raise. */
static int64_t ask(green_task *t)
{
  int64_t at = green_task_raise_at(t);
  green_task_raise(t);
  return at;
}

static void test_raises_slow_down(void)
{
  stage s;
  stage_open(&s);
  green_task *t = &s.a.task;
  green_task_wake(t, 0); /* Not parked: as if it ran. */
  green_task_kill(t);
  is(ask(t), 0, "the first raise is at once");
  int trips = 0;
  while (trips < 1000 && ask(t) == -1) trips++;
  is(trips, GREEN_RAISE_LIMIT - 1, "further ones after a trip each");
  is(t->raises, GREEN_RAISE_LIMIT + 1, "a hundred of them");
  is(ask(t) - green_hub_now(s.hub), 10 * MS, "then they come 10 ms apart");
  is(ask(t) - green_hub_now(s.hub), 10 * MS, "for ever");
  green_task_throw(t);
  is(green_task_raise_at(t), 0, "a throw does not wait");
  stage_close(&s);
}

static void test_a_wait_that_was_cancelled_counts(void)
{
  stage s;
  stage_open(&s);
  green_task_kill(&s.a.task);
  turns(s.hub, 1);
  is_str(trace, "C", "the end of the wait is the first raise");
  green_task_raise(&s.a.task);
  is(ask(&s.a.task), -1, "the next one comes after a trip");
  stage_close(&s);
}

static void test_count_starts_anew(void)
{
  stage s;
  stage_open(&s);
  green_task *t = &s.a.task;
  green_task_wake(t, 0);
  green_scope *k = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(k);
  ask(t);
  is(ask(t), -1, "counted");
  green_scope_pop(k);
  k = push(&s, GREEN_SCOPE_TIMEOUT);
  green_scope_fire(k);
  is(ask(t), 0, "what was popped is forgotten");
  stage_close(&s);
}

static void test_a_shield_does_not_start_it_anew(void)
{
  stage s;
  stage_open(&s);
  green_task *t = &s.a.task;
  green_task_wake(t, 0);
  green_task_kill(t);
  ask(t);
  for (int i = 0; i < 3; i++) {
    green_scope_pop(push(&s, GREEN_SCOPE_SHIELD));
    is(ask(t), -1, "cleaning up in a shield does not let a task spin");
  }
  green_scope_pop(push(&s, GREEN_SCOPE_TIMEOUT));
  is(ask(t), -1, "nor does a scope of its own");
  stage_close(&s);
}

/* -- The pool ------------------------------------------------------------- */

static void test_ids(void)
{
  stage s;
  stage_open(&s);
  green_scope *k = push(&s, GREEN_SCOPE_TIMEOUT);
  uint64_t id = k->id;
  ok(id != 0 && id == (uint64_t)(double)id, "an id fits a double");
  ok(green_scope_find(s.hub, id) == k, "and finds its scope");
  k->data = 7;
  green_scope_pop(k);
  ok(!green_scope_find(s.hub, id), "until it is popped");
  k = push(&s, GREEN_SCOPE_TIMEOUT);
  ok(k->id != id && !green_scope_find(s.hub, id), "ids are not used again");
  is(k->data, 0, "data is 0 at push");
  ok(!green_scope_find(s.hub, UINT64_MAX) && !green_scope_find(s.hub, 0),
     "no scope for numbers that are no ids");
  stage_close(&s);
}

static void test_room(void)
{
  stage s;
  stage_open(&s);
  int room = green_scope_reserve(s.hub);
  ok(room > 0, "room for one more");
  green_scope *k = push(&s, GREEN_SCOPE_TIMEOUT);
  ok((int)green_handle_slot(k->id) < room, "its slot is below that");
  for (int i = 1; i < room; i++) push(&s, GREEN_SCOPE_TIMEOUT);
  is(green_scope_reserve(s.hub), 2 * room, "more when that is full");
  is(green_scope_reserve(s.hub), 2 * room, "and not again");
  stage_close(&s);
}

static void test_many(void)
{
  enum { N = 5000 };
  stage s;
  stage_open(&s);
  int64_t due = green_hub_now(s.hub) + GREEN_SECOND;
  green_scope *first = NULL;
  for (int i = 0; i < N; i++) {
    green_scope *k = green_scope_push(&s.a.task, GREEN_SCOPE_TIMEOUT, due);
    if (!i) first = k;
  }
  is(stats_of(s.hub).timers, N, "thousands in one task");
  green_hub_turn(s.hub, 1);
  ok(s.a.task.pending == first, "the outermost is raised");
  green_task_end(&s.a.task);
  ok(is_clean(s.hub), "they end with their task");
  ok(!first->task, "popped");
  green_hub_free(s.hub);
}

static void test_out_of_memory(void)
{
  int n = 0, nulls = 0;
  green_scope *k = NULL;
  while (!k && ++n < 100) {
    stage s;
    stage_open(&s);
    green__alloc_fail_from(n);
    k = green_scope_push(&s.a.task, GREEN_SCOPE_SHIELD,
                         green_hub_now(s.hub) + 1);
    green__alloc_fail_from(0);
    if (!k) nulls++;
    green_task_kill(&s.a.task);
    is(s.a.task.cancel_pending, !k, "a scope that failed masks nothing");
    stage_close(&s);
  }
  ok(k && nulls >= 2, "each allocation may fail");
}

int main(void)
{
  t_start();
  test_deadline();
  test_outermost_first();
  test_cancel_by_hand();
  test_popped_in_any_order();
  test_one_of_two_fires();
  test_shield();
  test_shield_ended_by_another();
  test_shield_after_the_kill();
  test_kill();
  test_throw_once();
  test_first_decided_wins();
  test_a_wait_that_may_not_be_cancelled();
  test_raises_slow_down();
  test_a_wait_that_was_cancelled_counts();
  test_count_starts_anew();
  test_a_shield_does_not_start_it_anew();
  test_ids();
  test_room();
  test_many();
  test_out_of_memory();
  return t_done();
}
