/*
** futex_test.c: sleeping on a word. Threads that do: tpool_test.c.
*/

#include "t.h"
#include "base/clock.h"
#include "base/futex.h"

#include <pthread.h>
#include <stdatomic.h>

static uint32_t word;
static atomic_int awake;

static void *sleeper(void *arg)
{
  (void)arg;
  while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
    green__futex_wait(&word, 0, GREEN_NEVER);
  awake++;
  return NULL;
}

static void test_woken(void)
{
  pthread_t id;
  if (pthread_create(&id, NULL, sleeper, NULL)) abort();
  green__futex_wake(&word);
  is(awake, 0, "a call that the word does not go with wakes nobody for good");
  __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
  green__futex_wake(&word);
  pthread_join(id, NULL);
  is(awake, 1, "with the word it does");
}

static void test_not_slept(void)
{
  uint32_t other = 7;
  is(green__futex_wait(&other, 6, GREEN_NEVER), 0, "another word: no sleep");
  is(green__futex_wait(&other, 7, 1000000), 1, "a millisecond, and no call");
  is(green__futex_wait(&other, 7, 0), 1, "no time at all");
  is(green__futex_wait(&other, 6, 0), 0, "which another word does not need");
}

static void test_nobody_is_there(void)
{
  uint32_t other = 0;
  green__futex_wake(&other);
  green__futex_wake(NULL);
  ok(1, "a call for nobody, or for memory that has gone, does nothing");
}

int main(void)
{
  t_start();
  test_woken();
  test_not_slept();
  test_nobody_is_there();
  return t_done();
}
