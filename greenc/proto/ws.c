/*
** ws.c: the reader of RFC 6455's frames; what is written of them.
*/

#include "proto/utf8.h"
#include "proto/ws_priv.h"

#include <string.h>

/* Of the first two bytes. */
enum {
  FIN = 0x80,
  RSV = 0x70,
  RSV1 = 0x40,
  OPCODE = 0x0f,
  CONTROL = 0x08,
  MASKED = 0x80,
  LENGTH = 0x7f,
};

enum { CONTROL_MAX = 125 };

void green_ws_init(green_ws_reader *r)
{
  memset(r, 0, sizeof(*r));
  r->max_frame = r->max_message = 8 << 20;
  r->max_fragments = 4096;
  r->masked = true;
}

bool green_ws_is_idle(const green_ws_reader *r)
{
  return !r->head_len && !r->inside && !r->open && !r->error && !r->closed;
}

/* -- Headers -------------------------------------------------------------- */

static uint64_t get_number(const char *p, int bytes)
{
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v = v << 8 | (unsigned char)p[i];
  return v;
}

static void put_number(char *p, int bytes, uint64_t v)
{
  for (int i = bytes; i-- > 0; v >>= 8) p[i] = (char)v;
}

/* Take bytes of the header until there are `want`. false: they are not there.
 */
static bool head_fill(green_ws_reader *r, const char *in, uint32_t n,
                      uint32_t want)
{
  uint32_t more = r->head_len < want ? want - r->head_len : 0;
  bool whole = n - r->used >= more;
  if (!whole) more = n - r->used;
  memcpy(r->head + r->head_len, in + r->used, more);
  r->head_len += (uint8_t)more;
  r->used += more;
  return whole;
}

static int head_check_rsv(green_ws_reader *r, int byte)
{
  int opcode = byte & OPCODE, rsv = byte & RSV;
  if (!rsv) return 0;
  if (rsv != RSV1 || !r->deflate)
    return green__ws_refuse(r, "reserved bits are set");
  if (opcode == GREEN_WS_TEXT || opcode == GREEN_WS_BINARY) return 0;
  return green__ws_refuse(r, "RSV1 is set, and no message begins");
}

/* The byte with the opcode. 0 or the error. */
static int head_check_opcode(green_ws_reader *r)
{
  int byte = (unsigned char)r->head[0], opcode = byte & OPCODE;
  if ((opcode & ~CONTROL) > 2) return green__ws_refuse(r, "reserved opcode");
  int rc = head_check_rsv(r, byte);
  if (rc) return rc;
  if (opcode & CONTROL)
    return byte & FIN ? 0 : green__ws_refuse(r, "fragmented control frame");
  if (opcode == GREEN_WS_CONT && !r->open)
    return green__ws_refuse(r, "continuation of no message");
  if (opcode != GREEN_WS_CONT && r->open)
    return green__ws_refuse(r, "message inside a message");
  return 0;
}

/* The byte with the mask's bit. */
static int head_check_mask(green_ws_reader *r)
{
  int byte = (unsigned char)r->head[1];
  if (r->masked && !(byte & MASKED))
    return green__ws_refuse(r, "frame without mask");
  if (!r->masked && byte & MASKED)
    return green__ws_refuse(r, "frame with a mask");
  if (r->head[0] & CONTROL && (byte & LENGTH) > CONTROL_MAX)
    return green__ws_refuse(r, "control frame too long");
  return 0;
}

/* How many bytes say the length, behind the first two. */
static uint32_t head_extra(const green_ws_reader *r)
{
  int length = r->head[1] & LENGTH;
  return length == 127 ? 8 : length == 126 ? 2 : 0;
}

/* The length that a header says, of which all is there. */
static int head_check_length(green_ws_reader *r, uint32_t extra)
{
  r->left = r->head[1] & LENGTH;
  if (!extra) return 0;
  r->left = get_number(r->head + 2, (int)extra);
  if (r->left >> 63) return green__ws_refuse(r, "length of 2^63 or more");
  if (r->left <= (extra == 2 ? CONTROL_MAX : 0xffff))
    return green__ws_refuse(r, "length in a longer form than it needs");
  return 0;
}

/* The limits, before a byte of the payload. */
static int head_check_limits(green_ws_reader *r)
{
  if (r->left > r->max_frame) return green__ws_exceed(r, "frame too long");
  if (r->total > r->max_message || r->left > r->max_message - r->total)
    return green__ws_exceed(r, "message too long");
  if (r->fragments >= r->max_fragments)
    return green__ws_exceed(r, "message in too many frames");
  return 0;
}

/* A data frame begins, maybe a message with it. */
static int head_data(green_ws_reader *r)
{
  int opcode = r->head[0] & OPCODE;
  if (opcode != GREEN_WS_CONT) {
    r->kind = (uint8_t)opcode;
    r->packed = r->head[0] & RSV1;
    r->total = r->fragments = 0;
    r->open = r->fresh = true;
  }
  int rc = head_check_limits(r);
  r->total += r->left;
  r->fragments++;
  return rc;
}

/* All of a header is there. */
static int head_end(green_ws_reader *r, uint32_t extra)
{
  int rc = head_check_length(r, extra);
  if (rc) return rc;
  if (r->masked) memcpy(r->key, r->head + 2 + extra, 4);
  r->final = r->head[0] & FIN;
  r->opcode = r->head[0] & OPCODE;
  r->control_len = 0;
  r->head_len = 0;
  r->inside = true;
  return r->opcode & CONTROL ? 0 : head_data(r);
}

/* Take a header. 0: it is complete; GREEN_EAGAIN or the error. */
static int head_take(green_ws_reader *r, const char *in, uint32_t n)
{
  bool whole = head_fill(r, in, n, 2);
  if (!r->head_len) return GREEN_EAGAIN;
  int rc = head_check_opcode(r);
  if (rc) return rc;
  if (!whole) return GREEN_EAGAIN;
  rc = head_check_mask(r);
  if (rc) return rc;
  uint32_t extra = head_extra(r), size = 2 + extra + (r->masked ? 4 : 0);
  return head_fill(r, in, n, size) ? head_end(r, extra) : GREEN_EAGAIN;
}

/* -- Payload -------------------------------------------------------------- */

/* How much of the frame's payload is there; it leaves the frame. */
static uint32_t take(green_ws_reader *r, uint32_t n)
{
  uint32_t there = n - r->used;
  if (there > r->left) there = (uint32_t)r->left;
  r->left -= there;
  if (!r->left) r->inside = false;
  return there;
}

/* Unmask n bytes. While more are to come, the key is turned to those. Are they
** ASCII, as far as it is known? */
static bool unmask(green_ws_reader *r, char *to, const char *from, uint32_t n)
{
  if (!r->masked) {
    if (to != from) memcpy(to, from, n);
    return false;
  }
  bool is_ascii = green_ws_mask(to, from, n, r->key, 0);
  if (!r->inside || !(n & 3)) return is_ascii;
  uint8_t key[4];
  for (uint32_t i = 0; i < 4; i++) key[i] = r->key[(n + i) & 3];
  memcpy(r->key, key, 4);
  return is_ascii;
}

static int control_take(green_ws_reader *r, const char *in, uint32_t n)
{
  uint32_t got = take(r, n);
  unmask(r, r->control + r->control_len, in + r->used, got);
  r->control_len += (uint8_t)got;
  r->used += got;
  if (r->inside) return GREEN_EAGAIN;
  r->closed = r->opcode == GREEN_WS_CLOSE;
  return GREEN_WS_CONTROL;
}

static int data_take(green_ws_reader *r, char *in, uint32_t n)
{
  uint32_t got = take(r, n);
  if (!got && r->inside) return GREEN_EAGAIN;
  r->ascii = unmask(r, in + r->used, in + r->used, got);
  return green__ws_data(r, got, r->final && !r->inside);
}

/* The opcode of a frame that is open is found here: between its pieces none
** other comes. */
static int frame_next(green_ws_reader *r, char *in, uint32_t n)
{
  int rc = r->inside ? 0 : head_take(r, in, n);
  if (rc) return rc;
  return r->opcode & CONTROL ? control_take(r, in, n) : data_take(r, in, n);
}

int green_ws_next(green_ws_reader *r, char *in, size_t len)
{
  uint32_t n = len < INT32_MAX ? (uint32_t)len : INT32_MAX;
  r->data_off = r->data_len = r->used = 0;
  r->first = r->last = r->ascii = false;
  if (r->error) return r->error;
  if (r->closed) {
    r->used = n;
    return GREEN_EAGAIN;
  }
  return r->legacy ? green__ws_legacy_next(r, in, n) : frame_next(r, in, n);
}

/* -- Writing -------------------------------------------------------------- */

int green_ws_head(char out[14], int opcode, bool last, bool compressed,
                  uint64_t n, const uint8_t *mask)
{
  int extra = n > 0xffff ? 8 : n > CONTROL_MAX ? 2 : 0;
  int length = extra == 8 ? 127 : extra ? 126 : (int)n;
  out[0] = (char)((last ? FIN : 0) | (compressed ? RSV1 : 0) | opcode);
  out[1] = (char)((mask ? MASKED : 0) | length);
  put_number(out + 2, extra, n);
  if (!mask) return 2 + extra;
  memcpy(out + 2 + extra, mask, 4);
  return 6 + extra;
}

/* -- Close ---------------------------------------------------------------- */

bool green_ws_code_is_valid(int code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

int green_ws_close_parse(const char *p, size_t n, uint16_t *code)
{
  *code = 1005;
  if (!n) return 0;
  if (n < 2) return GREEN_EPROTO;
  int found = (int)get_number(p, 2);
  if (!green_ws_code_is_valid(found)) return GREEN_EPROTO;
  if (!green_utf8_check(p + 2, n - 2)) return GREEN_EILSEQ;
  *code = (uint16_t)found;
  return 0;
}

int green_ws_close_write(char out[125], int code, const char *reason, size_t n)
{
  if (code == 1005) return 0;
  put_number(out, 2, (uint64_t)code);
  if (n > CONTROL_MAX - 2)
    for (n = CONTROL_MAX - 2; n && (reason[n] & 0xc0) == 0x80;) n--;
  if (n) memcpy(out + 2, reason, n);
  return (int)n + 2;
}
