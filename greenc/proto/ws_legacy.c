/*
** ws_legacy.c: frames of drafts 75 and 76 (hixie-76, 5.3): 0x00, a text, 0xFF;
** and 0xFF 0x00, the end.
**
** The drafts let a reader skip frames of other types, which nobody may send
** yet. They are refused: Eventlet did so, and a length that is only skipped is
** a way to keep a server reading for nothing.
*/

#include "proto/ws_priv.h"

#include <string.h>

/* Payload that this message may still have. */
static uint64_t legacy_room(const green_ws_reader *r)
{
  uint64_t max = r->max_frame < r->max_message ? r->max_frame : r->max_message;
  return r->total < max ? max - r->total : 0;
}

/* A piece of a text, up to its 0xFF. What is over the limit is refused once
** what is not has been given out. */
static int legacy_text(green_ws_reader *r, const char *in, uint32_t n)
{
  uint32_t there = n - r->used;
  if (!there) return GREEN_EAGAIN;
  uint64_t room = legacy_room(r);
  uint32_t look = there <= room ? there : (uint32_t)room + 1;
  const char *from = in + r->used, *end = memchr(from, 0xff, look);
  if (!end && look > room && !room)
    return green__ws_exceed(r, "message too long");
  uint32_t got = end ? (uint32_t)(end - from) : look > room ? look - 1 : look;
  r->total += got;
  int rc = green__ws_data(r, got, end != NULL);
  if (end) r->used++;
  return rc;
}

/* The byte behind a 0xFF. */
static int legacy_close(green_ws_reader *r, const char *in, uint32_t n)
{
  if (r->used == n) return GREEN_EAGAIN;
  if (in[r->used]) return green__ws_refuse(r, "frame with a length");
  r->used++;
  r->head_len = 0;
  r->opcode = GREEN_WS_CLOSE;
  r->control_len = 0;
  r->closed = true;
  return GREEN_WS_CONTROL;
}

/* The byte that says a frame's type. */
static int legacy_type(green_ws_reader *r, const char *in, uint32_t n)
{
  if (r->used == n) return GREEN_EAGAIN;
  unsigned type = (unsigned char)in[r->used];
  if (type != 0 && type != 0xff)
    return green__ws_refuse(r, type & 0x80 ? "frame with a length"
                                           : "frame of an unknown type");
  r->used++;
  if (type) {
    r->head_len = 1;
    return legacy_close(r, in, n);
  }
  r->kind = GREEN_WS_TEXT;
  r->total = 0;
  r->open = r->fresh = true;
  return legacy_text(r, in, n);
}

int green__ws_legacy_next(green_ws_reader *r, const char *in, uint32_t n)
{
  if (r->open) return legacy_text(r, in, n);
  return r->head_len ? legacy_close(r, in, n) : legacy_type(r, in, n);
}
