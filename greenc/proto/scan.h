/*
** scan.h: classes of bytes in HTTP, and finding the first byte outside one.
**
** Private to proto. Each scan has a scalar form and one on 16 bytes at a time
** (SSE2 or NEON, which every x86-64 and arm64 has, so nothing is chosen at run
** time); the plain name is the fast one, or the scalar one with
** GREEN_SCAN_SCALAR defined. Both never read at or behind end. Any thread.
*/
#ifndef GREEN_PROTO_SCAN_H
#define GREEN_PROTO_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  GREEN__TOKEN = 1,  /* tchar: names, methods */
  GREEN__PATH = 2,   /* visible ASCII without "#", "%", "?", "\" */
  GREEN__TARGET = 4, /* visible ASCII without "#" */
  GREEN__VALUE = 8,  /* HTAB, blank, visible ASCII, 0x80 and above */
  GREEN__HOST = 16,  /* unreserved and sub-delims of RFC 3986, no "," */
  GREEN__NAME = 32,  /* visible ASCII without ":" */
};

/* The classes of each byte. */
extern const uint8_t green__scan_class[256];

/* 0 to 15, or -1 for what is no hex digit. */
static inline int green__scan_hex(char c)
{
  unsigned digit = (unsigned)(unsigned char)c - '0';
  if (digit <= 9) return (int)digit;
  unsigned letter = ((unsigned)(unsigned char)c | 0x20) - 'a';
  return letter <= 5 ? (int)letter + 10 : -1;
}

static inline bool green__scan_is(char c, unsigned cls)
{
  return green__scan_class[(unsigned char)c] & cls;
}

/* The first byte in [p, end) that is not of the class, or end. */
static inline const char *green__scan_scalar(const char *p, const char *end,
                                             unsigned cls)
{
  while (p < end && green__scan_is(*p, cls)) p++;
  return p;
}

#if defined(GREEN_SCAN_SCALAR)
#define GREEN__SCAN_WIDE 0
#elif defined(__SSE2__)
#define GREEN__SCAN_WIDE 1
#include <emmintrin.h>

typedef __m128i green__vec;

static inline green__vec green__vec_load(const char *p)
{
  return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void green__vec_store(char *p, green__vec x)
{
  _mm_storeu_si128((__m128i *)(void *)p, x);
}

/* The four bytes of the word, as they lie in memory, over and over. */
static inline green__vec green__vec_words(uint32_t word)
{
  return _mm_set1_epi32((int)word);
}

static inline green__vec green__vec_eq(green__vec x, char c)
{
  return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

/* Bytes are unsigned here. */
static inline green__vec green__vec_le(green__vec x, char c)
{
  return _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(c)), x);
}

static inline green__vec green__vec_ge(green__vec x, char c)
{
  return _mm_cmpeq_epi8(_mm_max_epu8(x, _mm_set1_epi8(c)), x);
}

static inline green__vec green__vec_or(green__vec x, green__vec y)
{
  return _mm_or_si128(x, y);
}

static inline green__vec green__vec_xor(green__vec x, green__vec y)
{
  return _mm_xor_si128(x, y);
}

/* x and not y. */
static inline green__vec green__vec_but(green__vec x, green__vec y)
{
  return _mm_andnot_si128(y, x);
}

/* A word with a bit for each byte that is set, and which byte the lowest bit of
** such a word, not 0, stands for. */
static inline uint64_t green__vec_mask(green__vec x)
{
  return (unsigned)_mm_movemask_epi8(x);
}

static inline unsigned green__vec_first(uint64_t mask)
{
  return (unsigned)__builtin_ctz((unsigned)mask);
}
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define GREEN__SCAN_WIDE 1
#include <arm_neon.h>

typedef uint8x16_t green__vec;

static inline green__vec green__vec_load(const char *p)
{
  return vld1q_u8((const uint8_t *)p);
}

static inline void green__vec_store(char *p, green__vec x)
{
  vst1q_u8((uint8_t *)p, x);
}

static inline green__vec green__vec_words(uint32_t word)
{
  return vreinterpretq_u8_u32(vdupq_n_u32(word));
}

static inline green__vec green__vec_eq(green__vec x, char c)
{
  return vceqq_u8(x, vdupq_n_u8((uint8_t)c));
}

static inline green__vec green__vec_le(green__vec x, char c)
{
  return vcleq_u8(x, vdupq_n_u8((uint8_t)c));
}

static inline green__vec green__vec_ge(green__vec x, char c)
{
  return vcgeq_u8(x, vdupq_n_u8((uint8_t)c));
}

static inline green__vec green__vec_or(green__vec x, green__vec y)
{
  return vorrq_u8(x, y);
}

static inline green__vec green__vec_xor(green__vec x, green__vec y)
{
  return veorq_u8(x, y);
}

static inline green__vec green__vec_but(green__vec x, green__vec y)
{
  return vbicq_u8(x, y);
}

/* There is no movemask: four bits of each byte make up the word. */
static inline uint64_t green__vec_mask(green__vec x)
{
  uint8x8_t half = vshrn_n_u16(vreinterpretq_u16_u8(x), 4);
  return vget_lane_u64(vreinterpret_u64_u8(half), 0);
}

static inline unsigned green__vec_first(uint64_t mask)
{
  return (unsigned)__builtin_ctzll(mask) >> 2;
}
#else
#define GREEN__SCAN_WIDE 0
#endif

#if GREEN__SCAN_WIDE

/* The bytes of x that end a run of the class. cls is a constant, so only one
** arm is left after inlining. */
static inline green__vec green__vec_stops(green__vec x, unsigned cls)
{
  if (cls == GREEN__VALUE) {
    green__vec control =
        green__vec_but(green__vec_le(x, 0x1f), green__vec_eq(x, '\t'));
    return green__vec_or(control, green__vec_eq(x, 0x7f));
  }
  green__vec stops =
      green__vec_or(green__vec_le(x, ' '), green__vec_ge(x, 0x7f));
  if (cls == GREEN__NAME) return green__vec_or(stops, green__vec_eq(x, ':'));
  stops = green__vec_or(stops, green__vec_eq(x, '#'));
  if (cls == GREEN__TARGET) return stops;
  stops = green__vec_or(stops, green__vec_eq(x, '\\'));
  return green__vec_or(
      stops, green__vec_or(green__vec_eq(x, '%'), green__vec_eq(x, '?')));
}

static inline const char *green__scan_wide(const char *p, const char *end,
                                           unsigned cls)
{
  for (; end - p >= 16; p += 16) {
    uint64_t mask = green__vec_mask(green__vec_stops(green__vec_load(p), cls));
    if (mask) return p + green__vec_first(mask);
  }
  return green__scan_scalar(p, end, cls);
}

#define GREEN__SCAN green__scan_wide
#else
#define GREEN__SCAN green__scan_scalar
#endif

static inline const char *green__scan_path(const char *p, const char *end)
{
  return GREEN__SCAN(p, end, GREEN__PATH);
}

static inline const char *green__scan_target(const char *p, const char *end)
{
  return GREEN__SCAN(p, end, GREEN__TARGET);
}

static inline const char *green__scan_value(const char *p, const char *end)
{
  return GREEN__SCAN(p, end, GREEN__VALUE);
}

static inline const char *green__scan_name(const char *p, const char *end)
{
  return GREEN__SCAN(p, end, GREEN__NAME);
}

#endif
