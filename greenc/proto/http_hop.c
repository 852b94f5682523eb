/*
** http_hop.c: what a proxy hands on of a head.
*/

#include "proto/http_hop.h"
#include "proto/http_field_priv.h"

static int is_named(const char *p, size_t n, const char *name, size_t len)
{
  const char *end = p + n;
  while (p) {
    size_t word_len;
    const char *word = green__http_list_next(&p, end, &word_len);
    if (word_len == len && green__http_same(word, name, len)) return 1;
  }
  return 0;
}

/* Does a field Connection name it? */
static int connection_names(const green_http_fields *f, const char *buf,
                            const green_http_field *x)
{
  const char *name = buf + x->name_off;
  for (int i = f->first[GREEN_H_CONNECTION] - 1; i >= 0;
       i = green_http_field_next(f, buf, i)) {
    const green_http_field *c = &f->list[i];
    if (c->value_len >= x->name_len &&
        is_named(buf + c->value_off, c->value_len, name, x->name_len))
      return 1;
  }
  return 0;
}

bool green_http_hop_passes(const green_http_fields *f, const char *buf,
                           uint32_t i)
{
  const green_http_field *x = &f->list[i];
  switch (x->id) {
  case GREEN_H_HOST:
  case GREEN_H_CONTENT_LENGTH:
    return true;
  case GREEN_H_CONNECTION:
  case GREEN_H_KEEP_ALIVE:
  case GREEN_H_TE:
  case GREEN_H_TRAILER:
  case GREEN_H_TRANSFER_ENCODING:
  case GREEN_H_UPGRADE:
  case GREEN_H_EXPECT:
    return false;
  case GREEN_H_OTHER:
    if (x->name_len > 6 && green__http_is(buf + x->name_off, 6, "proxy-"))
      return false;
  }
  return !f->first[GREEN_H_CONNECTION] || !connection_names(f, buf, x);
}
