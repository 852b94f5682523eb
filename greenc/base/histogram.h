/*
** histogram.h: how long things took: how many of each of many lengths.
**
** Lengths are nanoseconds. Below 1,024 all are one; from there to 2^37 (137 s)
** each power of two is divided in eight, so what is read of it is at most an
** eighth too much; all beyond are one again. To add costs a few operations and
** no memory.
*/
#ifndef GREEN_HISTOGRAM_H
#define GREEN_HISTOGRAM_H

#include "base/err.h"

#include <stdint.h>

enum {
  GREEN_HISTOGRAM_FIRST = 10, /* Of the powers of two that are divided, */
  GREEN_HISTOGRAM_LAST = 36,  /* both included, */
  GREEN_HISTOGRAM_PARTS = 8,  /* in so many. */
  GREEN_HISTOGRAM_BINS =
      2 +
      (GREEN_HISTOGRAM_LAST - GREEN_HISTOGRAM_FIRST + 1) * GREEN_HISTOGRAM_PARTS
};

/* Embed in the owner, zeroed. */
typedef struct green_histogram {
  uint64_t sum;
  int64_t most; /* The longest. */
  uint64_t n[GREEN_HISTOGRAM_BINS];
} green_histogram;

static inline int green_histogram_bin(int64_t ns)
{
  if (ns < INT64_C(1) << GREEN_HISTOGRAM_FIRST) return 0;
  int power = 63 - __builtin_clzll((unsigned long long)ns);
  if (power > GREEN_HISTOGRAM_LAST) return GREEN_HISTOGRAM_BINS - 1;
  int part = (int)(ns >> (power - 3)) & (GREEN_HISTOGRAM_PARTS - 1);
  return 1 + (power - GREEN_HISTOGRAM_FIRST) * GREEN_HISTOGRAM_PARTS + part;
}

/* One more. A negative length counts as 0. */
static inline void green_histogram_add(green_histogram *h, int64_t ns)
{
  if (ns < 0) ns = 0;
  h->n[green_histogram_bin(ns)]++;
  h->sum += (uint64_t)ns;
  if (ns > h->most) h->most = ns;
}

/* How many there are. */
GREEN_API uint64_t green_histogram_count(const green_histogram *h);

/* How many there are below 2^power, which is from GREEN_HISTOGRAM_FIRST to one
** more than GREEN_HISTOGRAM_LAST. */
GREEN_API uint64_t green_histogram_below(const green_histogram *h, int power);

/* The length that this part of all (0 to 1) does not exceed: nearly, and never
** more than the longest. 0: there are none. */
GREEN_API int64_t green_histogram_at(const green_histogram *h, double part);

#endif
