/*
** http_request_test.c: request heads: what is taken, and as what; what is
** refused.
**
** Each input goes through both parsers, whole, cut at every byte and byte by
** byte, ending where memory ends.
*/

#include "proto/http_request_cut.h"
#include "t.h"

static green_http_request req;

/* Literals with NUL bytes and their length. */
#define IN(text) (text), sizeof(text) - 1

static int verdict(const char *what, const char *in, size_t n)
{
  return cut_verdict(&req, what, in, n);
}

static int text_is(uint32_t off, uint32_t len, const char *in, const char *want)
{
  if (!want) return len == 0;
  return len == strlen(want) && !memcmp(in + off, want, len);
}

static int header_is(const char *in, uint32_t i, const char *name,
                     const char *value)
{
  const green_http_field *h = &req.fields.list[i];
  return i < req.fields.n && text_is(h->name_off, h->name_len, in, name) &&
         text_is(h->value_off, h->value_len, in, value);
}

/*
** Taken
*/

struct good {
  const char *what;
  const char *in;
  const char *path;
  const char *query; /* NULL: has none. */
  const char *authority;
  int port;
  int form;
  int method;
};

#define END " HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct good goods[] = {
    {"a path", "GET /" END, "/", NULL, "a", -1, GREEN_FORM_ORIGIN, GREEN_M_GET},
    {"an empty query", "GET /?" END, "/", "", "a", -1, 0, GREEN_M_GET},
    {"a query", "GET /a/b%20c?d=e&f=%zz?/" END, "/a/b%20c", "d=e&f=%zz?/", "a",
     -1, 0, GREEN_M_GET},
    {"two slashes", "GET //x" END, "//x", NULL, "a", -1, 0, GREEN_M_GET},
    {"signs", "GET /[]{}|^`\"<>'!$&()*+,;=:@~._-" END,
     "/[]{}|^`\"<>'!$&()*+,;=:@~._-", NULL, "a", -1, 0, GREEN_M_GET},
    {"escapes", "GET /%2e%2E/%ff%C0%af%0d%0a" END, "/%2e%2E/%ff%C0%af%0d%0a",
     NULL, "a", -1, 0, GREEN_M_GET},
    {"an empty line first", "\r\nGET /" END, "/", NULL, "a", -1, 0,
     GREEN_M_GET},
    {"1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "/", NULL, NULL, -1, 0,
     GREEN_M_GET},
    {"1.0 with Host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "/", NULL, "a", -1,
     0, GREEN_M_GET},
    {"absolute form overrules Host", "GET http://b:8/p?q" END, "/p", "q", "b:8",
     8, GREEN_FORM_ABSOLUTE, GREEN_M_GET},
    {"absolute form without path", "GET HTTPS://b" END, "/", NULL, "b", -1,
     GREEN_FORM_ABSOLUTE, GREEN_M_GET},
    {"absolute form with only a query", "GET http://b?q=%z" END, "/", "q=%z",
     "b", -1, GREEN_FORM_ABSOLUTE, GREEN_M_GET},
    {"absolute form in 1.0", "GET http://b/ HTTP/1.0\r\n\r\n", "/", NULL, "b",
     -1, GREEN_FORM_ABSOLUTE, GREEN_M_GET},
    {"asterisk form", "OPTIONS *" END, "*", NULL, "a", -1, GREEN_FORM_ASTERISK,
     GREEN_M_OPTIONS},
    {"authority form", "CONNECT b:443" END, "", NULL, "b:443", 443,
     GREEN_FORM_AUTHORITY, GREEN_M_CONNECT},
    {"authority form with IPv6", "CONNECT [::1]:443" END, "", NULL, "[::1]:443",
     443, GREEN_FORM_AUTHORITY, GREEN_M_CONNECT},
    {"Host with IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n",
     "/", NULL, "[2001:db8::1]:8080", 8080, 0, GREEN_M_GET},
    {"Host with IPv4 in IPv6",
     "GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n", "/", NULL,
     "[::ffff:1.2.3.4]", -1, 0, GREEN_M_GET},
    {"Host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "/", NULL,
     "a:", -1, 0, GREEN_M_GET},
    {"Host with all that may be",
     "GET / HTTP/1.1\r\nHost: a_b-c.d~%41!$&'()*+;=:65535\r\n\r\n", "/", NULL,
     "a_b-c.d~%41!$&'()*+;=:65535", 65535, 0, GREEN_M_GET},
};

static int good_is(const struct good *g)
{
  if (verdict(g->in, g->in, strlen(g->in)) != (int)strlen(g->in)) return 0;
  return req.method == g->method && req.form == g->form &&
         req.port == g->port && req.has_query == (g->query != NULL) &&
         req.path_escaped == (g->path && strchr(g->path, '%') != NULL) &&
         text_is(req.path_off, req.path_len, g->in, g->path) &&
         text_is(req.query_off, req.query_len, g->in, g->query) &&
         text_is(req.authority_off, req.authority_len, g->in, g->authority);
}

static void test_good(void)
{
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++)
    ok(good_is(&goods[i]), goods[i].what);
}

static void test_target(void)
{
  const char *in = "GET http://h:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n";
  ok(verdict(in, in, strlen(in)) > 0, "absolute form is taken");
  ok(text_is(req.target_off, req.target_len, in, "http://h:1/p?q"),
     "the target is there as it came");
  is(req.host_len, 1, "the host is told from the port");
  in = "GET / HTTP/1.1\r\nHost: [::1]:8\r\n\r\n";
  verdict(in, in, strlen(in));
  is(req.host_len, 5, "brackets belong to the host");
}

static void test_methods(void)
{
  static const char *const names[] = {
      "GET",     "HEAD",  "POST",  "PUT",     "DELETE",
      "OPTIONS", "PATCH", "TRACE", "CONNECT",
  };
  char in[128];
  int good = 1;
  for (int m = 0; m < 9; m++) {
    snprintf(in, sizeof(in), "%s a:1 HTTP/1.0\r\n\r\n", names[m]);
    if (m != 8) in[strlen(names[m]) + 1] = '/';
    good &= verdict(in, in, strlen(in)) > 0 && req.method == m + 1;
    good &= text_is(req.method_off, req.method_len, in, names[m]);
  }
  ok(good, "methods are known by number");
  static const char *const others[] = {
      "get",      "GETS",     "GE",    "PRI",
      "M-SEARCH", "PROPFIND", "HEADS", "!#$%&'*+-.^_`|~",
  };
  for (int m = 0; m < 8; m++) {
    snprintf(in, sizeof(in), "%s / HTTP/1.0\r\n\r\n", others[m]);
    good &= verdict(in, in, strlen(in)) > 0 && req.method == GREEN_M_OTHER;
    good &= text_is(req.method_off, req.method_len, in, others[m]);
  }
  ok(good, "other tokens are methods too, and their case matters");
}

static void test_fields(void)
{
  const char *in = "GET / HTTP/1.1\r\n"
                   "Host: a\r\n"
                   "X-Empty:\r\n"
                   "X-Blank: \t \r\n"
                   "X-Pad: \t a b\tc \t\r\n"
                   "X_Under: 1\r\n"
                   "x-latin: \xa0\xff\x80\r\n"
                   "!#$%&'*+-.^`|~09azAZ:v:w\r\n"
                   "\r\n";
  is(verdict("fields", in, strlen(in)), (int)strlen(in), "fields are taken");
  is(req.fields.n, 7, "all of them");
  ok(header_is(in, 0, "Host", "a"), "a value without the blank before it");
  ok(header_is(in, 1, "X-Empty", ""), "an empty value");
  ok(header_is(in, 2, "X-Blank", ""), "a blank value is empty");
  ok(header_is(in, 3, "X-Pad", "a b\tc"), "only the blanks around are cut");
  is(req.fields.list[4].flags, GREEN_HF_UNDERSCORE, "a name with _ is marked");
  is(req.fields.list[3].flags, 0, "another is not");
  ok(header_is(in, 5, "x-latin", "\xa0\xff\x80"), "other blanks stay");
  ok(header_is(in, 6, "!#$%&'*+-.^`|~09azAZ", "v:w"), "any token is a name");
}

static void test_body(void)
{
#define HEAD(more) "POST / HTTP/1.1\r\nHost: a\r\n" more "\r\n"
  const char *in = HEAD("");
  verdict(in, in, strlen(in));
  ok(req.content_length == -1 && !req.chunked && !req.has_body, "no body");
  in = HEAD("Content-Length: 0\r\n");
  verdict(in, in, strlen(in));
  ok(req.content_length == 0 && !req.chunked && !req.has_body, "length 0");
  in = HEAD("content-length:\t42 \r\n");
  verdict(in, in, strlen(in));
  ok(req.content_length == 42 && !req.chunked && req.has_body, "length 42");
  in = HEAD("Content-Length: 9223372036854775807\r\n");
  verdict(in, in, strlen(in));
  is(req.content_length, INT64_MAX, "the longest length");
  in = HEAD("transfer-encoding: \tcHuNkEd\t\r\n");
  verdict(in, in, strlen(in));
  ok(req.content_length == -1 && req.chunked && req.has_body, "chunked");
  in = HEAD("Content_Length: 5\r\nTransfer_Encoding: chunked\r\n");
  verdict(in, in, strlen(in));
  ok(req.content_length == -1 && !req.chunked, "_ does not stand for -");
}

struct keep {
  const char *what;
  const char *in;
  unsigned keep_alive : 1, close : 1, alive : 1, upgrade : 1, up : 1;
};

#define V1(more) "GET / HTTP/1.1\r\nHost: a\r\n" more "\r\n"
#define V0(more) "GET / HTTP/1.0\r\n" more "\r\n"

static const struct keep keeps[] = {
    {"1.1 stays", V1(""), 1, 0, 0, 0, 0},
    {"1.0 goes", V0(""), 0, 0, 0, 0, 0},
    {"1.1 with close", V1("Connection: close\r\n"), 0, 1, 0, 0, 0},
    {"1.1 with keep-alive", V1("Connection: keep-alive\r\n"), 1, 0, 1, 0, 0},
    {"1.0 with keep-alive", V0("Connection: Keep-Alive\r\n"), 1, 0, 1, 0, 0},
    {"close wins", V0("Connection: keep-alive, close\r\n"), 0, 1, 1, 0, 0},
    {"a list", V1("Connection: ,x ,\tCLOSE\t, y\r\n"), 0, 1, 0, 0, 0},
    {"two lists", V1("Connection: a\r\nX: b\r\nConnection: close\r\n"), 0, 1, 0,
     0, 0},
    {"other words", V1("Connection: closed, xclose, clos e\r\n"), 1, 0, 0, 0,
     0},
    {"an empty list", V1("Connection:\r\n"), 1, 0, 0, 0, 0},
    {"another field", V1("X-Connection: close\r\n"), 1, 0, 0, 0, 0},
    {"an upgrade", V1("Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n"), 1,
     0, 1, 1, 1},
    {"an upgrade to nothing", V1("Connection: upgrade\r\n"), 1, 0, 0, 1, 0},
    {"an upgrade for others", V1("Upgrade: websocket\r\n"), 1, 0, 0, 0, 0},
    {"an upgrade from 1.0", V0("Connection: upgrade\r\nUpgrade: x\r\n"), 0, 0,
     0, 1, 0},
};

static void test_connection(void)
{
  for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++) {
    const struct keep *k = &keeps[i];
    int rc = verdict(k->what, k->in, strlen(k->in));
    ok(rc > 0 && req.keep_alive == k->keep_alive &&
           req.conn_close == k->close && req.conn_keep_alive == k->alive &&
           req.conn_upgrade == k->upgrade && req.upgrade == k->up,
       k->what);
  }
}

static void test_versions(void)
{
  const char *in = "GET / HTTP/1.0\r\n\r\n";
  verdict(in, in, strlen(in));
  is(req.minor, 0, "1.0");
  in = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  verdict(in, in, strlen(in));
  is(req.minor, 1, "1.1");
  in = "GET / HTTP/1.9\r\nHost: a\r\n\r\n";
  verdict(in, in, strlen(in));
  is(req.minor, 1, "1.9 counts as 1.1");
}

static void test_expect(void)
{
  const char *in = V1("Expect: 100-Continue\r\n");
  ok(verdict(in, in, strlen(in)) > 0 && req.expect_continue, "100-continue");
  in = V1("");
  ok(verdict(in, in, strlen(in)) > 0 && !req.expect_continue, "nothing");
  in = V0("Expect: 100-continue\r\n");
  ok(verdict(in, in, strlen(in)) > 0 && !req.expect_continue,
     "HTTP/1.0 expects nothing");
  in = V0("Expect: miracles\r\n");
  ok(verdict(in, in, strlen(in)) > 0, "whatever it says");
}

/*
** Refused
*/

struct bad {
  const char *what;
  const char *in;
  size_t n;
  int status;
};

#define LINE(line) IN(line "\r\nHost: a\r\n\r\n")
#define FIELD(more) IN("GET / HTTP/1.1\r\nHost: a\r\n" more "\r\n\r\n")
#define BODY(more) IN("POST / HTTP/1.1\r\nHost: a\r\n" more "\r\n\r\n")
#define HOST(more) IN("GET / HTTP/1.1\r\n" more "\r\n")

static const struct bad bads[] = {
    {"HTTP/0.9", LINE("GET /"), 400},
    {"a method alone", LINE("GET"), 400},
    {"no target", LINE("GET  HTTP/1.1"), 400},
    {"two blanks before the target", LINE("GET  / HTTP/1.1"), 400},
    {"two blanks behind the target", LINE("GET /  HTTP/1.1"), 400},
    {"a blank in the target", LINE("GET /a b HTTP/1.1"), 400},
    {"a blank before the method", LINE(" GET / HTTP/1.1"), 400},
    {"a blank behind the version", LINE("GET / HTTP/1.1 "), 400},
    {"a tab instead of a blank", LINE("GET\t/\tHTTP/1.1"), 400},
    {"a tab before the version", LINE("GET /\tHTTP/1.1"), 400},
    {"bytes that are no method", LINE("G\x01T / HTTP/1.1"), 400},
    {"a method with a colon", LINE("GET: / HTTP/1.1"), 400},
    {"a TLS hello", IN("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), 400},
    {"blanks only", LINE("   "), 400},
    {"two empty lines first", IN("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), 400},
    {"an empty line with LF first", IN("\nGET / HTTP/1.0\r\n\r\n"), 400},
    {"a method of 33 bytes",
     LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1"), 501},

    {"HTTP/2.0", LINE("GET / HTTP/2.0"), 505},
    {"HTTP/0.9 by name", LINE("GET / HTTP/0.9"), 505},
    {"the preface of HTTP/2", IN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
    {"a version in lower case", LINE("GET / http/1.1"), 400},
    {"a version without a dot", LINE("GET / HTTP/11"), 400},
    {"a version without minor", LINE("GET / HTTP/1"), 400},
    {"a version with minor of two digits", LINE("GET / HTTP/1.10"), 400},
    {"a version with a leading zero", LINE("GET / HTTP/01.1"), 400},
    {"a version with a blank", LINE("GET / HTTP/ 1.1"), 400},
    {"a version with a letter", LINE("GET / HTTP/1.x"), 400},
    {"another protocol", LINE("GET / RTSP/1.0"), 400},
    {"HTTPS/1.1", LINE("GET / HTTPS/1.1"), 400},

    {"a fragment", LINE("GET /#a HTTP/1.1"), 400},
    {"a fragment behind a query", LINE("GET /?a#b HTTP/1.1"), 400},
    {"%zz", LINE("GET /%zz HTTP/1.1"), 400},
    {"%1z", LINE("GET /%1z HTTP/1.1"), 400},
    {"% and one digit", LINE("GET /%1 HTTP/1.1"), 400},
    {"% at the end", LINE("GET /% HTTP/1.1"), 400},
    {"% before LF", IN("GET /%\n"), 400},
    {"%00", LINE("GET /a%00b HTTP/1.1"), 400},
    {"NUL in the path", LINE("GET /\0 HTTP/1.1"), 400},
    {"NUL in the query", LINE("GET /?\0 HTTP/1.1"), 400},
    {"DEL in the path", LINE("GET /\x7f HTTP/1.1"), 400},
    {"UTF-8 in the path", LINE("GET /\xc3\xa4 HTTP/1.1"), 400},
    {"UTF-8 in the query", LINE("GET /?\xc3\xa4 HTTP/1.1"), 400},
    {"CR in the path", LINE("GET /\r HTTP/1.1"), 400},
    {"a path without slash", LINE("GET a HTTP/1.1"), 400},
    {"a query alone", LINE("GET ?a HTTP/1.1"), 400},
    {"* with GET", LINE("GET * HTTP/1.1"), 400},
    {"* with more", LINE("OPTIONS *a HTTP/1.1"), 400},
    {"host:port with GET", LINE("GET b:80 HTTP/1.1"), 400},
    {"CONNECT without a port", LINE("CONNECT b HTTP/1.1"), 400},
    {"CONNECT with an empty port", LINE("CONNECT b: HTTP/1.1"), 400},
    {"CONNECT with a path", LINE("CONNECT b:1/ HTTP/1.1"), 400},
    {"CONNECT to a path", LINE("CONNECT / HTTP/1.1"), 400},
    {"another scheme", LINE("GET ftp://b/ HTTP/1.1"), 400},
    {"a scheme without slashes", LINE("GET http:b/ HTTP/1.1"), 400},
    {"a target without host", LINE("GET http:// HTTP/1.1"), 400},
    {"a target with an empty host", LINE("GET http:///a HTTP/1.1"), 400},
    {"a target with only a port", LINE("GET http://:80/a HTTP/1.1"), 400},
    {"a target with a user", LINE("GET http://u@b/ HTTP/1.1"), 400},
    {"a target with a bad port", LINE("GET http://b:x/ HTTP/1.1"), 400},
    {"a target with a port of 65536", LINE("GET http://b:65536/ HTTP/1.1"),
     400},
    {"a target with a bad escape", LINE("GET http://b/%z HTTP/1.1"), 400},
    {"a target with % at the end", LINE("GET http://b/% HTTP/1.1"), 400},
    {"a target with %00", LINE("GET http://b/%00 HTTP/1.1"), 400},
    {"a target with a fragment", LINE("GET http://b/#f HTTP/1.1"), 400},

    {"LF behind the request line", IN("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
    {"CR behind the request line", IN("GET / HTTP/1.1\rHost: a\r\r"), 400},
    {"LF behind a field", FIELD("X: y\nZ: z"), 400},
    {"CR behind a field", FIELD("X: y\rZ: z"), 400},
    {"CR in a value", FIELD("X: y\rz"), 400},
    {"CR CR LF", FIELD("X: y\r"), 400},
    {"LF as the blank line", IN("GET / HTTP/1.0\r\n\n"), 400},
    {"CR as the blank line", IN("GET / HTTP/1.0\r\n\rx"), 400},
    {"a folded line", FIELD("X: y\r\n z"), 400},
    {"a line folded with a tab", FIELD("X: y\r\n\tz"), 400},
    {"a blank before the first field", HOST(" X: y\r\nHost: a\r\n"), 400},
    {"a blank before the colon", FIELD("X : y"), 400},
    {"a tab before the colon", FIELD("X\t: y"), 400},
    {"a blank in a name", FIELD("X Y: z"), 400},
    {"a field without colon", FIELD("X"), 400},
    {"an empty name", FIELD(": y"), 400},
    {"brackets in a name", FIELD("X[]: y"), 400},
    {"a slash in a name", FIELD("X/Y: z"), 400},
    {"UTF-8 in a name", FIELD("X-\xc3\xa4: y"), 400},
    {"NUL in a name", FIELD("X\0Y: z"), 400},
    {"CR for - in a known name", FIELD("Content\rLength: 1"), 400},
    {"NUL in a value", FIELD("X: a\0b"), 400},
    {"ESC in a value", FIELD("X: a\x1b[0m"), 400},
    {"DEL in a value", FIELD("X: \x7f"), 400},
    {"VT around a value", FIELD("X: \x0b y"), 400},

    {"no Host", HOST("X: y\r\n"), 400},
    {"no Host in absolute form", IN("GET http://b/ HTTP/1.1\r\n\r\n"), 400},
    {"two Hosts", HOST("Host: a\r\nHost: b\r\n"), 400},
    {"the same Host twice", HOST("Host: a\r\nhost: a\r\n"), 400},
    {"two Hosts in HTTP/1.0",
     IN("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400},
    {"an empty Host", HOST("Host:\r\n"), 400},
    {"Host with a list", HOST("Host: a,b\r\n"), 400},
    {"Host with a path", HOST("Host: a/b\r\n"), 400},
    {"Host with a user", HOST("Host: u@a\r\n"), 400},
    {"Host with a blank", HOST("Host: a b\r\n"), 400},
    {"Host with UTF-8", HOST("Host: \xc3\xa4\r\n"), 400},
    {"Host with a bad escape", HOST("Host: a%4\r\n"), 400},
    {"Host with only a port", HOST("Host: :80\r\n"), 400},
    {"Host with two ports", HOST("Host: a:80:80\r\n"), 400},
    {"Host with a port of letters", HOST("Host: a:http\r\n"), 400},
    {"Host with a port of 65536", HOST("Host: a:65536\r\n"), 400},
    {"Host with a huge port", HOST("Host: a:4294967376\r\n"), 400},
    {"Host with an open bracket", HOST("Host: [::1\r\n"), 400},
    {"Host with a bracket too much", HOST("Host: ::1]\r\n"), 400},
    {"Host with empty brackets", HOST("Host: []\r\n"), 400},
    {"Host with a name in brackets", HOST("Host: [a.b]\r\n"), 400},
    {"Host with more behind brackets", HOST("Host: [::1]a\r\n"), 400},
    {"Host with IPv6 bare", HOST("Host: ::1\r\n"), 400},
    {"a bad Host behind a good target",
     IN("GET http://b/ HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400},

    {"length: text", BODY("Content-Length: abc"), 400},
    {"length: empty", BODY("Content-Length:"), 400},
    {"length: blank", BODY("Content-Length:   "), 400},
    {"length: -1", BODY("Content-Length: -1"), 400},
    {"length: -0", BODY("Content-Length: -0"), 400},
    {"length: +1", BODY("Content-Length: +1"), 400},
    {"length: 1 2", BODY("Content-Length: 1 2"), 400},
    {"length: 1.0", BODY("Content-Length: 1.0"), 400},
    {"length: 0x5", BODY("Content-Length: 0x5"), 400},
    {"length: 0o5", BODY("Content-Length: 0o5"), 400},
    {"length: 1_0", BODY("Content-Length: 1_0"), 400},
    {"length: 005", BODY("Content-Length: 005"), 400},
    {"length: 00", BODY("Content-Length: 00"), 400},
    {"length: 2^63", BODY("Content-Length: 9223372036854775808"), 400},
    {"length: 2^64", BODY("Content-Length: 18446744073709551616"), 400},
    {"length: 2^64 + 5", BODY("Content-Length: 18446744073709551621"), 400},
    {"length: 40 digits",
     BODY("Content-Length: 9999999999999999999999999999999999999999"), 400},
    {"length: 5, 5", BODY("Content-Length: 5, 5"), 400},
    {"length: 5,6", BODY("Content-Length: 5,6"), 400},
    {"length twice, the same", BODY("Content-Length: 5\r\nContent-Length: 5"),
     400},
    {"length twice, different",
     BODY("Content-Length: 5\r\nX: y\r\ncontent-length: 6"), 400},
    {"length in UTF-8 digits", BODY("Content-Length: \xd9\xa3"), 400},

    {"coding and length",
     BODY("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400},
    {"length and coding",
     BODY("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400},
    {"coding and length 0",
     BODY("Content-Length: 0\r\nTransfer-Encoding: chunked"), 400},
    {"unknown coding and length",
     BODY("Content-Length: 5\r\nTransfer-Encoding: x"), 400},
    {"coding: empty", BODY("Transfer-Encoding:"), 400},
    {"coding: identity", BODY("Transfer-Encoding: identity"), 400},
    {"coding: xchunked", BODY("Transfer-Encoding: xchunked"), 400},
    {"coding: gzip", BODY("Transfer-Encoding: gzip"), 400},
    {"coding: gzip, chunked", BODY("Transfer-Encoding: gzip, chunked"), 501},
    {"coding: gzip; q=1, chunked",
     BODY("Transfer-Encoding: gzip; q=1 ,chunked"), 501},
    {"coding: gzip and chunked in two lines",
     BODY("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), 501},
    {"coding: chunked, gzip", BODY("Transfer-Encoding: chunked, gzip"), 400},
    {"coding: chunked, identity", BODY("Transfer-Encoding: chunked, identity"),
     400},
    {"coding: chunked, chunked", BODY("Transfer-Encoding: chunked, chunked"),
     400},
    {"coding: chunked in two lines",
     BODY("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
    {"coding: chunked and empty in two lines",
     BODY("Transfer-Encoding: chunked\r\nTransfer-Encoding:"), 400},
    {"coding: , chunked", BODY("Transfer-Encoding: , chunked"), 400},
    {"coding: chunked,", BODY("Transfer-Encoding: chunked,"), 400},
    {"coding: chunked;a=b", BODY("Transfer-Encoding: chunked;a=b"), 400},
    {"coding: chunked x", BODY("Transfer-Encoding: chunked x"), 400},
    {"coding: \"chunked\"", BODY("Transfer-Encoding: \"chunked\""), 400},
    {"coding: VT chunked",
     BODY("Transfer-Encoding: \x0b"
          "chunked"),
     400},
    {"coding: FF chunked",
     BODY("Transfer-Encoding: \x0c"
          "chunked"),
     400},
    {"coding: chunked NUL", BODY("Transfer-Encoding: chunked\0"), 400},
    {"coding: folded", BODY("Transfer-Encoding:\r\n chunked"), 400},
    {"coding in HTTP/1.0",
     IN("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},

    {"an unknown expectation", FIELD("Expect: miracles"), 417},
    {"an empty expectation", FIELD("Expect:"), 417},
    {"two expectations", FIELD("Expect: 100-continue\r\nExpect: 100-continue"),
     417},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    const struct bad *b = &bads[i];
    char what[128];
    snprintf(what, sizeof(what), "%d: %s", b->status, b->what);
    int good = verdict(b->what, b->in, b->n) == GREEN_EPROTO &&
               req.status == b->status;
    if (!ok(good, what)) printf("# got %d\n", req.status);
  }
}

/* Each byte value in each place, against the grammar. */
static int byte_ok(const char *before, int c, const char *after)
{
  char in[128];
  int n = snprintf(in, sizeof(in), "%sx%s", before, after);
  in[strlen(before)] = (char)c;
  return verdict(before, in, (size_t)n) > 0;
}

static void test_bytes(void)
{
  int target = 1, query = 1, name = 1, value = 1, method = 1;
  for (int c = 0; c < 256; c++) {
    int seen = c > 0x20 && c < 0x7f;
    int token = seen && !strchr("\"(),/:;<=>?@[\\]{}", c);
    target &= byte_ok("GET /aa", c, "zz HTTP/1.0\r\n\r\n") ==
              (seen && c != '#' && c != '%' && c != '\\');
    query &= byte_ok("GET /?a", c, " HTTP/1.0\r\n\r\n") == (seen && c != '#');
    name &= byte_ok("GET / HTTP/1.0\r\nX", c, "y: z\r\n\r\n") ==
            (token || c == ':');
    value &= byte_ok("GET / HTTP/1.0\r\nX: a", c, "b\r\n\r\n") ==
             (c == '\t' || (c >= 0x20 && c != 0x7f));
    method &= byte_ok("G", c, "T / HTTP/1.0\r\n\r\n") == token;
  }
  ok(method, "every byte in a method");
  ok(target, "every byte in a path");
  ok(query, "every byte in a query");
  ok(name, "every byte in a name");
  ok(value, "every byte in a value");
}

int main(void)
{
  t_start();
  green_http_request_init(&req);
  test_good();
  test_target();
  test_methods();
  test_fields();
  test_body();
  test_connection();
  test_versions();
  test_expect();
  test_bad();
  test_bytes();
  return t_done();
}
