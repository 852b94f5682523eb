/*
** wsd.h: a set of WebSocket connections with the same options.
**
** A connection of the light form has no green thread while it waits: whoever
** asks for the next one with something to do (green_wsd_next) has it until
** green_ws_finish. Others have a thread of their own, which reads them
** (green_ws_read). All are pinged when nothing has come for long, and closed
** when nothing comes then either.
*/
#ifndef GREEN_WSD_H
#define GREEN_WSD_H

#include "base/handle.h"
#include "httpd/ws_conn.h"

/* ffi needs: sock ws_conn */
/* ffi */
typedef struct green_wsd {
  /* Options. Times in nanoseconds, GREEN_NEVER: never. */
  int64_t ping_interval; /* Of silence, before a ping; and */
  int64_t ping_timeout;  /* after it. Set by green_wsd_set_pings. */
  int64_t
      close_timeout;    /* For the peer's close, and for the end of its side. */
  int64_t send_timeout; /* For it to take anything, and 512 bytes a second. */
  uint64_t max_frame;
  uint64_t max_message; /* Unpacked, too. */
  uint32_t max_fragments;
  uint32_t max_buffered; /* Bytes to a slow peer: green_ws_drained. */
  uint32_t threshold;    /* Shorter messages are not compressed. */
  int32_t level;         /* Of compression: 0 to 9, -1: zlib's choice. */
  /* For whoever makes workers. */
  uint32_t wanted; /* This many more would have something to do. */
  bool full;       /* Set by the maker: there can be no more now. */
  /* Counts. */
  uint32_t connections;
  uint32_t lingering; /* Not used any more, and not closed yet. */
  uint64_t accepted;
  uint64_t messages_in;
  uint64_t messages_out;
  uint64_t
      timeouts; /* Closed for their silence, or because they took nothing. */
} green_wsd;

/* What was agreed on. */
typedef struct green_ws_terms {
  bool client;
  bool light;
  bool legacy;
  bool deflate;      /* permessage-deflate: */
  bool out_takeover; /* our messages build on earlier ones, */
  bool in_takeover;  /* the peer's do. */
  uint8_t out_bits;  /* Windows: 8 (nothing is compressed), 9 to 15, 0: 15. */
  uint8_t in_bits;
} green_ws_terms;

GREEN_API size_t green_wsd_size(void);

/* Change when peers are pinged. */
GREEN_API void green_wsd_set_pings(green_wsd *d, int64_t interval,
                                   int64_t timeout);

/* **Takes** an open socket with what it has buffered, s is closed then; NULL:
** the connection is over a stream of somebody else's. *handle: what stands for
** it. It is in the caller's hands: one of the light form until green_ws_finish.
** 0, GREEN_ECLOSED, GREEN_ENOMEM, GREEN_ENOLIBRARY (zlib), or what kept s from
** being moved; then it is as it was, or closed. */
GREEN_API int green_wsd_open(green_wsd *d, green_sock *s,
                             const green_ws_terms *terms, double *handle);

/* The connection of a handle; NULL: it is gone. */
GREEN_API green_ws *green_wsd_get(green_wsd *d, double handle);
GREEN_API double green_wsd_handle(const green_wsd *d, const green_ws *ws);

/* The next of the light form with something to tell (ws->found), or NULL: park
** on green_wsd_queue. */
GREEN_API green_ws *green_wsd_next(green_wsd *d);

/* What was found in it is dealt with. 1: there is more at hand, go on with it;
** 0: it is in the set's hands. Not after GREEN_WSD_CLOSED: free it. */
GREEN_API int green_ws_finish(green_ws *ws);

/* Let another worker have what was just found in it. */
GREEN_API void green_ws_pass_on(green_ws *ws);

/* Where workers wait. GREEN_ECLOSED at the set's end. */
GREEN_API struct green_waitq *green_wsd_queue(green_wsd *d);

/* Where whoever makes workers waits, as green_httpd_shortage. */
GREEN_API struct green_waitq *green_wsd_shortage(green_wsd *d);

/* Where whoever waits for connections to go waits. */
GREEN_API struct green_waitq *green_wsd_departures(green_wsd *d);

/* Begin to close all (green_ws_close), or let all go at once. */
GREEN_API void green_wsd_close_all(green_wsd *d, int code);
GREEN_API void green_wsd_abort_all(green_wsd *d);

/* Send what waits to be sent now. */
GREEN_API void green_wsd_flush(green_wsd *d);

/* The same message for many, encoded once, and compressed once for each window
** size that somebody has. **Free with** green_ws_frame_free. NULL: out of
** memory. */
typedef struct green_ws_frame green_ws_frame;
GREEN_API green_ws_frame *green_ws_frame_new(const char *p, size_t n,
                                             bool binary, bool compress);
GREEN_API void green_ws_frame_free(green_ws_frame *f);

/* As green_ws_send of that message. */
GREEN_API int green_ws_send_frame(green_ws *ws, green_ws_frame *f);
/* end ffi */

/* As green_httpd_init, _deinit. */
GREEN_API void green_wsd_init(green_wsd *d, green_hub *hub);
GREEN_API void green_wsd_deinit(green_wsd *d);

#endif
