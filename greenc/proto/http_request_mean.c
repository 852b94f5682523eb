/*
** http_request_mean.c: what the fields of a request mean: its host, where its
** body ends, and whether the connection lasts.
*/

#include "proto/http_request_priv.h"
#include "proto/scan.h"

#include <arpa/inet.h>

void green__http_request_fail(green_http_request *r, int status,
                              const char *reason)
{
  if (r->status) return;
  r->status = status;
  r->reason = reason;
}

static bool mean_fail(green_http_request *r, int status, const char *reason)
{
  green__http_request_fail(r, status, reason);
  return false;
}

/* The value of the first field with that number; NULL: there is none. */
static const char *mean_value(const green_http_request *r, const char *buf,
                              unsigned id, size_t *len)
{
  if (!r->first[id]) return NULL;
  const green_http_request_header *h = &r->headers[r->first[id] - 1];
  *len = h->value_len;
  return buf + h->value_off;
}

static bool mean_repeated(const green_http_request *r, unsigned id)
{
  return r->headers[r->first[id] - 1].flags & GREEN_HF_REPEATED;
}

/*
** Host
*/

/* Length of the "[IPv6]" that p begins with; 0: none. */
static size_t host_literal(const char *p, size_t len)
{
  char text[INET6_ADDRSTRLEN + 1];
  struct in6_addr addr;
  const char *close = memchr(p, ']', len);
  size_t n = close ? (size_t)(close - p) - 1 : sizeof(text);
  if (n >= sizeof(text)) return 0;
  memcpy(text, p + 1, n);
  text[n] = '\0';
  if (strlen(text) != n || inet_pton(AF_INET6, text, &addr) != 1) return 0;
  return n + 2;
}

/* Length of the name or IPv4 address that p begins with; 0: none. */
static size_t host_name(const char *p, size_t len)
{
  size_t i = 0;
  while (i < len) {
    if (green__scan_is(p[i], GREEN__HOST)) {
      i++;
    } else if (p[i] == '%' && len - i > 2 && green__scan_hex(p[i + 1]) >= 0 &&
               green__scan_hex(p[i + 2]) >= 0) {
      i += 3;
    } else {
      break;
    }
  }
  return i;
}

/* The number behind the host: -1 when empty, -2 when it is no port. */
static int32_t host_port(const char *p, size_t len)
{
  int32_t port = len ? 0 : -1;
  for (size_t i = 0; i < len; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    if (digit > 9) return -2;
    port = port * 10 + (int32_t)digit;
    if (port > 65535) return -2;
  }
  return port;
}

bool green__http_request_authority(green_http_request *r, const char *buf,
                                   size_t off, size_t len)
{
  const char *p = buf + off;
  if (!len) return false;
  size_t host = *p == '[' ? host_literal(p, len) : host_name(p, len);
  int32_t port = -1;
  if (host < len) {
    if (p[host] != ':') return false;
    port = host_port(p + host + 1, len - host - 1);
  }
  if (!host || port == -2) return false;
  r->authority_off = (uint32_t)off;
  r->authority_len = (uint32_t)len;
  r->host_len = (uint32_t)host;
  r->port = port;
  return true;
}

/* Host must be there and right even where the target overrules it. */
static bool mean_host(green_http_request *r, const char *buf)
{
  size_t len;
  const char *p = mean_value(r, buf, GREEN_H_HOST, &len);
  if (!p) {
    if (r->minor == 0) return true;
    return mean_fail(r, 400, "no Host");
  }
  if (mean_repeated(r, GREEN_H_HOST)) return mean_fail(r, 400, "repeated Host");
  uint32_t off = r->authority_off, all = r->authority_len, host = r->host_len;
  int32_t port = r->port;
  if (!green__http_request_authority(r, buf, (size_t)(p - buf), len))
    return mean_fail(r, 400, "bad Host");
  if (r->form == GREEN_FORM_ORIGIN || r->form == GREEN_FORM_ASTERISK)
    return true;
  r->authority_off = off;
  r->authority_len = all;
  r->host_len = host;
  r->port = port;
  return true;
}

/*
** Lists
*/

/* The next element of a comma-separated list in [*p, e), blanks around it cut
** off; *p moves behind it, to NULL when it was the last. */
static const char *list_next(const char **p, const char *e, size_t *len)
{
  const char *start = *p, *comma = memchr(start, ',', (size_t)(e - start));
  const char *stop = comma ? comma : e;
  *p = comma ? comma + 1 : NULL;
  while (start < stop && (*start == ' ' || *start == '\t')) start++;
  while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t')) stop--;
  *len = (size_t)(stop - start);
  return start;
}

static bool list_is(const char *p, size_t len, const char *word)
{
  return len == strlen(word) && green__http_request_same(p, word, len);
}

/*
** Body
*/

/* Digits only, no leading zero. */
static bool mean_length(green_http_request *r, const char *buf)
{
  size_t len;
  const char *p = mean_value(r, buf, GREEN_H_CONTENT_LENGTH, &len);
  if (mean_repeated(r, GREEN_H_CONTENT_LENGTH))
    return mean_fail(r, 400, "repeated Content-Length");
  bool bad = len == 0 || (len > 1 && *p == '0');
  int64_t n = 0;
  for (size_t i = 0; i < len && !bad; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    bad = digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
          __builtin_add_overflow(n, (int64_t)digit, &n);
  }
  if (bad) return mean_fail(r, 400, "bad Content-Length");
  r->content_length = n;
  r->has_body = n > 0;
  return true;
}

/* One value of Transfer-Encoding, perhaps one of several. Sets chunked when it
** ends in that, *other when there was something else. */
static bool coding_list(green_http_request *r, const char *p, const char *e,
                        bool *other)
{
  while (p) {
    size_t len;
    const char *word = list_next(&p, e, &len);
    if (r->chunked) return mean_fail(r, 400, "coding after chunked");
    const char *stop = green__scan_scalar(word, word + len, GREEN__TOKEN);
    bool param = stop > word && stop < word + len &&
                 (*stop == ';' || *stop == ' ' || *stop == '\t');
    if (list_is(word, len, "chunked"))
      r->chunked = true;
    else if (!len || (stop < word + len && !param) ||
             list_is(word, (size_t)(stop - word), "chunked"))
      return mean_fail(r, 400, "bad Transfer-Encoding");
    else
      *other = true;
  }
  return true;
}

static bool mean_coding(green_http_request *r, const char *buf)
{
  bool other = false;
  for (uint32_t i = 0; i < r->nheaders; i++) {
    const green_http_request_header *h = &r->headers[i];
    const char *p = buf + h->value_off;
    if (h->id == GREEN_H_TRANSFER_ENCODING &&
        !coding_list(r, p, p + h->value_len, &other))
      return false;
  }
  if (r->minor == 0) return mean_fail(r, 400, "Transfer-Encoding in HTTP/1.0");
  if (r->first[GREEN_H_CONTENT_LENGTH])
    return mean_fail(r, 400, "Content-Length and Transfer-Encoding");
  if (!r->chunked)
    return mean_fail(r, 400, "Transfer-Encoding does not end in chunked");
  if (other) return mean_fail(r, 501, "transfer coding not supported");
  r->has_body = true;
  return true;
}

/*
** Connection
*/

static void connection_list(green_http_request *r, const char *p, const char *e)
{
  while (p) {
    size_t len;
    const char *word = list_next(&p, e, &len);
    if (list_is(word, len, "close"))
      r->conn_close = true;
    else if (list_is(word, len, "keep-alive"))
      r->conn_keep_alive = true;
    else if (list_is(word, len, "upgrade"))
      r->conn_upgrade = true;
  }
}

static void mean_connection(green_http_request *r, const char *buf)
{
  uint32_t i = r->first[GREEN_H_CONNECTION];
  for (i = i ? i - 1 : r->nheaders; i < r->nheaders; i++) {
    const green_http_request_header *h = &r->headers[i];
    const char *p = buf + h->value_off;
    if (h->id == GREEN_H_CONNECTION) connection_list(r, p, p + h->value_len);
  }
  r->keep_alive = (r->minor || r->conn_keep_alive) && !r->conn_close;
  r->upgrade = r->minor && r->conn_upgrade && r->first[GREEN_H_UPGRADE];
}

/* A request in HTTP/1.0 expects nothing, whatever it says. */
static bool mean_expect(green_http_request *r, const char *buf)
{
  size_t len;
  const char *p = mean_value(r, buf, GREEN_H_EXPECT, &len);
  if (!r->minor) return true;
  if (mean_repeated(r, GREEN_H_EXPECT) || !list_is(p, len, "100-continue"))
    return mean_fail(r, 417, "unknown expectation");
  r->expect_continue = true;
  return true;
}

bool green__http_request_mean(green_http_request *r, const char *buf)
{
  if (!mean_host(r, buf)) return false;
  if (r->first[GREEN_H_TRANSFER_ENCODING]) {
    if (!mean_coding(r, buf)) return false;
  } else if (r->first[GREEN_H_CONTENT_LENGTH]) {
    if (!mean_length(r, buf)) return false;
  }
  mean_connection(r, buf);
  return !r->first[GREEN_H_EXPECT] || mean_expect(r, buf);
}
