/*
** httpd.h: the connections of an HTTP/1.x server, without its handlers.
**
** Accepting, reading, parsing, framing and keep-alive are done here, and asked
** for by as few calls as can be; who answers a request is somebody else's
** affair: a worker, which takes a connection with something to do and has it
** until it is dealt with (conn.h). A connection between two requests is one
** small struct: buffers belong to requests and come from a pool. The answers to
** all requests that one read brought leave in one write.
*/
#ifndef GREEN_HTTPD_H
#define GREEN_HTTPD_H

#include "httpd/conn.h"
#include "io/tls_lib.h"

/* ffi needs: sock addr conn tls_lib */
/* ffi */
struct green_waitq;    /* hub/task.h; to park on. */
struct green_tls_ctx;  /* io/tls_ctx.h */
struct green_tls_pool; /* io/tls_pool.h */

typedef struct green_httpd {
  /* Options, changed at will. Times in nanoseconds. */
  int64_t keepalive_timeout; /* Between requests. */
  int64_t header_timeout;    /* From the first byte (or accept) to the head. */
  int64_t max_body;          /* Larger bodies are refused (413); -1: any. */
  int64_t max_drain; /* Unread rest of a body that is read and dropped. */
  int64_t nap; /* Before the next poll when few requests have come at once. */
  uint32_t max_requests;    /* Of one connection; 0: any. */
  uint32_t max_connections; /* With this many, one that comes needs the room of
                               another. */
  uint32_t max_handshakes;  /* Of TLS under way; one that begins then is closed
                               without a word. */
  uint32_t max_handshakes_per_address; /* The same, of one; of IPv6 the first 64
                                          bits count. */
  uint32_t max_choices; /* Handshakes that ask in workers' hands; who comes then
                           is refused. */
  uint32_t max_line;    /* As in green_http_request. */
  uint32_t max_field;
  uint32_t max_head;
  uint32_t max_headers;
  bool keepalive;  /* Off: close after each answer. */
  bool closing;    /* Draining: every answer says so and closes. */
  bool http10;     /* Answer as an HTTP/1.0 server. */
  bool date;       /* Send a Date header. */
  bool connect;    /* Hand out CONNECT; else it gets 501. */
  bool half_close; /* A client may end its side and wait for the answer; else it
                      has gone then. As of green_conn_watch. */
  bool gather;     /* Send the answers of some connections one after the other:
                      green_conn_finish only takes a note of them. */
  bool keeps_failures; /* See green_httpd_take_failure. */
  bool in_place; /* Workers may wait in place (green_httpd_poll). Not where
                      others wait for the end of one that has nothing to do:
                      that comes later then, with the next event. */
  /* For whoever makes workers. */
  uint32_t wanted; /* This many more would have something to do. */
  bool full;       /* Set by the maker: there can be no more now. */
  /* Counts. */
  uint32_t connections; /* Open now, */
  uint32_t idle;        /* of which between requests (as of this turn). */
  uint64_t accepted;
  uint64_t requests;
  uint64_t refused;
  uint64_t timeouts;          /* Too slow with a head, or to begin the first. */
  uint64_t evicted;           /* Closed between requests to make room. */
  uint64_t handshakes;        /* Of TLS that were done, */
  uint64_t handshakes_failed; /* and that were not, */
  uint64_t handshakes_refused; /* or were too many, to begin or to go on. */
  uint64_t failures_lost;      /* Not kept: there was no room. */
  uint64_t handshakes_pooled;  /* Steps of them that went to the pool. */
  uint32_t handshaking;        /* Under way now. */
  uint32_t choices;            /* In workers' hands. */
} green_httpd;

/* How much memory a server takes, for green_httpd_init. */
GREEN_API size_t green_httpd_size(void);

/* Connections that come speak TLS of that sealed context of a server; with
** another one the next, those that are there keep theirs. Their handshakes are
** done as heads are read, under header_timeout; with a context that asks they
** come to workers in between (GREEN_HTTPD_CHOICE). Who speaks plainly is
** refused. 0, GREEN_ECLOSED, GREEN_ENOMEM, GREEN_EINVAL: another kind of
** context. */
GREEN_API int green_httpd_set_tls(green_httpd *d, struct green_tls_ctx *ctx);

/* Where handshakes go whose signatures take long; a client that there is no
** room for is refused. NULL, as at first: nowhere, they are done at once. 0,
** GREEN_ECLOSED. */
GREEN_API int green_httpd_set_tls_pool(green_httpd *d,
                                       struct green_tls_pool *pool);

/* Why a handshake was not done, and whose. */
typedef struct green_httpd_failure {
  int code;
  int alert;                 /* That the client has sent; -1: none. */
  bool refused;              /* By whoever was asked (GREEN_HTTPD_CHOICE). */
  green_addr who;            /* Zeroed where nobody can say. */
  char text[GREEN_TLS_TEXT]; /* "": the code says it. */
} green_httpd_failure;

/* With keeps_failures set these are kept until somebody takes them, so many at
** most; also of who was too slow, or spoke plainly (GREEN_ETLSPLAIN), which
** does not count as failed. */
enum { GREEN_HTTPD_FAILURES = 16 };

/* The oldest; false: there is none. */
GREEN_API bool green_httpd_take_failure(green_httpd *d,
                                        green_httpd_failure *out);

/* Where whoever takes them waits. GREEN_ECLOSED at the server's end. */
GREEN_API struct green_waitq *green_httpd_failed(green_httpd *d);

/* Accept what waits at the listener, at most max. Where max_connections are
** open, or there are no descriptors, the connection that has been between
** requests for longest, with nothing of a next one in sight, is closed for each
** that comes. How many; GREEN_EAGAIN: none, wait for GREEN_READ; GREEN_EBUSY:
** max_connections are open, none of them to spare, wait for departures;
** GREEN_EMFILE and the like: out of something, try later; GREEN_ECLOSED: the
** server or the listener has ended. */
GREEN_API int green_httpd_accept(green_httpd *d, green_sock *listener, int max);

/* **Takes** the descriptor of an open socket, and what it has buffered, as a
** new connection; TLS that the socket has goes on. 0; GREEN_ECLOSED: the server
** has ended; GREEN_ENOMEM; or what kept s from being moved. After an error s
** may be open still, or closed. */
GREEN_API int green_httpd_adopt(green_httpd *d, green_sock *s);

/* The next connection with something for a worker (conn->found), or NULL: park
** on green_httpd_queue. NULL, too, when requests have had their share of this
** turn: workers are woken in the next. */
GREEN_API green_conn *green_httpd_next(green_httpd *d);

/* For a worker for whom there is nothing next: wait for more in place, without
** a park (green_hub_poll). 1: look again; 0: not now: park on
** green_httpd_queue. The server may not end meanwhile but by a task. */
GREEN_API int green_httpd_poll(green_httpd *d);

/* Where workers wait; the one that came last is woken first. GREEN_ECLOSED at
** the server's end. */
GREEN_API struct green_waitq *green_httpd_queue(green_httpd *d);

/* Where whoever makes workers waits: it is woken when there are connections
** with bytes and no worker is free for them, unless full is set; wanted says
** how many. GREEN_ECLOSED at the server's end. */
GREEN_API struct green_waitq *green_httpd_shortage(green_httpd *d);

/* Where whoever waits for a connection to go waits: all are woken when one has
** been closed or taken over, and when one has come to rest between requests,
** which may be closed, too, to make room (green_httpd_accept,
** green_httpd_close_idle). While nobody waits, it costs nothing. GREEN_ECLOSED
** at the server's end. */
GREEN_API struct green_waitq *green_httpd_departures(green_httpd *d);

/* Connections that have bytes and no worker yet. */
GREEN_API uint32_t green_httpd_ready(const green_httpd *d);

/* Close connections of which no byte of a next request has come, nor of a TLS
** handshake for one, and those that linger although the peer's system has all
** of the answer; with all set, too those in the middle of a head or a
** handshake, those that wait for the next worker with what was passed on or
** could not be sent, and those that linger for another reason. For a graceful
** stop, with closing set before: then the server itself looks, every 10 ms, for
** those that linger and need not any more. */
GREEN_API void green_httpd_close_idle(green_httpd *d, bool all);
/* end ffi */

/* -- Clients that go ------------------------------------------------------ */

/* What to wait on (GREEN_READ) for green_httpd_gone; NULL: nobody has been
** watched, or the server has ended. It is closed with the server, and in a
** child; one that inherits tasks has another. */
GREEN_API green_fd *green_httpd_gone_fd(green_httpd *d);

/* The next connection in a worker's hands whose client has gone, each told
** once; NULL: no more now. */
GREEN_API green_conn *green_httpd_gone(green_httpd *d);

/* -- Life ------------------------------------------------------------------ */

/* Make a server with default options, on this hub, in zeroed memory that stays
** the caller's. In a child of a fork that does not inherit tasks it closes the
** connections in its hands, which are the parent's, and cuts (green_conn_cut)
** those with TLS in workers' hands: two that write with the same keys undo
** them. */
GREEN_API void green_httpd_init(green_httpd *d, green_hub *hub);

/* Close every connection, for good. Those in workers' hands must not be used
** any more. Idempotent; from here on there are no requests, and nothing is
** accepted. */
GREEN_API void green_httpd_deinit(green_httpd *d);

/* The same in memory of its own. NULL: out of memory. **Free with**
** green_httpd_free, for which NULL is fine. */
GREEN_API green_httpd *green_httpd_new(green_hub *hub);
GREEN_API void green_httpd_free(green_httpd *d);

#endif
