/*
** http_body.h: where the body of a message ends (RFC 9112, 6).
**
** One reader for all four ways, for requests and responses. Bytes in, ranges of
** data out; no copy, no allocation. The state is kept between calls, so every
** byte that is reported as used may be thrown away. Bytes behind the end are
** not touched. A verdict depends on the bytes alone, never on how they were cut
** into pieces.
*/
#ifndef GREEN_PROTO_HTTP_BODY_H
#define GREEN_PROTO_HTTP_BODY_H

#include "proto/chunked.h"

/* ffi needs: chunked */
/* ffi */
/* How a body ends. */
enum {
  GREEN_BODY_NONE,    /* There is none. */
  GREEN_BODY_LENGTH,  /* After so many bytes. */
  GREEN_BODY_CHUNKED, /* As the chunked coding says. */
  GREEN_BODY_CLOSE,   /* When the peer sends no more. */
};

typedef struct green_http_body {
  uint8_t framing; /* GREEN_BODY_* */
  bool done;       /* The body has ended. */

  /* Of the last call, offsets from its first byte. */
  uint32_t data_off;
  uint32_t data_len;
  uint32_t used; /* How far the input is dealt with, data included. */

  int64_t left;  /* Of a length: bytes to come; 0 for chunks. */
  int64_t total; /* Bytes of data so far. */

  green_chunked chunk; /* Only of a chunked body: limits, reason of an error,
                          trailer_len. */
} green_http_body;

/* A new body. length counts for GREEN_BODY_LENGTH only; none, or 0, has ended
** at once. */
GREEN_API void green_http_body_init(green_http_body *b, int framing,
                                    int64_t length);

/*
** Look for the next range of data in in[0..len). No call takes more than 2^31 -
** 1 bytes; the rest is left as if it had not been passed.
**   1             data: in[data_off .. data_off + data_len), not empty. Go on
**                 behind used bytes; with done set this was the last
**   0             the body has ended behind used bytes: what follows is not its
**   GREEN_EAGAIN  all is used, more is needed
**   GREEN_EPROTO  bad chunks: chunk.reason
**   GREEN_ETOOBIG chunk extensions or trailers over the limit: chunk.reason
** Errors and the end are final: later calls repeat them and use nothing.
*/
GREEN_API int green_http_body_next(green_http_body *b, const char *in,
                                   size_t len);

/* As next, but chunks are put together: data that follow in the input are moved
** up behind the first, so that chunks of a byte each do not come one by one. An
** error behind data comes with the next call. */
GREEN_API int green_http_body_gather(green_http_body *b, char *in, size_t len);

/* The peer will send no more: 0 when the body is complete, as one that ends so
** is then; GREEN_EEOF when it ended too early; or the error found before. */
GREEN_API int green_http_body_eof(green_http_body *b);
/* end ffi */

/* The same as init and, if the body is not chunked, gather, as inline
** functions: what a server does with each request. left is 0 but of a
** length. */
static inline void green__http_body_start(green_http_body *b, int framing,
                                          int64_t left)
{
  b->framing = (uint8_t)framing;
  b->left = left;
  b->total = 0;
  b->done = left == 0 && framing != GREEN_BODY_CHUNKED;
  if (framing == GREEN_BODY_CHUNKED) green_chunked_init(&b->chunk);
}

static inline int green__http_body_plain(green_http_body *b, size_t len)
{
  uint32_t n = len < INT32_MAX ? (uint32_t)len : INT32_MAX;
  if ((int64_t)n > b->left) n = (uint32_t)b->left;
  b->data_off = 0;
  b->data_len = b->used = n;
  if (n == 0) return b->done ? 0 : GREEN_EAGAIN;
  b->total += n;
  b->left -= n;
  b->done = b->left == 0;
  return 1;
}

#endif
