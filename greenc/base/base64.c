/*
** base64.c: bytes as letters, and back.
*/

#include "base/base64.h"

#include <stdbool.h>

static const char common[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

size_t green_base64_size(size_t n, int flags)
{
  if (flags & GREEN_BASE64_BARE) return n / 3 * 4 + (n % 3 * 4 + 2) / 3;
  return (n / 3 + (n % 3 != 0)) * 4;
}

/* The letter of six bits. */
static inline char letter(unsigned bits, const char *last)
{
  bits &= 63;
  return bits < 62 ? common[bits] : last[bits - 62];
}

size_t green_base64_encode(const void *bytes, size_t n, int flags, char *out)
{
  const uint8_t *p = bytes;
  const char *begin = out, *last = flags & GREEN_BASE64_URL ? "-_" : "+/";
  for (; n >= 3; n -= 3, p += 3) {
    unsigned bits = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
    *out++ = letter(bits >> 18, last);
    *out++ = letter(bits >> 12, last);
    *out++ = letter(bits >> 6, last);
    *out++ = letter(bits, last);
  }
  if (!n) return (size_t)(out - begin);
  unsigned bits = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0);
  *out++ = letter(bits >> 18, last);
  *out++ = letter(bits >> 12, last);
  if (n > 1) *out++ = letter(bits >> 6, last);
  for (size_t i = n; i < 3 && !(flags & GREEN_BASE64_BARE); i++) *out++ = '=';
  return (size_t)(out - begin);
}

/* clang-format off */
/* The six bits of each letter, and one more; 0: of none. */
static const uint8_t values[256] = {
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
    20, 21, 22, 23, 24, 25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
};
/* clang-format on */

/* 0 to 63, or -1. */
static inline int value(char c, const char *last)
{
  int v = values[(unsigned char)c] - 1;
  if (green_likely(v >= 0)) return v;
  return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* How many of the last n letters, of which there are at most four, are no
** padding. */
static size_t base64_body(const char *in, size_t n)
{
  while (n > 2 && in[n - 1] == '=') n--;
  return n;
}

static int64_t base64_bad(size_t *at, size_t offset)
{
  *at = offset;
  return GREEN_EINVAL;
}

/* The last letters: body of them, then padding, n in all; they stand at in[i].
** Bytes, 0 to 2, or GREEN_EINVAL. */
static int64_t base64_end(const char *in, size_t i, size_t n, int flags,
                          uint8_t *out, size_t *at)
{
  const char *last = flags & GREEN_BASE64_URL ? "-_" : "+/";
  size_t body = base64_body(in + i, n);
  int v[3] = {0};
  for (size_t k = 0; k < body && k < 3; k++) {
    v[k] = value(in[i + k], last);
    if (v[k] < 0) return base64_bad(at, i + k);
  }
  bool bare = body == n && flags & GREEN_BASE64_BARE;
  if (body < 2 || (n < 4 && !bare)) return base64_bad(at, i + n);
  if (body == 2 ? v[1] & 15 : v[2] & 3) return base64_bad(at, i + body - 1);
  out[0] = (uint8_t)(v[0] << 2 | v[1] >> 4);
  if (body > 2) out[1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
  return (int64_t)body - 1;
}

int64_t green_base64_decode(const char *in, size_t n, int flags, void *bytes,
                            size_t *at)
{
  uint8_t *out = bytes;
  const char *last = flags & GREEN_BASE64_URL ? "-_" : "+/";
  size_t i = 0;
  for (; n - i > 4 || (n - i == 4 && in[n - 1] != '='); i += 4) {
    int v[4], wrong = 0;
    for (int k = 0; k < 4; k++) wrong |= v[k] = value(in[i + k], last);
    if (green_unlikely(wrong < 0)) {
      for (int k = 0; k < 4; k++)
        if (v[k] < 0) return base64_bad(at, i + (size_t)k);
    }
    *out++ = (uint8_t)(v[0] << 2 | v[1] >> 4);
    *out++ = (uint8_t)(v[1] << 4 | v[2] >> 2);
    *out++ = (uint8_t)(v[2] << 6 | v[3]);
  }
  int64_t rest = i < n ? base64_end(in, i, n - i, flags, out, at) : 0;
  return rest < 0 ? rest : out + rest - (uint8_t *)bytes;
}
