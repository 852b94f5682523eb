/*
** chunked_test.c: the chunked decoder: what it takes and where it ends; what
** it refuses.
*/

#include "proto/chunked_cut.h"
#include "t.h"

static char data[1 << 17];
static cut_body body = {.data = data};
static green_chunked limits;

#define IN(text) (text), sizeof(text) - 1

/* The verdict on some bytes, the same in all cuts. */
static int verdict(const char *what, const char *in, size_t n)
{
  if (cut_chunked(limits, in, n, n, &body)) return body.rc;
  printf("# the cuts of \"%s\" do not agree\n", what);
  return 1 << 30;
}

static int data_is(const char *want)
{
  return body.len == strlen(want) && !memcmp(data, want, body.len);
}

/*
** Taken
*/

static const struct {
  const char *what;
  const char *in;
  const char *want;
} goods[] = {
    {"an empty body", "0\r\n\r\n", ""},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"chunks",
     "4\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n",
     "Wikipedia in \r\n\r\nchunks."},
    {"digits in any case", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
     "01234567890123456789"},
    {"16 digits", "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", "a"},
    {"data that look like chunks", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"},
    {"an extension", "1;a\r\nx\r\n0;b\r\n\r\n", "x"},
    {"extensions with values", "1;a=b;c=\"d\";e\r\nx\r\n0\r\n\r\n", "x"},
    {"blanks around ; and =", "1 \t; a = b ;c\t=\t\"d\" ;e\r\nx\r\n0\r\n\r\n",
     "x"},
    {"quotes in a value", "1;a=\"\\\"\\\\;\t\xff\"\r\nx\r\n0\r\n\r\n", "x"},
    {"an empty quoted value", "1;a=\"\"\r\nx\r\n0\r\n\r\n", "x"},
    {"trailers", "0\r\nX: y\r\nZ:\r\nContent-Length: 9\r\n\r\n", ""},
    {"trailers with text", "0\r\nX:\t a \xc3\xa4\r\n\r\n", ""},
};

static void test_good(void)
{
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
    size_t n = strlen(goods[i].in);
    int rc = verdict(goods[i].what, goods[i].in, n);
    ok(rc == 0 && body.used == n && data_is(goods[i].want), goods[i].what);
  }
}

static void test_end(void)
{
  const char *in = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
  ok(verdict("end", in, strlen(in)) == 0 && body.used == 11,
     "what follows the body is left alone");
  green_chunked c;
  green_chunked_init(&c);
  is(green_chunked_next(&c, in, 11), 1, "data");
  ok(c.data_off == 3 && c.data_len == 1 && c.used == 4, "at its place");
  is(green_chunked_next(&c, in + 4, 7), 0, "the end");
  ok(c.done && c.used == 7, "to the byte");
  is(green_chunked_next(&c, "5", 1), 0, "which is final");
  is(c.used, 0, "and uses nothing more");
  is(green_chunked_eof(&c), 0, "complete");
}

static void test_eof(void)
{
  const char *in = "1;a\r\nx\r\n0\r\nA: b\r\n\r\n";
  int good = 1;
  for (size_t n = 0; n < strlen(in); n++) {
    green_chunked c;
    green_chunked_init(&c);
    char out[8];
    green_chunked_read(&c, in, n, out, sizeof(out));
    if (green_chunked_eof(&c) != GREEN_EEOF || c.used != n) good = 0;
  }
  ok(good, "an end at any other byte is premature");
  green_chunked c;
  green_chunked_init(&c);
  green_chunked_next(&c, "x", 1);
  is(green_chunked_eof(&c), GREEN_EPROTO, "a former error is not forgotten");
}

static void test_ranges(void)
{
  green_chunked c;
  green_chunked_init(&c);
  is(green_chunked_next(&c, "A\r\n0123", 7), 1, "data that are there");
  ok(c.data_off == 3 && c.data_len == 4 && c.left == 6, "and what is to come");
  is(green_chunked_next(&c, "456789\r\n", 8), 1, "the rest");
  ok(c.data_off == 0 && c.data_len == 6 && c.used == 6, "without the line end");
  is(c.total, 10, "in all");
}

static void test_read(void)
{
  const char *in = "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\nNEXT";
  green_chunked c;
  green_chunked_init(&c);
  char out[8];
  is(green_chunked_read(&c, in, 25, out, 4), 4, "as much as there is room for");
  ok(!memcmp(out, "abcd", 4) && !c.done, "across chunks");
  in += c.used;
  is(green_chunked_read(&c, in, 4, out, 2), 2, "exactly the rest");
  ok(!memcmp(out, "ef", 2) && !c.done && c.used == 4, "the end not seen yet");
  is(green_chunked_read(&c, in + 4, 9, out, 0), 0, "no room, but no data");
  ok(c.done && c.used == 5, "so the end is seen");

  green_chunked_init(&c);
  is(green_chunked_read(&c, "1\r\nx\r\n0\r\n\r\n", 11, out, 1), 1, "full");
  ok(c.done && c.used == 11, "and done with it");

  green_chunked_init(&c);
  is(green_chunked_read(&c, "1\r\nx\r\nz", 7, out, 8), 1, "data come first");
  is(green_chunked_read(&c, "", 0, out, 8), GREEN_EPROTO, "errors after them");
}

/* The trailer section, as whoever keeps it gets it of input that is cut at
** every byte. */
static void test_trailers(void)
{
  static const char in[] = "3\r\nabc\r\n0;x\r\nA: b\r\nC:\r\n\r\nGET";
  static const char want[] = "A: b\r\nC:\r\n\r\n";
  int good = 1;
  for (size_t cut = 0; cut <= sizeof(in) - 1; cut++) {
    green_chunked c;
    green_chunked_init(&c);
    char kept[64], out[8];
    size_t n = 0, at = 0, ends[] = {cut, sizeof(in) - 1};
    for (int i = 0; i < 2; i++) {
      green_chunked_read(&c, in + at, ends[i] - at, out, sizeof(out));
      at += c.used;
      memcpy(kept + n, in + at - c.trailer_len, c.trailer_len);
      n += c.trailer_len;
    }
    if (!c.done || n != sizeof(want) - 1 || memcmp(kept, want, n)) good = 0;
  }
  ok(good, "the bytes of trailers are told of, in any cut");
  green_chunked c;
  green_chunked_init(&c);
  green_chunked_next(&c, "0\r\nA", 4);
  is(c.trailer_len, 1, "of a part");
  is(green_chunked_next(&c, "B\r", 2), GREEN_EPROTO, "then a wrong byte");
  ok(c.used == 1 && c.trailer_len == 1, "which is not counted");
  green_chunked_next(&c, "", 0);
  is(c.trailer_len, 0, "nor is anything behind an error");
}

static void test_huge(void)
{
  green_chunked c;
  green_chunked_init(&c);
  is(green_chunked_next(&c, "7fffffffffffffff\r\nx", 19), 1, "2^63 - 1");
  is(c.left, INT64_MAX - 1, "all but one to come");
}

/*
** Refused
*/

static const struct {
  const char *what;
  const char *in;
  size_t n;
} bads[] = {
    {"no size", IN("\r\n")},
    {"a blank before the size", IN(" 5\r\nhello")},
    {"a blank behind the size", IN("5 \r\nhello")},
    {"a tab behind the size", IN("5\t\r\nhello")},
    {"-3", IN("-3\r\nabc")},
    {"+3", IN("+3\r\nabc")},
    {"0x3", IN("0x3\r\nabc")},
    {"1_0", IN("1_0\r\nabc")},
    {"letters", IN("g\r\n")},
    {"UTF-8 digits", IN("\xef\xbc\x95\r\n")},
    {"NUL for a digit", IN("5\0\r\n")},
    {"2^63", IN("8000000000000000\r\n")},
    {"2^64 - 1", IN("ffffffffffffffff\r\n")},
    {"17 digits", IN("00000000000000005\r\n")},
    {"2^64 + 5", IN("10000000000000005\r\n")},
    {"LF behind the size", IN("5\nhello\r\n")},
    {"CR behind the size", IN("5\rhello\r\n")},
    {"CR CR LF behind the size", IN("5\r\r\nhello")},
    {"a chunk longer than its size", IN("5\r\nhello!!\r\n0\r\n\r\n")},
    {"a chunk without line end", IN("5\r\nhello0\r\n\r\n")},
    {"LF behind a chunk", IN("5\r\nhello\n0\r\n\r\n")},
    {"CR behind a chunk", IN("5\r\nhello\r0\r\n\r\n")},
    {"an extension without name", IN("5;\r\nhello")},
    {"an extension with only a value", IN("5;=a\r\nhello")},
    {"an extension without value", IN("5;a=\r\nhello")},
    {"two semicolons", IN("5;;a\r\nhello")},
    {"a semicolon at the end", IN("5;a;\r\nhello")},
    {"a blank behind a name", IN("5;a \r\nhello")},
    {"a blank behind a value", IN("5;a=b \r\nhello")},
    {"a blank behind a quoted value", IN("5;a=\"b\" \r\nhello")},
    {"a blank in a name", IN("5;a b\r\nhello")},
    {"text behind a quoted value", IN("5;a=\"b\"c\r\nhello")},
    {"an open quote", IN("5;a=\"b\r\nhello\"\r\n")},
    {"a quoted line end", IN("5;a=\"\\\r\n\"\r\n")},
    {"a name that is no token", IN("5;a@\r\nhello")},
    {"NUL in an extension", IN("5;a\0\r\nhello")},
    {"NUL in a quoted value", IN("5;a=\"\0\"\r\nhello")},
    {"LF in an extension", IN("5;a\nhello\r\n")},
    {"CR in an extension", IN("5;a\rb\r\nhello")},
    {"no blank line", IN("0\r\nGET / HTTP/1.1\r\n")},
    {"LF as the blank line", IN("0\r\n\n")},
    {"CR as the blank line", IN("0\r\n\rx")},
    {"LF behind the last chunk", IN("0\n\r\n")},
    {"a trailer without colon", IN("0\r\nX\r\n\r\n")},
    {"a trailer without name", IN("0\r\n: x\r\n\r\n")},
    {"a blank before the colon of a trailer", IN("0\r\nX : y\r\n\r\n")},
    {"a folded trailer", IN("0\r\nX: y\r\n z\r\n\r\n")},
    {"LF behind a trailer", IN("0\r\nX: y\n\r\n")},
    {"CR in a trailer", IN("0\r\nX: y\rz\r\n\r\n")},
    {"NUL in a trailer", IN("0\r\nX: \0\r\n\r\n")},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
    ok(verdict(bads[i].what, bads[i].in, bads[i].n) == GREEN_EPROTO &&
           body.reason,
       bads[i].what);
}

static void test_final(void)
{
  green_chunked c;
  green_chunked_init(&c);
  is(green_chunked_next(&c, "x\r\n", 3), GREEN_EPROTO, "an error");
  is(c.used, 0, "uses what was right");
  is(green_chunked_next(&c, "0\r\n\r\n", 5), GREEN_EPROTO, "is final");
  is(c.used, 0, "and uses nothing");
}

/*
** Limits
*/

static void test_ext_limit(void)
{
  limits.max_ext = 10;
  ok(verdict("at", IN("1;a=bcdefgh\r\nx\r\n0\r\n\r\n")) == 0 && data_is("x"),
     "extensions as long as allowed");
  is(verdict("over", IN("1;a=bcdefghi\r\nx\r\n0\r\n\r\n")), GREEN_ETOOBIG,
     "not a byte longer");
  is(verdict("sum", IN("1;abcde\r\nx\r\n1;abcde\r\nx\r\n")), GREEN_ETOOBIG,
     "nor in several chunks");
  is(verdict("data", IN("8;abcde\r\n01234567\r\n8;abcde\r\n01234567\r\n")),
     GREEN_EAGAIN, "but data make up for them");
  is(verdict("blanks", IN("1          ;a\r\nx\r\n")), GREEN_ETOOBIG,
     "blanks count");
  is(verdict("last", IN("0;abcdefghij\r\n\r\n")), GREEN_ETOOBIG,
     "those of the last chunk too");
  green_chunked_init(&limits);
}

static void test_trailer_limit(void)
{
  limits.max_trailer = 12;
  is(verdict("at", IN("0\r\nA: b\r\nC: d\r\n\r\n")), 0,
     "trailers as long as allowed");
  is(verdict("over", IN("0\r\nA: b\r\nC: de\r\n\r\n")), GREEN_ETOOBIG,
     "not a byte longer");
  limits.max_trailer = 0;
  is(verdict("none", IN("0\r\n\r\n")), 0, "none when none are allowed");
  is(verdict("one", IN("0\r\nA:\r\n\r\n")), GREEN_ETOOBIG, "not one");
  green_chunked_init(&limits);
}

static void test_default_limits(void)
{
  static char in[20000];
  memset(in, 'a', sizeof(in));
  memcpy(in, "1;", 2);
  green_chunked c;
  green_chunked_init(&c);
  is(green_chunked_next(&c, in, 4097), GREEN_EAGAIN, "4096 of extensions");
  is(green_chunked_next(&c, "a", 1), GREEN_ETOOBIG, "not 4097");
  green_chunked_init(&c);
  is(green_chunked_next(&c, "0\r\n", 3), GREEN_EAGAIN, "8192");
  is(green_chunked_next(&c, in + 2, 8192), GREEN_EAGAIN, "of trailers");
  is(green_chunked_next(&c, "a", 1), GREEN_ETOOBIG, "not 8193");
}

int main(void)
{
  t_start();
  green_chunked_init(&limits);
  test_good();
  test_end();
  test_eof();
  test_ranges();
  test_read();
  test_trailers();
  test_huge();
  test_bad();
  test_final();
  test_ext_limit();
  test_trailer_limit();
  test_default_limits();
  return t_done();
}
