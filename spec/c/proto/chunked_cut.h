/*
** chunked_cut.h: a chunked body through the decoder in every cut and with both
** of its calls. Fuzzers use it too.
*/
#ifndef GREEN_CHUNKED_CUT_H
#define GREEN_CHUNKED_CUT_H

#include "proto/chunked.h"
#include "guard.h"

#include <stdio.h>

/* How a body ended, and what was in it. */
typedef struct cut_body {
  int rc; /* 0, GREEN_EAGAIN or the error. */
  size_t used;
  size_t len;
  const char *reason;
  char *data;
} cut_body;

/* Feed in[0..n) in pieces of at most step bytes. */
static void cut_next(green_chunked c, const char *in, size_t n, size_t step,
                     cut_body *b)
{
  b->rc = GREEN_EAGAIN;
  b->used = b->len = 0;
  while (b->used < n) {
    size_t len = n - b->used < step ? n - b->used : step;
    const char *p = guard_copy(in + b->used, len);
    b->rc = green_chunked_next(&c, p, len);
    if (b->rc == 1) memcpy(b->data + b->len, p + c.data_off, c.data_len);
    b->len += c.data_len;
    b->used += c.used;
    if (b->rc <= 0 && b->rc != GREEN_EAGAIN) break;
  }
  if (b->rc == 1) b->rc = GREEN_EAGAIN;
  b->reason = c.reason;
  if (c.total != (int64_t)b->len) b->rc = 1 << 30;
}

/* The same by copies of at most cap bytes, in place. */
static void cut_read(green_chunked c, const char *in, size_t n, size_t step,
                     size_t cap, cut_body *b)
{
  b->rc = GREEN_EAGAIN;
  b->used = b->len = 0;
  while (b->used < n && b->rc == GREEN_EAGAIN) {
    size_t len = n - b->used < step ? n - b->used : step;
    char *p = guard_copy(in + b->used, len);
    int rc = green_chunked_read(&c, p, len, p, cap);
    if (rc > 0) memcpy(b->data + b->len, p, (size_t)rc);
    if (rc > 0) b->len += (size_t)rc;
    if (rc < 0) b->rc = rc;
    b->used += c.used;
    if (c.done) b->rc = 0;
    if (rc >= 0 && (size_t)rc < cap && !c.done && !c.error && c.used < len)
      b->rc = 1 << 30;
  }
  b->reason = c.reason;
  if (c.error && b->rc == GREEN_EAGAIN) b->rc = c.error;
}

static int cut_body_same(const cut_body *a, const cut_body *b)
{
  return a->rc == b->rc && a->used == b->used && a->len == b->len &&
         a->reason == b->reason && !memcmp(a->data, b->data, a->len);
}

/* Decode whole into b, and in pieces of every length up to most, with both
** calls. 0: they do not agree. Limits are taken from c. */
static int cut_chunked(green_chunked c, const char *in, size_t n, size_t most,
                       cut_body *b)
{
  cut_body other = {.data = malloc(n + 1)};
  int same = 1;
  cut_next(c, in, n, n + 1, b);
  for (size_t step = 1; step <= most && same; step++) {
    cut_next(c, in, n, step, &other);
    same = cut_body_same(b, &other);
    for (size_t cap = 1; cap <= 8 && same; cap += cap) {
      cut_read(c, in, n, step, cap, &other);
      same = cut_body_same(b, &other);
    }
  }
  free(other.data);
  return same;
}

#endif
