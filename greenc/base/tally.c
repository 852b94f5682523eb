/*
** tally.c: a table with open places: a key stands at the first free one from
** where its product with the secret says.
*/

#include "base/tally.h"
#include "base/mem.h"

#include <sys/random.h>

#define TALLY_FIRST 64

void green_tally_deinit(green_tally *t)
{
  green__free(t->a);
  *t = (green_tally){0};
}

static uint32_t tally_home(const green_tally *t, uint64_t key)
{
  return (uint32_t)(key * t->secret >> 32) & (t->cap - 1);
}

/* Where key is, or would be put. */
static uint32_t tally_find(const green_tally *t, uint64_t key)
{
  uint32_t i = tally_home(t, key);
  while (t->a[i].n > 0 && t->a[i].key != key) i = (i + 1) & (t->cap - 1);
  return i;
}

/* Odd, and of all 64 bits. Without the system's help it is none of chance, and
** does its work all the same. */
static uint64_t tally_secret(void)
{
  uint64_t secret = 0;
  if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) < 0) secret = 0;
  return secret ? secret | 1 : 0x9e3779b97f4a7c15u;
}

static int tally_grow(green_tally *t)
{
  green_tally wide = {.cap = t->cap ? 2 * t->cap : TALLY_FIRST, .len = t->len};
  wide.secret = t->secret ? t->secret : tally_secret();
  wide.a = green__zalloc(wide.cap * sizeof(green_tallied));
  if (!wide.a) return GREEN_ENOMEM;
  for (uint32_t i = 0; i < t->cap; i++)
    if (t->a[i].n > 0) wide.a[tally_find(&wide, t->a[i].key)] = t->a[i];
  green__free(t->a);
  *t = wide;
  return 0;
}

int green_tally_add(green_tally *t, uint64_t key)
{
  if (2 * (t->len + 1) > t->cap && tally_grow(t) < 0) return GREEN_ENOMEM;
  green_tallied *e = &t->a[tally_find(t, key)];
  if (e->n == 0) {
    e->key = key;
    t->len++;
  }
  e->n++;
  return 0;
}

/* The place i is free: who stands behind it and would rather be there moves. */
static void tally_close_gap(green_tally *t, uint32_t i)
{
  uint32_t mask = t->cap - 1;
  for (uint32_t k = (i + 1) & mask; t->a[k].n > 0; k = (k + 1) & mask) {
    uint32_t home = tally_home(t, t->a[k].key);
    if (((k - home) & mask) < ((k - i) & mask)) continue;
    t->a[i] = t->a[k];
    t->a[k].n = 0;
    i = k;
  }
}

void green_tally_drop(green_tally *t, uint64_t key)
{
  green_assert(green_tally_count(t, key) > 0, "there is one");
  uint32_t i = tally_find(t, key);
  if (--t->a[i].n > 0) return;
  t->len--;
  tally_close_gap(t, i);
}

uint32_t green_tally_count(const green_tally *t, uint64_t key)
{
  return t->cap ? t->a[tally_find(t, key)].n : 0;
}
