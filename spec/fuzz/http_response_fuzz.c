/*
** http_response_fuzz.c: any bytes as a response head.
**
** Both parsers, whole, byte by byte and in two pieces, must say the same; what
** they take must be a clean head, and the request's parser must find the same
** fields in it. A first byte of 0x80 or more is no part of the head: it makes
** limits small, or says what was asked.
*/

#include "proto/http_request.h"
#include "proto/http_response_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static void check_cut(const green_http_response *r, int rc, const char *in,
                      size_t n)
{
  static green_http_response other;
  other = *r;
  int got = twin_parse(&other, guard_copy(in, n), n, 0);
  CHECK(cut_same(rc, r, got, &other));
  if (!n) return;
  got = cut_feed(green_http_response_parse, &other, in, n, 0);
  CHECK(cut_same(rc, r, got, &other));
  got = cut_feed(twin_parse, &other, in, n, 0);
  CHECK(cut_same(rc, r, got, &other));
  size_t at = (size_t)(unsigned char)in[n / 2] * 7919 % n;
  got = cut_feed(green_http_response_parse, &other, in, n, at ? at : n);
  CHECK(cut_same(rc, r, got, &other));
}

static void check_refused(const green_http_response *r, int rc)
{
  CHECK(rc == GREEN_EAGAIN || rc == GREEN_EPROTO || rc == GREEN_ETOOBIG);
  if (rc == GREEN_EAGAIN)
    CHECK(!r->error && !r->reason);
  else
    CHECK(r->error == rc && r->reason);
}

/* No byte but visible ones, blanks, tabs in place, and CRLF; "\r\n\r\n" at the
** end and nowhere else. */
static void check_clean(const char *in, size_t n)
{
  CHECK(n >= 16 && !memcmp(in, "HTTP/1.", 7));
  CHECK(memmem(in, n, "\r\n\r\n", 4) == in + n - 4);
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

static void check_line(const green_http_response *r, const char *in, size_t n)
{
  char status[8];
  CHECK(r->status >= 100 && r->status <= 999 && r->minor <= 1);
  snprintf(status, sizeof(status), " %d", (int)r->status);
  CHECK(!memcmp(in + 8, status, 4));
  CHECK(r->phrase_off <= n && r->phrase_len <= n - r->phrase_off);
  CHECK(!memcmp(in + r->phrase_off + r->phrase_len, "\r\n", 2));
}

/* Length and coding, told from the fields by other means. */
static void check_body(const green_http_response *r, const char *in)
{
  const green_http_fields *f = &r->fields;
  int length = green_http_field_find(f, in, "content-length", 14, 0);
  int coding = green_http_field_find(f, in, "transfer-encoding", 17, 0);
  bool none = r->status < 200 || r->status == 204 || r->status == 304 ||
              r->asked == GREEN_ASKED_HEAD || r->tunnel;
  CHECK(!r->tunnel || r->content_length == -1);
  CHECK((r->framing == GREEN_BODY_NONE) == none);
  CHECK(!r->keep_alive || r->framing != GREEN_BODY_CLOSE);
  CHECK(r->interim == (r->status < 200 && r->status != 101));
  if (r->tunnel) return;
  CHECK(length < 0 || coding < 0);
  CHECK((length >= 0) == (r->content_length >= 0));
  CHECK(none || (r->framing == GREEN_BODY_LENGTH) == (length >= 0));
  CHECK(none || (r->framing == GREEN_BODY_CHUNKED) == (coding >= 0));
  if (length < 0) return;
  char digits[32];
  const green_http_field *h = &f->list[length];
  int n =
      snprintf(digits, sizeof(digits), "%lld", (long long)r->content_length);
  CHECK((uint32_t)n == h->value_len && !memcmp(digits, in + h->value_off, n));
}

static void check_field(const green_http_response *r, const char *in, size_t n,
                        int i)
{
  static char out[70000];
  const green_http_fields *f = &r->fields;
  const green_http_field *h = &f->list[i];
  CHECK(h->name_off <= n && h->name_len <= n - h->name_off);
  CHECK(h->value_off <= n && h->value_len <= n - h->value_off);
  CHECK(h->name_len && in[h->name_off + h->name_len] == ':');
  CHECK(green_http_field_find(f, in, in + h->name_off, h->name_len, i) == i);
  int next = green_http_field_next(f, in, i);
  CHECK(next == -1 || (next > i && f->list[next].id == h->id));
  int len = green_http_field_join(f, in, i, out, n);
  CHECK(len >= (int)h->value_len &&
        !memcmp(out, in + h->value_off, h->value_len));
}

/* The same fields behind a request line of HTTP/1.0, which wants no Host. What
** the request's parser takes has the same fields; what it refuses it does for
** what these mean in a request. */
static void check_request(const green_http_response *r, const char *in,
                          size_t n)
{
  static char text[GUARD_SIZE];
  static green_http_request q;
  static const char line[] = "GET / HTTP/1.0\r\n";
  size_t skip = r->phrase_off + r->phrase_len + 2, at = sizeof(line) - 1;
  if (n + at > sizeof(text)) return;
  memcpy(text, line, at);
  memcpy(text + at, in + skip, n - skip);
  green_http_request_init(&q);
  q.max_field = r->max_field;
  q.max_head = GUARD_SIZE;
  q.max_headers = r->max_headers;
  int rc = green_http_request_parse(&q, text, n - skip + at, 0);
  CHECK(rc == (int)(n - skip + at) || (rc == GREEN_EPROTO && q.status == 400));
  CHECK(q.fields.n == r->fields.n);
  CHECK(!memcmp(q.fields.first, r->fields.first, sizeof(q.fields.first)));
  for (uint32_t i = 0; i < q.fields.n; i++) {
    green_http_field h = q.fields.list[i];
    h.name_off += (uint32_t)(skip - at);
    h.value_off += (uint32_t)(skip - at);
    CHECK(!memcmp(&h, &r->fields.list[i], sizeof(h)));
  }
  if (rc < 0) return;
  CHECK(r->tunnel || q.content_length == r->content_length);
  CHECK(q.conn_close == r->conn_close &&
        q.conn_keep_alive == r->conn_keep_alive &&
        q.conn_upgrade == r->conn_upgrade);
}

static void check_taken(const green_http_response *r, const char *in, size_t n)
{
  CHECK(r->head_len == (int)n && !r->error);
  check_clean(in, n);
  check_line(r, in, n);
  check_body(r, in);
  for (uint32_t i = 0; i < r->fields.n; i++) check_field(r, in, n, (int)i);
  check_request(r, in, n);
}

static void small_limits(green_http_response *r, unsigned by)
{
  r->asked = by % 3;
  if (by & 0x40) return;
  r->max_line = 64 + (by & 7) * 8;
  r->max_field = 64 + (by >> 3 & 3) * 16;
  r->max_head = 128 + (by >> 5 & 1) * 64;
  r->max_headers = by & 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static green_http_response res;
  const char *in = (const char *)data;
  if (size > GUARD_SIZE) return 0;
  green_http_response_init(&res);
  if (size && data[0] >= 0x80) {
    small_limits(&res, data[0]);
    in++;
    size--;
  }
  int rc = green_http_response_parse(&res, guard_copy(in, size), size, 0);
  check_cut(&res, rc, in, size);
  if (rc > 0)
    check_taken(&res, in, (size_t)rc);
  else
    check_refused(&res, rc);
  return 0;
}
