/*
** http_body_test.c: bodies of all framings, whole and in every cut, in front of
** memory that cannot be read.
*/

#include "guard.h"
#include "proto/http_body.h"
#include "t.h"

static green_http_body body;
static char out[1 << 16];
static size_t out_len;

static void take(const char *in)
{
  memcpy(out + out_len, in + body.data_off, body.data_len);
  out_len += body.data_len;
}

/* Feed in[0..n): at first at bytes, then all; at 0: byte by byte. gather: by
** the call that moves. Returns the last result and how much was used. */
static int feed(const char *in, size_t n, size_t at, int gather, size_t *used)
{
  size_t pos = 0, len = at ? at : 1;
  int rc = GREEN_EAGAIN;
  out_len = 0;
  for (;;) {
    char *p = guard_copy(in + pos, len - pos);
    rc = gather ? green_http_body_gather(&body, p, len - pos)
                : green_http_body_next(&body, p, len - pos);
    pos += body.used;
    if (rc == 1) take(p);
    if (rc == 0 || (rc < 0 && rc != GREEN_EAGAIN)) break;
    if (rc == 1 || pos < len) continue;
    if (len == n) break;
    len = at ? n : len + 1;
  }
  *used = pos;
  return rc;
}

struct one {
  const char *what;
  int framing;
  int64_t length;
  const char *in;
  const char *data;
  int rc;
  int rest; /* Bytes left alone. */
};

static const struct one ones[] = {
    {"none", GREEN_BODY_NONE, -1, "HTTP/1.1", "", 0, 8},
    {"none, whatever the length", GREEN_BODY_NONE, 5, "hello", "", 0, 5},
    {"length 0", GREEN_BODY_LENGTH, 0, "x", "", 0, 1},
    {"a length", GREEN_BODY_LENGTH, 5, "hello", "hello", 0, 0},
    {"a length, and more behind", GREEN_BODY_LENGTH, 5, "helloHTTP", "hello", 0,
     4},
    {"less than the length", GREEN_BODY_LENGTH, 9, "hello", "hello",
     GREEN_EAGAIN, 0},
    {"chunks", GREEN_BODY_CHUNKED, -1, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
     "abcde", 0, 0},
    {"chunks, and more behind", GREEN_BODY_CHUNKED, -1,
     "1\r\na\r\n1\r\nb\r\n0\r\n\r\nHTTP", "ab", 0, 4},
    {"chunks with trailers", GREEN_BODY_CHUNKED, -1,
     "1;x=y\r\na\r\n0\r\nA: b\r\n\r\nX", "a", 0, 1},
    {"chunks without their end", GREEN_BODY_CHUNKED, -1, "3\r\nabc\r\n", "abc",
     GREEN_EAGAIN, 0},
    {"bad chunks", GREEN_BODY_CHUNKED, -1, "3\r\nabcd", "abc", GREEN_EPROTO, 1},
    {"no chunks at all", GREEN_BODY_CHUNKED, -1, "<html>", "", GREEN_EPROTO, 6},
    {"until the end", GREEN_BODY_CLOSE, -1, "abc\r\n\r\n", "abc\r\n\r\n",
     GREEN_EAGAIN, 0},
};

static int one_is(const struct one *o, size_t at, int gather)
{
  size_t used, n = strlen(o->in);
  green_http_body_init(&body, o->framing, o->length);
  int rc = feed(o->in, n, at, gather, &used);
  return rc == o->rc && n - used == (size_t)o->rest &&
         out_len == strlen(o->data) && !memcmp(out, o->data, out_len) &&
         body.total == (int64_t)out_len && body.done == (rc == 0);
}

static void test_ones(void)
{
  for (size_t i = 0; i < sizeof(ones) / sizeof(ones[0]); i++) {
    int good = 1;
    for (size_t at = 0; at <= strlen(ones[i].in); at++)
      for (int gather = 0; gather < 2; gather++)
        good &= one_is(&ones[i], at, gather);
    ok(good, ones[i].what);
  }
}

/* What next says once more, of other bytes. */
static int again(void)
{
  char in[] = "1\r\nx\r\n";
  int rc = green_http_body_next(&body, in, 6);
  return body.used || body.data_len ? 1 << 30 : rc;
}

static void test_final(void)
{
  size_t used;
  green_http_body_init(&body, GREEN_BODY_LENGTH, 2);
  feed("abc", 3, 3, 0, &used);
  is(again(), 0, "an end is final");
  green_http_body_init(&body, GREEN_BODY_CHUNKED, -1);
  feed("x", 1, 1, 0, &used);
  is(again(), GREEN_EPROTO, "an error is final");
  ok(body.chunk.reason, "and has a reason");
  green_http_body_init(&body, GREEN_BODY_CLOSE, -1);
  is(green_http_body_next(&body, "", 0), GREEN_EAGAIN, "no bytes");
  is(green_http_body_eof(&body), 0, "the end of the stream is this one's end");
  is(again(), 0, "behind which nothing is read");
}

static int ended(int framing, int64_t length, const char *in)
{
  size_t used;
  green_http_body_init(&body, framing, length);
  feed(in, strlen(in), strlen(in), 0, &used);
  return green_http_body_eof(&body);
}

static void test_eof(void)
{
  is(ended(GREEN_BODY_NONE, -1, "x"), 0, "nothing is complete");
  is(ended(GREEN_BODY_LENGTH, 2, "ab"), 0, "all of a length");
  is(ended(GREEN_BODY_LENGTH, 3, "ab"), GREEN_EEOF, "less than a length");
  is(ended(GREEN_BODY_CHUNKED, -1, "0\r\n\r\n"), 0, "all chunks");
  is(ended(GREEN_BODY_CHUNKED, -1, "0\r\n\r"), GREEN_EEOF,
     "the last LF missing");
  is(ended(GREEN_BODY_CHUNKED, -1, "x"), GREEN_EPROTO, "bad chunks");
}

/* What a reader learns with the last bytes. */
static void test_done_with_data(void)
{
  char in[] = "1\r\na\r\n1\r\nb\r\n0\r\n\r\nHTTP";
  green_http_body_init(&body, GREEN_BODY_CHUNKED, -1);
  is(green_http_body_gather(&body, in, sizeof(in) - 1), 1, "chunks together");
  ok(body.done && body.data_len == 2 && !memcmp(in + body.data_off, "ab", 2),
     "all data and the end in one call");
  is(body.used, sizeof(in) - 1 - 4, "nothing of what follows");
  green_http_body_init(&body, GREEN_BODY_LENGTH, 3);
  is(green_http_body_next(&body, in, 9), 1, "a length");
  ok(body.done && body.used == 3 && body.left == 0, "with its end");
  char bad[] = "1\r\na\r\n1\r\nb\r\nx";
  green_http_body_init(&body, GREEN_BODY_CHUNKED, -1);
  is(green_http_body_gather(&body, bad, sizeof(bad) - 1), 1,
     "data before an error come first");
  is(body.data_len, 2, "all of them");
  is(green_http_body_gather(&body, bad + body.used, 1), GREEN_EPROTO,
     "then the error");
}

int main(void)
{
  t_start();
  test_ones();
  test_final();
  test_eof();
  test_done_with_data();
  return t_done();
}
