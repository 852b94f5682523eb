/*
** glob.c: names and wildcards.
*/

#include "proto/glob.h"

#include <stdint.h>
#include <string.h>

typedef struct text {
  const char *at;
  const char *end;
} text;

/* -- Characters ----------------------------------------------------------- */

/* Bytes of the sequence that a byte begins; 1: none. */
static int sequence_len(unsigned char c)
{
  if (c >= 0xf0 && c < 0xf8) return 4;
  if (c >= 0xe0 && c < 0xf0) return 3;
  return c >= 0xc2 && c < 0xe0 ? 2 : 1;
}

/* Take a character. Bytes that are none have values that no character has. */
static uint32_t take(text *t)
{
  unsigned char c = (unsigned char)*t->at;
  int n = sequence_len(c);
  uint32_t value = n == 1 ? c : c & (0x7fu >> n);
  if (n > t->end - t->at) n = 0;
  for (int i = 1; i < n; i++) {
    unsigned char next = (unsigned char)t->at[i];
    if ((next & 0xc0) != 0x80) n = 0;
    value = value << 6 | (next & 0x3f);
  }
  if (n <= 1 || (n == 3 && value < 0x800) || (n == 4 && value < 0x10000)) {
    t->at++;
    return c < 0x80 ? c : 0x80000000u | c;
  }
  t->at += n;
  return value;
}

/* One of the pattern, which a `\` may stand before. */
static uint32_t take_escaped(text *p)
{
  if (*p->at == '\\' && p->at + 1 < p->end) p->at++;
  return take(p);
}

/* -- Sets ----------------------------------------------------------------- */

/* Behind the bracket that closes the set that begins at p; NULL: none does. */
static const char *set_end(text p)
{
  p.at++;
  if (p.at < p.end && (*p.at == '!' || *p.at == '^')) p.at++;
  for (int is_first = 1; p.at < p.end; is_first = 0) {
    if (*p.at == ']' && !is_first) return p.at + 1;
    take_escaped(&p);
  }
  return NULL;
}

/* An item of a set: a character, or a range. */
static bool item_has(text *p, uint32_t c)
{
  uint32_t low = take_escaped(p), high = low;
  if (p->at + 1 < p->end && *p->at == '-') {
    p->at++;
    high = take_escaped(p);
  }
  return low <= c && c <= high;
}

/* Is c in the set that p stands at? p goes behind it. */
static bool set_has(text *p, const char *end, uint32_t c)
{
  text inside = {p->at + 1, end - 1};
  bool is_negated = *inside.at == '!' || *inside.at == '^';
  bool found = false;
  if (is_negated) inside.at++;
  while (inside.at < inside.end) found |= item_has(&inside, c);
  p->at = end;
  return found != is_negated;
}

/* -- Matching ------------------------------------------------------------- */

/* Does what p stands at, which is no `*`, match the next character? */
static bool match_one(text *p, text *t)
{
  uint32_t c = take(t);
  if (*p->at == '?') {
    p->at++;
    return true;
  }
  const char *end = *p->at == '[' ? set_end(*p) : NULL;
  return end ? set_has(p, end, c) : take_escaped(p) == c;
}

/* Only the last `*` can need to have taken more: what stands before it has
** matched as little as it could. */
bool green_glob_match(const char *pattern, size_t m, const char *name, size_t n)
{
  text p = {pattern, pattern + m}, t = {name, name + n};
  text star = {NULL, NULL}, from = t;
  while (t.at < t.end) {
    if (p.at < p.end && *p.at == '*') {
      p.at++;
      star = p;
      from = t;
    } else if (p.at < p.end && match_one(&p, &t)) {
      continue;
    } else if (star.at) {
      take(&from);
      t = from;
      p = star;
    } else {
      return false;
    }
  }
  while (p.at < p.end && *p.at == '*') p.at++;
  return p.at == p.end;
}

bool green_glob_is_pattern(const char *pattern, size_t m)
{
  for (size_t i = 0; i < m; i++)
    if (strchr("*?[\\", pattern[i]) && pattern[i]) return true;
  return false;
}
