/*
** tally_test.c: counts by key, beside a plain array.
*/

#include "t.h"
#include "base/mem.h"
#include "base/tally.h"

enum { KEYS = 500 };

static void test_empty(void)
{
  green_tally t = {0};
  is(green_tally_count(&t, 7), 0, "nothing of anything");
  green_tally_deinit(&t);
  is(green_tally_add(&t, 0), 0, "any number is a key");
  is(green_tally_count(&t, 0), 1, "one of it");
  is(green_tally_count(&t, 1), 0, "none of another");
  green_tally_drop(&t, 0);
  is(green_tally_count(&t, 0), 0, "gone");
  is(t.len, 0, "there are no keys");
  green_tally_deinit(&t);
}

static uint64_t spread(int i)
{
  return i % 2 ? (uint64_t)i << 40 : (uint64_t)i;
}

static void test_as_an_array(void)
{
  static uint32_t n[KEYS];
  green_tally t = {0};
  unsigned dice = 1;
  int wrong = 0;
  uint32_t keys = 0;
  for (int round = 0; round < 40000; round++) {
    dice = dice * 1103515245u + 12345u;
    int i = (int)(dice >> 16) % KEYS;
    int fewer = (dice >> 8 & 7) < (round < 20000 ? 3u : 5u);
    if (fewer && n[i]) {
      green_tally_drop(&t, spread(i));
      keys -= --n[i] == 0;
    } else if (!fewer) {
      if (green_tally_add(&t, spread(i)) < 0) abort();
      keys += n[i]++ == 0;
    }
    wrong += t.len != keys;
    if (round % 100) continue;
    for (int k = 0; k < KEYS; k++)
      wrong += green_tally_count(&t, spread(k)) != n[k];
  }
  is(wrong, 0, "what an array counts");
  ok(t.cap <= 2048, "in a table for those there were");
  green_tally_deinit(&t);
}

static void test_no_memory(void)
{
  green_tally t = {0};
  green__alloc_fail_from(1);
  is(green_tally_add(&t, 5), GREEN_ENOMEM, "no memory");
  is(green_tally_count(&t, 5), 0, "nothing has changed");
  green__alloc_fail_from(0);
  for (uint64_t i = 0; i < 32; i++) green_tally_add(&t, i);
  green__alloc_fail_from(1);
  is(green_tally_add(&t, 99), GREEN_ENOMEM, "nor later");
  is(green_tally_count(&t, 31), 1, "what there was stays");
  green__alloc_fail_from(0);
  green_tally_deinit(&t);
}

int main(void)
{
  t_start();
  test_empty();
  test_as_an_array();
  test_no_memory();
  return t_done();
}
