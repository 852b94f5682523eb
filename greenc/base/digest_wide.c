/*
** digest_wide.c: SHA-1 and SHA-256 by the instructions that x86 processors have
** for them since 2016 (Goldmont) and 2017 (Zen).
*/

#include "base/digest_priv.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define WIDE __attribute__((target("sha,sse4.1,ssse3")))

/* SHA, and what else the code below is made of. */
static bool cpu_has_sha(void)
{
  static int known; /* 0: nobody has asked */
  int has = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (green_likely(has)) return has > 0;
  unsigned a, b, c, d, b7 = 0, c1 = 0;
  if (__get_cpuid(1, &a, &b, &c, &d)) c1 = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) b7 = b;
  has = (b7 & bit_SHA) && (c1 & bit_SSE4_1) && (c1 & bit_SSSE3) ? 1 : -1;
  __atomic_store_n(&known, has, __ATOMIC_RELAXED);
  return has > 0;
}

static inline __m128i load(const void *p)
{
  return _mm_loadu_si128(p);
}

/* -- SHA-1 ---------------------------------------------------------------- */

/* Four turns with the words of w[i & 3], and what these words are sixteen turns
** later. e comes in as the a of four turns ago. */
#define SHA1_FOUR(i, f) \
  do { \
    __m128i sum = \
        (i) ? _mm_sha1nexte_epu32(e, w[(i)&3]) : _mm_add_epi32(e, w[0]); \
    e = abcd; \
    abcd = _mm_sha1rnds4_epu32(abcd, sum, f); \
    w[(i)&3] = _mm_sha1msg2_epu32( \
        _mm_xor_si128(_mm_sha1msg1_epu32(w[(i)&3], w[((i) + 1) & 3]), \
                      w[((i) + 2) & 3]), \
        w[((i) + 3) & 3]); \
  } while (0)

#define SHA1_TWENTY(i, f) \
  do { \
    SHA1_FOUR(i, f); \
    SHA1_FOUR((i) + 1, f); \
    SHA1_FOUR((i) + 2, f); \
    SHA1_FOUR((i) + 3, f); \
    SHA1_FOUR((i) + 4, f); \
  } while (0)

WIDE static void sha1_blocks(void *state, const uint8_t *p, size_t n)
{
  uint32_t *h = state;
  /* The first word is the highest, and so is the first byte in it. */
  const __m128i turn = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
  __m128i w[4], abcd = _mm_shuffle_epi32(load(h), 0x1b);
  __m128i e = _mm_set_epi32((int)h[4], 0, 0, 0);
  for (; n; n--, p += 64) {
    const __m128i abcd_before = abcd, e_before = e;
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(load(p + 16 * i), turn);
    SHA1_TWENTY(0, 0);
    SHA1_TWENTY(5, 1);
    SHA1_TWENTY(10, 2);
    SHA1_TWENTY(15, 3);
    e = _mm_sha1nexte_epu32(e, e_before);
    abcd = _mm_add_epi32(abcd, abcd_before);
  }
  _mm_storeu_si128(state, _mm_shuffle_epi32(abcd, 0x1b));
  h[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

/* -- SHA-256 -------------------------------------------------------------- */

#define SHA256_FOUR(i) \
  do { \
    __m128i sum = _mm_add_epi32(w[(i)&3], load(green__sha256_k + 4 * (i))); \
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum); \
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e)); \
    w[(i)&3] = _mm_sha256msg2_epu32( \
        _mm_add_epi32(_mm_sha256msg1_epu32(w[(i)&3], w[((i) + 1) & 3]), \
                      _mm_alignr_epi8(w[((i) + 3) & 3], w[((i) + 2) & 3], 4)), \
        w[((i) + 3) & 3]); \
  } while (0)

#define SHA256_SIXTEEN(i) \
  do { \
    SHA256_FOUR(i); \
    SHA256_FOUR((i) + 1); \
    SHA256_FOUR((i) + 2); \
    SHA256_FOUR((i) + 3); \
  } while (0)

WIDE static void sha256_blocks(void *state, const uint8_t *p, size_t n)
{
  uint32_t *h = state;
  const __m128i turn = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i badc = _mm_shuffle_epi32(load(h), 0xb1);
  __m128i hgfe = _mm_shuffle_epi32(load(h + 4), 0x1b);
  __m128i w[4], abef = _mm_alignr_epi8(badc, hgfe, 8);
  __m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
  for (; n; n--, p += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(load(p + 16 * i), turn);
    SHA256_SIXTEEN(0);
    SHA256_SIXTEEN(4);
    SHA256_SIXTEEN(8);
    SHA256_SIXTEEN(12);
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128(state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

green__digest_blocks *green__sha1_wide(void)
{
  return cpu_has_sha() ? sha1_blocks : NULL;
}

green__digest_blocks *green__sha256_wide(void)
{
  return cpu_has_sha() ? sha256_blocks : NULL;
}

#else

green__digest_blocks *green__sha1_wide(void)
{
  return NULL;
}

green__digest_blocks *green__sha256_wide(void)
{
  return NULL;
}

#endif
