/*
** words.h: text files of the system, by lines and words.
**
** Private to proto. CR, LF and CRLF end a line, blanks and tabs part words.
** Any thread.
*/
#ifndef GREEN_PROTO_WORDS_H
#define GREEN_PROTO_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A range of bytes. */
typedef struct green__text {
  const char *p;
  const char *end;
} green__text;

static inline size_t green__text_len(green__text t)
{
  return (size_t)(t.end - t.p);
}

/* Take the next line away from the front; false: there is none. An empty line
** more, between CR and LF, does no harm. */
static inline bool green__text_line(green__text *t, green__text *line)
{
  if (t->p >= t->end) return false;
  const char *e = t->p;
  while (e < t->end && *e != '\n' && *e != '\r') e++;
  *line = (green__text){t->p, e};
  t->p = e < t->end ? e + 1 : e;
  return true;
}

static inline bool green__text_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* Take the next word away from the front; false: there is none. */
static inline bool green__text_word(green__text *t, green__text *word)
{
  while (t->p < t->end && green__text_blank(*t->p)) t->p++;
  const char *e = t->p;
  while (e < t->end && !green__text_blank(*e)) e++;
  *word = (green__text){t->p, e};
  t->p = e;
  return word->p < e;
}

/* Nothing counts from the first of these bytes on. */
static inline void green__text_until(green__text *t, const char *bytes)
{
  for (const char *e = t->p; e < t->end; e++)
    if (*e && strchr(bytes, *e)) t->end = e;
}

static inline bool green__text_is(green__text t, const char *s)
{
  size_t n = strlen(s);
  return green__text_len(t) == n && !memcmp(t.p, s, n);
}

/* Take s away from the front, if it is there. */
static inline bool green__text_skip(green__text *t, const char *s)
{
  size_t n = strlen(s);
  if (green__text_len(*t) < n || memcmp(t->p, s, n) != 0) return false;
  t->p += n;
  return true;
}

/* Decimal digits alone: at most max is returned; -1: something else. */
static inline int green__text_number(green__text t, int max)
{
  int v = 0;
  if (t.p >= t.end) return -1;
  for (const char *p = t.p; p < t.end; p++) {
    if (*p < '0' || *p > '9') return -1;
    v = v > max ? max : 10 * v + (*p - '0');
  }
  return v < max ? v : max;
}

#endif
