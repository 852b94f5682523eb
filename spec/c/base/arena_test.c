/*
** arena_test.c: blocks, beside an array that says whose each unit is; and what
** is left when all but the blocks in use is forgotten.
*/

#include "t.h"
#include "base/arena.h"

enum { BYTES = 256 * 1024, MOST = 400 };

static union {
  green__arena arena;
  uint64_t align;
  char bytes[BYTES];
} memory;

static green__arena *a = &memory.arena;
static uint32_t dice = 1;

static uint32_t roll(uint32_t n)
{
  dice = dice * 1103515245u + 12345u;
  return (dice >> 8) % n;
}

static void start(void)
{
  uint64_t from = (sizeof(green__arena) + 15) / 16 * 16;
  memset(&memory, 0xaa, sizeof(memory));
  green__arena_init(a, &memory, from, BYTES);
}

static uint32_t units_of(uint32_t b)
{
  return green__arena_at(a, b)->size >> 1;
}

static void test_sizes(void)
{
  int wrong = 0;
  for (uint64_t n = 8; n < 1 << 20; n += 1 + n / 100) {
    uint64_t got = (uint64_t)green__arena_units(n) * GREEN_ARENA_UNIT;
    if (got < n || got > n + n / 16 + 2 * GREEN_ARENA_UNIT) wrong++;
    if (green__arena_units(got) * (uint64_t)GREEN_ARENA_UNIT != got) wrong++;
  }
  is(wrong, 0, "a class has room, and no more than 1/16 too much");
}

static void test_whole(void)
{
  start();
  uint32_t most = green__arena_most(a), b;
  ok((uint64_t)most * 16 > BYTES * 98 / 100 - sizeof(green__arena),
     "it needs little for itself");
  is(a->free, most, "all is free");
  is(green__arena_alloc(a, most + 1), 0, "there is no more than all");
  b = green__arena_alloc(a, green__arena_units(16));
  ok(b, "one unit is a block");
  green__arena_free(a, b);
  is(green__arena_check(a), 0, "all is well");
  is(a->free, most, "all is free again");
}

/* What was full of one kind has room for it whenever one is freed. */
static void test_full(void)
{
  static uint32_t b[BYTES / 16];
  int n = 0, failed = 0;
  uint32_t units = green__arena_units(1000);
  start();
  while ((b[n] = green__arena_alloc(a, units))) n++;
  ok(n > BYTES / 1000 * 9 / 10, "as many as there is room for");
  for (int i = 0; i < 1000; i++) {
    int k = (int)roll((uint32_t)n);
    green__arena_free(a, b[k]);
    b[k] = green__arena_alloc(a, units);
    if (!b[k]) failed++;
  }
  is(failed, 0, "for each that is freed there is a new one");
}

static uint32_t blocks[MOST];
static unsigned char of[MOST];

static void fill(int i)
{
  char *p = (char *)green__arena_at(a, blocks[i]) + sizeof(green__block);
  of[i] = (unsigned char)roll(256);
  memset(p, of[i], units_of(blocks[i]) * 16 - sizeof(green__block));
}

static int is_filled(int i)
{
  const unsigned char *p = (const unsigned char *)green__arena_at(a, blocks[i]);
  for (size_t k = sizeof(green__block); k < units_of(blocks[i]) * 16; k++)
    if (p[k] != of[i]) return 0;
  return 1;
}

/* Forget all that the blocks in use do not say. */
static int mend(void)
{
  int good = 1;
  uint32_t was = a->free;
  a->orders = roll(UINT32_MAX), a->free = 7;
  memset(a->heads, 0x55, sizeof(a->heads));
  for (int i = 0; i < MOST; i++)
    if (blocks[i]) green__arena_at(a, blocks[i])->before = 99;
  green__arena_mend_begin(a);
  for (int i = 0; i < MOST; i++)
    if (blocks[i] && !green__arena_mend_mark(a, blocks[i])) good = 0;
  return good && green__arena_mend_end(a) && a->free == was;
}

static void test_storm(void)
{
  int wrong = 0, ill = 0, unmended = 0;
  start();
  memset(blocks, 0, sizeof(blocks));
  for (int round = 0; round < 50000; round++) {
    int i = (int)roll(MOST);
    if (blocks[i]) {
      if (!is_filled(i)) wrong++;
      green__arena_free(a, blocks[i]);
      blocks[i] = 0;
    } else {
      uint32_t n = roll(20) ? roll(300) : roll(20000);
      blocks[i] = green__arena_alloc(a, green__arena_units(n + 8));
      if (blocks[i]) fill(i);
    }
    if (round % 100 == 0 && green__arena_check(a)) ill++;
    if (round % 1000 == 0 && (!mend() || green__arena_check(a))) unmended++;
  }
  is(wrong, 0, "blocks keep what is in them");
  is(ill, 0, "all is well");
  is(unmended, 0, "the blocks in use are enough to know the rest");
  for (int i = 0; i < MOST; i++)
    if (blocks[i]) green__arena_free(a, blocks[i]);
  is(green__arena_check(a), 0, "all is well at the end");
  is(a->free, green__arena_most(a), "and free");
}

static void test_nonsense(void)
{
  start();
  uint32_t b = green__arena_alloc(a, 4);
  green__arena_alloc(a, 4);
  green__arena_mend_begin(a);
  is(green__arena_mend_mark(a, b), 1, "a block in use");
  is(green__arena_mend_mark(a, b), 0, "no block is used twice");
  is(green__arena_mend_mark(a, 0), 0, "nor before the first");
  is(green__arena_mend_mark(a, a->end), 0, "nor behind the last");
  is(green__arena_mend_mark(a, b + 8), 0, "nor is a free one");
  *green__arena_at(a, b + 2) = (green__block){.size = 2 << 1};
  is(green__arena_mend_mark(a, b + 2), 1, "what is in another is seen");
  is(green__arena_mend_end(a), 0, "at the end");
  green__arena_clear(a);
  is(green__arena_check(a), 0, "and all can be cleared");
}

int main(void)
{
  t_start();
  test_sizes();
  test_whole();
  test_full();
  test_storm();
  test_nonsense();
  return t_done();
}
