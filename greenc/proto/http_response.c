/*
** http_response.c: the response head, cut into status line and fields, and what
** these mean.
**
** As in http_request.c: the step functions return where the next line begins,
** or NULL: with r->reason set when they met an error, without when they met the
** end of the bytes. An error behind a missing line end waits for it, so the
** verdict cannot depend on how bytes were cut; what is no HTTP/1 at all is
** refused at the first byte that shows it.
*/

#include "proto/http_field_priv.h"
#include "proto/http_response.h"

#include <string.h>

enum {
  RESPONSE_LINE,   /* The status line is next. */
  RESPONSE_FIELDS, /* A field or the blank line is next. */
  RESPONSE_DONE,
};

void green_http_response_init(green_http_response *r)
{
  memset(r, 0, sizeof(*r));
  r->max_line = 8192;
  r->max_field = 32768;
  r->max_head = 65536;
  r->max_headers = GREEN_HTTP_FIELDS;
}

static int response_fail(green_http_response *r, int error, const char *reason)
{
  r->reason = reason;
  return r->error = error;
}

static const char *step_fail(green_http_response *r, const char *reason)
{
  response_fail(r, GREEN_EPROTO, reason);
  return NULL;
}

/*
** Status line
*/

/* "HTTP/1.x " as far as it is there. Errors in it need no line end. */
static const char *line_version(green_http_response *r, const char *p,
                                const char *end)
{
  static const char want[] = "HTTP/1.0 ";
  for (int i = 0; i < 9; i++) {
    if (p + i == end) return NULL;
    bool good = p[i] == want[i] || (i == 7 && p[i] >= '1' && p[i] <= '9');
    if (good) continue;
    if (i < 5) return step_fail(r, "not HTTP");
    return step_fail(r, i == 5 ? "HTTP version not supported"
                               : "bad HTTP version");
  }
  r->minor = p[7] > '0';
  return p + 9;
}

/* The three digits and, if it is there, the blank behind them. */
static const char *line_status(green_http_response *r, const char *p,
                               const char *end)
{
  int32_t status = 0;
  for (int i = 0; i < 3; i++, p++) {
    if (p == end) return NULL;
    unsigned digit = (unsigned)(unsigned char)*p - '0';
    if (digit > 9) return step_fail(r, "status is not three digits");
    status = status * 10 + (int32_t)digit;
  }
  if (status < 100) return step_fail(r, "status below 100");
  if (p == end) return NULL;
  if (*p != ' ' && *p != '\r' && *p != '\n')
    return step_fail(r, "status is not three digits");
  r->status = status;
  return *p == ' ' ? p + 1 : p;
}

static const char *line_phrase(green_http_response *r, const char *buf,
                               const char *p, const char *end)
{
  const char *e = green__scan_value(p, end);
  if (e == end) return NULL;
  if (*e == '\n') return step_fail(r, "bare LF");
  if (*e != '\r') return step_fail(r, "control byte in the status line");
  if (end - e < 2) return NULL;
  if (e[1] != '\n') return step_fail(r, "bare CR");
  r->phrase_off = (uint32_t)(p - buf);
  r->phrase_len = (uint32_t)(e - p);
  return e + 2;
}

/*
** What the fields mean
*/

static bool mean_body(green_http_response *r, const char *buf)
{
  const char *bad = NULL;
  bool chunked = false, other = false;
  r->framing = GREEN_BODY_CLOSE;
  if (r->fields.first[GREEN_H_TRANSFER_ENCODING]) {
    bad = green__http_coding(&r->fields, buf, &chunked, &other);
    if (!bad && r->minor == 0) bad = "Transfer-Encoding in HTTP/1.0";
    if (!bad && r->fields.first[GREEN_H_CONTENT_LENGTH])
      bad = "Content-Length and Transfer-Encoding";
    if (!bad && (other || !chunked)) bad = "transfer coding not supported";
    r->framing = GREEN_BODY_CHUNKED;
  } else if (r->fields.first[GREEN_H_CONTENT_LENGTH]) {
    bad = green__http_length(&r->fields, buf, &r->content_length);
    r->framing = GREEN_BODY_LENGTH;
  }
  if (bad) step_fail(r, bad);
  return !bad;
}

/* The number of "name=number" in [p, p + len); -1: it is something else. */
static int32_t param_number(const char *p, size_t len, const char *name)
{
  size_t i = strlen(name);
  int32_t number = 0;
  if (len <= i || len - i > 9 || !green__http_same(p, name, i)) return -1;
  for (; i < len; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    if (digit > 9) return -1;
    number = number * 10 + (int32_t)digit;
  }
  return number;
}

/* Keep-Alive: timeout=5, max=100. What is odd in it is as if not said. */
static void mean_keep(green_http_response *r, const char *buf)
{
  if (!r->fields.first[GREEN_H_KEEP_ALIVE]) return;
  const green_http_field *h =
      &r->fields.list[r->fields.first[GREEN_H_KEEP_ALIVE] - 1];
  const char *p = buf + h->value_off, *e = p + h->value_len;
  while (p) {
    size_t len;
    const char *word = green__http_list_next(&p, e, &len);
    int32_t timeout = param_number(word, len, "timeout=");
    int32_t max = param_number(word, len, "max=");
    if (timeout >= 0) r->keep_timeout = timeout;
    if (max >= 0) r->keep_max = max;
  }
}

static void mean_connection(green_http_response *r, const char *buf)
{
  unsigned options = green__http_connection(&r->fields, buf);
  r->conn_close = options & GREEN__CONN_CLOSE;
  r->conn_keep_alive = options & GREEN__CONN_KEEP_ALIVE;
  r->conn_upgrade = options & GREEN__CONN_UPGRADE;
  r->keep_alive = (r->minor || r->conn_keep_alive) && !r->conn_close &&
                  !r->tunnel && r->framing != GREEN_BODY_CLOSE;
  mean_keep(r, buf);
}

/* A tunnel's length and coding are to be ignored (RFC 9110, 9.3.6). */
static bool response_mean(green_http_response *r, const char *buf)
{
  bool is_2xx = r->status / 100 == 2;
  r->interim = r->status < 200 && r->status != 101;
  r->tunnel = r->status == 101 || (is_2xx && r->asked == GREEN_ASKED_CONNECT);
  if (!r->tunnel && !mean_body(r, buf)) return false;
  if (r->tunnel || r->interim || r->status == 204 || r->status == 304 ||
      r->asked == GREEN_ASKED_HEAD)
    r->framing = GREEN_BODY_NONE;
  mean_connection(r, buf);
  return true;
}

/*
** Head
*/

static void response_reset(green_http_response *r)
{
  r->max_line = green__http_clamp(r->max_line, 64, INT32_MAX / 2);
  r->max_field = green__http_clamp(r->max_field, 64, UINT16_MAX);
  r->max_head = green__http_clamp(r->max_head, 128, INT32_MAX / 2);
  r->max_headers = green__http_clamp(r->max_headers, 0, GREEN_HTTP_FIELDS);
  memset(&r->error, 0,
         offsetof(green_http_response, fields.list) -
             offsetof(green_http_response, error));
  r->content_length = r->keep_timeout = r->keep_max = -1;
}

static int line_verdict(green_http_response *r, const char *buf, size_t n,
                        size_t len, size_t from)
{
  bool fields = r->stage == RESPONSE_FIELDS;
  uint32_t max = fields ? r->max_field : r->max_line;
  switch (green__http_verdict(buf, r->pos, max, n, len, from)) {
  case GREEN__LINE_LONG:
    return response_fail(r, GREEN_ETOOBIG,
                         fields ? "field too large" : "status line too long");
  case GREEN__LINE_FULL:
    return response_fail(r, GREEN_ETOOBIG, "head too large");
  case GREEN__LINE_WAITS:
    r->error = 0;
    r->reason = NULL;
    return GREEN_EAGAIN;
  case GREEN__LINE_CR:
    return response_fail(r, GREEN_EPROTO, "bare CR");
  default:
    return r->error;
  }
}

/* Fields from p on, to the blank line. 0: a line was not taken. */
static int head_fields(green_http_response *r, const char *buf, const char *p,
                       const char *end)
{
  for (;;) {
    r->pos = (uint32_t)(p - buf);
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') break;
    green__http_refusal why = {.reason = NULL};
    p = green__http_field_line(&r->fields, r->max_field, r->max_headers, buf, p,
                               end, &why);
    if (p) continue;
    if (why.reason)
      response_fail(r, why.big ? GREEN_ETOOBIG : GREEN_EPROTO, why.reason);
    return 0;
  }
  if (!response_mean(r, buf)) return r->error;
  r->stage = RESPONSE_DONE;
  return r->head_len = (int32_t)(p + 2 - buf);
}

/* The status line behind the version. */
static const char *head_line(green_http_response *r, const char *buf,
                             const char *p, const char *end)
{
  if (!(p = line_status(r, p, end))) return NULL;
  if (!(p = line_phrase(r, buf, p, end))) return NULL;
  if ((size_t)(p - 2 - buf) > r->max_line) return NULL;
  r->stage = RESPONSE_FIELDS;
  return p;
}

/* 0: a line was not taken. quiet: nothing came since the last call that could
** complete the line. */
static int head_lines(green_http_response *r, const char *buf, size_t n,
                      bool quiet)
{
  const char *p = buf + r->pos, *end = buf + n;
  if (r->stage == RESPONSE_LINE) {
    if (!(p = line_version(r, p, end))) return r->error;
    if (quiet || !(p = head_line(r, buf, p, end))) return 0;
  } else if (quiet) {
    return 0;
  }
  return head_fields(r, buf, p, end);
}

int green_http_response_parse(green_http_response *r, const char *buf,
                              size_t len, size_t last)
{
  if (last > len) return GREEN_EINVAL;
  if (last == 0)
    response_reset(r);
  else if (r->error)
    return r->error;
  else if (r->stage == RESPONSE_DONE)
    return r->head_len;
  size_t n = len < r->max_head ? len : r->max_head;
  size_t from = last ? last - 1 : 0; /* A CR there may have been the last. */
  bool quiet = from > r->pos && green__http_line_event(buf, from, n) >= n;
  int rc = head_lines(r, buf, n, quiet);
  if (rc) return rc;
  return line_verdict(r, buf, n, len, from > r->pos ? from : r->pos);
}
