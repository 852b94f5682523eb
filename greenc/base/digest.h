/*
** digest.h: hash functions, and HMAC over them.
**
** MD5 (RFC 1321), SHA-1 and the SHA-2 family (FIPS 180-4), HMAC (RFC 2104).
** MD5 and SHA-1 are broken as signatures; protocols still ask for them. The
** code is our own: a libcrypto in FIPS mode lacks MD5, and nothing has to be
** opened for a digest.
**
** Bytes in, a digest out; no allocation, no errors. States and keys are wiped
** when a digest is taken. Any thread, one at a time for each context.
*/
#ifndef GREEN_DIGEST_H
#define GREEN_DIGEST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_MD5,
  GREEN_SHA1,
  GREEN_SHA224,
  GREEN_SHA256,
  GREEN_SHA384,
  GREEN_SHA512,
  GREEN_DIGEST_KINDS,
};

enum {
  GREEN_DIGEST_MOST = 64,   /* Bytes of the longest digest, */
  GREEN_DIGEST_BLOCK = 128, /* and of the largest block. */
};

/* All private. May be copied: both copies go on from there. */
typedef struct green_digest {
  union {
    uint32_t w32[8];
    uint64_t w64[8];
  } state;
  uint64_t total; /* Bytes so far. */
  uint8_t kind;
  uint8_t block[128];
} green_digest;

typedef struct green_hmac {
  green_digest inner;
  green_digest outer;
} green_hmac;

/* Bytes of a digest of that kind. */
GREEN_API size_t green_digest_size(int kind);

/* Begin a digest of that kind; of one of GREEN_MD5 and so on. */
GREEN_API void green_digest_init(green_digest *d, int kind);

/* Append n bytes to what is digested. SHA-384 and SHA-512 take up to 2^64 - 1
** bytes here, not 2^125. */
GREEN_API void green_digest_update(green_digest *d, const void *p, size_t n);

/* Write the digest, green_digest_size bytes, and wipe the context: init comes
** before its next use. */
GREEN_API void green_digest_final(green_digest *d, uint8_t *out);

/* The digest of n bytes, at once. */
GREEN_API void green_digest_of(int kind, const void *p, size_t n, uint8_t *out);

/* The same for HMAC, with a key of n bytes. */
GREEN_API void green_hmac_init(green_hmac *h, int kind, const void *key,
                               size_t n);
GREEN_API void green_hmac_update(green_hmac *h, const void *p, size_t n);
GREEN_API void green_hmac_final(green_hmac *h, uint8_t *out);

/* Are these n bytes the same? Takes as long whatever they are. */
GREEN_API bool green_digest_equal(const void *a, const void *b, size_t n);

/* Overwrite n bytes that nobody will read any more: the compiler leaves it
** be. */
GREEN_API void green_digest_wipe(void *p, size_t n);
/* end ffi */

#endif
