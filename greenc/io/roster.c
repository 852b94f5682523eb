/*
** roster.c: a list of the threads, in the order of their numbers.
**
** In a child of a fork the parent's threads are not there: it begins anew with
** the first of its own, or with the first look.
*/

#include "io/roster.h"
#include "base/clock.h"
#include "base/fork.h"
#include "io/crew.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of the process. */
static struct {
  green_list seats;
  green_list meters;
  uint32_t generation; /* Of the process that they are of. */
  uint32_t n;          /* Atomic: read without the lock, too. */
  uint64_t last;       /* The number that was given last. */
} roster;

static __thread green__seat *own; /* Of this thread. */

/* With the lock held, before each use. */
static void roster_check(void)
{
  if (green_likely(!green_fork_happened(&roster.generation))) return;
  green_list_init(&roster.seats);
  green_list_init(&roster.meters);
  __atomic_store_n(&roster.n, 0, __ATOMIC_RELAXED);
}

/* -- What jobs use -------------------------------------------------------- */

/* Its thread is there as long as the seat is. */
static int64_t cpu_of(const green__seat *s)
{
  clockid_t clock;
  struct timespec t = {0};
  if (pthread_getcpuclockid(s->thread, &clock) == 0) clock_gettime(clock, &t);
  return t.tv_sec * GREEN_SECOND + t.tv_nsec;
}

static void seat_measure(green__seat *s, green_meter *m)
{
  s->meter = m;
  s->cpu = cpu_of(s);
}

static int64_t seat_take(green__seat *s)
{
  int64_t now = cpu_of(s), ns = now - s->cpu;
  s->cpu = now;
  return ns;
}

static void seat_pay(green__seat *s)
{
  green_meter *m = s->meter;
  s->meter = NULL;
  if (m) m->add(m, s->job, seat_take(s));
}

static void seat_find_meter(green__seat *s)
{
  s->meter = NULL;
  for (green_link *k = roster.meters.next; k != &roster.meters; k = k->next) {
    green_meter *m = green_container(k, green_meter, link);
    if (m->hub == s->hub) seat_measure(s, m);
  }
}

void green_meter_add(green_meter *m)
{
  green__crew_lock();
  roster_check();
  m->generation = green_fork_generation();
  green_list_push(&roster.meters, &m->link);
  for (green_link *k = roster.seats.next; k != &roster.seats; k = k->next) {
    green__seat *s = green_container(k, green__seat, link);
    if (s->job && s->hub == m->hub) seat_measure(s, m);
  }
  green__crew_unlock();
}

void green_meter_remove(green_meter *m)
{
  if (m->generation != green_fork_generation()) return;
  m->generation = 0;
  green__crew_lock();
  green_link_remove(&m->link);
  for (green_link *k = roster.seats.next; k != &roster.seats; k = k->next) {
    green__seat *s = green_container(k, green__seat, link);
    if (s->meter == m) seat_pay(s);
  }
  green__crew_unlock();
}

int green_meter_take(const green_job *job, green_meter_fn *fn, void *arg)
{
  green__seat *s = own;
  if (!s) return 0;
  green__crew_lock();
  int is_there = s->job == job && s->meter;
  if (is_there) fn(s->meter, seat_take(s), arg);
  green__crew_unlock();
  return is_there;
}

/* -- Threads -------------------------------------------------------------- */

void green__roster_enter(green__seat *s)
{
  roster_check();
  s->number = ++roster.last;
  own = s;
  s->jobs = 0;
  s->thread = pthread_self();
  s->meter = NULL;
  s->tid = (pid_t)syscall(SYS_gettid);
  s->job = NULL;
  s->since = green_clock_now();
  green_list_push(&roster.seats, &s->link);
  __atomic_store_n(&roster.n, roster.n + 1, __ATOMIC_RELAXED);
}

void green__roster_leave(green__seat *s)
{
  roster_check();
  green_link_remove(&s->link);
  __atomic_store_n(&roster.n, roster.n - 1, __ATOMIC_RELAXED);
}

void green__seat_work(green__seat *s, const green_job *job, const void *hub)
{
  s->job = job;
  s->jobs++;
  s->hub = hub;
  s->since = green_clock_now();
  roster_check();
  if (green_unlikely(!green_list_empty(&roster.meters))) seat_find_meter(s);
}

void green__seat_end(green__seat *s)
{
  if (green_unlikely(s->meter != NULL)) seat_pay(s);
  s->job = NULL;
}

void green__seat_rest(green__seat *s)
{
  s->since = green_clock_now();
}

/* -- Looking -------------------------------------------------------------- */

static void look_at_job(const green__seat *s, green_native *n)
{
  const green_job *job = s->job;
  n->state =
      job->state == GREEN_JOB_LOST ? GREEN_NATIVE_LOST : GREEN_NATIVE_AT_WORK;
  n->hub = job->pool ? s->hub : NULL;
  if (job->note) job->note(job, &n->note);
}

static void look_at(const green__seat *s, green_native *n)
{
  memset(n, 0, sizeof(*n));
  n->number = s->number;
  n->jobs = s->jobs;
  n->tid = s->tid;
  n->since = s->since;
  if (s->job) look_at_job(s, n);
}

/* With the lock held. NULL: none. */
static const green__seat *seat_from(uint64_t number)
{
  roster_check();
  for (green_link *k = roster.seats.next; k != &roster.seats; k = k->next) {
    const green__seat *s = green_container(k, green__seat, link);
    if (s->number >= number) return s;
  }
  return NULL;
}

int green_roster_next(uint64_t number, green_native *n)
{
  if (!__atomic_load_n(&roster.n, __ATOMIC_RELAXED)) return 0;
  green__crew_lock();
  const green__seat *s = seat_from(number);
  if (s) look_at(s, n);
  green__crew_unlock();
  return s != NULL;
}

int green_roster_visit(uint64_t number, uint64_t jobs, green_roster_fn *fn,
                       void *arg)
{
  if (!__atomic_load_n(&roster.n, __ATOMIC_RELAXED)) return 0;
  green__crew_lock();
  const green__seat *s = seat_from(number);
  int is_there = s && s->number == number && s->jobs == jobs && s->job;
  if (is_there) fn(s->job, arg);
  green__crew_unlock();
  return is_there;
}
