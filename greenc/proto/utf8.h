/*
** utf8.h: is this UTF-8 (RFC 3629)? Of a text that comes in pieces.
**
** Surrogates, overlong forms and what is above U+10FFFF are none. A text is
** refused at the first byte that no continuation could make good, so a verdict
** depends on the bytes alone, never on how they were cut. Any thread.
*/
#ifndef GREEN_PROTO_UTF8_H
#define GREEN_PROTO_UTF8_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
/* Zeroed: at the start of a text. */
typedef struct green_utf8 {
  uint8_t state; /* Private: what the next byte may be. */
} green_utf8;

/* The next n bytes: 0, or GREEN_EILSEQ as soon as nothing that followed could
** make the text valid. That is final. */
GREEN_API int green_utf8_run(green_utf8 *u, const char *p, size_t n);

/* May the text end here: is no character begun? No, after an error. */
GREEN_API bool green_utf8_is_whole(const green_utf8 *u);

/* Is it UTF-8 as a whole? */
GREEN_API bool green_utf8_check(const char *p, size_t n);
/* end ffi */

#endif
