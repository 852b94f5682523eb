/*
** z85_fuzz.c: any bytes as Z85, and any bytes there and back.
*/

#include "base/z85.h"
#include "guard.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* What is taken is what the bytes are encoded to. */
static void check_text(const char *in, size_t n)
{
  size_t at = n + 1;
  char *out = malloc(n + 1), *again = malloc(n + 1);
  int64_t rc = green_z85_decode(guard_copy(in, n), n, out, &at);
  if (rc < 0) {
    CHECK(rc == GREEN_EINVAL && at <= n);
  } else {
    CHECK(green_z85_encode(out, (size_t)rc, again) == (int64_t)n);
    CHECK(!memcmp(again, in, n));
  }
  free(again);
  free(out);
}

static void check_bytes(const char *in, size_t n)
{
  size_t at;
  char *text = malloc(n / 4 * 5 + 1), *out = malloc(n + 1);
  int64_t len = green_z85_encode(guard_copy(in, n), n, text);
  if (n % 4) {
    CHECK(len == GREEN_EINVAL);
  } else {
    char *p = guard_copy(text, (size_t)len);
    CHECK(green_z85_decode(p, (size_t)len, out, &at) == (int64_t)n);
    CHECK(!memcmp(out, in, n));
  }
  free(out);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > 65536) return 0;
  check_text((const char *)data, size);
  check_bytes((const char *)data, size);
  return 0;
}
