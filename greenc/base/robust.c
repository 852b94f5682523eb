/*
** robust.c: a robust mutex of POSIX, with a spin before the wait.
*/

#include "base/robust.h"
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* About as long as what is done under the lock: a sleep in the kernel costs
** more than that. */
#define ROBUST_SPINS 200

int green__robust_init(pthread_mutex_t *m)
{
  pthread_mutexattr_t how;
  int r = pthread_mutexattr_init(&how);
  if (r != 0) return -r;
  pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
  r = pthread_mutex_init(m, &how);
  pthread_mutexattr_destroy(&how);
  return -r;
}

static void robust_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/* GCC 12's ThreadSanitizer does not know clocklock. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

static void tell_before(pthread_mutex_t *m)
{
  __tsan_mutex_pre_lock(m, __tsan_mutex_try_lock);
}

static void tell_after(pthread_mutex_t *m, int locked)
{
  unsigned failed = locked ? 0 : __tsan_mutex_try_lock_failed;
  __tsan_mutex_post_lock(m, __tsan_mutex_try_lock | failed, 0);
}
#else
static void tell_before(pthread_mutex_t *m)
{
  (void)m;
}

static void tell_after(pthread_mutex_t *m, int locked)
{
  (void)m, (void)locked;
}
#endif

static int robust_wait(pthread_mutex_t *m)
{
  int64_t until = green_clock_now() + GREEN_ROBUST_PATIENCE;
  struct timespec ts = {until / GREEN_SECOND, until % GREEN_SECOND};
  tell_before(m);
  int r = pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &ts);
  tell_after(m, r == 0 || r == EOWNERDEAD);
  return r;
}

int green__robust_lock(pthread_mutex_t *m)
{
  int r = pthread_mutex_trylock(m);
  for (int i = 0; green_unlikely(r == EBUSY) && i < ROBUST_SPINS; i++) {
    robust_pause();
    r = pthread_mutex_trylock(m);
  }
  if (green_unlikely(r == EBUSY)) r = robust_wait(m);
  if (green_likely(r == 0)) return 0;
  return r == EOWNERDEAD ? 1 : GREEN_EBUSY;
}

void green__robust_mended(pthread_mutex_t *m)
{
  pthread_mutex_consistent(m);
}

void green__robust_unlock(pthread_mutex_t *m)
{
  pthread_mutex_unlock(m);
}
