/*
** http_write_test.c: pieces of response heads.
*/

#include "guard.h"
#include "proto/http_write.h"
#include "t.h"

#include <time.h>

/* Room for cap bytes and not one more: behind it memory ends. */
static char *room(size_t cap)
{
  char *p = guard_end() - cap;
  memset(p - 8, '#', cap + 8);
  return p;
}

/* n bytes were written to the room, and they are want. */
static int wrote(int n, size_t cap, const char *want)
{
  return n == (int)strlen(want) && !memcmp(guard_end() - cap, want, (size_t)n);
}

static int status(size_t cap, int code)
{
  return green_http_write_status(room(cap), cap, code);
}

static void test_status(void)
{
  ok(wrote(status(17, 200), 17, "HTTP/1.1 200 OK\r\n"),
     "200, room to the byte");
  is(status(16, 200), GREEN_ENOBUFS, "a byte too few");
  is(status(0, 200), GREEN_ENOBUFS, "no room");
  ok(wrote(status(64, 599), 64, "HTTP/1.1 599 \r\n"), "no phrase, but a blank");
  ok(wrote(status(64, 418), 64, "HTTP/1.1 418 \r\n"), "418 is not registered");
  ok(wrote(status(64, 999), 64, "HTTP/1.1 999 \r\n"), "999");
  ok(wrote(status(64, 100), 64, "HTTP/1.1 100 Continue\r\n"), "100");
  is(status(64, 99), GREEN_EINVAL, "99");
  is(status(64, 1000), GREEN_EINVAL, "1000");
  is(status(64, -200), GREEN_EINVAL, "-200");
  is_str(green_http_write_reason(404), "Not Found", "a phrase alone");
  is_str(green_http_write_reason(511), "Network Authentication Required",
         "511");
  is_str(green_http_write_reason(512), "", "behind the last");
  is_str(green_http_write_reason(99), "", "before the first");
  is_str(green_http_write_reason(-1), "", "below 0");
}

static int line(size_t cap, const char *text)
{
  return green_http_write_status_line(room(cap), cap, text, strlen(text));
}

static void test_status_line(void)
{
  ok(wrote(line(64, "404 Not Here"), 64, "HTTP/1.1 404 Not Here\r\n"),
     "a line");
  ok(wrote(line(64, "404"), 64, "HTTP/1.1 404 Not Found\r\n"), "a code");
  ok(wrote(line(64, "299 "), 64, "HTTP/1.1 299 \r\n"), "a blank");
  ok(wrote(line(16, "200 O"), 16, "HTTP/1.1 200 O\r\n"), "room to the byte");
  is(line(15, "200 O"), GREEN_ENOBUFS, "a byte too few");
  static const char *const bad[] = {
      "",         "20",         "OK",    "099 x",   "0200",
      "2000 x",   "20x y",      "200OK", "200\tOK", "200 OK\r\nX: y",
      "200 O\nK", "200 O\x7fK", " 200",  "-20 x",   "HTTP/1.1 200 OK",
  };
  int good = 1;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    if (line(64, bad[i]) != GREEN_EINVAL) good = 0;
  ok(good, "what is no status line is refused");
  is(green_http_write_status_line(room(64), 64, "200 a\0b", 7), GREEN_EINVAL,
     "NUL too");
}

static int header(size_t cap, const char *name, const char *value)
{
  return green_http_write_header(room(cap), cap, name, strlen(name), value,
                                 strlen(value));
}

static void test_header(void)
{
  ok(wrote(header(6, "X", "y"), 6, "X: y\r\n"), "a header, room to the byte");
  is(header(5, "X", "y"), GREEN_ENOBUFS, "a byte too few");
  ok(wrote(header(9, "X", ""), 9, "X: \r\n"), "an empty value");
  ok(wrote(header(32, "X", "\ta \xc3\xa4"), 32, "X: \ta \xc3\xa4\r\n"),
     "tabs, blanks, any text");
  is(header(64, "", "y"), GREEN_EINVAL, "no name");
  is(header(64, "X Y", "z"), GREEN_EINVAL, "a blank in the name");
  is(header(64, "X:", "z"), GREEN_EINVAL, "a colon in the name");
  is(header(64, "X\r\nY", "z"), GREEN_EINVAL, "a line end in the name");
  is(header(64, "X\xc3\xa4", "z"), GREEN_EINVAL, "UTF-8 in the name");
  is(header(64, "X", "y\r\nSet-Cookie: z"), GREEN_EINVAL, "a split response");
  is(header(64, "X", "y\r"), GREEN_EINVAL, "CR");
  is(header(64, "X", "y\nz"), GREEN_EINVAL, "LF");
  is(header(64, "X", "y\x1bz"), GREEN_EINVAL, "ESC");
  is(green_http_write_header(room(64), 64, "X", 1, "a\0b", 3), GREEN_EINVAL,
     "NUL");
  is(header(0, "X", "y\n"), GREEN_EINVAL, "refused even without room");
}

/* Every byte at every place of a value that is longer than a vector. */
static void test_value_bytes(void)
{
  char value[40];
  int good = 1;
  for (size_t at = 0; at < sizeof(value); at++)
    for (int c = 0; c < 256; c++) {
      memset(value, 'v', sizeof(value));
      value[at] = (char)c;
      bool want = c == '\t' || (c >= 0x20 && c != 0x7f);
      char *p = guard_copy(value, sizeof(value));
      if (green_http_write_is_value(p, sizeof(value)) != want) good = 0;
    }
  ok(good, "no control byte passes");
  ok(green_http_write_is_value("", 0), "an empty value is one");
  ok(!green_http_write_is_token("", 0), "an empty name is none");
}

static int number(size_t cap, int64_t n)
{
  return green_http_write_decimal(room(cap), cap, n);
}

static void test_numbers(void)
{
  ok(wrote(number(1, 0), 1, "0"), "0");
  ok(wrote(number(1, 9), 1, "9"), "9");
  is(number(1, 10), GREEN_ENOBUFS, "10 in one byte");
  ok(wrote(number(32, INT64_MAX), 32, "9223372036854775807"), "the largest");
  ok(wrote(number(20, INT64_MIN), 20, "-9223372036854775808"), "the smallest");
  char *p = room(3);
  ok(wrote(green_http_write_chunk(p, 3, 0), 3, "0\r\n"), "the last chunk");
  is(green_http_write_chunk(p, 2, 0), GREEN_ENOBUFS, "a byte too few");
  p = room(32);
  ok(wrote(green_http_write_chunk(p, 32, 0x10a), 32, "10a\r\n"), "hex digits");
  p = room(18);
  ok(wrote(green_http_write_chunk(p, 18, UINT64_MAX), 18,
           "ffffffffffffffff\r\n"),
     "all of them");
}

static int capitalize(const char *in, const char *want)
{
  char name[64];
  strcpy(name, in);
  green_http_write_capitalize(name, strlen(name));
  return !strcmp(name, want);
}

static void test_capitalize(void)
{
  ok(capitalize("content-type", "Content-Type"), "each word");
  ok(capitalize("ETag", "ETag"), "what is large stays");
  ok(capitalize("x--y-", "X--Y-"), "empty words");
  ok(capitalize("x_y-1a", "X_y-1a"), "letters only");
  ok(capitalize("\xe4-\xe4", "\xe4-\xe4"), "of ASCII only");
  ok(capitalize("", ""), "nothing");
}

static int date(size_t cap, int64_t t)
{
  return green_http_write_date(room(cap), cap, t);
}

static void test_date(void)
{
  ok(wrote(date(29, 784111777), 29, "Sun, 06 Nov 1994 08:49:37 GMT"),
     "the RFC's example, room to the byte");
  is(date(28, 784111777), GREEN_ENOBUFS, "a byte too few");
  ok(wrote(date(64, 0), 64, "Thu, 01 Jan 1970 00:00:00 GMT"), "1970");
  ok(wrote(date(64, -1), 64, "Wed, 31 Dec 1969 23:59:59 GMT"), "before");
  ok(wrote(date(64, 951782400), 64, "Tue, 29 Feb 2000 00:00:00 GMT"), "2000");
  ok(wrote(date(64, 4107542399), 64, "Sun, 28 Feb 2100 23:59:59 GMT"),
     "2100 is no leap year");
  ok(wrote(date(64, 253402300799), 64, "Fri, 31 Dec 9999 23:59:59 GMT"),
     "the last");
  is(date(64, 253402300800), GREEN_EINVAL, "behind it");
  ok(wrote(date(64, -62135596800), 64, "Mon, 01 Jan 0001 00:00:00 GMT"),
     "the first");
  is(date(64, -62135596801), GREEN_EINVAL, "before it");
}

static void test_dates(void)
{
  int good = 1;
  for (int64_t t = -62135596800; t < 253402300800; t += 86400 * 3 + 12347) {
    char want[64];
    time_t when = (time_t)t;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(want, sizeof(want), "%a, %d %b ", &tm);
    snprintf(want + 12, sizeof(want) - 12, "%04d %02d:%02d:%02d GMT",
             tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (!wrote(date(29, t), 29, want)) good = 0;
  }
  ok(good, "every third day of ten thousand years, as the C library has it");
}

int main(void)
{
  t_start();
  test_status();
  test_status_line();
  test_header();
  test_value_bytes();
  test_numbers();
  test_capitalize();
  test_date();
  test_dates();
  return t_done();
}
