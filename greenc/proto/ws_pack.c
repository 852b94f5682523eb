/*
** ws_pack.c: permessage-deflate's messages over zlib's streams.
*/

#include "proto/ws_pack.h"

/* What a flush ends with, and messages leave out: the lengths of an empty
** stored block. */
static const char tail[4] = {0, 0, (char)0xff, (char)0xff};

/* Room for what is packed at once; out grows by itself beyond that. */
enum { PIECE = 4096, SPARE = 64 };

/* Take the tail off what was appended behind the first `before` bytes. Nothing
** was, when a flush follows a flush: the message is empty. */
static int pack_end(green_buf *out, size_t before)
{
  if (green_buf_len(out) - before < sizeof(tail))
    return green_buf_append(out, "", 1);
  out->tail -= sizeof(tail);
  return 0;
}

int green_ws_pack(green_deflate *z, const char *p, size_t n, bool last,
                  green_buf *out)
{
  size_t before = green_buf_len(out), room, got;
  do {
    int rc = green_buf_reserve(out, (n < PIECE ? n : PIECE) + SPARE);
    if (rc < 0) return rc;
    room = green_buf_room(out);
    rc = green_deflate_run(z, p, n, green_buf_space(out), room,
                           last ? GREEN_Z_SYNC : GREEN_Z_GO_ON);
    if (rc < 0) return rc;
    got = (size_t)rc;
    green_buf_commit(out, got);
    p += z->used;
    n -= z->used;
  } while (got == room || n);
  return last ? pack_end(out, before) : 0;
}

/* A byte, for which there is no room yet: memory grows only for bytes that have
** come, and over the limit none does. */
static int unpack_byte(green_inflate *z, const char *p, size_t n,
                       green_buf *out, size_t left)
{
  char c;
  int rc = green_inflate_run(z, p, n, &c, 1);
  if (rc <= 0) return rc;
  if (!left) return GREEN_ETOOBIG;
  int err = green_buf_append(out, &c, 1);
  return err < 0 ? err : 1;
}

/* One run, into the room that there is. Returns what was appended. */
static int unpack_run(green_inflate *z, const char *p, size_t n, green_buf *out,
                      size_t room)
{
  int rc = green_inflate_run(z, p, n, green_buf_space(out), room);
  if (rc > 0) green_buf_commit(out, (size_t)rc);
  return rc;
}

/* 0 when all is used and out. */
static int unpack_piece(green_inflate *z, const char *p, size_t n,
                        green_buf *out, size_t max)
{
  for (;;) {
    size_t len = green_buf_len(out), left = len < max ? max - len : 0;
    size_t room = green_buf_room(out);
    if (room > left) room = left;
    int rc =
        room ? unpack_run(z, p, n, out, room) : unpack_byte(z, p, n, out, left);
    if (rc < 0) return rc;
    p += z->used;
    n -= z->used;
    if ((size_t)rc < (room ? room : 1) && !n) return 0;
  }
}

int green_ws_unpack(green_inflate *z, const char *p, size_t n, bool last,
                    green_buf *out, size_t max)
{
  int rc = unpack_piece(z, p, n, out, max);
  if (rc < 0 || !last) return rc;
  rc = unpack_piece(z, tail, sizeof(tail), out, max);
  if (rc < 0) return rc;
  return green_inflate_is_between(z) ? 0 : GREEN_EPROTO;
}
