/*
** cputimer.c: the system's timers, and the thread that looks after them.
*/

#include "io/cputimer.h"
#include "io/thread_files.h"
#include "io/watchdog.h"
#include "base/err.h"
#include "base/fork.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SELDOM 8 /* Periods from look to look while the timer keeps up. */
#define CALM 64  /* Looks after which it does so again. */

/* ns: a signal that is handled so soon did not wait for the thread to run. */
#define PROMPT 100000
/* ns: less than a thread that has just got a processor keeps it. */
#define SOON 1000000

static int64_t clock_ns(clockid_t clock)
{
  struct timespec t = {0};
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * GREEN_SECOND + t.tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
  return (struct timespec){(time_t)(ns / GREEN_SECOND),
                           (long)(ns % GREEN_SECOND)};
}

int64_t green_cputimer_now(void)
{
  return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* -- The system's timers -------------------------------------------------- */

/* 0: it could not be made; there may be too many in the system. */
static int timer_open(green_cputimer *t, clockid_t clock, timer_t *timer)
{
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                           .sigev_signo = t->signal,
                           .sigev_value.sival_ptr = timer};
  event._sigev_un._tid = t->tid;
  return timer_create(clock, &event, timer) == 0;
}

static int rough_open(green_cputimer *t)
{
  struct timespec each = timespec_of(t->period);
  struct itimerspec often = {each, each};
  if (t->is_real || !timer_open(t, CLOCK_THREAD_CPUTIME_ID, &t->rough))
    return 0;
  if (timer_settime(t->rough, 0, &often, NULL) == 0) return 1;
  timer_delete(t->rough);
  return 0;
}

static void fine_set(green_cputimer *t, int64_t ns)
{
  struct itimerspec once = {{0, 0}, {0, 0}};
  t->due = green_clock_now() + ns;
  once.it_value = timespec_of(t->due);
  timer_settime(t->fine, TIMER_ABSTIME, &once, NULL);
}

/* Some moment: what runs in a beat of its own is not always met at the same
** place. */
static void fine_set_soon(green_cputimer *t)
{
  int64_t most = t->period / 2 < SOON ? t->period / 2 : SOON;
  t->dice = t->dice * 1664525 + 1013904223;
  fine_set(t, 1 + (int64_t)((uint64_t)most * (t->dice >> 8) >> 24));
}

/* -- In the handler ------------------------------------------------------- */

static int is_of(const siginfo_t *info, const timer_t *timer)
{
  return info->si_code == SI_TIMER && info->si_value.sival_ptr == timer;
}

/* Of the fine timer: was it handled at once? */
static int fine_is_prompt(green_cputimer *t)
{
  if (green_clock_now() - t->due <= PROMPT) return 1;
  fine_set_soon(t);
  return 0;
}

static int cputimer_takes(green_cputimer *t, const siginfo_t *info)
{
  if (is_of(info, &t->rough) || !t->has_fine) return 1;
  if (is_of(info, &t->fine)) return fine_is_prompt(t);
  if (!t->is_real) fine_set_soon(t);
  return 0;
}

int green_cputimer_ticks(green_cputimer *t, const siginfo_t *info)
{
  int is_tick = 0;
  int64_t now = green_cputimer_now();
  if (!t->is_on) return 0;
  int64_t used = now - __atomic_load_n(&t->ticked, __ATOMIC_RELAXED);
  int is_due = used >= t->period / 2;
  if (is_due) is_tick = cputimer_takes(t, info);
  if (is_tick) __atomic_store_n(&t->ticked, now, __ATOMIC_RELAXED);
  if (t->is_real && is_of(info, &t->fine) && (is_tick || !is_due))
    fine_set(t, t->period);
  return is_tick;
}

/* -- The thread that looks ------------------------------------------------ */

/* It runs, or would if it had a processor. Where the system does not say, it
** does if its clock goes on while we look at it. */
static int looker_sees_it_run(const green_cputimer *t, int64_t used)
{
  int call, is_blind;
  int r = green_watch_where(t->tid, &call, &is_blind);
  return r == 0 || (r < 0 && clock_ns(t->clock) > used);
}

/* overdue: of CPU time since the last tick. Was it? */
static int looker_look(const green_cputimer *t, int64_t overdue)
{
  int64_t used = clock_ns(t->clock);
  int64_t ticked = __atomic_load_n(&t->ticked, __ATOMIC_RELAXED);
  if (used - ticked < overdue) return 0;
  union sigval none = {0};
  if (looker_sees_it_run(t, used)) pthread_sigqueue(t->thread, t->signal, none);
  return 1;
}

/* While all goes well its timer is a tick of the kernel late at most. */
static void *looker_main(void *arg)
{
  green_cputimer *t = arg;
  int calm = t->has_rough ? CALM : 0;
  int64_t next = green_clock_now();
  green_files_leave();
  pthread_mutex_lock(&t->lock);
  while (!t->ends) {
    int is_calm = calm >= CALM;
    int64_t now = green_clock_now();
    int64_t overdue = is_calm ? t->period + GREEN_CPUTIMER_REAL : t->period;
    if (now >= next) {
      calm = looker_look(t, overdue) || !t->has_rough ? 0 : calm + 1;
      next = now + (calm >= CALM ? SELDOM : 1) * t->period;
    }
    struct timespec until = timespec_of(next);
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
  }
  pthread_mutex_unlock(&t->lock);
  return NULL;
}

/* It handles no signal of the program's. */
static int looker_start(green_cputimer *t)
{
  sigset_t all, before;
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&t->looker, NULL, looker_main, t);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -err;
}

static void looker_end(green_cputimer *t)
{
  pthread_mutex_lock(&t->lock);
  t->ends = 1;
  pthread_cond_signal(&t->changed);
  pthread_mutex_unlock(&t->lock);
  pthread_join(t->looker, NULL);
}

/* -- Start and stop ------------------------------------------------------- */

static void cputimer_begin(green_cputimer *t)
{
  green_fork_watch();
  t->generation = green_fork_generation();
  t->tid = (pid_t)syscall(SYS_gettid);
  t->thread = pthread_self();
  pthread_getcpuclockid(t->thread, &t->clock);
  t->ticked = green_cputimer_now();
  t->has_looker = t->ends = 0;
  t->dice = (uint32_t)t->ticked;
  t->is_on = 1;
}

int green_cputimer_start(green_cputimer *t)
{
  green_assert(!t->is_on, "it is not on");
  green_assert(t->period >= 1000, "period: a microsecond at least");
  cputimer_begin(t);
  t->is_real = t->period < GREEN_CPUTIMER_REAL;
  t->has_fine = (uint8_t)timer_open(t, CLOCK_MONOTONIC, &t->fine);
  t->has_rough = (uint8_t)rough_open(t);
  t->is_real &= t->has_fine;
  if (t->is_real) {
    fine_set(t, t->period);
    return 0;
  }
  int err = looker_start(t);
  t->has_looker = err == 0;
  if (err < 0) green_cputimer_stop(t);
  return err;
}

void green_cputimer_stop(green_cputimer *t)
{
  int is_ours = t->generation == green_fork_generation();
  if (!t->is_on) return;
  t->is_on = 0;
  if (!is_ours) return;
  if (t->has_looker) looker_end(t);
  if (t->has_rough) timer_delete(t->rough);
  if (t->has_fine) timer_delete(t->fine);
}
