/*
** log.c: lines of an access log, each put together from the buffer in which its
** request still lies.
*/

#include "httpd/log.h"
#include "httpd/httpd_priv.h"
#include "base/mem.h"
#include "proto/http_write.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

#define LOG_LIMIT (1 << 20)
#define LOG_KEEP 65536   /* A larger buffer is freed when it is empty. */
#define LOG_LINE_MAX 512 /* Of a refused request. */
#define LOG_FIELD_MAX 80 /* Of all but texts. */
#define LOG_BLOCK 16     /* Copied at a time, beyond the end if need be. */

typedef struct log_field {
  uint8_t what;
  uint8_t decimals;
  uint32_t off; /* Of its text in the template's. */
  uint32_t len;
} log_field;

typedef struct httpd_log {
  green_log pub;
  green_hub *hub; /* NULL: it has ended. */
  green_forkhook forked;
  log_field *fields;
  uint32_t n_fields;
  char *texts; /* And LOG_BLOCK bytes behind them. */
  uint32_t texts_len;
  uint32_t fixed; /* Room for a line without its texts. */
  char *buf;
  char *at; /* In buf: the end of a line in the making. */
  uint32_t cap;
  int failed;    /* The line in the making is lost. */
  time_t second; /* What the dates are for. */
  char date[64];
  char iso[32];
  uint32_t date_len;
  uint32_t iso_len;
} httpd_log;

/* -- Life ----------------------------------------------------------------- */

size_t green_log_size(void)
{
  return sizeof(httpd_log);
}

/* The lines that wait are the parent's. */
static void log_forked(green_forkhook *h)
{
  green_container(h, httpd_log, forked)->pub.waiting = 0;
}

void green_log_init(green_log *pub, green_hub *hub)
{
  httpd_log *l = (httpd_log *)pub;
  green_assert(!l->hub, "in zeroed memory");
  l->hub = hub;
  l->forked.run = log_forked;
  green_hub_on_fork(hub, &l->forked);
  l->pub.limit = LOG_LIMIT;
  l->second = -1;
}

void green_log_deinit(green_log *pub)
{
  httpd_log *l = (httpd_log *)pub;
  green_forkhook_remove(&l->forked);
  green__free(l->fields);
  green__free(l->texts);
  green__free(l->buf);
  l->hub = NULL;
  l->fields = NULL;
  l->texts = l->buf = l->at = NULL;
  l->n_fields = l->texts_len = l->cap = l->pub.waiting = 0;
}

green_log *green_log_new(green_hub *hub)
{
  httpd_log *l = green__zalloc(sizeof(*l));
  if (!l) return NULL;
  green_log_init(&l->pub, hub);
  return &l->pub;
}

void green_log_free(green_log *pub)
{
  if (!pub) return;
  green_log_deinit(pub);
  green__free((httpd_log *)pub);
}

static int log_keep_text(httpd_log *l, const char *text, size_t n)
{
  size_t size = l->texts_len + n + LOG_BLOCK;
  char *texts = green__realloc(l->texts, size);
  if (!texts) return GREEN_ENOMEM;
  if (n) memcpy(texts + l->texts_len, text, n);
  memset(texts + l->texts_len + n, 0, LOG_BLOCK);
  l->texts = texts;
  l->texts_len += (uint32_t)n;
  return 0;
}

int green_log_field(green_log *pub, int field, const char *text, size_t n,
                    int decimals)
{
  httpd_log *l = (httpd_log *)pub;
  if (!l->hub) return GREEN_ECLOSED;
  log_field *f = green__realloc(l->fields, (l->n_fields + 1) * sizeof(*f));
  if (!f) return GREEN_ENOMEM;
  l->fields = f;
  f += l->n_fields;
  f->what = (uint8_t)field;
  f->decimals = (uint8_t)(decimals < 0 ? 0 : decimals > 9 ? 9 : decimals);
  f->off = l->texts_len;
  f->len = (uint32_t)n;
  if (log_keep_text(l, text, n) < 0) return GREEN_ENOMEM;
  l->fixed += (uint32_t)n + LOG_FIELD_MAX;
  l->n_fields++;
  return 0;
}

/* -- The buffer ----------------------------------------------------------- */

/* Room for n bytes and what is fixed of a line behind l->at. */
static int log_reserve(httpd_log *l, size_t n)
{
  size_t len = (size_t)(l->at - l->buf), want = len + n + l->fixed;
  if (green_likely(want <= l->cap)) return 1;
  size_t cap = l->cap ? l->cap : 4096;
  while (cap < want) cap *= 2;
  char *buf = want > 2 * (size_t)LOG_LIMIT ? NULL : green__realloc(l->buf, cap);
  if (!buf) {
    l->failed = 1;
    return 0;
  }
  l->buf = buf;
  l->at = buf + len;
  l->cap = (uint32_t)cap;
  return 1;
}

/* Room is there from here on: of log_reserve for texts, of a line's start for
** the rest. */
static void log_byte(httpd_log *l, char c)
{
  *l->at++ = c;
}

static void log_plain(httpd_log *l, const char *p, size_t n)
{
  memcpy(l->at, p, n);
  l->at += n;
}

/* From the template: mostly short, and readable beyond its end. */
static void log_literal(httpd_log *l, const log_field *f)
{
  const char *p = l->texts + f->off;
  memcpy(l->at, p, LOG_BLOCK);
  if (f->len > LOG_BLOCK)
    memcpy(l->at + LOG_BLOCK, p + LOG_BLOCK, f->len - LOG_BLOCK);
  l->at += f->len;
}

static int is_plain(unsigned char b)
{
  return b >= 0x20 && b < 0x7f && b != '"' && b != '\\';
}

#define EACH(byte) (0x0101010101010101u * (byte))
#define HAS_ZERO(x) (((x)-EACH(1)) & ~(x)&EACH(0x80))

/* Eight bytes at once: is_plain of all of them? */
static int are_plain(uint64_t x)
{
  uint64_t odd = x | (x - EACH(0x20)) | HAS_ZERO(x ^ EACH(0x7f)) |
                 HAS_ZERO(x ^ EACH('"')) | HAS_ZERO(x ^ EACH('\\'));
  return !(odd & EACH(0x80));
}

static char *put_escape(char *at, unsigned char b, int json)
{
  static const char hex[] = "0123456789abcdef";
  *at++ = '\\';
  if (json && (b == '"' || b == '\\')) {
    *at++ = (char)b;
    return at;
  }
  *at++ = json ? 'u' : 'x';
  if (json) *at++ = '0', *at++ = '0';
  *at++ = hex[b >> 4];
  *at++ = hex[b & 15];
  return at;
}

/* What a client sent. */
static void log_text(httpd_log *l, const char *p, size_t n)
{
  uint64_t block;
  if (!log_reserve(l, 6 * n)) return;
  char *at = l->at;
  for (; n >= 8; p += 8, n -= 8, at += 8) {
    memcpy(&block, p, 8);
    if (!are_plain(block)) break;
    memcpy(at, &block, 8);
  }
  for (; n > 0; p++, n--) {
    if (is_plain((unsigned char)*p))
      *at++ = *p;
    else
      at = put_escape(at, (unsigned char)*p, l->pub.json);
  }
  l->at = at;
}

/* Half of them have one digit: seconds, lengths of small bodies. */
static void log_number(httpd_log *l, int64_t n)
{
  if (n >= 0 && n < 10)
    log_byte(l, (char)('0' + n));
  else
    l->at += green_http_write_decimal(l->at, 24, n);
}

/* In JSON a template has no quotes around fields: they come with the value. */
static void log_none(httpd_log *l)
{
  if (l->pub.json)
    log_plain(l, "null", 4);
  else
    log_byte(l, '-');
}

static void log_quote(httpd_log *l)
{
  if (l->pub.json) log_byte(l, '"');
}

static void log_string(httpd_log *l, const char *p, size_t n)
{
  log_quote(l);
  log_text(l, p, n);
  log_quote(l);
}

static void log_maybe(httpd_log *l, const char *p, size_t n)
{
  if (n)
    log_string(l, p, n);
  else
    log_none(l);
}

/* -- Fields --------------------------------------------------------------- */

/* Of a refused request what was parsed of it. */
static const green_http_request *log_head(const httpd_conn *c)
{
  return c->pub.head || !c->req ? c->pub.head : &c->req->head;
}

static void log_ipv4(httpd_log *l, const unsigned char b[4])
{
  char *at = l->at;
  for (int i = 0; i < 4; i++) {
    if (b[i] >= 100) *at++ = (char)('0' + b[i] / 100);
    if (b[i] >= 10) *at++ = (char)('0' + b[i] / 10 % 10);
    *at++ = (char)('0' + b[i] % 10);
    if (i < 3) *at++ = '.';
  }
  l->at = at;
}

static void log_peer(httpd_log *l, const httpd_conn *c)
{
  green_addr a;
  char text[GREEN_ADDR_TEXT];
  struct sockaddr_in in;
  if (c->peer_len == sizeof(in)) {
    memcpy(&in, c->peer, sizeof(in));
    log_ipv4(l, (const unsigned char *)&in.sin_addr);
    return;
  }
  green_conn_peer(&c->pub, &a);
  int n = a.len ? green_addr_host(&a, text, sizeof(text)) : 0;
  if (n > 0)
    log_plain(l, text, (size_t)n);
  else
    log_plain(l, "unix", 4);
}

static void log_client(httpd_log *l, const httpd_conn *c)
{
  const green_http_request *h = log_head(c);
  int i =
      h && l->pub.forwarded ? h->fields.first[GREEN_H_X_FORWARDED_FOR] - 1 : -1;
  log_quote(l);
  for (; i >= 0; i = green_http_request_next(h, c->pub.text, i)) {
    log_text(l, c->pub.text + h->fields.list[i].value_off,
             h->fields.list[i].value_len);
    if (l->failed) return; /* Of room for the rest nothing is known. */
    log_byte(l, ',');
  }
  log_peer(l, c);
  log_quote(l);
}

static void log_port(httpd_log *l, const httpd_conn *c)
{
  green_addr a;
  green_conn_peer(&c->pub, &a);
  if (a.len)
    log_number(l, green_addr_port(&a));
  else
    log_none(l);
}

/* Both dates are made once a second. */
static void log_set_dates(httpd_log *l)
{
  time_t now = time(NULL);
  struct tm local, utc;
  if (now == l->second) return;
  l->second = now;
  localtime_r(&now, &local);
  gmtime_r(&now, &utc);
  l->date_len = (uint32_t)strftime(l->date, sizeof(l->date),
                                   "%d/%b/%Y:%H:%M:%S %z", &local);
  l->iso_len =
      (uint32_t)strftime(l->iso, sizeof(l->iso), "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void log_date(httpd_log *l, const char *text, size_t n)
{
  log_quote(l);
  log_plain(l, text, n);
  log_quote(l);
}

/* Of a request that was refused: the line as far as it came. */
static size_t refused_line(const httpd_conn *c, const char **p)
{
  const httpd_request *r = c->req;
  if (!r || r->end <= r->start) return 0;
  size_t n = r->end - r->start;
  if (n > LOG_LINE_MAX) n = LOG_LINE_MAX;
  *p = r->in + r->start;
  const char *end = memchr(*p, '\n', n);
  if (end) n = (size_t)(end - *p);
  if (n && (*p)[n - 1] == '\r') n--;
  return n;
}

static void log_request_line(httpd_log *l, const httpd_conn *c)
{
  const green_http_request *h = c->pub.head;
  const char *p = NULL;
  size_t n = sizeof(" HTTP/1.1") - 1;
  if (h) {
    p = c->pub.text + h->method_off;
    n += h->target_off + h->target_len - h->method_off;
  } else {
    n = refused_line(c, &p);
  }
  log_maybe(l, p, n);
}

/* 0: a part of the head that is not there. */
static size_t head_part(const httpd_conn *c, int what, const char **p)
{
  const green_http_request *h = log_head(c);
  if (!h) return 0;
  uint32_t off = what == GREEN_LOG_METHOD ? h->method_off
                 : what == GREEN_LOG_PATH ? h->path_off
                                          : h->query_off;
  *p = c->pub.text + off;
  if (what == GREEN_LOG_METHOD) return h->method_len;
  if (!h->target_len) return 0;
  if (what == GREEN_LOG_PATH) return h->path_len;
  return h->has_query ? h->query_len : 0;
}

static void log_protocol(httpd_log *l, const httpd_conn *c)
{
  const green_http_request *h = log_head(c);
  if (!h || !green_http_request_has_line(h))
    log_none(l);
  else
    log_string(l, h->minor ? "HTTP/1.1" : "HTTP/1.0", 8);
}

static void log_header(httpd_log *l, const httpd_conn *c, const log_field *f)
{
  const green_http_request *h = log_head(c);
  const char *key = l->texts + f->off;
  int i = h ? green_http_request_cgi(h, c->pub.text, key, f->len) : -1;
  if (i < 0)
    log_none(l);
  else
    log_string(l, c->pub.text + h->fields.list[i].value_off,
               h->fields.list[i].value_len);
}

/* Since the request's head was read, of a refused one since it began, with that
** many decimals, cut off. */
static void log_seconds(httpd_log *l, const httpd_conn *c, int decimals)
{
  int64_t ns = c->req ? green_hub_now(l->hub) - c->req->started : 0;
  if (ns < 0) ns = 0;
  log_number(l, ns / GREEN_SECOND);
  if (decimals == 0) return;
  uint32_t rest = (uint32_t)(ns % GREEN_SECOND);
  log_byte(l, '.');
  for (int i = 9; i > 0; i--, rest /= 10)
    l->at[i - 1] = (char)('0' + rest % 10);
  l->at += decimals;
}

static void log_status(httpd_log *l, int status)
{
  if (status)
    log_number(l, status);
  else
    log_none(l);
}

static void log_reason(httpd_log *l, const httpd_conn *c)
{
  const char *text = c->pub.reason;
  log_maybe(l, text, text ? strlen(text) : 0);
}

/* A part of the head. */
static void log_head_field(httpd_log *l, const log_field *f,
                           const httpd_conn *c)
{
  const char *p = NULL;
  switch (f->what) {
  case GREEN_LOG_REQUEST_LINE:
    log_request_line(l, c);
    break;
  case GREEN_LOG_PROTOCOL:
    log_protocol(l, c);
    break;
  case GREEN_LOG_HEADER:
    log_header(l, c, f);
    break;
  default: {
    size_t n = head_part(c, f->what, &p);
    log_maybe(l, p, n);
  }
  }
}

/* How the request ended; else a part of its head. */
static void log_request_field(httpd_log *l, const log_field *f,
                              const httpd_conn *c)
{
  switch (f->what) {
  case GREEN_LOG_STATUS:
    log_status(l, c->pub.status);
    break;
  case GREEN_LOG_BODY_LENGTH:
    log_number(l, c->pub.sent);
    break;
  case GREEN_LOG_WALL_SECONDS:
    log_seconds(l, c, f->decimals);
    break;
  case GREEN_LOG_REASON:
    log_reason(l, c);
    break;
  default:
    log_head_field(l, f, c);
  }
}

static void log_one(httpd_log *l, const log_field *f, const httpd_conn *c)
{
  switch (f->what) {
  case GREEN_LOG_TEXT:
    log_literal(l, f);
    break;
  case GREEN_LOG_CLIENT_IP:
    log_client(l, c);
    break;
  case GREEN_LOG_CLIENT_PORT:
    log_port(l, c);
    break;
  case GREEN_LOG_DATE_TIME:
    log_date(l, l->date, l->date_len);
    break;
  case GREEN_LOG_ISO_TIME:
    log_date(l, l->iso, l->iso_len);
    break;
  default:
    log_request_field(l, f, c);
  }
}

/* -- Lines ---------------------------------------------------------------- */

static int log_begin(httpd_log *l, size_t n)
{
  l->failed = !l->hub;
  if (l->failed) return 0;
  l->at = l->buf + l->pub.waiting;
  log_set_dates(l);
  return log_reserve(l, n + 1);
}

/* The line since pub.waiting is complete, or it is lost. */
static uint32_t log_end(httpd_log *l)
{
  l->pub.lines++;
  if (!l->failed) log_byte(l, '\n');
  if (l->failed || l->at - l->buf > l->pub.limit)
    l->pub.dropped++;
  else
    l->pub.waiting = (uint32_t)(l->at - l->buf);
  return l->pub.waiting;
}

uint32_t green_log_put(green_log *pub, const green_conn *c)
{
  httpd_log *l = (httpd_log *)pub;
  green_assert(!((const httpd_conn *)c)->sock.f.idle,
               "that c's worker is about to finish");
  if (log_begin(l, 0))
    for (uint32_t i = 0; i < l->n_fields && !l->failed; i++)
      log_one(l, &l->fields[i], (const httpd_conn *)c);
  return log_end(l);
}

uint32_t green_log_line(green_log *pub, const char *p, size_t n)
{
  httpd_log *l = (httpd_log *)pub;
  if (log_begin(l, n)) log_plain(l, p, n);
  return log_end(l);
}

uint32_t green_log_peek(const green_log *pub, const char **ptr)
{
  const httpd_log *l = (const httpd_log *)pub;
  *ptr = l->buf;
  return pub->waiting;
}

void green_log_drop(green_log *pub, uint32_t n)
{
  httpd_log *l = (httpd_log *)pub;
  if (n > pub->waiting) n = pub->waiting;
  pub->waiting -= n;
  if (pub->waiting) {
    memmove(l->buf, l->buf + n, pub->waiting);
  } else if (l->cap > LOG_KEEP) {
    green__free(l->buf);
    l->buf = l->at = NULL;
    l->cap = 0;
  }
}
