/*
** inflate_test.c: zlib's streams: every format in every cut, broken ones, both
** directions, and without memory.
*/

#include "proto/coding_cut.h"
#include "base/mem.h"
#include "t.h"

enum { MOST = 200000 };

static char data[MOST], packed[MOST];
static cut_stream body = {.data = data};

static char text[2000]; /* Something to pack. */

/* Pack p[0..n) into packed by a format. How long it is. */
static size_t pack_by(int format, int level, const char *p, size_t n,
                      size_t step)
{
  green_deflate z;
  size_t len = 0;
  if (green_deflate_init(&z, format, level, 0) < 0) abort();
  while (!z.done) {
    size_t part = n < step ? n : step;
    int flush = part == n ? GREEN_Z_FINISH : GREEN_Z_GO_ON;
    int rc = green_deflate_run(&z, p, part, packed + len, 7, flush);
    if (rc < 0) abort();
    len += (size_t)rc;
    p += z.used;
    n -= z.used;
  }
  green_deflate_deinit(&z);
  return len;
}

static size_t pack(int format, const char *p, size_t n)
{
  return pack_by(format, 9, p, n, n + 1);
}

/* What becomes of in[0..n), agreed on in all cuts. */
static int verdict(int format, const char *in, size_t n)
{
  if (!cut_coding(format, in, n, n < 40 ? n : 40, MOST, &body)) return 12345;
  return body.rc;
}

static bool data_is(const char *p, size_t n)
{
  return body.len == n && !memcmp(body.data, p, n);
}

/* -- Good ----------------------------------------------------------------- */

static void test_round(int format, int as, const char *what)
{
  static const size_t sizes[] = {0, 1, 2, 100, sizeof(text)};
  int wrong = 0;
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    for (int level = 0; level <= 9; level += 3) {
      size_t n = pack_by(format, level, text, sizes[i], 700);
      wrong += verdict(as, packed, n) != 0 || !data_is(text, sizes[i]);
    }
  is(wrong, 0, what);
}

/* Every field of the header, and its checksum: RFC 1952, 2.3. */
static const char full[] =
    "\x1f\x8b\x08\x1f\1\2\3\4\0\3\2\0xyn\0c\0\xe3\x50\xcb\x48\xcd\xc9\xc9\xd7"
    "\x51\xc8\x40\xa2\xb8\0\xe7\x42\x6e\x52\x14\0\0\0";

static void test_header(void)
{
  const char *hello = "hello, hello, hello\n";
  is(verdict(GREEN_Z_GZIP, full, sizeof(full) - 1), 0, "every field");
  ok(data_is(hello, 20), "is passed over");
  char broken[sizeof(full)];
  int taken = 0;
  for (size_t i = 0; i < 20; i++) {
    memcpy(broken, full, sizeof(full));
    broken[i] ^= 4;
    taken += verdict(GREEN_Z_GZIP, broken, sizeof(full) - 1) == 0;
  }
  is(taken, 0, "but its checksum is not");
}

static void test_members(void)
{
  char two[400];
  size_t n = pack(GREEN_Z_GZIP, "hello ", 6);
  memcpy(two, packed, n);
  size_t empty = pack(GREEN_Z_GZIP, "", 0);
  memcpy(two + n, packed, empty);
  n += empty;
  size_t m = pack(GREEN_Z_GZIP, "world", 5);
  memcpy(two + n, packed, m);
  is(verdict(GREEN_Z_GZIP, two, n + m), 0, "members behind each other");
  ok(data_is("hello world", 11), "are one text");
  is(verdict(GREEN_Z_GZIP, two, n + m - 1), GREEN_EEOF, "all are wanted whole");
  is(verdict(GREEN_Z_GZIP, two, n + 1), GREEN_EEOF, "also what has just begun");
}

static void test_bomb(void)
{
  static char zeros[100000];
  size_t n = pack(GREEN_Z_GZIP, zeros, sizeof(zeros));
  green_inflate z;
  green_inflate_init(&z, GREEN_Z_GZIP, 0);
  ok(n < 200, "little that becomes much");
  int rc = green_inflate_run(&z, packed, n, data, 1000);
  size_t at = z.used;
  for (int i = 1; i < 100; i++)
    if (rc == 1000) {
      rc = green_inflate_run(&z, packed + at, n - at, data, 1000);
      at += z.used;
    }
  is(rc, 1000, "comes out as there is room");
  is(green_inflate_run(&z, packed + at, n - at, data, 1000), 0, "to its end");
  ok(z.done && green_inflate_eof(&z) == 0, "which is seen");
  green_inflate_deinit(&z);
}

/* -- Bad ------------------------------------------------------------------ */

static void test_cut_short(int format, int as, const char *what)
{
  int wrong = 0;
  size_t n = pack(format, text, 300);
  for (size_t i = 0; i < n; i++)
    wrong += verdict(as, packed, i) != GREEN_EEOF || body.len > 300;
  is(wrong, 0, what);
}

static void test_behind_the_end(int format, int as, const char *what)
{
  static const char tails[] = {0, 'x', '\x1f', '\xff'};
  int wrong = 0;
  for (size_t i = 0; i < sizeof(tails); i++) {
    size_t n = pack(format, text, 300);
    packed[n] = tails[i];
    packed[n + 1] = 'y';
    wrong += verdict(as, packed, n + 2) != GREEN_EPROTO || !data_is(text, 300);
  }
  is(wrong, 0, what);
}

/* With checks no wrong text is taken for the right one. */
static void test_every_byte_wrong(int format, int as, const char *what)
{
  static const char masks[] = {1, 2, 8, 0x40, (char)0x80, (char)0xff};
  int wrong = 0;
  size_t n = pack(format, text, 200);
  for (size_t i = 0; i < n; i++)
    for (size_t m = 0; m < sizeof(masks); m++) {
      char *copy = malloc(n);
      memcpy(copy, packed, n);
      copy[i] ^= masks[m];
      int rc = verdict(as, copy, n);
      bool known = rc == 0 || rc == GREEN_EPROTO || rc == GREEN_EEOF;
      if (rc == 0 && format != GREEN_Z_RAW) known = data_is(text, 200);
      wrong += !known;
      free(copy);
    }
  is(wrong, 0, what);
}

static void test_dictionary(void)
{
  is(verdict(GREEN_Z_ZLIB, "\x78\xbb\0\0\0\1\3\0", 8), GREEN_EPROTO,
     "a dictionary that nobody has");
}

static void test_final(void)
{
  green_inflate z;
  green_inflate_init(&z, GREEN_Z_GZIP, 0);
  is(green_inflate_run(&z, "hello", 5, data, 10), GREEN_EPROTO, "an error");
  ok(z.reason && strlen(z.reason), "with a reason");
  is(green_inflate_run(&z, packed, 10, data, 10), GREEN_EPROTO, "is final");
  is(z.used, 0, "and uses nothing");
  is(green_inflate_eof(&z), GREEN_EPROTO, "nor is it forgotten");
  green_inflate_deinit(&z);
  green_inflate_deinit(&z);
  is(green_inflate_run(&z, packed, 10, data, 10), GREEN_EPROTO, "ever");
}

static void test_closed(void)
{
  green_inflate z;
  memset(&z, 0, sizeof(z));
  is(green_inflate_run(&z, "x", 1, data, 10), GREEN_ECLOSED, "never opened");
  green_inflate_init(&z, GREEN_Z_GZIP, 0);
  green_inflate_deinit(&z);
  is(green_inflate_run(&z, "x", 1, data, 10), GREEN_ECLOSED, "closed");
  is(green_inflate_eof(&z), GREEN_ECLOSED, "and no end");
  is(green_inflate_init(&z, GREEN_Z_RAW, 99), GREEN_EINVAL, "no such window");
  green_inflate_deinit(&z);
  green_deflate d;
  is(green_deflate_init(&d, GREEN_Z_RAW, 6, 99), GREEN_EINVAL, "nor here");
  is(green_deflate_run(&d, "x", 1, data, 10, GREEN_Z_GO_ON), GREEN_EINVAL,
     "so nothing works");
  green_deflate_deinit(&d);
}

/* -- Messages of websockets (RFC 7692) ------------------------------------ */

static const char tail[] = "\0\0\xff\xff";

/* Pack a message without its tail into packed. How long it is. */
static size_t message(green_deflate *d, const char *p)
{
  size_t len = 0, n = strlen(p);
  int rc;
  do {
    rc = green_deflate_run(d, p, n, packed + len, 8, GREEN_Z_SYNC);
    p += d->used;
    n -= d->used;
    len += (size_t)rc;
  } while (rc == 8);
  return len < 4 || memcmp(packed + len - 4, tail, 4) ? 0 : len - 4;
}

static bool unpacks(green_inflate *z, size_t n, const char *want)
{
  size_t len = (size_t)green_inflate_run(z, packed, n, data, MOST);
  len += (size_t)green_inflate_run(z, tail, 4, data + len, MOST - len);
  return len == strlen(want) && !memcmp(data, want, len);
}

static void test_messages(void)
{
  green_deflate d;
  green_inflate z;
  const char *hello = "hello, this is a message that comes again";
  green_deflate_init(&d, GREEN_Z_RAW, 9, 9);
  green_inflate_init(&z, GREEN_Z_RAW, 9);
  size_t first = message(&d, hello);
  ok(unpacks(&z, first, hello), "a message");
  size_t second = message(&d, hello);
  ok(second < first && unpacks(&z, second, hello), "one by what came before");
  green_deflate_reset(&d);
  green_inflate_reset(&z);
  ok(message(&d, hello) == first && unpacks(&z, first, hello), "or without");
  ok(unpacks(&z, message(&d, ""), ""), "an empty one");
  green_deflate_deinit(&d);
  green_inflate_deinit(&z);
}

static void test_final_block(void)
{
  green_inflate z;
  size_t n = pack(GREEN_Z_RAW, "hello", 5);
  green_inflate_init(&z, GREEN_Z_RAW, 0);
  is(green_inflate_run(&z, packed, n, data, 100), 5, "a stream that ends");
  ok(z.done, "is done");
  green_inflate_reset(&z);
  is(green_inflate_run(&z, packed, n, data, 100), 5, "and begins anew");
  green_inflate_reset(&z);
  is(green_inflate_run(&z, "\xff", 1, data, 100), GREEN_EPROTO, "not one");
  is(green_inflate_run(&z, packed, n, data, 100), GREEN_EPROTO, "that stays");
  green_inflate_reset(&z);
  is(green_inflate_run(&z, packed, n, data, 100), 5, "until it begins anew");
  green_inflate_deinit(&z);
  green_inflate_reset(&z);
  is(green_inflate_run(&z, packed, n, data, 100), GREEN_ECLOSED, "or for ever");
}

/* Raw streams one behind another, and where one may be left. */
static void test_streams(void)
{
  size_t n = pack(GREEN_Z_RAW, "hello", 5);
  memcpy(packed + n, packed, n);
  is(verdict(GREEN_Z_MESSAGES, packed, 2 * n), 0, "two raw streams");
  ok(data_is("hellohello", 10), "are one text");
  is(verdict(GREEN_Z_RAW, packed, 2 * n), GREEN_EPROTO, "unless one is asked");
  green_inflate z;
  green_inflate_init(&z, GREEN_Z_MESSAGES, 0);
  ok(!green_inflate_is_between(&z), "nothing has been read");
  green_inflate_run(&z, packed, n - 1, data, 100);
  ok(!green_inflate_is_between(&z), "in a block");
  green_inflate_run(&z, packed + n - 1, 1, data, 100);
  ok(green_inflate_is_between(&z), "at the end");
  green_inflate_run(&z, "\0\0", 2, data, 100);
  ok(!green_inflate_is_between(&z), "in a block behind it");
  green_inflate_run(&z, "\0\xff\xff", 3, data, 100);
  ok(green_inflate_is_between(&z), "between two");
  /* A block of 46 bits; the last two of the sixth byte are of the next one. */
  green_inflate_run(&z, "\xfa\xf0\xf1\xd3\x67\x00", 6, data, 100);
  ok(!green_inflate_is_between(&z), "between two, but bits are left");
  green_inflate_deinit(&z);
  ok(!green_inflate_is_between(&z), "closed");
}

/* -- Memory --------------------------------------------------------------- */

static void test_without_memory(void)
{
  size_t n = pack(GREEN_Z_GZIP, text, sizeof(text));
  int fails = 0, rc = -1;
  for (int i = 1; rc < 0 && i < 100; i++) {
    green_inflate z;
    green__alloc_fail_from(i);
    rc = green_inflate_init(&z, GREEN_Z_GZIP, 0);
    for (size_t at = 0; rc >= 0 && at < n; at += z.used)
      rc = green_inflate_run(&z, packed + at, n - at, data, 500);
    green__alloc_fail_from(0);
    fails += rc == GREEN_ENOMEM;
    if (rc < 0 && (rc != GREEN_ENOMEM || z.error != rc)) fails = -1000;
    green_inflate_deinit(&z);
  }
  ok(fails >= 3 && rc >= 0, "unpacking: each allocation");
  fails = 0;
  rc = -1;
  for (int i = 1; rc < 0 && i < 100; i++) {
    green_deflate d;
    green__alloc_fail_from(i);
    rc = green_deflate_init(&d, GREEN_Z_GZIP, 9, 0);
    green__alloc_fail_from(0);
    fails += rc == GREEN_ENOMEM;
    green_deflate_deinit(&d);
  }
  ok(fails >= 5 && rc >= 0, "packing: each allocation");
}

int main(void)
{
  t_start();
  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (char)(i % 7 ? 'a' + (int)(i * i % 11) : rand());
  test_round(GREEN_Z_GZIP, GREEN_Z_GZIP, "gzip");
  test_round(GREEN_Z_ZLIB, GREEN_Z_ZLIB, "zlib");
  test_round(GREEN_Z_RAW, GREEN_Z_RAW, "raw");
  test_round(GREEN_Z_ZLIB, GREEN_Z_HTTP, "HTTP's deflate");
  test_round(GREEN_Z_RAW, GREEN_Z_HTTP, "and what many send for it");
  test_header();
  test_members();
  test_bomb();
  test_cut_short(GREEN_Z_GZIP, GREEN_Z_GZIP, "gzip cut short");
  test_cut_short(GREEN_Z_ZLIB, GREEN_Z_HTTP, "zlib cut short");
  test_cut_short(GREEN_Z_RAW, GREEN_Z_HTTP, "raw cut short");
  test_behind_the_end(GREEN_Z_GZIP, GREEN_Z_GZIP, "bytes behind gzip");
  test_behind_the_end(GREEN_Z_ZLIB, GREEN_Z_HTTP, "bytes behind zlib");
  test_behind_the_end(GREEN_Z_RAW, GREEN_Z_HTTP, "bytes behind raw");
  test_every_byte_wrong(GREEN_Z_GZIP, GREEN_Z_GZIP, "gzip with a wrong byte");
  test_every_byte_wrong(GREEN_Z_ZLIB, GREEN_Z_ZLIB, "zlib with a wrong byte");
  test_every_byte_wrong(GREEN_Z_RAW, GREEN_Z_RAW, "raw with a wrong byte");
  test_dictionary();
  test_final();
  test_closed();
  test_messages();
  test_final_block();
  test_streams();
  test_without_memory();
  return t_done();
}
