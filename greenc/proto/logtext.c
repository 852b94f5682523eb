/*
** logtext.c: pieces of a line of a log.
*/

#include "proto/logtext.h"
#include "proto/http_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ESCAPE_MAX 8     /* Of one byte: \u{202e} is of three. */
#define NUMBER_MAX 40    /* With quotes. */
#define WHOLE_BELOW 1e15 /* Whole numbers with more digits look like others. */
#define TIME_MAX 40
#define SECOND 1000000000

/* -- Characters ----------------------------------------------------------- */

/* How many bytes follow the first one of a character; -1: it begins none. */
static int followers(unsigned char b)
{
  if (b < 0x80) return 0;
  if (b < 0xc2 || b > 0xf4) return -1;
  return b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
}

/* No overlong form, no surrogate, nothing above U+10FFFF (RFC 3629, 4). */
static int is_second(unsigned char first, unsigned char b)
{
  unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return b >= least && b <= most;
}

/* The bytes of the character at p, and what it is; 0: it is none. */
static int character(const unsigned char *p, size_t n, uint32_t *code)
{
  int more = followers(p[0]);
  if (more < 0 || (size_t)more >= n) return 0;
  *code = more == 0 ? p[0] : p[0] & (0x3fu >> more);
  for (int i = 1; i <= more; i++) {
    if (i == 1 ? !is_second(p[0], p[1]) : (p[i] & 0xc0) != 0x80) return 0;
    *code = *code << 6 | (p[i] & 0x3f);
  }
  return more + 1;
}

/* What a reader does not see, or what makes him see something else: control
** characters, U+2028 and U+2029, and what turns the direction of writing. */
static int is_hidden(uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e ||
         c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

#define EACH(byte) (0x0101010101010101u * (byte))
#define HAS_ZERO(x) (((x)-EACH(1)) & ~(x)&EACH(0x80))

/* Eight bytes at once: is none of them to be looked at? */
static int are_plain(uint64_t x)
{
  uint64_t odd = x | (x - EACH(0x20)) | HAS_ZERO(x ^ EACH(0x7f)) |
                 HAS_ZERO(x ^ EACH('"')) | HAS_ZERO(x ^ EACH('\\'));
  return !(odd & EACH(0x80));
}

/* -- Escapes -------------------------------------------------------------- */

static char *put_hex(char *at, uint32_t c, int digits)
{
  static const char hex[] = "0123456789abcdef";
  while (digits-- > 0) *at++ = hex[c >> (4 * digits) & 15];
  return at;
}

static char letter_of(uint32_t c)
{
  return c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : 0;
}

static char *put_json(char *at, uint32_t c)
{
  *at++ = '\\';
  char letter = c == '"' || c == '\\' ? (char)c : letter_of(c);
  if (letter)
    *at++ = letter;
  else
    *at++ = 'u', at = put_hex(at, c, 4);
  return at;
}

static char *put_shown(char *at, uint32_t c)
{
  *at++ = '\\';
  char letter = c == '"' || c == '\\' ? (char)c : letter_of(c);
  if (letter)
    *at++ = letter;
  else if (c < 0x80)
    *at++ = 'x', at = put_hex(at, c, 2);
  else
    *at++ = 'u', *at++ = '{', at = put_hex(at, c, 4), *at++ = '}';
  return at;
}

static char *put_wrong(char *at, unsigned char b, int form)
{
  if (form == GREEN_LOGTEXT_JSON) {
    memcpy(at, "\xef\xbf\xbd", 3);
    return at + 3;
  }
  *at++ = '\\';
  *at++ = 'x';
  return put_hex(at, b, 2);
}

static int is_escaped(uint32_t c, int form)
{
  if (c == '"' || c == '\\') return form != GREEN_LOGTEXT_SHOWN;
  return is_hidden(c);
}

/* One character of n bytes at *p, or one byte that is none. */
static char *put_one(char *at, const char **p, size_t n, int form)
{
  uint32_t c = 0;
  int len = character((const unsigned char *)*p, n, &c);
  if (len == 0) {
    at = put_wrong(at, (unsigned char)**p, form);
    len = 1;
  } else if (is_escaped(c, form)) {
    at = form == GREEN_LOGTEXT_JSON ? put_json(at, c) : put_shown(at, c);
  } else {
    memcpy(at, *p, (size_t)len);
    at += len;
  }
  *p += len;
  return at;
}

static char *put_text(char *at, const char *p, size_t n, int form)
{
  const char *end = p + n;
  uint64_t block;
  while (p < end) {
    if (end - p >= 8) {
      memcpy(&block, p, 8);
      if (are_plain(block)) {
        memcpy(at, p, 8);
        at += 8, p += 8;
        continue;
      }
    }
    at = put_one(at, &p, (size_t)(end - p), form);
  }
  return at;
}

/* -- Texts ---------------------------------------------------------------- */

/* Can it stand for a value without quotes? */
static int is_word(const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    unsigned char b = (unsigned char)p[i];
    if (b <= ' ' || b >= 0x7f || b == '"' || b == '=' || b == '\\') return 0;
  }
  return n > 0;
}

static int wants_quotes(const char *p, size_t n, int form)
{
  return form == GREEN_LOGTEXT_JSON ||
         (form == GREEN_LOGTEXT_VALUE && !is_word(p, n));
}

/* Room for n bytes behind a head, which is put there. NULL: *code says why. */
static char *begin(green_buf *b, const char *head, size_t h, size_t n,
                   int *code)
{
  *code = green_buf_reserve(b, h + n);
  if (*code < 0) return NULL;
  char *at = green_buf_space(b);
  if (h) memcpy(at, head, h);
  return at + h;
}

static int end_at(green_buf *b, const char *at)
{
  green_buf_commit(b, (size_t)(at - green_buf_space(b)));
  return 0;
}

int green_logtext_text(green_buf *b, const char *head, size_t h, const char *p,
                       size_t n, int form)
{
  int code, quotes = wants_quotes(p, n, form);
  if (n > GREEN_BUF_MAX / ESCAPE_MAX) return GREEN_ETOOBIG;
  char *at = begin(b, head, h, ESCAPE_MAX * n + 2, &code);
  if (!at) return code;
  if (quotes) *at++ = '"';
  at = put_text(at, p, n, form);
  if (quotes) *at++ = '"';
  return end_at(b, at);
}

/* -- Numbers -------------------------------------------------------------- */

/* A host may have set a locale with another point. */
static int write_real(char *p, double value)
{
  int n = snprintf(p, NUMBER_MAX, "%.14g", value);
  if (strtod(p, NULL) != value) n = snprintf(p, NUMBER_MAX, "%.17g", value);
  for (int i = 0; i < n; i++)
    if (!strchr("0123456789+-e", p[i])) p[i] = '.';
  return n;
}

static int write_odd(char *p, double value, int form)
{
  const char *text = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const char *quote = form == GREEN_LOGTEXT_JSON ? "\"" : "";
  return snprintf(p, NUMBER_MAX, "%s%s%s", quote, text, quote);
}

int green_logtext_number(green_buf *b, const char *head, size_t h, double value,
                         int form)
{
  int code;
  char *at = begin(b, head, h, NUMBER_MAX, &code);
  if (!at) return code;
  if (!isfinite(value))
    at += write_odd(at, value, form);
  else if (fabs(value) < WHOLE_BELOW && (double)(int64_t)value == value)
    at += green_http_write_decimal(at, NUMBER_MAX, (int64_t)value);
  else
    at += write_real(at, value);
  return end_at(b, at);
}

/* -- Times ---------------------------------------------------------------- */

static char *put_decimal(char *at, uint32_t value, int digits)
{
  for (int i = digits - 1; i >= 0; i--, value /= 10)
    at[i] = (char)('0' + value % 10);
  return at + digits;
}

/* Year, month and day of a day since 1970-01-01, by the rules of now: years
** begin in March, so that a leap day is the last of one. */
static char *put_date(char *at, int64_t day)
{
  int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
  uint32_t of_era = (uint32_t)(z - era * 146097);
  uint32_t years =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  uint32_t of_year = of_era - (365 * years + years / 4 - years / 100);
  uint32_t month = (5 * of_year + 2) / 153;
  uint32_t of_month = of_year - (153 * month + 2) / 5 + 1;
  month = month < 10 ? month + 3 : month - 9;
  at = put_decimal(at, (uint32_t)(era * 400 + years + (month <= 2)), 4);
  *at++ = '-';
  at = put_decimal(at, month, 2);
  *at++ = '-';
  return put_decimal(at, of_month, 2);
}

static char *put_clock(char *at, uint32_t seconds)
{
  *at++ = 'T';
  at = put_decimal(at, seconds / 3600, 2);
  *at++ = ':';
  at = put_decimal(at, seconds / 60 % 60, 2);
  *at++ = ':';
  return put_decimal(at, seconds % 60, 2);
}

int green_logtext_time(green_buf *b, const char *head, size_t h, int64_t ns,
                       int digits)
{
  int code;
  uint32_t micros = (uint32_t)(ns % SECOND / 1000);
  int64_t seconds = ns / SECOND;
  green_assert(ns >= 0, "since 1970");
  green_assert(digits >= 0 && digits <= 6, "what a clock tells");
  char *at = begin(b, head, h, TIME_MAX, &code);
  if (!at) return code;
  at = put_date(at, seconds / 86400);
  at = put_clock(at, (uint32_t)(seconds % 86400));
  if (digits > 0) {
    *at++ = '.';
    put_decimal(at, micros, 6); /* Those that are too many are written over. */
    at += digits;
  }
  *at++ = 'Z';
  return end_at(b, at);
}

int64_t green_logtext_clock(void)
{
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

int green_logtext_now(green_buf *b, const char *head, size_t h, int digits)
{
  return green_logtext_time(b, head, h, green_logtext_clock(), digits);
}
