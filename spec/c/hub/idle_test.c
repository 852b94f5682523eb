/*
** idle_test.c: descriptors that wait without a task.
*/

#include "hub/fd_kit.h"
#include "hub/idle.h"

#include <fcntl.h>

#define MS (GREEN_SECOND / 1000)

enum { N = 4 };

/* A set with some pairs, on a virtual clock: real fds are waited for, so it
** moves by hand only. */
typedef struct den {
  green_hub *hub;
  green_idle set;
  green_fd f[N];
  int peer[N];
} den;

static void den_open(den *d, int64_t timeout)
{
  memset(d, 0, sizeof(*d));
  d->hub = hub_open_virtual();
  green_idle_init(&d->set, d->hub, timeout);
  for (int i = 0; i < N; i++) {
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
    if (green_fd_open(&d->f[i], d->hub, s[0]) < 0) abort();
    d->peer[i] = s[1];
  }
}

static void den_close(den *d)
{
  green_idle_deinit(&d->set);
  for (int i = 0; i < N; i++) {
    green_fd_close(&d->f[i]);
    close(d->peer[i]);
  }
  turns(d->hub, 1);
  ok(is_clean(d->hub), "nothing is left");
  green_hub_free(d->hub);
}

static void add(den *d, int i)
{
  if (green_idle_add(&d->set, &d->f[i]) < 0) abort();
}

/* Time passes; what is due is told. */
static void pass(den *d, int64_t ns)
{
  green_hub_advance(d->hub, ns);
  turns(d->hub, 1);
}

/* The index of the next ready fd, 100 more for an expired one; -1: none. */
static int next(den *d)
{
  int expired = 0;
  green_fd *f = green_idle_take(&d->set, &expired);
  return f ? (int)(f - d->f) + 100 * expired : -1;
}

/* -- Ready ---------------------------------------------------------------- */

static void test_ready(void)
{
  den d;
  den_open(&d, GREEN_NEVER);
  for (int i = 0; i < N; i++) add(&d, i);
  turns(d.hub, 1);
  is(next(&d), -1, "silence");
  is(d.set.n_waiting, N, "all wait");
  is(stats_of(d.hub).timers, 0, "without a deadline");
  is(stats_of(d.hub).waits, N, "and keep the hub from a deadlock");
  put(d.peer[2]);
  turns(d.hub, 1);
  put(d.peer[1]);
  turns(d.hub, 1);
  is(d.set.n_ready, 2, "two have bytes");
  is(next(&d), 2, "oldest first");
  is(next(&d), 1, "then the other");
  is(next(&d), -1, "that is all");
  is(d.set.n_ready, 0, "counted off");
  is(d.set.n_waiting, N, "they stay in the set");
  den_close(&d);
}

static void test_end_of_stream_is_ready(void)
{
  den d;
  den_open(&d, GREEN_NEVER);
  add(&d, 0);
  shutdown(d.peer[0], SHUT_WR);
  turns(d.hub, 1);
  is(next(&d), 0, "the end of the stream is something to read");
  den_close(&d);
}

static void test_too_few_bytes(void)
{
  den d;
  den_open(&d, 10 * MS);
  add(&d, 0);
  for (int i = 0; i < 5; i++) {
    put(d.peer[0]);
    pass(&d, MS);
    is(next(&d), 0, "each byte makes it ready");
    take(d.f[0].fd);
  }
  pass(&d, 5 * MS);
  is(next(&d), 100, "but wins it no time");
  den_close(&d);
}

/* With a burst, so many workers are woken at once, and no more. */
static void test_burst(void)
{
  den d;
  actor a[N];
  den_open(&d, GREEN_NEVER);
  d.set.workers->burst = 2;
  for (int i = 0; i < N; i++) {
    add(&d, i);
    actor_start(&a[i], d.hub, (char)('a' + i), step_park);
    a[i].q = &d.set.workers->tasks;
    a[i].deadline = GREEN_NEVER;
  }
  turns(d.hub, 1);
  for (int i = 0; i < N; i++) put(d.peer[i]);
  turns(d.hub, 2);
  int runs = 0;
  for (int i = 0; i < N; i++) runs += a[i].runs - 1;
  is(runs, 2, "two are woken for four");
  is(d.set.n_ready, N, "all are ready");
  d.set.workers->woken = 0;
  is(green_idlers_wake(d.set.workers), 1, "the owner may wake more");
  turns(d.hub, 1);
  is(a[0].runs + a[1].runs, 3, "the one that came last, of those that wait");
  is(a[1].runs, 2, "in turn");
  for (int i = 0; i < N; i++) green_task_end(&a[i].task);
  den_close(&d);
}

static void test_ready_and_not_taken(void)
{
  den d;
  den_open(&d, GREEN_NEVER);
  add(&d, 0);
  put(d.peer[0]);
  turns(d.hub, 3);
  is(d.set.n_ready, 1, "it is in the ready list once");
  ok(d.f[0].armed & GREEN_READ, "armed still: it may be taken soon");
  turns(d.hub, 30);
  is(d.set.n_ready, 1, "still once");
  ok(!(d.f[0].armed & GREEN_READ), "not polled in vain for ever");
  is(next(&d), 0, "taken with its bytes unread");
  turns(d.hub, 1);
  is(next(&d), 0, "it is ready again");
  take(d.f[0].fd);
  turns(d.hub, 1);
  is(next(&d), -1, "read, it is not");
  put(d.peer[0]);
  turns(d.hub, 1);
  is(next(&d), 0, "until there are more");
  den_close(&d);
}

static void test_one_reader(void)
{
  den d;
  actor a;
  den_open(&d, GREEN_NEVER);
  add(&d, 0);
  is(green_idle_add(&d.set, &d.f[0]), GREEN_EBUSY, "in one set, once");
  actor_start(&a, d.hub, 0, step_read);
  a.fd = &d.f[0];
  turns(d.hub, 1);
  is(a.task.status, GREEN_EBUSY, "a task cannot read what waits in a set");
  actor_start(&a, d.hub, 0, step_read);
  a.fd = &d.f[1];
  turns(d.hub, 1);
  is(green_idle_add(&d.set, &d.f[1]), GREEN_EBUSY, "nor the reverse");
  green_task_end(&a.task);
  actor_start(&a, d.hub, 0, step_write);
  a.fd = &d.f[0];
  turns(d.hub, 2);
  is(a.task.status, 0, "a writer may");
  den_close(&d);
}

/* -- Workers -------------------------------------------------------------- */

static void worker(den *d, actor *a, char name)
{
  actor_start(a, d->hub, name, step_park);
  a->q = &d->set.workers->tasks;
}

static void test_workers(void)
{
  den d;
  actor a, b;
  den_open(&d, GREEN_NEVER);
  add(&d, 0);
  add(&d, 1);
  worker(&d, &a, 'a');
  worker(&d, &b, 'b');
  turns(d.hub, 1);
  trace_clear();
  put(d.peer[0]);
  turns(d.hub, 2);
  is_str(trace, "b", "one worker a fd, the one that came last");
  put(d.peer[1]);
  turns(d.hub, 2);
  is_str(trace, "ba", "then the other");
  is(d.set.n_ready, 2, "what they leave stays ready");
  den_close(&d);
}

static void test_deinit_tells_workers(void)
{
  den d;
  actor a;
  den_open(&d, 10 * MS);
  for (int i = 0; i < N; i++) add(&d, i);
  worker(&d, &a, 0);
  turns(d.hub, 1);
  green_idle_deinit(&d.set);
  turns(d.hub, 1);
  is(a.task.status, GREEN_ECLOSED, "the end of a set wakes who waits at it");
  ok(!d.f[0].idle && d.f[0].fd >= 0, "its fds are let go, not closed");
  is(stats_of(d.hub).waits, 0, "none is counted");
  den_close(&d);
}

static void test_shared_queue(void)
{
  den d;
  green_idle other;
  actor a;
  den_open(&d, GREEN_NEVER);
  green_idle_init(&other, d.hub, GREEN_NEVER);
  other.workers = d.set.workers;
  green_idle_add(&other, &d.f[0]);
  worker(&d, &a, 0);
  turns(d.hub, 1);
  put(d.peer[0]);
  turns(d.hub, 2);
  is(a.task.state, GREEN_TASK_DEAD, "sets can share their workers");
  is(other.n_ready, 1, "each keeps its own fds");
  green_idle_deinit(&other);
  den_close(&d);
}

/* -- Expiry --------------------------------------------------------------- */

static void test_expiry_in_order(void)
{
  den d;
  den_open(&d, 10 * MS);
  for (int i = 0; i < N; i++) {
    add(&d, i);
    pass(&d, MS);
  }
  is(stats_of(d.hub).timers, 1, "one timer for all");
  pass(&d, 6 * MS);
  is(next(&d), 100, "the first is due first");
  is(next(&d), -1, "alone");
  pass(&d, 2 * MS);
  is(next(&d), 101, "the second");
  is(next(&d), 102, "and the third");
  pass(&d, MS);
  is(next(&d), 103, "the last");
  pass(&d, 100 * MS);
  is(next(&d), -1, "each is told once");
  is(stats_of(d.hub).timers, 0, "and no timer is left");
  is(d.set.n_waiting, N, "they stay until they are taken out");
  den_close(&d);
}

static void test_a_deadline_of_its_own(void)
{
  den d;
  den_open(&d, 100 * MS);
  int64_t now = green_hub_now(d.hub);
  add(&d, 0);
  is(green_idle_add_by(&d.set, &d.f[1], now + 50 * MS), 0, "an earlier one");
  is(green_idle_add_by(&d.set, &d.f[1], now), GREEN_EBUSY, "once");
  is(green_idle_add_by(&d.set, &d.f[2], now + 900 * MS), 0, "a later one");
  is(green_idle_add_by(&d.set, &d.f[3], now + 20 * MS), 0, "the earliest");
  pass(&d, 21 * MS);
  is(next(&d), 103, "is told first");
  is(next(&d), -1, "alone");
  pass(&d, 30 * MS);
  is(next(&d), 101, "then the next");
  pass(&d, 50 * MS);
  is(next(&d), 100, "then those of the set");
  is(next(&d), 102, "none has longer than they");
  green_idle_remove(&d.f[1]);
  is(green_idle_add_by(&d.set, &d.f[1], now), 0, "one that is due");
  pass(&d, MS);
  is(next(&d), 101, "is told at once");
  den_close(&d);
}

static void test_expired_with_bytes(void)
{
  den d;
  den_open(&d, 10 * MS);
  add(&d, 0);
  put(d.peer[0]);
  pass(&d, MS);
  pass(&d, 10 * MS);
  is(d.set.n_ready, 1, "ready and expired is one entry");
  is(next(&d), 100, "marked expired");
  den_close(&d);
}

static void test_expired_and_left(void)
{
  den d;
  den_open(&d, 10 * MS);
  add(&d, 0);
  pass(&d, 10 * MS);
  add(&d, 1);
  pass(&d, 5 * MS);
  add(&d, 2);
  pass(&d, 5 * MS);
  is(next(&d), 100, "an expired fd that nobody took");
  is(next(&d), 101, "does not hold up the later ones");
  pass(&d, 5 * MS);
  is(next(&d), 102, "any of them");
  den_close(&d);
}

static void test_a_shorter_timeout(void)
{
  den d;
  den_open(&d, 100 * MS);
  add(&d, 0);
  pass(&d, 95 * MS);
  add(&d, 1);
  green_idle_set_timeout(&d.set, 10 * MS);
  add(&d, 2);
  pass(&d, 5 * MS);
  is(next(&d), 100, "who is due before stays so");
  pass(&d, 5 * MS);
  is(next(&d), 101, "a shorter timeout counts for those who wait");
  is(next(&d), 102, "and for those who come");
  den_close(&d);
}

static void test_a_longer_timeout(void)
{
  den d;
  den_open(&d, 10 * MS);
  add(&d, 0);
  green_idle_set_timeout(&d.set, 20 * MS);
  add(&d, 1);
  pass(&d, 10 * MS);
  is(next(&d), 100, "a longer one does not");
  pass(&d, 5 * MS);
  is(next(&d), -1, "but for those who come");
  pass(&d, 5 * MS);
  is(next(&d), 101, "it does");
  den_close(&d);
}

static void test_from_never_to_a_timeout(void)
{
  den d;
  den_open(&d, 10 * MS);
  add(&d, 0);
  pass(&d, 10 * MS);
  green_idle_set_timeout(&d.set, GREEN_NEVER);
  add(&d, 1);
  pass(&d, 100 * MS);
  is(next(&d), 100, "expired before, and left");
  is(next(&d), -1, "never is never");
  green_idle_set_timeout(&d.set, 10 * MS);
  pass(&d, 10 * MS);
  is(next(&d), 101, "until there is a timeout");
  den_close(&d);
}

static void test_timer_of_one_that_left(void)
{
  den d;
  den_open(&d, 10 * MS);
  add(&d, 0);
  pass(&d, 5 * MS);
  add(&d, 1);
  green_idle_remove(&d.f[0]);
  pass(&d, 5 * MS);
  is(next(&d), -1, "the timer of one that has left finds nothing");
  pass(&d, 5 * MS);
  is(next(&d), 101, "and the next is due in its time");
  den_close(&d);
}

/* -- Leaving -------------------------------------------------------------- */

/* 0: waits, 1: has bytes, 2: taken, 3: expired. */
static void bring_to(den *d, int state)
{
  add(d, 0);
  add(d, 1);
  if (state == 1 || state == 2) put(d->peer[0]);
  if (state == 3) green_hub_advance(d->hub, 10 * MS);
  turns(d->hub, 1);
  if (state == 2) next(d);
}

static void test_leave_in_each_state(void (*leave)(green_fd *f))
{
  for (int state = 0; state < 4; state++) {
    den d;
    den_open(&d, 10 * MS);
    bring_to(&d, state);
    leave(&d.f[0]);
    leave(&d.f[0]);
    is(d.set.n_waiting, 1, "out of the set");
    is(d.set.n_ready, state == 3, "and off the ready list");
    ok(!d.f[0].idle, "it is in no set");
    is(next(&d), state == 3 ? 101 : -1, "nobody is handed it");
    den_close(&d);
  }
}

static void leave_by_remove(green_fd *f)
{
  green_idle_remove(f);
}

static void leave_by_close(green_fd *f)
{
  green_fd_close(f);
}

static void leave_by_detach(green_fd *f)
{
  int fd = green_fd_detach(f);
  if (fd >= 0) close(fd);
}

static void test_back_to_a_task(void)
{
  den d;
  actor a;
  den_open(&d, 10 * MS);
  add(&d, 0);
  green_idle_remove(&d.f[0]);
  actor_start(&a, d.hub, 0, step_read);
  a.fd = &d.f[0];
  turns(d.hub, 1);
  put(d.peer[0]);
  turns(d.hub, 2);
  is(a.task.status, 0, "what has left may be read by a task");
  is(green_idle_add(&d.set, &d.f[0]), 0, "and come back");
  is(green_idle_add(&d.set, &d.f[0]), GREEN_EBUSY, "once");
  green_fd_close(&d.f[1]);
  is(green_idle_add(&d.set, &d.f[1]), GREEN_ECLOSED, "a closed one does not");
  den_close(&d);
}

/* -- Numbers that are not ours any more ----------------------------------- */

static void test_used_again(void)
{
  den d;
  green_fd again = {0};
  actor a;
  den_open(&d, 10 * MS);
  add(&d, 0);
  worker(&d, &a, 0);
  turns(d.hub, 1);
  int number = d.f[0].fd;
  if (dup2(d.peer[3], number) != number) abort();
  green_fd_open(&again, d.hub, number);
  turns(d.hub, 1);
  is(a.task.state, GREEN_TASK_DEAD, "a worker hears of a number used again");
  is(next(&d), 0, "and is handed the stale fd");
  is(d.f[0].fd, -1, "which is closed");
  green_fd_close(&d.f[0]);
  is(d.set.n_waiting, 0, "closing it takes it out of the set");
  green_fd_close(&again);
  den_close(&d);
}

static void test_closed_behind(void)
{
  den d;
  den_open(&d, 10 * MS);
  close(d.f[0].fd);
  is(green_idle_add(&d.set, &d.f[0]), GREEN_EBADF, "not open: not added");
  is(d.set.n_waiting, 0, "nor counted");
  green_hub_use(d.hub, "poll");
  add(&d, 1);
  turns(d.hub, 1);
  close(d.f[1].fd);
  turns(d.hub, 2);
  is(next(&d), 1, "closed while it waits: handed out");
  is(d.f[1].fd, -1, "closed");
  den_close(&d);
}

int main(void)
{
  t_start();
  test_ready();
  test_end_of_stream_is_ready();
  test_too_few_bytes();
  test_burst();
  test_ready_and_not_taken();
  test_one_reader();
  test_workers();
  test_deinit_tells_workers();
  test_shared_queue();
  test_expiry_in_order();
  test_a_deadline_of_its_own();
  test_expired_with_bytes();
  test_expired_and_left();
  test_a_shorter_timeout();
  test_a_longer_timeout();
  test_from_never_to_a_timeout();
  test_timer_of_one_that_left();
  test_leave_in_each_state(leave_by_remove);
  test_leave_in_each_state(leave_by_close);
  test_leave_in_each_state(leave_by_detach);
  test_back_to_a_task();
  test_used_again();
  test_closed_behind();
  return t_done();
}
