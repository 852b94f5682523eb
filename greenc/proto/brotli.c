/*
** brotli.c: libbrotlidec's decoder. The only file that declares its functions.
*/

#include "proto/brotli.h"
#include "base/library.h"
#include "base/mem.h"

#include <string.h>

/* -- What the library declares, from version 1.0 on ----------------------- */

typedef struct brotli_state brotli_state;

enum { BROTLI_ERROR, BROTLI_SUCCESS, BROTLI_NEEDS_INPUT, BROTLI_NEEDS_ROOM };

/* Codes from here to BROTLI_NO_MEMORY_LAST are failed allocations. */
enum { BROTLI_NO_MEMORY = -21, BROTLI_NO_MEMORY_LAST = -30 };

static struct {
  brotli_state *(*create)(void *(*alloc)(void *opaque, size_t n),
                          void (*free)(void *opaque, void *p), void *opaque);
  void (*destroy)(brotli_state *s);
  int (*decompress)(brotli_state *s, size_t *in_left, const uint8_t **in,
                    size_t *out_left, uint8_t **out, size_t *total);
  int (*code)(const brotli_state *s);
  const char *(*text)(int code);
} lib;

static const char *const brotli_names[] = {
    "BrotliDecoderCreateInstance",   "BrotliDecoderDestroyInstance",
    "BrotliDecoderDecompressStream", "BrotliDecoderGetErrorCode",
    "BrotliDecoderErrorString",
};

static green__library brotli = {
    .file = "libbrotlidec.so.1",
    .env = "GREENLUA_LIBBROTLI",
    .needs = "br needs libbrotlidec, Debian's package libbrotli1",
    .names = brotli_names,
    .table = &lib,
    .n = sizeof(brotli_names) / sizeof(brotli_names[0]),
};

const char *green_brotli_missing(void)
{
  return green__library_load(&brotli) < 0 ? brotli.why : NULL;
}

/* -- Streams -------------------------------------------------------------- */

static void *brotli_alloc(void *opaque, size_t n)
{
  (void)opaque;
  return green__alloc(n);
}

static void brotli_free(void *opaque, void *p)
{
  (void)opaque;
  green__free(p);
}

static int brotli_fail(green_brotli *b, int error, const char *reason)
{
  b->error = error;
  b->reason = reason;
  return error;
}

int green_brotli_init(green_brotli *b)
{
  memset(b, 0, sizeof(*b));
  int err = green__library_load(&brotli);
  if (err < 0) return brotli_fail(b, err, brotli.why);
  b->z = lib.create(brotli_alloc, brotli_free, NULL);
  return b->z ? 0 : brotli_fail(b, GREEN_ENOMEM, "out of memory");
}

void green_brotli_deinit(green_brotli *b)
{
  if (!b->error) brotli_fail(b, GREEN_ECLOSED, "closed");
  if (b->z) lib.destroy(b->z);
  b->z = NULL;
}

/* What the library has said. 0 or the error. */
static int brotli_said(green_brotli *b, int rc, size_t in_left)
{
  b->done = rc == BROTLI_SUCCESS;
  if (b->done && in_left)
    return brotli_fail(b, GREEN_EPROTO, "bytes behind the end");
  if (rc != BROTLI_ERROR) return 0;
  int code = lib.code(b->z);
  if (code <= BROTLI_NO_MEMORY && code >= BROTLI_NO_MEMORY_LAST)
    return brotli_fail(b, GREEN_ENOMEM, "out of memory");
  return brotli_fail(b, GREEN_EPROTO, lib.text(code));
}

int green_brotli_run(green_brotli *b, const void *in, size_t n, void *out,
                     size_t cap)
{
  b->used = 0;
  if (!b->z && !b->error) return brotli_fail(b, GREEN_ECLOSED, "closed");
  if (b->error) return b->error;
  if (b->done && n) return brotli_fail(b, GREEN_EPROTO, "bytes behind the end");
  if (b->done) return 0;
  size_t in_left = n < INT32_MAX ? n : INT32_MAX, given = in_left;
  size_t out_left = cap < INT32_MAX ? cap : INT32_MAX, room = out_left;
  const uint8_t *from = in;
  uint8_t *to = out;
  int rc = lib.decompress(b->z, &in_left, &from, &out_left, &to, NULL);
  rc = brotli_said(b, rc, in_left);
  b->used = (uint32_t)(given - in_left);
  return rc < 0 && out_left == room ? rc : (int)(room - out_left);
}

int green_brotli_eof(const green_brotli *b)
{
  if (b->error) return b->error;
  if (!b->z) return GREEN_ECLOSED;
  return b->done ? 0 : GREEN_EEOF;
}
