/*
** http_cut.h: a head through both forms of its parser and in every cut.
**
** Who includes it has compiled the parser a second time, with the scalar scans,
** as twin_parse, and says what is parsed: the type cut_head, the first form
** cut_parse, and cut_same, which compares two runs.
*/
#ifndef GREEN_HTTP_CUT_H
#define GREEN_HTTP_CUT_H

#include "guard.h"

#include <stdio.h>

typedef int cut_parse_fn(cut_head *, const char *, size_t, size_t);

/* The bytes step by step: at and then all of them, or, with at 0, growing by
** one byte. What was there is checked against the guard each time. */
static int cut_feed(cut_parse_fn *parse, cut_head *r, const char *in, size_t n,
                    size_t at)
{
  size_t last = 0, len = at ? at : 1;
  for (;;) {
    int rc = parse(r, guard_copy(in, len), len, last);
    if (rc != GREEN_EAGAIN || len >= n) return rc;
    last = len;
    len = at ? n : len + 1;
  }
}

/* Parse in[0..n) whole, and check that both parsers agree in every cut. The
** first one that does not is told by *bad: 0 the twin whole, -1 byte by byte,
** -2 the twin byte by byte, else where the bytes were cut; *bad is n when all
** agree. Limits, and what was asked, are taken from r. */
static int cut_all(cut_head *r, const char *in, size_t n, long *bad)
{
  static cut_head other;
  other = *r;
  int rc = cut_parse(r, guard_copy(in, n), n, 0), got;
  *bad = 0;
  got = twin_parse(&other, guard_copy(in, n), n, 0);
  if (!cut_same(rc, r, got, &other)) return rc;
  *bad = -1;
  got = cut_feed(cut_parse, &other, in, n, 0);
  if (n && !cut_same(rc, r, got, &other)) return rc;
  *bad = -2;
  got = cut_feed(twin_parse, &other, in, n, 0);
  if (n && !cut_same(rc, r, got, &other)) return rc;
  for (*bad = 1; *bad < (long)n; ++*bad) {
    got = cut_feed(cut_parse, &other, in, n, (size_t)*bad);
    if (!cut_same(rc, r, got, &other)) return rc;
    got = cut_feed(twin_parse, &other, in, n, (size_t)*bad);
    if (!cut_same(rc, r, got, &other)) return rc;
  }
  *bad = (long)n;
  return rc;
}

/* cut_all for tests: the result, or 2^30 when the cuts do not agree. */
__attribute__((unused)) static int cut_verdict(cut_head *r, const char *what,
                                               const char *in, size_t n)
{
  long bad;
  int rc = cut_all(r, in, n, &bad);
  if (bad == (long)n) return rc;
  printf("# cut %ld of \"%s\"\n", bad, what);
  return 1 << 30;
}

#endif
