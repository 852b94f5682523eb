/*
** histogram.c: what is read of a histogram, bin by bin.
*/

#include "base/histogram.h"

uint64_t green_histogram_count(const green_histogram *h)
{
  uint64_t count = 0;
  for (int i = 0; i < GREEN_HISTOGRAM_BINS; i++) count += h->n[i];
  return count;
}

uint64_t green_histogram_below(const green_histogram *h, int power)
{
  uint64_t count = 0;
  green_assert(power >= GREEN_HISTOGRAM_FIRST &&
                   power <= GREEN_HISTOGRAM_LAST + 1,
               "from GREEN_HISTOGRAM_FIRST to one more than _LAST");
  int end = 1 + (power - GREEN_HISTOGRAM_FIRST) * GREEN_HISTOGRAM_PARTS;
  for (int i = 0; i < end; i++) count += h->n[i];
  return count;
}

/* Where a bin begins; all in it are below where the next one does. */
static int64_t bin_begin(int i)
{
  if (i == 0) return 0;
  int power = GREEN_HISTOGRAM_FIRST + (i - 1) / GREEN_HISTOGRAM_PARTS;
  int64_t part = (i - 1) % GREEN_HISTOGRAM_PARTS;
  return (GREEN_HISTOGRAM_PARTS + part) << (power - 3);
}

/* The lengths of a bin are taken to be spread over it evenly. */
static int64_t bin_at(const green_histogram *h, int i, double before,
                      double rank)
{
  double begin = (double)bin_begin(i), end = (double)bin_begin(i + 1);
  if (i == GREEN_HISTOGRAM_BINS - 1) return h->most;
  int64_t at =
      (int64_t)(begin + (end - begin) * (rank - before) / (double)h->n[i]);
  return at < h->most ? at : h->most;
}

int64_t green_histogram_at(const green_histogram *h, double part)
{
  double rank = part * (double)green_histogram_count(h), before = 0;
  green_assert(part >= 0 && part <= 1, "this part of all (0 to 1)");
  for (int i = 0; i < GREEN_HISTOGRAM_BINS; i++) {
    if (h->n[i] && before + (double)h->n[i] >= rank)
      return bin_at(h, i, before, rank);
    before += (double)h->n[i];
  }
  return h->most;
}
