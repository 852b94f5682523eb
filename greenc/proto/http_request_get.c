/*
** http_request_get.c: looking up the fields of a parsed request, as CGI names
** them too, and decoding paths.
*/

#include "proto/http_request_priv.h"
#include "proto/scan.h"

bool green_http_request_has_line(const green_http_request *r)
{
  return r->stage != GREEN__REQUEST_LINE;
}

int green_http_request_find(const green_http_request *r, const char *buf,
                            const char *name, size_t len, int from)
{
  return green_http_field_find(&r->fields, buf, name, len, from);
}

int green_http_request_next(const green_http_request *r, const char *buf, int i)
{
  return green_http_field_next(&r->fields, buf, i);
}

int green_http_request_join(const green_http_request *r, const char *buf, int i,
                            char *out, size_t cap)
{
  return green_http_field_join(&r->fields, buf, i, out, cap);
}

/*
** CGI
*/

static char cgi_char(char c)
{
  if (c >= 'a' && c <= 'z') return (char)(c & ~0x20);
  return c == '-' ? '_' : c;
}

static bool cgi_is(const char *name, const char *key, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (cgi_char(name[i]) != key[i]) return false;
  return true;
}

/* Length and type have keys of their own. */
static bool cgi_plain(unsigned id)
{
  return id == GREEN_H_CONTENT_LENGTH || id == GREEN_H_CONTENT_TYPE;
}

/* "Proxy" would become HTTP_PROXY, which programs that inherit the keys as
** their environment take for the proxy to use. */
static bool cgi_hides(const green_http_field *h, const char *name)
{
  return h->flags & GREEN_HF_UNDERSCORE ||
         (h->name_len == 5 && green__http_same(name, "proxy", 5));
}

int green_http_request_cgi(const green_http_request *r, const char *buf,
                           const char *key, size_t len)
{
  if (len == 12 && !memcmp(key, "CONTENT_TYPE", 12))
    return r->fields.first[GREEN_H_CONTENT_TYPE] - 1;
  if (len == 14 && !memcmp(key, "CONTENT_LENGTH", 14))
    return r->fields.first[GREEN_H_CONTENT_LENGTH] - 1;
  if (len < 6 || memcmp(key, "HTTP_", 5)) return -1;
  key += 5;
  len -= 5;
  for (uint32_t i = 0; i < r->fields.n; i++) {
    const green_http_field *h = &r->fields.list[i];
    const char *name = buf + h->name_off;
    if (h->name_len != len || cgi_hides(h, name)) continue;
    if (cgi_is(name, key, len)) return cgi_plain(h->id) ? -1 : (int)i;
  }
  return -1;
}

int green_http_request_cgi_key(const green_http_request *r, const char *buf,
                               int i, char *out, size_t cap)
{
  if (i < 0 || (uint32_t)i >= r->fields.n) return GREEN_EINVAL;
  const green_http_field *h = &r->fields.list[i];
  if (cgi_hides(h, buf + h->name_off)) return 0;
  size_t prefix = cgi_plain(h->id) ? 0 : 5;
  if (prefix + h->name_len > cap) return GREEN_ENOBUFS;
  memcpy(out, "HTTP_", prefix);
  for (size_t k = 0; k < h->name_len; k++)
    out[prefix + k] = cgi_char(buf[h->name_off + k]);
  return (int)(prefix + h->name_len);
}

/*
** Paths
*/

int green_http_request_unescape(const char *in, size_t len, char *out)
{
  const char *end = in + len;
  char *o = out;
  while (in < end) {
    if (*in != '%') {
      *o++ = *in++;
      continue;
    }
    if (end - in < 3) return GREEN_EINVAL;
    int high = green__scan_hex(in[1]), low = green__scan_hex(in[2]);
    if (high < 0 || low < 0) return GREEN_EINVAL;
    *o++ = (char)(high << 4 | low);
    in += 3;
  }
  return (int)(o - out);
}
