/*
** poll_test.c: a task that waits for events in place, without a park.
*/

#include "actor.h"
#include "child.h"
#include "hub/hub_priv.h"
#include "hub/idle.h"

#include <ev.h>
#include <pthread.h>
#include <sys/socket.h>

#define MS (GREEN_SECOND / 1000)

/* A run with one task that polls as often as it is told to look again. */
static int done, polls;

static void step_poll(actor *a)
{
  while (green_hub_poll(a->task.hub, 0)) polls++;
  a->value = 1;
  done = 1;
}

static int run(green_hub *hub)
{
  done = polls = 0;
  int err = green_hub_run(hub, &done);
  green_hub_check(hub);
  return err;
}

/* -- When it does not ----------------------------------------------------- */

static void is_refused(green_hub *hub, const char *why)
{
  actor a;
  actor_start(&a, hub, 0, step_poll);
  run(hub);
  is(polls, 0, why);
}

static void step_nothing(green_timer *t)
{
  (void)t;
}

static void post_run(green_post *p)
{
  p->next = NULL;
}

static green_post letter = {.run = post_run};

static void step_post_and_poll(actor *a)
{
  green_hub_post(a->task.hub, &letter);
  step_poll(a);
}

static void test_refused(void)
{
  green_hub *hub = hub_open(NULL);
  green_timer t = {.fire = step_nothing};
  actor a, b;
  is_refused(hub, "nothing can happen any more");
  green_hub_timer_set(hub, &t, green_hub_now(hub) + 60 * GREEN_SECOND);
  actor_start(&a, hub, 0, step_poll);
  done = polls = 0;
  turns(hub, 1);
  is(a.value + polls, 1, "a run of one turn");
  actor_start(&a, hub, 0, step_poll);
  actor_start(&b, hub, 0, step_end);
  run(hub);
  is(polls, 0, "another stands behind it");
  actor_start(&a, hub, 0, step_post_and_poll);
  run(hub);
  is(polls, 0, "work was posted");
  green_hub_timer_stop(hub, &t);
  turns(hub, 2);
  green_hub_set_virtual(hub, 1);
  green_hub_timer_set(hub, &t, green_hub_now(hub) + 1);
  is_refused(hub, "the clock is virtual");
  ok(is_clean(hub) || stats_of(hub).timers == 1, "nothing else is left");
  green_hub_timer_stop(hub, &t);
  green_hub_free(hub);
}

static void step_stop_and_poll(actor *a)
{
  done = 1;
  step_poll(a);
}

static void test_refused_when_the_run_is_over(void)
{
  green_hub *hub = hub_open(NULL);
  green_timer t = {.fire = step_nothing};
  actor a;
  green_hub_timer_set(hub, &t, green_hub_now(hub) + 60 * GREEN_SECOND);
  actor_start(&a, hub, 0, step_stop_and_poll);
  run(hub);
  is(polls, 0, "the run is over");
  green_hub_timer_stop(hub, &t);
  green_hub_free(hub);
}

static void test_refused_in_a_host(void)
{
  struct ev_loop *ev = ev_loop_new(EVFLAG_NOENV);
  green_hub *hub;
  actor a;
  if (green_hub_attach(&hub, ev) < 0) abort();
  green_timer t = {.fire = step_nothing};
  green_hub_timer_set(hub, &t, green_hub_now(hub) + 60 * GREEN_SECOND);
  actor_start(&a, hub, 0, step_poll);
  done = polls = 0;
  ev_run(ev, EVRUN_NOWAIT);
  is(a.value, 1, "it ran");
  is(polls, 0, "the loop is the host's");
  green_hub_timer_stop(hub, &t);
  green_hub_free(hub);
  ev_loop_destroy(ev);
}

/* -- What wakes it -------------------------------------------------------- */

typedef struct bell {
  green_timer timer;
  green_hub *hub;
  actor *wakes;
  int fired;
  int had_current;
} bell;

static void bell_fire(green_timer *t)
{
  bell *b = green_container(t, bell, timer);
  b->fired++;
  b->had_current = green_hub_current(b->hub) != NULL;
  if (b->wakes) green_task_wake(&b->wakes->task, 0);
}

static void bell_set(bell *b, green_hub *hub, int64_t in)
{
  *b = (bell){.timer.fire = bell_fire, .hub = hub};
  green_hub_timer_set(hub, &b->timer, green_hub_now(hub) + in);
}

static void test_deadlines(void)
{
  green_hub *hub = hub_open(NULL);
  bell a, b;
  actor worker;
  bell_set(&a, hub, MS);
  bell_set(&b, hub, 3 * MS);
  actor_start(&worker, hub, 0, step_poll);
  is(run(hub), 0, "it polls until nothing can happen");
  is(a.fired + b.fired, 2, "deadlines fire meanwhile");
  ok(!a.had_current, "while no task is the current one");
  ok(polls >= 1, "it looks after each");
  is(stats_of(hub).switches, 1, "without a switch");
  green_hub_free(hub);
}

static void test_others_become_ready(void)
{
  green_hub *hub = hub_open(NULL);
  bell b;
  actor waiter, worker;
  actor_start(&waiter, hub, 'w', step_park);
  actor_start(&worker, hub, 0, step_poll);
  bell_set(&b, hub, MS);
  b.wakes = &waiter;
  trace_clear();
  run(hub);
  is(polls, 1, "who is woken has its turn next");
  is_str(trace, "w", "it has not run before that");
  turns(hub, 1);
  is_str(trace, "ww", "then it does");
  green_hub_free(hub);
}

typedef struct sweep {
  green_defer defer;
  actor *wakes;
  green_fd *f;
  int runs;
} sweep;

static void sweep_run(green_defer *d)
{
  sweep *s = green_container(d, sweep, defer);
  s->runs++;
  if (s->wakes) green_task_wake(&s->wakes->task, 0);
  if (s->f) green__idle_event(s->f);
}

static void test_deferred_work(void)
{
  green_hub *hub = hub_open(NULL);
  bell b;
  actor waiter, worker;
  sweep s = {.defer.run = sweep_run, .wakes = &waiter};
  bell_set(&b, hub, 60 * GREEN_SECOND);
  actor_start(&waiter, hub, 0, step_park);
  turns(hub, 1);
  actor_start(&worker, hub, 0, step_poll);
  green_hub_defer(hub, &s.defer);
  run(hub);
  is(s.runs, 1, "is done before the poll");
  is(polls, 1, "which does not wait when that has made somebody ready");
  turns(hub, 1);
  green_hub_timer_stop(hub, &b.timer);
  green_hub_free(hub);
}

static void *post_later(void *arg)
{
  actor *waiter = arg;
  nanosleep(&(struct timespec){.tv_nsec = 2 * MS}, NULL);
  green_hub_post(waiter->task.hub, (green_post *)waiter->q);
  return NULL;
}

static actor *addressee;

static void letter_run(green_post *p)
{
  (void)p;
  green_task_wake(&addressee->task, 0);
}

static void test_posts(void)
{
  green_hub *hub = hub_open(NULL);
  pthread_t thread;
  actor waiter, worker;
  letter.run = letter_run;
  addressee = &waiter;
  actor_start(&waiter, hub, 0, step_park);
  turns(hub, 1);
  waiter.q = (green_waitq *)&letter;
  green_hub_hold(hub);
  actor_start(&worker, hub, 0, step_poll);
  pthread_create(&thread, NULL, post_later, &waiter);
  run(hub);
  pthread_join(thread, NULL);
  green_hub_unhold(hub);
  ok(polls >= 1, "a post wakes it");
  turns(hub, 1);
  is(waiter.runs, 2, "and its work is done");
  green_hub_free(hub);
}

/* -- Sets of idle descriptors --------------------------------------------- */

typedef struct den {
  green_hub *hub;
  green_idle set;
  green_fd f;
  int peer;
  actor sleeper; /* Another worker. */
} den;

static void den_open(den *d)
{
  int s[2];
  memset(d, 0, sizeof(*d));
  d->hub = hub_open(NULL);
  green_idle_init(&d->set, d->hub, GREEN_NEVER);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  if (green_fd_open(&d->f, d->hub, s[0]) < 0) abort();
  if (green_idle_add(&d->set, &d->f) < 0) abort();
  d->peer = s[1];
  actor_init(&d->sleeper, d->hub, 0, step_park);
  d->sleeper.q = &d->set.workers->tasks;
  green_task_start(&d->sleeper.task);
  turns(d->hub, 1);
}

static void den_close(den *d)
{
  green_task_end(&d->sleeper.task);
  green_idle_deinit(&d->set);
  green_fd_close(&d->f);
  close(d->peer);
  turns(d->hub, 1);
  ok(is_clean(d->hub), "nothing is left");
  green_hub_free(d->hub);
}

static void step_worker(actor *a)
{
  green_idle *s = (green_idle *)(void *)a->q;
  s->workers->polls = 1;
  while (!s->n_ready && green_hub_poll(a->task.hub, 0)) polls++;
  s->workers->polls = 0;
  a->value = s->n_ready;
  done = 1;
}

static void work(den *d, actor *a)
{
  actor_init(a, d->hub, 0, step_worker);
  a->q = (green_waitq *)(void *)&d->set;
  green_task_start(&a->task);
  run(d->hub);
}

static void test_bytes(void)
{
  den d;
  actor a;
  den_open(&d);
  if (write(d.peer, "x", 1) != 1) abort();
  work(&d, &a);
  is(polls, 1, "the poll tells of bytes");
  is(a.value, 1, "they are for the worker that polls");
  is(d.sleeper.runs, 1, "no other is woken");
  ok(!d.hub->stirred, "nothing of that is remembered");
  den_close(&d);
}

/* -- Readers --------------------------------------------------------------- */

static int armed;

static void step_read_later(actor *a)
{
  if (a->runs == 1) {
    green_fd_park(a->fd, &a->task, GREEN_READ, GREEN_NEVER);
    return;
  }
  armed = a->fd->armed & GREEN_READ;
  done = 1;
}

static void step_poll_once(actor *a)
{
  if (green_hub_poll(a->task.hub, 0)) polls++;
}

/* After the batch there is another poll, and the reader has not run yet. */
static void test_a_reader_that_was_woken(void)
{
  int s[2];
  actor a, b;
  green_fd f;
  green_hub *hub = hub_open(NULL);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  if (green_fd_open(&f, hub, s[0]) < 0) abort();
  actor_init(&a, hub, 0, step_read_later);
  a.fd = &f;
  green_task_start(&a.task);
  turns(hub, 1);
  if (write(s[1], "x", 1) != 1) abort();
  actor_start(&b, hub, 0, step_poll_once);
  run(hub);
  is(polls, 1, "a task has polled");
  ok(armed, "a reader that the poll has woken stays armed until it runs");
  green_fd_close(&f);
  close(s[1]);
  green_hub_free(hub);
}

static void test_bytes_before_the_poll(void)
{
  den d;
  actor a;
  den_open(&d);
  sweep s = {.defer.run = sweep_run, .f = &d.f};
  green_hub_defer(d.hub, &s.defer);
  work(&d, &a);
  is(a.value, 1, "what deferred work makes ready is not waited for");
  is(d.sleeper.runs, 1, "no other is woken");
  den_close(&d);
}

/* -- Cancelled, and forked ------------------------------------------------ */

static void step_poll_in_a_scope(actor *a)
{
  green_hub *hub = a->task.hub;
  green_scope *s =
      green_scope_push(&a->task, GREEN_SCOPE_TIMEOUT, green_hub_now(hub) + MS);
  a->value = 0;
  while (!a->task.cancel_pending && green_hub_poll(hub, 0)) polls++;
  a->value = a->task.cancel_pending;
  green_scope_pop(s);
  done = 1;
}

/* What a step that has the hub for itself leaves in its value; there is a
** deadline in a minute. */
static long run_alone(actor_fn *step)
{
  green_hub *hub = hub_open(NULL);
  bell b;
  actor a;
  bell_set(&b, hub, 60 * GREEN_SECOND);
  actor_start(&a, hub, 0, step);
  run(hub);
  green_hub_timer_stop(hub, &b.timer);
  green_hub_free(hub);
  return a.value;
}

static void test_cancelled(void)
{
  is(run_alone(step_poll_in_a_scope), 1, "a timeout of its own is pending");
  is(polls, 1, "and ends the wait");
}

static void poll_in_a_child(void *arg)
{
  actor *a = arg;
  must(green_hub_poll(a->task.hub, 0) == 0);
  must(green_hub_check_fork(a->task.hub) == 1);
}

static void step_fork(actor *a)
{
  a->value = in_child(poll_in_a_child, a);
  done = 1;
}

static void test_in_a_child(void)
{
  is(run_alone(step_fork), 0,
     "a child that has not looked where it is does not wait");
}

int main(void)
{
  t_start();
  test_refused();
  test_refused_when_the_run_is_over();
  test_refused_in_a_host();
  test_deadlines();
  test_others_become_ready();
  test_deferred_work();
  test_posts();
  test_bytes();
  test_bytes_before_the_poll();
  test_a_reader_that_was_woken();
  test_cancelled();
  test_in_a_child();
  return t_done();
}
