/*
** logtext_test.c: texts, numbers and times of a line of a log.
*/

#include "proto/logtext.h"
#include "proto/utf8.h"
#include "guard.h"
#include "t.h"

static green_buf b;

/* What stands in the buffer, which is empty then. */
static const char *taken(void)
{
  static char text[4096];
  size_t n = green_buf_len(&b);
  if (n >= sizeof(text)) n = sizeof(text) - 1;
  memcpy(text, green_buf_data(&b), n);
  text[n] = 0;
  green_buf_reset(&b);
  return text;
}

static const char *text_of(const char *p, size_t n, int form)
{
  green_logtext_text(&b, "", 0, guard_copy(p, n), n, form);
  return taken();
}

static const char *json(const char *text)
{
  return text_of(text, strlen(text), GREEN_LOGTEXT_JSON);
}

static const char *shown(const char *text)
{
  return text_of(text, strlen(text), GREEN_LOGTEXT_SHOWN);
}

static const char *value(const char *text)
{
  return text_of(text, strlen(text), GREEN_LOGTEXT_VALUE);
}

static void test_json(void)
{
  is_str(json(""), "\"\"", "nothing");
  is_str(json("a text of more than eight bytes"),
         "\"a text of more than eight bytes\"", "ASCII");
  is_str(json("\"\\/"), "\"\\\"\\\\/\"", "quotes and backslashes");
  is_str(json("a\nb\rc\td\x1b[31m\x7f"), "\"a\\nb\\rc\\td\\u001b[31m\\u007f\"",
         "control bytes");
  is_str(text_of("a\0b", 3, GREEN_LOGTEXT_JSON), "\"a\\u0000b\"", "NUL");
  is_str(json("Gr\xc3\xbc\xc3\x9f"
              "e \xe6\x97\xa5 \xf0\x9f\x98\x80"),
         "\"Gr\xc3\xbc\xc3\x9f"
         "e \xe6\x97\xa5 \xf0\x9f\x98\x80\"",
         "UTF-8 stays");
}

#define FFFD "\xef\xbf\xbd"

static void test_invalid(void)
{
  is_str(json("a\xff"
              "b"),
         "\"a" FFFD "b\"", "a byte that is none");
  is_str(json("\xc0\x80"), "\"" FFFD FFFD "\"", "overlong");
  is_str(json("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"", "a surrogate");
  is_str(json("\xf4\x90\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\"",
         "above U+10FFFF");
  is_str(json("ab\xe6\x97"), "\"ab" FFFD FFFD "\"", "cut off");
  is_str(shown("a\xff\xe6\x97"), "a\\xff\\xe6\\x97", "shown");
}

static void test_hidden(void)
{
  is_str(json("\xc2\x9b"
              "31m"),
         "\"\\u009b31m\"", "a control character above ASCII");
  is_str(json("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8"),
         "\"\\u202e\\u2066\\u2028\"", "what turns the text, and ends lines");
  is_str(shown("\xe2\x80\xae"), "\\u{202e}", "shown");
  is_str(shown("a\x1b[2Jb\nc\td\"\\"), "a\\x1b[2Jb\\nc\\td\"\\",
         "shown: control bytes alone");
}

static void test_value(void)
{
  is_str(value("plain-1.5/x:y"), "plain-1.5/x:y", "a word");
  is_str(value(""), "\"\"", "nothing");
  is_str(value("two words"), "\"two words\"", "a blank");
  is_str(value("a=b"), "\"a=b\"", "an equals sign");
  is_str(value("a\"b\\"), "\"a\\\"b\\\\\"", "quotes and backslashes");
  is_str(value("a\nb"), "\"a\\nb\"", "a line end");
}

static const char *number(double n, int form)
{
  green_logtext_number(&b, ",\"n\":", 5, n, form);
  return taken() + 5;
}

static void test_numbers(void)
{
  int j = GREEN_LOGTEXT_JSON;
  is_str(number(0, j), "0", "0");
  is_str(number(-0.0, j), "0", "-0");
  is_str(number(-17, j), "-17", "a whole number");
  is_str(number(999999999999999, j), "999999999999999", "a long one");
  is_str(number(1e15, j), "1e+15", "a longer one");
  is_str(number(0.5, j), "0.5", "a half");
  is_str(number(0.1, j), "0.1", "a tenth");
  is_str(number(0.1 + 0.2, j), "0.30000000000000004", "all digits it needs");
  is_str(number(1e300, j), "1e+300", "a large one");
  is_str(number(5e-324, j), "4.9406564584125e-324", "the smallest");
  is_str(number(0.0 / 0.0, j), "\"nan\"", "nan");
  is_str(number(1 / 0.0, j), "\"inf\"", "inf");
  is_str(number(-1 / 0.0, j), "\"-inf\"", "-inf");
  is_str(number(-1 / 0.0, GREEN_LOGTEXT_VALUE), "-inf", "shown");
}

static const char *stamp(int64_t ns, int digits)
{
  green_logtext_time(&b, "<", 1, ns, digits);
  return taken();
}

#define S 1000000000LL

static void test_times(void)
{
  is_str(stamp(0, 0), "<1970-01-01T00:00:00Z", "the first");
  is_str(stamp(971211336 * S + 123456789, 6), "<2000-10-10T20:55:36.123456Z",
         "with micros");
  is_str(stamp(971211336 * S + 5000000, 3), "<2000-10-10T20:55:36.005Z",
         "with millis");
  is_str(stamp(951782399 * S, 0), "<2000-02-28T23:59:59Z", "before a leap day");
  is_str(stamp(951782400 * S, 0), "<2000-02-29T00:00:00Z", "a leap day");
  is_str(stamp(4107542400 * S, 0), "<2100-03-01T00:00:00Z", "no leap day");
  is_str(stamp(9223372036 * S, 0), "<2262-04-11T23:47:16Z", "the last");
  ok(green_logtext_clock() > 1600000000 * S, "the clock");
}

static void test_limits(void)
{
  b.max = 8;
  is(green_logtext_text(&b, "", 0, "12345678", 8, GREEN_LOGTEXT_JSON),
     GREEN_ETOOBIG, "no room for a text");
  is(green_logtext_number(&b, "", 0, 1, GREEN_LOGTEXT_JSON), GREEN_ETOOBIG,
     "for a number");
  is(green_logtext_now(&b, "", 0, 6), GREEN_ETOOBIG, "for a time");
  is(green_buf_len(&b), 0, "nothing was appended");
  green_buf_reset(&b);
  b.max = 0;
}

/* Every two bytes: JSON is UTF-8 without a control byte. */
static void test_every_pair(void)
{
  int good = 1;
  for (int x = 0; x < 256; x++)
    for (int y = 0; y < 256; y++) {
      char p[2] = {(char)x, (char)y};
      const char *text = text_of(p, 2, GREEN_LOGTEXT_JSON);
      if (!green_utf8_check(text, strlen(text))) good = 0;
      for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) good = 0;
    }
  ok(good, "each two bytes");
}

int main(void)
{
  t_start();
  test_json();
  test_invalid();
  test_hidden();
  test_value();
  test_numbers();
  test_times();
  test_limits();
  test_every_pair();
  return t_done();
}
