/*
** utf8_test.c: what is UTF-8 and what is not, in every cut.
*/

#include "proto/utf8_cut.h"
#include "t.h"

static int verdict(const char *text)
{
  size_t n = strlen(text);
  return cut_utf8(text, n, n);
}

static void test_good(void)
{
  is(verdict(""), CUT_WHOLE, "nothing");
  is(verdict("a text"), CUT_WHOLE, "ASCII");
  is(verdict("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), CUT_WHOLE,
     "Greek");
  is(verdict("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"), CUT_WHOLE, "Japanese");
  is(verdict("\xf0\x9f\x98\x80 and \xf0\x9f\x9a\x80"), CUT_WHOLE, "pictures");
  is(verdict("\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90"), CUT_WHOLE,
     "what is no character by Unicode");
  is(cut_utf8("a\0b", 3, 3), CUT_WHOLE, "NUL");
}

static const struct {
  const char *what;
  const char *text;
} bads[] = {
    {"a continuation alone", "\x80"},
    {"one behind ASCII", "a\xbf"},
    {"ASCII inside a character", "\xc3(\xa4"},
    {"a beginning inside a character", "\xe2\x82\xe2\x82\xac"},
    {"C0, which is overlong", "\xc0\x80"},
    {"C1, too", "\xc1\xbf"},
    {"an overlong form of 3 bytes", "\xe0\x9f\xbf"},
    {"and of 4", "\xf0\x8f\xbf\xbf"},
    {"the first surrogate", "\xed\xa0\x80"},
    {"the last", "\xed\xbf\xbf"},
    {"a pair of them", "\xed\xa0\xbd\xed\xb8\x80"},
    {"U+110000", "\xf4\x90\x80\x80"},
    {"F5", "\xf5\x80\x80\x80"},
    {"a form of 5 bytes", "\xf8\x88\x80\x80\x80"},
    {"a form of 6", "\xfc\x84\x80\x80\x80\x80"},
    {"FE", "\xfe"},
    {"FF", "\xff"},
    {"Latin 1", "Gr\xfc\xdf"
                "e"},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
    is(verdict(bads[i].text), CUT_WRONG, bads[i].what);
}

static void test_begun(void)
{
  is(verdict("\xc3"), CUT_BEGUN, "one byte of two");
  is(verdict("a\xe2\x82"), CUT_BEGUN, "two of three");
  is(verdict("\xf0\x9f\x98"), CUT_BEGUN, "three of four");
}

/* At once, not at the end of the character (Autobahn's cases 6.4). */
static int refused_at(const char *text)
{
  green_utf8 u = {0};
  for (int i = 0; text[i]; i++)
    if (green_utf8_run(&u, text + i, 1)) return i;
  return -1;
}

static void test_at_once(void)
{
  is(refused_at("\xf4\x90\x80\x80"), 1, "above U+10FFFF: by the second byte");
  is(refused_at("\xed\xa0\x80"), 1, "a surrogate, too");
  is(refused_at("\xe0\x80\x80"), 1, "and an overlong form");
  is(refused_at("\xf0\x80\x80\x80"), 1, "of 4 bytes, too");
  is(refused_at("\xc0\x80"), 0, "of 2 bytes: by the first");
  is(refused_at("ab\xce\xba"
                "c\xff"
                "de"),
     5, "FF where it stands");
}

static void test_final(void)
{
  green_utf8 u = {0};
  is(green_utf8_run(&u, "\xff", 1), GREEN_EILSEQ, "an error");
  is(green_utf8_run(&u, "a", 1), GREEN_EILSEQ, "is final");
  is(green_utf8_run(&u, "", 0), GREEN_EILSEQ, "without bytes, too");
  ok(!green_utf8_is_whole(&u), "no text ends so");
}

/* Every character there is, and every surrogate. */
static void test_all(void)
{
  int good = 1;
  for (unsigned c = 0; c <= 0x110000; c++) {
    char b[4] = {(char)c};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const int lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (n > 1) b[0] = (char)(lead[n] | (int)(c >> (6 * (n - 1))));
    for (size_t i = 1; i < n; i++)
      b[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    bool want = (c < 0xd800 || c > 0xdfff) && c < 0x110000;
    if (green_utf8_check(b, n) != want || twin_check(b, n) != want) good = 0;
  }
  ok(good, "each character and each surrogate");
}

/* Every two bytes, and every three that do not begin with ASCII. */
static void test_short(void)
{
  int good = 1;
  for (int a = 0; a < 256; a++)
    for (int b = 0; b < 256; b++) {
      char p[3] = {(char)a, (char)b};
      int want = cut_plain(p, 2);
      if (green_utf8_check(p, 2) != (want == CUT_WHOLE)) good = 0;
      for (int c = 0; c < 256 && a >= 0x80; c++) {
        p[2] = (char)c;
        want = cut_plain(p, 3);
        green_utf8 u = {0};
        int rc = green_utf8_run(&u, p, 3);
        if (cut_verdict(rc, green_utf8_is_whole(&u)) != want) good = 0;
      }
    }
  ok(good, "each two and three bytes");
}

/* A byte, or a character, at each place of each length of ASCII. */
static void test_places(void)
{
  static const char *const odd[] = {"\xff", "\xc3\xa4", "\xe2\x82\xac",
                                    "\xf0\x9f\x98\x80", "\x80"};
  char text[164];
  int good = 1;
  for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
    for (size_t len = 1; len <= 160; len++)
      for (size_t at = 0; at < len; at++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + at, odd[i], strlen(odd[i]));
        if (cut_utf8(text, len, 0) == 1 << 30) good = 0;
      }
  ok(good, "anything at any place of ASCII");
}

/* Nothing is read before a text: it begins where the memory does. */
static void test_front(void)
{
  int good = 1;
  char *block = mmap(NULL, 2 * GUARD_PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED || mprotect(block, GUARD_PAGE, PROT_NONE)) abort();
  char *text = block + GUARD_PAGE;
  memset(text, 'a', 200);
  for (size_t n = 0; n <= 200; n++)
    if (!green_utf8_check(text, n)) good = 0;
  munmap(block, 2 * GUARD_PAGE);
  ok(good, "a text at the front of the memory");
}

/* Texts of whole characters, with a wrong byte now and then. */
static void test_random(void)
{
  static const char *const parts[] = {"a",
                                      "text ",
                                      "\xc3\xa4",
                                      "\xe2\x82\xac",
                                      "\xf0\x9f\x98\x80",
                                      "0123456789abcdef"};
  char text[300];
  unsigned seed = 1;
  int seen[3] = {0}, good = 1;
  for (int round = 0; round < 3000; round++) {
    size_t n = 0;
    while (n < 200) {
      seed = seed * 1103515245 + 12345;
      const char *part = parts[(seed >> 16) % 6];
      memcpy(text + n, part, strlen(part));
      n += strlen(part);
    }
    seed = seed * 1103515245 + 12345;
    if (seed >> 16 & 1) text[(seed >> 17) % n] = (char)(seed >> 9);
    n -= seed >> 28 & 7;
    int rc = cut_utf8(text, n, 20);
    if (rc == 1 << 30) good = 0;
    if (rc < 3) seen[rc]++;
  }
  ok(good, "long texts, in any cut");
  ok(seen[CUT_WHOLE] && seen[CUT_BEGUN] && seen[CUT_WRONG], "of all kinds");
}

int main(void)
{
  t_start();
  test_good();
  test_bad();
  test_begun();
  test_at_once();
  test_final();
  test_all();
  test_short();
  test_places();
  test_front();
  test_random();
  return t_done();
}
