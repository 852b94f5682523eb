/*
** idle_expired_test.c: descriptors whose time was up and that nobody takes.
*/

#include "actor.h"
#include "hub/idle.h"

#include <sys/resource.h>
#include <sys/socket.h>

#define MS (GREEN_SECOND / 1000)

enum { MOST = 1000, LATE = 4 };

/* Many that expire together, and some that come later. */
typedef struct den {
  green_hub *hub;
  green_idle set;
  int n;
  green_fd old[MOST];
  int old_peer[MOST];
  green_fd late[LATE];
  int late_peer[LATE];
} den;

static den the_den;

static void open_pair(green_hub *hub, green_fd *f, int *peer)
{
  int s[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  if (green_fd_open(f, hub, s[0]) < 0) abort();
  *peer = s[1];
}

static int room_for_fds(void)
{
  struct rlimit lim;
  getrlimit(RLIMIT_NOFILE, &lim);
  lim.rlim_cur = lim.rlim_max < 4096 ? lim.rlim_max : 4096;
  setrlimit(RLIMIT_NOFILE, &lim);
  return lim.rlim_cur > 2 * MOST + 100 ? MOST : (int)lim.rlim_cur / 2 - 50;
}

static void pass(den *d, int64_t ns)
{
  green_hub_advance(d->hub, ns);
  turns(d->hub, 1);
}

/* n have expired, and nobody has taken one. */
static den *den_open(int n)
{
  den *d = &the_den;
  memset(d, 0, sizeof(*d));
  d->hub = hub_open_virtual();
  d->n = n;
  green_idle_init(&d->set, d->hub, 10 * MS);
  for (int i = 0; i < n; i++) {
    open_pair(d->hub, &d->old[i], &d->old_peer[i]);
    if (green_idle_add(&d->set, &d->old[i]) < 0) abort();
  }
  for (int i = 0; i < LATE; i++)
    open_pair(d->hub, &d->late[i], &d->late_peer[i]);
  pass(d, 10 * MS);
  return d;
}

static void den_close(den *d)
{
  green_idle_deinit(&d->set);
  for (int i = 0; i < d->n; i++) {
    green_fd_close(&d->old[i]);
    close(d->old_peer[i]);
  }
  for (int i = 0; i < LATE; i++) {
    green_fd_close(&d->late[i]);
    close(d->late_peer[i]);
  }
  turns(d->hub, 1);
  ok(is_clean(d->hub), "nothing is left");
  green_hub_free(d->hub);
}

static void add(den *d, int i)
{
  if (green_idle_add(&d->set, &d->late[i]) < 0) abort();
}

/* Take all the old ones: how many came in order, marked expired. */
static int take_old(den *d)
{
  int n = 0, expired = 0;
  while (n < d->n && green_idle_take(&d->set, &expired) == &d->old[n] &&
         expired)
    n++;
  return n;
}

/* The index of the next ready late one, 100 more for an expired; -1: none. */
static int next(den *d)
{
  int expired = 0;
  green_fd *f = green_idle_take(&d->set, &expired);
  return f ? (int)(f - d->late) + 100 * expired : -1;
}

static void test_later_ones_expire_in_order(int n)
{
  den *d = den_open(n);
  is(d->set.n_ready, n, "many are expired");
  for (int i = 0; i < LATE; i++) {
    add(d, i);
    pass(d, MS);
  }
  is(d->set.n_waiting, n + LATE, "later ones wait behind");
  is(stats_of(d->hub).timers, 1, "with a timer");
  is(take_old(d), n, "the old ones come out in their order");
  is(next(d), -1, "no later one has expired");
  pass(d, 6 * MS);
  is(next(d), 100, "the first in its time");
  is(next(d), -1, "alone");
  pass(d, 3 * MS);
  is(next(d), 101, "then the second");
  is(next(d), 102, "the third");
  is(next(d), 103, "the last");
  pass(d, 100 * MS);
  is(next(d), -1, "each once");
  is(stats_of(d->hub).timers, 0, "and no timer is left");
  den_close(d);
}

static void test_events_of_later_ones(int n)
{
  den *d = den_open(n);
  add(d, 0);
  add(d, 1);
  if (write(d->late_peer[1], "x", 1) != 1) abort();
  turns(d->hub, 2);
  is(d->set.n_ready, n + 1, "one that came later is ready behind them");
  is(take_old(d), n, "they come first");
  is(next(d), 1, "then it, and it is not expired");
  den_close(d);
}

static void test_bytes_for_an_expired_one(int n)
{
  den *d = den_open(n);
  int expired = 0;
  is(take_old(d), n, "all are taken");
  if (write(d->old_peer[n / 2], "x", 1) != 1) abort();
  turns(d->hub, 2);
  ok(green_idle_take(&d->set, &expired) == &d->old[n / 2],
     "bytes make an expired one ready again");
  ok(expired, "marked as ever");
  den_close(d);
}

static void test_remove(void (*leave)(green_fd *f))
{
  den *d = den_open(3);
  add(d, 0);
  leave(&d->old[1]);
  leave(&d->old[1]);
  is(d->set.n_waiting, 3, "an expired one leaves the set");
  is(d->set.n_ready, 2, "and the ready list");
  is(stats_of(d->hub).waits, 3, "uncounted");
  int expired = 0;
  ok(green_idle_take(&d->set, &expired) == &d->old[0], "the first");
  ok(green_idle_take(&d->set, &expired) == &d->old[2],
     "and the third are left");
  leave(&d->old[0]); /* Taken, but in the set. */
  is(d->set.n_waiting, 2, "one that was taken leaves too");
  pass(d, 10 * MS);
  is(next(d), 100, "the later one has its time");
  den_close(d);
}

static void leave_by_remove(green_fd *f)
{
  green_idle_remove(f);
}

static void leave_by_close(green_fd *f)
{
  green_fd_close(f);
}

static void test_come_back(void)
{
  den *d = den_open(1);
  is(take_old(d), 1, "an expired one");
  green_idle_remove(&d->old[0]);
  is(green_idle_add(&d->set, &d->old[0]), 0, "may come back");
  pass(d, 9 * MS);
  is(d->set.n_ready, 0, "with its time anew");
  pass(d, MS);
  is(take_old(d), 1, "until it is up");
  den_close(d);
}

static void test_deinit(void)
{
  den *d = den_open(3);
  int expired = 0;
  add(d, 0);
  ok(green_idle_take(&d->set, &expired), "one is taken, two not, one waits");
  green_idle_deinit(&d->set);
  is(d->set.n_waiting, 0, "all are let go");
  is(stats_of(d->hub).waits, 0, "none is counted");
  is(stats_of(d->hub).timers, 0, "no timer is left");
  int held = 0;
  for (int i = 0; i < 3; i++) held += d->old[i].idle != NULL;
  is(held + (d->late[0].idle != NULL), 0, "they are in no set");
  is(d->old[0].fd >= 0 && d->late[0].fd >= 0, 1, "and open");
  den_close(d);
}

static void test_set_timeout(void)
{
  den *d = den_open(2);
  add(d, 0);
  green_idle_set_timeout(&d->set, MS);
  is(d->set.n_ready, 2, "a new timeout does not touch the expired");
  pass(d, MS);
  is(d->set.n_ready, 3, "who waits has less time");
  is(take_old(d), 2, "the expired come first, once");
  is(next(d), 100, "then he");
  green_idle_set_timeout(&d->set, 5 * MS);
  pass(d, 100 * MS);
  is(next(d), -1, "nobody expires twice");
  green_idle_set_timeout(&d->set, GREEN_NEVER);
  is(stats_of(d->hub).timers, 0, "never needs no timer");
  den_close(d);
}

int main(void)
{
  t_start();
  int n = room_for_fds();
  test_later_ones_expire_in_order(n);
  test_later_ones_expire_in_order(1);
  test_events_of_later_ones(n);
  test_bytes_for_an_expired_one(n);
  test_remove(leave_by_remove);
  test_remove(leave_by_close);
  test_come_back();
  test_deinit();
  test_set_timeout();
  return t_done();
}
