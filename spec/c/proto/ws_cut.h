/*
** ws_cut.h: frames through the reader in every cut. Fuzzers use it too.
*/
#ifndef GREEN_WS_CUT_H
#define GREEN_WS_CUT_H

#include "guard.h"
#include "proto/ws.h"

#include <stdio.h>

/* What came out: "T[", or "B[", with a "z" if compressed, the data and "]" of
** a message; "8(", "9(" or "a(", the payload and ")" of a control frame. */
typedef struct cut_frames {
  int rc; /* GREEN_EAGAIN or the error. */
  uint16_t code;
  const char *reason;
  int sound; /* What the reader said made sense. */
  size_t len;
  char *log;
} cut_frames;

static void cut_add(cut_frames *f, const void *p, size_t n)
{
  memcpy(f->log + f->len, p, n);
  f->len += n;
}

static void cut_control(cut_frames *f, const green_ws_reader *r)
{
  char head[3] = {"0123456789abcdef"[r->opcode & 15], '('};
  cut_add(f, head, 2);
  cut_add(f, r->control, r->control_len);
  cut_add(f, ")", 1);
}

/* It is known of what was masked, and of nothing else. */
static int cut_ascii(const green_ws_reader *r, const char *p)
{
  bool is = r->masked && !r->legacy;
  for (uint32_t i = 0; i < r->data_len; i++)
    if ((unsigned char)p[i] >= 0x80) is = false;
  return r->ascii == is;
}

static void cut_data(cut_frames *f, const green_ws_reader *r, const char *in)
{
  if (!cut_ascii(r, in + r->data_off)) f->sound = 0;
  if (r->first) cut_add(f, r->opcode == GREEN_WS_TEXT ? "T[" : "B[", 2);
  if (r->first && r->compressed) cut_add(f, "z", 1);
  cut_add(f, in + r->data_off, r->data_len);
  if (r->last) cut_add(f, "]", 1);
}

/* One piece of the input, at the end of the memory. */
static void cut_piece(green_ws_reader *r, const char *in, size_t n,
                      cut_frames *f)
{
  char *p = guard_copy(in, n);
  do {
    f->rc = green_ws_next(r, p, n);
    if (r->used > n || r->data_off + r->data_len > r->used) f->sound = 0;
    if (f->rc != GREEN_WS_DATA && r->data_len) f->sound = 0;
    if (f->rc == GREEN_WS_DATA) cut_data(f, r, p);
    if (f->rc == GREEN_WS_CONTROL) cut_control(f, r);
    p += r->used;
    n -= r->used;
  } while (f->rc > 0);
  if (f->rc == GREEN_EAGAIN && n) f->sound = 0;
}

/* Feed in[0..n): the first `first` bytes, then pieces of at most step. */
static void cut_feed(green_ws_reader r, const char *in, size_t n, size_t first,
                     size_t step, cut_frames *f)
{
  f->rc = GREEN_EAGAIN;
  f->len = 0;
  f->sound = 1;
  for (size_t at = 0; at < n && f->rc == GREEN_EAGAIN;) {
    size_t len = at < first ? first - at : step;
    if (len > n - at) len = n - at;
    cut_piece(&r, in + at, len, f);
    at += len;
  }
  f->code = r.code;
  f->reason = r.reason;
  if (f->rc != GREEN_EAGAIN && green_ws_next(&r, NULL, 0) != f->rc)
    f->sound = 0;
}

static int cut_same(const cut_frames *a, const cut_frames *b)
{
  return a->sound && b->sound && a->rc == b->rc && a->code == b->code &&
         a->reason == b->reason && a->len == b->len &&
         !memcmp(a->log, b->log, a->len);
}

/* Whole into f; cut in two at each of the first `most` bytes; in pieces of each
** length up to it. 0: they do not agree. Options are taken from r. f->log has
** room for 4 * n + 1 bytes. */
static int cut_ws(green_ws_reader r, const char *in, size_t n, size_t most,
                  cut_frames *f)
{
  cut_frames other = {.log = malloc(4 * n + 1)};
  cut_feed(r, in, n, n, 1, f);
  int same = f->sound;
  for (size_t at = 1; at <= most && same; at++) {
    cut_feed(r, in, n, at, n, &other);
    same = cut_same(f, &other);
    if (!same) break;
    cut_feed(r, in, n, 0, at, &other);
    same = cut_same(f, &other);
  }
  free(other.log);
  return same;
}

#endif
