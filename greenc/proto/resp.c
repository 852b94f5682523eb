/*
** resp.c: replies of Redis: tokens, and where a reply ends.
*/

#include "proto/resp.h"

#include <string.h>

#define NUMBER_MOST 128 /* bytes of a line that is a number or a length */

void green_resp_init(green_resp *r)
{
  memset(r, 0, sizeof(*r));
  r->max_line = 65536;
  r->max_bulk = 512u << 20;
  r->max_elements = 1u << 24;
  r->max_reply = 1u << 30;
  r->max_depth = 32;
  r->left[0] = 1;
}

/* -- Numbers -------------------------------------------------------------- */

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* How many digits p begins with. */
static size_t digits(const char *p, size_t n)
{
  size_t i = 0;
  while (i < n && is_digit(p[i])) i++;
  return i;
}

static size_t sign(const char *p, size_t n)
{
  return n && (*p == '-' || *p == '+');
}

/* [+-]digits, an int64. */
static bool read_integer(const char *p, size_t n, int64_t *out)
{
  size_t at = sign(p, n);
  if (at == n || digits(p + at, n - at) != n - at) return false;
  int64_t value = 0;
  bool negative = *p == '-';
  for (size_t i = at; i < n; i++) {
    int digit = p[i] - '0';
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, negative ? -digit : digit, &value))
      return false;
  }
  *out = value;
  return true;
}

/* A length: digits without a sign and without needless zeros. */
static bool read_length(const char *p, size_t n, int64_t *out)
{
  if (!n || !is_digit(*p) || (*p == '0' && n > 1)) return false;
  return read_integer(p, n, out);
}

static bool text_is(const char *p, size_t n, const char *want)
{
  return n == strlen(want) && !memcmp(p, want, n);
}

/* [+-]digits[.digits][e[+-]digits] */
static bool is_decimal(const char *p, size_t n)
{
  size_t at = sign(p, n), d = digits(p + at, n - at);
  if (!d) return false;
  at += d;
  if (at < n && p[at] == '.') {
    d = digits(p + at + 1, n - at - 1);
    if (!d) return false;
    at += d + 1;
  }
  if (at < n && (p[at] == 'e' || p[at] == 'E')) {
    at++;
    at += sign(p + at, n - at);
    d = digits(p + at, n - at);
    if (!d) return false;
    at += d;
  }
  return at == n;
}

static bool read_double(const char *p, size_t n, int64_t *out)
{
  *out = 0;
  if (text_is(p, n, "inf") || text_is(p, n, "+inf"))
    *out = 1;
  else if (text_is(p, n, "-inf"))
    *out = -1;
  else if (text_is(p, n, "nan") || text_is(p, n, "-nan"))
    *out = 2;
  return *out || is_decimal(p, n);
}

/* -- Tokens --------------------------------------------------------------- */

/* What is read, and how it went. */
typedef struct reading {
  const char *p;
  size_t n;
  size_t line; /* Bytes of the line, behind the type. */
  const char *reason;
} reading;

static int fail(reading *g, const char *reason)
{
  g->reason = reason;
  return GREEN_EPROTO;
}

/* CRLF at offset at: 0, GREEN_EAGAIN or GREEN_EPROTO. */
static int line_end(const reading *g, size_t at)
{
  if (at < g->n && g->p[at] != '\r') return GREEN_EPROTO;
  if (at + 1 < g->n && g->p[at + 1] != '\n') return GREEN_EPROTO;
  return at + 1 < g->n ? 0 : GREEN_EAGAIN;
}

static bool is_text_line(char type)
{
  return type == '+' || type == '-' || type == '(';
}

/* Find the end of the line; *seen bytes were looked at before. */
static int read_line(reading *g, uint32_t max_line, uint32_t *seen)
{
  if (!g->n) return GREEN_EAGAIN;
  if (!strchr("+-:$*_#,(!=%~>|", *g->p) || !*g->p)
    return fail(g, "unknown type");
  const char *text = g->p + 1;
  size_t n = g->n - 1, most = is_text_line(*g->p) ? max_line : NUMBER_MOST;
  if (n > most + 1) n = most + 1;
  const char *cr = memchr(text + *seen, '\r', n - *seen);
  if (!cr) {
    *seen = (uint32_t)n;
    if (n <= most) return GREEN_EAGAIN;
    g->reason = "line too long";
    return GREEN_ETOOBIG;
  }
  g->line = (size_t)(cr - text);
  *seen = (uint32_t)g->line;
  int rc = line_end(g, g->line + 1);
  if (rc == GREEN_EPROTO) return fail(g, "bare CR in a line");
  if (rc == 0 && memchr(text, '\n', g->line))
    return fail(g, "bare LF in a line");
  return rc;
}

/* The string of t->integer bytes behind the line. The token's length. */
static int read_string(reading *g, green_resp_token *t)
{
  size_t at = g->line + 3, len = (size_t)t->integer;
  t->text_off = (uint32_t)at;
  t->text_len = (uint32_t)len;
  int rc = len < g->n && at + len < g->n ? line_end(g, at + len) : GREEN_EAGAIN;
  if (rc == GREEN_EPROTO) return fail(g, "string longer than its length");
  if (rc < 0 || t->type != '=') return rc < 0 ? rc : (int)(at + len + 2);
  if (g->p[at + 3] != ':') return fail(g, "bad verbatim string");
  t->text_off += 4;
  t->text_len -= 4;
  return (int)(at + len + 2);
}

static int read_string_head(reading *g, green_resp_token *t)
{
  const char *text = g->p + 1;
  if (text_is(text, g->line, "-1") && t->type == '$') {
    t->type = '_';
    return 0;
  }
  if (text_is(text, g->line, "?")) return fail(g, "streamed type");
  if (!read_length(text, g->line, &t->integer)) return fail(g, "bad length");
  if (t->type == '=' && t->integer < 4) return fail(g, "bad verbatim string");
  return 0;
}

static int read_aggregate(reading *g, green_resp_token *t)
{
  const char *text = g->p + 1;
  if (text_is(text, g->line, "-1") && t->type == '*') {
    t->type = '_';
    return 0;
  }
  if (text_is(text, g->line, "?")) return fail(g, "streamed type");
  if (!read_length(text, g->line, &t->integer)) return fail(g, "bad count");
  if (t->integer > INT32_MAX) t->integer = INT32_MAX; /* Over any limit. */
  if (t->type == '%' || t->type == '|') t->integer *= 2;
  if (t->type == '>' && !t->integer) return fail(g, "empty push");
  return 0;
}

static int read_bignum(reading *g)
{
  const char *text = g->p + 1;
  size_t at = sign(text, g->line);
  if (at == g->line || digits(text + at, g->line - at) != g->line - at)
    return fail(g, "bad big number");
  return 0;
}

/* What the line of a token says. 0 or an error. */
static int read_head(reading *g, green_resp_token *t)
{
  const char *text = g->p + 1;
  t->type = *g->p;
  t->text_off = 1;
  t->text_len = (uint32_t)g->line;
  t->integer = 0;
  switch (t->type) {
  case ':':
    if (read_integer(text, g->line, &t->integer)) return 0;
    return fail(g, "bad integer");
  case ',':
    if (read_double(text, g->line, &t->integer)) return 0;
    return fail(g, "bad double");
  case '#':
    t->integer = *text == 't';
    if (g->line == 1 && (*text == 't' || *text == 'f')) return 0;
    return fail(g, "bad boolean");
  case '_':
    return g->line ? fail(g, "bad null") : 0;
  case '(':
    return read_bignum(g);
  case '$':
  case '!':
  case '=':
    return read_string_head(g, t);
  case '+':
  case '-':
    return 0;
  default:
    return read_aggregate(g, t);
  }
}

static bool has_string(char type)
{
  return type == '$' || type == '!' || type == '=';
}

int green_resp_next(const char *p, size_t n, green_resp_token *t)
{
  reading g = {.p = p, .n = n};
  uint32_t seen = 0;
  int rc = read_line(&g, UINT32_MAX - 1, &seen);
  if (rc == 0) rc = read_head(&g, t);
  if (rc < 0) return rc;
  return has_string(t->type) ? read_string(&g, t) : (int)g.line + 3;
}

/* -- Replies -------------------------------------------------------------- */

static int refuse(green_resp *r, int error, const char *reason)
{
  r->error = error;
  r->reason = reason;
  return error;
}

/* May a token of that kind stand here, as long as it says that it is? */
static int check_limits(green_resp *r, const reading *g,
                        const green_resp_token *t)
{
  uint64_t end = (uint64_t)r->pos + g->line + 3;
  if (has_string(t->type)) {
    if (t->integer > r->max_bulk)
      return refuse(r, GREEN_ETOOBIG, "string too long");
    end += (uint64_t)t->integer + 2;
  }
  if (end > r->max_reply || end > INT32_MAX)
    return refuse(r, GREEN_ETOOBIG, "reply too long");
  if (!green_resp_is_aggregate(t->type)) return 0;
  if (t->integer > r->max_elements ||
      r->elements > r->max_elements - (uint32_t)t->integer)
    return refuse(r, GREEN_ETOOBIG, "too many elements");
  if (t->type == '>' && r->depth)
    return refuse(r, GREEN_EPROTO, "push inside of a reply");
  uint32_t most =
      r->max_depth < GREEN_RESP_DEPTH ? r->max_depth : GREEN_RESP_DEPTH;
  if (t->integer && r->depth >= most)
    return refuse(r, GREEN_ETOOBIG, "nested too deeply");
  return 0;
}

/* Read the token at pos. Its length, or an error. */
static int scan_token(green_resp *r, const char *buf, size_t len,
                      green_resp_token *t)
{
  reading g = {.p = buf + r->pos, .n = len - r->pos};
  int rc = read_line(&g, r->max_line, &r->seen);
  if (rc == 0) rc = read_head(&g, t);
  if (rc == 0) rc = check_limits(r, &g, t);
  if (rc == 0) rc = has_string(t->type) ? read_string(&g, t) : (int)g.line + 3;
  if (rc < 0 && rc != GREEN_EAGAIN && !r->error) refuse(r, rc, g.reason);
  return rc;
}

/* A token is complete. Is the reply? An attribute is no value. */
static bool count_token(green_resp *r, const green_resp_token *t)
{
  if (t->type != '|') r->left[r->depth]--;
  if (green_resp_is_aggregate(t->type) && t->integer) {
    r->elements += (uint32_t)t->integer;
    r->left[++r->depth] = (uint32_t)t->integer;
  }
  while (!r->left[r->depth]) {
    if (!r->depth) return true;
    r->depth--;
  }
  return false;
}

int green_resp_scan(green_resp *r, const char *buf, size_t len)
{
  green_resp_token t;
  if (r->error) return r->error;
  for (;;) {
    if (r->pos >= len) return GREEN_EAGAIN;
    int n = scan_token(r, buf, len, &t);
    if (n < 0) return n;
    r->pos += (uint32_t)n;
    r->seen = 0;
    if (count_token(r, &t)) break;
  }
  int total = (int)r->pos;
  r->pos = r->elements = r->depth = 0;
  r->left[0] = 1;
  return total;
}
