/*
** http_request_fuzz.c: any bytes as a request head.
**
** Both parsers, whole, byte by byte and in two pieces, must say the same; what
** they take must be a clean head, and all lookups must find what is in it. A
** first byte of 0x80 or more is no part of the head: it makes limits small.
*/

#include "proto/http_request_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static void check_cut(const green_http_request *r, int rc, const char *in,
                      size_t n)
{
  green_http_request other = *r;
  other.known.len = other.known.line_len = 0; /* It is to look for itself. */
  int got = twin_parse(&other, guard_copy(in, n), n, 0);
  CHECK(cut_same(rc, r, got, &other));
  if (!n) return;
  got = cut_feed(green_http_request_parse, &other, in, n, 0);
  CHECK(cut_same(rc, r, got, &other));
  got = cut_feed(twin_parse, &other, in, n, 0);
  CHECK(cut_same(rc, r, got, &other));
  size_t at = (size_t)(unsigned char)in[n / 2] * 7919 % n;
  got = cut_feed(green_http_request_parse, &other, in, n, at ? at : n);
  CHECK(cut_same(rc, r, got, &other));
}

static void check_refused(const green_http_request *r, int rc)
{
  CHECK(rc == GREEN_EAGAIN || rc == GREEN_EPROTO || rc == GREEN_ETOOBIG);
  if (rc == GREEN_EAGAIN) {
    CHECK(!r->status && !r->reason);
    return;
  }
  int big = r->status == 414 || r->status == 431;
  CHECK(r->reason && (rc == GREEN_ETOOBIG) == big);
  CHECK(big || r->status == 400 || r->status == 417 || r->status == 501 ||
        r->status == 505);
}

/* No byte but visible ones, blanks, tabs in place, and CRLF; "\r\n\r\n" at the
** end and nowhere else. */
static void check_clean(const char *in, size_t n)
{
  size_t start = !memcmp(in, "\r\n", 2) ? 2 : 0;
  CHECK(n >= 16 && !memcmp(in + n - 4, "\r\n\r\n", 4));
  CHECK(memmem(in + start, n - start, "\r\n\r\n", 4) == in + n - 4);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)in[i];
    if (c == '\r')
      CHECK(in[i + 1] == '\n');
    else if (c == '\n')
      CHECK(i && in[i - 1] == '\r');
    else
      CHECK(c == '\t' || (c >= 0x20 && c != 0x7f));
  }
}

static void check_slice(size_t off, size_t len, size_t n)
{
  CHECK(off <= n && len <= n - off);
}

static void check_line(const green_http_request *r, const char *in, size_t n)
{
  char path[65536];
  check_slice(r->method_off, r->method_len, n);
  check_slice(r->target_off, r->target_len, n);
  check_slice(r->path_off, r->path_len, n);
  check_slice(r->query_off, r->query_len, n);
  check_slice(r->authority_off, r->authority_len, n);
  CHECK(r->method_len && r->target_len && r->host_len <= r->authority_len);
  CHECK(r->port >= -1 && r->port <= 65535 && r->minor <= 1);
  CHECK(r->minor == 0 || r->authority_len);
  int len = green_http_request_unescape(in + r->path_off, r->path_len, path);
  CHECK(len >= 0 && !memchr(path, 0, (size_t)len));
  if (!r->path_escaped) CHECK((uint32_t)len == r->path_len);
  if (r->form != GREEN_FORM_AUTHORITY) CHECK(r->path_len);
  CHECK(r->has_query || !r->query_len);
}

/* Length and coding, told from the fields by other means. */
static void check_body(const green_http_request *r, const char *in)
{
  int length = green_http_request_find(r, in, "content-length", 14, 0);
  int coding = green_http_request_find(r, in, "transfer-encoding", 17, 0);
  CHECK(length < 0 || coding < 0);
  CHECK((length >= 0) == (r->content_length >= 0));
  CHECK((coding >= 0) == r->chunked);
  CHECK(r->has_body == (r->chunked || r->content_length > 0));
  CHECK(!r->chunked || r->minor == 1);
  if (length < 0) return;
  char digits[32];
  const green_http_field *h = &r->fields.list[length];
  int n =
      snprintf(digits, sizeof(digits), "%lld", (long long)r->content_length);
  CHECK((uint32_t)n == h->value_len && !memcmp(digits, in + h->value_off, n));
  CHECK(green_http_request_next(r, in, length) < 0);
}

static void check_header(const green_http_request *r, const char *in, size_t n,
                         int i)
{
  static char out[70000];
  const green_http_field *h = &r->fields.list[i];
  check_slice(h->name_off, h->name_len, n);
  check_slice(h->value_off, h->value_len, n);
  CHECK(h->name_len && in[h->name_off + h->name_len] == ':');
  CHECK(green_http_request_find(r, in, in + h->name_off, h->name_len, i) == i);
  int first = green_http_request_find(r, in, in + h->name_off, h->name_len, 0);
  CHECK(first >= 0 && first <= i);
  CHECK(!h->id || r->fields.first[h->id] == first + 1);
  int next = green_http_request_next(r, in, i);
  CHECK(next == -1 || (next > i && r->fields.list[next].id == h->id));
  int len = green_http_request_join(r, in, i, out, n);
  CHECK(len >= (int)h->value_len &&
        !memcmp(out, in + h->value_off, h->value_len));
  CHECK(next >= 0 || len == (int)h->value_len);
  len = green_http_request_cgi_key(r, in, i, out, sizeof(out));
  bool is_proxy =
      h->name_len == 5 && !strncasecmp(in + h->name_off, "proxy", 5);
  if (h->flags & GREEN_HF_UNDERSCORE || is_proxy)
    CHECK(len == 0);
  else
    CHECK(len > 0 && green_http_request_cgi(r, in, out, (size_t)len) <= i);
}

/* The same fields behind another line, by a parser that knows them and by one
** that does not. */
static void check_known(const green_http_request *r, const char *in, size_t n)
{
  static char other[GUARD_SIZE];
  const char *lines[] = {"PUT /other?%41 HTTP/1.1\r\n", "GET / HTTP/1.1\r\n",
                         "G / HTTP/1.0\r\n", "GET http://b/ HTTP/1.1\r\n"};
  green_http_request knows = *r;
  size_t fields = n - r->known.off;
  if (!r->known.len || fields + 64 > sizeof(other)) return;
  for (size_t i = 0; i < 4; i++) {
    green_http_request fresh;
    size_t line = strlen(lines[i]);
    memcpy(other, lines[i], line);
    memcpy(other + line, in + r->known.off, fields);
    twin_init(&fresh);
    memcpy(&fresh, r, offsetof(green_http_request, status));
    int rc = green_http_request_parse(&knows, other, line + fields, 0);
    int want = twin_parse(&fresh, other, line + fields, 0);
    CHECK(cut_same(rc, &knows, want, &fresh));
    rc = green_http_request_parse(&knows, other, line + fields, 0);
    CHECK(cut_same(rc, &knows, want, &fresh));
  }
}

static void check_taken(const green_http_request *r, const char *in, size_t n)
{
  CHECK(r->head_len == (int)n && !r->status);
  check_clean(in, n);
  check_line(r, in, n);
  check_body(r, in);
  for (uint32_t i = 0; i < r->fields.n; i++) check_header(r, in, n, (int)i);
  green_http_request again = *r;
  int rc = green_http_request_parse(&again, guard_copy(in, n), n, 0);
  CHECK(cut_same((int)n, r, rc, &again));
  check_known(r, in, n);
}

static void small_limits(green_http_request *r, unsigned by)
{
  r->max_line = 64 + (by & 7) * 8;
  r->max_field = 64 + (by >> 3 & 3) * 16;
  r->max_head = 128 + (by >> 5 & 3) * 64;
  r->max_headers = by & 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static green_http_request req;
  const char *in = (const char *)data;
  if (size > GUARD_SIZE) return 0;
  green_http_request_init(&req);
  if (size && data[0] >= 0x80) {
    small_limits(&req, data[0]);
    in++;
    size--;
  }
  int rc = green_http_request_parse(&req, guard_copy(in, size), size, 0);
  check_cut(&req, rc, in, size);
  if (rc > 0)
    check_taken(&req, in, (size_t)rc);
  else
    check_refused(&req, rc);
  return 0;
}
