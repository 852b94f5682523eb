/*
** digest.c: contexts: blocks, padding, and HMAC.
*/

#include "base/digest_priv.h"

#include <endian.h>
#include <string.h>

typedef struct digest_kind {
  uint8_t size;   /* Bytes of the digest. */
  uint8_t shift;  /* A block has 2^shift bytes, */
  uint8_t count;  /* and the last one the count of bits in so many. */
  bool is_little; /* Words and count are little-endian. */
  bool is_wide;   /* Words are of 64 bits. */
  green__digest_blocks *blocks;
  green__digest_blocks *(*wide)(void);
  union {
    uint32_t w32[8];
    uint64_t w64[8];
  } start;
} digest_kind;

/* clang-format off */
/* RFC 1321, 3.3; FIPS 180-4, 5.3. */
static const digest_kind digest_kinds[GREEN_DIGEST_KINDS] = {
    [GREEN_MD5] = {16, 6, 8, true, false, green__md5_blocks, NULL, {.w32 = {
        0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}}},
    [GREEN_SHA1] = {20, 6, 8, false, false, green__sha1_blocks,
        green__sha1_wide, {.w32 = {
        0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}}},
    [GREEN_SHA224] = {28, 6, 8, false, false, green__sha256_blocks,
        green__sha256_wide, {.w32 = {
        0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
        0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4}}},
    [GREEN_SHA256] = {32, 6, 8, false, false, green__sha256_blocks,
        green__sha256_wide, {.w32 = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}}},
    [GREEN_SHA384] = {48, 7, 16, false, true, green__sha512_blocks, NULL,
        {.w64 = {
        0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17,
        0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511,
        0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4}}},
    [GREEN_SHA512] = {64, 7, 16, false, true, green__sha512_blocks, NULL,
        {.w64 = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
        0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
        0x1f83d9abfb41bd6b, 0x5be0cd19137e2179}}},
};
/* clang-format on */

static bool digest_is_plain;

void green__digest_plain(bool on)
{
  digest_is_plain = on;
}

static const digest_kind *kind_of(int kind)
{
  green_assert(kind >= 0 && kind < GREEN_DIGEST_KINDS,
               "of one of GREEN_MD5 and so on");
  return &digest_kinds[kind];
}

static size_t block_of(const digest_kind *k)
{
  return (size_t)1 << k->shift;
}

static void digest_blocks(green_digest *d, const uint8_t *p, size_t n)
{
  const digest_kind *k = kind_of(d->kind);
  green__digest_blocks *wide = NULL;
  if (k->wide && !digest_is_plain) wide = k->wide();
  (wide ? wide : k->blocks)(&d->state, p, n);
}

size_t green_digest_size(int kind)
{
  return kind_of(kind)->size;
}

void green_digest_init(green_digest *d, int kind)
{
  memcpy(&d->state, &kind_of(kind)->start, sizeof(d->state));
  d->kind = (uint8_t)kind;
  d->total = 0;
}

void green_digest_update(green_digest *d, const void *bytes, size_t n)
{
  const uint8_t *p = bytes;
  const digest_kind *k = kind_of(d->kind);
  size_t block = block_of(k), held = d->total & (block - 1);
  if (!n) return;
  d->total += n;
  if (held) {
    size_t part = n < block - held ? n : block - held;
    memcpy(d->block + held, p, part);
    if (held + part < block) return;
    digest_blocks(d, d->block, 1);
    p += part;
    n -= part;
  }
  size_t rest = n & (block - 1);
  if (n >= block) digest_blocks(d, p, n >> k->shift);
  if (rest) memcpy(d->block, p + n - rest, rest);
}

/* A one bit, zeros, and the count of bits (FIPS 180-4, 5.1). */
static void digest_pad(green_digest *d)
{
  const digest_kind *k = kind_of(d->kind);
  size_t block = block_of(k), held = d->total & (block - 1);
  uint64_t high = htobe64(d->total >> 61), low = htobe64(d->total << 3);
  if (k->is_little) low = htole64(d->total << 3);
  d->block[held++] = 0x80;
  if (held > block - k->count) {
    memset(d->block + held, 0, block - held);
    digest_blocks(d, d->block, 1);
    held = 0;
  }
  memset(d->block + held, 0, block - held);
  if (k->count == 16) memcpy(d->block + block - 16, &high, 8);
  memcpy(d->block + block - 8, &low, 8);
  digest_blocks(d, d->block, 1);
}

void green_digest_final(green_digest *d, uint8_t *out)
{
  const digest_kind *k = kind_of(d->kind);
  digest_pad(d);
  for (int i = 0; i < 8; i++) {
    uint32_t *w = &d->state.w32[i];
    if (k->is_wide)
      d->state.w64[i] = htobe64(d->state.w64[i]);
    else
      *w = k->is_little ? htole32(*w) : htobe32(*w);
  }
  memcpy(out, &d->state, k->size);
  green_digest_wipe(d, sizeof(*d));
}

void green_digest_of(int kind, const void *p, size_t n, uint8_t *out)
{
  green_digest d;
  green_digest_init(&d, kind);
  green_digest_update(&d, p, n);
  green_digest_final(&d, out);
}

/* -- HMAC ----------------------------------------------------------------- */

void green_hmac_init(green_hmac *h, int kind, const void *key, size_t n)
{
  size_t block = block_of(kind_of(kind));
  uint8_t pad[GREEN_DIGEST_BLOCK] = {0};
  if (n > block)
    green_digest_of(kind, key, n, pad);
  else if (n)
    memcpy(pad, key, n);
  for (size_t i = 0; i < block; i++) pad[i] ^= 0x36;
  green_digest_init(&h->inner, kind);
  green_digest_update(&h->inner, pad, block);
  for (size_t i = 0; i < block; i++) pad[i] ^= 0x36 ^ 0x5c;
  green_digest_init(&h->outer, kind);
  green_digest_update(&h->outer, pad, block);
  green_digest_wipe(pad, sizeof(pad));
}

void green_hmac_update(green_hmac *h, const void *p, size_t n)
{
  green_digest_update(&h->inner, p, n);
}

void green_hmac_final(green_hmac *h, uint8_t *out)
{
  uint8_t digest[GREEN_DIGEST_MOST];
  size_t size = green_digest_size(h->inner.kind);
  green_digest_final(&h->inner, digest);
  green_digest_update(&h->outer, digest, size);
  green_digest_final(&h->outer, out);
  green_digest_wipe(digest, sizeof(digest));
}

/* -- Secrets -------------------------------------------------------------- */

bool green_digest_equal(const void *a, const void *b, size_t n)
{
  const volatile uint8_t *x = a, *y = b;
  uint8_t differs = 0;
  for (size_t i = 0; i < n; i++) differs |= x[i] ^ y[i];
  return !differs;
}

void green_digest_wipe(void *p, size_t n)
{
  explicit_bzero(p, n);
}
