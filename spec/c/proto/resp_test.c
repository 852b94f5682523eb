/*
** resp_test.c: replies of Redis: what is taken and where it ends; what is
** refused; limits; tokens.
*/

#include "proto/resp_cut.h"
#include "t.h"

static green_resp r;

/* The verdict on some bytes, the same in all cuts. */
static int verdict(const char *in, size_t n)
{
  green_resp_init(&r);
  return cut_resp(&r, in, n, n < 200 ? n : 3);
}

/*
** Taken
*/

static const char *goods[] = {
    "+OK\r\n",
    "+\r\n",
    "-ERR no\r\n",
    ":0\r\n",
    ":-9223372036854775808\r\n",
    ":9223372036854775807\r\n",
    ":+1\r\n",
    "$0\r\n\r\n",
    "$5\r\nhello\r\n",
    "$4\r\n\r\n\r\n\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*2\r\n$1\r\na\r\n:1\r\n",
    "*2\r\n*1\r\n*0\r\n*1\r\n+a\r\n",
    "_\r\n",
    "#t\r\n",
    "#f\r\n",
    ",1\r\n",
    ",1.5\r\n",
    ",-1.5e-10\r\n",
    ",+3E8\r\n",
    ",inf\r\n",
    ",-inf\r\n",
    ",nan\r\n",
    "(3492890328409238509324850943850943825024385\r\n",
    "(-1\r\n",
    "!5\r\nERR x\r\n",
    "=7\r\ntxt:abc\r\n",
    "=4\r\ntxt:\r\n",
    "%0\r\n",
    "%1\r\n+a\r\n*1\r\n:1\r\n",
    "~2\r\n+a\r\n+b\r\n",
    "~0\r\n",
    ">2\r\n+message\r\n+x\r\n",
    "|1\r\n+ttl\r\n:3\r\n+value\r\n",
    "|0\r\n+value\r\n",
    "|1\r\n+a\r\n|1\r\n+b\r\n+c\r\n+d\r\n+value\r\n",
    "*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n",
    "*1\r\n|1\r\n+k\r\n*0\r\n*1\r\n:2\r\n",
};

static void test_good(void)
{
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
    int n = (int)strlen(goods[i]), deep = 0;
    is(verdict(goods[i], (size_t)n), n, goods[i]);
    is((long)cut_walk(goods[i], (size_t)n, &deep), n, "and so say its tokens");
  }
}

static void test_part(void)
{
  int good = 1;
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++)
    for (size_t n = 0; n < strlen(goods[i]); n++) {
      green_resp_init(&r);
      good &= green_resp_scan(&r, guard_copy(goods[i], n), n) == GREEN_EAGAIN;
    }
  ok(good, "no part of a reply is one");
}

static void test_zero_bytes(void)
{
  is(verdict("$3\r\na\0b\r\n", 9), 9, "strings hold any byte");
  is(verdict("+a\0b\r\n", 6), 6, "and so do lines");
  is(verdict("\0\r\n", 3), GREEN_EPROTO, "which do not begin with it");
}

static void test_next_reply(void)
{
  const char *in = "*1\r\n:1\r\n+two\r\n";
  green_resp_init(&r);
  is(green_resp_scan(&r, in, strlen(in)), 8, "what follows is left alone");
  is(green_resp_scan(&r, in + 8, strlen(in) - 8), 6, "and is the next one");
  is(green_resp_scan(&r, in + 14, 0), GREEN_EAGAIN, "behind which is none");
}

/*
** Refused
*/

static const struct {
  const char *in;
  const char *reason;
} bads[] = {
    {"HTTP/1.1 400 Bad Request\r\n", "unknown type"},
    {"\r\n", "unknown type"},
    {"\n", "unknown type"},
    {".\r\n", "unknown type"},
    {"+a\rb", "bare CR in a line"},
    {"+a\nb\r\n", "bare LF in a line"},
    {"$1\na\r\n", "bare LF in a line"},
    {":\r\n", "bad integer"},
    {":-\r\n", "bad integer"},
    {":1.0\r\n", "bad integer"},
    {": 1\r\n", "bad integer"},
    {":9223372036854775808\r\n", "bad integer"},
    {":-9223372036854775809\r\n", "bad integer"},
    {":99999999999999999999\r\n", "bad integer"},
    {"$\r\n", "bad length"},
    {"$-2\r\n", "bad length"},
    {"$+1\r\n", "bad length"},
    {"$01\r\n", "bad length"},
    {"$1x\r\n", "bad length"},
    {"$?\r\n", "streamed type"},
    {"*?\r\n", "streamed type"},
    {"%?\r\n", "streamed type"},
    {"~?\r\n", "streamed type"},
    {"$99999999999999999999\r\n", "bad length"},
    {"$1\r\nab\r\n", "string longer than its length"},
    {"$1\r\na\rb", "string longer than its length"},
    {"$1\r\na\n", "string longer than its length"},
    {"*-2\r\n", "bad count"},
    {"*x\r\n", "bad count"},
    {"%-1\r\n", "bad count"},
    {"~-1\r\n", "bad count"},
    {"!-1\r\n", "bad length"},
    {"=-1\r\n", "bad length"},
    {"=3\r\ntxt\r\n", "bad verbatim string"},
    {"=5\r\ntxt-a\r\n", "bad verbatim string"},
    {"_x\r\n", "bad null"},
    {"#\r\n", "bad boolean"},
    {"#x\r\n", "bad boolean"},
    {"#tt\r\n", "bad boolean"},
    {",\r\n", "bad double"},
    {",.5\r\n", "bad double"},
    {",1.\r\n", "bad double"},
    {",1e\r\n", "bad double"},
    {",0x1p3\r\n", "bad double"},
    {",infinity\r\n", "bad double"},
    {",1,5\r\n", "bad double"},
    {"(\r\n", "bad big number"},
    {"(1.5\r\n", "bad big number"},
    {">0\r\n", "empty push"},
    {"*1\r\n>1\r\n+a\r\n", "push inside of a reply"},
    {"*2\r\n:1\r\n:x\r\n", "bad integer"},
    {":1111111111111111111111111111111111111111111111111111111111111111111111"
     "11111111111111111111111111111111111111111111111111111111111111\r\n",
     "line too long"},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    int rc = verdict(bads[i].in, strlen(bads[i].in));
    ok(rc == GREEN_EPROTO || rc == GREEN_ETOOBIG, bads[i].in);
    is_str(r.reason, bads[i].reason, "for its reason");
  }
}

static void test_final(void)
{
  green_resp_init(&r);
  is(green_resp_scan(&r, "?", 1), GREEN_EPROTO, "refused");
  is(green_resp_scan(&r, "+OK\r\n", 5), GREEN_EPROTO, "once and for all");
}

/*
** Limits
*/

static int limited(const char *in)
{
  size_t n = strlen(in);
  return cut_resp(&r, in, n, n);
}

static void test_limits(void)
{
  green_resp_init(&r);
  r.max_line = 3;
  is(limited("+abc\r\n"), 6, "a line of max_line");
  is(limited("+abcd\r\n"), GREEN_ETOOBIG, "a longer one");
  green_resp_init(&r);
  r.max_line = 3;
  is(limited("+abcd"), GREEN_ETOOBIG, "whose end need not come");
  green_resp_init(&r);
  r.max_bulk = 3;
  is(limited("$3\r\nabc\r\n"), 9, "a string of max_bulk");
  is(limited("$4\r\n"), GREEN_ETOOBIG, "the head of a longer one");
  green_resp_init(&r);
  r.max_elements = 4;
  is(limited("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n"), 20, "max_elements in all");
  is(limited("*2\r\n*3\r\n"), GREEN_ETOOBIG, "one more");
  green_resp_init(&r);
  r.max_elements = 4;
  is(limited("%3\r\n"), GREEN_ETOOBIG, "pairs count twice");
  green_resp_init(&r);
  r.max_reply = 20;
  is(limited("*2\r\n:1\r\n$3\r\nabc\r\n"), 17, "less than max_reply");
  is(limited("*2\r\n:1\r\n$7\r\n"), GREEN_ETOOBIG, "one byte more");
}

static void test_promises(void)
{
  is(verdict("$536870912\r\n", 12), GREEN_EAGAIN, "512 MB may come");
  is(verdict("$536870913\r\n", 12), GREEN_ETOOBIG, "but not more");
  is(verdict("*2147483648\r\n", 13), GREEN_ETOOBIG, "2^31 elements");
  is(verdict("%2147483647\r\n", 13), GREEN_ETOOBIG, "or pairs");
  is(verdict("*9223372036854775807\r\n", 22), GREEN_ETOOBIG, "or 2^63");
}

/* n arrays in each other. */
static size_t nested(char *out, int n)
{
  char *p = out;
  for (int i = 0; i < n; i++) p += sprintf(p, "*1\r\n");
  p += sprintf(p, ":1\r\n");
  return (size_t)(p - out);
}

static void test_depth(void)
{
  char in[1024];
  size_t n = nested(in, 32);
  is(verdict(in, n), (int)n, "as deep as max_depth");
  n = nested(in, 33);
  is(verdict(in, n), GREEN_ETOOBIG, "deeper");
  is_str(r.reason, "nested too deeply", "for its reason");
  green_resp_init(&r);
  r.max_depth = 1000;
  n = nested(in, GREEN_RESP_DEPTH);
  is(green_resp_scan(&r, in, n), (int)n, "as deep as can be");
  n = nested(in, GREEN_RESP_DEPTH + 1);
  is(green_resp_scan(&r, in, n), GREEN_ETOOBIG, "whatever max_depth says");
}

/*
** Tokens
*/

static green_resp_token token(const char *in)
{
  green_resp_token t = {0};
  size_t n = strlen(in);
  is(green_resp_next(guard_copy(in, n), n, &t), (int)n, in);
  return t;
}

static int text_is_of(const char *in, const char *want)
{
  green_resp_token t = token(in);
  return t.text_len == strlen(want) &&
         !memcmp(in + t.text_off, want, t.text_len);
}

static void test_tokens(void)
{
  is(token(":-12\r\n").integer, -12, "an integer");
  is(token("#t\r\n").integer, 1, "true");
  is(token("#f\r\n").integer, 0, "false");
  is(token(",inf\r\n").integer, 1, "infinite");
  is(token(",-inf\r\n").integer, -1, "and below");
  is(token(",nan\r\n").integer, 2, "no number");
  is(token("%2\r\n").integer, 4, "keys and values");
  is(token("*3\r\n").integer, 3, "elements");
  is(token("$-1\r\n").type, '_', "a null");
  is(token("*-1\r\n").type, '_', "another one");
  ok(text_is_of(",1.5\r\n", "1.5"), "a double's text");
  ok(text_is_of("$3\r\nabc\r\n", "abc"), "a string's");
  ok(text_is_of("=7\r\ntxt:abc\r\n", "abc"), "a verbatim string's");
  ok(text_is_of("-ERR x\r\n", "ERR x"), "an error's");
  ok(text_is_of("(12\r\n", "12"), "a big number's");
}

int main(void)
{
  t_start();
  test_good();
  test_part();
  test_zero_bytes();
  test_next_reply();
  test_bad();
  test_final();
  test_limits();
  test_promises();
  test_depth();
  test_tokens();
  return t_done();
}
