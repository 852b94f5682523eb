/*
** census.c: a table of hashes, each text in memory of its own.
*/

#include "base/census.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/siphash.h"

#include <string.h>

#define CAP_FIRST 64

void green_census_init(green_census *c, size_t most)
{
  *c = (green_census){.most = most};
  if (green_random_fill(c->secret, sizeof(c->secret)) < 0)
    c->secret[0] = (uintptr_t)c; /* Better than what all know. */
}

void green_census_deinit(green_census *c)
{
  for (uint32_t i = 0; i < c->cap; i++) green__free(c->a[i].text);
  green__free(c->a);
  *c = (green_census){.most = c->most};
}

/* Where the text is, or would be; there is an empty place. */
static green_counted *place_of(const green_census *c, uint64_t hash,
                               const char *text, size_t len)
{
  uint32_t i = (uint32_t)hash & (c->cap - 1);
  for (;; i = (i + 1) & (c->cap - 1)) {
    green_counted *at = &c->a[i];
    if (!at->text || (at->hash == hash && at->len == len &&
                      memcmp(at->text, text, len) == 0))
      return at;
  }
}

static int census_grow(green_census *c)
{
  green_census bigger = *c;
  bigger.cap = c->cap ? 2 * c->cap : CAP_FIRST;
  size_t n = bigger.cap * sizeof(*c->a), old = c->cap * sizeof(*c->a);
  if (c->bytes - old + n > c->most) return GREEN_ENOMEM;
  bigger.a = green__zalloc(n);
  if (!bigger.a) return GREEN_ENOMEM;
  for (uint32_t i = 0; i < c->cap; i++) {
    const green_counted *at = &c->a[i];
    if (at->text) *place_of(&bigger, at->hash, at->text, at->len) = *at;
  }
  green__free(c->a);
  bigger.bytes = c->bytes - old + n;
  *c = bigger;
  return 0;
}

/* NULL: no memory. */
static green_counted *census_new(green_census *c, green_counted *at,
                                 uint64_t hash, const char *text, size_t len)
{
  if (c->bytes + len + 1 > c->most) return NULL;
  char *copy = green__alloc(len + 1);
  if (!copy) return NULL;
  memcpy(copy, text, len);
  copy[len] = '\0';
  *at = (green_counted){.hash = hash, .text = copy, .len = len};
  c->bytes += len + 1;
  c->len++;
  return at;
}

static green_counted *census_find(green_census *c, const char *text, size_t len)
{
  uint64_t hash = green__siphash(c->secret, text, len);
  if (!c->cap && census_grow(c) < 0) return NULL;
  green_counted *at = place_of(c, hash, text, len);
  if (at->text) return at;
  if (c->len + 1 <= c->cap - c->cap / 4)
    return census_new(c, at, hash, text, len);
  if (census_grow(c) < 0) return NULL;
  return census_new(c, place_of(c, hash, text, len), hash, text, len);
}

void green_census_add(green_census *c, const char *text, size_t len,
                      uint64_t times, double value)
{
  green_counted *at = census_find(c, text, len);
  if (!at) at = &c->others;
  at->count += times;
  at->value += value;
}

const green_counted *green_census_next(const green_census *c, uint32_t *i)
{
  while (*i < c->cap) {
    const green_counted *at = &c->a[(*i)++];
    if (at->text) return at;
  }
  return NULL;
}
