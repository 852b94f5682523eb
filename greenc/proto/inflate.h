/*
** inflate.h: zlib: gzip, zlib and raw deflate (RFC 1952, 1950, 1951), unpacked
** and packed as a stream.
**
** Bytes in, bytes out into the caller's buffer, which bounds them. zlib is
** opened when the first stream begins; where it is missing that fails.
**
** A verdict depends on the bytes alone, never on how they were cut. A zeroed
** struct, and one that was deinit, is closed: it may be deinit, and whatever
** else is called says GREEN_ECLOSED.
*/
#ifndef GREEN_PROTO_INFLATE_H
#define GREEN_PROTO_INFLATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_Z_GZIP, /* Unpacking: one member behind another. */
  GREEN_Z_ZLIB,
  GREEN_Z_RAW,
  GREEN_Z_HTTP,     /* Unpacking: what HTTP calls "deflate": zlib, or raw. */
  GREEN_Z_MESSAGES, /* Unpacking: raw, one behind another: websockets'. */
};

enum {
  GREEN_Z_GO_ON,  /* Output comes when there is enough. */
  GREEN_Z_SYNC,   /* All that was put in comes out, up to a byte's end. */
  GREEN_Z_FINISH, /* The stream ends. */
};

typedef struct green_inflate {
  uint32_t used; /* Of the last run: how much of the input is dealt with. */
  bool done;     /* The stream has ended; gzip: a member has. */
  int32_t error;
  const char *reason; /* Static text, after an error. */

  /* Private. */
  uint8_t format;
  bool begun;
  void *z;
} green_inflate;

typedef struct green_deflate {
  uint32_t used;
  bool done; /* All is out, the end of the stream too. */
  int32_t error;
  const char *reason;

  /* Private. */
  void *z;
} green_deflate;

/* Why zlib cannot be used: a sentence; NULL: it can. Any thread. */
GREEN_API const char *green_inflate_missing(void);

/* Begin to unpack a format. bits: windows of up to 2^bits bytes, 8 to 15; 0:
** 15, as always with GREEN_Z_HTTP. Takes 10 KB, and the window when it is
** needed. 0, GREEN_ENOLIBRARY, GREEN_ENOMEM, GREEN_EINVAL (zlib refuses the
** bits). */
GREEN_API int green_inflate_init(green_inflate *z, int format, int bits);

/*
** Unpack in[0..n) into out[0..cap) until that is full or the input used up.
** Returns how many bytes were written; used and done are set. Fewer than cap
** means: all input is used, more is needed, or the end was reached. As many as
** cap: call it again with what was not used, even nothing. No call takes more
** than 2^31 - 1 bytes of input or output.
**   GREEN_EPROTO  no such stream, a wrong check, or bytes behind the end
**   GREEN_ENOMEM  there was no memory for the window
** An error is returned once the bytes before it have been handed out. It is
** final.
*/
GREEN_API int green_inflate_run(green_inflate *z, const void *in, size_t n,
                                void *out, size_t cap);

/* There is no more input: 0 when the stream was complete, GREEN_EEOF when it
** ended too early, or the error that was found before. */
GREEN_API int green_inflate_eof(const green_inflate *z);

/* Raw: has the last run ended between two blocks, or at the end, with no bit of
** a byte left? There a message of websockets ends. */
GREEN_API bool green_inflate_is_between(const green_inflate *z);

/* Begin anew with the same format and window, without what came before: raw
** streams between messages, without context takeover. A stream that was none is
** forgotten, too; one that was not begun, or is closed, is not. */
GREEN_API void green_inflate_reset(green_inflate *z);

/* Free all. Idempotent. */
GREEN_API void green_inflate_deinit(green_inflate *z);

/* Begin to pack: one of the first three formats, level 0 to 9 or -1 for zlib's
** own choice, bits 9 to 15, 0: 15. Takes up to 270 KB. As green_inflate_init.
*/
GREEN_API int green_deflate_init(green_deflate *z, int format, int level,
                                 int bits);

/*
** Pack in[0..n) into out[0..cap). Returns how many bytes were written; fewer
** than cap means that all input is used and the flush is complete: call it
** again with the same flush until then. With GREEN_Z_SYNC and GREEN_Z_FINISH
** cap is at least 7.
*/
GREEN_API int green_deflate_run(green_deflate *z, const void *in, size_t n,
                                void *out, size_t cap, int flush);

/* Begin a new stream with the same options. */
GREEN_API void green_deflate_reset(green_deflate *z);
GREEN_API void green_deflate_deinit(green_deflate *z);
/* end ffi */

#endif
