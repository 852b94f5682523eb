/*
** answer.c: how long an HTTP/1.x answer is.
*/

#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header in a head that ends in a blank line, or NULL. */
static const char *head_value(const char *head, size_t len, const char *name)
{
  size_t name_len = strlen(name);
  const char *p = head, *end = head + len;
  while ((p = memmem(p, (size_t)(end - p), "\r\n", 2))) {
    p += 2;
    if ((size_t)(end - p) <= name_len) return NULL;
    if (strncasecmp(p, name, name_len) != 0 || p[name_len] != ':') continue;
    p += name_len + 1;
    return p + strspn(p, " \t");
  }
  return NULL;
}

/* The length of a chunked body without trailers; 0 and -1 as
** answer_length. */
static ssize_t chunked_length(const char *body, size_t n)
{
  size_t at = 0;
  for (;;) {
    const char *eol = memmem(body + at, n - at, "\r\n", 2);
    if (!eol) return n - at > 32 ? -1 : 0;
    char *digits_end;
    unsigned long size = strtoul(body + at, &digits_end, 16);
    if (digits_end == body + at || size > 1u << 30) return -1;
    at = (size_t)(eol - body) + 2 + size + 2;
    if (at > n) return 0;
    if (memcmp(body + at - 2, "\r\n", 2) != 0) return -1;
    if (size == 0) return (ssize_t)at;
  }
}

static ssize_t body_length(const char *p, size_t head_len, size_t n)
{
  const char *value = head_value(p, head_len, "Content-Length");
  if (value) return (ssize_t)strtoul(value, NULL, 10);
  value = head_value(p, head_len, "Transfer-Encoding");
  if (!value || strncasecmp(value, "chunked", 7) != 0) return -1;
  return chunked_length(p + head_len, n - head_len);
}

ssize_t answer_length(answer_parser *a, const char *p, size_t n)
{
  if (a->head_len && n >= a->head_len && !memcmp(p, a->head, a->head_len))
    return (ssize_t)a->total;
  const char *end = memmem(p, n, "\r\n\r\n", 4);
  if (!end) return n >= ANSWER_HEAD_MAX ? -1 : 0;
  size_t head_len = (size_t)(end + 4 - p);
  if (head_len > ANSWER_HEAD_MAX || strncmp(p, "HTTP/1.", 7) != 0) return -1;
  a->status = atoi(p + 9);
  int chunked = !head_value(p, head_len, "Content-Length");
  ssize_t body = body_length(p, head_len, n);
  if (body < 0 || (chunked && body == 0)) return body;
  a->total = head_len + (size_t)body;
  a->head_len = chunked ? 0 : head_len;
  memcpy(a->head, p, head_len);
  return (ssize_t)a->total;
}
