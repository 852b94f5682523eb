/*
** http_request.c: the request head, cut into request line and fields.
**
** A line is taken in one go by the step functions below: they return where the
** next line begins, or NULL: with r->status set when they met an error, without
** when they met the end of the bytes. Only line_verdict turns NULL into a
** result. It looks at complete lines alone, so an error behind a missing line
** end waits for it, and the verdict cannot depend on how bytes were cut. What
** cannot wait (bytes that are no HTTP at all, CR alone, a line too long) is
** decided at the first byte that shows it, in any cut.
*/

#include "proto/http_request_priv.h"
#include "proto/scan.h"

enum { METHOD_MAX = 32, KNOWN_LINE = GREEN_HTTP_REQUEST_KNOWN_LINE };

void green_http_request_init(green_http_request *r)
{
  memset(r, 0, sizeof(*r));
  r->max_line = 8192;
  r->max_field = 8192;
  r->max_head = 65536;
  r->max_headers = GREEN_HTTP_FIELDS;
}

static const char *line_fail(green_http_request *r, int status,
                             const char *reason)
{
  green__http_request_fail(r, status, reason);
  return NULL;
}

/*
** Request line
*/

static unsigned method_find(const char *p, size_t len)
{
  static const char names[][8] = {
      [GREEN_M_GET] = "GET",         [GREEN_M_HEAD] = "HEAD",
      [GREEN_M_POST] = "POST",       [GREEN_M_PUT] = "PUT",
      [GREEN_M_DELETE] = "DELETE",   [GREEN_M_OPTIONS] = "OPTIONS",
      [GREEN_M_PATCH] = "PATCH",     [GREEN_M_TRACE] = "TRACE",
      [GREEN_M_CONNECT] = "CONNECT",
  };
  if (len > 7) return GREEN_M_OTHER;
  for (unsigned m = GREEN_M_GET; m <= GREEN_M_CONNECT; m++)
    if (!names[m][len] && !memcmp(names[m], p, len)) return m;
  return GREEN_M_OTHER;
}

/* The method and the blank behind it. Errors in it need no line end. */
static const char *line_method(green_http_request *r, const char *buf,
                               const char *p, const char *end)
{
  r->method_off = (uint32_t)(p - buf);
  if (end - p >= 4 && !memcmp(p, "GET ", 4)) {
    r->method_len = 3;
    r->method = GREEN_M_GET;
    return p + 4;
  }
  const char *most = end - p > METHOD_MAX ? p + METHOD_MAX : end;
  const char *e = green__scan_scalar(p, most, GREEN__TOKEN);
  if (e == end) return NULL;
  if (e - p == METHOD_MAX && green__scan_is(*e, GREEN__TOKEN))
    return line_fail(r, 501, "method too long");
  if (e == p || *e != ' ') return line_fail(r, 400, "bad method");
  r->method_len = (uint32_t)(e - p);
  r->method = (uint8_t)method_find(p, r->method_len);
  return e + 1;
}

/* What is wrong with a byte that cannot stand in a target? */
static const char *target_fail(green_http_request *r, char c)
{
  if (c == '\r' || c == '\n') return line_fail(r, 400, "no HTTP version");
  if (c == '#') return line_fail(r, 400, "fragment in the target");
  /* No URI has it, and some readers take it for "/". */
  if (c == '\\') return line_fail(r, 400, "backslash in the path");
  if (c & 0x80) return line_fail(r, 400, "non-ASCII byte in the target");
  return line_fail(r, 400, "control byte in the target");
}

/* p is at "%". Digits that are not there yet are neither right nor wrong. */
static const char *path_escape(green_http_request *r, const char *p,
                               const char *end)
{
  int high = end - p > 1 ? green__scan_hex(p[1]) : 0;
  int low = end - p > 2 ? green__scan_hex(p[2]) : 1;
  if (high < 0 || low < 0) return line_fail(r, 400, "bad escape in the path");
  if (high + low == 0) return line_fail(r, 400, "NUL byte in the path");
  r->path_escaped = true;
  return end - p > 2 ? p + 3 : NULL;
}

/* A path and a query if there is one; returns the byte that ends them, which
** is not end. */
static const char *target_path(green_http_request *r, const char *buf,
                               const char *p, const char *end)
{
  r->path_off = (uint32_t)(p - buf);
  r->path_escaped = false;
  r->has_query = false;
  r->query_off = r->query_len = 0;
  while ((p = green__scan_path(p, end)) < end && *p == '%')
    if (!(p = path_escape(r, p, end))) return NULL;
  r->path_len = (uint32_t)(p - buf) - r->path_off;
  if (p == end || *p != '?') return p;
  r->has_query = true;
  r->query_off = (uint32_t)(++p - buf);
  p = green__scan_target(p, end);
  r->query_len = (uint32_t)(p - buf) - r->query_off;
  return p;
}

/* http://host/path?query, all of it in [p, e). */
static bool target_absolute(green_http_request *r, const char *buf,
                            const char *p, const char *e)
{
  size_t len = (size_t)(e - p), scheme;
  if (len > 7 && green__http_same(p, "http://", 7))
    scheme = 7;
  else if (len > 8 && green__http_same(p, "https://", 8))
    scheme = 8;
  else
    return line_fail(r, 400, "bad target"), false;
  const char *host = p + scheme, *path = host;
  while (path < e && *path != '/' && *path != '?') path++;
  if (!green__http_request_authority(r, buf, (size_t)(host - buf),
                                     (size_t)(path - host)))
    return line_fail(r, 400, "bad host in the target"), false;
  r->form = GREEN_FORM_ABSOLUTE;
  const char *end = target_path(r, buf, path, e);
  /* NULL: an escape cut off by the end of the target. */
  if (!end) return line_fail(r, 400, "bad escape in the path"), false;
  if (end != e) return target_fail(r, *end), false;
  if (r->path_len) return true;
  /* The path "/" was left out. Callers get one all the same: the second slash
  ** of "://" will do. */
  r->path_off = (uint32_t)(host - buf) - 1;
  r->path_len = 1;
  return true;
}

/* Any target but a plain path. */
static const char *target_rare(green_http_request *r, const char *buf,
                               const char *p, const char *end)
{
  const char *e = green__scan_target(p, end);
  if (e == end) return NULL;
  if (*e != ' ') return target_fail(r, *e);
  if (e == p) return line_fail(r, 400, "no target");
  target_path(r, buf, p, p);
  if (r->method == GREEN_M_CONNECT) {
    r->form = GREEN_FORM_AUTHORITY;
    if (!green__http_request_authority(r, buf, (size_t)(p - buf),
                                       (size_t)(e - p)) ||
        r->port < 0)
      return line_fail(r, 400, "CONNECT wants host:port");
  } else if (e - p == 1 && *p == '*') {
    r->form = GREEN_FORM_ASTERISK;
    r->path_len = 1;
  } else if (!target_absolute(r, buf, p, e)) {
    return NULL;
  }
  return e;
}

/* The target and the blank behind it. */
static const char *line_target(green_http_request *r, const char *buf,
                               const char *p, const char *end)
{
  const char *start = p;
  r->target_off = (uint32_t)(p - buf);
  if (p == end) return NULL;
  if (*p == '/' && r->method != GREEN_M_CONNECT) {
    r->form = GREEN_FORM_ORIGIN;
    if (!(p = target_path(r, buf, p, end)) || p == end) return NULL;
    if (*p != ' ') return target_fail(r, *p);
  } else if (!(p = target_rare(r, buf, p, end))) {
    return NULL;
  }
  r->target_len = (uint32_t)(p - start);
  return p + 1;
}

/* HTTP-version and line end. */
static const char *line_version(green_http_request *r, const char *p,
                                const char *end)
{
  if (end - p < 8) {
    if (memchr(p, '\n', (size_t)(end - p)))
      return line_fail(r, 400, "bad HTTP version");
    return NULL;
  }
  unsigned major = (unsigned char)p[5] - '0';
  unsigned minor = (unsigned char)p[7] - '0';
  if (memcmp(p, "HTTP/", 5) || p[6] != '.' || major > 9 || minor > 9)
    return line_fail(r, 400, "bad HTTP version");
  r->minor = minor > 0;
  p += 8;
  if (p < end && *p != '\r')
    return line_fail(r, 400, "no line end after the HTTP version");
  if (end - p < 2) return NULL;
  if (p[1] != '\n') return line_fail(r, 400, "bare CR");
  if (major != 1) return line_fail(r, 505, "HTTP version not supported");
  if (r->form == GREEN_FORM_ASTERISK && r->method != GREEN_M_OPTIONS)
    return line_fail(r, 400, "target * is for OPTIONS");
  return p + 2;
}

/*
** Fields
*/

static const char *line_field(green_http_request *r, const char *buf,
                              const char *p, const char *end)
{
  green__http_refusal why = {.reason = NULL};
  p = green__http_field_line(&r->fields, r->max_field, r->max_headers, buf, p,
                             end, &why);
  if (why.reason) return line_fail(r, why.big ? 431 : 400, why.reason);
  return p;
}

/*
** Head
*/

static void line_reset(green_http_request *r)
{
  r->max_line = green__http_clamp(r->max_line, 64, INT32_MAX / 2);
  r->max_field = green__http_clamp(r->max_field, 64, UINT16_MAX);
  r->max_head = green__http_clamp(r->max_head, 128, INT32_MAX / 2);
  r->max_headers = green__http_clamp(r->max_headers, 0, GREEN_HTTP_FIELDS);
  memset(&r->status, 0,
         offsetof(green_http_request, content_length) -
             offsetof(green_http_request, status));
  r->port = -1;
  r->known.line_len = 0;
}

static void fields_reset(green_http_request *r)
{
  memset(&r->content_length, 0,
         offsetof(green_http_request, fields.list) -
             offsetof(green_http_request, content_length));
  r->content_length = -1;
  r->known.len = 0;
}

static int head_refuse(green_http_request *r, int status, const char *reason)
{
  if (status) {
    r->status = status;
    r->reason = reason;
  }
  return r->status == 414 || r->status == 431 ? GREEN_ETOOBIG : GREEN_EPROTO;
}

/* The line at r->pos was not taken: because of the error in r->status, or, if
** that is 0, because it is not complete in the n bytes that count. */
static int line_verdict(green_http_request *r, const char *buf, size_t n,
                        size_t len, size_t from)
{
  bool fields = r->stage == GREEN__REQUEST_FIELDS;
  uint32_t max = fields ? r->max_field : r->max_line;
  switch (green__http_verdict(buf, r->pos, max, n, len, from)) {
  case GREEN__LINE_LONG:
    return fields ? head_refuse(r, 431, "field too large")
                  : head_refuse(r, 414, "request line too long");
  case GREEN__LINE_FULL:
    return head_refuse(r, 431, "head too large");
  case GREEN__LINE_WAITS:
    r->status = 0;
    r->reason = NULL;
    return GREEN_EAGAIN;
  case GREEN__LINE_CR:
    return head_refuse(r, 400, "bare CR");
  default:
    return head_refuse(r, 0, NULL);
  }
}

/* The request line up to the target, as far as it is there. */
static const char *head_start(green_http_request *r, const char *buf, size_t n)
{
  const char *end = buf + n;
  if (r->pos == 0 && n && buf[0] == '\r') {
    if (n < 2) return NULL;
    if (buf[1] == '\n') r->pos = 2;
  }
  return line_method(r, buf, buf + r->pos, end);
}

/*
** Known fields
*/

/* All of the head is there, and what its fields mean is known. */
static void known_line(green_http_request *r, const char *buf, uint32_t off)
{
  green_http_request_known *k = &r->known;
  if (off > KNOWN_LINE) return;
  memcpy(k->text + KNOWN_LINE - off, buf, off);
  k->line_len = off;
  k->max_line = r->max_line;
  k->max_head = r->max_head;
}

/* A Host that a target overrules is not kept. */
static void known_keep(green_http_request *r, const char *buf, uint32_t off)
{
  green_http_request_known *k = &r->known;
  uint32_t len = (uint32_t)r->head_len - off;
  if (r->form != GREEN_FORM_ORIGIN || len > sizeof(k->text) - KNOWN_LINE)
    return;
  memcpy(k->text + KNOWN_LINE, buf + off, len);
  k->off = off;
  k->len = len;
  k->max_field = r->max_field;
  k->max_headers = r->max_headers;
  k->authority_off = r->authority_off;
  k->authority_len = r->authority_len;
  k->host_len = r->host_len;
  k->port = r->port;
  k->minor = r->minor;
  known_line(r, buf, off);
}

/* Does the head of the last call stand at buf again, under the same terms? Then
** all that was said of it holds. */
static bool known_again(const green_http_request *r, const char *buf,
                        size_t len)
{
  const green_http_request_known *k = &r->known;
  return k->line_len && len >= (size_t)r->head_len &&
         r->max_line == k->max_line && r->max_field == k->max_field &&
         r->max_head == k->max_head && r->max_headers == k->max_headers &&
         !memcmp(buf, k->text + KNOWN_LINE - k->line_len, (size_t)r->head_len);
}

/* Are the fields at p those that are known, under the same terms? */
static bool known_is(const green_http_request *r, const char *p, size_t n)
{
  const green_http_request_known *k = &r->known;
  return k->len && n >= k->len && r->form == GREEN_FORM_ORIGIN &&
         r->minor == k->minor && r->max_field == k->max_field &&
         r->max_headers == k->max_headers &&
         !memcmp(p, k->text + KNOWN_LINE, k->len);
}

/* What they mean stands there still; they begin at off now. */
static int known_take(green_http_request *r, const char *buf, uint32_t off)
{
  green_http_request_known *k = &r->known;
  uint32_t by = off - k->off;
  for (uint32_t i = 0; by && i < r->fields.n; i++) {
    r->fields.list[i].name_off += by;
    r->fields.list[i].value_off += by;
  }
  k->off = off;
  if (k->authority_len) k->authority_off += by;
  r->authority_off = k->authority_off;
  r->authority_len = k->authority_len;
  r->host_len = k->host_len;
  r->port = k->port;
  r->pos = off + k->len - 2;
  r->stage = GREEN__REQUEST_DONE;
  known_line(r, buf, off);
  return r->head_len = (int32_t)(off + k->len);
}

/* Fields from p on, to the blank line. */
static int head_fields(green_http_request *r, const char *buf, const char *p,
                       const char *end)
{
  bool is_whole = r->fields.n == 0;
  uint32_t off = (uint32_t)(p - buf);
  for (;;) {
    r->pos = (uint32_t)(p - buf);
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') break;
    if (!(p = line_field(r, buf, p, end))) return 0;
  }
  if (!green__http_request_mean(r, buf)) return head_refuse(r, 0, NULL);
  r->stage = GREEN__REQUEST_DONE;
  r->head_len = (int32_t)(p + 2 - buf);
  if (is_whole) known_keep(r, buf, off);
  return r->head_len;
}

/* The rest of the request line, behind the method. */
static const char *head_line(green_http_request *r, const char *buf,
                             const char *p, const char *end)
{
  if (!(p = line_target(r, buf, p, end))) return NULL;
  if (!(p = line_version(r, p, end))) return NULL;
  if ((size_t)(p - 2 - buf) - r->pos > r->max_line) return NULL;
  r->stage = GREEN__REQUEST_FIELDS;
  return p;
}

/* The request line, then the fields. 0: a line was not taken. quiet: nothing
** came since the last call that could complete the line. */
static int head_lines(green_http_request *r, const char *buf, size_t n,
                      bool quiet)
{
  const char *p = buf + r->pos, *end = buf + n;
  if (r->stage == GREEN__REQUEST_LINE) {
    p = head_start(r, buf, n);
    int is_refused = !p && r->status;
    if (p) p = quiet ? NULL : head_line(r, buf, p, end);
    if (p && known_is(r, p, (size_t)(end - p)))
      return known_take(r, buf, (uint32_t)(p - buf));
    fields_reset(r);
    if (!p) return is_refused ? head_refuse(r, 0, NULL) : 0;
  } else if (quiet) {
    return 0;
  }
  return head_fields(r, buf, p, end);
}

int green_http_request_parse(green_http_request *r, const char *buf, size_t len,
                             size_t last)
{
  if (last > len) return GREEN_EINVAL;
  if (last == 0 && known_again(r, buf, len)) return r->head_len;
  if (last == 0)
    line_reset(r);
  else if (r->status)
    return head_refuse(r, 0, NULL);
  else if (r->stage == GREEN__REQUEST_DONE)
    return r->head_len;
  size_t n = len < r->max_head ? len : r->max_head;
  size_t from = last ? last - 1 : 0; /* A CR there may have been the last. */
  bool quiet = from > r->pos && green__http_line_event(buf, from, n) >= n;
  int rc = head_lines(r, buf, n, quiet);
  if (rc) return rc;
  return line_verdict(r, buf, n, len, from > r->pos ? from : r->pos);
}
