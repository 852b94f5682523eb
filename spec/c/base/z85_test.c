/*
** z85_test.c: Z85, both ways, strictly.
*/

#include "base/z85.h"
#include "guard.h"
#include "t.h"

static char out[1000];
static size_t at;

/* Decode text, at the end of readable memory. */
static int64_t decode(const char *text)
{
  size_t n = strlen(text);
  memset(out, '#', sizeof(out));
  at = 99;
  return green_z85_decode(guard_copy(text, n), n, out, &at);
}

static void both_ways(const void *bytes, size_t n, const char *text)
{
  int64_t len = green_z85_encode(guard_copy(bytes, n), n, out);
  is((long long)len, (long long)strlen(text), "as long as it must be");
  ok(!memcmp(out, text, (size_t)len), "encoded");
  is((long long)decode(text), (long long)n, "all bytes");
  ok(!memcmp(out, bytes, n), "decoded");
  ok(out[n] == '#', "and no byte more");
}

static void test_vectors(void)
{
  /* RFC 32. */
  both_ways("\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B", 8, "HelloWorld");
  both_ways("", 0, "");
  both_ways("\0\0\0\0", 4, "00000");
  both_ways("\xff\xff\xff\xff", 4, "%nSc0");
  /* libzmq's manual of CURVE. */
  both_ways("\x8E\x0B\xDD\x69\x76\x28\xB9\x1D\x8F\x24\x55\x87\xEE\x95\xC5\xB0"
            "\x4D\x48\x96\x3F\x79\x25\x98\x77\xB4\x9C\xD9\x06\x3A\xEA\xD3\xB7",
            32, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
}

static void refused(const char *text, size_t where, const char *what)
{
  is((long long)decode(text), GREEN_EINVAL, what);
  is((long long)at, (long long)where, "and the place is told");
}

static void test_strict(void)
{
  refused("Hello World", 5, "a letter that is none");
  refused("Hello\"orld", 5, "a quote");
  refused("HelloWor\xe4"
          "d",
          8, "a byte beyond ASCII");
  refused("HelloWorl", 9, "a length that is no multiple of 5");
  refused("H", 1, "a single letter");
  refused("Hello%nSc1", 5, "one more than 2^32 - 1");
  refused("#####", 0, "the largest group");
  ok(decode("%nSc0") == 4, "2^32 - 1 itself");
}

static void test_lengths(void)
{
  for (size_t n = 1; n < 4; n++)
    is((long long)green_z85_encode("abc", n, out), GREEN_EINVAL,
       "bytes that are no multiple of 4");
}

static void test_every_byte(void)
{
  for (int c = 0; c < 256; c++) {
    char four[4] = {(char)c, (char)(255 - c), 0, (char)c}, text[6] = {0};
    green_z85_encode(four, 4, text);
    ok(decode(text) == 4 && !memcmp(out, four, 4), "there and back");
  }
}

int main(void)
{
  t_start();
  test_vectors();
  test_strict();
  test_lengths();
  test_every_byte();
  return t_done();
}
