/*
** inflate.c: zlib's streams, both directions. The only file that includes its
** header.
**
** The functions are called as lib.inflate(...): through pointers, because the
** library is opened at run time. zlib's macros with an Init in their name would
** call the linked ones.
*/

#include "proto/inflate.h"
#include "base/library.h"
#include "base/mem.h"

#include <string.h>
#include <zlib.h>

/* clang-format off */
#define ZLIB_FUNCTIONS(X) \
  X(inflateInit2_) X(inflate) X(inflateReset) X(inflateReset2) X(inflateEnd) \
  X(deflateInit2_) X(deflate) X(deflateReset) X(deflateEnd)
/* clang-format on */

static struct {
#define X(name) __typeof__(name) *(name);
  ZLIB_FUNCTIONS(X)
#undef X
} lib;

static const char *const zlib_names[] = {
#define X(name) #name,
    ZLIB_FUNCTIONS(X)
#undef X
};

static green__library zlib = {
    .file = "libz.so.1",
    .env = "GREENLUA_LIBZ",
    .needs = "gzip and deflate need zlib, Debian's package zlib1g",
    .names = zlib_names,
    .table = &lib,
    .n = sizeof(zlib_names) / sizeof(zlib_names[0]),
};

const char *green_inflate_missing(void)
{
  return green__library_load(&zlib) < 0 ? zlib.why : NULL;
}

/* -- Both directions ------------------------------------------------------ */

/* zlib asks for no more than some hundred kilobytes. */
static void *stream_alloc(void *opaque, unsigned items, unsigned size)
{
  (void)opaque;
  return green__alloc((size_t)items * size);
}

static void stream_free(void *opaque, void *p)
{
  (void)opaque;
  green__free(p);
}

/* How zlib is told of a format and the size of the window. */
static int stream_bits(int format, int bits)
{
  if (!bits) bits = MAX_WBITS;
  if (format == GREEN_Z_RAW || format == GREEN_Z_MESSAGES) return -bits;
  return format == GREEN_Z_GZIP ? bits + 16 : bits;
}

static int stream_error(int rc)
{
  if (rc == Z_OK) return 0;
  return rc == Z_MEM_ERROR ? GREEN_ENOMEM : GREEN_EINVAL;
}

/* Lay out a run. zlib takes no NULL for a place. Returns the room. */
static unsigned stream_begin(z_stream *s, const void *in, size_t n, void *out,
                             size_t cap)
{
  static const Bytef nothing;
  static Bytef nowhere;
  s->next_in = (z_const Bytef *)(n ? in : &nothing);
  s->avail_in = n < INT32_MAX ? (unsigned)n : INT32_MAX;
  s->next_out = cap ? out : &nowhere;
  s->avail_out = cap < INT32_MAX ? (unsigned)cap : INT32_MAX;
  return s->avail_out;
}

/* -- Unpacking ------------------------------------------------------------ */

static int inflate_fail(green_inflate *z, int error, const char *reason)
{
  z->error = error;
  z->reason = reason;
  return error;
}

int green_inflate_init(green_inflate *z, int format, int bits)
{
  memset(z, 0, sizeof(*z));
  int err = green__library_load(&zlib);
  if (err < 0) return inflate_fail(z, err, zlib.why);
  z_stream *s = green__zalloc(sizeof(*s));
  if (!s) return inflate_fail(z, GREEN_ENOMEM, "out of memory");
  s->zalloc = stream_alloc;
  s->zfree = stream_free;
  z->format = (uint8_t)format;
  err = stream_error(lib.inflateInit2_(s, stream_bits(format, bits),
                                       ZLIB_VERSION, (int)sizeof(*s)));
  if (err == 0) {
    z->z = s;
    return 0;
  }
  green__free(s);
  return inflate_fail(z, err, "zlib refuses");
}

void green_inflate_deinit(green_inflate *z)
{
  if (!z->error) inflate_fail(z, GREEN_ECLOSED, "closed");
  if (!z->z) return;
  lib.inflateEnd(z->z);
  green__free(z->z);
  z->z = NULL;
}

/* "deflate" in HTTP: the first byte of zlib's header says method 8 and a window
** of 2^15 bytes at most. A raw stream that begins so has a stored block with
** bits set that are passed over, which nothing writes. */
static bool is_zlib(Bytef first)
{
  return (first & 15) == Z_DEFLATED && first >> 4 <= MAX_WBITS - 8;
}

/* In front of the first byte of a stream. 0 or the error. */
static int inflate_begin(green_inflate *z, z_stream *s)
{
  bool more = z->format == GREEN_Z_GZIP || z->format == GREEN_Z_MESSAGES;
  if (z->done && !more)
    return inflate_fail(z, GREEN_EPROTO, "bytes behind the end");
  if (z->done) lib.inflateReset(s);
  if (z->format == GREEN_Z_HTTP)
    lib.inflateReset2(s, is_zlib(*s->next_in) ? MAX_WBITS : -MAX_WBITS);
  z->done = false;
  z->begun = true;
  return 0;
}

/* What zlib has said. 1: go on; 0: it needs input or room; or the error. */
static int inflate_said(green_inflate *z, const z_stream *s, int rc)
{
  switch (rc) {
  case Z_OK:
    return s->avail_in && s->avail_out;
  case Z_STREAM_END:
    z->done = true;
    return s->avail_in && s->avail_out;
  case Z_BUF_ERROR:
    return 0;
  case Z_MEM_ERROR:
    return inflate_fail(z, GREEN_ENOMEM, "out of memory");
  case Z_NEED_DICT:
    return inflate_fail(z, GREEN_EPROTO, "it needs a dictionary");
  default:
    return inflate_fail(z, GREEN_EPROTO, s->msg ? s->msg : "not deflate");
  }
}

int green_inflate_run(green_inflate *z, const void *in, size_t n, void *out,
                      size_t cap)
{
  z_stream *s = z->z;
  z->used = 0;
  if (!s && !z->error) return inflate_fail(z, GREEN_ECLOSED, "closed");
  if (z->error) return z->error;
  unsigned room = stream_begin(s, in, n, out, cap), given = s->avail_in;
  int rc;
  do {
    rc = 0;
    if (s->avail_in && (z->done || !z->begun)) rc = inflate_begin(z, s);
    if (rc < 0 || z->done || !z->begun) break;
    rc = inflate_said(z, s, lib.inflate(s, Z_NO_FLUSH));
  } while (rc > 0);
  z->used = given - s->avail_in;
  int written = (int)(room - s->avail_out);
  return rc < 0 && !written ? rc : written;
}

int green_inflate_eof(const green_inflate *z)
{
  if (z->error) return z->error;
  if (!z->z) return GREEN_ECLOSED;
  return z->done ? 0 : GREEN_EEOF;
}

bool green_inflate_is_between(const green_inflate *z)
{
  /* What zlib says of the last call: 7: bits left, 64: in the last block, 128:
  ** at a block's end. */
  const z_stream *s = z->z;
  if (z->error || !s) return false;
  return z->done || (s->data_type & (7 | 64 | 128)) == 128;
}

void green_inflate_reset(green_inflate *z)
{
  z->used = 0;
  z->done = z->begun = false;
  if (!z->z) return;
  lib.inflateReset(z->z);
  z->error = 0;
  z->reason = NULL;
}

/* -- Packing -------------------------------------------------------------- */

static int deflate_fail(green_deflate *z, int error, const char *reason)
{
  z->error = error;
  z->reason = reason;
  return error;
}

int green_deflate_init(green_deflate *z, int format, int level, int bits)
{
  memset(z, 0, sizeof(*z));
  green_assert(format < GREEN_Z_HTTP, "one of the first three formats");
  int err = green__library_load(&zlib);
  if (err < 0) return deflate_fail(z, err, zlib.why);
  z_stream *s = green__zalloc(sizeof(*s));
  if (!s) return deflate_fail(z, GREEN_ENOMEM, "out of memory");
  s->zalloc = stream_alloc;
  s->zfree = stream_free;
  err = stream_error(
      lib.deflateInit2_(s, level, Z_DEFLATED, stream_bits(format, bits), 8,
                        Z_DEFAULT_STRATEGY, ZLIB_VERSION, (int)sizeof(*s)));
  if (err == 0) {
    z->z = s;
    return 0;
  }
  green__free(s);
  return deflate_fail(z, err, "zlib refuses");
}

void green_deflate_deinit(green_deflate *z)
{
  if (!z->error) deflate_fail(z, GREEN_ECLOSED, "closed");
  if (!z->z) return;
  lib.deflateEnd(z->z);
  green__free(z->z);
  z->z = NULL;
}

int green_deflate_run(green_deflate *z, const void *in, size_t n, void *out,
                      size_t cap, int flush)
{
  static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
  z_stream *s = z->z;
  z->used = 0;
  green_assert(flush == GREEN_Z_GO_ON || cap >= 7, "cap is at least 7");
  if (!s && !z->error) return deflate_fail(z, GREEN_ECLOSED, "closed");
  if (z->error) return z->error;
  if (z->done && !n) return 0;
  unsigned room = stream_begin(s, in, n, out, cap), given = s->avail_in;
  int rc = lib.deflate(s, flushes[flush]);
  z->used = given - s->avail_in;
  z->done = rc == Z_STREAM_END;
  if (rc == Z_STREAM_ERROR)
    return deflate_fail(z, GREEN_EINVAL, "bytes behind the end");
  return (int)(room - s->avail_out);
}

void green_deflate_reset(green_deflate *z)
{
  z->used = 0;
  z->done = false;
  if (!z->z) return;
  lib.deflateReset(z->z);
  z->error = 0;
  z->reason = NULL;
}
