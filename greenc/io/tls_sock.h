/*
** tls_sock.h: TLS on a socket: the codec of tls.h as the socket's filter.
**
** From the start on all calls of sock.h mean plain bytes. Reading waits for
** GREEN_READ alone, writing for GREEN_WRITE alone, once green_filter_handshake
** is done. A send may keep encrypted bytes back: green_filter_flush. Errors are
** those of the socket and of TLS (GREEN_ETLS...); the alert that they make
** leaves as far as it can.
*/
#ifndef GREEN_TLS_SOCK_H
#define GREEN_TLS_SOCK_H

#include "io/filter.h"
#include "io/tls.h"

/* ffi needs: sock tls */
/* ffi */
/* Put TLS of that sealed context on an open stream socket without a filter;
** what it has buffered is the peer's first encrypted bytes. 0; GREEN_ENOMEM or
** GREEN_ETOOBIG (it has buffered more than GREEN_TLS_INPUT): nothing has
** changed. */
GREEN_API int green_tls_sock_start(green_sock *s, green_tls_io *io,
                                   green_tls_ctx *ctx);

/* Its codec; NULL: it has no TLS. It lives as long as the filter. */
GREEN_API green_tls *green_tls_sock_codec(const green_sock *s);

/* The codec without the socket, which is plain from here on, for whoever feeds
** it and sends its output. Plain bytes that the socket has buffered
** stay there. NULL: it has no TLS. **Free with** green_tls_free. */
GREEN_API green_tls *green_tls_sock_take(green_sock *s);
/* end ffi */

#endif
