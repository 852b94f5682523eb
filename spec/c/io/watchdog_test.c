/*
** watchdog_test.c: runs that do not end are told of, from another thread.
*/

/* wrap: open pthread_create */

#include "actor.h"
#include "child.h"
#include "no_threads.h"

#include "io/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define LIMIT 20000000 /* ns */

/* -- What the system says ------------------------------------------------- */

static atomic_int syscall_is_denied, stat_is_denied;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
  const char *end = strrchr(path, '/');
  if ((syscall_is_denied && end && !strcmp(end, "/syscall")) ||
      (stat_is_denied && end && !strcmp(end, "/stat"))) {
    errno = EACCES;
    return -1;
  }
  return __real_open(path, flags, 0600);
}

/* -- A hub with a task that blocks ---------------------------------------- */

typedef struct house {
  green_hub *hub;
  green_watch watch;
  green_task task;
  atomic_int told[GREEN_STALL_LASTS + 1];
  atomic_int calls;  /* Of told, with a number. */
  atomic_int blinds; /* And those where the system does not say. */
  atomic_int turns;
  _Atomic(int64_t) ns;
  void (*block)(struct house *h);
} house;

static void house_told(green_watch *w, const green_stall *s)
{
  house *h = green_container(w, house, watch);
  h->calls += s->call >= 0;
  h->blinds += s->is_blind;
  h->turns += s->is_turn;
  h->ns = s->ns;
  h->told[s->kind]++;
}

static void house_open(house *h)
{
  memset(h, 0, sizeof(*h));
  if (green_hub_new(&h->hub, NULL) < 0) abort();
  h->watch.pulse = green_hub_pulse(h->hub);
  h->watch.limit = LIMIT;
  h->watch.tell = house_told;
}

static void house_close(house *h)
{
  green_watch_remove(&h->watch);
  green_hub_free(h->hub);
}

static void house_resume(green_task *t)
{
  house *h = green_container(t, house, task);
  h->block(h);
  green_task_end(t);
}

/* Run one task that does that, and what it leaves. */
static void house_run(house *h, void (*block)(house *h))
{
  h->block = block;
  memset(&h->task, 0, sizeof(h->task));
  green_task_init(&h->task, h->hub, house_resume);
  green_task_start(&h->task);
  green_hub_turn(h->hub, 0);
}

static int all_told(house *h)
{
  int n = 0;
  for (int i = 0; i <= GREEN_STALL_LASTS; i++) n += h->told[i];
  return n;
}

/* -- Ways to block -------------------------------------------------------- */

/* These spin: a wait would be a system call. */
static void spin_until_told(house *h)
{
  while (!h->told[GREEN_STALL_RUNS]) continue;
}

static void spin_until_late(house *h)
{
  while (!h->told[GREEN_STALL_IS_LATE]) continue;
}

/* Where it is slow it may have counted as asleep first. */
static void spin_until_any(house *h)
{
  int before = h->told[GREEN_STALL_RUNS] + h->told[GREEN_STALL_RETURNS];
  while (h->told[GREEN_STALL_RUNS] + h->told[GREEN_STALL_RETURNS] == before)
    continue;
}

static void spin_until_third(house *h)
{
  while (h->told[GREEN_STALL_LASTS] < 3) {
    __atomic_store_n(&h->watch.acked, *h->watch.pulse.runs, __ATOMIC_RELAXED);
  }
}

static int pipe_of[2];
static ssize_t pipe_read;
static int sleeps_before;

static void read_until_told(house *h)
{
  char byte;
  (void)h;
  pipe_read = read(pipe_of[0], &byte, 1);
}

static void read_then_spin(house *h)
{
  read_until_told(h);
  while (!h->told[GREEN_STALL_RETURNS]) continue;
}

/* Another thread writes when the watchdog has told. */
static void *write_when_told(void *arg)
{
  house *h = arg;
  while (h->told[GREEN_STALL_SLEEPS] == sleeps_before) usleep(500);
  if (write(pipe_of[1], "x", 1) != 1) abort();
  return NULL;
}

static void house_run_pipe(house *h, void (*block)(house *h))
{
  pthread_t writer;
  sleeps_before = h->told[GREEN_STALL_SLEEPS];
  if (pipe(pipe_of) < 0) abort();
  if (pthread_create(&writer, NULL, write_when_told, h)) abort();
  house_run(h, block);
  pthread_join(writer, NULL);
  close(pipe_of[0]);
  close(pipe_of[1]);
}

/* -- Signals -------------------------------------------------------------- */

static atomic_int signals;
static pthread_t signalled;

static void on_signal(int signo)
{
  (void)signo;
  signalled = pthread_self();
  signals++;
}

static void handle_signal(void)
{
  struct sigaction sa = {.sa_handler = on_signal};
  signals = 0;
  sigaction(SIGPROF, &sa, NULL);
}

static void spin_until_signal(house *h)
{
  (void)h;
  while (!signals) continue;
}

/* -- Tests ---------------------------------------------------------------- */

static void test_run(void)
{
  house h;
  house_open(&h);
  is(green_watch_add(&h.watch), 0, "a hub is watched");
  is(green_watch_is_on(&h.watch), 1, "and is known to be");
  house_run(&h, spin_until_told);
  is(h.told[GREEN_STALL_RUNS], 1, "a run that does not end is told of once");
  is(h.turns, 0, "as a run");
  ok(h.ns > LIMIT / 2, "with how long it has taken");
  house_run(&h, spin_until_told);
  house_run(&h, spin_until_late);
  is(h.told[GREEN_STALL_RUNS], 2, "the next one, too");
  is(h.told[GREEN_STALL_IS_LATE], 1, "who does not answer is told of as late");
  house_close(&h);
  is(green_watch_is_on(&h.watch), 0, "it can be ended");
}

static void test_repeats(void)
{
  house h;
  house_open(&h);
  h.watch.repeats = 1;
  is(green_watch_add(&h.watch), 0, "one that is to be told again");
  house_run(&h, spin_until_third);
  is(h.told[GREEN_STALL_RUNS], 1, "is told of first");
  ok(h.told[GREEN_STALL_LASTS] >= 3, "and each limit from then on");
  house_close(&h);
}

static void task_rest(green_task *t)
{
  int64_t until = green_clock_now() + LIMIT / 10;
  while (green_clock_now() < until) continue;
  green_task_end(t);
}

/* Each run is short; together they have no poll for long. */
static void test_turn(void)
{
  enum { N = 200 };
  static green_task tasks[N];
  house h;
  house_open(&h);
  memset(tasks, 0, sizeof(tasks));
  for (int i = 0; i < N; i++) {
    green_task_init(&tasks[i], h.hub, task_rest);
    green_task_start(&tasks[i]);
  }
  is(green_watch_add(&h.watch), 0, "many short runs in one turn");
  green_hub_turn(h.hub, 0);
  /* Or one of them stood still for that long. */
  ok(h.turns == 1 || h.told[GREEN_STALL_RUNS], "are told of once, as a turn");
  house_close(&h);
}

static void test_poll(void)
{
  house h;
  house_open(&h);
  is(green_watch_add(&h.watch), 0, "a hub that waits");
  green_hub_hold(h.hub);
  for (int i = 0; i < 10; i++) {
    green_hub_turn(h.hub, 0);
    usleep(LIMIT / 1000 / 4); /* The wait is what is tested. */
  }
  is(all_told(&h), 0, "stalls nothing");
  house_close(&h);
}

static void test_sleeps(void)
{
  house h;
  house_open(&h);
  handle_signal();
  h.watch.signal = SIGPROF;
  h.watch.limit = 5 * LIMIT; /* It may be slow to get there. */
  is(green_watch_add(&h.watch), 0, "a run that sleeps in a system call");
  house_run_pipe(&h, read_until_told);
  is(h.told[GREEN_STALL_SLEEPS], 1, "is told of as such");
  is(h.calls, 1, "with the call's number");
  is(pipe_read, 1, "and is not cut short");
  is(h.told[GREEN_STALL_RUNS], 0, "nor sent its signal meanwhile");
  house_run_pipe(&h, read_then_spin);
  is(h.told[GREEN_STALL_RETURNS], 1, "when it runs again it is");
  house_close(&h);
}

static void test_denied(void)
{
  house h;
  house_open(&h);
  syscall_is_denied = 1;
  h.watch.limit = 5 * LIMIT;
  is(green_watch_add(&h.watch), 0, "where the system does not name the call");
  house_run_pipe(&h, read_until_told);
  is(h.told[GREEN_STALL_SLEEPS], 1, "that it sleeps is known all the same");
  is(h.calls, 0, "without a number");
  ok(h.blinds > 0, "and that is said");
  house_run(&h, spin_until_told);
  is(h.told[GREEN_STALL_RUNS], 1, "as is that it runs");
  stat_is_denied = 1;
  house_run_pipe(&h, read_until_told);
  is(h.told[GREEN_STALL_SLEEPS], 2, "without any word it counts as asleep");
  is(h.calls, 0, "in no call that is known");
  house_run(&h, spin_until_any);
  ok(1, "until it is seen to use the CPU");
  syscall_is_denied = stat_is_denied = 0;
  house_close(&h);
}

static void test_signal(void)
{
  house h;
  house_open(&h);
  handle_signal();
  h.watch.signal = SIGPROF;
  is(green_watch_add(&h.watch), 0, "with a signal");
  house_run(&h, spin_until_signal);
  ok(pthread_equal(signalled, pthread_self()), "it comes to the thread");
  signal(SIGPROF, SIG_DFL);
  house_run(&h, spin_until_late);
  ok(1, "one that nobody handles is not sent");
  house_close(&h);
}

static int thread_went_wrong;

static void *other_thread(void *arg)
{
  house h;
  (void)arg;
  house_open(&h);
  if (green_watch_add(&h.watch) < 0) return &thread_went_wrong;
  for (int i = 0; i < 5; i++) {
    int before = h.told[GREEN_STALL_RUNS];
    h.told[GREEN_STALL_RUNS] = 0;
    house_run(&h, spin_until_told);
    if (before > 1) return &thread_went_wrong;
  }
  house_close(&h);
  return NULL;
}

static void test_threads(void)
{
  pthread_t threads[4];
  void *wrong;
  int n = 0;
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, other_thread, NULL);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], &wrong);
    n += wrong == NULL;
  }
  is(n, 4, "each hub of several threads is told of by itself");
}

static void test_no_thread(void)
{
  house h;
  house_open(&h);
  threads_fail = 1;
  is(green_watch_add(&h.watch), GREEN_ENOMEM, "without a thread it fails");
  threads_fail = 0;
  is(green_watch_is_on(&h.watch), 0, "and watches nothing");
  is(green_watch_add(&h.watch), 0, "it may be tried again");
  house_close(&h);
}

/* The parent's thread does not look here. */
static void live_on(void *arg)
{
  house *h = arg;
  green_hub_check_fork(h->hub);
  must(!green_watch_is_on(&h->watch));
  must(green_watch_add(&h->watch) == 0);
  house_run(h, spin_until_told);
  must(h->told[GREEN_STALL_RUNS] == 1);
  green_watch_remove(&h->watch);
  must(!green_watch_is_on(&h->watch));
}

static void test_fork(void)
{
  house h;
  if (t_under_tsan) {
    t_skip("a child", "ThreadSanitizer starts no threads there");
    return;
  }
  house_open(&h);
  is(green_watch_add(&h.watch), 0, "in a child of a fork");
  is(in_child(live_on, &h), 0, "nobody watches until it is asked to");
  house_run(&h, spin_until_told);
  is(h.told[GREEN_STALL_RUNS], 1, "the parent's goes on");
  house_close(&h);
}

static void test_names(void)
{
  is_str(green_syscall_name(SYS_read), "read", "a call has its name");
  is_str(green_syscall_name(SYS_clock_nanosleep), "clock_nanosleep", "each");
  ok(!green_syscall_name(SYS_getpid), "one that never waits has none");
  ok(!green_syscall_name(-1) && !green_syscall_name(1 << 20),
     "nor what is none");
}

int main(void)
{
  t_start();
  test_run();
  test_repeats();
  test_turn();
  test_poll();
  test_sleeps();
  test_denied();
  test_signal();
  test_threads();
  test_no_thread();
  test_fork();
  test_names();
  return t_done();
}
