/*
** brotli_test.c: brotli's streams in every cut, broken ones, and without
** memory.
*/

#include "proto/coding_cut.h"
#include "base/hex.h"
#include "base/mem.h"
#include "t.h"

enum { MOST = 10000 };

static char data[MOST], packed[MOST];
static size_t packed_n;
static cut_stream body = {.data = data};

#define FOX "The quick brown fox jumps over the lazy dog. "

/* Made by the command brotli. */
static const struct {
  const char *what, *hex, *text;
  int times;
} streams[] = {
    {"nothing", "3f", "", 1},
    {"one byte", "0f00806103", "a", 1},
    {"stored", "8f098068656c6c6f2c2068656c6c6f2c2068656c6c6f0a03",
     "hello, hello, hello\n", 1},
    {"much",
     "1f8b0a882c0e78d3d0955d9710bb172ba9cad092cc8cad415ce6f236c8199e9e"
     "0a7b830d387048206f34b841a715ce1c1e27aa2938c2c91000d8a7c1",
     FOX, 60},
    {"in haste",
     "8fb3000080aaaaaaeaff7495c3496f273d5c36d165135df6ffbbeadf736f75cfa82e6f63"
     "b82b5e2c2c2c6c6cacea654675f0e1c38fc160308e33595583c16030180ce65067442a4a"
     "a370586827d97b82ef963b84b6bc8a203b9d02862e8495eb00dad8613a8424fe034d9641"
     "809fe76e",
     FOX, 8},
};

enum { STREAMS = sizeof(streams) / sizeof(streams[0]) };

static void take(int i)
{
  size_t at;
  packed_n = (size_t)green_hex_decode(streams[i].hex, strlen(streams[i].hex),
                                      packed, &at);
}

static int verdict(const char *in, size_t n)
{
  if (!cut_coding(CUT_BROTLI, in, n, n < 40 ? n : 40, MOST, &body))
    return 12345;
  return body.rc;
}

static bool data_is(const char *text, int times)
{
  size_t n = strlen(text);
  bool same = body.len == n * (size_t)times;
  for (int i = 0; i < times && same; i++)
    same = !memcmp(body.data + n * (size_t)i, text, n);
  return same;
}

static void test_good(void)
{
  for (int i = 0; i < STREAMS; i++) {
    take(i);
    ok(verdict(packed, packed_n) == 0 &&
           data_is(streams[i].text, streams[i].times),
       streams[i].what);
  }
}

static void test_cut_short(void)
{
  int wrong = 0;
  for (int i = 0; i < STREAMS; i++) {
    take(i);
    for (size_t n = 0; n < packed_n; n++)
      wrong += verdict(packed, n) != GREEN_EEOF;
  }
  is(wrong, 0, "cut short");
}

static void test_behind_the_end(void)
{
  int wrong = 0;
  for (int i = 0; i < STREAMS; i++) {
    take(i);
    packed[packed_n] = '?';
    wrong += verdict(packed, packed_n + 1) != GREEN_EPROTO;
  }
  is(wrong, 0, "bytes behind the end");
}

/* There is no checksum: it only has to end well, the same way in all cuts. */
static void test_every_byte_wrong(void)
{
  int wrong = 0;
  for (int i = 0; i < STREAMS; i++)
    for (size_t at = 0; at < packed_n; at++)
      for (int bit = 0; bit < 8; bit++) {
        take(i);
        packed[at] ^= (char)(1 << bit);
        int rc = verdict(packed, packed_n);
        wrong += rc != 0 && rc != 1 && rc != GREEN_EPROTO && rc != GREEN_EEOF;
      }
  is(wrong, 0, "a wrong byte");
}

static void test_final(void)
{
  green_brotli b;
  memset(&b, 0, sizeof(b));
  is(green_brotli_run(&b, "x", 1, data, 10), GREEN_ECLOSED, "never opened");
  green_brotli_init(&b);
  is(green_brotli_run(&b, "\xff\xff\xff", 3, data, 10), GREEN_EPROTO,
     "an error");
  ok(b.reason && strlen(b.reason), "with a reason");
  is(green_brotli_run(&b, packed, 1, data, 10), GREEN_EPROTO, "is final");
  is(green_brotli_eof(&b), GREEN_EPROTO, "and not forgotten");
  green_brotli_deinit(&b);
  green_brotli_deinit(&b);
  is(green_brotli_run(&b, packed, 1, data, 10), GREEN_EPROTO, "ever");
}

static void test_without_memory(void)
{
  int fails = 0, rc = -1;
  take(3);
  for (int i = 1; rc < 0 && i < 100; i++) {
    green_brotli b;
    green__alloc_fail_from(i);
    rc = green_brotli_init(&b);
    for (size_t at = 0; rc >= 0 && !b.done; at += b.used)
      rc = green_brotli_run(&b, packed + at, packed_n - at, data, 500);
    green__alloc_fail_from(0);
    fails += rc == GREEN_ENOMEM;
    if (rc < 0 && (rc != GREEN_ENOMEM || b.error != rc)) fails = -1000;
    green_brotli_deinit(&b);
  }
  ok(fails >= 4 && rc >= 0, "each allocation");
}

int main(void)
{
  t_start();
  if (green_brotli_missing()) {
    t_skip("brotli", green_brotli_missing());
    return t_done();
  }
  test_good();
  test_cut_short();
  test_behind_the_end();
  test_every_byte_wrong();
  test_final();
  test_without_memory();
  return t_done();
}
