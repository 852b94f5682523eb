/*
** url.c: one pass over the text, part by part.
*/

#include "proto/url.h"

#include "base/addr.h"
#include "proto/idna.h"
#include "proto/scan.h"

#include <stdio.h>
#include <strings.h>

/* -- Classes of bytes (RFC 3986, appendix A) ------------------------------ */

enum {
  SCHEME = 1,
  USERINFO = 2,
  HOST = 4, /* reg-name */
  PATH = 8, /* pchar and "/" */
  QUERY = 16,
};

#define PLAIN (USERINFO | HOST | PATH | QUERY)

/* "%" is in none: two digits must follow. */
static const uint8_t url_class[256] = {
    ['0' ... '9'] = PLAIN | SCHEME,
    ['A' ... 'Z'] = PLAIN | SCHEME,
    ['a' ... 'z'] = PLAIN | SCHEME,
    ['-'] = PLAIN | SCHEME,
    ['.'] = PLAIN | SCHEME,
    ['+'] = PLAIN | SCHEME,
    ['_'] = PLAIN,
    ['~'] = PLAIN,
    ['!'] = PLAIN,
    ['$'] = PLAIN,
    ['&'] = PLAIN,
    ['\''] = PLAIN,
    ['('] = PLAIN,
    [')'] = PLAIN,
    ['*'] = PLAIN,
    [','] = PLAIN,
    [';'] = PLAIN,
    ['='] = PLAIN,
    [':'] = USERINFO | PATH | QUERY,
    ['@'] = PATH | QUERY,
    ['/'] = PATH | QUERY,
    ['?'] = QUERY,
};

static bool url_is(char c, unsigned cls)
{
  return url_class[(unsigned char)c] & cls;
}

/* The first byte that ends an authority, or end. */
static const char *url_find_end(const char *p, const char *end)
{
  while (p < end && *p != '/' && *p != '?' && *p != '#') p++;
  return p;
}

static bool url_is_escape(const char *p, const char *end)
{
  return end - p >= 3 && *p == '%' && green__scan_hex(p[1]) >= 0 &&
         green__scan_hex(p[2]) >= 0;
}

static char url_unescape(const char *p)
{
  return (char)(green__scan_hex(p[1]) << 4 | green__scan_hex(p[2]));
}

/* -- Refusals ------------------------------------------------------------- */

typedef struct reader {
  green_url *u;
  const char *text;
  const char *end;
  int flags;
} reader;

static int url_refuse(const reader *r, const char *at, const char *why)
{
  r->u->wrong_at = (int32_t)(at - r->text);
  snprintf(r->u->why, sizeof(r->u->why), "%s", why);
  return GREEN_EINVAL;
}

static int url_refuse_byte(const reader *r, const char *p)
{
  unsigned char c = (unsigned char)*p;
  if (c == '%')
    return url_refuse(r, p, "% is followed by two hexadecimal digits");
  if (c <= 0x20 || c == 0x7f)
    return url_refuse(r, p, "blanks and control bytes must be written as %20");
  if (c >= 0x80)
    return url_refuse(r, p, "bytes that are not ASCII must be written as %C3");
  return url_refuse(r, p, "this byte must be written with % there");
}

static green_url_part url_part(const reader *r, const char *p, const char *end)
{
  return (green_url_part){(int32_t)(p - r->text), (int32_t)(end - p)};
}

/* All of [p, end) is of the class, or escaped. */
static int url_check(const reader *r, const char *p, const char *end,
                     unsigned cls)
{
  while (p < end) {
    if (url_is(*p, cls))
      p++;
    else if (url_is_escape(p, end))
      p += 3;
    else
      return url_refuse_byte(r, p);
  }
  return 0;
}

/* The first of up to two bytes in [p, end), or end. */
static const char *url_find(const char *p, const char *end, char a, char b)
{
  while (p < end && *p != a && *p != b) p++;
  return p;
}

/* -- Hosts ---------------------------------------------------------------- */

static const char IS_NUMBER[] =
    "a host that ends in a number must be an IPv4 address, four decimal "
    "numbers";

/* Is it a name, for everybody who reads it? One dot at the end changes nothing
** for some, and a number in another script or with escapes is one for some. */
static int url_name_kind(const reader *r, const char *at, const char *end)
{
  green_url *u = r->u;
  green_addr a;
  size_t n = (size_t)u->name_len;
  if (n == 1 && *u->name == '.') return url_refuse(r, at, "this is no host");
  int err = green_addr_ip(&a, u->name, n, 0);
  if (err == 0 && end - at == u->name_len) {
    u->kind = GREEN_URL_HOST_IP4;
    return 0;
  }
  if (n > 1 && u->name[n - 1] == '.' && err == GREEN_EAI_NONAME)
    err = green_addr_ip(&a, u->name, n - 1, 0);
  if (err != GREEN_EAI_NONAME) return url_refuse(r, at, IS_NUMBER);
  u->kind = GREEN_URL_HOST_NAME;
  return 0;
}

static int url_name(reader *r, const char *p, const char *end)
{
  char plain[GREEN_IDNA_NAME];
  size_t n = 0;
  green_idna_error why;
  for (const char *at = p; at < end;) {
    bool is_escape = url_is_escape(at, end);
    char c = is_escape ? url_unescape(at) : *at;
    if (!(c & 0x80) && !url_is(c, HOST)) return url_refuse_byte(r, at);
    if (n == sizeof(plain)) return url_refuse(r, p, "the host is too long");
    plain[n++] = c;
    at += is_escape ? 3 : 1;
  }
  int len = green_idna_to_ascii(r->u->name, sizeof(r->u->name), plain, n, &why);
  if (len < 0) {
    url_refuse(r, p, why.text);
    return len;
  }
  r->u->name_len = len;
  return url_name_kind(r, p, end);
}

static const char IS_ADDRESS[] = "in brackets stands an IPv6 address";

/* What stands behind %25 in brackets (RFC 6874), into name. */
static int url_zone(reader *r, const char *p, const char *end)
{
  green_url *u = r->u;
  const char *from = p;
  while (p < end) {
    bool is_escape = url_is_escape(p, end);
    char c = is_escape ? url_unescape(p) : *p;
    bool is_fit = is_escape ? c > 0x20 && c < 0x7f && c != '%' && c != '/'
                            : url_is(c, HOST);
    if (!is_fit) return url_refuse(r, p, "no name of a zone has this byte");
    if (u->name_len == GREEN_URL_HOST - 1)
      return url_refuse(r, from, "the name of the zone is too long");
    u->name[u->name_len++] = c;
    p += is_escape ? 3 : 1;
  }
  u->name[u->name_len] = '\0';
  return p > from ? 0 : url_refuse(r, p, "the name of a zone follows %25");
}

/* [p, end) is what stands between the brackets. */
static int url_ip6(reader *r, const char *p, const char *end)
{
  green_url *u = r->u;
  green_addr a;
  const char *zone = url_find(p, end, '%', '%');
  if (p < end && (*p | 32) == 'v')
    return url_refuse(r, p, "addresses of a future version are not known");
  if (url_find(p, zone, ':', ':') == zone ||
      green_addr_ip(&a, p, (size_t)(zone - p), 0) < 0)
    return url_refuse(r, p, IS_ADDRESS);
  u->name_len = green_addr_host(&a, u->name, sizeof(u->name));
  u->kind = GREEN_URL_HOST_IP6;
  if (zone == end) return 0;
  if (end - zone < 3 || memcmp(zone, "%25", 3) != 0)
    return url_refuse(r, zone, "a zone is written as %25 and its name");
  u->name[u->name_len++] = '%';
  return url_zone(r, zone + 3, end);
}

static int url_host(reader *r, const char *p, const char *end)
{
  r->u->host = url_part(r, p, end);
  if (p == end) {
    r->u->kind = GREEN_URL_HOST_EMPTY;
    return 0;
  }
  return *p == '[' ? url_ip6(r, p + 1, end - 1) : url_name(r, p, end);
}

/* -- Authority ------------------------------------------------------------ */

static int url_port(reader *r, const char *p, const char *end)
{
  int port = 0;
  if (p == end) return 0;
  if (*p == '0' && end - p > 1)
    return url_refuse(r, p, "a port does not begin with 0");
  for (const char *at = p; at < end; at++) {
    if (*at < '0' || *at > '9')
      return url_refuse(r, at, "a port is a number from 0 to 65535");
    port = 10 * port + (*at - '0');
    if (port > 65535)
      return url_refuse(r, p, "a port is a number from 0 to 65535");
  }
  r->u->port = port;
  return 0;
}

/* Where the host that begins at p ends; NULL: a bracket is not closed. */
static const char *url_host_end(const char *p, const char *end)
{
  if (p == end || *p != '[') return url_find(p, end, ':', ':');
  const char *close = url_find(p, end, ']', ']');
  return close < end ? close + 1 : NULL;
}

static int url_authority(reader *r, const char *p, const char *end)
{
  const char *at = url_find(p, end, '@', '@');
  if (at < end) {
    int err = url_check(r, p, at, USERINFO);
    if (err < 0) return err;
    r->u->userinfo = url_part(r, p, at);
    p = at + 1;
  }
  const char *host_end = url_host_end(p, end);
  if (!host_end) return url_refuse(r, p, "the bracket is not closed");
  if (host_end < end && *host_end != ':')
    return url_refuse(r, host_end, "behind the bracket stands : and a port");
  int err = url_host(r, p, host_end);
  if (err < 0 || host_end == end) return err;
  return url_port(r, host_end + 1, end);
}

/* -- The whole ------------------------------------------------------------ */

static bool is_letter(char c)
{
  return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* Schemes whose URLs have a host (RFC 9110, 4.2; RFC 6455, 3). */
static int url_known(const char *scheme, size_t n)
{
  static const char *const names[] = {[GREEN_URL_HTTP] = "http",
                                      [GREEN_URL_HTTPS] = "https",
                                      [GREEN_URL_WS] = "ws",
                                      [GREEN_URL_WSS] = "wss"};
  for (int i = GREEN_URL_HTTP; n <= 5 && i <= GREEN_URL_WSS; i++)
    if (!strncasecmp(scheme, names[i], n) && !names[i][n]) return i;
  return 0;
}

/* Behind the scheme and its colon; NULL: there is none. */
static const char *url_scheme(reader *r)
{
  const char *p = r->text;
  if (p == r->end || !is_letter(*p)) return NULL;
  while (p < r->end && url_is(*p, SCHEME)) p++;
  if (p == r->end || *p != ':') return NULL;
  r->u->scheme = url_part(r, r->text, p);
  r->u->known = url_known(r->text, (size_t)(p - r->text));
  return p + 1;
}

/* Path, query and fragment. */
static int url_rest(reader *r, const char *p)
{
  green_url *u = r->u;
  const char *path_end = url_find(p, r->end, '?', '#');
  int err = url_check(r, p, path_end, PATH);
  if (err < 0) return err;
  u->path = url_part(r, p, path_end);
  p = path_end;
  if (p < r->end && *p == '?') {
    const char *query_end = url_find(p, r->end, '#', '#');
    err = url_check(r, p + 1, query_end, QUERY);
    if (err < 0) return err;
    u->query = url_part(r, p + 1, query_end);
    p = query_end;
  }
  if (p == r->end) return 0;
  u->fragment = url_part(r, p + 1, r->end);
  return url_check(r, p + 1, r->end, QUERY);
}

/* Without a scheme, what stands before a colon in the first segment would be
** one (RFC 3986, 4.2). */
static int url_check_relative(const reader *r)
{
  const char *end = url_find_end(r->text, r->end);
  const char *colon = url_find(r->text, end, ':', ':');
  if (colon < end) return url_refuse(r, r->text, "this is no scheme");
  return 0;
}

static int url_read(reader *r)
{
  const char *p = url_scheme(r);
  int err = 0;
  if (!p && !(r->flags & GREEN_URL_RELATIVE))
    return url_refuse(r, r->text,
                      "it must begin with a scheme, such as http://");
  if (!p) {
    p = r->text;
    err = url_check_relative(r);
  }
  if (err == 0 && r->end - p >= 2 && p[0] == '/' && p[1] == '/') {
    const char *end = url_find_end(p + 2, r->end);
    err = url_authority(r, p + 2, end);
    p = end;
  }
  if (err < 0) return err;
  if (r->u->kind <= GREEN_URL_HOST_EMPTY && r->u->known &&
      !(r->flags & GREEN_URL_GENERIC))
    return url_refuse(r, p, "it must have a host, as in http://example.com/");
  return url_rest(r, p);
}

int green_url_parse(green_url *u, const char *text, size_t n, int flags)
{
  static const green_url_part absent = {0, -1};
  reader r = {u, text, text + n, flags};
  u->scheme = u->userinfo = u->host = u->query = u->fragment = absent;
  u->path = (green_url_part){0, 0};
  u->port = -1;
  u->kind = GREEN_URL_HOST_NONE;
  u->known = u->name_len = u->wrong_at = 0;
  u->name[0] = u->why[0] = '\0';
  if (n > INT32_MAX) return url_refuse(&r, text, "it is too long");
  return url_read(&r);
}
