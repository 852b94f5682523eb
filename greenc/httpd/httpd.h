/*
** httpd.h: the connections of an HTTP/1.x server, without its handlers.
**
** Accepting, reading, parsing, framing and keep-alive are done here, in as few
** calls from Lua as can be; who answers a request is somebody else's affair. A
** connection between two requests is one small struct: buffers belong to
** requests and come from a pool. The answers to all requests that one read
** brought leave in one write.
**
** A connection is in one of these hands:
**   the server's   waiting for a request, refusing one, lingering, draining
**   a worker's     from green_httpd_next until green_conn_finish is 0, or
**                  green_conn_pass_on, _close or _detach
** Functions of a connection may be called by its worker only.
*/
#ifndef GREEN_HTTPD_H
#define GREEN_HTTPD_H

#include "hub/idle.h"
#include "proto/chunked.h"
#include "proto/http_request.h"
#include "io/sock.h"

/* ffi needs: sock addr http_request chunked */
/* ffi */
/* What green_httpd_next has found. */
enum {
  GREEN_HTTPD_REQUEST = 1, /* A head is there: answer it. */
  GREEN_HTTPD_REFUSED = 2, /* A bad one was answered: log it, close. */
  GREEN_HTTPD_UNSENT = 3   /* An answer that could not be sent: only finish. */
};

/* How far an answer is. */
enum {
  GREEN_ANSWER_NONE, /* Not begun. */
  GREEN_ANSWER_HEAD, /* Its status stands, headers may follow; nothing leaves. */
  GREEN_ANSWER_BODY, /* Its head is complete and may leave; the body follows. */
  GREEN_ANSWER_DONE  /* Complete. */
};

typedef struct green_httpd {
  /* Options, changed at will. Times in nanoseconds. */
  int64_t keepalive_timeout; /* Between requests. */
  int64_t header_timeout;    /* From the first byte (or accept) to the head. */
  int64_t max_body;          /* Larger bodies are refused (413); -1: any. */
  int64_t max_drain;     /* Unread rest of a body that is read and dropped. */
  uint32_t max_requests; /* Of one connection; 0: any. */
  uint32_t max_connections; /* At this many who comes needs another's room. */
  uint32_t max_line;        /* As in green_http_request. */
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
                     finish only takes a note. */
  /* For whoever makes workers. */
  uint32_t wanted; /* So many more would have something to do. */
  bool full;       /* His answer: there can be no more. */
  /* Counts. */
  uint32_t connections; /* Open now, */
  uint32_t idle;        /* of which between requests (as of this turn). */
  uint64_t accepted;
  uint64_t requests;
  uint64_t refused;
  uint64_t timeouts; /* Too slow with a head, or to begin the first. */
  uint64_t evicted;  /* Closed between requests to make room. */
} green_httpd;

typedef struct green_conn {
  green_http_request *head; /* The present request; NULL between requests. */
  const char *text;   /* What its offsets count from; of a refused one, too. */
  const char *reason; /* Why it was refused or cut, or NULL. Static text. */
  int32_t status;     /* Of the answer that was begun or refused. */
  uint32_t slot;      /* The worker's own. */
  uint32_t served;    /* Requests answered before this one. */
  int64_t sent;       /* Bytes of body in the answer so far. */
  uint8_t found;      /* GREEN_HTTPD_REQUEST or GREEN_HTTPD_REFUSED */
  uint8_t state;      /* Of the answer: GREEN_ANSWER_*. */
  bool chunked;       /* The answer's framing. */
  bool no_body;       /* HEAD, 204, 304: what is written is counted only. */
  bool body_read;     /* The worker has asked for the request's body. */
  bool close;         /* The connection ends with this answer. */
} green_conn;

/* How much memory a server takes, for green_httpd_init. */
GREEN_API size_t green_httpd_size(void);

/* Accept what waits at the listener, at most max. Where max_connections are open,
** or there are no descriptors, the connection that has been between requests for
** longest, with nothing of a next one in sight, is closed for each that comes. How
** many; GREEN_EAGAIN: none, wait for GREEN_READ; GREEN_EBUSY: max_connections are
** open, none of them to spare; GREEN_EMFILE and the like: out of something, try
** later; GREEN_ECLOSED: the server or the listener has ended. */
GREEN_API int green_httpd_accept(green_httpd *d, green_sock *listener, int max);

/* **Takes** an open socket, and what it has buffered, as a new connection. 0 or
** an error; s is closed then unless it is GREEN_ENOMEM. */
GREEN_API int green_httpd_adopt(green_httpd *d, green_sock *s);

/* The next connection with something for a worker (conn->found), or NULL: park
** on green_httpd_queue. NULL, too, when requests have had their share of this
** turn: workers are woken in the next. */
GREEN_API green_conn *green_httpd_next(green_httpd *d);

/* Where workers wait (a green_waitq), the one that came last is woken first. */
GREEN_API void *green_httpd_queue(green_httpd *d);

/* Where whoever makes workers waits (a green_waitq): it is woken when there are
** connections with bytes and no worker is free for them, unless full is set. */
GREEN_API void *green_httpd_shortage(green_httpd *d);

/* Connections that have bytes and no worker yet. */
GREEN_API uint32_t green_httpd_ready(const green_httpd *d);

/* Close connections of which no byte of a next request has come, and those that
** linger although the peer's system has all of the answer; with all set, too
** those in the middle of a head, and those that linger for another reason. For
** a graceful stop, with closing set before. */
GREEN_API void green_httpd_close_idle(green_httpd *d, bool all);

/* The socket, to park on; NULL when it is closed or was taken over. */
GREEN_API green_sock *green_conn_sock(green_conn *c);

/* Whose it is. */
GREEN_API green_httpd *green_conn_server(const green_conn *c);

/* The peer's address as of accept; len 0 if it has none. */
GREEN_API void green_conn_peer(const green_conn *c, green_addr *a);

/* -- Request body --------------------------------------------------------- */

/* The next bytes of the body: *ptr, good until the next call on c. The count, 0
** at the end; GREEN_EAGAIN: wait for GREEN_READ; GREEN_EPROTO: bad chunks;
** GREEN_ETOOBIG: over max_body; GREEN_EEOF: the client stopped in the middle;
** or a socket error. After an error the connection ends with the answer. */
GREEN_API int green_conn_body(green_conn *c, const char **ptr);

/* Give back the last n bytes, of those that body returned last: they come
** again. */
GREEN_API void green_conn_unread(green_conn *c, uint32_t n);

/* Header lines with their CRLFs for the "100 Continue" that the first read
** sends; they are copied. 0 or GREEN_ENOMEM. */
GREEN_API int green_conn_continue_lines(green_conn *c, const char *lines,
                                        size_t n);

/* Send "100 Continue" if the client waits for it and the answer has not begun.
** 1; 0: it does not, or has; GREEN_ENOMEM. */
GREEN_API int green_conn_continue(green_conn *c);

/* -- Answer --------------------------------------------------------------- */

/* Begin with a status code, or a line ("404 Gone Fishing"). 0, GREEN_EINVAL (no
** such status, or 1xx; or an answer was begun), GREEN_ENOMEM. */
GREEN_API int green_conn_begin(green_conn *c, int code);
GREEN_API int green_conn_begin_line(green_conn *c, const char *line, size_t n);

/* Add a header. Content-Length and Connection are understood and written by the
** server. 0; GREEN_EINVAL: a bad name or value (CR, LF, ...), or one that is
** not the handler's business (Transfer-Encoding, Keep-Alive, ...), or this is not
** the time for headers; GREEN_ENOMEM. capitalize: make the name look as usual. */
GREEN_API int green_conn_header(green_conn *c, const char *name,
                                size_t name_len, const char *value,
                                size_t value_len, bool capitalize);

/* End the head and write the whole body. 0; GREEN_EINVAL: the handler's
** Content-Length differs, or there is no head to end; GREEN_ENOMEM. */
GREEN_API int green_conn_whole(green_conn *c, const char *body, size_t n);

/* End the head of an answer that comes in pieces: with the Content-Length the
** handler gave, else chunked, else (HTTP/1.0) ended by close. 0; GREEN_EINVAL:
** there is no head to end; GREEN_ENOMEM. */
GREEN_API int green_conn_stream(green_conn *c);

/* Write a piece; an empty one is skipped. The bytes that now wait to be
** flushed, or GREEN_EINVAL: more than Content-Length; GREEN_ECLOSED: the answer
** is complete, or its head is not; GREEN_ENOMEM. */
GREEN_API int green_conn_piece(green_conn *c, const char *p, size_t n);

/* End the pieces. 0; GREEN_EINVAL: fewer bytes than Content-Length, the
** connection will be closed; GREEN_ECLOSED: as of piece; GREEN_ENOMEM. */
GREEN_API int green_conn_end(green_conn *c);

/* Bytes that the handler's Content-Length leaves to be written; -1: it gave
** none. */
GREEN_API int64_t green_conn_room(const green_conn *c);

/* End the head of an answer whose body is size bytes of a file, or as many as
** the handler's Content-Length says. How many are to be sent (0 if the answer
** has no body); GREEN_EINVAL: it says more, or there is no head to end;
** GREEN_ENOMEM. */
GREEN_API int64_t green_conn_file(green_conn *c, int64_t size);

/* Send what is written, and at most n bytes of a file at offset, by sendfile;
** or put them where flush finds them when they are few. How many, counted as by
** piece; 0: the file has ended; GREEN_EAGAIN: wait for GREEN_WRITE; GREEN_ECLOSED:
** as of piece; or another error. Waits for the disk if need be. */
GREEN_API int64_t green_conn_sendfile(green_conn *c, int fd, int64_t offset,
                                      int64_t n);

/* Drop the answer if no byte of it has left: 0, or GREEN_EBUSY. */
GREEN_API int green_conn_rollback(green_conn *c);

/* Nothing more can be sent or read: close the socket, so that nobody waits for
** it again. c stays until finish or close. why, an error, gives the reason that
** its log has; 0: none. */
GREEN_API void green_conn_cut(green_conn *c, int why);

/* Has a part of the answer left, and the client does not take the rest yet? */
GREEN_API bool green_conn_is_slow(const green_conn *c);

/* Send what is written; not of a head that has no end yet. 0; GREEN_EAGAIN:
** wait for GREEN_WRITE; or an error. */
GREEN_API int green_conn_flush(green_conn *c);

/* The request is dealt with; an answer that is not complete by now ends the
** connection. 1: the next one was there already, go on with c;
** 0: c is in the server's hands; GREEN_EAGAIN: wait for GREEN_WRITE and call
** again. */
GREEN_API int green_conn_finish(green_conn *c);

/* Let another worker have what was just found in c, by next or by finish; nothing
** of its answer was begun. c is in the server's hands, and is handed out first. */
GREEN_API void green_conn_pass_on(green_conn *c);

/* Close at once, without a word. c is gone. */
GREEN_API void green_conn_close(green_conn *c);

/* Take the connection over: s, a closed socket of the same hub, gets number and
** unread bytes. 0. What is written is sent before: after GREEN_EAGAIN c is as it
** was, wait for GREEN_WRITE and call again; after another error it is gone, and
** s stays closed. */
GREEN_API int green_conn_detach(green_conn *c, green_sock *s);
/* end ffi */

/* -- Clients that go ------------------------------------------------------ */

/* Tell by green_httpd_gone when c's client goes while a worker has c: its system
** has reset the connection, or hung up; with half_close off, it has ended its
** side. Until c is closed or detached; to be called for each request that wants
** to know, also of a client that has gone before. What it sends is not read. 0,
** GREEN_ECLOSED, GREEN_EMFILE and the like. */
GREEN_API int green_conn_watch(green_conn *c);

/* What to wait on (GREEN_READ) for green_httpd_gone; NULL: nobody has been
** watched, or the server has ended. It is closed with the server, and in a child;
** one that inherits tasks has another. */
GREEN_API green_fd *green_httpd_gone_fd(green_httpd *d);

/* The next connection in a worker's hands whose client has gone, each told once;
** NULL: no more now. */
GREEN_API green_conn *green_httpd_gone(green_httpd *d);

/* The same of one connection, watched or not: asks the system. */
GREEN_API bool green_conn_has_gone(green_conn *c);

/* Make a server with default options, on this hub, in zeroed memory that stays
** the caller's. In a child of a fork that does not inherit tasks it closes the
** connections in its hands, which are the parent's. */
void green_httpd_init(green_httpd *d, green_hub *hub);

/* Close every connection, for good. Those in workers' hands must not be used any
** more. Idempotent; from here on there are no requests, and nothing is
** accepted. */
void green_httpd_deinit(green_httpd *d);

/* The same in memory of its own. NULL: out of memory. **Free with**
** green_httpd_free, for which NULL is fine. */
GREEN_API green_httpd *green_httpd_new(green_hub *hub);
GREEN_API void green_httpd_free(green_httpd *d);

#endif
