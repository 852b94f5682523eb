/*
** http_request_cut.h: a request head through both parsers and in every cut.
**
** The parser is compiled a second time here, with the scalar scans and under
** other names, so that both forms are fed the same bytes. Fuzzers use it too.
*/
#ifndef GREEN_HTTP_REQUEST_CUT_H
#define GREEN_HTTP_REQUEST_CUT_H

#include "guard.h"
#include "proto/http_request.h"

#include <stdio.h>

__attribute__((unused)) static void twin_init(green_http_request *r);
static int twin_parse(green_http_request *r, const char *buf, size_t len,
                      size_t last);
#define green_http_request_init twin_init
#define green_http_request_parse twin_parse
#define GREEN_SCAN_SCALAR
#include "proto/http_request.c"
#undef green_http_request_init
#undef green_http_request_parse

typedef int cut_parse_fn(green_http_request *, const char *, size_t, size_t);

/* The bytes step by step: at and then all of them, or, with at 0, growing by
** one byte. What was there is checked against the guard each time. */
static int cut_feed(cut_parse_fn *parse, green_http_request *r, const char *in,
                    size_t n, size_t at)
{
  size_t last = 0, len = at ? at : 1;
  for (;;) {
    int rc = parse(r, guard_copy(in, len), len, last);
    if (rc != GREEN_EAGAIN || len >= n) return rc;
    last = len;
    len = at ? n : len + 1;
  }
}

/* Do two runs say the same? A refused request is its answer and no more. */
static int cut_same(int rc_a, const green_http_request *a, int rc_b,
                    const green_http_request *b)
{
  if (rc_a != rc_b) return 0;
  if (rc_a == GREEN_EAGAIN) return 1;
  if (rc_a < 0)
    return a->status == b->status && a->reason && b->reason &&
           !strcmp(a->reason, b->reason);
  green_http_request x = *a, y = *b;
  if (x.nheaders != y.nheaders) return 0;
  size_t from = offsetof(green_http_request, status);
  size_t len = offsetof(green_http_request, headers) +
               x.nheaders * sizeof(x.headers[0]) - from;
  return !memcmp((char *)&x + from, (char *)&y + from, len);
}

/* Parse in[0..n) whole, and check that both parsers agree in every cut. The
** first one that does not is told by *bad: 0 the twin whole, -1 byte by byte,
** -2 the twin byte by byte, else where the bytes were cut; *bad is n when all
** agree. Limits are taken from r. */
static int cut_all(green_http_request *r, const char *in, size_t n, long *bad)
{
  green_http_request other = *r;
  int rc = green_http_request_parse(r, guard_copy(in, n), n, 0), got;
  *bad = 0;
  got = twin_parse(&other, guard_copy(in, n), n, 0);
  if (!cut_same(rc, r, got, &other)) return rc;
  *bad = -1;
  got = cut_feed(green_http_request_parse, &other, in, n, 0);
  if (n && !cut_same(rc, r, got, &other)) return rc;
  *bad = -2;
  got = cut_feed(twin_parse, &other, in, n, 0);
  if (n && !cut_same(rc, r, got, &other)) return rc;
  for (*bad = 1; *bad < (long)n; ++*bad) {
    got = cut_feed(green_http_request_parse, &other, in, n, (size_t)*bad);
    if (!cut_same(rc, r, got, &other)) return rc;
    got = cut_feed(twin_parse, &other, in, n, (size_t)*bad);
    if (!cut_same(rc, r, got, &other)) return rc;
  }
  *bad = (long)n;
  return rc;
}

/* cut_all for tests: the result, or 2^30 when the cuts do not agree. */
__attribute__((unused)) static int
cut_verdict(green_http_request *r, const char *what, const char *in, size_t n)
{
  long bad;
  int rc = cut_all(r, in, n, &bad);
  if (bad == (long)n) return rc;
  printf("# cut %ld of \"%s\"\n", bad, what);
  return 1 << 30;
}

#endif
