/*
** ws_priv.h: what the readers of both kinds of frames share.
*/
#ifndef GREEN_PROTO_WS_PRIV_H
#define GREEN_PROTO_WS_PRIV_H

#include "proto/ws.h"

static inline int green__ws_refuse(green_ws_reader *r, const char *reason)
{
  r->code = 1002;
  r->reason = reason;
  return r->error = GREEN_EPROTO;
}

static inline int green__ws_exceed(green_ws_reader *r, const char *reason)
{
  r->code = 1009;
  r->reason = reason;
  return r->error = GREEN_ETOOBIG;
}

/* The next n bytes of the input are data. */
static inline int green__ws_data(green_ws_reader *r, uint32_t n, bool last)
{
  r->opcode = r->kind;
  r->compressed = r->packed;
  r->first = r->fresh;
  r->last = last;
  r->data_off = r->used;
  r->data_len = n;
  r->used += n;
  r->fresh = false;
  if (last) r->open = false;
  return GREEN_WS_DATA;
}

/* green_ws_next for drafts 75 and 76; n is at most 2^31 - 1. */
int green__ws_legacy_next(green_ws_reader *r, const char *in, uint32_t n);

#endif
