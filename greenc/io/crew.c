/*
** crew.c: the lock of the process, and what a fork does to it.
*/

#include "io/crew_priv.h"
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* How long a fork waits for work to end. */
#define CREW_FORK_PATIENCE (GREEN_SECOND / 20)

/* Of the process. */
static struct {
  green_forkonce made;
  pthread_mutex_t lock;
  pthread_cond_t quiet; /* The last work that was running is over. */
  pthread_cond_t go_on; /* The last fork is over. */
  uint32_t running;
  uint32_t forking; /* Forks under way: no thread begins anything. */
} crews;

/* -- The lock, and forks -------------------------------------------------- */

static struct timespec time_of(int64_t deadline)
{
  return (struct timespec){(time_t)(deadline / GREEN_SECOND),
                           (long)(deadline % GREEN_SECOND)};
}

void green__crew_cond_init(pthread_cond_t *cond)
{
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
}

int green__crew_wait(pthread_cond_t *cond, int64_t deadline)
{
  struct timespec until = time_of(deadline);
  if (deadline == GREEN_NEVER) return pthread_cond_wait(cond, &crews.lock);
  return pthread_cond_timedwait(cond, &crews.lock, &until) == ETIMEDOUT;
}

/* A fork of C's waits until no thread is in the middle of something, so that a
** child finds the lists whole; and for a moment until no thread is at work: a
** child of a process that was inside the C library's resolver, say, may find
** its locks taken for ever. */
static void crews_before_fork(void)
{
  int64_t until = green_clock_now() + CREW_FORK_PATIENCE;
  green__crew_lock();
  crews.forking++;
  while (crews.running && !green__crew_wait(&crews.quiet, until)) continue;
}

static void crews_in_parent(void)
{
  if (--crews.forking == 0) pthread_cond_broadcast(&crews.go_on);
  green__crew_unlock();
}

static void crews_in_child(void)
{
  green__crew_unlock();
}

static void crews_watch(void)
{
  pthread_atfork(crews_before_fork, crews_in_parent, crews_in_child);
}

/* In a child, too: who held the lock is not known, and who waited, who was at
** work and who forks is not here. */
static void crews_make(void *arg)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)arg;
  pthread_mutex_init(&crews.lock, NULL);
  green__crew_cond_init(&crews.quiet);
  green__crew_cond_init(&crews.go_on);
  crews.running = crews.forking = 0;
  pthread_once(&once, crews_watch);
}

void green__crew_lock(void)
{
  green_forkonce_check(&crews.made, crews_make, NULL);
  pthread_mutex_lock(&crews.lock);
}

void green__crew_unlock(void)
{
  pthread_mutex_unlock(&crews.lock);
}

/* -- What runs ------------------------------------------------------------ */

void green__crew_running_more(void)
{
  crews.running++;
}

/* It may have forked: then nothing is counted as running here. */
void green__crew_running_less(void)
{
  if (crews.running && --crews.running == 0)
    pthread_cond_broadcast(&crews.quiet);
}

int green__crew_forking(void)
{
  return crews.forking != 0;
}

void green__crew_await_fork(void)
{
  green__crew_wait(&crews.go_on, GREEN_NEVER);
}
