/*
** coding_cut.h: packed bytes through a decoder in every cut. Fuzzers use it
** too.
*/
#ifndef GREEN_CODING_CUT_H
#define GREEN_CODING_CUT_H

#include "proto/brotli.h"
#include "proto/inflate.h"
#include "guard.h"

#include <stdio.h>

/* Formats of inflate.h, and one more. */
enum { CUT_BROTLI = GREEN_Z_MESSAGES + 1, CUT_FORMATS };

/* How a stream ended (eof's word), and what was in it. */
typedef struct cut_stream {
  int rc;
  size_t len;
  char *data;
} cut_stream;

typedef struct cut_decoder {
  int format;
  uint32_t used;
  union {
    green_inflate inflate;
    green_brotli brotli;
  } of;
} cut_decoder;

static int cut_open(cut_decoder *d, int format)
{
  d->format = format;
  if (format == CUT_BROTLI) return green_brotli_init(&d->of.brotli);
  return green_inflate_init(&d->of.inflate, format, 0);
}

static void cut_close(cut_decoder *d)
{
  if (d->format == CUT_BROTLI)
    green_brotli_deinit(&d->of.brotli);
  else
    green_inflate_deinit(&d->of.inflate);
}

static int cut_run(cut_decoder *d, const char *in, size_t n, char *out,
                   size_t cap)
{
  bool br = d->format == CUT_BROTLI;
  int rc = br ? green_brotli_run(&d->of.brotli, in, n, out, cap)
              : green_inflate_run(&d->of.inflate, in, n, out, cap);
  d->used = br ? d->of.brotli.used : d->of.inflate.used;
  return rc;
}

static int cut_eof(const cut_decoder *d)
{
  return d->format == CUT_BROTLI ? green_brotli_eof(&d->of.brotli)
                                 : green_inflate_eof(&d->of.inflate);
}

/* One piece of input. It ends at the guard page, or the output does, by turns.
** -1: something that must not be; else as run. */
static int cut_feed(cut_decoder *d, const char *in, size_t n, size_t cap,
                    size_t most, cut_stream *s)
{
  int rc;
  do {
    char *out = guard_end() - cap - (n & 1 ? n : 0);
    const char *from = memcpy(n & 1 ? out + cap : out - n, in, n);
    rc = cut_run(d, from, n, out, cap);
    if (rc > (int)cap || d->used > n) return -1;
    if (rc >= 0 && rc < (int)cap && d->used < n && cut_eof(d) >= 0) return -1;
    for (int i = 0; i < rc && s->len < most; i++) s->data[s->len++] = out[i];
    in += d->used;
    n -= d->used;
  } while (rc == (int)cap && s->len < most);
  return rc;
}

/* Unpack in[0..n) in pieces of at most step bytes, the output by cap bytes,
** until most bytes have come out. 0: it went wrong. */
static int cut_whole(int format, const char *in, size_t n, size_t step,
                     size_t cap, size_t most, cut_stream *s)
{
  cut_decoder d;
  int rc = 0;
  s->len = 0;
  if (cut_open(&d, format) < 0) return 0;
  for (size_t at = 0; at < n && rc >= 0 && s->len < most; at += step)
    rc = cut_feed(&d, in + at, n - at < step ? n - at : step, cap, most, s);
  s->rc = s->len < most ? cut_eof(&d) : 1;
  cut_close(&d);
  return rc != -1;
}

/* What is unpacked of a broken brotli stream depends on the cuts: the shorter
** is the beginning of the longer. */
static int cut_same(int format, const cut_stream *a, const cut_stream *b)
{
  size_t n = a->len < b->len ? a->len : b->len;
  if (a->rc != b->rc || memcmp(a->data, b->data, n) != 0) return 0;
  return a->len == b->len || (format == CUT_BROTLI && a->rc < 0);
}

/* Unpack whole into s, and in pieces of 1 to steps bytes with small rooms. 0:
** they do not agree. */
static int cut_coding(int format, const char *in, size_t n, size_t steps,
                      size_t most, cut_stream *s)
{
  cut_stream other = {.data = malloc(most)};
  int same = cut_whole(format, in, n, n + 1, 4096, most, s);
  for (size_t step = 1; step <= steps && same; step++)
    for (size_t cap = 1; cap <= 64 && same; cap *= 8)
      same = cut_whole(format, in, n, step, cap, most, &other) &&
             cut_same(format, s, &other);
  free(other.data);
  return same;
}

#endif
