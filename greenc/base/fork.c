/*
** fork.c: a page that the kernel zeroes in every child.
**
** Where the kernel cannot do that (before Linux 4.14), pthread_atfork sees at
** least what goes through the C library.
*/

#include "base/fork.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t fork_static_word = 1;
uint32_t *green__fork_word = &fork_static_word;
static uint32_t fork_count = 1; /* Copied by a fork: the parent's generation. */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_in_child(void)
{
  __atomic_store_n(green__fork_word, 0, __ATOMIC_RELAXED);
}

static uint32_t *fork_wiped_page(void)
{
#ifdef MADV_WIPEONFORK
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, size, MADV_WIPEONFORK) == 0) return page;
  munmap(page, size);
#endif
  return NULL;
}

static void fork_begin(void)
{
  uint32_t *page = fork_wiped_page();
  if (page) {
    *page = fork_count;
    __atomic_store_n(&green__fork_word, page, __ATOMIC_RELEASE);
  } else {
    pthread_atfork(NULL, NULL, fork_in_child);
  }
}

void green_fork_watch(void)
{
  pthread_once(&fork_once, fork_begin);
}

const uint32_t *green_fork_word(void)
{
  return green__fork_word;
}

/* A child begins with one thread; should it have more by now, one of them
** counts. */
uint32_t green__fork_noticed(void)
{
  uint32_t none = 0,
           next = __atomic_add_fetch(&fork_count, 1, __ATOMIC_RELAXED);
  if (__atomic_compare_exchange_n(green__fork_word, &none, next, 0,
                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return next;
  return none;
}

void green__forkonce_renew(green_forkonce *o, void (*make)(void *), void *arg)
{
  uint32_t g = green_fork_generation();
  uint32_t begun = __atomic_load_n(&o->begun, __ATOMIC_RELAXED);
  if (begun != g &&
      __atomic_compare_exchange_n(&o->begun, &begun, g, 0, __ATOMIC_RELAXED,
                                  __ATOMIC_RELAXED)) {
    make(arg);
    __atomic_store_n(&o->done, g, __ATOMIC_RELEASE);
    return;
  }
  while (__atomic_load_n(&o->done, __ATOMIC_ACQUIRE) != g) sched_yield();
}
