/*
** hex.c: bytes as hexadecimal digits, and back.
*/

#include "base/hex.h"

void green_hex_encode(const void *bytes, size_t n, char *out)
{
  const uint8_t *p = bytes;
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    *out++ = digits[p[i] >> 4];
    *out++ = digits[p[i] & 15];
  }
}

/* 0 to 15, or -1. */
static int hex_digit(char c)
{
  unsigned digit = (unsigned)(unsigned char)c - '0';
  if (digit <= 9) return (int)digit;
  unsigned letter = ((unsigned)(unsigned char)c | 0x20) - 'a';
  return letter <= 5 ? (int)letter + 10 : -1;
}

int64_t green_hex_decode(const char *in, size_t n, void *out, size_t *at)
{
  uint8_t *p = out;
  for (size_t i = 0; i < n; i += 2) {
    int high = hex_digit(in[i]), low = i + 1 < n ? hex_digit(in[i + 1]) : -1;
    if (high < 0 || low < 0) {
      *at = high < 0 ? i : i + 1;
      return GREEN_EINVAL;
    }
    *p++ = (uint8_t)(high << 4 | low);
  }
  return (int64_t)(n / 2);
}
