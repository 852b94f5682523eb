/*
** coding_test.c: content codings by name, each with its decoder, or without its
** library.
*/

#include "proto/coding.h"
#include "child.h"

static void test_names(void)
{
  is(green_coding_find("gzip", 4), GREEN_CODING_GZIP, "gzip");
  is(green_coding_find("GZip", 4), GREEN_CODING_GZIP, "in either case");
  is(green_coding_find("x-gzip", 6), GREEN_CODING_GZIP, "its old name");
  is(green_coding_find("deflate", 7), GREEN_CODING_DEFLATE, "deflate");
  is(green_coding_find("br", 2), GREEN_CODING_BR, "br");
  is(green_coding_find("b", 1), GREEN_EOPNOTSUPP, "half a name");
  is(green_coding_find("brr", 3), GREEN_EOPNOTSUPP, "too much of one");
  is(green_coding_find("", 0), GREEN_EOPNOTSUPP, "none");
  is(green_coding_find("gzip\0", 5), GREEN_EOPNOTSUPP, "a NUL");
  is(green_coding_find("compress", 8), GREEN_EOPNOTSUPP, "another");
}

static const struct {
  const char *what;
  int kind;
  const char *in;
  size_t n;
} streams[] = {
#define IN(text) text, sizeof(text) - 1
    {"gzip", GREEN_CODING_GZIP,
     IN("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36"
        "\x05\0\0\0")},
    {"zlib", GREEN_CODING_DEFLATE,
     IN("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\0\x06\x2c\x02\x15")},
    {"raw", GREEN_CODING_DEFLATE, IN("\xcb\x48\xcd\xc9\xc9\x07\0")},
    {"br", GREEN_CODING_BR, IN("\x0f\x02\x80hello\x03")},
#undef IN
};

static void test_each(void)
{
  for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
    green_coding c;
    char out[10];
    ok(!green_coding_missing(streams[i].kind), streams[i].what);
    is(green_coding_init(&c, streams[i].kind), 0, "begins");
    is(green_coding_run(&c, streams[i].in, streams[i].n, out, 10), 5, "hello");
    ok(!memcmp(out, "hello", 5) && c.used == streams[i].n, "in full");
    is(green_coding_eof(&c), 0, "complete");
    is(green_coding_run(&c, "??", 2, out, 10), GREEN_EPROTO, "and no more");
    ok(c.error == GREEN_EPROTO && c.reason, "which it says");
    green_coding_deinit(&c);
    green_coding_deinit(&c);
    is(green_coding_init(&c, streams[i].kind), 0, "anew");
    is(green_coding_eof(&c), GREEN_EEOF, "not complete");
    green_coding_deinit(&c);
    is(green_coding_run(&c, "", 0, out, 10), GREEN_ECLOSED, "closed");
  }
}

/* Libraries are looked for once, so this is in a child. */
static void without(void *arg)
{
  green_coding c;
  setenv("GREENLUA_LIBZ", "/nonexistent/z", 1);
  setenv("GREENLUA_LIBBROTLI", "/nonexistent/br", 1);
  (void)arg;
  must(strstr(green_coding_missing(GREEN_CODING_GZIP), "zlib1g"));
  must(strstr(green_coding_missing(GREEN_CODING_DEFLATE), "zlib1g"));
  must(strstr(green_coding_missing(GREEN_CODING_BR), "libbrotli1"));
  for (int kind = GREEN_CODING_GZIP; kind <= GREEN_CODING_BR; kind++) {
    must(green_coding_init(&c, kind) == GREEN_ENOLIBRARY);
    must(c.error == GREEN_ENOLIBRARY && c.reason);
    must(green_coding_run(&c, "x", 1, NULL, 0) == GREEN_ENOLIBRARY);
    must(green_coding_eof(&c) == GREEN_ENOLIBRARY);
    green_coding_deinit(&c);
  }
}

int main(void)
{
  t_start();
  is(in_child(without, NULL), 0, "without the libraries");
  test_names();
  test_each();
  return t_done();
}
