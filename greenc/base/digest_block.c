/*
** digest_block.c: the inner loops of MD5, SHA-1 and SHA-2, in plain C.
**
** Names are those of the papers: RFC 1321, 3.4; FIPS 180-4, 4.1 and 6.
*/

#include "base/digest_priv.h"

#include <endian.h>
#include <string.h>

static inline uint32_t rotl32(uint32_t x, unsigned n)
{
  return x << n | x >> (32 - n);
}

static inline uint32_t rotr32(uint32_t x, unsigned n)
{
  return x >> n | x << (32 - n);
}

static inline uint64_t rotr64(uint64_t x, unsigned n)
{
  return x >> n | x << (64 - n);
}

static inline uint32_t load_be32(const uint8_t *p)
{
  uint32_t x;
  memcpy(&x, p, sizeof(x));
  return be32toh(x);
}

static inline uint32_t load_le32(const uint8_t *p)
{
  uint32_t x;
  memcpy(&x, p, sizeof(x));
  return le32toh(x);
}

static inline uint64_t load_be64(const uint8_t *p)
{
  uint64_t x;
  memcpy(&x, p, sizeof(x));
  return be64toh(x);
}

/* Choose and majority, as the papers' F and G, Ch and Maj, with fewer steps. */
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))

/* -- MD5 ------------------------------------------------------------------ */

/* clang-format off */
/* The integer part of 2^32 times the sine of 1, 2, ... radians. */
static const uint32_t md5_t[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
    0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
    0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
/* clang-format on */

#define MD5_TURN(f, word, a, b, c, d, i, s) \
  a = b + rotl32(a + (f) + x[word] + md5_t[i], s)

#define MD5_FOUR(f, k, step, i, s0, s1, s2, s3) \
  do { \
    MD5_TURN(f(b, c, d), ((k) + 0 * (step)) & 15, a, b, c, d, (i), s0); \
    MD5_TURN(f(a, b, c), ((k) + 1 * (step)) & 15, d, a, b, c, (i) + 1, s1); \
    MD5_TURN(f(d, a, b), ((k) + 2 * (step)) & 15, c, d, a, b, (i) + 2, s2); \
    MD5_TURN(f(c, d, a), ((k) + 3 * (step)) & 15, b, c, d, a, (i) + 3, s3); \
  } while (0)

#define MD5_SIXTEEN(f, k, step, i, s0, s1, s2, s3) \
  do { \
    MD5_FOUR(f, k, step, i, s0, s1, s2, s3); \
    MD5_FOUR(f, (k) + 4 * (step), step, (i) + 4, s0, s1, s2, s3); \
    MD5_FOUR(f, (k) + 8 * (step), step, (i) + 8, s0, s1, s2, s3); \
    MD5_FOUR(f, (k) + 12 * (step), step, (i) + 12, s0, s1, s2, s3); \
  } while (0)

#define MD5_G(x, y, z) CHOOSE(z, x, y)
#define MD5_I(x, y, z) ((y) ^ ((x) | ~(z)))

static void md5_block(uint32_t *h, const uint8_t *p)
{
  uint32_t x[16], a = h[0], b = h[1], c = h[2], d = h[3];
  for (int i = 0; i < 16; i++) x[i] = load_le32(p + 4 * i);
  MD5_SIXTEEN(CHOOSE, 0, 1, 0, 7, 12, 17, 22);
  MD5_SIXTEEN(MD5_G, 1, 5, 16, 5, 9, 14, 20);
  MD5_SIXTEEN(PARITY, 5, 3, 32, 4, 11, 16, 23);
  MD5_SIXTEEN(MD5_I, 0, 7, 48, 6, 10, 15, 21);
  h[0] += a, h[1] += b, h[2] += c, h[3] += d;
}

void green__md5_blocks(void *state, const uint8_t *p, size_t n)
{
  for (; n; n--, p += 64) md5_block(state, p);
}

/* -- SHA-1 ---------------------------------------------------------------- */

#define SHA1_WORD(i) \
  (w[(i)&15] = rotl32(w[((i) + 13) & 15] ^ w[((i) + 8) & 15] ^ \
                          w[((i) + 2) & 15] ^ w[(i)&15], \
                      1))

/* The names of the five words move by one each turn. */
#define SHA1_TURN(a, b, c, d, e, f, k, word) \
  do { \
    e += rotl32(a, 5) + f(b, c, d) + (k) + (word); \
    b = rotl32(b, 30); \
  } while (0)

#define SHA1_FIVE(f, k, i, get) \
  do { \
    SHA1_TURN(a, b, c, d, e, f, k, get((i))); \
    SHA1_TURN(e, a, b, c, d, f, k, get((i) + 1)); \
    SHA1_TURN(d, e, a, b, c, f, k, get((i) + 2)); \
    SHA1_TURN(c, d, e, a, b, f, k, get((i) + 3)); \
    SHA1_TURN(b, c, d, e, a, f, k, get((i) + 4)); \
  } while (0)

#define SHA1_TWENTY(f, k, i, get) \
  do { \
    SHA1_FIVE(f, k, (i), get); \
    SHA1_FIVE(f, k, (i) + 5, get); \
    SHA1_FIVE(f, k, (i) + 10, get); \
    SHA1_FIVE(f, k, (i) + 15, get); \
  } while (0)

#define SHA1_FIRST(i) ((i) < 16 ? w[(i)&15] : SHA1_WORD(i))

static void sha1_block(uint32_t *h, const uint8_t *p)
{
  uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 16; i++) w[i] = load_be32(p + 4 * i);
  SHA1_TWENTY(CHOOSE, 0x5a827999, 0, SHA1_FIRST);
  SHA1_TWENTY(PARITY, 0x6ed9eba1, 20, SHA1_WORD);
  SHA1_TWENTY(MAJORITY, 0x8f1bbcdc, 40, SHA1_WORD);
  SHA1_TWENTY(PARITY, 0xca62c1d6, 60, SHA1_WORD);
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

void green__sha1_blocks(void *state, const uint8_t *p, size_t n)
{
  for (; n; n--, p += 64) sha1_block(state, p);
}

/* -- SHA-2 ---------------------------------------------------------------- */

/* clang-format off */
const uint32_t green__sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The first 64 bits of the same, of the first 80 primes. */
static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f,
    0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019,
    0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242,
    0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3,
    0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65, 0x2de92c6f592b0275,
    0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f,
    0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc,
    0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6,
    0x92722c851482353b, 0xa2bfe8a14cf10364, 0xa81a664bbc423001,
    0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99,
    0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb,
    0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc,
    0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915,
    0xc67178f2e372532b, 0xca273eceea26619c, 0xd186b8c721c0c207,
    0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba,
    0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a,
    0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};
/* clang-format on */

/* One turn; h gets what the next calls a, and d what it calls e. */
#define SHA2_TURN(a, b, c, d, e, f, g, h, sum0, sum1, add) \
  do { \
    h += sum1(e) + CHOOSE(e, f, g) + (add); \
    d += h; \
    h += sum0(a) + MAJORITY(a, b, c); \
  } while (0)

#define SHA2_EIGHT(i, sum0, sum1, add) \
  do { \
    SHA2_TURN(a, b, c, d, e, f, g, h, sum0, sum1, add((i))); \
    SHA2_TURN(h, a, b, c, d, e, f, g, sum0, sum1, add((i) + 1)); \
    SHA2_TURN(g, h, a, b, c, d, e, f, sum0, sum1, add((i) + 2)); \
    SHA2_TURN(f, g, h, a, b, c, d, e, sum0, sum1, add((i) + 3)); \
    SHA2_TURN(e, f, g, h, a, b, c, d, sum0, sum1, add((i) + 4)); \
    SHA2_TURN(d, e, f, g, h, a, b, c, sum0, sum1, add((i) + 5)); \
    SHA2_TURN(c, d, e, f, g, h, a, b, sum0, sum1, add((i) + 6)); \
    SHA2_TURN(b, c, d, e, f, g, h, a, sum0, sum1, add((i) + 7)); \
  } while (0)

#define SHA2_SIXTEEN(sum0, sum1, add) \
  do { \
    SHA2_EIGHT(0, sum0, sum1, add); \
    SHA2_EIGHT(8, sum0, sum1, add); \
  } while (0)

#define SUM256_0(x) (rotr32(x, 2) ^ rotr32(x, 13) ^ rotr32(x, 22))
#define SUM256_1(x) (rotr32(x, 6) ^ rotr32(x, 11) ^ rotr32(x, 25))
#define MIX256_0(x) (rotr32(x, 7) ^ rotr32(x, 18) ^ ((x) >> 3))
#define MIX256_1(x) (rotr32(x, 17) ^ rotr32(x, 19) ^ ((x) >> 10))
#define SUM512_0(x) (rotr64(x, 28) ^ rotr64(x, 34) ^ rotr64(x, 39))
#define SUM512_1(x) (rotr64(x, 14) ^ rotr64(x, 18) ^ rotr64(x, 41))
#define MIX512_0(x) (rotr64(x, 1) ^ rotr64(x, 8) ^ ((x) >> 7))
#define MIX512_1(x) (rotr64(x, 19) ^ rotr64(x, 61) ^ ((x) >> 6))

/* The words of the schedule stand in a ring of 16. */
#define SHA2_WORD(i, mix0, mix1) \
  (w[(i)&15] += \
   mix1(w[((i) + 14) & 15]) + w[((i) + 9) & 15] + mix0(w[((i) + 1) & 15]))

#define ADD_FIRST(i) (k[i] + w[i])
#define ADD256(i) (k[i] + SHA2_WORD(i, MIX256_0, MIX256_1))
#define ADD512(i) (k[i] + SHA2_WORD(i, MIX512_0, MIX512_1))

static void sha256_block(uint32_t *s, const uint8_t *p)
{
  const uint32_t *k = green__sha256_k;
  uint32_t w[16], a = s[0], b = s[1], c = s[2], d = s[3];
  uint32_t e = s[4], f = s[5], g = s[6], h = s[7];
  for (int i = 0; i < 16; i++) w[i] = load_be32(p + 4 * i);
  for (int i = 0; i < 16; i += 8) SHA2_EIGHT(i, SUM256_0, SUM256_1, ADD_FIRST);
  for (int i = 16; i < 64; i += 8) SHA2_EIGHT(i, SUM256_0, SUM256_1, ADD256);
  s[0] += a, s[1] += b, s[2] += c, s[3] += d;
  s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

void green__sha256_blocks(void *state, const uint8_t *p, size_t n)
{
  for (; n; n--, p += 64) sha256_block(state, p);
}

static void sha512_block(uint64_t *s, const uint8_t *p)
{
  const uint64_t *k = sha512_k;
  uint64_t w[16], a = s[0], b = s[1], c = s[2], d = s[3];
  uint64_t e = s[4], f = s[5], g = s[6], h = s[7];
  for (int i = 0; i < 16; i++) w[i] = load_be64(p + 8 * i);
  for (int i = 0; i < 16; i += 8) SHA2_EIGHT(i, SUM512_0, SUM512_1, ADD_FIRST);
  for (int i = 16; i < 80; i += 8) SHA2_EIGHT(i, SUM512_0, SUM512_1, ADD512);
  s[0] += a, s[1] += b, s[2] += c, s[3] += d;
  s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

void green__sha512_blocks(void *state, const uint8_t *p, size_t n)
{
  for (; n; n--, p += 128) sha512_block(state, p);
}
