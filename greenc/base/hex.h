/*
** hex.h: bytes as hexadecimal digits, two a byte (RFC 4648, 8). Any thread.
*/
#ifndef GREEN_HEX_H
#define GREEN_HEX_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
/* Write n bytes as 2 n digits, in lower case and without an end. */
GREEN_API void green_hex_encode(const void *p, size_t n, char *out);

/* Read n digits of either case into n / 2 bytes; out may be in. How many bytes,
** or GREEN_EINVAL with *at: the offset of what is no digit, n where the last
** byte lacks its second digit. */
GREEN_API int64_t green_hex_decode(const char *in, size_t n, void *out,
                                   size_t *at);
/* end ffi */

#endif
