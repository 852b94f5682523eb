/*
** resp_fuzz.c: any bytes as replies, one after the other: the same in all cuts,
** and what is taken is what its tokens say.
**
** A first byte of 0x80 or more is no reply's: it sets limits.
*/

#include "proto/resp_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *in = (const char *)data;
  green_resp r;
  if (size > 4096) return 0;
  green_resp_init(&r);
  if (size && data[0] >= 0x80) {
    r.max_line = r.max_bulk = data[0] & 31;
    r.max_elements = r.max_depth = data[0] >> 3 & 15;
    in++;
    size--;
  }
  for (;;) {
    int deep = 0, rc = cut_resp(&r, in, size, 5);
    CHECK(rc != -1000);
    CHECK((rc == GREEN_EPROTO || rc == GREEN_ETOOBIG) == (r.reason != NULL));
    if (rc < 0) break;
    CHECK(cut_walk(in, (size_t)rc, &deep) == (size_t)rc);
    CHECK(deep <= (int)r.max_depth);
    in += rc;
    size -= (size_t)rc;
  }
  return 0;
}
