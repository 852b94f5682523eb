/*
** counter.c: atomic operations on a word in shared memory.
*/

#include "base/counter.h"
#include "base/shm.h"

/* What different processors count shares no line of their caches. */
#define COUNTER_ALIGN 64

static int counter_fill(void *it, uint64_t size, const void *start)
{
  (void)size;
  ((green_counter *)it)->value = (int64_t) * (const double *)start;
  return 0;
}

green_counter *green_counter_named(const char *name, size_t n, double start,
                                   int *code)
{
  void *it = NULL;
  uint64_t size = 0;
  green__shm_wish w = {.kind = GREEN_SHM_COUNTER, .name = name, .n = n};
  w.size = w.align = COUNTER_ALIGN;
  w.fill = counter_fill;
  w.arg = &start;
  *code = green__shm_thing(&w, &it, &size);
  return it;
}

int64_t green_counter_get64(const green_counter *c)
{
  return __atomic_load_n(&c->value, __ATOMIC_SEQ_CST);
}

double green_counter_get(const green_counter *c)
{
  return (double)green_counter_get64(c);
}

void green_counter_set(green_counter *c, double value)
{
  __atomic_store_n(&c->value, (int64_t)value, __ATOMIC_SEQ_CST);
}

double green_counter_add(green_counter *c, double by)
{
  return (double)__atomic_add_fetch(&c->value, (int64_t)by, __ATOMIC_SEQ_CST);
}

int green_counter_swap(green_counter *c, double *expected, double value)
{
  int64_t was = (int64_t)*expected;
  int done = __atomic_compare_exchange_n(&c->value, &was, (int64_t)value, 0,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  *expected = (double)was;
  return done;
}
