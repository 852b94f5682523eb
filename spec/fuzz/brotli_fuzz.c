/*
** brotli_fuzz.c: any bytes as a brotli stream, in several cuts.
*/

#include "proto/coding_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

enum { MOST = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static char out[MOST];
  cut_stream s = {.data = out};
  if (size > 60000 || green_brotli_missing()) return 0;
  CHECK(cut_coding(CUT_BROTLI, (const char *)data, size, 3, MOST, &s));
  CHECK(s.rc == 0 || s.rc == 1 || s.rc == GREEN_EPROTO || s.rc == GREEN_EEOF);
  return 0;
}
