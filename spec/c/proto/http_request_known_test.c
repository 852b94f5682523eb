/*
** http_request_known_test.c: fields that came with the last head, too, are not
** taken apart again; and what must not be taken for them.
*/

#include "proto/http_request_cut.h"
#include "t.h"

#define FIELDS \
  "Host: b.c:80\r\nAccept: */*\r\nContent-Length: 5\r\nConnection: " \
  "close\r\n\r\n"

static green_http_request req;

static int parse(const char *in)
{
  return green_http_request_parse(&req, in, strlen(in), 0);
}

/* The same by a parser that has seen nothing. */
static int is_as_fresh(const char *in, int rc)
{
  green_http_request fresh;
  twin_init(&fresh);
  memcpy(&fresh, &req, offsetof(green_http_request, status)); /* Limits. */
  return cut_same(rc, &req, twin_parse(&fresh, in, strlen(in), 0), &fresh);
}

/* Parse it. 2: all of it was known; 1: its fields were; 0: they were parsed;
** -1: it says something else than one that has seen nothing. */
static int knows_now(const char *in)
{
  req.fields.list[0].flags |= 0x80; /* Marks, gone if it is parsed again. */
  req.reason = "a mark";
  int rc = parse(in);
  int known = req.fields.n && req.fields.list[0].flags & 0x80;
  int again = rc > 0 && req.reason;
  req.fields.list[0].flags &= 0x7f;
  if (rc > 0) req.reason = NULL;
  return is_as_fresh(in, rc) ? !!known + again : -1;
}

/* The same when first has been parsed before, and nothing else. */
static int knows(const char *first, const char *second)
{
  green_http_request_init(&req);
  if (parse(first) <= 0) abort();
  return knows_now(second);
}

static void test_known(void)
{
  const char *first = "GET / HTTP/1.1\r\n" FIELDS;
  is(knows(first, first), 2, "the same head");
  is(knows(first, "GET / HTTP/1.1\r\n" FIELDS "12345"), 2, "and a body");
  is(knows("\r\nGET / HTTP/1.1\r\n" FIELDS, first), 1, "an empty line less");
  is(knows(first, "GET /longer?a=b HTTP/1.1\r\n" FIELDS), 1, "a longer path");
  is(knows("GET /longer?a=b HTTP/1.1\r\n" FIELDS, first), 1, "a shorter one");
  is(knows(first, "POST /%41 HTTP/1.1\r\n" FIELDS "12345"), 1,
     "another method, and a body");
  is(knows(first, "\r\nGET / HTTP/1.1\r\n" FIELDS), 1, "behind an empty line");
  is(knows("GET / HTTP/1.0\r\nA: b\r\n\r\n", "GET /x HTTP/1.0\r\nA: b\r\n\r\n"),
     1, "without a Host");
  is(req.authority_len, 0, "which stays unknown");
  is(req.authority_off, 0, "wherever it is");
}

static void test_again_and_again(void)
{
  static const char *const lines[] = {"GET / HTTP/1.1\r\n",
                                      "DELETE /abc?d HTTP/1.1\r\n",
                                      "GET /%20 HTTP/1.1\r\n"};
  char in[256];
  int wrong = 0;
  green_http_request_init(&req);
  for (int i = 0; i < 30; i++) {
    snprintf(in, sizeof(in), "%s%s", lines[i % 3], FIELDS);
    wrong += !is_as_fresh(in, parse(in));
  }
  is(wrong, 0, "offsets follow the line each time");
}

static void test_the_latest_line(void)
{
  const char *a = "GET /a HTTP/1.1\r\n" FIELDS;
  const char *b = "PUT /b?c HTTP/1.1\r\n" FIELDS;
  is(knows(a, b), 1, "another line");
  is(knows_now(b), 2, "is known the next time");
  is(knows_now(a), 1, "the one before is not");
  is(parse("GET /a HTTP/1.1\r\n"), GREEN_EAGAIN, "nor after half a head");
  is(knows_now(a), 0, "which has other fields");
  is(knows_now(a), 2, "until it has come again");
  is(knows_now("GET /a HTTP/1.1\r\nHost: b.c:80\r\n\r\n"), 0, "fewer fields");
  is(knows_now("GET /b HTTP/1.1\r\nHost: b.c:80\r\n\r\n"), 1,
     "one byte in the line");
  is(knows_now("GET /b HTTP/1.1\r\nHost: b.c:81\r\n\r\n"), 0,
     "one in the fields");
  is(knows_now(a), 0, "other fields");
  is(green_http_request_parse(&req, a, strlen(a) - 1, 0), GREEN_EAGAIN,
     "what stands behind the end does not count");
}

static void test_long_lines(void)
{
  char in[512];
  for (int n = 127; n <= 129; n++) {
    snprintf(in, sizeof(in), "GET /%0*d HTTP/1.1\r\nHost: b\r\n\r\n", n - 16,
             0);
    is(knows(in, in), n <= 128 ? 2 : 1, "a line of that length");
  }
  is(knows_now("GET / HTTP/1.1\r\nHost: b\r\n\r\n"), 1, "a short one");
  is(knows_now(in), 1, "does not make it known");
}

static void test_not_known(void)
{
  const char *first = "GET / HTTP/1.1\r\n" FIELDS;
  is(knows(first, "GET / HTTP/1.1\r\nHost: b.c:81\r\n\r\n"), 0, "other fields");
  is(knows(first, "GET / HTTP/1.0\r\n" FIELDS), 0, "another version");
  is(knows(first, "GET http://x/ HTTP/1.1\r\n" FIELDS), 0,
     "a target that overrules the Host");
  is(knows("GET http://x/ HTTP/1.1\r\n" FIELDS, first), 0, "nor the reverse");
  is(knows(first, "OPTIONS * HTTP/1.1\r\n" FIELDS), 0, "no path");
  is(knows("GET / HTTP/1.1\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: b\r\nA: b\r\n\r\n"),
     0, "more fields");
  is(knows("GET / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n",
           "GET / HTTP/1.0\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"),
     0, "what another version refuses");
  is(req.status, 400, "is refused");
}

static void test_what_follows_a_refusal(void)
{
  const char *good = "GET / HTTP/1.1\r\n" FIELDS;
  green_http_request_init(&req);
  parse(good);
  is(parse("GET /\x01 HTTP/1.1\r\n" FIELDS), GREEN_EPROTO, "a bad line");
  is(req.fields.n, 0, "has no fields of another head");
  ok(!green_http_request_has_line(&req), "and no line");
  ok(is_as_fresh(good, parse(good)), "a good one is as ever");
  is(parse("GET / HT"), GREEN_EAGAIN, "half a line");
  is(req.fields.n, 0, "has no fields of another head");
  is(green_http_request_parse(&req, good, strlen(good), 8), (int)strlen(good),
     "its rest");
  ok(is_as_fresh(good, req.head_len), "makes it as any other");
}

static void test_limits(void)
{
  const char *in = "GET / HTTP/1.1\r\n" FIELDS;
  static char wide[4096];
  green_http_request_init(&req);
  parse(in);
  req.max_headers = 2;
  is(parse(in), GREEN_ETOOBIG, "a new limit of fields counts");
  green_http_request_init(&req);
  parse(in);
  req.max_field = 64;
  req.max_line = 64;
  ok(is_as_fresh(in, parse(in)), "and one of their size");
  req.max_head = 128;
  snprintf(wide, sizeof(wide), "GET /%060d HTTP/1.1\r\n%s", 0, FIELDS);
  ok(is_as_fresh(wide, parse(wide)), "and one of the whole");
  is(req.status, 414, "or of the line");
  snprintf(wide, sizeof(wide),
           "GET / HTTP/1.1\r\nHost: b\r\nA: %02100d\r\n\r\n", 0);
  is(knows(wide, wide), 0, "long ones are not kept");
  snprintf(wide, sizeof(wide), "GET /%080d HTTP/1.1\r\n%s", 0, FIELDS);
  is(knows(wide, wide), 2, "all of it was known");
  req.max_line = 64;
  is(parse(wide), GREEN_ETOOBIG, "a new limit of lines counts");
  is(knows(wide, wide), 2, "all of it was known");
  req.max_head = 128;
  is(parse(wide), GREEN_ETOOBIG, "and one of heads");
  snprintf(wide, sizeof(wide), "GET / HTTP/1.1\r\nHost: b\r\nA: %080d\r\n\r\n",
           0);
  is(knows(wide, wide), 2, "all of it was known");
  req.max_field = 64;
  is(parse(wide), GREEN_ETOOBIG, "and one of a field");
}

int main(void)
{
  t_start();
  test_known();
  test_again_and_again();
  test_the_latest_line();
  test_long_lines();
  test_not_known();
  test_what_follows_a_refusal();
  test_limits();
  return t_done();
}
