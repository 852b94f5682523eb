/*
** http_hop.h: what a proxy hands on of a head (RFC 9110, 7.6.1).
*/
#ifndef GREEN_PROTO_HTTP_HOP_H
#define GREEN_PROTO_HTTP_HOP_H

#include "proto/http_field.h"

/* Is field i for more than the next hop? Not so Connection, the fields that one
** names, and what is a hop's own: Keep-Alive, TE, Trailer, Transfer-Encoding,
** Upgrade, Expect, and all that begin with Proxy-. Host and Content-Length
** always are, whatever Connection says: without them a message would mean
** something else. */
GREEN_API bool green_http_hop_passes(const green_http_fields *f,
                                     const char *buf, uint32_t i);

#endif
