/*
** dns_name.c: a walk from label to label, and what is done on it.
*/

#include "proto/dns_name.h"
#include "base/ascii.h"

#include <string.h>

/* Nobody has a use for more pointers than labels, and each may be one in a
** message of thousands. */
enum { HEADER = 12, LABEL_MAX = 63, POINTER = 0xc0, POINTERS_MAX = 128 };

/* -- Walk ----------------------------------------------------------------- */

typedef struct name_walk {
  const unsigned char *buf;
  uint32_t len;
  uint32_t at;    /* The next length byte. */
  uint32_t floor; /* Pointers must go below this. */
  uint32_t end;   /* Behind the name where it stands; 0: not known yet. */
  uint32_t wire;  /* Bytes without compression. */
  uint32_t jumps;
} name_walk;

static name_walk walk_start(const char *buf, size_t len, size_t off)
{
  return (name_walk){
      .buf = (const unsigned char *)buf,
      .len = len < UINT16_MAX ? (uint32_t)len : UINT16_MAX,
      .at = off < UINT32_MAX ? (uint32_t)off : UINT32_MAX,
      .floor = off < UINT32_MAX ? (uint32_t)off : UINT32_MAX,
  };
}

/* w->at is at a pointer. */
static int walk_jump(name_walk *w)
{
  if (w->len - w->at < 2 || ++w->jumps > POINTERS_MAX) return GREEN_EPROTO;
  uint32_t to = (w->buf[w->at] & ~(uint32_t)POINTER) << 8 | w->buf[w->at + 1];
  if (to < HEADER || to >= w->floor) return GREEN_EPROTO;
  if (!w->end) w->end = w->at + 2;
  w->at = w->floor = to;
  return 0;
}

/* The length of the next label, whose bytes are *label; 0: the name ends. */
static int walk_next(name_walk *w, const unsigned char **label)
{
  while (w->at < w->len && w->buf[w->at] >= POINTER)
    if (walk_jump(w) < 0) return GREEN_EPROTO;
  if (w->at >= w->len) return GREEN_EPROTO;
  uint32_t n = w->buf[w->at];
  if (n > LABEL_MAX || n >= w->len - w->at) return GREEN_EPROTO;
  w->wire += n + 1;
  if (w->wire > GREEN_DNS_NAME_WIRE) return GREEN_EPROTO;
  *label = w->buf + w->at + 1;
  w->at += n + 1;
  if (!n && !w->end) w->end = w->at;
  return (int)n;
}

int green_dns_name_end(const char *buf, size_t len, size_t off)
{
  name_walk w = walk_start(buf, len, off);
  const unsigned char *label;
  int n;
  do n = walk_next(&w, &label);
  while (n > 0);
  return n < 0 ? n : (int)w.end;
}

/* -- Text ----------------------------------------------------------------- */

/* One byte of a label as text: 1, 2 or 4 characters. */
static size_t byte_text(unsigned char c, char out[4])
{
  if (c <= ' ' || c >= 0x7f) {
    out[0] = '\\';
    out[1] = (char)('0' + c / 100);
    out[2] = (char)('0' + c / 10 % 10);
    out[3] = (char)('0' + c % 10);
    return 4;
  }
  bool is_special = strchr("\"$().;@\\", c) != NULL;
  out[0] = '\\';
  out[is_special] = (char)c;
  return is_special ? 2 : 1;
}

static int text_label(const unsigned char *label, int n, char *text,
                      size_t size)
{
  size_t at = 0;
  char one[4];
  for (int i = 0; i < n; i++) {
    size_t k = byte_text(label[i], one);
    if (size - at <= k) return GREEN_ENOBUFS;
    memcpy(text + at, one, k);
    at += k;
  }
  return (int)at;
}

int green_dns_name_text(const char *buf, size_t len, size_t off, char *text,
                        size_t size)
{
  name_walk w = walk_start(buf, len, off);
  const unsigned char *label;
  size_t at = 0;
  int n;
  while ((n = walk_next(&w, &label)) > 0) {
    if (at + 1 >= size) return GREEN_ENOBUFS;
    if (at) text[at++] = '.';
    int k = text_label(label, n, text + at, size - at);
    if (k < 0) return k;
    at += (size_t)k;
  }
  if (n < 0) return n;
  if (!at && size) text[at++] = '.';
  if (at >= size) return GREEN_ENOBUFS;
  text[at] = '\0';
  return (int)at;
}

/* -- Comparing ------------------------------------------------------------ */

static bool label_same(const unsigned char *a, const unsigned char *b, int n)
{
  for (int i = 0; i < n; i++)
    if (green_ascii_lower((char)a[i]) != green_ascii_lower((char)b[i]))
      return false;
  return true;
}

static bool walk_same(name_walk a, name_walk b)
{
  for (;;) {
    const unsigned char *in_a, *in_b;
    int n = walk_next(&a, &in_a), m = walk_next(&b, &in_b);
    if (n < 0 || n != m) return false;
    if (!n) return true;
    if (!label_same(in_a, in_b, n)) return false;
  }
}

bool green_dns_name_same(const char *buf, size_t len, size_t a, size_t b)
{
  return walk_same(walk_start(buf, len, a), walk_start(buf, len, b));
}

bool green_dns_name_within(const char *buf, size_t len, size_t a, size_t b)
{
  name_walk w = walk_start(buf, len, a), zone = walk_start(buf, len, b);
  const unsigned char *label;
  do
    if (walk_same(w, zone)) return true;
  while (walk_next(&w, &label) > 0);
  return false;
}

/* -- Text to bytes -------------------------------------------------------- */

/* The byte that text stands for at p, which is a backslash; the characters
** read, or GREEN_EINVAL. */
static int escape_byte(const char *p, const char *end, char *byte)
{
  if (end - p < 2) return GREEN_EINVAL;
  if (!green_ascii_is_digit(p[1])) return *byte = p[1], 2;
  if (end - p < 4 || !green_ascii_is_digit(p[2]) || !green_ascii_is_digit(p[3]))
    return GREEN_EINVAL;
  int value = (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
  if (value > 255) return GREEN_EINVAL;
  *byte = (char)value;
  return 4;
}

/* One label of the text, behind its length byte, in out: the characters read.
*/
static int pack_label(const char *p, const char *end, char *out, int *length)
{
  const char *start = p;
  int n = 0;
  while (p < end && *p != '.') {
    char c = *p;
    int k = c == '\\' ? escape_byte(p, end, &c) : 1;
    if (k < 0) return k;
    if (n == LABEL_MAX) return GREEN_ENAMETOOLONG;
    out[++n] = c;
    p += k;
  }
  if (!n) return GREEN_EINVAL;
  out[0] = (char)n;
  *length = n + 1;
  return (int)(p - start);
}

/* Room in out for a label more than a name may have. */
static int pack_labels(const char *p, const char *end, char *out)
{
  int at = 0, n;
  while (p < end) {
    int k = pack_label(p, end, out + at, &n);
    if (k < 0) return k;
    at += n;
    if (at >= GREEN_DNS_NAME_WIRE) return GREEN_ENAMETOOLONG;
    p += k;
    if (p < end) p++; /* the dot */
  }
  out[at] = '\0';
  return at + 1;
}

int green_dns_name_pack(const char *text, size_t n, char *out, size_t cap)
{
  char wire[GREEN_DNS_NAME_WIRE + LABEL_MAX + 1];
  if (!n) return GREEN_EINVAL;
  if (n == 1 && *text == '.') n = 0;
  int len = pack_labels(text, text + n, wire);
  if (len < 0) return len;
  if ((size_t)len > cap) return GREEN_ENOBUFS;
  memcpy(out, wire, (size_t)len);
  return len;
}
