/*
** glob_fuzz.c: no pattern brings the matcher down, and it says what a matcher
** says that tries everything.
**
** The first byte is the length of the pattern.
*/

#include "proto/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* Is there a star that means one? Sets and escapes are not looked into. */
static int is_simple(const char *p, size_t m)
{
  for (size_t i = 0; i < m; i++)
    if (p[i] == '[' || p[i] == '\\' || (unsigned char)p[i] >= 0x80) return 0;
  return 1;
}

static int slow(const char *p, const char *pe, const char *t, const char *te)
{
  if (p == pe) return t == te;
  if (*p == '*')
    return slow(p + 1, pe, t, te) || (t < te && slow(p, pe, t + 1, te));
  return t < te && (*p == '?' || *p == *t) && slow(p + 1, pe, t + 1, te);
}

static int is_ascii(const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)p[i] >= 0x80) return 0;
  return 1;
}

/* In memory of just their size, so that a sanitizer sees every byte beyond. */
static char *copy(const uint8_t *data, size_t n)
{
  char *p = malloc(n ? n : 1);
  CHECK(p);
  memcpy(p, data, n);
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1 || size > 4096) return 0;
  size_t m = data[0] < size - 1 ? data[0] : size - 1, n = size - 1 - m;
  char *p = copy(data + 1, m), *t = copy(data + 1 + m, n);
  bool found = green_glob_match(p, m, t, n);
  if (is_simple(p, m) && is_ascii(t, n) && m <= 12 && n <= 16)
    CHECK(found == !!slow(p, p + m, t, t + n));
  if (!green_glob_is_pattern(p, m))
    CHECK(found == (m == n && !memcmp(p, t, n)));
  free(p);
  free(t);
  return 0;
}
