/*
** histogram_test.c: what a histogram tells, beside the sorted lengths.
*/

#include "t.h"
#include "base/histogram.h"

#include <stdlib.h>

static void test_empty(void)
{
  static green_histogram h;
  is(green_histogram_count(&h), 0, "there are none");
  is(green_histogram_at(&h, 0.5), 0, "in the middle of nothing: 0");
  is(green_histogram_at(&h, 1), 0, "at its end, too");
}

static void test_bins(void)
{
  int last = -1, wrong = 0;
  for (int64_t ns = 0; ns < INT64_C(1) << 38; ns += 1 + ns / 64) {
    int bin = green_histogram_bin(ns);
    wrong += bin < last || bin > last + 1 || bin >= GREEN_HISTOGRAM_BINS;
    last = bin;
  }
  is(wrong, 0, "one after the other, without a hole");
  is(last, GREEN_HISTOGRAM_BINS - 1, "to the last");
  is(green_histogram_bin(1023), 0, "what is short is one");
  is(green_histogram_bin(1024), 1, "and divided from there on");
  is(green_histogram_bin(INT64_MAX), GREEN_HISTOGRAM_BINS - 1, "or endless");
}

static void test_ends(void)
{
  static green_histogram h;
  green_histogram_add(&h, -5);
  green_histogram_add(&h, INT64_C(1) << 50);
  is(h.n[0], 1, "a negative length counts as 0");
  is(h.sum, UINT64_C(1) << 50, "and adds nothing");
  is(green_histogram_at(&h, 1), INT64_C(1) << 50, "the longest is known");
  is(green_histogram_below(&h, 10), 1, "one is short");
  is(green_histogram_below(&h, 37), 1, "the other is beyond all powers");
  is(green_histogram_count(&h), 2, "there are two");
}

static int by_size(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

enum { MANY = 5000 };

static void test_as_sorted(void)
{
  static green_histogram h;
  static int64_t all[MANY];
  unsigned dice = 1;
  int wrong = 0;
  for (int i = 0; i < MANY; i++) {
    dice = dice * 1103515245u + 12345u;
    all[i] = (int64_t)(dice >> 8 & 0xffff) << (dice >> 28);
    green_histogram_add(&h, all[i]);
  }
  qsort(all, MANY, sizeof(*all), by_size);
  for (int i = 1; i <= 100; i++) {
    double exact = (double)all[i * (MANY / 100) - 1];
    double at = (double)green_histogram_at(&h, i / 100.);
    wrong += at < exact * 0.87 - 1024 || at > exact * 1.13 + 1024;
  }
  is(wrong, 0, "each percentile is an eighth off at most");
  is(green_histogram_at(&h, 1), all[MANY - 1], "the last is exact");
  int below = 0;
  while (below < MANY && all[below] < 1 << 20) below++;
  is(green_histogram_below(&h, 20), below, "below a power of two, exactly");
}

int main(void)
{
  t_start();
  test_empty();
  test_bins();
  test_ends();
  test_as_sorted();
  return t_done();
}
