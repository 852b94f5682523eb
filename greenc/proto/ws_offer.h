/*
** ws_offer.h: Sec-WebSocket-Extensions: what is said of permessage-deflate
** (RFC 6455, 9.1; RFC 7692, 7.1).
**
** Values may be quoted; names are the same in any case of letters. No
** allocation. Any thread.
*/
#ifndef GREEN_PROTO_WS_OFFER_H
#define GREEN_PROTO_WS_OFFER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
typedef struct green_ws_offer {
  bool server_no_takeover;
  bool client_no_takeover;
  uint8_t server_bits; /* 8 to 15; 0: not said. */
  uint8_t client_bits;
  bool client_bits_free; /* client_max_window_bits stands without a value. */
} green_ws_offer;

/*
** What a server reads: the next offer of permessage-deflate that is valid, from
** p[*pos] on. Other extensions, and offers with parameters that are unknown,
** repeated or have a value that is none of theirs, are passed over. The field's
** values have been joined by commas.
**   1             *out is one; *pos is behind it
**   0             there is none any more
**   GREEN_EPROTO  no such field: 400. Said before the first offer (*pos is 0),
**                 wherever in the field the fault is
*/
GREEN_API int green_ws_offer_next(const char *p, size_t n, size_t *pos,
                                  green_ws_offer *out);

/*
** What a client reads: the answer to its offer.
**   1             *out are the parameters
**   0             nothing was agreed on
**   GREEN_EPROTO  anything but permessage-deflate once, with known parameters,
**                 each once and with a value of its own
** Whether the parameters suit the offer is the caller's to see.
*/
GREEN_API int green_ws_offer_answer(const char *p, size_t n,
                                    green_ws_offer *out);

enum { GREEN_WS_OFFER_MAX = 128 };

/* Write an offer, or the answer to one (client_bits_free counts for nothing
** there), and say how long it is: up to GREEN_WS_OFFER_MAX bytes, no NUL.
** GREEN_EOVERFLOW: cap is less than that offer takes. */
GREEN_API int green_ws_offer_write(char *out, size_t cap,
                                   const green_ws_offer *o, bool is_answer);
/* end ffi */

#endif
