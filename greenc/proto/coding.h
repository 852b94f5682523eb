/*
** coding.h: content codings of HTTP (RFC 9110, 8.4), decoded by name.
**
** One shape for what inflate.h and brotli.h do.
*/
#ifndef GREEN_PROTO_CODING_H
#define GREEN_PROTO_CODING_H

#include "proto/brotli.h"
#include "proto/inflate.h"

/* ffi needs: inflate brotli */
/* ffi */
enum { GREEN_CODING_GZIP, GREEN_CODING_DEFLATE, GREEN_CODING_BR };

typedef struct green_coding {
  uint32_t used; /* Of the last run: how much of the input is dealt with. */
  int32_t error;
  const char *reason; /* Static text, after an error. */

  /* Private. */
  int32_t kind;
  union {
    green_inflate inflate;
    green_brotli brotli;
  } of;
} green_coding;

/* The kind that a name of n bytes stands for, in either case: "gzip" or
** "x-gzip", "deflate", "br"; GREEN_EOPNOTSUPP: of none. Any thread. */
GREEN_API int green_coding_find(const char *name, size_t n);

/* Why a kind cannot be decoded here: a sentence that names the library; NULL:
** it can. Any thread. */
GREEN_API const char *green_coding_missing(int kind);

/* Begin to decode: 0, GREEN_ENOLIBRARY, GREEN_ENOMEM. A zeroed struct, and one
** that was deinit, is closed. */
GREEN_API int green_coding_init(green_coding *c, int kind);

/* Decode, as green_inflate_run. */
GREEN_API int green_coding_run(green_coding *c, const void *in, size_t n,
                               void *out, size_t cap);

/* There is no more input: 0 when all was complete, GREEN_EEOF when it ended too
** early, or the error that was found before. */
GREEN_API int green_coding_eof(const green_coding *c);

/* Free all. Idempotent. */
GREEN_API void green_coding_deinit(green_coding *c);
/* end ffi */

#endif
