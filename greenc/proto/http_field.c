/*
** http_field.c: looking up fields, and what those mean that say where a body
** ends and whether the connection lasts.
*/

#include "proto/http_field_priv.h"

/*
** Lines
*/

int green__http_verdict(const char *buf, size_t pos, uint32_t max, size_t n,
                        size_t len, size_t from)
{
  size_t full = pos + (size_t)max + 2;
  size_t at = green__http_line_event(buf, from, n);
  size_t shows = at == n ? SIZE_MAX : at + (buf[at] == '\r' ? 2 : 1);
  if (n >= full && shows > full) return GREEN__LINE_LONG;
  if (at == n) return n < len ? GREEN__LINE_FULL : GREEN__LINE_WAITS;
  return buf[at] == '\r' ? GREEN__LINE_CR : GREEN__LINE_BAD;
}

/*
** Look-up
*/

static const green_http_field *field_at(const green_http_fields *f, int i)
{
  return i >= 0 && (uint32_t)i < f->n ? &f->list[i] : NULL;
}

int green_http_field_find(const green_http_fields *f, const char *buf,
                          const char *name, size_t len, int from)
{
  unsigned id = green__http_field_id(name, len);
  uint32_t i = from > 0 ? (uint32_t)from : 0;
  if (id != GREEN_H_OTHER) {
    if (!f->first[id]) return -1;
    if (i + 1 < f->first[id]) i = f->first[id] - 1u;
  }
  for (; i < f->n; i++) {
    const green_http_field *h = &f->list[i];
    if (h->id != id || h->name_len != len) continue;
    if (id || green__http_same(buf + h->name_off, name, len)) return (int)i;
  }
  return -1;
}

int green_http_field_value(const green_http_fields *f, const char *buf,
                           const char *name, size_t len, const char **value)
{
  int i = green_http_field_find(f, buf, name, len, 0);
  if (i < 0) return -1;
  *value = buf + f->list[i].value_off;
  return (int)f->list[i].value_len;
}

int green_http_field_next(const green_http_fields *f, const char *buf, int i)
{
  const green_http_field *h = field_at(f, i);
  if (!h) return -1;
  if (h->id && f->first[h->id] == i + 1 && !(h->flags & GREEN_HF_REPEATED))
    return -1;
  return green_http_field_find(f, buf, buf + h->name_off, h->name_len, i + 1);
}

int green_http_field_join(const green_http_fields *f, const char *buf, int i,
                          char *out, size_t cap)
{
  const green_http_field *h = field_at(f, i);
  if (!h) return GREEN_EINVAL;
  const char *comma = h->id == GREEN_H_COOKIE ? "; " : ",";
  size_t len = 0, gap = 0;
  for (; i >= 0; i = green_http_field_next(f, buf, i), gap = strlen(comma)) {
    h = &f->list[i];
    if (gap + h->value_len > cap - len) return GREEN_ENOBUFS;
    memcpy(out + len, comma, gap);
    memcpy(out + len + gap, buf + h->value_off, h->value_len);
    len += gap + h->value_len;
  }
  return (int)len;
}

/*
** Lists
*/

const char *green__http_list_next(const char **p, const char *e, size_t *len)
{
  const char *start = *p, *comma = memchr(start, ',', (size_t)(e - start));
  const char *stop = comma ? comma : e;
  *p = comma ? comma + 1 : NULL;
  while (start < stop && (*start == ' ' || *start == '\t')) start++;
  while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t')) stop--;
  *len = (size_t)(stop - start);
  return start;
}

bool green__http_is(const char *p, size_t len, const char *word)
{
  return len == strlen(word) && green__http_same(p, word, len);
}

/*
** Body
*/

const char *green__http_length(const green_http_fields *f, const char *buf,
                               int64_t *length)
{
  const green_http_field *h = &f->list[f->first[GREEN_H_CONTENT_LENGTH] - 1];
  if (h->flags & GREEN_HF_REPEATED) return "repeated Content-Length";
  const char *p = buf + h->value_off;
  bool bad = h->value_len == 0 || (h->value_len > 1 && *p == '0');
  int64_t n = 0;
  for (size_t i = 0; i < h->value_len && !bad; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';
    bad = digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
          __builtin_add_overflow(n, (int64_t)digit, &n);
  }
  if (bad) return "bad Content-Length";
  *length = n;
  return NULL;
}

/* One value of Transfer-Encoding, perhaps one of several. */
static const char *coding_list(const char *p, const char *e, bool *chunked,
                               bool *other)
{
  while (p) {
    size_t len;
    const char *word = green__http_list_next(&p, e, &len);
    if (*chunked) return "coding after chunked";
    const char *stop = green__scan_scalar(word, word + len, GREEN__TOKEN);
    bool param = stop > word && stop < word + len &&
                 (*stop == ';' || *stop == ' ' || *stop == '\t');
    if (green__http_is(word, len, "chunked"))
      *chunked = true;
    else if (!len || (stop < word + len && !param) ||
             green__http_is(word, (size_t)(stop - word), "chunked"))
      return "bad Transfer-Encoding";
    else
      *other = true;
  }
  return NULL;
}

const char *green__http_coding(const green_http_fields *f, const char *buf,
                               bool *chunked, bool *other)
{
  for (uint32_t i = 0; i < f->n; i++) {
    const green_http_field *h = &f->list[i];
    const char *p = buf + h->value_off;
    if (h->id != GREEN_H_TRANSFER_ENCODING) continue;
    const char *bad = coding_list(p, p + h->value_len, chunked, other);
    if (bad) return bad;
  }
  return NULL;
}

/*
** Connection
*/

static unsigned connection_list(const char *p, const char *e)
{
  unsigned options = 0;
  while (p) {
    size_t len;
    const char *word = green__http_list_next(&p, e, &len);
    if (green__http_is(word, len, "close"))
      options |= GREEN__CONN_CLOSE;
    else if (green__http_is(word, len, "keep-alive"))
      options |= GREEN__CONN_KEEP_ALIVE;
    else if (green__http_is(word, len, "upgrade"))
      options |= GREEN__CONN_UPGRADE;
  }
  return options;
}

unsigned green__http_connection(const green_http_fields *f, const char *buf)
{
  unsigned options = 0;
  uint32_t i = f->first[GREEN_H_CONNECTION];
  for (i = i ? i - 1 : f->n; i < f->n; i++) {
    const green_http_field *h = &f->list[i];
    const char *p = buf + h->value_off;
    if (h->id == GREEN_H_CONNECTION)
      options |= connection_list(p, p + h->value_len);
  }
  return options;
}
