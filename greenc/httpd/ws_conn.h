/*
** ws_conn.h: one WebSocket connection (RFC 6455; drafts 75, 76 and hybi-8)
** behind its opening handshake, of a server or of a client: bytes become
** messages, and messages bytes.
**
** It belongs to a set (wsd.h), which has its options. Pings are answered here,
** fragments put together, texts checked (UTF-8), compressed ones unpacked
** (RFC 7692), and the closing handshake is done. While a connection waits
** between two messages it has no buffers: they come from the set's pool.
**
** One with a socket reads and writes that. One without (green_wsd_open) is over
** a stream of somebody else's, who puts in what it reads, and writes what is
** there to be written.
*/
#ifndef GREEN_WS_CONN_H
#define GREEN_WS_CONN_H

#include "io/sock.h"
#include "proto/ws.h"

/* ffi needs: sock */
/* ffi */
/* green_ws.state */
enum {
  GREEN_WS_OPEN,
  GREEN_WS_CLOSING, /* Our close is on its way; the peer's has not come. */
  GREEN_WS_CLOSED   /* Nothing more is read or sent: code says why. */
};

/* What is told of a connection of the light form: green_ws.found. */
enum {
  GREEN_WSD_MESSAGE = 1, /* text, len, binary */
  GREEN_WSD_CLOSED = 2,  /* It has ended: code, reason. */
  GREEN_WSD_DRAINED = 3  /* What was too much to send has left. */
};

/* Close codes that stand in no frame (RFC 6455, 7.4.1). */
enum { GREEN_WS_NO_CODE = 1005, GREEN_WS_LOST = 1006 };

/* Read-only. */
typedef struct green_ws {
  const char *text;   /* Of the last read: a message, or a part of one; good
                       until the next call on it, or the end of the turn. */
  const char *reason; /* Behind the code; not ended by a NUL. */
  uint32_t len;
  uint32_t slot;
  int32_t error; /* What ended it, if it was no close and no end. */
  uint16_t code; /* Why it is closed: the peer's code, or what we have
                         found; 0: it is open. */
  uint8_t reason_len;
  uint8_t state;
  uint8_t found;
  bool binary;
  bool first; /* Of a part: it begins the message; */
  bool last;  /* it ends it. */
  bool client;
  bool light;
  bool legacy;     /* Drafts 75 and 76: text only, no codes. */
  bool compressed; /* permessage-deflate was agreed on. */
  bool failed;     /* The peer has broken the rules: code says which. */
} green_ws;

/* -- Reading -------------------------------------------------------------- */

/* The next message: text, len, binary; with parts, whatever there is of its
** beginning: first and last say where it stands. What is left of one that was
** read in parts is passed over. 1; 0: it has ended (code, reason);
** GREEN_EAGAIN: wait for GREEN_READ (or put more in) and call again;
** GREEN_EINPROGRESS: this peer has had its share, give others a turn and call
** again; GREEN_ENOMEM. A peer that breaks the rules ends it: the close that
** says so is on its way. */
GREEN_API int green_ws_read(green_ws *ws, bool parts);

/* More of the message of which the last read has given a part. As
** green_ws_read; GREEN_EALREADY: there is none, something else was read since.
*/
GREEN_API int green_ws_read_on(green_ws *ws);

/* The text of the last read, if it stands in room that the hub's store has lent
** for as many bytes (hub/store.h): it is the caller's now, and the connection
** has no text. NULL: it does not, or there is none. */
GREEN_API char *green_ws_take(green_ws *ws);

/* Give back what is not needed while it waits for the next message. The text of
** the last one is good no more. */
GREEN_API void green_ws_rest(green_ws *ws);

/* Without a socket: n bytes have come; 0 bytes: the end of the stream. 0 or
** GREEN_ENOMEM. */
GREEN_API int green_ws_put(green_ws *ws, const char *p, size_t n);

/* -- Sending -------------------------------------------------------------- */

enum {
  GREEN_WS_MORE = 1,   /* More of the same message follows; */
  GREEN_WS_AGAIN = 2,  /* this is more of one that was begun. */
  GREEN_WS_CHECKED = 4 /* A whole text, known to be UTF-8. */
};

/* Send a message, or a part of one: how says which. opcode: GREEN_WS_TEXT,
** _BINARY, _PING or _PONG (at most 125 bytes). Bytes that wait to be sent;
** GREEN_ECLOSED: its end has begun; GREEN_EILSEQ: a text that is no UTF-8;
** GREEN_EMSGSIZE: a control frame that is too long; GREEN_EOPNOTSUPP: the draft
** has no such thing; GREEN_ENOMEM. Nothing was sent then. It leaves at the end
** of the turn at the latest. */
GREEN_API int green_ws_send(green_ws *ws, int opcode, const char *p, size_t n,
                            int how);

/* Bytes that are sent before all else, as they are: the end of the opening
** handshake. 0 or GREEN_ENOMEM. */
GREEN_API int green_ws_send_raw(green_ws *ws, const char *p, size_t n);

/* Bytes that wait to be sent. */
GREEN_API size_t green_ws_buffered(const green_ws *ws);

/* Where whoever wants to send more waits: woken when half of max_buffered has
** left. GREEN_ECLOSED at its end. NULL: nothing waits to be sent. */
GREEN_API struct green_waitq *green_ws_drained(green_ws *ws);

/* Without a socket: what waits to be sent, at most the first 2^31 - 1 bytes.
** They go with green_ws_taken. */
GREEN_API size_t green_ws_output(green_ws *ws, const char **p);
GREEN_API void green_ws_taken(green_ws *ws, size_t n);

/* -- The end -------------------------------------------------------------- */

/* Begin the closing handshake; code 0: none is told. 0; GREEN_EINVAL: no code
** that may be sent, or a reason that is no UTF-8; GREEN_EALREADY: it was begun.
** What the peer still sends is dropped until its close comes; after
** close_timeout it is not waited for (wsd.h). Without memory it is lost. */
GREEN_API int green_ws_close(green_ws *ws, int code, const char *reason,
                             size_t n);

/* Until when its close is waited for; GREEN_NEVER: ours was not said. */
GREEN_API int64_t green_ws_due(const green_ws *ws);

/* Nothing is read or sent any more; who waits is woken. code: as for ws.code.
*/
GREEN_API void green_ws_abort(green_ws *ws, int code, int error);

/* It is not used any more: ws is gone. What it has still to say is sent, and
** its socket closed once the peer has closed its own, or close_timeout is over.
*/
GREEN_API void green_ws_free(green_ws *ws);

/* Its socket, to park on; NULL: none, or closed. */
GREEN_API green_sock *green_ws_sock(green_ws *ws);
/* end ffi */

#endif
