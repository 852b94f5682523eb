/*
** scan_test.c: byte classes, and the wide scans against the scalar one.
*/

#include "guard.h"
#include "proto/scan.h"
#include "t.h"

typedef const char *scan_fn(const char *p, const char *end);

static const struct {
  const char *what;
  scan_fn *scan;
  unsigned cls;
} scans[] = {
    {"path", green__scan_path, GREEN__PATH},
    {"target", green__scan_target, GREEN__TARGET},
    {"value", green__scan_value, GREEN__VALUE},
    {"name", green__scan_name, GREEN__NAME},
};

enum { SCANS = sizeof(scans) / sizeof(scans[0]) };

static void test_classes(void)
{
  int good = 1;
  for (int c = 0; c < 256; c++) {
    int seen = c > 0x20 && c < 0x7f;
    int word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z');
    unsigned want = 0;
    if (word || (c && strchr("!#$%&'*+-.^_`|~", c))) want |= GREEN__TOKEN;
    if (word || (c && strchr("-._~!$&'()*+;=", c))) want |= GREEN__HOST;
    if (seen && !strchr("#%?\\", c)) want |= GREEN__PATH;
    if (seen && c != '#') want |= GREEN__TARGET;
    if (seen && c != ':') want |= GREEN__NAME;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) want |= GREEN__VALUE;
    if (green__scan_class[c] != want) good = 0;
  }
  ok(good, "each byte is in its classes");
}

/* Each byte at each place of each length, behind and before bytes that go on.
 */
static int scan_agrees(scan_fn *scan, unsigned cls)
{
  char bytes[40];
  for (size_t len = 0; len <= sizeof(bytes); len++)
    for (size_t at = 0; at < len; at++)
      for (int c = 0; c < 256; c++) {
        memset(bytes, 'a', sizeof(bytes));
        bytes[at] = (char)c;
        const char *p = guard_copy(bytes, len), *end = p + len;
        const char *want = green__scan_is((char)c, cls) ? end : p + at;
        if (scan(p, end) != want) return 0;
        if (green__scan_scalar(p, end, cls) != want) return 0;
      }
  return 1;
}

static void test_scans(void)
{
  for (int i = 0; i < SCANS; i++)
    ok(scan_agrees(scans[i].scan, scans[i].cls), scans[i].what);
}

/* The first of several bytes that stop counts. */
static void test_first(void)
{
  char bytes[64] = {0};
  int good = 1;
  unsigned seed = 1;
  for (int round = 0; round < 200000; round++) {
    size_t len = (seed = seed * 1103515245 + 12345) >> 16 & 63;
    for (size_t i = 0; i < len; i++) {
      seed = seed * 1103515245 + 12345;
      bytes[i] = (char)(seed >> 16 & 7 ? 'a' + (seed >> 20 & 15) : seed >> 24);
    }
    const char *p = guard_copy(bytes, len), *end = p + len;
    for (int i = 0; i < SCANS; i++)
      if (scans[i].scan(p, end) != green__scan_scalar(p, end, scans[i].cls))
        good = 0;
  }
  ok(good, "wide and scalar agree on random bytes");
}

static void test_hex(void)
{
  int good = 1;
  for (int c = 0; c < 256; c++) {
    const char *digits = "0123456789abcdefABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    int want = at ? (int)(at - digits) : -1;
    if (want > 15) want -= 6;
    if (green__scan_hex((char)c) != want) good = 0;
  }
  ok(good, "hex digits");
}

int main(void)
{
  t_start();
  test_classes();
  test_scans();
  test_first();
  test_hex();
  return t_done();
}
