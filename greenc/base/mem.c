/*
** mem.c: malloc with a switch that makes it fail (tests).
*/

#include "base/mem.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_int mem_fail_from = INT_MAX;
static atomic_int mem_calls;

int green__alloc_fail_from(int n)
{
  int calls = atomic_exchange(&mem_calls, 0);
  atomic_store(&mem_fail_from, n ? n : INT_MAX);
  return calls;
}

/* A relaxed load is all a release build pays while the switch is off. */
static int mem_fails(void)
{
  int from = atomic_load_explicit(&mem_fail_from, memory_order_relaxed);
  if (from == INT_MAX) return 0;
  return atomic_fetch_add(&mem_calls, 1) + 1 >= from;
}

void *green__alloc(size_t n)
{
  return mem_fails() ? NULL : malloc(n);
}

void *green__zalloc(size_t n)
{
  return mem_fails() ? NULL : calloc(1, n);
}

void *green__realloc(void *p, size_t n)
{
  return mem_fails() ? NULL : realloc(p, n);
}

void green__free(void *p)
{
  free(p);
}

char *green__copy_text(const char *text)
{
  size_t n = strlen(text) + 1;
  char *copy = green__alloc(n);
  return copy ? memcpy(copy, text, n) : NULL;
}

static void (*_Atomic mem_on_shared)(void);

void green__mem_on_shared(void (*fn)(void))
{
  atomic_store(&mem_on_shared, fn);
}

void green__mem_shared(void)
{
  void (*fn)(void) = atomic_exchange(&mem_on_shared, NULL);
  if (fn) fn();
}
