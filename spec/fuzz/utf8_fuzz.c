/*
** utf8_fuzz.c: any bytes as UTF-8, in any cut, with vectors and without, and as
** the grammar says.
*/

#include "proto/utf8_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > 4096) return 0;
  CHECK(cut_utf8((const char *)data, size, 20) != 1 << 30);
  return 0;
}
