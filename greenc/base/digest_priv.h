/*
** digest_priv.h: the inner loops of the hash functions.
*/
#ifndef GREEN_DIGEST_PRIV_H
#define GREEN_DIGEST_PRIV_H

#include "base/digest.h"

/* Put n whole blocks through a state. */
typedef void green__digest_blocks(void *state, const uint8_t *p, size_t n);

green__digest_blocks green__md5_blocks;
green__digest_blocks green__sha1_blocks;
green__digest_blocks green__sha256_blocks;
green__digest_blocks green__sha512_blocks;

/* The constants of SHA-256: the first 32 bits of the fractional parts of the
** cube roots of the first 64 primes. */
extern const uint32_t green__sha256_k[64];

/* The same by instructions of the processor; NULL: it has none. */
green__digest_blocks *green__sha1_wide(void);
green__digest_blocks *green__sha256_wide(void);

/* Tests only: use the plain loops even where there is something faster. */
void green__digest_plain(bool on);

#endif
