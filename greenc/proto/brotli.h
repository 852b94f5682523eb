/*
** brotli.h: the brotli decoder (RFC 7932), of libbrotlidec.
**
** As inflate.h in all: bytes in, bytes out into the caller's buffer; the
** library is opened when the first stream begins. It is optional, and small
** enough to be declared here: nothing of it is needed to build.
*/
#ifndef GREEN_PROTO_BROTLI_H
#define GREEN_PROTO_BROTLI_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
typedef struct green_brotli {
  uint32_t used; /* Of the last run: how much of the input is dealt with. */
  bool done;     /* The stream has ended. */
  int32_t error;
  const char *reason; /* Static text, after an error. */

  /* Private. */
  void *z;
} green_brotli;

/* Why libbrotlidec cannot be used: a sentence; NULL: it can. Any thread. */
GREEN_API const char *green_brotli_missing(void);

/* Begin to unpack. A stream may make it take 16 MB, the largest window of the
** format. 0, GREEN_ENOLIBRARY, GREEN_ENOMEM. */
GREEN_API int green_brotli_init(green_brotli *b);

/* As green_inflate_run. Where a stream is broken, bytes just before the place
** may not be handed out. */
GREEN_API int green_brotli_run(green_brotli *b, const void *in, size_t n,
                               void *out, size_t cap);

/* As green_inflate_eof. */
GREEN_API int green_brotli_eof(const green_brotli *b);

/* Free all. Idempotent. */
GREEN_API void green_brotli_deinit(green_brotli *b);
/* end ffi */

#endif
