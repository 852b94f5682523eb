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
  if (!r->fields.first[id]) return NULL;
  const green_http_field *h = &r->fields.list[r->fields.first[id] - 1];
  *len = h->value_len;
  return buf + h->value_off;
}

static bool mean_repeated(const green_http_request *r, unsigned id)
{
  return r->fields.list[r->fields.first[id] - 1].flags & GREEN_HF_REPEATED;
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
** Body
*/

static bool mean_length(green_http_request *r, const char *buf)
{
  const char *bad = green__http_length(&r->fields, buf, &r->content_length);
  if (bad) return mean_fail(r, 400, bad);
  r->has_body = r->content_length > 0;
  return true;
}

static bool mean_coding(green_http_request *r, const char *buf)
{
  bool other = false;
  const char *bad = green__http_coding(&r->fields, buf, &r->chunked, &other);
  if (bad) return mean_fail(r, 400, bad);
  if (r->minor == 0) return mean_fail(r, 400, "Transfer-Encoding in HTTP/1.0");
  if (r->fields.first[GREEN_H_CONTENT_LENGTH])
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

static void mean_connection(green_http_request *r, const char *buf)
{
  unsigned options = green__http_connection(&r->fields, buf);
  r->conn_close = options & GREEN__CONN_CLOSE;
  r->conn_keep_alive = options & GREEN__CONN_KEEP_ALIVE;
  r->conn_upgrade = options & GREEN__CONN_UPGRADE;
  r->keep_alive = (r->minor || r->conn_keep_alive) && !r->conn_close;
  r->upgrade = r->minor && r->conn_upgrade && r->fields.first[GREEN_H_UPGRADE];
}

/* A request in HTTP/1.0 expects nothing, whatever it says. */
static bool mean_expect(green_http_request *r, const char *buf)
{
  size_t len;
  const char *p = mean_value(r, buf, GREEN_H_EXPECT, &len);
  if (!r->minor) return true;
  if (mean_repeated(r, GREEN_H_EXPECT) ||
      !green__http_is(p, len, "100-continue"))
    return mean_fail(r, 417, "unknown expectation");
  r->expect_continue = true;
  return true;
}

bool green__http_request_mean(green_http_request *r, const char *buf)
{
  if (!mean_host(r, buf)) return false;
  if (r->fields.first[GREEN_H_TRANSFER_ENCODING]) {
    if (!mean_coding(r, buf)) return false;
  } else if (r->fields.first[GREEN_H_CONTENT_LENGTH]) {
    if (!mean_length(r, buf)) return false;
  }
  mean_connection(r, buf);
  return !r->fields.first[GREEN_H_EXPECT] || mean_expect(r, buf);
}
