/*
** base64_fuzz.c: any bytes as base64 of all kinds and as hexadecimal digits,
** and any bytes there and back.
*/

#include "base/base64.h"
#include "base/hex.h"
#include "guard.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* What is taken is what the bytes are encoded to, but for the padding. */
static void check_text(const char *in, size_t n, int flags)
{
  size_t at = n + 1;
  char *out = malloc(n + 3), *again = malloc(n + 8);
  int64_t rc = green_base64_decode(guard_copy(in, n), n, flags, out, &at);
  if (rc < 0) {
    CHECK(rc == GREEN_EINVAL && at <= n);
  } else {
    int padded = n && in[n - 1] == '=' ? flags & ~GREEN_BASE64_BARE : flags;
    size_t len = green_base64_encode(out, (size_t)rc, padded, again);
    CHECK(len == n && !memcmp(again, in, n));
  }
  free(again);
  free(out);
}

static void check_bytes(const char *in, size_t n, int flags)
{
  size_t len = green_base64_size(n, flags), at;
  char *text = malloc(len + 1);
  CHECK(green_base64_encode(guard_copy(in, n), n, flags, text) == len);
  char *p = guard_copy(text, len);
  CHECK(green_base64_decode(p, len, flags, p, &at) == (int64_t)n);
  CHECK(!memcmp(p, in, n));
  free(text);
}

static void check_hex(const char *in, size_t n)
{
  size_t at = n + 1;
  char *text = malloc(2 * n + 1), *out = malloc(n + 1);
  green_hex_encode(guard_copy(in, n), n, text);
  CHECK(green_hex_decode(guard_copy(text, 2 * n), 2 * n, out, &at) ==
        (int64_t)n);
  CHECK(!memcmp(out, in, n));
  int64_t rc = green_hex_decode(guard_copy(in, n), n, out, &at);
  CHECK(rc < 0 ? rc == GREEN_EINVAL && at <= n : (size_t)rc * 2 == n);
  free(out);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *in = (const char *)data;
  if (size > 65536) return 0;
  for (int flags = 0; flags < 4; flags++) {
    check_text(in, size, flags);
    check_bytes(in, size, flags);
  }
  check_hex(in, size);
  return 0;
}
