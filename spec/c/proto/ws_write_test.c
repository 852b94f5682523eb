/*
** ws_write_test.c: headers, masks and close frames of websockets.
*/

#include "proto/ws.h"
#include "guard.h"
#include "t.h"

/* The same without vectors. */
bool twin_mask(char *to, const char *from, size_t n, const uint8_t key[4],
               size_t offset);
#define green_ws_mask twin_mask
#define GREEN_SCAN_SCALAR
#include "proto/ws_mask.c"
#undef green_ws_mask

/*
** Headers
*/

static int head_is(int n, const char *got, const char *want, int len)
{
  return n == len && !memcmp(got, want, (size_t)len);
}

static void test_head(void)
{
  char h[14];
  ok(head_is(green_ws_head(h, GREEN_WS_TEXT, true, false, 0, NULL), h, "\x81\0",
             2),
     "an empty text");
  ok(head_is(green_ws_head(h, GREEN_WS_BINARY, false, true, 125, NULL), h,
             "\x42\x7d", 2),
     "the first of more, compressed");
  ok(head_is(green_ws_head(h, GREEN_WS_CONT, true, false, 126, NULL), h,
             "\x80\x7e\0\x7e", 4),
     "126 bytes");
  ok(head_is(green_ws_head(h, GREEN_WS_TEXT, true, false, 65535, NULL), h,
             "\x81\x7e\xff\xff", 4),
     "65535 bytes");
  ok(head_is(green_ws_head(h, GREEN_WS_TEXT, true, false, 65536, NULL), h,
             "\x81\x7f\0\0\0\0\0\1\0\0", 10),
     "65536 bytes");
}

static void test_masked_head(void)
{
  char h[14];
  static const uint8_t key[4] = {1, 2, 3, 4};
  ok(head_is(green_ws_head(h, GREEN_WS_PING, true, false, 5, key), h,
             "\x89\x85\1\2\3\4", 6),
     "a masked ping");
  ok(head_is(green_ws_head(h, GREEN_WS_BINARY, true, false, 0x123456789a, key),
             h, "\x82\xff\0\0\0\x12\x34\x56\x78\x9a\1\2\3\4", 14),
     "the longest header");
}

/*
** Masks
*/

typedef bool mask_fn(char *, const char *, size_t, const uint8_t *, size_t);

/* As RFC 6455, 5.3 says it. */
static void mask_plain(char *to, const char *from, size_t n,
                       const uint8_t key[4], size_t offset)
{
  for (size_t i = 0; i < n; i++)
    to[i] = (char)((unsigned char)from[i] ^ key[(i + offset) % 4]);
}

enum { MASK_MOST = 300 };

/* One length at the end of the memory, one offset, in place and elsewhere. */
static int mask_agrees(mask_fn *mask, size_t n, size_t offset)
{
  static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  static char bytes[MASK_MOST], want[MASK_MOST], to[MASK_MOST + 32];
  for (size_t i = 0; i < n; i++) bytes[i] = (char)(i * 31 + n);
  mask_plain(want, bytes, n, key, offset);
  char *p = guard_copy(bytes, n);
  size_t shift = n % 16;
  memset(to, 7, sizeof(to));
  mask(to + shift, p, n, key, offset);
  if (memcmp(to + shift, want, n) != 0 || to[shift + n] != 7) return 0;
  if (shift && to[shift - 1] != 7) return 0;
  mask(p, p, n, key, offset);
  return !memcmp(p, want, n);
}

static void test_mask(mask_fn *mask, const char *what)
{
  int good = 1;
  for (size_t n = 0; n <= MASK_MOST; n++)
    for (size_t offset = 0; offset < 8; offset++)
      if (!mask_agrees(mask, n, offset)) good = 0;
  ok(good, what);
}

/* n bytes of ASCII, masked, but for the one at `high`. */
static int mask_sees(mask_fn *mask, size_t n, size_t high)
{
  static const uint8_t key[4] = {0xb7, 0x7a, 0x21, 0xbd};
  static char bytes[MASK_MOST];
  for (size_t i = 0; i < n; i++) bytes[i] = (char)(i & 0x7f);
  if (high < n) bytes[high] = (char)0x80;
  char *p = guard_copy(bytes, n);
  mask_plain(p, p, n, key, 1);
  return mask(p, p, n, key, 1) == (high >= n) && !memcmp(p, bytes, n);
}

static void test_mask_ascii(mask_fn *mask, const char *what)
{
  int good = 1;
  for (size_t n = 0; n <= MASK_MOST; n++)
    for (size_t high = 0; high <= n; high++)
      if (!mask_sees(mask, n, high)) good = 0;
  ok(good, what);
}

/*
** Close frames
*/

static void test_codes(void)
{
  int good = 1;
  for (int code = -1; code < 70000; code++) {
    bool want =
        (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) ||
        (code >= 3000 && code < 5000);
    if (green_ws_code_is_valid(code) != want) good = 0;
  }
  ok(good, "codes that may be sent");
}

/* The verdict on a payload at the end of the memory. */
static int parsed(const char *bytes, size_t n, uint16_t *code)
{
  return green_ws_close_parse(guard_copy(bytes, n), n, code);
}

static void test_close_parse(void)
{
  uint16_t code = 1;
  is(parsed("", 0, &code), 0, "an empty payload");
  is(code, 1005, "is no code");
  is(parsed("\003", 1, &code), GREEN_EPROTO, "half a code");
  is(parsed("\003\350", 2, &code), 0, "a code");
  is(code, 1000, "which is told");
  is(parsed("\017\377bye \xc3\xa4", 8, &code), 0, "with a reason");
  is(code, 4095, "too");
  is(parsed("\003\350\xc3", 3, &code), GREEN_EILSEQ, "half a character");
  is(parsed("\003\350\xed\xa0\x80", 5, &code), GREEN_EILSEQ, "no UTF-8");
  is(parsed("\003\355", 2, &code), GREEN_EPROTO, "1005");
  is(parsed("\0\0", 2, &code), GREEN_EPROTO, "0");
  is(parsed("\xff\xff", 2, &code), GREEN_EPROTO, "65535");
}

static void test_close_write(void)
{
  char out[125];
  is(green_ws_close_write(out, 1000, NULL, 0), 2, "a code alone");
  ok(!memcmp(out, "\003\350", 2), "says it");
  is(green_ws_close_write(out, 4999, "bye", 3), 5, "with a reason");
  ok(!memcmp(out,
             "\x13\x87"
             "bye",
             5),
     "behind it");
  is(green_ws_close_write(out, 1005, "x", 1), 0, "1005 is not sent");
}

/* How long a payload becomes whose reason has a character at a place. */
static int written(const char *character, size_t at, size_t n)
{
  char reason[200], out[125];
  memset(reason, 'x', sizeof(reason));
  memcpy(reason + at, character, strlen(character));
  return green_ws_close_write(out, 1000, reason, n);
}

static void test_long_reason(void)
{
  is(written("", 0, 123), 125, "123 bytes fit");
  is(written("", 0, 124), 125, "of more, as many do");
  is(written("\xe2\x82\xac", 121, 124), 123, "no part of one of 3 bytes");
  is(written("\xe2\x82\xac", 120, 124), 125, "one that ends there");
  is(written("\xf0\x9f\x98\x80", 120, 124), 122, "no part of one of 4");
  char reason[200], out[125];
  memset(reason, 0x80, sizeof(reason));
  is(green_ws_close_write(out, 1000, reason, 200), 2, "nothing of no text");
}

int main(void)
{
  t_start();
  test_head();
  test_masked_head();
  test_mask(green_ws_mask, "each length and offset is masked");
  test_mask(twin_mask, "without vectors, too");
  test_mask_ascii(green_ws_mask, "a byte that is not ASCII is seen anywhere");
  test_mask_ascii(twin_mask, "without vectors, too");
  test_codes();
  test_close_parse();
  test_close_write();
  test_long_reason();
  return t_done();
}
