/*
** ws_legacy_test.c: frames of drafts 75 and 76.
*/

#include "proto/ws_cut.h"
#include "t.h"

static char text[1024];
static cut_frames got = {.log = text};
static green_ws_reader reader;

#define IN(bytes) (bytes), sizeof(bytes) - 1

/* The verdict on some bytes, the same in every cut. */
static int verdict(const char *in, size_t n)
{
  if (cut_ws(reader, in, n, n, &got)) return got.rc;
  printf("# the cuts do not agree\n");
  return 1 << 30;
}

static int log_is(const char *want)
{
  int same = got.len == strlen(want) && !memcmp(got.log, want, got.len);
  if (!same) printf("# got \"%.*s\"\n", (int)got.len, got.log);
  return same;
}

static const struct {
  const char *what;
  const char *in;
  size_t n;
  const char *want;
} goods[] = {
    {"a text", IN("\0Hello\xff"), "T[Hello]"},
    {"an empty one", IN("\0\xff"), "T[]"},
    {"two of them", IN("\0ab\xff\0cd\xff"), "T[ab]T[cd]"},
    {"one that goes on", IN("\0ab\xff\0c"), "T[ab]T[c"},
    {"one of NULs", IN("\0\0\0\xff"), NULL},
    {"the close", IN("\xff\0"), "8()"},
    {"the close behind a text", IN("\0a\xff\xff\0"), "T[a]8()"},
    {"nothing behind the close", IN("\xff\0\0a\xff\x80"), "8()"},
    {"half of the close", IN("\xff"), ""},
};

static void test_good(void)
{
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++)
    ok(verdict(goods[i].in, goods[i].n) == GREEN_EAGAIN &&
           (!goods[i].want || log_is(goods[i].want)),
       goods[i].what);
}

static const struct {
  const char *what;
  const char *in;
  size_t n;
} bads[] = {
    {"type 1", IN("\1a\xff")},
    {"type 7F", IN("\x7f\xff")},
    {"type 80, with a length", IN("\x80\1a")},
    {"type FE", IN("\xfe\0")},
    {"a close with a length", IN("\xff\1a")},
    {"one behind a text", IN("\0a\xff"
                             "a")},
    {"a frame of today", IN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
    ok(verdict(bads[i].in, bads[i].n) == GREEN_EPROTO && got.code == 1002 &&
           got.reason,
       bads[i].what);
}

static void test_limit(void)
{
  reader.max_message = 5;
  is(verdict(IN("\0"
                "12345\xff\0"
                "12345\xff")),
     GREEN_EAGAIN, "as long as allowed");
  ok(log_is("T[12345]T[12345]"), "twice");
  is(verdict(IN("\0"
                "123456\xff")),
     GREEN_ETOOBIG, "not a byte longer");
  ok(got.code == 1009 && got.reason, "which has a code of its own");
  ok(log_is("T[12345"), "what is allowed was handed out");
  reader.max_message = 8;
  reader.max_frame = 5;
  is(verdict(IN("\0"
                "123456\xff")),
     GREEN_ETOOBIG, "a message is a frame");
  reader.max_frame = 0;
  is(verdict(IN("\0\xff")), GREEN_EAGAIN, "0: empty ones only");
  is(verdict(IN("\0"
                "1")),
     GREEN_ETOOBIG, "no byte");
  green_ws_init(&reader);
  reader.legacy = true;
}

static void test_idle(void)
{
  green_ws_reader r = reader;
  char bytes[] = "\0a\xff\xff";
  ok(green_ws_is_idle(&r), "nothing is begun");
  is(green_ws_next(&r, bytes, 1), GREEN_EAGAIN, "a text begins");
  ok(!green_ws_is_idle(&r), "then it is");
  is(green_ws_next(&r, bytes + 1, 2), GREEN_WS_DATA, "and ends");
  ok(r.first && r.last && r.data_len == 1 && r.used == 2, "with its FF");
  ok(green_ws_is_idle(&r), "nothing is");
  is(green_ws_next(&r, bytes + 3, 1), GREEN_EAGAIN, "half of the close");
  ok(!green_ws_is_idle(&r), "is kept");
}

int main(void)
{
  t_start();
  green_ws_init(&reader);
  reader.legacy = true;
  test_good();
  test_bad();
  test_limit();
  test_idle();
  return t_done();
}
