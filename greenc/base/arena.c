/*
** arena.c: two-level segregated fits, with boundary tags.
*/

#include "base/arena.h"

#include <string.h>

enum { SPLIT_BITS = 4 };

/* A free block; links are 0 at the ends. */
typedef struct arena_spare {
  green__block block;
  uint32_t next, prev;
} arena_spare;

_Static_assert(sizeof(arena_spare) == GREEN_ARENA_UNIT, "one unit is enough");
_Static_assert(1 << SPLIT_BITS == GREEN_ARENA_SPLITS, "as many as bits say");

static arena_spare *arena_spare_at(const green__arena *a, uint32_t b)
{
  return (arena_spare *)green__arena_at(a, b);
}

static uint32_t block_units(const green__block *k)
{
  return k->size >> 1;
}

static int block_is_free(const green__block *k)
{
  return k->size & 1;
}

static unsigned top_bit(uint32_t n)
{
  return 31u - (unsigned)__builtin_clz(n);
}

/* -- Classes --------------------------------------------------------------- */

/* Blocks of fewer units than there are splits have a class for each size. */
static void class_of(uint32_t units, unsigned *order, unsigned *split)
{
  if (units < GREEN_ARENA_SPLITS) {
    *order = 0;
    *split = units;
    return;
  }
  unsigned top = top_bit(units);
  *order = top - SPLIT_BITS + 1;
  *split = units >> (top - SPLIT_BITS) & (GREEN_ARENA_SPLITS - 1);
}

/* Rounded up to a class: a block that is freed fits the next of its kind. */
uint32_t green__arena_units(uint64_t bytes)
{
  uint32_t n = (uint32_t)((bytes + GREEN_ARENA_UNIT - 1) / GREEN_ARENA_UNIT);
  if (n < GREEN_ARENA_SPLITS) return n;
  uint32_t step = UINT32_C(1) << (top_bit(n) - SPLIT_BITS);
  return (n + step - 1) & ~(step - 1);
}

uint32_t green__arena_most(const green__arena *a)
{
  return a->end - a->first;
}

/* -- Free blocks ----------------------------------------------------------- */

static void spare_add(green__arena *a, uint32_t b, uint32_t units)
{
  unsigned order, split;
  class_of(units, &order, &split);
  arena_spare *s = arena_spare_at(a, b);
  uint32_t *head = &a->heads[order][split];
  s->block.size = units << 1 | 1;
  s->next = *head;
  s->prev = 0;
  if (*head) arena_spare_at(a, *head)->prev = b;
  *head = b;
  a->splits[order] |= 1u << split;
  a->orders |= 1u << order;
  a->free += units;
  green__arena_at(a, b + units)->before = units;
}

static void spare_remove(green__arena *a, uint32_t b)
{
  unsigned order, split;
  arena_spare *s = arena_spare_at(a, b);
  uint32_t units = block_units(&s->block);
  class_of(units, &order, &split);
  if (s->next) arena_spare_at(a, s->next)->prev = s->prev;
  if (s->prev) arena_spare_at(a, s->prev)->next = s->next;
  a->free -= units;
  if (s->prev) return;
  a->heads[order][split] = s->next;
  if (s->next) return;
  a->splits[order] &= ~(1u << split);
  if (a->splits[order] == 0) a->orders &= ~(1u << order);
}

/* A free block of at least that many units; 0: none. */
static uint32_t spare_find(const green__arena *a, uint32_t units)
{
  unsigned order, split;
  class_of(units, &order, &split);
  uint32_t splits = a->splits[order] & ~0u << split;
  if (!splits) {
    uint32_t orders = a->orders & ~1u << order;
    if (!orders) return 0;
    order = (unsigned)__builtin_ctz(orders);
    splits = a->splits[order];
  }
  return a->heads[order][__builtin_ctz(splits)];
}

uint32_t green__arena_alloc(green__arena *a, uint32_t units)
{
  if (units > green__arena_most(a)) return 0;
  uint32_t b = spare_find(a, units);
  if (!b) return 0;
  spare_remove(a, b);
  green__block *k = green__arena_at(a, b);
  uint32_t rest = block_units(k) - units;
  if (rest) {
    green__arena_at(a, b + units)->before = units;
    spare_add(a, b + units, rest);
  }
  k->size = units << 1;
  return b;
}

void green__arena_free(green__arena *a, uint32_t b)
{
  green__block *k = green__arena_at(a, b);
  green_assert(!block_is_free(k), "it is in use");
  uint32_t units = block_units(k), after = b + units;
  if (block_is_free(green__arena_at(a, after))) {
    units += block_units(green__arena_at(a, after));
    spare_remove(a, after);
  }
  if (k->before && block_is_free(green__arena_at(a, b - k->before))) {
    b -= k->before;
    units += block_units(green__arena_at(a, b));
    spare_remove(a, b);
  }
  spare_add(a, b, units);
}

/* -- The whole ------------------------------------------------------------- */

static uint64_t *arena_marks(const green__arena *a)
{
  return (uint64_t *)green__arena_at(a, a->marks);
}

static size_t arena_mark_words(const green__arena *a)
{
  return (a->end - a->first + 63) / 64;
}

/* No block is free, and none in use. */
static void arena_empty(green__arena *a)
{
  a->free = a->orders = 0;
  memset(a->splits, 0, sizeof(a->splits));
  memset(a->heads, 0, sizeof(a->heads));
  *green__arena_at(a, a->end) = (green__block){0};
}

void green__arena_clear(green__arena *a)
{
  arena_empty(a);
  green__arena_at(a, a->first)->before = 0;
  spare_add(a, a->first, a->end - a->first);
}

void green__arena_init(green__arena *a, void *base, uint64_t from, uint64_t to)
{
  uint64_t bytes = (to - from) / 128 / GREEN_ARENA_UNIT * GREEN_ARENA_UNIT;
  a->self = (uint64_t)((char *)a - (char *)base);
  a->marks = (uint32_t)(from / GREEN_ARENA_UNIT);
  a->first = a->marks + (uint32_t)(bytes / GREEN_ARENA_UNIT) + 1;
  a->end = (uint32_t)(to / GREEN_ARENA_UNIT) - 1;
  green__arena_clear(a);
}

/* -- After a death --------------------------------------------------------- */

void green__arena_mend_begin(green__arena *a)
{
  arena_empty(a);
  memset(arena_marks(a), 0, arena_mark_words(a) * sizeof(uint64_t));
}

int green__arena_mend_mark(green__arena *a, uint32_t b)
{
  if (b < a->first || b >= a->end) return 0;
  const green__block *k = green__arena_at(a, b);
  if (block_is_free(k) || !block_units(k) || block_units(k) > a->end - b)
    return 0;
  uint64_t *word = &arena_marks(a)[(b - a->first) / 64];
  uint64_t bit = UINT64_C(1) << (b - a->first) % 64;
  if (*word & bit) return 0;
  *word |= bit;
  return 1;
}

/* The next block that is marked, from b on; end: there is none. */
static uint32_t mend_next(const green__arena *a, uint32_t b)
{
  const uint64_t *marks = arena_marks(a);
  uint32_t i = b - a->first, most = a->end - a->first;
  while (i < most) {
    uint64_t word = marks[i / 64] >> i % 64;
    if (word) return a->first + i + (uint32_t)__builtin_ctzll(word);
    i = (i / 64 + 1) * 64;
  }
  return a->end;
}

int green__arena_mend_end(green__arena *a)
{
  uint32_t at = a->first, before = 0;
  while (at < a->end) {
    uint32_t next = mend_next(a, at);
    if (next > at) { /* A gap. */
      green__arena_at(a, at)->before = before;
      spare_add(a, at, next - at);
      before = next - at;
      at = next;
      continue;
    }
    green__block *k = green__arena_at(a, at);
    k->before = before;
    before = block_units(k);
    if (mend_next(a, at + 1) < at + before) return 0;
    at += before;
  }
  green__arena_at(a, a->end)->before = before;
  return 1;
}

/* -- Tests ----------------------------------------------------------------- */

/* How many blocks the lists of free ones hold; 0 and *line: one is wrong. */
static uint32_t check_spares(const green__arena *a, int *line)
{
  uint32_t count = 0;
  for (unsigned i = 0; i < GREEN_ARENA_ORDERS; i++) {
    if (!(a->orders >> i & 1) != !a->splits[i]) *line = __LINE__;
    for (unsigned j = 0; j < GREEN_ARENA_SPLITS; j++) {
      uint32_t prev = 0, b = a->heads[i][j];
      if (!(a->splits[i] >> j & 1) != !b) *line = __LINE__;
      for (; b && !*line; b = arena_spare_at(a, b)->next, count++) {
        unsigned order, split;
        class_of(block_units(green__arena_at(a, b)), &order, &split);
        if (order != i || split != j) *line = __LINE__;
        if (!block_is_free(green__arena_at(a, b))) *line = __LINE__;
        if (arena_spare_at(a, b)->prev != prev) *line = __LINE__;
        prev = b;
      }
    }
  }
  return count;
}

int green__arena_check(const green__arena *a)
{
  int line = 0;
  uint32_t spares = check_spares(a, &line), units = 0, before = 0;
  uint32_t at = a->first;
  int was_free = 0;
  if (line) return line;
  while (at < a->end) {
    const green__block *k = green__arena_at(a, at);
    if (!block_units(k) || block_units(k) > a->end - at) return __LINE__;
    if (k->before != before) return __LINE__;
    if (block_is_free(k) && was_free) return __LINE__;
    was_free = block_is_free(k);
    if (was_free) units += block_units(k), spares--;
    before = block_units(k);
    at += before;
  }
  if (green__arena_at(a, at)->before != before) return __LINE__;
  if (units != a->free) return __LINE__;
  return spares == 0 ? 0 : __LINE__;
}
