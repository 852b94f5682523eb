/*
** fd_watch_test.c: tasks that want to know when a descriptor is readable and
** do not read; and numbers that are closed behind our back among many.
*/

/* wrap: poll */

#include "hub/fd_kit.h"
#include "hub/idle.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define MS (GREEN_SECOND / 1000)

static int poll_refuses; /* Counts on once it is set. */

int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
  if (!poll_refuses) return __real_poll(fds, n, ms);
  poll_refuses++;
  errno = EINVAL;
  return -1;
}

static void step_watch(actor *a)
{
  if (a->runs == 1)
    a->value = green_fd_watch(a->fd, &a->task, a->deadline);
  else
    a->value = a->task.status;
}

static void watcher(line *l, actor *a, char name)
{
  actor_start(a, l->hub, name, step_watch);
  a->fd = &l->f;
}

/* -- Events --------------------------------------------------------------- */

static void test_alone(const char *backend)
{
  line l;
  actor a;
  line_open(&l, backend);
  watcher(&l, &a, 'a');
  turns(l.hub, 2);
  is_str(trace, "a", "nothing to read");
  is(stats_of(l.hub).waits, 1, "one waits");
  ok(green_task_fd(&a.task) == &l.f, "for this one");
  put(l.peer);
  turns(l.hub, 2);
  is_str(trace, "aa", "bytes wake it");
  is(a.value, 0, "with status 0");
  is(stats_of(l.hub).waits, 0, "it waits no more");
  take(l.f.fd);
  line_close(&l);
}

static void test_beside_a_reader(const char *backend)
{
  line l;
  actor r, w[3];
  line_open(&l, backend);
  watcher(&l, &w[0], 'x');
  reader(&l, &r, 'r');
  watcher(&l, &w[1], 'y');
  watcher(&l, &w[2], 'z');
  turns(l.hub, 2);
  is(stats_of(l.hub).waits, 4, "a reader and three who watch");
  ok(green_fd_waiter(&l.f, GREEN_READ) == &r.task, "the reader is named");
  trace_clear();
  put(l.peer);
  turns(l.hub, 2);
  is_str(trace, "rxyz", "one event wakes all, the reader first");
  is(r.task.status | w[0].value | w[1].value | w[2].value, 0, "with status 0");
  is(stats_of(l.hub).waits, 0, "nobody is left");
  line_close(&l);
}

static void test_beside_a_writer(void)
{
  line l;
  actor w, v;
  line_open(&l, NULL);
  watcher(&l, &v, 'v');
  actor_start(&w, l.hub, 'w', step_write);
  w.fd = &l.f;
  turns(l.hub, 2);
  is_str(trace, "vww", "room wakes the writer alone");
  is(v.task.state, GREEN_TASK_PARKED, "who watches waits on");
  put(l.peer);
  turns(l.hub, 2);
  is(v.value, 0, "until there is something to read");
  line_close(&l);
}

static void test_the_end_is_readable(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  watcher(&l, &a, 0);
  turns(l.hub, 1);
  shutdown(l.peer, SHUT_RDWR);
  turns(l.hub, 2);
  is(a.value, 0, "the end of the stream wakes it too");
  is(a.runs, 2, "once");
  line_close(&l);
}

static void test_none_makes_the_other_busy(void)
{
  line l;
  actor r, second, w;
  line_open(&l, NULL);
  watcher(&l, &w, 'w');
  reader(&l, &r, 'r');
  reader(&l, &second, '2');
  turns(l.hub, 1);
  is(r.task.state, GREEN_TASK_PARKED, "who watches makes no reader busy");
  is(second.task.status, GREEN_EBUSY, "a reader does another");
  watcher(&l, &second, '3');
  turns(l.hub, 1);
  is(second.value, 0, "but nobody who watches");
  is(second.task.state, GREEN_TASK_PARKED, "who waits");
  green_task_end(&w.task);
  green_task_end(&r.task);
  green_task_end(&second.task);
  line_close(&l);
}

/* Bytes that are there already. */
static void test_readable_before(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  put(l.peer);
  for (int i = 0; i < 3; i++) {
    watcher(&l, &a, 0);
    turns(l.hub, 2);
    is(a.value, 0, "unread bytes are told each time");
  }
  line_close(&l);
}

static void test_idle_and_watched(void)
{
  line l;
  green_idle set;
  actor a;
  int expired = 0;
  line_open(&l, NULL);
  green_idle_init(&set, l.hub, GREEN_NEVER);
  watcher(&l, &a, 0);
  turns(l.hub, 1);
  is(green_idle_add(&set, &l.f), 0, "what is watched may wait in a set");
  put(l.peer);
  turns(l.hub, 3);
  is(a.value, 0, "who watches is told");
  ok(green_idle_take(&set, &expired) == &l.f, "and so is the set");
  green_idle_deinit(&set);
  line_close(&l);
}

/* -- Ends of a wait ------------------------------------------------------- */

static void test_deadline(void)
{
  line l;
  actor a, b;
  line_open(&l, NULL);
  green_hub_set_virtual(l.hub, 1);
  watcher(&l, &a, 'a');
  watcher(&l, &b, 'b');
  a.deadline = green_hub_now(l.hub) + MS;
  turns(l.hub, 2);
  green_hub_advance(l.hub, MS);
  turns(l.hub, 2);
  is(a.value, GREEN_ETIMEDOUT, "late");
  is(b.task.state, GREEN_TASK_PARKED, "alone");
  is(stats_of(l.hub).waits, 1, "the other waits on");
  put(l.peer);
  turns(l.hub, 2);
  is(b.value, 0, "and is told");
  line_close(&l);
}

static void test_close_wakes_all(void)
{
  line l;
  actor r, w[3], late;
  line_open(&l, NULL);
  reader(&l, &r, 'r');
  for (int i = 0; i < 3; i++) watcher(&l, &w[i], (char)('x' + i));
  turns(l.hub, 2);
  trace_clear();
  green_fd_close(&l.f);
  is(stats_of(l.hub).waits, 0, "nobody waits after a close");
  turns(l.hub, 1);
  is_str(trace, "rxyz", "all are woken");
  is(w[0].value, GREEN_ECLOSED, "with ECLOSED");
  is(w[2].value, GREEN_ECLOSED, "each");
  watcher(&l, &late, 0);
  turns(l.hub, 1);
  is(late.value, GREEN_ECLOSED, "who comes later is told at once");
  line_close(&l);
}

static void test_wake_by_hand(void)
{
  line l;
  actor w[2];
  line_open(&l, NULL);
  for (int i = 0; i < 2; i++) watcher(&l, &w[i], 0);
  turns(l.hub, 1);
  green_fd_wake(&l.f, 9);
  turns(l.hub, 1);
  ok(w[0].value == 9 && w[1].value == 9, "a wake of the fd is for them too");
  ok(l.f.fd >= 0, "it stays open");
  line_close(&l);
}

static void test_number_gone(const char *backend)
{
  line l;
  actor a, b;
  line_open(&l, backend);
  close(l.f.fd);
  watcher(&l, &a, 0);
  turns(l.hub, 1);
  is(a.value, GREEN_EBADF, "a number that is not open");
  is(stats_of(l.hub).waits, 0, "is not waited for");
  watcher(&l, &b, 0);
  turns(l.hub, 1);
  is(b.value, GREEN_ECLOSED, "and the object is closed from then on");
  line_close(&l);
}

static void step_watch_and_close(actor *a)
{
  step_watch(a);
  if (a->runs == 1 && a->value == 0) close(a->fd->fd);
}

static void test_gone_before_the_poll(const char *backend)
{
  line l;
  actor a, b;
  line_open(&l, backend);
  watcher(&l, &a, 0);
  actor_start(&b, l.hub, 0, step_watch_and_close);
  b.fd = &l.f;
  turns(l.hub, 3);
  is(a.value, GREEN_EBADF, "closed before the kernel heard of it");
  is(b.value, GREEN_EBADF, "all who watch are told");
  line_close(&l);
}

static void test_used_again(void)
{
  line l;
  actor a[2];
  green_fd again = {0};
  line_open(&l, NULL);
  int number = l.f.fd;
  watcher(&l, &a[0], 0);
  watcher(&l, &a[1], 0);
  turns(l.hub, 2);
  close(number);
  if (fcntl(l.peer, F_DUPFD, number) != number) abort();
  green_fd_open(&again, l.hub, number);
  turns(l.hub, 1);
  is(a[0].value, GREEN_ECLOSED, "a number that is used again");
  is(a[1].value, GREEN_ECLOSED, "wakes all who watched the old one");
  green_fd_close(&again);
  line_close(&l);
}

/* First, middle, last, and the only one. */
static void test_end_of_one(void (*leave)(green_task *t))
{
  static const char *const want[] = {"yz", "xz", "xy"};
  for (int gone = 0; gone < 3; gone++) {
    line l;
    actor w[3];
    line_open(&l, NULL);
    for (int i = 0; i < 3; i++) watcher(&l, &w[i], (char)('x' + i));
    turns(l.hub, 1);
    leave(&w[gone].task);
    turns(l.hub, 1);
    is(stats_of(l.hub).waits, 2, "one leaves");
    trace_clear();
    put(l.peer);
    turns(l.hub, 2);
    is_str(trace, want[gone], "the others are told, in order");
    line_close(&l);
  }
}

static void leave_by_end(green_task *t)
{
  green_task_end(t);
}

static void leave_by_kill(green_task *t)
{
  green_task_kill(t);
}

static void leave_by_wake(green_task *t)
{
  green_task_wake_first(t, 3);
}

static void test_all_end(void)
{
  line l;
  actor w[3];
  line_open(&l, NULL);
  for (int i = 0; i < 3; i++) watcher(&l, &w[i], 0);
  turns(l.hub, 1);
  green_task_end(&w[1].task);
  green_task_end(&w[0].task);
  green_task_end(&w[2].task);
  is(stats_of(l.hub).waits, 0, "nobody watches any more");
  put(l.peer);
  turns(l.hub, 2);
  ok(1, "an event for them is dropped");
  line_close(&l);
}

/* -- Registrations -------------------------------------------------------- */

static void test_disarmed_when_nobody_listens(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  watcher(&l, &a, 0);
  turns(l.hub, 1);
  ok(l.f.armed & GREEN_READ, "armed");
  put(l.peer);
  turns(l.hub, 2);
  is(a.value, 0, "told");
  green_hub_hold(l.hub); /* Nobody waits, yet it shall poll. */
  turns(l.hub, 2);
  ok(!(l.f.armed & GREEN_READ), "an event that finds nobody takes it back");
  watcher(&l, &a, 0);
  turns(l.hub, 2);
  is(a.value, 0, "the next wait arms it again");
  line_close(&l);
}

static void test_drained_ends(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  l.f.drained = 1;
  watcher(&l, &a, 0);
  turns(l.hub, 2);
  is(l.f.drained, 1, "a short read stands");
  put(l.peer);
  turns(l.hub, 2);
  is(l.f.drained, 0, "until there is more, whoever is told");
  line_close(&l);
}

static void test_backend_changes(void)
{
  line l;
  actor a[2];
  line_open(&l, "epoll");
  watcher(&l, &a[0], 0);
  watcher(&l, &a[1], 0);
  turns(l.hub, 2);
  is(green_hub_use(l.hub, "poll"), 0, "the backend changes");
  put(l.peer);
  turns(l.hub, 2);
  ok(a[0].runs == 2 && a[1].runs == 2, "who watches goes on");
  line_close(&l);
}

/* -- Closed behind our back, among many ----------------------------------- */

enum { MANY = 200 };

static green_fd many[MANY];
static actor waiters[MANY];
static int peers[MANY];

static int gone(int i)
{
  return i % 40 == 7;
}

static void test_closed_among_many(const char *backend)
{
  green_hub *hub = hub_open(backend);
  int told = 0, fine = 0, lost = 0;
  for (int i = 0; i < MANY; i++) {
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
    if (green_fd_open(&many[i], hub, s[0]) < 0) abort();
    peers[i] = s[1];
    actor_start(&waiters[i], hub, 0, i & 1 ? step_watch : step_read);
    waiters[i].fd = &many[i];
  }
  turns(hub, 2);
  for (int i = 0; i < MANY; i++) {
    if (!gone(i)) continue;
    close(many[i].fd);
    lost++;
  }
  turns(hub, 2);
  for (int i = 0; i < MANY; i++) told += waiters[i].runs == 2;
  is(told, lost, "those that were closed are found, no other");
  for (int i = 0; i < MANY; i++)
    if (gone(i)) told -= waiters[i].task.status == GREEN_EBADF;
  is(told, 0, "and told so");
  for (int i = 0; i < MANY; i++)
    if (!gone(i)) put(peers[i]);
  for (int i = 0; i < 5; i++) turns(hub, 1);
  for (int i = 0; i < MANY; i++)
    fine += !gone(i) && waiters[i].runs == 2 && waiters[i].task.status == 0;
  is(fine, MANY - lost, "the others go on");
  for (int i = 0; i < MANY; i++) {
    green_fd_close(&many[i]);
    close(peers[i]);
  }
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* poll refuses more than may be open: they are asked singly then. */
static void test_poll_refuses(void)
{
  line l;
  green_fd other;
  actor a, b;
  int s[2];
  line_open(&l, "poll");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  green_fd_open(&other, l.hub, s[0]);
  watcher(&l, &a, 0);
  actor_start(&b, l.hub, 0, step_watch);
  b.fd = &other;
  turns(l.hub, 2);
  close(l.f.fd);
  poll_refuses = 1;
  turns(l.hub, 2);
  is(a.value, GREEN_EBADF, "found even so");
  put(s[1]);
  turns(l.hub, 2);
  is(b.value, 0, "the other goes on");
  ok(poll_refuses > 1, "poll was asked");
  poll_refuses = 0;
  green_fd_close(&other);
  close(s[1]);
  line_close(&l);
}

static void test_no_memory_to_ask_all(void)
{
  line l;
  actor a;
  line_open(&l, "poll");
  watcher(&l, &a, 0);
  turns(l.hub, 2);
  close(l.f.fd);
  green__alloc_fail_from(1);
  turns(l.hub, 1);
  green__alloc_fail_from(0);
  turns(l.hub, 1);
  is(a.value, GREEN_EBADF, "found without memory");
  line_close(&l);
}

int main(void)
{
  t_start();
  for (int i = 0; i < 3; i++) {
    printf("# %s\n", backends[i]);
    test_alone(backends[i]);
    test_beside_a_reader(backends[i]);
    test_number_gone(backends[i]);
    test_gone_before_the_poll(backends[i]);
  }
  test_beside_a_writer();
  test_the_end_is_readable();
  test_none_makes_the_other_busy();
  test_readable_before();
  test_idle_and_watched();
  test_deadline();
  test_close_wakes_all();
  test_wake_by_hand();
  test_used_again();
  test_end_of_one(leave_by_end);
  test_end_of_one(leave_by_kill);
  test_end_of_one(leave_by_wake);
  test_all_end();
  test_disarmed_when_nobody_listens();
  test_drained_ends();
  test_backend_changes();
  test_closed_among_many("poll");
  test_closed_among_many("select");
  test_poll_refuses();
  test_no_memory_to_ask_all();
  return t_done();
}
