/*
** resp_cut.h: replies through the parser in every cut. Fuzzers use it too.
*/
#ifndef GREEN_RESP_CUT_H
#define GREEN_RESP_CUT_H

#include "proto/resp.h"
#include "guard.h"

#include <stdio.h>

/* Scan in[0..n) as it grows by step bytes; each time it ends at the guard. */
static int cut_scan(green_resp *r, const char *in, size_t n, size_t step)
{
  size_t len = 0;
  int rc = GREEN_EAGAIN;
  while (rc == GREEN_EAGAIN && len < n) {
    len = n - len < step ? n : len + step;
    rc = green_resp_scan(r, guard_copy(in, len), len);
  }
  return rc;
}

/* Scan whole, in two pieces of every length, and in pieces of every length up
** to most. -1000: they do not agree. r gets limits, and gives the reason. */
static int cut_resp(green_resp *r, const char *in, size_t n, size_t most)
{
  const green_resp fresh = *r;
  int rc = cut_scan(r, in, n, n + 1);
  for (size_t i = 1; i < n && n <= most; i++) {
    green_resp other = fresh;
    int got = green_resp_scan(&other, guard_copy(in, i), i);
    if (got == GREEN_EAGAIN)
      got = green_resp_scan(&other, guard_copy(in, n), n);
    if (got != rc || other.reason != r->reason) return -1000;
  }
  for (size_t step = 1; step <= most; step++) {
    green_resp other = fresh;
    int got = cut_scan(&other, in, n, step);
    if (got != rc || other.reason != r->reason) return -1000;
  }
  return rc;
}

/* Walk a reply that was taken: its length as the tokens say, or 0. deepest:
** how far aggregates stood in each other. */
static size_t cut_walk(const char *in, size_t n, int *deepest)
{
  uint64_t left[GREEN_RESP_DEPTH + 2] = {1};
  size_t at = 0;
  int depth = 0;
  while (depth >= 0) {
    green_resp_token t;
    int len = green_resp_next(in + at, n - at, &t);
    if (len <= 0) return 0;
    if (t.text_off + t.text_len > (uint32_t)len) return 0;
    at += (size_t)len;
    if (t.type != '|') left[depth]--;
    if (green_resp_is_aggregate(t.type)) {
      if (depth == GREEN_RESP_DEPTH && t.integer) return 0;
      left[++depth] = (uint64_t)t.integer;
      if (t.integer && depth > *deepest) *deepest = depth;
    }
    while (depth >= 0 && !left[depth]) depth--;
  }
  return at;
}

#endif
