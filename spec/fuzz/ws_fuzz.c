/*
** ws_fuzz.c: any bytes as frames of websockets, in any cut, against a plain
** reading of RFC 6455; and any messages as frames and back. The first byte has
** the options.
*/

#include "proto/ws_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* -- The RFC, read once more ---------------------------------------------- */

/* The whole input; what is there of it is walked from front to back. */
typedef struct plain {
  const unsigned char *p;
  size_t n;
  bool open, closed;
  uint64_t total, fragments;
} plain;

/* The header at p: how long it is; 0: it is not all there, but good so far; or
** the error. The payload's length is left in *len. */
static int plain_head(const plain *s, const green_ws_reader *r, uint64_t *len)
{
  int op = s->p[0] & 15, rsv = s->p[0] >> 4 & 7;
  bool fin = s->p[0] & 0x80, control = op >= 8, start = op == 1 || op == 2;
  if (op > 10 || (op > 2 && op < 8)) return GREEN_EPROTO;
  if (rsv && !(rsv == 4 && r->deflate && start)) return GREEN_EPROTO;
  if (control && !fin) return GREEN_EPROTO;
  if (!control && start == s->open) return GREEN_EPROTO;
  if (s->n < 2) return 0;
  unsigned size = s->p[1] & 0x7f, bytes = size == 127 ? 8 : size == 126 ? 2 : 0;
  if ((s->p[1] >> 7) != r->masked) return GREEN_EPROTO;
  if (control && size > 125) return GREEN_EPROTO;
  if (s->n < 2 + bytes + 4 * (unsigned)r->masked) return 0;
  *len = bytes ? 0 : size;
  for (unsigned i = 0; i < bytes; i++) *len = *len << 8 | s->p[2 + i];
  if (bytes == 2 && *len < 126) return GREEN_EPROTO;
  if (bytes == 8 && (*len < 65536 || *len > INT64_MAX)) return GREEN_EPROTO;
  return (int)(2 + bytes + 4 * (unsigned)r->masked);
}

static int plain_limit(const plain *s, const green_ws_reader *r, uint64_t len)
{
  if (len > r->max_frame || s->total + len > r->max_message ||
      s->fragments + 1 > r->max_fragments)
    return GREEN_ETOOBIG;
  return 0;
}

/* Payload, unmasked, into the log. */
static void plain_add(cut_frames *f, const unsigned char *p, size_t n,
                      const unsigned char *key)
{
  for (size_t i = 0; i < n; i++)
    f->log[f->len++] = (char)(key ? p[i] ^ key[i % 4] : p[i]);
}

static void plain_control(cut_frames *f, int op, const unsigned char *p,
                          size_t n, const unsigned char *key)
{
  char head[2] = {"0123456789a"[op], '('};
  cut_add(f, head, 2);
  plain_add(f, p, n, key);
  cut_add(f, ")", 1);
}

/* The frame at p. 1: go on behind it. */
static int plain_frame(plain *s, const green_ws_reader *r, cut_frames *f)
{
  uint64_t len = 0;
  int head = plain_head(s, r, &len);
  if (head <= 0) return head ? head : GREEN_EAGAIN;
  int op = s->p[0] & 15;
  if (op == 1 || op == 2) s->total = s->fragments = 0;
  if (op < 8 && plain_limit(s, r, len)) return GREEN_ETOOBIG;
  const unsigned char *p = s->p + head, *key = r->masked ? p - 4 : NULL;
  size_t there = s->n - (size_t)head;
  bool whole = there >= len;
  if (whole) there = (size_t)len;
  if (op >= 8) {
    if (!whole) return GREEN_EAGAIN;
    plain_control(f, op, p, there, key);
    s->closed = op == 8;
  } else {
    if (op && (there || whole)) cut_add(f, op == 1 ? "T[" : "B[", 2);
    if (op && (there || whole) && s->p[0] & 0x40) cut_add(f, "z", 1);
    plain_add(f, p, there, key);
    if (!whole) return GREEN_EAGAIN;
    s->total += len;
    s->fragments++;
    s->open = !(s->p[0] & 0x80);
    if (!s->open) cut_add(f, "]", 1);
  }
  s->p += (size_t)head + there;
  s->n -= (size_t)head + there;
  return 1;
}

static void plain_read(const green_ws_reader *r, const char *in, size_t n,
                       cut_frames *f)
{
  plain s = {.p = (const unsigned char *)in, .n = n};
  f->rc = 1;
  f->len = 0;
  while (s.n && !s.closed && f->rc == 1) f->rc = plain_frame(&s, r, f);
  if (f->rc == 1) f->rc = GREEN_EAGAIN;
}

/* -- Drafts --------------------------------------------------------------- */

static void plain_text(const char *p, size_t n, bool ends, cut_frames *f)
{
  if (n || ends) cut_add(f, "T[", 2);
  cut_add(f, p, n);
  if (ends) cut_add(f, "]", 1);
}

static void plain_legacy(const green_ws_reader *r, const char *in, size_t n,
                         cut_frames *f)
{
  uint64_t max = r->max_frame < r->max_message ? r->max_frame : r->max_message;
  const char *p = in, *end = in + n;
  f->rc = GREEN_EAGAIN;
  f->len = 0;
  while (p < end && *p == 0) {
    p++;
    const char *e = memchr(p, 0xff, (size_t)(end - p));
    size_t len = (size_t)((e ? e : end) - p);
    bool over = len > max;
    plain_text(p, over ? (size_t)max : len, e && !over, f);
    if (over) f->rc = GREEN_ETOOBIG;
    if (over || !e) return;
    p = e + 1;
  }
  if (p == end) return;
  if ((unsigned char)*p != 0xff || (p + 1 < end && p[1]))
    f->rc = GREEN_EPROTO;
  else if (p + 1 < end)
    cut_add(f, "8()", 3);
}

/* -- Both ways ------------------------------------------------------------ */

/* The bytes as one message in frames whose lengths come from them. */
static void check_round(const char *p, size_t n, bool masked)
{
  uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  char *wire = malloc(n * 15 + 64), *log = malloc(4 * (n * 15 + 64) + 1);
  cut_frames f = {.log = log};
  size_t len = 0, at = 0;
  do {
    size_t part = n - at ? 1 + (unsigned char)p[at] % (n - at) : 0;
    int op = at ? GREEN_WS_CONT : GREEN_WS_BINARY;
    len += (size_t)green_ws_head(wire + len, op, at + part == n, false, part,
                                 masked ? key : NULL);
    memcpy(wire + len, p + at, part);
    if (masked) green_ws_mask(wire + len, p + at, part, key, 0);
    len += part;
    at += part;
    key[at & 3]++;
  } while (at < n);
  green_ws_reader r;
  green_ws_init(&r);
  r.masked = masked;
  CHECK(cut_ws(r, wire, len, len < 3 ? len : 3, &f) == 1);
  CHECK(f.rc == GREEN_EAGAIN && f.len == n + 3);
  CHECK(!memcmp(f.log + 2, p, n) && f.log[n + 2] == ']');
  free(log);
  free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1 || size > 4096) return 0;
  const char *in = (const char *)data + 1;
  size_t n = size - 1;
  green_ws_reader r;
  green_ws_init(&r);
  r.masked = data[0] & 1;
  r.deflate = data[0] & 2;
  r.legacy = data[0] & 4;
  if (data[0] & 8) r.max_frame = 6;
  if (data[0] & 16) r.max_message = 9;
  if (data[0] & 32) r.max_fragments = 2;
  cut_frames got = {.log = malloc(4 * size + 1)};
  cut_frames want = {.log = malloc(4 * size + 1)};
  CHECK(cut_ws(r, in, n, n < 16 ? n : 16, &got));
  (r.legacy ? plain_legacy : plain_read)(&r, in, n, &want);
  CHECK(got.rc == want.rc && got.len == want.len);
  CHECK(!memcmp(got.log, want.log, got.len));
  CHECK((got.rc == GREEN_EAGAIN) == !got.reason);
  CHECK(got.code == (got.reason ? got.rc == GREEN_ETOOBIG ? 1009 : 1002 : 0));
  free(want.log);
  free(got.log);
  check_round(in, n, r.masked);
  return 0;
}
