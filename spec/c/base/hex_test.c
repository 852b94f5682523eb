/*
** hex_test.c: hexadecimal digits, both ways.
*/

#include "base/hex.h"
#include "guard.h"
#include "t.h"

static char out[1000];
static size_t at;

static int64_t decode(const char *text)
{
  size_t n = strlen(text);
  at = 99;
  memset(out, '#', sizeof(out));
  return green_hex_decode(guard_copy(text, n), n, out, &at);
}

static void test_vectors(void)
{
  /* RFC 4648, 10, in lower case. */
  green_hex_encode(guard_copy("foobar", 6), 6, out);
  ok(!memcmp(out, "666f6f626172", 12), "encoded");
  ok(decode("666f6f626172") == 6 && !memcmp(out, "foobar#", 7), "decoded");
  ok(decode("666F6f626172") == 6 && !memcmp(out, "foobar", 6), "either case");
  is(decode(""), 0, "nothing");
}

static void test_bad(void)
{
  ok(decode("6") == GREEN_EINVAL && at == 1, "half a byte");
  ok(decode("666") == GREEN_EINVAL && at == 3, "half a byte behind one");
  ok(decode("6g") == GREEN_EINVAL && at == 1, "no digit");
  ok(decode("g6") == GREEN_EINVAL && at == 0, "no digit before one");
  ok(decode("0x66") == GREEN_EINVAL && at == 1, "0x");
  ok(decode("66 6f") == GREEN_EINVAL && at == 2, "a blank");
  ok(decode("66\n") == GREEN_EINVAL && at == 2, "a line end");
  ok(decode("-1") == GREEN_EINVAL && at == 0, "a sign");
}

static void test_every_byte(void)
{
  int taken = 0;
  for (int c = 0; c < 256; c++) {
    char text[2] = {'0', (char)c};
    taken += green_hex_decode(guard_copy(text, 2), 2, out, &at) == 1;
  }
  is(taken, 22, "22 digits");
}

static void test_round(void)
{
  char bytes[256], text[512];
  for (int i = 0; i < 256; i++) bytes[i] = (char)i;
  green_hex_encode(bytes, 256, text);
  is(green_hex_decode(guard_copy(text, 512), 512, out, &at), 256, "all bytes");
  ok(!memcmp(out, bytes, 256), "there and back");
  is(green_hex_decode(text, 512, text, &at), 256, "in place");
  ok(!memcmp(text, bytes, 256), "as well");
}

int main(void)
{
  t_start();
  test_vectors();
  test_bad();
  test_every_byte();
  test_round();
  return t_done();
}
