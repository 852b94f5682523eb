/*
** http_request_limit_test.c: request heads: limits to the byte, slow senders,
** several requests in one buffer, misuse.
*/

#include "proto/http_request_cut.h"
#include "t.h"

static green_http_request req;

static int verdict(const char *what, const char *in, size_t n)
{
  return cut_verdict(&req, what, in, n);
}

/* A request of these many bytes in each part. */
static size_t sized(char *in, int path, int fields, int value)
{
  char *p = in + sprintf(in, "GET /");
  memset(p, 'p', (size_t)path - 1);
  p += path - 1;
  p += sprintf(p, " HTTP/1.0\r\n");
  for (int i = 0; i < fields; i++) {
    p += sprintf(p, "X: ");
    memset(p, 'v', (size_t)value);
    p += value;
    p += sprintf(p, "\r\n");
  }
  return (size_t)(p + sprintf(p, "\r\n") - in);
}

static void limits(uint32_t line, uint32_t field, uint32_t head, uint32_t n)
{
  req.max_line = line;
  req.max_field = field;
  req.max_head = head;
  req.max_headers = n;
}

static void test_limits(void)
{
  static char in[16384];
  size_t n;
  limits(100, 200, 1000, 3);
  n = sized(in, 87, 3, 197);
  ok(verdict("at", in, n) == (int)n, "all limits may be reached");
  n = sized(in, 88, 3, 197);
  ok(verdict("line", in, n) == GREEN_ETOOBIG && req.status == 414,
     "a request line one byte longer is 414");
  n = sized(in, 87, 3, 198);
  ok(verdict("field", in, n) == GREEN_ETOOBIG && req.status == 431,
     "a field one byte longer is 431");
  n = sized(in, 87, 4, 197);
  ok(verdict("fields", in, n) == GREEN_ETOOBIG && req.status == 431,
     "one field more is 431");
  n = sized(in, 87, 3, 100);
  limits(100, 200, (uint32_t)n, 3);
  ok(verdict("head", in, n) == (int)n, "a head as long as allowed");
  req.max_head--;
  ok(verdict("head", in, n) == GREEN_ETOOBIG && req.status == 431,
     "a head one byte longer is 431");
  n = sized(in, 200, 0, 0);
  limits(100, 200, 1000, 3);
  ok(verdict("line", in, 102) == GREEN_ETOOBIG && req.status == 414,
     "414 needs no line end");
  limits(0, 0, 0, 0);
  n = sized(in, 51, 0, 0);
  ok(verdict("small", in, n) == (int)n, "limits below 64 count as 64");
  green_http_request_init(&req);
}

static void test_default_limits(void)
{
  static char in[80000];
  green_http_request_init(&req);
  size_t n = sized(in, 8192 - 13, 1, 1);
  is(green_http_request_parse(&req, in, n, 0), (int)n, "a line of 8192");
  n = sized(in, 8193 - 13, 1, 1);
  is(green_http_request_parse(&req, in, n, 0), GREEN_ETOOBIG, "not of 8193");
  n = sized(in, 1, 1, 8192 - 3);
  is(green_http_request_parse(&req, in, n, 0), (int)n, "a field of 8192");
  n = sized(in, 1, 1, 8193 - 3);
  is(green_http_request_parse(&req, in, n, 0), GREEN_ETOOBIG, "not of 8193");
  n = sized(in, 1, 128, 1);
  is(green_http_request_parse(&req, in, n, 0), (int)n, "128 fields");
  n = sized(in, 1, 129, 1);
  is(green_http_request_parse(&req, in, n, 0), GREEN_ETOOBIG, "not 129");
  n = sized(in, 1, 8, 8170);
  ok(n < 65536 && green_http_request_parse(&req, in, n, 0) == (int)n, "64 KiB");
  n = sized(in, 1, 8, 8189);
  is(green_http_request_parse(&req, in, n, 0), GREEN_ETOOBIG, "not more");
}

/* A byte at a time costs no more than a few looks at each byte. */
static void test_slow_sender(void)
{
  size_t n = 60000, last = 0;
  char *in = malloc(n);
  memset(in, 'v', n);
  memcpy(in, "GET / HTTP/1.0\r\nX: ", 19);
  limits(8192, 65535, 65536, 128);
  int rc = GREEN_EAGAIN;
  for (size_t len = 1; len <= n && rc == GREEN_EAGAIN; last = len++)
    rc = green_http_request_parse(&req, in, len, last);
  is(rc, GREEN_EAGAIN, "60,000 bytes of one field, one by one");
  free(in);
  green_http_request_init(&req);
}

static void test_pipelined(void)
{
  const char *in = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n";
  int rc = green_http_request_parse(&req, in, strlen(in), 0);
  is(rc, 28, "a head ends where the next one begins");
  is(green_http_request_parse(&req, in, strlen(in), 28), 28,
     "asked again, the same");
  is(green_http_request_parse(&req, in + rc, strlen(in) - (size_t)rc, 0),
     GREEN_EAGAIN, "the next one is a new request");
  is(req.fields.n, 0, "with nothing of the former");
}

static void test_misuse(void)
{
  is(green_http_request_parse(&req, "GET", 3, 4), GREEN_EINVAL,
     "last beyond the end");
  is(green_http_request_parse(&req, "", 0, 0), GREEN_EAGAIN, "no bytes at all");
  is(green_http_request_parse(&req, "\x16\x03", 2, 0), GREEN_EPROTO,
     "no HTTP at all");
  is(green_http_request_parse(&req, "\x16\x03xx", 4, 2), GREEN_EPROTO,
     "once refused");
  is(req.status, 400, "always refused");
  is(green_http_request_parse(&req, "GET ", 4, 0), GREEN_EAGAIN,
     "until a new one");
  is(req.status, 0, "begins");
}

int main(void)
{
  t_start();
  green_http_request_init(&req);
  test_limits();
  test_default_limits();
  test_slow_sender();
  test_pipelined();
  test_misuse();
  return t_done();
}
