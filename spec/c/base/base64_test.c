/*
** base64_test.c: base64 and base64url, both ways, strictly.
*/

#include "base/base64.h"
#include "guard.h"
#include "t.h"

enum { STD = 0, URL = GREEN_BASE64_URL, BARE = GREEN_BASE64_BARE };

static const struct {
  const char *bytes, *padded, *bare;
} vectors[] = {
    /* RFC 4648, 10. */
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

static char out[1000];
static size_t at;

/* Decode text, at the end of readable memory. */
static int64_t decode(const char *text, int flags)
{
  size_t n = strlen(text);
  memset(out, '#', sizeof(out));
  at = 99;
  return green_base64_decode(guard_copy(text, n), n, flags, out, &at);
}

static void encodes_to(const char *bytes, int flags, const char *want)
{
  size_t n = strlen(bytes);
  const char *p = guard_copy(bytes, n);
  size_t len = green_base64_encode(p, n, flags, out);
  out[len] = '\0';
  is_str(out, want, "encoded");
  is((long long)len, (long long)green_base64_size(n, flags), "as long as said");
}

static void test_vectors(void)
{
  for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
    const char *bytes = vectors[i].bytes;
    int64_t n = (int64_t)strlen(bytes);
    encodes_to(bytes, STD, vectors[i].padded);
    encodes_to(bytes, BARE, vectors[i].bare);
    ok(decode(vectors[i].padded, STD) == n && !memcmp(out, bytes, (size_t)n),
       "decoded");
    ok(decode(vectors[i].padded, BARE) == n, "padding may be there");
    ok(decode(vectors[i].bare, BARE) == n && !memcmp(out, bytes, (size_t)n),
       "or not");
    ok(out[n] == '#', "and no byte more");
  }
}

static void test_alphabets(void)
{
  encodes_to("\xfb\xff\xbf", STD, "+/+/");
  encodes_to("\xfb\xff\xbf", URL, "-_-_");
  is(decode("+/+/", STD), 3, "of its own");
  is(decode("-_-_", URL), 3, "and of the other");
  ok(decode("-_-_", STD) == GREEN_EINVAL && at == 0, "not of the other");
  ok(decode("AA+A", URL) == GREEN_EINVAL && at == 2, "nor here");
}

/* Every byte is either one of the 64 letters or refused. */
static void test_every_byte(void)
{
  int taken = 0;
  for (int c = 0; c < 256; c++) {
    char text[4] = {'A', 'A', 'A', (char)c};
    int64_t n = green_base64_decode(guard_copy(text, 4), 4, STD, out, &at);
    if (n == 3)
      taken++;
    else if (c != '=' && (n != GREEN_EINVAL || at != 3))
      taken = 1000;
  }
  is(taken, 64, "64 letters");
}

static const struct {
  const char *text;
  int flags;
  size_t at;
} bads[] = {
    {"Z", STD, 1},          {"Zg", STD, 2},
    {"Zg=", STD, 3},        {"Zm8", STD, 3},
    {"Z", BARE, 1},         {"Zg=", BARE, 3},
    {"=", STD, 0},          {"==", STD, 0},
    {"====", STD, 0},       {"Z===", STD, 1},
    {"Zg==Zg==", STD, 2},   {"Zg==Zm9v", STD, 2},
    {"Zm9v=", STD, 4},      {"Zm9v==", STD, 4},
    {"Zm9v====", STD, 4},   {"Zh==", STD, 1},
    {"Zm9=", STD, 2},       {"Zh", BARE, 1},
    {"Zm9", BARE, 2},       {"Zm9v\n", STD, 4},
    {"Zm9v\nZm9v", STD, 4}, {" Zm9v", STD, 0},
    {"Zm9v ", BARE, 4},     {"Zm9vZ", BARE, 5},
    {"Zm9\xc3", STD, 3},    {"Z=9v", STD, 1},
    {"Zg=a", STD, 2},       {"Zm9vYmFyZ===", STD, 9},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    ok(decode(bads[i].text, bads[i].flags) == GREEN_EINVAL, "refused");
    is((long long)at, (long long)bads[i].at, "and it says where");
  }
}

/* Of all texts of four letters of a small alphabet, those are taken that are
** what some bytes are encoded to. */
static void test_one_text_for_bytes(void)
{
  const char letters[] = "AQgwB/=-";
  int wrong = 0;
  for (int i = 0; i < 4096; i++) {
    char in[4], again[4];
    for (int k = 0; k < 4; k++) in[k] = letters[i >> (3 * k) & 7];
    int64_t n = green_base64_decode(guard_copy(in, 4), 4, STD, out, &at);
    if (n < 0) continue;
    size_t len = green_base64_encode(out, (size_t)n, STD, again);
    wrong += len != 4 || memcmp(in, again, 4) != 0;
  }
  is(wrong, 0, "and no other");
}

static void test_round(void)
{
  char bytes[300], text[500];
  int wrong = 0;
  srand(7);
  for (size_t n = 0; n < sizeof(bytes); n++) {
    for (size_t i = 0; i < n; i++) bytes[i] = (char)rand();
    for (int flags = 0; flags < 4; flags++) {
      size_t len = green_base64_encode(bytes, n, flags, text);
      int64_t back =
          green_base64_decode(guard_copy(text, len), len, flags, out, &at);
      wrong += back != (int64_t)n || memcmp(out, bytes, n) != 0;
      back = green_base64_decode(text, len, flags, text, &at);
      wrong += back != (int64_t)n || memcmp(text, bytes, n) != 0;
    }
  }
  is(wrong, 0, "there and back, in place as well");
}

int main(void)
{
  t_start();
  test_vectors();
  test_alphabets();
  test_every_byte();
  test_bad();
  test_one_text_for_bytes();
  test_round();
  return t_done();
}
