/*
** utf8.c: an automaton whose states are shifts.
**
** The word of a byte holds, at the place of each state, the state that follows
** it: one load and one shift a byte, and a state that is wrong stays wrong, so
** nothing is asked before a block's end. Runs of ASCII are passed over.
*/

#include "proto/utf8.h"
#include "proto/scan.h"

/* What may come next, as the place of its six bits in a word. */
enum {
  START = 0,  /* A character. */
  LAST = 6,   /* One more byte, 80 to BF. */
  TWO = 12,   /* Two of them. */
  THREE = 18, /* Three. */
  E0 = 24,    /* A0 to BF, then one more. */
  ED = 30,    /* 80 to 9F, then one more. */
  F0 = 36,    /* 90 to BF, then two more. */
  F4 = 42,    /* 80 to 8F, then two more. */
  WRONG = 48, /* Nothing. */
};

#define TO(from, state) ((uint64_t)(state) << (from))
#define NONE \
  (TO(START, WRONG) | TO(LAST, WRONG) | TO(TWO, WRONG) | TO(THREE, WRONG) | \
   TO(E0, WRONG) | TO(ED, WRONG) | TO(F0, WRONG) | TO(F4, WRONG) | \
   TO(WRONG, WRONG))
/* Where WRONG stands for `from`, put `state`. */
#define BUT(from, state) (TO(from, WRONG) ^ TO(from, state))
#define TAIL (BUT(LAST, START) ^ BUT(TWO, LAST) ^ BUT(THREE, TWO))

static const uint64_t steps[256] = {
    [0x00 ... 0x7f] = NONE ^ BUT(START, START),
    [0x80 ... 0x8f] = NONE ^ TAIL ^ BUT(ED, LAST) ^ BUT(F4, TWO),
    [0x90 ... 0x9f] = NONE ^ TAIL ^ BUT(ED, LAST) ^ BUT(F0, TWO),
    [0xa0 ... 0xbf] = NONE ^ TAIL ^ BUT(E0, LAST) ^ BUT(F0, TWO),
    [0xc0 ... 0xc1] = NONE,
    [0xc2 ... 0xdf] = NONE ^ BUT(START, LAST),
    [0xe0] = NONE ^ BUT(START, E0),
    [0xe1 ... 0xec] = NONE ^ BUT(START, TWO),
    [0xed] = NONE ^ BUT(START, ED),
    [0xee ... 0xef] = NONE ^ BUT(START, TWO),
    [0xf0] = NONE ^ BUT(START, F0),
    [0xf1 ... 0xf3] = NONE ^ BUT(START, THREE),
    [0xf4] = NONE ^ BUT(START, F4),
    [0xf5 ... 0xff] = NONE,
};

/* The state behind these bytes. */
static inline uint64_t utf8_steps(uint64_t state, const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    state = steps[(unsigned char)p[i]] >> (state & 63);
  return state & 63;
}

/* Bytes that are taken at once where they are not ASCII. */
enum { BLOCK = 16, FOUR = 4 * BLOCK };

#if GREEN__SCAN_WIDE

static inline uint64_t vec_high(green__vec x)
{
  return green__vec_mask(green__vec_ge(x, (char)0x80));
}

static inline bool is_ascii(const char *p)
{
  green__vec low = green__vec_or(green__vec_load(p), green__vec_load(p + 16));
  green__vec high =
      green__vec_or(green__vec_load(p + 32), green__vec_load(p + 48));
  return !vec_high(green__vec_or(low, high));
}

/* The first byte that is not ASCII, or less than a block before the end. Bytes
** can be read from `from` on: the last block may be one of those before. */
static inline const char *skip_ascii(const char *p, const char *end,
                                     const char *from)
{
  while (end - p >= FOUR && is_ascii(p)) p += FOUR;
  for (; end - p >= BLOCK; p += BLOCK) {
    uint64_t high = vec_high(green__vec_load(p));
    if (high) return p + green__vec_first(high);
  }
  if (end - from < BLOCK) return p;
  return vec_high(green__vec_load(end - BLOCK)) ? p : end;
}
#else

static inline const char *skip_ascii(const char *p, const char *end,
                                     const char *from)
{
  (void)from;
  while (p < end && (unsigned char)*p < 0x80) p++;
  return p;
}
#endif

int green_utf8_run(green_utf8 *u, const char *p, size_t n)
{
  uint64_t state = u->state;
  for (const char *end = p + n; p < end && state != WRONG;) {
    if (state == START) p = skip_ascii(p, end, end - n);
    size_t block = end - p < BLOCK ? (size_t)(end - p) : BLOCK;
    state = utf8_steps(state, p, block);
    p += block;
  }
  u->state = (uint8_t)state;
  return state == WRONG ? GREEN_EILSEQ : 0;
}

bool green_utf8_is_whole(const green_utf8 *u)
{
  return u->state == START;
}

bool green_utf8_check(const char *p, size_t n)
{
  green_utf8 u = {0};
  return green_utf8_run(&u, p, n) == 0 && green_utf8_is_whole(&u);
}
