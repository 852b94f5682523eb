/*
** http_body.c: the reader of bodies.
*/

#include "proto/http_body.h"

#include <string.h>

void green_http_body_init(green_http_body *b, int framing, int64_t length)
{
  int64_t left = framing == GREEN_BODY_CLOSE ? INT64_MAX : 0;
  if (framing == GREEN_BODY_LENGTH && length > 0) left = length;
  green__http_body_start(b, framing, left);
  b->data_off = b->data_len = b->used = 0;
}

static int body_chunk(green_http_body *b, const char *in, size_t len)
{
  int rc = green_chunked_next(&b->chunk, in, len);
  b->data_off = b->chunk.data_off;
  b->data_len = b->chunk.data_len;
  b->used = b->chunk.used;
  b->total = b->chunk.total;
  b->done = b->chunk.done;
  return rc;
}

/* The first run of data, and those behind it moved up to it. */
static int body_chunks(green_http_body *b, char *in, size_t len)
{
  int rc = body_chunk(b, in, len);
  if (rc <= 0) return rc;
  uint32_t off = b->data_off, n = b->data_len, used = b->used;
  while (rc > 0 && used < len) {
    rc = body_chunk(b, in + used, len - used);
    memmove(in + off + n, in + used + b->data_off, b->data_len);
    n += b->data_len;
    used += b->used;
  }
  b->data_off = off;
  b->data_len = n;
  b->used = used;
  return 1;
}

int green_http_body_next(green_http_body *b, const char *in, size_t len)
{
  if (b->framing == GREEN_BODY_CHUNKED) return body_chunk(b, in, len);
  return green__http_body_plain(b, len);
}

int green_http_body_gather(green_http_body *b, char *in, size_t len)
{
  if (b->framing == GREEN_BODY_CHUNKED) return body_chunks(b, in, len);
  return green__http_body_plain(b, len);
}

int green_http_body_eof(green_http_body *b)
{
  if (b->framing == GREEN_BODY_CLOSE) {
    b->left = 0;
    b->done = true;
  }
  if (b->done) return 0;
  return b->framing == GREEN_BODY_CHUNKED ? green_chunked_eof(&b->chunk)
                                          : GREEN_EEOF;
}
