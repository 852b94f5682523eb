/*
** http_response_test.c: response heads: what is taken, and as what; what is
** refused.
**
** Each input goes through both parsers, whole, cut at every byte and byte by
** byte, ending where memory ends.
*/

#include "proto/http_response_cut.h"
#include "t.h"

static green_http_response res;

/* Literals with NUL bytes and their length. */
#define IN(text) (text), sizeof(text) - 1

static int verdict(const char *in, size_t n)
{
  return cut_verdict(&res, in, in, n);
}

static int taken(const char *in)
{
  return verdict(in, strlen(in)) == (int)strlen(in);
}

static int text_is(uint32_t off, uint32_t len, const char *in, const char *want)
{
  return len == strlen(want) && !memcmp(in + off, want, len);
}

static int field_is(const char *in, uint32_t i, const char *name,
                    const char *value)
{
  const green_http_field *h = &res.fields.list[i];
  return i < res.fields.n && text_is(h->name_off, h->name_len, in, name) &&
         text_is(h->value_off, h->value_len, in, value);
}

/*
** Taken
*/

struct line {
  const char *what;
  const char *in;
  const char *phrase;
  int status, minor;
};

static const struct line lines[] = {
    {"a status line", "HTTP/1.1 200 OK\r\n\r\n", "OK", 200, 1},
    {"1.0", "HTTP/1.0 404 Not Found\r\n\r\n", "Not Found", 404, 0},
    {"1.2 counts as 1.1", "HTTP/1.2 200 OK\r\n\r\n", "OK", 200, 1},
    {"1.9 counts as 1.1", "HTTP/1.9 200 OK\r\n\r\n", "OK", 200, 1},
    {"an empty phrase", "HTTP/1.1 200 \r\n\r\n", "", 200, 1},
    {"an empty phrase without its blank", "HTTP/1.1 200\r\n\r\n", "", 200, 1},
    {"a phrase of bytes above 0x7f", "HTTP/1.1 500 \xc3\xa9\xff\r\n\r\n",
     "\xc3\xa9\xff", 500, 1},
    {"a phrase with blanks and tabs", "HTTP/1.1 200  a\tb \r\n\r\n", " a\tb ",
     200, 1},
    {"the lowest status", "HTTP/1.1 100 Continue\r\n\r\n", "Continue", 100, 1},
    {"the highest status", "HTTP/1.1 999 x\r\n\r\n", "x", 999, 1},
};

static void test_lines(void)
{
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    const struct line *l = &lines[i];
    ok(taken(l->in) && res.status == l->status && res.minor == l->minor &&
           text_is(res.phrase_off, res.phrase_len, l->in, l->phrase),
       l->what);
  }
}

static void test_fields(void)
{
  const char *in = "HTTP/1.1 200 OK\r\n"
                   "Server: a\r\n"
                   "X-Empty:\r\n"
                   "X-Blank: \t \r\n"
                   "X-Pad: \t a b\tc \t\r\n"
                   "set-cookie: a=1\r\n"
                   "Set-Cookie: b=\xa0\xff\r\n"
                   "!#$%&'*+-.^_`|~09azAZ:v:w\r\n"
                   "\r\n";
  ok(taken(in), "fields are taken");
  is(res.fields.n, 7, "all of them");
  ok(field_is(in, 0, "Server", "a"), "a value without the blank before it");
  ok(field_is(in, 1, "X-Empty", ""), "an empty value");
  ok(field_is(in, 2, "X-Blank", ""), "a blank value is empty");
  ok(field_is(in, 3, "X-Pad", "a b\tc"), "only the blanks around are cut");
  ok(field_is(in, 5, "Set-Cookie", "b=\xa0\xff"), "bytes above 0x7f stay");
  ok(field_is(in, 6, "!#$%&'*+-.^_`|~09azAZ", "v:w"), "any token is a name");
}

static void test_lookup(void)
{
  const char *in = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nVary: b\r\n"
                   "SET-COOKIE: c\r\nCache-Control: d\r\ncache-control: e\r\n"
                   "\r\n";
  char out[64];
  ok(taken(in), "repeated fields are taken");
  const green_http_fields *f = &res.fields;
  int i = green_http_field_find(f, in, "set-cookie", 10, 0);
  is(i, 0, "a field is found by its name");
  is(i = green_http_field_next(f, in, i), 2, "and the next of that name");
  is(green_http_field_next(f, in, i), -1, "and that there are no more");
  is(green_http_field_find(f, in, "vary", 4, 2), -1, "none from there on");
  i = green_http_field_find(f, in, "Cache-Control", 13, -5);
  is(i, 3, "names with a number, too");
  is(green_http_field_join(f, in, i, out, sizeof(out)), 3,
     "repeats are joined");
  ok(!memcmp(out, "d,e", 3), "by commas");
  is(green_http_field_join(f, in, i, out, 2), GREEN_ENOBUFS,
     "if there is room");
  is(green_http_field_join(f, in, 5, out, 2), GREEN_EINVAL, "no such field");
  const char *value = NULL;
  is(green_http_field_value(f, in, "VARY", 4, &value), 1,
     "a value by its name");
  ok(value && *value == 'b', "stands in the buffer");
  is(green_http_field_value(f, in, "x", 1, &value), -1, "or is not there");
  is(green_http_field_next(f, in, -1), -1, "nothing follows what is not there");
}

/*
** Framing
*/

struct frame {
  const char *what;
  const char *in;
  int asked, framing, keep;
  int64_t length;
};

#define HEAD(status, more) "HTTP/1.1 " status "\r\n" more "\r\n"
#define OLD(status, more) "HTTP/1.0 " status "\r\n" more "\r\n"
#define L5 "Content-Length: 5\r\n"
#define CHUNKS "Transfer-Encoding: chunked\r\n"

static const struct frame frames[] = {
    {"a length", HEAD("200 OK", L5), 0, GREEN_BODY_LENGTH, 1, 5},
    {"length 0", HEAD("200 OK", "Content-Length: 0\r\n"), 0, GREEN_BODY_LENGTH,
     1, 0},
    {"the longest length",
     HEAD("200 OK", "content-length:\t9223372036854775807 \r\n"), 0,
     GREEN_BODY_LENGTH, 1, INT64_MAX},
    {"chunked", HEAD("200 OK", CHUNKS), 0, GREEN_BODY_CHUNKED, 1, -1},
    {"chunked in other letters",
     HEAD("200 OK", "TRANSFER-ENCODING: CHUNKED\r\n"), 0, GREEN_BODY_CHUNKED, 1,
     -1},
    {"neither: until the end", HEAD("200 OK", ""), 0, GREEN_BODY_CLOSE, 0, -1},
    {"neither, whatever Connection says",
     HEAD("200 OK", "Connection: keep-alive\r\n"), 0, GREEN_BODY_CLOSE, 0, -1},
    {"HEAD with a length", HEAD("200 OK", L5), GREEN_ASKED_HEAD,
     GREEN_BODY_NONE, 1, 5},
    {"HEAD, chunked", HEAD("200 OK", CHUNKS), GREEN_ASKED_HEAD, GREEN_BODY_NONE,
     1, -1},
    {"HEAD, neither", HEAD("200 OK", ""), GREEN_ASKED_HEAD, GREEN_BODY_NONE, 1,
     -1},
    {"204", HEAD("204 No Content", ""), 0, GREEN_BODY_NONE, 1, -1},
    {"204 with a length", HEAD("204 No Content", "Content-Length: 0\r\n"), 0,
     GREEN_BODY_NONE, 1, 0},
    {"304 with the length of what it is not", HEAD("304 Not Modified", L5), 0,
     GREEN_BODY_NONE, 1, 5},
    {"205 has a body as others do", HEAD("205 Reset Content", L5), 0,
     GREEN_BODY_LENGTH, 1, 5},
    {"close", HEAD("200 OK", L5 "Connection: close\r\n"), 0, GREEN_BODY_LENGTH,
     0, 5},
    {"close among others", HEAD("200 OK", L5 "Connection: x, CLOSE ,y\r\n"), 0,
     GREEN_BODY_LENGTH, 0, 5},
    {"close in a second field",
     HEAD("200 OK", "Connection: keep-alive\r\n" L5 "Connection: close\r\n"), 0,
     GREEN_BODY_LENGTH, 0, 5},
    {"1.0 closes", OLD("200 OK", L5), 0, GREEN_BODY_LENGTH, 0, 5},
    {"1.0 that says keep-alive", OLD("200 OK", L5 "Connection: Keep-Alive\r\n"),
     0, GREEN_BODY_LENGTH, 1, 5},
    {"refused CONNECT", HEAD("407 x", L5), GREEN_ASKED_CONNECT,
     GREEN_BODY_LENGTH, 1, 5},
};

static void test_frames(void)
{
  for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
    const struct frame *f = &frames[i];
    res.asked = (uint8_t)f->asked;
    ok(taken(f->in) && res.framing == f->framing && res.keep_alive == f->keep &&
           res.content_length == f->length && !res.interim && !res.tunnel,
       f->what);
  }
  res.asked = 0;
}

static void test_tunnels(void)
{
  const char *both = HEAD("200 OK", L5 CHUNKS);
  res.asked = GREEN_ASKED_CONNECT;
  ok(taken(both), "behind 2xx to CONNECT length and coding are ignored");
  ok(res.tunnel && res.framing == GREEN_BODY_NONE && !res.keep_alive &&
         res.content_length == -1,
     "the tunnel begins");
  res.asked = 0;
  ok(taken(HEAD("101 x", "Connection: Upgrade\r\nUpgrade: websocket\r\n")) &&
         res.tunnel && res.conn_upgrade && !res.interim && !res.keep_alive,
     "101 begins one, too");
  ok(taken(HEAD("100 Continue", "")) && res.interim && !res.tunnel,
     "100 is no answer");
  ok(taken(HEAD("103 Early Hints", "Link: </a>\r\n")) && res.interim &&
         res.framing == GREEN_BODY_NONE && res.keep_alive,
     "nor is 103");
}

static int keeps(const char *in, int timeout, int max)
{
  return taken(in) && res.keep_timeout == timeout && res.keep_max == max;
}

static void test_keep(void)
{
  ok(keeps(HEAD("200 OK", ""), -1, -1), "no Keep-Alive");
  ok(keeps(HEAD("200 OK", "Keep-Alive: timeout=5, max=1000\r\n"), 5, 1000),
     "timeout and max");
  ok(keeps(HEAD("200 OK", "Keep-Alive: MAX=0,x,TimeOut=72\r\n"), 72, 0),
     "in any order and case");
  ok(keeps(HEAD("200 OK", "Keep-Alive: timeout=-1, max=1e3, timeout=,max\r\n"),
           -1, -1),
     "what is odd is as if not said");
  ok(keeps(HEAD("200 OK", "Keep-Alive: timeout=99999999999\r\n"), -1, -1),
     "and what is too long");
}

/*
** Refused
*/

struct bad {
  const char *reason;
  const char *in;
  size_t len;
};

static const struct bad bads[] = {
    {"not HTTP", IN("<html>hello\r\n\r\n")},
    {"not HTTP", IN("SSH-2.0-OpenSSH\r\n")},
    {"not HTTP", IN("\x15\x03\x01")},
    {"not HTTP", IN("\r\nHTTP/1.1 200 OK\r\n\r\n")},
    {"not HTTP", IN("ICY 200 OK\r\n\r\n")},
    {"not HTTP", IN("http/1.1 200 OK\r\n\r\n")},
    {"not HTTP", IN(" HTTP/1.1 200 OK\r\n\r\n")},
    {"HTTP version not supported", IN("HTTP/2.0 200 OK\r\n\r\n")},
    {"HTTP version not supported", IN("HTTP/0.9 200 OK\r\n\r\n")},
    {"HTTP version not supported", IN("HTTP/ 1.1 200 OK\r\n\r\n")},
    {"bad HTTP version", IN("HTTP/1 200 OK\r\n\r\n")},
    {"bad HTTP version", IN("HTTP/1.x 200 OK\r\n\r\n")},
    {"bad HTTP version", IN("HTTP/1.10 200 OK\r\n\r\n")},
    {"bad HTTP version", IN("HTTP/1.1\t200 OK\r\n\r\n")},
    {"bad HTTP version", IN("HTTP/1.1\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1  200 OK\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1 20 OK\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1 2000 OK\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1 200OK\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1 200\tOK\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1 +20 OK\r\n\r\n")},
    {"status is not three digits", IN("HTTP/1.1 OK\r\n\r\n")},
    {"status below 100", IN("HTTP/1.1 099 OK\r\n\r\n")},
    {"status below 100", IN("HTTP/1.1 000 OK\r\n\r\n")},
    {"bare LF", IN("HTTP/1.1 200 OK\nA: b\r\n\r\n")},
    {"bare LF", IN("HTTP/1.1 200\n\n")},
    {"bare CR", IN("HTTP/1.1 200 O\rK\r\n\r\n")},
    {"bare CR", IN("HTTP/1.1 200\r \r\n\r\n")},
    {"control byte in the status line", IN("HTTP/1.1 200 a\0b\r\n\r\n")},
    {"control byte in the status line", IN("HTTP/1.1 200 a\x7f\r\n\r\n")},
#define LINE "HTTP/1.1 200 OK\r\n"
    {"bare LF", IN(LINE "A: b\nC: d\r\n\r\n")},
    {"no colon in a field", IN(LINE "A: b\r\n\nC: d\r\n\r\n")},
    {"bare CR", IN(LINE "A: b\rC: d\r\n\r\n")},
    {"bare CR", IN(LINE "A: b\r\r\n\r\n")},
    {"bare CR", IN(LINE "A: b\r\n\rx")},
    {"blank in or before a field name", IN(LINE " A: b\r\n\r\n")},
    {"blank in or before a field name", IN(LINE "A: b\r\n c\r\n\r\n")},
    {"blank in or before a field name", IN(LINE "A: b\r\n\tc\r\n\r\n")},
    {"blank in or before a field name", IN(LINE "A : b\r\n\r\n")},
    {"blank in or before a field name", IN(LINE "A b: c\r\n\r\n")},
    {"empty field name", IN(LINE ": b\r\n\r\n")},
    {"no colon in a field", IN(LINE "A\r\n\r\n")},
    {"bad byte in a field name", IN(LINE "A(b): c\r\n\r\n")},
    {"bad byte in a field name", IN(LINE "A\0b: c\r\n\r\n")},
    {"bad byte in a field name", IN(LINE "\xc3\xa9: c\r\n\r\n")},
    {"control byte in a field", IN(LINE "A: b\0c\r\n\r\n")},
    {"control byte in a field", IN(LINE "A: b\x1b[0m\r\n\r\n")},
    {"control byte in a field", IN(LINE "A: b\x7f\r\n\r\n")},
    {"repeated Content-Length", IN(LINE L5 L5 "\r\n")},
    {"repeated Content-Length", IN(LINE L5 "content-length: 6\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length: 5, 5\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length:\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length: +5\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length: -1\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length: 0x5\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length: 05\r\n\r\n")},
    {"bad Content-Length", IN(LINE "Content-Length: 5 5\r\n\r\n")},
    {"bad Content-Length",
     IN(LINE "Content-Length: 9223372036854775808\r\n\r\n")},
    {"Content-Length and Transfer-Encoding", IN(LINE L5 CHUNKS "\r\n")},
    {"Content-Length and Transfer-Encoding", IN(LINE CHUNKS L5 "\r\n")},
    {"transfer coding not supported",
     IN(LINE "Transfer-Encoding: gzip\r\n\r\n")},
    {"transfer coding not supported",
     IN(LINE "Transfer-Encoding: gzip, chunked\r\n\r\n")},
    {"transfer coding not supported",
     IN(LINE "Transfer-Encoding: identity\r\n\r\n")},
    {"transfer coding not supported",
     IN(LINE "Transfer-Encoding: xchunked\r\n\r\n")},
    {"coding after chunked",
     IN(LINE "Transfer-Encoding: chunked, gzip\r\n\r\n")},
    {"coding after chunked", IN(LINE CHUNKS CHUNKS "\r\n")},
    {"bad Transfer-Encoding", IN(LINE "Transfer-Encoding:\r\n\r\n")},
    {"control byte in a field", IN(LINE "Transfer-Encoding: \x0c"
                                        "chunked\r\n\r\n")},
    {"bad Transfer-Encoding",
     IN(LINE "Transfer-Encoding: chunked;q=1\r\n\r\n")},
    {"Transfer-Encoding in HTTP/1.0", IN("HTTP/1.0 200 OK\r\n" CHUNKS "\r\n")},
    {"Content-Length and Transfer-Encoding",
     IN("HTTP/1.1 204 x\r\n" L5 CHUNKS "\r\n")},
};

static int bad_is(const struct bad *b)
{
  int rc = verdict(b->in, b->len);
  int good = rc == GREEN_EPROTO && res.error == rc && res.reason &&
             !strcmp(res.reason, b->reason);
  if (!good)
    printf("# %.*s: %d, %s\n", (int)b->len, b->in, rc,
           res.reason ? res.reason : "no reason");
  return good;
}

static void test_bad(void)
{
  char what[160];
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    snprintf(what, sizeof(what), "refused (%d): %s", (int)i, bads[i].reason);
    ok(bad_is(&bads[i]), what);
  }
}

static void test_first_bytes(void)
{
  green_http_response_init(&res);
  is(green_http_response_parse(&res, "S", 1, 0), GREEN_EPROTO,
     "one byte tells that this is no HTTP");
  is(green_http_response_parse(&res, "SSH", 3, 1), GREEN_EPROTO,
     "a refusal is repeated");
  is(green_http_response_parse(&res, "HTTP/1.1 2", 10, 0), GREEN_EAGAIN,
     "what may become a head waits");
  is(green_http_response_parse(&res, "HTTP/1.1 2x", 11, 10), GREEN_EAGAIN,
     "an error waits for the end of its line");
  is(green_http_response_parse(&res, "", 0, 1), GREEN_EINVAL,
     "last beyond len is refused");
}

/*
** Limits
*/

static size_t sized(char *in, int phrase, int fields, int value)
{
  char *p = in + sprintf(in, "HTTP/1.1 200 ");
  memset(p, 'p', (size_t)phrase);
  p += phrase;
  p += sprintf(p, "\r\n");
  for (int i = 0; i < fields; i++) {
    p += sprintf(p, "X: ");
    memset(p, 'v', (size_t)value);
    p += value;
    p += sprintf(p, "\r\n");
  }
  return (size_t)(p + sprintf(p, "\r\n") - in);
}

static int too_big(const char *in, size_t n, const char *reason)
{
  return verdict(in, n) == GREEN_ETOOBIG && !strcmp(res.reason, reason);
}

static void limits(uint32_t line, uint32_t field, uint32_t head, uint32_t n)
{
  res.max_line = line;
  res.max_field = field;
  res.max_head = head;
  res.max_headers = n;
}

static void test_limits(void)
{
  static char in[16384];
  limits(100, 200, 1000, 3);
  size_t n = sized(in, 87, 3, 197);
  ok(verdict(in, n) == (int)n, "all limits may be reached");
  n = sized(in, 88, 3, 197);
  ok(too_big(in, n, "status line too long"), "a status line one byte longer");
  ok(too_big(in, 102, "status line too long"), "needs no line end");
  n = sized(in, 87, 3, 198);
  ok(too_big(in, n, "field too large"), "a field one byte longer");
  n = sized(in, 87, 4, 197);
  ok(too_big(in, n, "too many fields"), "one field more");
  n = sized(in, 87, 3, 100);
  limits(100, 200, (uint32_t)n, 3);
  ok(verdict(in, n) == (int)n, "a head as long as allowed");
  res.max_head--;
  ok(too_big(in, n, "head too large"), "a head one byte longer");
  limits(0, 0, 0, 0);
  n = sized(in, 51, 0, 0);
  ok(verdict(in, n) == (int)n, "limits below 64 count as 64");
  green_http_response_init(&res);
}

/* A byte at a time costs no more than a few looks at each byte. */
static void test_slow_sender(void)
{
  size_t n = 60000, last = 0;
  char *in = malloc(n);
  memset(in, 'v', n);
  memcpy(in, "HTTP/1.1 200 OK\r\nX: ", 20);
  limits(8192, 65535, 65536, 128);
  int rc = GREEN_EAGAIN;
  for (size_t len = 1; len <= n && rc == GREEN_EAGAIN; last = len++)
    rc = green_http_response_parse(&res, in, len, last);
  is(rc, GREEN_EAGAIN, "60,000 bytes of one field, one by one");
  free(in);
  green_http_response_init(&res);
}

static void test_follows(void)
{
  const char *in = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n"
                   "\r\nbody";
  int rc = green_http_response_parse(&res, in, strlen(in), 0);
  ok(rc == 25 && res.interim, "a head ends where the next one begins");
  is(green_http_response_parse(&res, in, strlen(in), 25), 25,
     "asked again, the same");
  rc = green_http_response_parse(&res, in + rc, strlen(in) - 25, 0);
  is(rc, 25, "the next one is a new response");
  ok(res.status == 200 && !res.interim && res.fields.n == 1, "of its own");
}

int main(void)
{
  t_start();
  green_http_response_init(&res);
  test_lines();
  test_fields();
  test_lookup();
  test_frames();
  test_tunnels();
  test_keep();
  test_bad();
  test_first_bytes();
  test_limits();
  test_slow_sender();
  test_follows();
  return t_done();
}
