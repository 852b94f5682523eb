/*
** http_field_priv.h: what the parsers of requests and responses share.
**
** Taking a field is here as inline functions: each parser, and its twin with
** scalar scans in the tests, gets its own.
*/
#ifndef GREEN_PROTO_HTTP_FIELD_PRIV_H
#define GREEN_PROTO_HTTP_FIELD_PRIV_H

#include "proto/http_field.h"
#include "proto/scan.h"

/* GREEN_H_* of a name, whatever the case of its letters. */
unsigned green__http_field_id(const char *name, size_t len);

/* Are the names equal but for the case of ASCII letters? */
bool green__http_same(const char *a, const char *b, size_t len);

/* Is p[0 .. len) this word, but for the case of ASCII letters? */
bool green__http_is(const char *p, size_t len, const char *word);

/* The next element of a comma-separated list in [*p, e), blanks around it cut
** off; *p moves behind it, to NULL when it was the last. */
const char *green__http_list_next(const char **p, const char *e, size_t *len);

/* What Content-Length says: digits only, no leading zero, once. NULL, or what
** is wrong with it. There is one. */
const char *green__http_length(const green_http_fields *f, const char *buf,
                               int64_t *length);

/* What all values of Transfer-Encoding say: *chunked when they end in that,
** *other when there was something else. NULL, or what is wrong with them. */
const char *green__http_coding(const green_http_fields *f, const char *buf,
                               bool *chunked, bool *other);

/* The options that all values of Connection name. */
enum {
  GREEN__CONN_CLOSE = 1,
  GREEN__CONN_KEEP_ALIVE = 2,
  GREEN__CONN_UPGRADE = 4,
};
unsigned green__http_connection(const green_http_fields *f, const char *buf);

/* Why a line that begins at pos and may have max bytes was not taken. n of the
** len bytes count (the limit of the head); there is no line event before from.
** What shows first in the bytes decides. */
enum {
  GREEN__LINE_WAITS, /* It is not complete. */
  GREEN__LINE_LONG,  /* It is longer than that, */
  GREEN__LINE_FULL,  /* or the head is. */
  GREEN__LINE_CR,    /* There is a bare CR in it. */
  GREEN__LINE_BAD,   /* For the error that was found in it. */
};
int green__http_verdict(const char *buf, size_t pos, uint32_t max, size_t n,
                        size_t len, size_t from);

/* Why a field was not taken; without a reason the bytes were not all there. */
typedef struct green__http_refusal {
  const char *reason;
  bool big; /* By a limit. */
} green__http_refusal;

static inline uint32_t green__http_clamp(uint32_t n, uint32_t low,
                                         uint32_t high)
{
  return n < low ? low : n > high ? high : n;
}

/* The first LF in [from, n), or CR with something else behind it; n: none. */
static inline size_t green__http_line_event(const char *buf, size_t from,
                                            size_t n)
{
  for (; from < n; from++) {
    if (buf[from] == '\n') return from;
    if (buf[from] == '\r' && from + 1 < n && buf[from + 1] != '\n') return from;
  }
  return n;
}

static inline const char *green__http_refuse(green__http_refusal *why,
                                             const char *reason)
{
  why->reason = reason;
  return NULL;
}

static inline const char *green__http_name_fail(green__http_refusal *why,
                                                char c)
{
  if (c == '\r' || c == '\n')
    return green__http_refuse(why, "no colon in a field");
  if (c == ' ' || c == '\t')
    return green__http_refuse(why, "blank in or before a field name");
  return green__http_refuse(why, "bad byte in a field name");
}

/* A name that is none of the known: is it a token? Sets the flags. */
static inline bool green__http_name_check(const char *p, size_t len,
                                          uint8_t *flags)
{
  for (size_t i = 0; i < len; i++) {
    if (!green__scan_is(p[i], GREEN__TOKEN)) return false;
    if (p[i] == '_') *flags = GREEN_HF_UNDERSCORE;
  }
  return true;
}

static inline void green__http_field_add(green_http_fields *f,
                                         const green_http_field *h)
{
  f->list[f->n++] = *h;
  if (h->id == GREEN_H_OTHER) return;
  if (f->first[h->id])
    f->list[f->first[h->id] - 1].flags |= GREEN_HF_REPEATED;
  else
    f->first[h->id] = (uint8_t)f->n;
}

/* The end of the value at v: where its line end begins; NULL: refused, or it
** is not all there. */
static inline const char *green__http_value(const char *v, const char *end,
                                            green__http_refusal *why)
{
  const char *e = green__scan_value(v, end);
  if (e == end) return NULL;
  if (*e != '\r')
    return green__http_refuse(why, *e == '\n' ? "bare LF"
                                              : "control byte in a field");
  if (end - e < 2) return NULL;
  return e[1] == '\n' ? e : green__http_refuse(why, "bare CR");
}

/* Take the field and its line end at p. Returns where the next line begins. */
static inline const char *green__http_field_line(green_http_fields *f,
                                                 uint32_t max_field,
                                                 uint32_t max, const char *buf,
                                                 const char *p, const char *end,
                                                 green__http_refusal *why)
{
  const char *colon = green__scan_name(p, end);
  if (colon == end) return NULL;
  if (*colon != ':') return green__http_name_fail(why, *colon);
  if (colon == p) return green__http_refuse(why, "empty field name");
  green_http_field h = {.name_off = (uint32_t)(p - buf)};
  h.name_len = (uint16_t)(colon - p);
  h.id = (uint8_t)green__http_field_id(p, (size_t)(colon - p));
  if (h.id == GREEN_H_OTHER &&
      !green__http_name_check(p, (size_t)(colon - p), &h.flags))
    return green__http_refuse(why, "bad byte in a field name");

  const char *v = colon + 1;
  while (v < end && (*v == ' ' || *v == '\t')) v++;
  const char *e = green__http_value(v, end, why);
  if (!e) return NULL;
  const char *next = e + 2;
  why->big = next - 2 - p > max_field || f->n >= max;
  if (next - 2 - p > max_field)
    return green__http_refuse(why, "field too large");
  if (f->n >= max) return green__http_refuse(why, "too many fields");
  while (e > v && (e[-1] == ' ' || e[-1] == '\t')) e--;
  h.value_off = (uint32_t)(v - buf);
  h.value_len = (uint32_t)(e - v);
  green__http_field_add(f, &h);
  return next;
}

#endif
