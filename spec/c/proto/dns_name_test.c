/*
** dns_name_test.c: names in messages and as text; pointers that lead astray.
*/

#include "proto/dns_kit.h"
#include "t.h"

static char text[GREEN_DNS_NAME_TEXT];

/* 12 bytes of a header, then what is given, at the end of memory. */
static const char *message(const void *bytes, size_t n)
{
  static char whole[2048];
  memcpy(whole + 12, bytes, n);
  return guard_copy(whole, 12 + n);
}

#define NAME(bytes) message(bytes, sizeof(bytes) - 1), sizeof(bytes) - 1 + 12

static int text_of(const char *buf, size_t len, size_t off)
{
  return green_dns_name_text(buf, len, off, text, sizeof(text));
}

/* -- Text ----------------------------------------------------------------- */

static void test_text(void)
{
  is(text_of(NAME("\3www\7Example\3com\0"), 12), 15, "a name");
  is_str(text, "www.Example.com", "keeps its case");
  is(text_of(NAME("\0"), 12), 1, "the root");
  is_str(text, ".", "is a dot");
  is(text_of(NAME("\3a.b\2\\\"\0"), 12), 9, "dots in labels");
  is_str(text, "a\\.b.\\\\\\\"", "and what zone files mean otherwise");
  is(text_of(NAME("\4\0 \177\xff\0"), 12), 16, "other bytes");
  is_str(text, "\\000\\032\\127\\255", "are numbers");
}

static void test_pointers(void)
{
  const char in[] = "\3com\0\1a\xc0\x0c\1b\xc0\x11";
  const char *buf = message(in, sizeof(in) - 1);
  is(text_of(buf, 12 + sizeof(in) - 1, 21), 7, "pointers to pointers");
  is_str(text, "b.a.com", "are followed");
  is(green_dns_name_end(buf, 12 + sizeof(in) - 1, 21), 25, "the end is here");
  is(green_dns_name_end(buf, 12 + sizeof(in) - 1, 12), 17, "or at a 0");
}

static const struct {
  const char *what;
  const char *in;
  size_t n;
  size_t off;
} bads[] = {
    {"nothing at all", "", 0, 12},
    {"an offset behind the end", "\0", 1, 14},
    {"a label that is cut off", "\3ww", 3, 12},
    {"a label that ends the message", "\3www", 4, 12},
    {"half a pointer", "\xc0", 1, 12},
    {"a pointer to itself", "\xc0\x0c", 2, 12},
    {"a pointer forward", "\xc0\x0e\0", 3, 12},
    {"a pointer to its own label", "\1a\xc0\x0c", 4, 12},
    {"pointers in a circle", "\xc0\x0e\xc0\x0c", 4, 14},
    {"a pointer into the header", "\xc0\x0b", 2, 12},
    {"a pointer to the first byte", "\xc0\x00", 2, 12},
    {"a pointer behind the end", "\xff\xff", 2, 12},
    {"labels of kind 01", "\x41x\0", 3, 12},
    {"labels of kind 10", "\x81x\0", 3, 12},
    {"a label of 64", "\x40", 1, 12},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    const char *buf = message(bads[i].in, bads[i].n);
    size_t len = 12 + bads[i].n;
    int rc = text_of(buf, len, bads[i].off);
    ok(rc == GREEN_EPROTO &&
           green_dns_name_end(buf, len, bads[i].off) == GREEN_EPROTO,
       bads[i].what);
  }
}

/* n bytes of labels, the last of which is what is left. */
static size_t long_name(char *out, size_t n)
{
  size_t at = 0;
  while (at + 1 < n) {
    size_t len = n - 1 - at > 64 ? 63 : n - 2 - at;
    out[at] = (char)len;
    memset(out + at + 1, 0, len);
    at += len + 1;
  }
  out[at++] = 0;
  return at;
}

static void test_length(void)
{
  char in[400];
  size_t n = long_name(in, 255);
  const char *buf = message(in, n);
  is(n, 255, "a name of 255 bytes");
  is(text_of(buf, 12 + n, 12), 1003, "is taken");
  is(green_dns_name_text(buf, 12 + n, 12, text, 1004), 1003, "just fits");
  is(green_dns_name_text(buf, 12 + n, 12, text, 1003), GREEN_ENOBUFS, "or not");
  is(green_dns_name_text(buf, 12 + n, 12, text, 0), GREEN_ENOBUFS, "at all");
  n = long_name(in, 256);
  is(text_of(message(in, n), 12 + n, 12), GREEN_EPROTO, "one of 256 is not");
  n = long_name(in, 250);
  memcpy(in + n, "\5abcde\xc0\x0c", 8);
  is(text_of(message(in, n + 8), 20 + n, 12 + n), GREEN_EPROTO,
     "nor by a pointer");
}

/* Each pointer points at the one before it. */
static void test_many_pointers(void)
{
  char in[600] = {0};
  for (size_t i = 0; i < 200; i++) {
    size_t to = i ? 12 + 1 + 2 * (i - 1) : 12;
    in[1 + 2 * i] = (char)(0xc0 | to >> 8);
    in[2 + 2 * i] = (char)to;
  }
  const char *buf = message(in, 401);
  is(green_dns_name_end(buf, 413, 12 + 1 + 2 * 127), 12 + 1 + 2 * 128,
     "128 pointers are followed");
  is(green_dns_name_end(buf, 413, 12 + 1 + 2 * 128), GREEN_EPROTO,
     "no more than that");
}

/* -- Comparing ------------------------------------------------------------ */

static void test_same(void)
{
  const char in[] = "\1a\3CoM\0\1A\3com\0\3com\0\1b\xc0\x0e";
  const char *buf = message(in, sizeof(in) - 1);
  size_t len = 12 + sizeof(in) - 1;
  ok(green_dns_name_same(buf, len, 12, 19), "the case does not count");
  ok(!green_dns_name_same(buf, len, 12, 26), "a name is not its parent");
  ok(green_dns_name_within(buf, len, 12, 26), "but within it");
  ok(green_dns_name_within(buf, len, 31, 26), "also by a pointer");
  ok(!green_dns_name_within(buf, len, 26, 12), "not the other way");
  ok(green_dns_name_within(buf, len, 26, 18), "all is within the root");
  ok(!green_dns_name_same(buf, len, 12, len), "a wrong name is none");
  ok(!green_dns_name_same(buf, len, len, len), "not even itself");
  const char odd[] = "\1[\0\1{\0";
  buf = message(odd, 6);
  ok(!green_dns_name_same(buf, 18, 12, 15), "only letters have a case");
}

/* -- Text to bytes -------------------------------------------------------- */

static int pack(const char *name, char *out)
{
  return green_dns_name_pack(name, strlen(name), out, GREEN_DNS_NAME_WIRE);
}

static void test_pack(void)
{
  char out[GREEN_DNS_NAME_WIRE];
  is(pack("www.Example", out), 13, "a name");
  ok(!memcmp(out, "\3www\7Example\0", 13), "in labels");
  is(pack("www.example.", out), 13, "a dot at the end is no label");
  is(pack(".", out), 1, "the root");
  is(pack("a\\.b.\\000\\255", out), 8, "escapes");
  ok(!memcmp(out, "\3a.b\2\0\xff\0", 8), "are bytes");
  is(pack("", out), GREEN_EINVAL, "nothing");
  is(pack("..", out), GREEN_EINVAL, "two dots");
  is(pack(".a", out), GREEN_EINVAL, "a dot first");
  is(pack("a..b", out), GREEN_EINVAL, "an empty label");
  is(pack("a\\", out), GREEN_EINVAL, "half an escape");
  is(pack("a\\25", out), GREEN_EINVAL, "too few digits");
  is(pack("a\\256", out), GREEN_EINVAL, "not a byte");
  is(green_dns_name_pack("a.b", 3, out, 4), GREEN_ENOBUFS, "no room");
  is(green_dns_name_pack("a.b", 3, out, 5), 5, "room");
}

static void test_pack_length(void)
{
  char name[300], out[GREEN_DNS_NAME_WIRE];
  memset(name, 'a', sizeof(name));
  is(green_dns_name_pack(name, 63, out, 255), 65, "a label of 63");
  is(green_dns_name_pack(name, 64, out, 255), GREEN_ENAMETOOLONG, "of 64");
  name[63] = name[127] = name[191] = '.';
  is(green_dns_name_pack(name, 253, out, 255), 255, "a name of 253");
  is(green_dns_name_pack(name, 254, out, 255), GREEN_ENAMETOOLONG, "of 254");
}

int main(void)
{
  t_start();
  test_text();
  test_pointers();
  test_bad();
  test_length();
  test_many_pointers();
  test_same();
  test_pack();
  test_pack_length();
  return t_done();
}
