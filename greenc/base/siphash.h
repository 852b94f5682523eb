/*
** siphash.h: SipHash-1-3, a hash of bytes under a secret.
**
** Who does not know the secret cannot choose texts that have the same hash, so
** a table of texts that strangers choose stays fast. Private to greenc.
*/
#ifndef GREEN_SIPHASH_H
#define GREEN_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Any thread. */
uint64_t green__siphash(const uint64_t secret[2], const void *p, size_t n);

#endif
