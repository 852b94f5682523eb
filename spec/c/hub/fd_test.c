/*
** fd_test.c: who waits for a descriptor, and what ends the wait.
*/

#include "hub/fd_kit.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#define MS (GREEN_SECOND / 1000)

static void writer(line *l, actor *a, char name)
{
  actor_start(a, l->hub, name, step_write);
  a->fd = &l->f;
}

/* Until a write would wait. */
static void fill(int fd)
{
  char junk[4096] = {0};
  while (write(fd, junk, sizeof(junk)) > 0) continue;
}

static void drain(int fd)
{
  char junk[4096];
  while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0) continue;
}

/* -- Opening and closing -------------------------------------------------- */

static void test_open(void)
{
  green_hub *hub = hub_open(NULL);
  green_fd f = {0};
  int p[2];
  if (pipe(p)) abort();
  is(green_fd_open(&f, hub, p[0]), 0, "open");
  ok(fcntl(p[0], F_GETFL) & O_NONBLOCK, "makes it non-blocking");
  ok(fcntl(p[0], F_GETFD) & FD_CLOEXEC, "and close-on-exec");
  is(stats_of(hub).fds, 1, "and registers it");
  is(green_fd_close(&f), 0, "close");
  ok(fcntl(p[0], F_GETFD) < 0, "closes the number");
  is(green_fd_close(&f), 0, "twice is once");
  is(green_fd_detach(&f), -1, "nothing is left to hand over");
  close(p[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_bad_numbers(void)
{
  green_hub *hub = hub_open(NULL);
  green_fd f = {0};
  int p[2];
  if (pipe(p)) abort();
  close(p[0]);
  close(p[1]);
  for (int i = 0; i < 3; i++) {
    is(green_fd_open(&f, hub, -1), GREEN_EBADF, "-1 is refused");
    is(green_fd_open(&f, hub, p[0]), GREEN_EBADF, "a closed number too");
    is(green_fd_open(&f, hub, 1 << 20), GREEN_EBADF, "and one never opened");
  }
  ok(is_clean(hub), "each time, and nothing is left");
  green_hub_free(hub);
}

static void step_try_read(actor *a)
{
  a->value = green_fd_park(a->fd, &a->task, GREEN_READ, GREEN_NEVER);
}

static void test_wait_on_a_bad_number(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  close(l.f.fd);
  for (int i = 0; i < 3; i++) {
    actor_start(&a, l.hub, 0, step_try_read);
    a.fd = &l.f;
    turns(l.hub, 1);
    ok(a.value == GREEN_EBADF || (i && a.value == GREEN_ECLOSED),
       "a wait on a number that is not open fails each time");
    is(stats_of(l.hub).waits, 0, "and leaves nothing behind");
  }
  line_close(&l);
}

static void test_detach(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  int fd = l.f.fd;
  reader(&l, &a, 0);
  turns(l.hub, 1);
  is(green_fd_detach(&l.f), fd, "detach hands the number over");
  turns(l.hub, 1);
  is(a.task.status, GREEN_ECLOSED, "its waiter is woken");
  ok(fcntl(fd, F_GETFD) >= 0, "the number is open");
  close(fd);
  line_close(&l);
}

static void test_close_wakes_both(void)
{
  line l;
  actor r, w;
  line_open(&l, NULL);
  fill(l.f.fd);
  trace_clear();
  reader(&l, &r, 'r');
  writer(&l, &w, 'w');
  turns(l.hub, 2);
  is(stats_of(l.hub).waits, 2, "a reader and a writer wait");
  green_fd_close(&l.f);
  is(stats_of(l.hub).waits, 0, "nobody after the close");
  turns(l.hub, 1);
  is_str(trace, "rwrw", "both are woken");
  is(r.task.status, GREEN_ECLOSED, "the reader with ECLOSED");
  is(w.task.status, GREEN_ECLOSED, "the writer too");
  actor_start(&r, l.hub, 0, step_try_read);
  r.fd = &l.f;
  turns(l.hub, 1);
  is(r.value, GREEN_ECLOSED, "and so is whoever comes later");
  line_close(&l);
}

static void test_used_again(void)
{
  line l;
  actor a, b;
  green_fd again = {0};
  line_open(&l, NULL);
  int number = l.f.fd;
  reader(&l, &a, 0);
  turns(l.hub, 2);
  close(number);
  if (fcntl(l.peer, F_DUPFD, number) != number) abort();
  is(green_fd_open(&again, l.hub, number), 0, "a number that is used again");
  is(l.f.fd, -1, "makes the old object stale");
  is(green_fd_close(&l.f), 0, "whose close does nothing");
  ok(fcntl(number, F_GETFD) >= 0, "to the number");
  actor_start(&b, l.hub, 0, step_write);
  b.fd = &again;
  turns(l.hub, 3);
  is(a.task.status, GREEN_ECLOSED, "who waited on the old one is woken");
  is(b.task.status, 0, "the new one works");
  is(stats_of(l.hub).fds, 1, "one is registered");
  green_fd_close(&again);
  line_close(&l);
}

/* -- Waiting -------------------------------------------------------------- */

static void test_ready(void)
{
  line l;
  actor r, w;
  line_open(&l, NULL);
  fill(l.f.fd);
  reader(&l, &r, 0);
  writer(&l, &w, 0);
  turns(l.hub, 3);
  ok(r.runs == 1 && w.runs == 1, "neither is ready");
  put(l.peer);
  turns(l.hub, 2);
  ok(r.runs == 2 && w.runs == 1, "bytes wake the reader alone");
  drain(l.peer);
  turns(l.hub, 2);
  is(w.runs, 2, "room wakes the writer");
  is(r.task.status | w.task.status, 0, "with status 0");
  line_close(&l);
}

static void test_hang_up_is_ready(void)
{
  line l;
  actor r, w;
  line_open(&l, NULL);
  fill(l.f.fd);
  reader(&l, &r, 0);
  writer(&l, &w, 0);
  turns(l.hub, 2);
  shutdown(l.peer, SHUT_RDWR);
  turns(l.hub, 3);
  ok(r.runs == 2 && w.runs == 2, "both are told of the end: the call says why");
  line_close(&l);
}

static void test_one_of_each(void)
{
  line l;
  actor first, second;
  line_open(&l, NULL);
  reader(&l, &first, 0);
  actor_start(&second, l.hub, 0, step_try_read);
  second.fd = &l.f;
  turns(l.hub, 1);
  is(second.value, GREEN_EBUSY, "a second reader is refused");
  ok(green_fd_waiter(&l.f, GREEN_READ) == &first.task, "the first is named");
  ok(!green_fd_waiter(&l.f, GREEN_WRITE), "for its direction");
  put(l.peer);
  turns(l.hub, 2);
  is(first.task.status, 0, "and undisturbed");
  line_close(&l);
}

static void test_next_inherits(void)
{
  line l;
  actor first, second;
  line_open(&l, NULL);
  reader(&l, &first, 0);
  turns(l.hub, 2);
  green_task_kill(&first.task);
  turns(l.hub, 1);
  is(first.task.status, GREEN_ECANCELED, "a cancelled reader leaves");
  reader(&l, &second, 0);
  turns(l.hub, 2);
  put(l.peer);
  turns(l.hub, 2);
  is(second.task.status, 0, "and the next one gets the event");
  line_close(&l);
}

static void test_deadline(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  green_hub_set_virtual(l.hub, 1);
  reader(&l, &a, 0);
  a.deadline = green_hub_now(l.hub) + MS;
  turns(l.hub, 2);
  green_hub_advance(l.hub, MS);
  turns(l.hub, 2);
  is(a.task.status, GREEN_ETIMEDOUT, "late");
  ok(!green_fd_waiter(&l.f, GREEN_READ), "and gone");
  is(stats_of(l.hub).waits, 0, "uncounted");
  line_close(&l);
}

/* -- Registrations -------------------------------------------------------- */

static void test_reading_stays_armed(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  for (int i = 0; i < 3; i++) {
    reader(&l, &a, 0);
    turns(l.hub, 1);
    put(l.peer);
    turns(l.hub, 2);
    take(l.f.fd);
    ok(l.f.armed & GREEN_READ, "a read registration stays between waits");
  }
  green_hub_hold(l.hub); /* Nobody waits, yet it shall poll. */
  turns(l.hub, 3);
  ok(l.f.armed & GREEN_READ, "silence costs nothing");
  put(l.peer);
  turns(l.hub, 1);
  ok(!(l.f.armed & GREEN_READ), "an event that finds nobody takes it back");
  reader(&l, &a, 0);
  turns(l.hub, 2);
  is(a.task.status, 0, "the next wait arms it again");
  is(a.task.state, GREEN_TASK_DEAD, "and finds the bytes");
  line_close(&l);
}

/* One watcher has both directions: each is added and taken back alone. */
static void test_both_directions(const char *backend)
{
  line l;
  actor r, w;
  line_open(&l, backend);
  fill(l.f.fd);
  reader(&l, &r, 0);
  turns(l.hub, 2);
  writer(&l, &w, 0);
  turns(l.hub, 2);
  is(l.f.armed, GREEN_READ | GREEN_WRITE, "both are watched");
  put(l.peer);
  drain(l.peer);
  turns(l.hub, 2);
  ok(r.runs == 2 && w.runs == 2, "one poll tells of both");
  green_hub_hold(l.hub); /* Nobody waits, yet it shall poll. */
  turns(l.hub, 3);
  is(l.f.armed, 0, "events that find nobody take both back");
  take(l.f.fd);
  fill(l.f.fd);
  writer(&l, &w, 0);
  reader(&l, &r, 0);
  turns(l.hub, 2);
  green_task_kill(&r.task);
  turns(l.hub, 2);
  put(l.peer);
  turns(l.hub, 2);
  is(l.f.armed, GREEN_WRITE, "reading is taken back alone");
  drain(l.peer);
  turns(l.hub, 2);
  is(w.task.status, 0, "and writing is told of");
  is(w.task.state, GREEN_TASK_DEAD, "all the same");
  line_close(&l);
}

/* There may be a million. */
static void test_size(void)
{
  ok(sizeof(green_fd) <= 144, "a descriptor takes 144 bytes at most");
}

static void test_drained(void)
{
  line l;
  actor a;
  line_open(&l, NULL);
  l.f.drained = 1;
  reader(&l, &a, 0);
  turns(l.hub, 2);
  is(l.f.drained, 1, "a short read stands");
  put(l.peer);
  turns(l.hub, 2);
  is(l.f.drained, 0, "until the next event");
  line_close(&l);
}

static void test_abandoned_waiter(void)
{
  line l;
  actor r;
  line_open(&l, NULL);
  reader(&l, &r, 0);
  turns(l.hub, 1);
  green_task_end(&r.task);
  ok(!green_fd_waiter(&l.f, GREEN_READ), "the dead wait for nothing");
  put(l.peer);
  turns(l.hub, 2);
  ok(1, "and an event for them is dropped");
  line_close(&l);
}

/* -- Many ----------------------------------------------------------------- */

static int at_number(int fd, int want)
{
  int got = fcntl(fd, F_DUPFD, want);
  if (got != want) abort();
  close(fd);
  return got;
}

static void test_high_numbers(const char *backend)
{
  struct rlimit lim;
  green_hub *hub = hub_open(backend);
  green_fd f = {0};
  actor a;
  int s[2], high = 5000;
  getrlimit(RLIMIT_NOFILE, &lim);
  if (lim.rlim_cur <= 5001) high = (int)lim.rlim_cur - 2;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  is(green_fd_open(&f, hub, at_number(s[0], high)), 0, "a high number");
  actor_start(&a, hub, 0, step_read);
  a.fd = &f;
  turns(hub, 2);
  put(s[1]);
  turns(hub, 2);
  is(a.task.status, 0, "is watched");
  is(a.task.state, GREEN_TASK_DEAD, "as any other");
  green_fd_close(&f);
  close(s[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

enum { MANY = 300 };

static void test_many(void)
{
  static green_fd f[MANY];
  static actor a[MANY];
  static int peer[MANY];
  green_hub *hub = hub_open(NULL);
  int woken = 0;
  for (int i = 0; i < MANY; i++) {
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
    if (green_fd_open(&f[i], hub, s[0]) < 0) abort();
    peer[i] = s[1];
    actor_start(&a[i], hub, 0, step_read);
    a[i].fd = &f[i];
  }
  turns(hub, 2);
  is(stats_of(hub).fds, MANY, "the table of numbers grows");
  for (int i = 0; i < MANY; i++) put(peer[i]);
  for (int i = 0; i < 10; i++) turns(hub, 1);
  for (int i = 0; i < MANY; i++) woken += a[i].task.state == GREEN_TASK_DEAD;
  is(woken, MANY, "all are woken");
  for (int i = 0; i < MANY; i++) {
    green_fd_close(&f[i]);
    close(peer[i]);
  }
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* -- Out of memory -------------------------------------------------------- */

static void step_park_once(actor *a)
{
  if (a->runs > 1) return;
  a->value = green_fd_park(a->fd, &a->task, GREEN_READ, a->deadline);
}

/* 0, or what failed; the number stays the caller's. */
static int scenario(int fd)
{
  green_hub *hub;
  green_fd f = {0};
  actor a;
  int err = green_hub_new(&hub, NULL);
  if (err < 0) return err;
  err = green_fd_open(&f, hub, fd);
  if (err == 0) {
    actor_start(&a, hub, 0, step_park_once);
    a.fd = &f;
    a.deadline = green_hub_now(hub);
    turns(hub, 2);
    err = (int)a.value;
    if (err < 0 && green_fd_waiter(&f, GREEN_READ)) err = GREEN_EINVAL;
    green_fd_detach(&f);
  }
  green_hub_abandon(hub);
  if (fcntl(fd, F_GETFD) < 0) err = GREEN_EBADF;
  if (!is_clean(hub)) err = GREEN_EINVAL;
  green_hub_free(hub);
  return err;
}

static void test_out_of_memory(void)
{
  int p[2], n = 0, err;
  if (pipe(p)) abort();
  do {
    green__alloc_fail_from(++n);
    err = scenario(p[0]);
    green__alloc_fail_from(0);
  } while (err == GREEN_ENOMEM && n < 100);
  is(err, 0, "each allocation may fail, and only ENOMEM comes of it");
  ok(n > 2, "several were tried");
  close(p[0]);
  close(p[1]);
}

/* Each registered one once, by their numbers, for those who look. */
static void test_from(void)
{
  line l, m;
  line_open(&l, NULL);
  is(green_hub_fd_from(l.hub, -1) == &l.f, 1, "the only one");
  is(green_hub_fd_from(l.hub, l.f.fd) == &l.f, 1, "not below its number");
  ok(!green_hub_fd_from(l.hub, l.f.fd + 1), "none behind it");
  ok(!green_hub_fd_from(l.hub, 1 << 30), "none so far out");
  line_open(&m, NULL);
  ok(!green_hub_fd_from(m.hub, m.f.fd + 1), "each hub has its own");
  line_close(&m);
  line_close(&l);
}

int main(void)
{
  t_start();
  test_open();
  test_from();
  test_bad_numbers();
  test_wait_on_a_bad_number();
  test_detach();
  test_close_wakes_both();
  test_used_again();
  test_ready();
  test_hang_up_is_ready();
  test_one_of_each();
  test_next_inherits();
  test_deadline();
  test_reading_stays_armed();
  for (int i = 0; i < N_BACKENDS; i++) test_both_directions(backends[i]);
  test_size();
  test_drained();
  test_abandoned_waiter();
  test_high_numbers("epoll");
  test_high_numbers("poll");
  test_high_numbers("select");
  test_many();
  test_out_of_memory();
  return t_done();
}
