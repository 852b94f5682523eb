/*
** siphash.c: one round a word, three at the end.
*/

#include "base/siphash.h"

#include <string.h>

typedef struct sip {
  uint64_t a, b, c, d;
} sip;

static inline uint64_t rotated(uint64_t x, int n)
{
  return x << n | x >> (64 - n);
}

static inline void sip_round(sip *s)
{
  s->a += s->b;
  s->c += s->d;
  s->b = rotated(s->b, 13) ^ s->a;
  s->d = rotated(s->d, 16) ^ s->c;
  s->a = rotated(s->a, 32);
  s->c += s->b;
  s->a += s->d;
  s->b = rotated(s->b, 17) ^ s->c;
  s->d = rotated(s->d, 21) ^ s->a;
  s->c = rotated(s->c, 32);
}

static inline void sip_word(sip *s, uint64_t word)
{
  s->d ^= word;
  sip_round(s);
  s->a ^= word;
}

/* The first byte is the lowest. */
static inline uint64_t word_of(const uint8_t *p, size_t n)
{
  uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy(&word, p, n);
#else
  for (size_t i = 0; i < n; i++) word |= (uint64_t)p[i] << 8 * i;
#endif
  return word;
}

uint64_t green__siphash(const uint64_t secret[2], const void *text, size_t n)
{
  const uint8_t *p = text;
  sip s = {secret[0] ^ 0x736f6d6570736575u, secret[1] ^ 0x646f72616e646f6du,
           secret[0] ^ 0x6c7967656e657261u, secret[1] ^ 0x7465646279746573u};
  size_t rest = n;
  for (; rest >= 8; p += 8, rest -= 8) sip_word(&s, word_of(p, 8));
  sip_word(&s, (uint64_t)n << 56 | (rest ? word_of(p, rest) : 0));
  s.c ^= 0xff;
  for (int i = 0; i < 3; i++) sip_round(&s);
  return s.a ^ s.b ^ s.c ^ s.d;
}
