/*
** watchdog.c: the thread that looks, and its list.
**
** A run is seen at a look, and counts from there: it is at least as old. Eight
** looks later it is told of, so one that lasts for a limit and an eighth is not
** missed (where the machine lets the watchdog run), and one that is much
** shorter than a limit never told.
*/

#include "io/watchdog.h"
#include "io/shared.h"
#include "io/thread_files.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 8 /* A limit. */
#define BUSY 16 /* Who computes has this part of a CPU, also where many do. */

enum watch_stage {
  WATCH_CALM,
  WATCH_SLEEPS, /* Told that it sleeps. */
  WATCH_SENT,   /* The signal was sent. */
  WATCH_TOLD    /* There is nothing more to tell of this run. */
};

typedef struct watchdog {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
  green_list watches;
  int ends;
} watchdog;

/* -- Where a thread is ---------------------------------------------------- */

/* A file of /proc/self/task/TID, cut off: how much of it, or GREEN_E*, and then
** an empty text. */
static int read_task(pid_t tid, const char *name, char *text, size_t room)
{
  char path[64];
  text[0] = '\0';
  snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t n = read(fd, text, room - 1);
  int err = n < 0 ? -errno : (int)n;
  close(fd);
  text[n < 0 ? 0 : n] = '\0';
  return err;
}

/* "tid (name) S ...": the name may have anything in it. */
static int read_state(pid_t tid)
{
  char text[256];
  int n = read_task(tid, "stat", text, sizeof(text));
  if (n < 0) return n;
  const char *end = strrchr(text, ')');
  if (!end || end[1] != ' ') return GREEN_ENOENT;
  return end[2] == 'S' || end[2] == 'D';
}

int green_watch_where(pid_t tid, int *call, int *is_blind)
{
  char text[256];
  int n = read_task(tid, "syscall", text, sizeof(text));
  *call = -1;
  *is_blind = n <= 0;
  if (n <= 0) return read_state(tid);
  if (text[0] < '0' || text[0] > '9') return 0; /* "running", or "-1 ..." */
  *call = atoi(text);
  return 1;
}

/* -- Telling -------------------------------------------------------------- */

/* A signal that nobody handles any more might end the process. */
static int is_handled(int signo)
{
  struct sigaction now;
  if (sigaction(signo, NULL, &now) < 0) return 0;
  if (now.sa_flags & SA_SIGINFO) return 1;
  return now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN;
}

static void watch_tell(green_watch *w, green_stall *s, int kind)
{
  s->kind = (uint8_t)kind;
  s->run = w->run;
  s->ns = s->is_turn ? w->turn_ns : w->run_ns;
  w->tell(w, s);
}

/* Whoever has come back from the system call since it was read loses nothing;
** one that has gone into another since then would: the two stand close
** together. */
static void watch_send(green_watch *w, green_stall *s, int kind)
{
  watch_tell(w, s, kind);
  w->sent = w->run_ns;
  w->stage = WATCH_SENT;
  if (w->signal && is_handled(w->signal)) pthread_kill(w->thread, w->signal);
}

/* Without /proc the time that it has used since the last look tells whether it
** rests. What might sleep is not disturbed: the first time that counts. */
static void watch_measure(green_watch *w)
{
  clockid_t clock;
  struct timespec used = {0};
  if (w->seen == w->measured) return;
  if (pthread_getcpuclockid(w->thread, &clock) == 0)
    clock_gettime(clock, &used);
  int64_t cpu = used.tv_sec * GREEN_SECOND + used.tv_nsec;
  w->rests = cpu - w->cpu < (w->seen - w->measured) / BUSY;
  if (!w->measured) w->rests = 1;
  w->measured = w->seen;
  w->cpu = cpu;
}

/* The system was asked where it is: it sleeps, or it runs. */
static int watch_sleeps(green_watch *w, green_stall *s)
{
  int call, is_blind, r = green_watch_where(w->tid, &call, &is_blind);
  s->is_blind = (uint8_t)is_blind;
  s->call = call;
  if (r >= 0) return r;
  watch_measure(w);
  return w->rests;
}

static void watch_begin(green_watch *w, int is_turn)
{
  green_stall s = {.is_turn = (uint8_t)is_turn, .call = -1};
  w->in_turn = 1;
  if (!watch_sleeps(w, &s)) {
    watch_send(w, &s, GREEN_STALL_RUNS);
    return;
  }
  w->stage = WATCH_SLEEPS;
  watch_tell(w, &s, GREEN_STALL_SLEEPS);
}

/* It was told of, and lasts. */
static void watch_go_on(green_watch *w)
{
  green_stall s = {.call = -1};
  if (w->stage == WATCH_SLEEPS) {
    if (!watch_sleeps(w, &s)) watch_send(w, &s, GREEN_STALL_RETURNS);
    return;
  }
  if (w->run_ns - w->sent < w->limit) return;
  uint64_t acked = __atomic_load_n(&w->acked, __ATOMIC_RELAXED);
  if (w->stage == WATCH_SENT && acked != w->run)
    watch_tell(w, &s, GREEN_STALL_IS_LATE);
  else if (w->repeats && !watch_sleeps(w, &s))
    watch_send(w, &s, GREEN_STALL_LASTS);
  w->stage = WATCH_TOLD;
  w->sent = w->run_ns;
}

/* -- Looking -------------------------------------------------------------- */

static int64_t watch_period(const green_watch *w)
{
  return w->limit / LOOKS;
}

static void watch_new_run(green_watch *w, uint64_t run)
{
  w->run = run;
  w->run_ns = 0;
  w->stage = WATCH_CALM;
}

static void watch_count(green_watch *w, int64_t now)
{
  const green_pulse *p = &w->pulse;
  uint64_t turn = __atomic_load_n(p->turns, __ATOMIC_RELAXED);
  uint64_t run = __atomic_load_n(p->runs, __ATOMIC_RELAXED);
  int is_busy = __atomic_load_n(p->current, __ATOMIC_RELAXED) != NULL;
  int64_t passed = now - w->seen, most = w->limit / 2;
  if (passed > most) passed = most; /* We were not run ourselves. */
  w->seen = now;
  if (!is_busy || turn != w->turn) {
    w->turn = turn;
    w->turn_ns = 0;
    w->in_turn = 0;
    watch_new_run(w, run);
  } else if (run != w->run) {
    w->turn_ns += passed;
    watch_new_run(w, run);
  } else {
    w->turn_ns += passed;
    w->run_ns += passed;
  }
}

static void watch_look(green_watch *w, int64_t now)
{
  int64_t enough = w->limit - watch_period(w) / 2; /* Looks come late. */
  watch_count(w, now);
  if (w->measured) watch_measure(w);
  if (w->stage != WATCH_CALM)
    watch_go_on(w);
  else if (w->run_ns >= enough)
    watch_begin(w, 0);
  else if (w->turn_ns >= enough && !w->in_turn)
    watch_begin(w, 1);
}

/* Look at those whose time it is. When the next one's is. */
static int64_t watchdog_look(watchdog *d)
{
  int64_t now = green_clock_now(), next = GREEN_NEVER;
  for (green_link *k = d->watches.next; k != &d->watches; k = k->next) {
    green_watch *w = green_container(k, green_watch, link);
    int64_t period = watch_period(w);
    if (now - w->seen >= period - period / 8) watch_look(w, now);
    if (w->seen + period < next) next = w->seen + period;
  }
  return next;
}

static void *watchdog_main(void *arg)
{
  watchdog *d = arg;
  green_files_leave();
  pthread_mutex_lock(&d->lock);
  while (!d->ends) {
    int64_t next = watchdog_look(d);
    if (next == GREEN_NEVER) next = green_clock_now() + GREEN_SECOND;
    struct timespec until = {(time_t)(next / GREEN_SECOND),
                             (long)(next % GREEN_SECOND)};
    pthread_cond_timedwait(&d->changed, &d->lock, &until);
  }
  pthread_mutex_unlock(&d->lock);
  return NULL;
}

/* -- The thread ----------------------------------------------------------- */

/* It handles no signal of the program's. */
static int watchdog_start(watchdog *d)
{
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&d->thread, NULL, watchdog_main, d);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err;
}

static void watchdog_deinit(watchdog *d)
{
  pthread_cond_destroy(&d->changed);
  pthread_mutex_destroy(&d->lock);
  green__free(d);
}

static void *watchdog_make(const void *arg)
{
  pthread_condattr_t monotonic;
  watchdog *d = green__zalloc(sizeof(*d));
  (void)arg;
  if (!d) return NULL;
  green_list_init(&d->watches);
  pthread_mutex_init(&d->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&d->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  if (watchdog_start(d) == 0) return d;
  watchdog_deinit(d);
  return NULL;
}

static void watchdog_free(void *it)
{
  watchdog *d = it;
  pthread_mutex_lock(&d->lock);
  d->ends = 1;
  pthread_cond_signal(&d->changed);
  pthread_mutex_unlock(&d->lock);
  pthread_join(d->thread, NULL);
  watchdog_deinit(d);
}

static green__shared shared_watchdog = {
    .make = watchdog_make, .free = watchdog_free, .forget = green__free};

/* -- Watches -------------------------------------------------------------- */

int green_watch_is_on(const green_watch *w)
{
  return w->dog && w->generation == green_fork_generation();
}

int green_watch_add(green_watch *w)
{
  green_assert(w->tell && w->pulse.runs, "set what is above the line");
  green_assert(w->limit >= 1000000, "limit: a millisecond at least");
  green_assert(!green_watch_is_on(w), "it is not watched");
  watchdog *d = green__shared_acquire(&shared_watchdog, NULL);
  if (!d) return GREEN_ENOMEM;
  w->dog = d;
  w->generation = green_fork_generation();
  w->thread = pthread_self();
  w->tid = (pid_t)syscall(SYS_gettid);
  w->stage = WATCH_CALM;
  w->turn = w->run = w->acked = 0;
  w->measured = 0;
  w->seen = green_clock_now();
  pthread_mutex_lock(&d->lock);
  green_list_push(&d->watches, &w->link);
  pthread_cond_signal(&d->changed); /* Its looks may be more frequent. */
  pthread_mutex_unlock(&d->lock);
  return 0;
}

void green_watch_remove(green_watch *w)
{
  watchdog *d = w->dog;
  if (!green_watch_is_on(w)) return;
  pthread_mutex_lock(&d->lock);
  green_link_remove(&w->link);
  pthread_mutex_unlock(&d->lock);
  w->dog = NULL;
  green__shared_release(&shared_watchdog);
}
