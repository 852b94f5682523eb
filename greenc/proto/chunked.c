/*
** chunked.c: the chunked decoder: one step for each byte that is no data.
*/

#include "proto/chunked.h"
#include "proto/scan.h"

/* What the next byte belongs to. The order matters: extensions are the states
** from EXT_GAP to EXT_QUOTED_END, trailers those from TRAILER on. */
enum {
  SIZE,       /* hex digits */
  EXT_GAP,    /* blanks, then ";" */
  EXT_NAME_0, /* blanks, then a token */
  EXT_NAME,
  EXT_NAME_GAP, /* blanks, then "=" or ";" */
  EXT_VALUE_0,  /* blanks, then a token or a quoted string */
  EXT_VALUE,
  EXT_QUOTED,
  EXT_QUOTED_PAIR, /* behind a backslash */
  EXT_QUOTED_END,
  SIZE_LF,
  DATA,
  DATA_CR,
  DATA_LF,
  TRAILER, /* a field, or the CR of the blank line */
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  END_LF,
};

void green_chunked_init(green_chunked *c)
{
  memset(c, 0, sizeof(*c));
  c->max_ext = 4096;
  c->max_trailer = 8192;
}

static int chunked_fail(green_chunked *c, int error, const char *reason)
{
  c->error = error;
  c->reason = reason;
  return error;
}

static bool is_blank(char b)
{
  return b == ' ' || b == '\t';
}

static int size_digit(green_chunked *c, char b)
{
  int digit = green__scan_hex(b);
  if (digit < 0) return chunked_fail(c, GREEN_EPROTO, "bad chunk size");
  if (++c->digits > 16 || c->left > INT64_MAX >> 4)
    return chunked_fail(c, GREEN_EPROTO, "chunk size too large");
  c->left = c->left << 4 | digit;
  return 0;
}

/* The state that follows b in an extension, from each state; -1: none. */
static int ext_next(int state, char b)
{
  bool token = green__scan_is(b, GREEN__TOKEN), blank = is_blank(b);
  switch (state) {
  case EXT_NAME_0:
    return token ? EXT_NAME : blank ? EXT_NAME_0 : -1;
  case EXT_NAME:
    if (token) return EXT_NAME;
    /* fallthrough */
  case EXT_NAME_GAP:
    if (b == '=') return EXT_VALUE_0;
    if (blank) return EXT_NAME_GAP;
    break;
  case EXT_VALUE_0:
    if (b == '"') return EXT_QUOTED;
    return token ? EXT_VALUE : blank ? EXT_VALUE_0 : -1;
  case EXT_VALUE:
    if (token) return EXT_VALUE;
    break;
  case EXT_QUOTED:
    if (b == '"') return EXT_QUOTED_END;
    if (b == '\\') return EXT_QUOTED_PAIR;
    /* fallthrough */
  case EXT_QUOTED_PAIR:
    return green__scan_is(b, GREEN__VALUE) ? EXT_QUOTED : -1;
  default:
    break;
  }
  if (b == ';') return EXT_NAME_0;
  if (blank) return EXT_GAP;
  bool whole = state == EXT_NAME || state == EXT_VALUE ||
               state == EXT_QUOTED_END || state == SIZE;
  return b == '\r' && whole ? SIZE_LF : -1;
}

static int ext_step(green_chunked *c, char b)
{
  int next = ext_next(c->state, b);
  if (next < 0)
    return chunked_fail(c, GREEN_EPROTO,
                        c->state == SIZE ? "bad chunk size"
                                         : "bad chunk extension");
  c->state = (uint8_t)next;
  if (next != SIZE_LF && ++c->ext > c->max_ext)
    return chunked_fail(c, GREEN_ETOOBIG, "chunk extensions too long");
  return 0;
}

/* The line end behind a chunk size. Data make up for extensions. */
static int size_end(green_chunked *c)
{
  c->ext -= c->left < c->ext ? (uint32_t)c->left : c->ext;
  c->digits = 0;
  c->state = c->left ? DATA : TRAILER;
  return 0;
}

static int trailer_next(int state, char b)
{
  switch (state) {
  case TRAILER:
    if (b == '\r') return END_LF;
    return green__scan_is(b, GREEN__TOKEN) ? TRAILER_NAME : -1;
  case TRAILER_NAME:
    if (b == ':') return TRAILER_VALUE;
    return green__scan_is(b, GREEN__TOKEN) ? TRAILER_NAME : -1;
  case TRAILER_VALUE:
    if (b == '\r') return TRAILER_LF;
    return green__scan_is(b, GREEN__VALUE) ? TRAILER_VALUE : -1;
  default:
    return b == '\n' ? TRAILER : -1;
  }
}

static int trailer_step(green_chunked *c, char b)
{
  if (c->state == END_LF) {
    if (b != '\n') return chunked_fail(c, GREEN_EPROTO, "bad trailer");
    c->done = true;
    return 0;
  }
  int next = trailer_next(c->state, b);
  if (next < 0) return chunked_fail(c, GREEN_EPROTO, "bad trailer");
  c->state = (uint8_t)next;
  if (next != END_LF && ++c->trailer > c->max_trailer)
    return chunked_fail(c, GREEN_ETOOBIG, "trailers too long");
  return 0;
}

/* Any byte that is no data. 0 or the error. */
static int chunked_step(green_chunked *c, char b)
{
  int rc;
  switch (c->state) {
  case SIZE:
    if (c->digits && green__scan_hex(b) < 0) return ext_step(c, b);
    return size_digit(c, b);
  case SIZE_LF:
    if (b == '\n') return size_end(c);
    return chunked_fail(c, GREEN_EPROTO, "bare CR behind a chunk size");
  case DATA_CR:
    c->state = DATA_LF;
    if (b == '\r') return 0;
    return chunked_fail(c, GREEN_EPROTO, "chunk longer than its size");
  case DATA_LF:
    c->state = SIZE;
    if (b == '\n') return 0;
    return chunked_fail(c, GREEN_EPROTO, "bare CR behind a chunk");
  default:
    if (c->state < TRAILER) return ext_step(c, b);
    rc = trailer_step(c, b);
    if (!rc) c->trailer_len++;
    return rc;
  }
}

/* Give out a range of at most max bytes that begins at in[at] of len. */
static int chunked_data(green_chunked *c, uint32_t at, uint32_t len,
                        uint32_t max)
{
  uint32_t n = len - at < max ? len - at : max;
  if (n > c->left) n = (uint32_t)c->left;
  c->data_off = at;
  c->data_len = n;
  c->used = at + n;
  c->total += n;
  c->left -= n;
  if (!c->left) c->state = DATA_CR;
  return 1;
}

/* next with at most max bytes of data. */
static int chunked_run(green_chunked *c, const char *in, size_t len,
                       uint32_t max)
{
  c->data_off = c->data_len = c->used = c->trailer_len = 0;
  if (c->error) return c->error;
  if (c->done) return 0;
  uint32_t n = len < INT32_MAX ? (uint32_t)len : INT32_MAX;
  for (uint32_t i = 0; i < n; i++) {
    if (c->state == DATA) return chunked_data(c, i, n, max);
    int rc = chunked_step(c, in[i]);
    if (rc) return rc;
    c->used = i + 1;
    if (c->done) return 0;
  }
  return GREEN_EAGAIN;
}

int green_chunked_next(green_chunked *c, const char *in, size_t len)
{
  return chunked_run(c, in, len, INT32_MAX);
}

int green_chunked_read(green_chunked *c, const char *in, size_t len, char *out,
                       size_t cap)
{
  uint32_t used = 0, n = 0, max = cap < INT32_MAX ? (uint32_t)cap : INT32_MAX;
  if (len > INT32_MAX) len = INT32_MAX;
  int rc;
  do {
    rc = chunked_run(c, in + used, len - used, max - n);
    if (c->data_len) memmove(out + n, in + used + c->data_off, c->data_len);
    used += c->used;
    n += c->data_len;
  } while (rc > 0 && c->data_len);
  c->used = used;
  c->data_off = 0;
  c->data_len = n;
  bool error = rc < 0 && rc != GREEN_EAGAIN;
  return error && !n ? rc : (int)n;
}

int green_chunked_eof(const green_chunked *c)
{
  if (c->error) return c->error;
  return c->done ? 0 : GREEN_EEOF;
}
