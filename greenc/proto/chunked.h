/*
** chunked.h: decoder of the chunked transfer coding (RFC 9112, 7.1), strictly.
**
** Bytes in, ranges of data out; no copy, no allocation. The decoder keeps all
** state between calls, so every byte that it reports as used may be thrown
** away. A verdict depends on the bytes alone, never on how they were cut.
**
** Strict: sizes are 1 to 16 hex digits and at most 2^63 - 1, nothing but CRLF
** ends a line, chunk extensions follow the grammar (blanks are allowed around
** ";" and "=" only) and are dropped, trailer fields are checked as header
** fields are. Who wants them keeps their bytes: trailer_len says where they
** are.
*/
#ifndef GREEN_PROTO_CHUNKED_H
#define GREEN_PROTO_CHUNKED_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
typedef struct green_chunked {
  /* Limits in bytes. Set by init, changed at will afterwards. */
  uint32_t max_ext;     /* 4096: extensions not outweighed by data. */
  uint32_t max_trailer; /* 8192: trailer section without its blank line. */

  /* Of the last call, offsets from its first byte. */
  uint32_t data_off;
  uint32_t data_len;
  uint32_t used; /* How far the input is dealt with, data included. */
  bool done;     /* The body has ended. */

  uint8_t state; /* Private, both. */
  uint8_t digits;

  int64_t total; /* Data bytes so far. */
  int64_t left;  /* Data bytes of this chunk that are still to come. */

  /* Of the last call: so many of the bytes used, the last ones, belong to the
  ** trailer section, its blank line included. */
  uint32_t trailer_len;

  /* Private. */
  uint32_t ext;
  uint32_t trailer;
  int32_t error;
  const char *reason; /* Static text for the log, after an error. */
} green_chunked;

/* A new body, default limits. No call takes more than 2^31 - 1 bytes of input
** or output; the rest is left as if it had not been passed. */
GREEN_API void green_chunked_init(green_chunked *c);

/*
** Look for the next range of data in in[0..len).
**   1             data: in[data_off .. data_off + data_len), not empty. Go on
**                 behind used bytes
**   0             the body has ended behind used bytes: what follows is the
**                 next request
**   GREEN_EAGAIN  all is used, more is needed
**   GREEN_EPROTO  bad syntax: reason
**   GREEN_ETOOBIG extensions or trailers over the limit: reason
** Errors and the end are final: later calls repeat them and use nothing.
*/
GREEN_API int green_chunked_next(green_chunked *c, const char *in, size_t len);

/*
** The same, copied: decode in[0..len) into out until that is full, the input is
** used up or the body ends. out may be in: data only moves down. Returns how
** many bytes were written; used and done are set. Less than cap and not done
** means: all input is used, more is needed. Behind a full out, what is no data
** is still dealt with, so that done is known as soon as can be (cap may be 0 to
** do only that). An error is returned once the data before it has been handed
** out.
*/
GREEN_API int green_chunked_read(green_chunked *c, const char *in, size_t len,
                                 char *out, size_t cap);

/* The peer will send no more: 0 when the body was complete, GREEN_EEOF when it
** ended too early, or the error that was found before. */
GREEN_API int green_chunked_eof(const green_chunked *c);
/* end ffi */

#endif
