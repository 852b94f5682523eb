/*
** ws_pack.h: messages of websockets, packed and unpacked: permessage-deflate
** (RFC 7692, 7.2).
**
** The streams are inflate.h's, and whoever has them may reset them between
** messages: that is what no_context_takeover means. A message may go through in
** pieces; only its last one ends it. After an error a stream is of no more use.
*/
#ifndef GREEN_PROTO_WS_PACK_H
#define GREEN_PROTO_WS_PACK_H

#include "base/buf.h"
#include "proto/inflate.h"

/* ffi needs: buf inflate */
/* ffi */
/* Pack the next n bytes of a message (none are a piece, too) and append what
** comes out; with last all of it does, without the end 00 00 FF FF that every
** message has. z is of GREEN_Z_RAW. 0, GREEN_ENOMEM, GREEN_ETOOBIG (out has a
** limit), GREEN_ECLOSED. */
GREEN_API int green_ws_pack(green_deflate *z, const char *p, size_t n,
                            bool last, green_buf *out);

/*
** Unpack the next n bytes of a message and append what comes out. z is of
** GREEN_Z_MESSAGES: blocks that end their stream (BFINAL) may stand anywhere,
** and nothing behind one refers to what is before it. out grows as bytes come.
**   GREEN_ETOOBIG  out would hold more than max bytes in all (or its limit)
**   GREEN_EPROTO   no such stream, or a message that ends within a block, which
**                  one that was cut does, and an empty one that was not packed
**   GREEN_ENOMEM, GREEN_ECLOSED
*/
GREEN_API int green_ws_unpack(green_inflate *z, const char *p, size_t n,
                              bool last, green_buf *out, size_t max);
/* end ffi */

#endif
