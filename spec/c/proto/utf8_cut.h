/*
** utf8_cut.h: texts through the automaton in every cut, its twin without
** vectors, and a plain reading of RFC 3629's grammar. Fuzzers use it too.
*/
#ifndef GREEN_UTF8_CUT_H
#define GREEN_UTF8_CUT_H

#include "guard.h"
#include "proto/utf8.h"

/* utf8.c once more, with scans that look at each byte. */
int twin_run(green_utf8 *u, const char *p, size_t n);
bool twin_is_whole(const green_utf8 *u);
bool twin_check(const char *p, size_t n);
#define green_utf8_run twin_run
#define green_utf8_is_whole twin_is_whole
#define green_utf8_check twin_check
#define GREEN_SCAN_SCALAR
#include "proto/utf8.c"
#undef green_utf8_run
#undef green_utf8_is_whole
#undef green_utf8_check

/* What may stand at each place of the characters of a length: the rows of the
** table in RFC 3629, 4. */
static const struct cut_row {
  int len;
  unsigned char low[4];
  unsigned char high[4];
} cut_rows[] = {
    {1, {0x00}, {0x7f}},
    {2, {0xc2, 0x80}, {0xdf, 0xbf}},
    {3, {0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}},
    {3, {0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}},
    {3, {0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}},
    {3, {0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}},
    {4, {0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}},
    {4, {0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}},
    {4, {0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}},
};

enum { CUT_WHOLE, CUT_BEGUN, CUT_WRONG };

/* One character at p: its length; 0: it may go on behind the end; -1. */
static int cut_character(const unsigned char *p, size_t n)
{
  for (size_t i = 0; i < sizeof(cut_rows) / sizeof(cut_rows[0]); i++) {
    const struct cut_row *r = &cut_rows[i];
    int at = 0;
    while (at < r->len && (size_t)at < n && p[at] >= r->low[at] &&
           p[at] <= r->high[at])
      at++;
    if (at == r->len) return at;
    if ((size_t)at == n) return 0;
  }
  return -1;
}

static int cut_plain(const char *text, size_t n)
{
  const unsigned char *p = (const unsigned char *)text;
  while (n) {
    int len = cut_character(p, n);
    if (len <= 0) return len ? CUT_WRONG : CUT_BEGUN;
    p += len;
    n -= (size_t)len;
  }
  return CUT_WHOLE;
}

static int cut_verdict(int rc, bool whole)
{
  if (rc == GREEN_EILSEQ) return whole ? 1 << 30 : CUT_WRONG;
  if (rc) return 1 << 30;
  return whole ? CUT_WHOLE : CUT_BEGUN;
}

/* The first `first` bytes, then pieces of at most step, each at the end of the
** memory. */
static int cut_feed(const char *text, size_t n, size_t first, size_t step)
{
  green_utf8 u = {0}, twin = {0};
  int rc = 0, twins = 0;
  for (size_t at = 0; at < n;) {
    size_t len = at < first ? first - at : step;
    if (len > n - at) len = n - at;
    const char *p = guard_copy(text + at, len);
    rc = green_utf8_run(&u, p, len);
    twins = twin_run(&twin, p, len);
    if (rc != twins || u.state != twin.state) return 1 << 30;
    at += len;
  }
  return cut_verdict(rc, green_utf8_is_whole(&u));
}

/* The verdict on the bytes, the same in all cuts at or into at most `most`
** bytes; 1 << 30: it is not. */
static int cut_utf8(const char *text, size_t n, size_t most)
{
  int want = cut_plain(text, n);
  const char *p = guard_copy(text, n);
  if (green_utf8_check(p, n) != (want == CUT_WHOLE)) return 1 << 30;
  if (twin_check(p, n) != (want == CUT_WHOLE)) return 1 << 30;
  if (cut_feed(text, n, n, 1) != want) return 1 << 30;
  for (size_t at = 1; at <= most && at <= n; at++)
    if (cut_feed(text, n, at, n) != want || cut_feed(text, n, 0, at) != want)
      return 1 << 30;
  return want;
}

#endif
