/*
** http_request_get_test.c: looking up the fields of a request.
*/

#include "guard.h"
#include "proto/http_request.h"
#include "t.h"

#include <ctype.h>

static green_http_request req;
static const char *buf;

static void parse(const char *in)
{
  buf = guard_copy(in, strlen(in));
  if (green_http_request_parse(&req, buf, strlen(in), 0) != (int)strlen(in))
    abort();
}

static int find(const char *name, int from)
{
  return green_http_request_find(&req, buf, name, strlen(name), from);
}

static int cgi(const char *key)
{
  return green_http_request_cgi(&req, buf, key, strlen(key));
}

/* out_is(n, "x"): n is the length of what was written, which is "x". */
static char out[256];

static int out_is(int n, const char *want)
{
  return n == (int)strlen(want) && !memcmp(out, want, strlen(want));
}

static const char fields[] = "GET / HTTP/1.1\r\n"
                             "Host: a\r\n"
                             "Accept: x\r\n"
                             "X-One: 1\r\n"
                             "accept: y\r\n"
                             "x-one: 2\r\n"
                             "X_One: 3\r\n"
                             "Cookie: c=1\r\n"
                             "ACCEPT:\r\n"
                             "cookie: d=2\r\n"
                             "Content-Type: t/p\r\n"
                             "Content-Length: 7\r\n"
                             "X-ONE: 4\r\n"
                             "\r\n";

static void test_find(void)
{
  parse(fields);
  is(find("host", 0), 0, "a known name");
  is(find("HOST", 0), 0, "in any case");
  is(find("x-one", 0), 2, "any other name");
  is(find("x_one", 0), 5, "_ is not -");
  is(find("x-two", 0), -1, "none");
  is(find("range", 0), -1, "no known one");
  is(find("", 0), -1, "no name");
  is(find("accept", 2), 3, "from a place on");
  is(find("accept", -5), 1, "from before the first");
  is(find("accept", 99), -1, "from behind the last");
  is(find("x-one", 3), 4, "another from a place on");
}

static void test_next(void)
{
  parse(fields);
  is(green_http_request_next(&req, buf, 1), 3, "the second");
  is(green_http_request_next(&req, buf, 3), 7, "the third");
  is(green_http_request_next(&req, buf, 7), -1, "no more");
  is(green_http_request_next(&req, buf, 0), -1, "the only one");
  is(green_http_request_next(&req, buf, 2), 4, "of any name");
  is(green_http_request_next(&req, buf, 4), 11, "in any case");
  is(green_http_request_next(&req, buf, 12), -1, "no such field");
  is(green_http_request_next(&req, buf, -1), -1, "before the first");
  is(req.fields.first[GREEN_H_ACCEPT], 2, "first is the index + 1");
  is(req.fields.list[1].flags, GREEN_HF_REPEATED, "the first is marked");
  is(req.fields.list[3].flags, 0, "the second is not");
}

static int join(int i, size_t cap)
{
  return green_http_request_join(&req, buf, i, out, cap);
}

static void test_join(void)
{
  parse(fields);
  ok(out_is(join(1, 256), "x,y,"), "values with commas, the empty one too");
  ok(out_is(join(3, 256), "y,"), "from a later one on");
  ok(out_is(join(0, 256), "a"), "one value");
  ok(out_is(join(2, 256), "1,2,4"), "of any name");
  ok(out_is(join(6, 256), "c=1; d=2"), "cookies with semicolons");
  is(join(6, 8), 8, "room to the byte");
  is(join(6, 7), GREEN_ENOBUFS, "a byte too few");
  is(join(1, 2), GREEN_ENOBUFS, "no room for a comma");
  is(join(12, 256), GREEN_EINVAL, "no such field");
}

static void test_cgi(void)
{
  parse(fields);
  is(cgi("HTTP_HOST"), 0, "a known name");
  is(cgi("HTTP_X_ONE"), 2, "another, never the one with _");
  is(cgi("CONTENT_TYPE"), 9, "the type");
  is(cgi("CONTENT_LENGTH"), 10, "the length");
  is(cgi("HTTP_CONTENT_TYPE"), -1, "not twice");
  is(cgi("HTTP_CONTENT_LENGTH"), -1, "nor this");
  is(cgi("HTTP_Host"), -1, "capitals only");
  is(cgi("HTTP_X-ONE"), -1, "no -");
  is(cgi("HTTP_"), -1, "no name");
  is(cgi("HTTP_NONE"), -1, "none");
  is(cgi("HOST"), -1, "no prefix");
  is(cgi(""), -1, "nothing");
  parse("GET / HTTP/1.1\r\nHost: a\r\nPROXY: b\r\nProxy-X: c\r\n\r\n");
  is(cgi("CONTENT_TYPE"), -1, "no type");
  is(cgi("CONTENT_LENGTH"), -1, "no length");
  is(cgi("HTTP_PROXY"), -1, "nothing that programs take for their proxy");
  is(cgi("HTTP_PROXY_X"), 2, "but what only begins so");
  is(green_http_request_cgi_key(&req, buf, 1, out, sizeof(out)), 0,
     "no key for it");
}

static int cgi_key(int i, size_t cap)
{
  return green_http_request_cgi_key(&req, buf, i, out, cap);
}

static void test_cgi_key(void)
{
  parse(fields);
  ok(out_is(cgi_key(0, 256), "HTTP_HOST"), "HTTP_ before it");
  ok(out_is(cgi_key(4, 256), "HTTP_X_ONE"), "capitals and _");
  ok(out_is(cgi_key(9, 256), "CONTENT_TYPE"), "but not here");
  ok(out_is(cgi_key(10, 256), "CONTENT_LENGTH"), "nor here");
  is(cgi_key(5, 256), 0, "a name with _ is kept from CGI");
  is(cgi_key(0, 9), 9, "room to the byte");
  is(cgi_key(0, 8), GREEN_ENOBUFS, "a byte too few");
  is(cgi_key(12, 256), GREEN_EINVAL, "no such field");
}

/* Every name the header promises to know, in three spellings, and names one
** letter off. */
static const char *const known[] = {
    [GREEN_H_ACCEPT] = "Accept",
    [GREEN_H_ACCEPT_CHARSET] = "Accept-Charset",
    [GREEN_H_ACCEPT_ENCODING] = "Accept-Encoding",
    [GREEN_H_ACCEPT_LANGUAGE] = "Accept-Language",
    [GREEN_H_AUTHORIZATION] = "Authorization",
    [GREEN_H_CACHE_CONTROL] = "Cache-Control",
    [GREEN_H_CONNECTION] = "Connection",
    [GREEN_H_CONTENT_ENCODING] = "Content-Encoding",
    [GREEN_H_CONTENT_LANGUAGE] = "Content-Language",
    [GREEN_H_CONTENT_LENGTH] = "Content-Length",
    [GREEN_H_CONTENT_TYPE] = "Content-Type",
    [GREEN_H_COOKIE] = "Cookie",
    [GREEN_H_DATE] = "Date",
    [GREEN_H_DNT] = "DNT",
    [GREEN_H_EXPECT] = "Expect",
    [GREEN_H_FORWARDED] = "Forwarded",
    [GREEN_H_HOST] = "Host",
    [GREEN_H_IF_MATCH] = "If-Match",
    [GREEN_H_IF_MODIFIED_SINCE] = "If-Modified-Since",
    [GREEN_H_IF_NONE_MATCH] = "If-None-Match",
    [GREEN_H_IF_RANGE] = "If-Range",
    [GREEN_H_IF_UNMODIFIED_SINCE] = "If-Unmodified-Since",
    [GREEN_H_KEEP_ALIVE] = "Keep-Alive",
    [GREEN_H_ORIGIN] = "Origin",
    [GREEN_H_PRAGMA] = "Pragma",
    [GREEN_H_RANGE] = "Range",
    [GREEN_H_REFERER] = "Referer",
    [GREEN_H_SEC_FETCH_DEST] = "Sec-Fetch-Dest",
    [GREEN_H_SEC_FETCH_MODE] = "Sec-Fetch-Mode",
    [GREEN_H_SEC_FETCH_SITE] = "Sec-Fetch-Site",
    [GREEN_H_SEC_FETCH_USER] = "Sec-Fetch-User",
    [GREEN_H_SEC_WEBSOCKET_EXTENSIONS] = "Sec-WebSocket-Extensions",
    [GREEN_H_SEC_WEBSOCKET_KEY] = "Sec-WebSocket-Key",
    [GREEN_H_SEC_WEBSOCKET_PROTOCOL] = "Sec-WebSocket-Protocol",
    [GREEN_H_SEC_WEBSOCKET_VERSION] = "Sec-WebSocket-Version",
    [GREEN_H_TE] = "TE",
    [GREEN_H_TRAILER] = "Trailer",
    [GREEN_H_TRANSFER_ENCODING] = "Transfer-Encoding",
    [GREEN_H_UPGRADE] = "Upgrade",
    [GREEN_H_UPGRADE_INSECURE_REQUESTS] = "Upgrade-Insecure-Requests",
    [GREEN_H_USER_AGENT] = "User-Agent",
    [GREEN_H_VIA] = "Via",
    [GREEN_H_X_FORWARDED_FOR] = "X-Forwarded-For",
    [GREEN_H_X_FORWARDED_HOST] = "X-Forwarded-Host",
    [GREEN_H_X_FORWARDED_PROTO] = "X-Forwarded-Proto",
    [GREEN_H_X_REAL_IP] = "X-Real-IP",
    [GREEN_H_X_REQUESTED_WITH] = "X-Requested-With",
};

/* The number that a request gives a field of that name; -1: it is refused. */
static int id_of(const char *name)
{
  char in[128];
  snprintf(in, sizeof(in), "GET / HTTP/1.0\r\n%s: a\r\n\r\n", name);
  buf = guard_copy(in, strlen(in));
  int rc = green_http_request_parse(&req, buf, strlen(in), 0);
  return rc > 0 || req.fields.n ? req.fields.list[0].id : -1;
}

static int known_is(int id)
{
  char name[64];
  snprintf(name, sizeof(name), "%s", known[id]);
  if (id_of(name) != id) return 0;
  for (char *p = name; *p; p++) *p = (char)toupper(*p);
  if (id_of(name) != id) return 0;
  for (char *p = name; *p; p++) *p = (char)tolower(*p);
  if (id_of(name) != id) return 0;
  for (char *p = name; *p; p++)
    for (int bit = 0; bit < 8; bit++) {
      *p ^= (char)(1 << bit);
      int other = id_of(name);
      if (other == id && tolower(*p ^ 1 << bit) != tolower(*p)) return 0;
      *p ^= (char)(1 << bit);
    }
  return 1;
}

static void test_known(void)
{
  for (int id = 1; id < GREEN_H_COUNT; id++) ok(known_is(id), known[id]);
  is(id_of("X"), GREEN_H_OTHER, "a name of one letter");
  is(id_of("Access-Control-Request-Headers"), GREEN_H_OTHER, "a long one");
}

static int unescape(const char *in)
{
  size_t n = strlen(in);
  return green_http_request_unescape(guard_copy(in, n), n, out);
}

static void test_unescape(void)
{
  ok(out_is(unescape("/a+b"), "/a+b"), "nothing to do");
  ok(out_is(unescape(""), ""), "nothing at all");
  ok(out_is(unescape("%2F%2f%7E"), "//~"), "digits in any case");
  ok(out_is(unescape("%41"), "A"), "only an escape");
  ok(out_is(unescape("%2541"), "%41"), "once, not twice");
  is(unescape("a%00"), 2, "NUL is a byte");
  is(out[1], 0, "like others");
  ok(out_is(unescape("%c3%A4%ff"), "\xc3\xa4\xff"), "so are all");
  is(unescape("%"), GREEN_EINVAL, "no digits");
  is(unescape("a%4"), GREEN_EINVAL, "one digit");
  is(unescape("%4g"), GREEN_EINVAL, "a bad digit");
  is(unescape("%g4"), GREEN_EINVAL, "another");
  char in[] = "x%41y%42z";
  int n = green_http_request_unescape(in, 9, in);
  ok(n == 5 && !memcmp(in, "xAyBz", 5), "in place");
}

int main(void)
{
  t_start();
  green_http_request_init(&req);
  test_find();
  test_next();
  test_join();
  test_cgi();
  test_cgi_key();
  test_known();
  test_unescape();
  return t_done();
}
