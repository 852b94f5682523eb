/*
** cputimer_test.c: a thread is told of the CPU time that it uses, also where
** others want the processor, and where it uses it.
*/

/* wrap: timer_create pthread_create */

#include "child.h"
#include "no_threads.h"
#include "t.h"

#include "io/cputimer.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#define MS INT64_C(1000000)
#define BUSY 6

static atomic_int timers_fail;

int __real_timer_create(clockid_t clock, struct sigevent *e, timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *e, timer_t *timer);

int __wrap_timer_create(clockid_t clock, struct sigevent *e, timer_t *timer)
{
  if (!timers_fail) return __real_timer_create(clock, e, timer);
  errno = EAGAIN;
  return -1;
}

/* -- A thread that computes ----------------------------------------------- */

static green_cputimer timer;
static atomic_int signals, ticks;
static _Atomic(int64_t) last, in_calls, in_all;
static atomic_int is_in_call; /* The loop is about its system call. */

static void caught(int signo, siginfo_t *info, void *context)
{
  (void)signo;
  (void)context;
  atomic_fetch_add(&signals, 1);
  if (!green_cputimer_ticks(&timer, info)) return;
  int64_t now = green_cputimer_now(), used = now - atomic_exchange(&last, now);
  atomic_fetch_add(&ticks, 1);
  atomic_fetch_add(&in_all, used);
  if (atomic_load(&is_in_call)) atomic_fetch_add(&in_calls, used);
}

static void handle(void)
{
  struct sigaction sa = {.sa_sigaction = caught,
                         .sa_flags = SA_SIGINFO | SA_RESTART};
  sigemptyset(&sa.sa_mask);
  sigaction(SIGPROF, &sa, NULL);
}

static int begin(int64_t period)
{
  handle();
  memset(&timer, 0, sizeof(timer));
  timer.signal = SIGPROF;
  timer.period = period;
  signals = ticks = 0;
  in_calls = in_all = 0;
  last = green_cputimer_now();
  return green_cputimer_start(&timer);
}

/* Use so much CPU time, with a system call between two steps. What it has
** used. */
static int64_t spin(int64_t ns)
{
  int64_t begun = green_cputimer_now(), used = 0;
  while (used < ns) {
    for (volatile int i = 0; i < 20000; i++) {
    }
    atomic_store(&is_in_call, 1);
    used = green_cputimer_now() - begun;
    atomic_store(&is_in_call, 0);
  }
  return used;
}

static pid_t busy[BUSY];

static void others_begin(void)
{
  for (int i = 0; i < BUSY; i++) {
    busy[i] = fork();
    if (busy[i] != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(100);
    for (;;) {
    }
  }
}

static void others_end(void)
{
  for (int i = 0; i < BUSY; i++) {
    kill(busy[i], SIGKILL);
    waitpid(busy[i], NULL, 0);
  }
}

/* -- Ticks ---------------------------------------------------------------- */

/* All that it used is told, in steps that are no larger than some periods on
** the average, and not more often than it used periods. */
static void check_ticks(int64_t used, int64_t period)
{
  ok(ticks >= used / period / 4, "its ticks are many");
  ok(ticks <= 2 * used / period + 2, "and not too many");
  ok(in_all > used / 2, "what was used is told");
}

static void test_cpu_time(void)
{
  is(begin(5 * MS), 0, "it begins");
  check_ticks(spin(200 * MS), 5 * MS);
  green_cputimer_stop(&timer);
}

static void test_short(void)
{
  is(begin(MS), 0, "it begins");
  check_ticks(spin(100 * MS), MS);
  green_cputimer_stop(&timer);
}

/* A twentieth of its time may be that of its calls. */
static void test_beside_others(int64_t period)
{
  others_begin();
  is(begin(period), 0, "it begins beside others");
  int64_t used = spin(300 * MS);
  check_ticks(used, period);
  ok(in_calls < in_all / 3, "its calls are not to blame");
  printf("# %d ticks, %d %% of the time in calls\n", ticks,
         (int)(100 * in_calls / (in_all + 1)));
  green_cputimer_stop(&timer);
  others_end();
}

static void test_busy(void)
{
  test_beside_others(5 * MS);
  test_beside_others(MS);
}

static void test_no_timers(void)
{
  timers_fail = 1;
  is(begin(5 * MS), 0, "it begins");
  check_ticks(spin(200 * MS), 5 * MS);
  green_cputimer_stop(&timer);
  is(begin(MS), 0, "it begins");
  check_ticks(spin(100 * MS), MS);
  green_cputimer_stop(&timer);
  timers_fail = 0;
}

static void test_signals_of_others(void)
{
  is(begin(1000 * MS), 0, "it begins");
  for (int i = 0; i < 1000; i++) raise(SIGPROF);
  ok(signals >= 1000, "others send signals");
  is(ticks, 0, "which are no ticks");
  green_cputimer_stop(&timer);
}

static void test_sleep(void)
{
  is(begin(5 * MS), 0, "it begins");
  for (int i = 0; i < 5; i++) {
    struct timespec pause = {0, 40 * MS};
    is(nanosleep(&pause, NULL), 0, "a sleep is not cut short");
  }
  is(signals, 0, "there was no signal");
  green_cputimer_stop(&timer);
}

/* -- Start and stop ------------------------------------------------------- */

static void test_no_thread(void)
{
  threads_fail = 1;
  is(begin(5 * MS), -EAGAIN, "no thread can be made");
  threads_fail = 0;
  ok(!timer.is_on, "it is not on then");
  spin(30 * MS);
  is(ticks, 0, "nothing ticks any more");
}

static void test_again(void)
{
  for (int i = 0; i < 50; i++) {
    if (begin(i % 2 ? MS : 5 * MS) < 0) is(i, -1, "it begins each time");
    green_cputimer_stop(&timer);
    green_cputimer_stop(&timer);
  }
  spin(30 * MS);
  is(ticks, 0, "nothing ticks any more");
}

static void child_main(void)
{
  spin(30 * MS);
  if (ticks > 0) _exit(1);
  green_cputimer_stop(&timer);
  if (t_under_tsan) _exit(0); /* It bears no thread after a fork. */
  if (begin(5 * MS) < 0) _exit(2);
  spin(100 * MS);
  green_cputimer_stop(&timer);
  _exit(ticks >= 5 ? 0 : 3);
}

static void test_fork(void)
{
  int status = -1;
  is(begin(5 * MS), 0, "it begins");
  ticks = 0;
  pid_t pid = fork();
  if (pid == 0) child_main();
  waitpid(pid, &status, 0);
  is(status, 0, "a child has one of its own");
  ticks = 0;
  spin(60 * MS);
  ok(ticks > 0, "the parent keeps its own");
  green_cputimer_stop(&timer);
}

int main(void)
{
  t_start();
  test_cpu_time();
  test_short();
  test_busy();
  test_no_timers();
  test_signals_of_others();
  test_sleep();
  test_no_thread();
  test_again();
  test_fork();
  return t_done();
}
