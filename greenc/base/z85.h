/*
** z85.h: bytes as letters, five for four bytes (ZeroMQ's RFC 32).
**
** How ZeroMQ writes keys: 40 letters for 32 bytes, none of which is a quote or
** a backslash. One text stands for given bytes and no other does: decoding
** refuses other letters, and groups beyond 2^32 - 1. Any thread.
*/
#ifndef GREEN_Z85_H
#define GREEN_Z85_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
/* Write n bytes, a multiple of 4, as n / 4 * 5 letters, without an end. Returns
** how many letters, or GREEN_EINVAL for another n. */
GREEN_API int64_t green_z85_encode(const void *p, size_t n, char *out);

/* Read n letters, a multiple of 5, into n / 5 * 4 bytes. How many bytes, or
** GREEN_EINVAL with *at: the offset of the first letter that is wrong, of the
** first group that stands for no 4 bytes, n for another n. */
GREEN_API int64_t green_z85_decode(const char *in, size_t n, void *out,
                                   size_t *at);
/* end ffi */

#endif
