/*
** base64.h: bytes as letters, four for three bytes (RFC 4648, 4 and 5).
**
** One text stands for given bytes and no other does: decoding refuses letters
** of the other alphabet, line ends, padding that is too short, too long or in
** the middle, and bits that are left over and not 0. Any thread.
*/
#ifndef GREEN_BASE64_H
#define GREEN_BASE64_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_BASE64_URL = 1,  /* "-" and "_" in place of "+" and "/". */
  GREEN_BASE64_BARE = 2, /* No padding; decoding takes either. */
};

/* How long n bytes are as base64. */
GREEN_API size_t green_base64_size(size_t n, int flags);

/* Write these, without an end. Returns how many letters. */
GREEN_API size_t green_base64_encode(const void *p, size_t n, int flags,
                                     char *out);

/* Read n letters into at most (n + 3) / 4 * 3 bytes; out may be in. How many
** bytes, or GREEN_EINVAL with *at: the offset of the first letter that is
** wrong, n where the text ends too early. */
GREEN_API int64_t green_base64_decode(const char *in, size_t n, int flags,
                                      void *out, size_t *at);
/* end ffi */

#endif
