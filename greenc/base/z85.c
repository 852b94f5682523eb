/*
** z85.c: bytes as letters, and back.
*/

#include "base/z85.h"

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"
                              "MNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

int64_t green_z85_encode(const void *bytes, size_t n, char *out)
{
  const uint8_t *p = bytes;
  if (n % 4) return GREEN_EINVAL;
  for (size_t i = 0; i < n; i += 4, p += 4, out += 5) {
    uint32_t group = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
                     (uint32_t)p[2] << 8 | p[3];
    for (int k = 4; k >= 0; k--, group /= 85) out[k] = letters[group % 85];
  }
  return (int64_t)(n / 4 * 5);
}

/* clang-format off */
/* The value of each letter, and one more; 0: it is none. */
static const uint8_t values[256] = {
    ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ['a'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
    28, 29, 30, 31, 32, 33, 34, 35, 36,
    ['A'] = 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53,
    54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['.'] = 63, ['-'] = 64, [':'] = 65, ['+'] = 66, ['='] = 67, ['^'] = 68,
    ['!'] = 69, ['/'] = 70, ['*'] = 71, ['?'] = 72, ['&'] = 73, ['<'] = 74,
    ['>'] = 75, ['('] = 76, [')'] = 77, ['['] = 78, [']'] = 79, ['{'] = 80,
    ['}'] = 81, ['@'] = 82, ['%'] = 83, ['$'] = 84, ['#'] = 85,
};
/* clang-format on */

/* The four bytes of five letters: 0, or GREEN_EINVAL with *at. */
static int z85_group(const char *in, uint8_t *out, size_t *at)
{
  uint64_t group = 0;
  for (size_t k = 0; k < 5; k++) {
    int v = values[(unsigned char)in[k]] - 1;
    if (green_unlikely(v < 0)) {
      *at = k;
      return GREEN_EINVAL;
    }
    group = group * 85 + (uint64_t)v;
  }
  *at = 0;
  if (group > UINT32_MAX) return GREEN_EINVAL;
  for (int k = 3; k >= 0; k--, group >>= 8) out[k] = (uint8_t)group;
  return 0;
}

int64_t green_z85_decode(const char *in, size_t n, void *bytes, size_t *at)
{
  uint8_t *out = bytes;
  for (size_t i = 0; i + 5 <= n; i += 5, out += 4) {
    size_t within;
    if (z85_group(in + i, out, &within)) {
      *at = i + within;
      return GREEN_EINVAL;
    }
  }
  *at = n;
  return n % 5 ? GREEN_EINVAL : (int64_t)(n / 5 * 4);
}
