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
#include <unistd.h>

/* Of the process. */
static struct {
  green_list seats;
  uint32_t generation; /* Of the process that they are of. */
  uint32_t n;          /* Atomic: read without the lock, too. */
  uint64_t last;       /* The number that was given last. */
} roster;

/* With the lock held, before each use. */
static void roster_check(void)
{
  if (green_likely(!green_fork_happened(&roster.generation))) return;
  green_list_init(&roster.seats);
  __atomic_store_n(&roster.n, 0, __ATOMIC_RELAXED);
}

/* -- Threads -------------------------------------------------------------- */

void green__roster_enter(green__seat *s)
{
  roster_check();
  s->number = ++roster.last;
  s->jobs = 0;
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
}

void green__seat_end(green__seat *s)
{
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
