/*
** tls.h: TLS as a codec: bytes of the network in, plain bytes out, and back.
**
** No descriptor, no waiting. Give what arrived to green_tls_feed, and send what
** green_tls_output has after each call, whatever that call returned: also
** errors leave something to be sent, an alert. Results besides counts:
**
**   GREEN_EAGAIN       it wants input: feed it
**   GREEN_ENOBUFS      it wants room: send its output
**   GREEN_EINPROGRESS  the handshake waits for green_tls_choose, or for another
**                      thread to do a part of it (green_tls_wants_pool)
**   anything else      the connection is over: green_tls_failure has a sentence
**
** Reading waits for input alone, writing for room alone (once the handshake is
** done). A failure stays: each later call gives the same code.
*/
#ifndef GREEN_TLS_H
#define GREEN_TLS_H

#include "base/buf.h"
#include "io/tls_ctx.h"

/* ffi needs: buf tls_ctx */
/* ffi */
typedef struct green_tls_io green_tls_io;
typedef struct green_tls green_tls;
typedef struct green_tls_session green_tls_session;

/* -- What the connections of one thread share ----------------------------- */

enum {
  GREEN_TLS_OUTPUT = 262144, /* Bytes that are written before they are sent. */
  GREEN_TLS_INPUT = 262144,  /* Bytes that arrive before they are read. */
  GREEN_TLS_KEPT = 65536     /* With that many unsent, nothing is added. */
};

/* NULL: out of memory. Connections hold references. **Free with**
** green_tls_io_free; NULL is fine. */
GREEN_API green_tls_io *green_tls_io_new(void);
GREEN_API void green_tls_io_free(green_tls_io *io);

/* -- Life ----------------------------------------------------------------- */

/* A connection of a sealed context, which says whether it is a server's. NULL:
** out of memory. **Free with** green_tls_free; NULL is fine, and at any time,
** also while the pool has it. */
GREEN_API green_tls *green_tls_new(green_tls_io *io, green_tls_ctx *ctx);
GREEN_API void green_tls_free(green_tls *t);

/* Take it from its thread, with what it has read and not given and what it has
** not sent: from here on any thread may free it or have it by
** green_tls_arrive, and nothing else may be done to it. 0; GREEN_EAGAIN: the
** handshake is not done; GREEN_ENOMEM, which ends the connection: then it has
** not gone. */
GREEN_API int green_tls_depart(green_tls *t);

/* It is this thread's from here on, and a connection of that io. */
GREEN_API void green_tls_arrive(green_tls *t, green_tls_io *io);

/* Can it be the host of a server: a name, or an IP address? */
GREEN_API bool green_tls_is_host(const char *host);

/* Clients, before the handshake: who the server is, a name or an IP address. A
** name is asked for (SNI), and the certificate must have it among its
** alternative names: common names do not count, "*" stands for one whole label.
** An address must be there as an address. GREEN_EINVAL: it is neither. */
GREEN_API int green_tls_set_host(green_tls *t, const char *host);

/* Clients: whom the certificate names does not matter. */
GREEN_API void green_tls_set_any_host(green_tls *t);

/* 0; GREEN_EAGAIN, GREEN_ENOBUFS, GREEN_EINPROGRESS; or why there will be no
** TLS. read and write begin with it where it is not done. A verifying client
** that was told no host: GREEN_EINVAL. */
GREEN_API int green_tls_handshake(green_tls *t);

/* Ended by the caller or the peer, or failed; is the handshake done? */
GREEN_API bool green_tls_is_done(const green_tls *t);

/* The failure, or NULL. It lives as long as t. */
GREEN_API const green_tls_error *green_tls_failure(const green_tls *t);

/* The number of the alert with which the peer ended it (48), -1: it sent none.
** The name of one ("unknown_ca"), NULL: there is no such one. */
GREEN_API int green_tls_alert(const green_tls *t);
GREEN_API const char *green_tls_alert_name(int alert);

/* Which certificate was refused: 0 the peer's own, 1 that of its issuer, ...;
** -1: none. green_tls_peer_text has more of it under GREEN_TLS_BAD_CERT. */
GREEN_API int green_tls_bad_cert(const green_tls *t);

/* -- The network's side --------------------------------------------------- */

/* Bytes that arrived. How many were taken: fewer than n, or 0, when
** GREEN_TLS_INPUT of them wait to be read; or GREEN_ENOMEM. */
GREEN_API int green_tls_feed(green_tls *t, const void *p, size_t n);

/* The same without a copy: p is read from until green_tls_keep, which copies
** what is left; the caller's memory is free again then. One piece at a time.
** keep: 0 or GREEN_ENOMEM, which ends the connection. */
GREEN_API int green_tls_lend(green_tls *t, const void *p, size_t n);
GREEN_API int green_tls_keep(green_tls *t);

/* GREEN_TLS_INPUT bytes to receive into and lend from; they are anybody's after
** keep. NULL: out of memory. */
GREEN_API char *green_tls_scratch(green_tls *t);

/* How many bytes feed or lend take now. */
GREEN_API size_t green_tls_room(const green_tls *t);

/* What was fed and not taken: where a read has given 0, the bytes behind the
** peer's close_notify, which are TLS no more. *p is good until the next call
** for t. */
GREEN_API size_t green_tls_rest(const green_tls *t, const char **p);

/* Nothing will arrive any more. */
GREEN_API void green_tls_feed_end(green_tls *t);

/* What is to be sent, and how much. *p is good until the next call for any
** connection of the same io. */
GREEN_API size_t green_tls_output(const green_tls *t, const char **p);

/* n bytes of these were sent. */
GREEN_API void green_tls_sent(green_tls *t, size_t n);

/* -- The program's side --------------------------------------------------- */

/* Plain bytes. The count; 0: the peer ended the stream (or n is 0);
** GREEN_EAGAIN; GREEN_ETLSTRUNCATED: the network ended it. */
GREEN_API int green_tls_read(green_tls *t, void *p, size_t n);

/* The count, which may be less than n; GREEN_ENOBUFS: send the output first;
** GREEN_ECLOSED: after green_tls_close. */
GREEN_API int green_tls_write(green_tls *t, const void *p, size_t n);

/* May a read give something although nothing more is fed? */
GREEN_API bool green_tls_pending(const green_tls *t);

/* Does it hold what has arrived and has not become plain bytes: a record, or a
** part of one? */
GREEN_API bool green_tls_has_part(const green_tls *t);

/* Tell the peer that no more will be written (close_notify). What the peer
** writes can still be read. Idempotent; 0, or GREEN_ENOBUFS: there is no room
** for that now, send the output and call again. Nothing is told when the
** handshake is not done or the connection has failed. */
GREEN_API int green_tls_close(green_tls *t);

/* -- A server's choice ---------------------------------------------------- */

/* What a client asks for, while its handshake waits (GREEN_EINPROGRESS). */
typedef struct green_tls_hello {
  const char *name;    /* In lower case; NULL: none. */
  const uint8_t *alpn; /* Its protocols, each with its length before it. */
  size_t alpn_len;     /* 0: none. */
} green_tls_hello;

/* 0; GREEN_EINVAL: it does not wait. What out points to is good until the next
** call for t. */
GREEN_API int green_tls_get_hello(const green_tls *t, green_tls_hello *out);

/* Go on with that sealed context (NULL: as if there had been no choice) and
** that protocol (NULL: by the context's list). Then call green_tls_handshake.
** GREEN_EINVAL: it does not wait, or ctx is a client's. */
GREEN_API int green_tls_choose(green_tls *t, green_tls_ctx *ctx,
                               const char *alpn);

/* May a request for that host, as a Host names it without its port, be answered
** on this connection of a server? A client that was asked for a certificate has
** shown it for the name that it asked for: no other, and without a name only
** those of the same context. Else all, but those whose context asks for one.
** Where contexts are chosen (green_tls_ctx_set_chooses), only the name that it
** asked for, or an address where it named none. 0 bytes: no host, true. */
GREEN_API bool green_tls_serves(const green_tls *t, const char *host, size_t n);

/* Why a client is refused. */
enum { GREEN_TLS_NO_NAME = 112, GREEN_TLS_NO_PROTOCOL = 120 };

/* Do not go on: green_tls_handshake fails from here on, and tells the client by
** that alert. 0; GREEN_EINVAL: it does not wait. */
GREEN_API int green_tls_refuse(green_tls *t, int alert);

/* Was that called for it? */
GREEN_API bool green_tls_is_refused(const green_tls *t);

/* Does its handshake wait for another thread, as a signature takes long
** (green_tls_ctx_set_pool)? See green_tls_pool_start. */
GREEN_API bool green_tls_wants_pool(const green_tls *t);

/* Do here and now what waits for another thread. 0; GREEN_EINVAL: nothing
** does. */
GREEN_API int green_tls_work(green_tls *t);

/* -- Sessions of clients -------------------------------------------------- */

/* The newest that the server gave, or NULL: none (yet: with TLS 1.3 it comes
** with what is read first). Use it once. **Free with** green_tls_session_free;
** NULL is fine. Any thread may free it. */
GREEN_API green_tls_session *green_tls_session_get(const green_tls *t);
GREEN_API void green_tls_session_free(green_tls_session *s);

/* Before the handshake, after set_host: ask to go on with that one, which stays
** the caller's. GREEN_EINVAL: it was made under another name, verification,
** authorities or client certificate; nothing has changed. */
GREEN_API int green_tls_session_use(green_tls *t, const green_tls_session *s);

/* Before the handshake, after set_host: what a session must have been made
** under to be of use, in bytes: name, verification, authorities, client
** certificate, versions and ciphers. 0 or GREEN_ENOMEM. */
enum { GREEN_TLS_SESSION_KEY = 32 };
GREEN_API int green_tls_session_key(const green_tls *t,
                                    uint8_t out[GREEN_TLS_SESSION_KEY]);

/* For so many seconds from when it was made it may be of use: a day at most. */
GREEN_API int green_tls_session_lifetime(const green_tls_session *s);

/* -- What was agreed ------------------------------------------------------ */

typedef struct green_tls_info {
  const char *version; /* "TLSv1.3" */
  const char *cipher;  /* "TLS_AES_128_GCM_SHA256" */
  const char *alpn;    /* Not ended by a NUL. */
  size_t alpn_len;     /* 0: none. */
  const char *name;    /* SNI, in lower case; NULL: none. */
  bool resumed;
} green_tls_info;

/* 0; GREEN_EAGAIN: the handshake is not done. */
GREEN_API int green_tls_get_info(const green_tls *t, green_tls_info *out);

/* How many certificates the peer showed, its own first; of a resumed session
** only its own is known. */
GREEN_API int green_tls_peer_count(const green_tls *t);

enum {
  GREEN_TLS_DER,     /* The certificate itself. */
  GREEN_TLS_SUBJECT, /* "CN=a.example,O=Example" */
  GREEN_TLS_ISSUER,
  GREEN_TLS_SERIAL,     /* "0A1B2C" */
  GREEN_TLS_NOT_BEFORE, /* "2026-01-31T12:00:00Z" */
  GREEN_TLS_NOT_AFTER,
  GREEN_TLS_ALT_NAMES /* "DNS:a.example", "IP:127.0.0.1", a line each. */
};

enum { GREEN_TLS_BAD_CERT = -1 };

/* Append that of the i-th certificate, from 0, or of the one that was refused.
** 0, GREEN_EINVAL: there is none, GREEN_ENOMEM. */
GREEN_API int green_tls_peer_text(const green_tls *t, int i, int what,
                                  green_buf *out);

/* Channel bindings: "tls-exporter" (RFC 9266; 32 bytes), or
** "tls-server-end-point" (RFC 5929; up to 64). The length; GREEN_EAGAIN: the
** handshake is not done; GREEN_EOPNOTSUPP: another name, or this connection has
** none (TLS 1.2 without extended master secret; Ed25519). */
enum { GREEN_TLS_BINDING = 64 };
GREEN_API int green_tls_binding(const green_tls *t, const char *type,
                                uint8_t out[GREEN_TLS_BINDING]);

/* RFC 5705. context NULL: none, which differs from an empty one before TLS
** 1.3. 0, GREEN_EAGAIN, GREEN_EINVAL. */
GREEN_API int green_tls_export(const green_tls *t, const char *label,
                               const void *context, size_t context_len,
                               void *out, size_t n);
/* end ffi */

#endif
