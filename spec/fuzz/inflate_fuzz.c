/*
** inflate_fuzz.c: any bytes as each of zlib's formats (the first byte chooses),
** in several cuts, and any bytes packed and back.
*/

#include "proto/coding_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

enum { MOST = 100000 };

static void check_round(int format, int level, const char *in, size_t n)
{
  static char packed[140000], data[MOST];
  cut_stream s = {.data = data};
  green_deflate z;
  size_t len = 0;
  CHECK(green_deflate_init(&z, format, level, 0) == 0);
  const char *p = in, *end = in + n;
  while (!z.done) {
    size_t part = (size_t)(end - p) > 1000 ? 1000 : (size_t)(end - p);
    int flush = p + part == end ? GREEN_Z_FINISH : (int)(part & 1);
    int rc = green_deflate_run(&z, p, part, packed + len, 300, flush);
    CHECK(rc >= 0 && rc <= 300);
    len += (size_t)rc;
    p += z.used;
  }
  green_deflate_deinit(&z);
  int as = format == GREEN_Z_GZIP ? format : GREEN_Z_HTTP;
  CHECK(cut_whole(as, packed, len, 1 + n / 2, 777, MOST, &s));
  CHECK(s.rc == 0 && s.len == n && !memcmp(s.data, in, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static char out[MOST];
  cut_stream s = {.data = out};
  if (size < 1 || size > 60000) return 0;
  int format = data[0] & 3, level = data[0] >> 2 & 7;
  const char *in = (const char *)data + 1;
  size--;
  CHECK(cut_coding(format, in, size, 3, MOST, &s));
  CHECK(s.rc == 0 || s.rc == 1 || s.rc == GREEN_EPROTO || s.rc == GREEN_EEOF);
  if (format != GREEN_Z_HTTP) check_round(format, level, in, size);
  return 0;
}
