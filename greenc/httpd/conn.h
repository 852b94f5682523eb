/*
** conn.h: one connection of an HTTP/1.x server, while a worker has it: the body
** of its request, its answer, and what becomes of it then.
**
** A connection is in one of these hands:
**   the server's   waiting for a request, refusing one, lingering, draining
**   a worker's     from green_httpd_next until green_conn_finish is 0, or
**                  green_conn_pass_on, _close or _detach
** All functions here are for its worker only. Those of body and answer are for
** a request in hand: not after a finish that gave GREEN_EAGAIN, nor for what
** was found unsent or asks for a choice. An answer is begun, gets headers, then
** its whole body, or its pieces and their end, or a file.
*/
#ifndef GREEN_CONN_H
#define GREEN_CONN_H

#include "io/sock.h"
#include "proto/http_body.h"
#include "proto/http_request.h"

/* ffi needs: sock addr http_request http_body */
/* ffi */
struct green_httpd; /* httpd.h */

/* What green_httpd_next or green_conn_finish has found: green_conn.found. */
enum {
  GREEN_HTTPD_REQUEST = 1, /* A head is there: answer it. */
  GREEN_HTTPD_REFUSED = 2, /* A bad one was answered: log it and finish. */
  GREEN_HTTPD_UNSENT = 3,  /* An answer that could not be sent: only finish. */
  GREEN_HTTPD_CHOICE = 4   /* A handshake that asks for a context: tell
                              green_conn_tls by green_tls_choose or _refuse, and
                              finish. No request has come yet. */
};

/* How far the answer is: green_conn.state. */
enum {
  GREEN_ANSWER_NONE, /* Not begun. */
  GREEN_ANSWER_HEAD, /* Begun; headers may follow. Nothing of it leaves. */
  GREEN_ANSWER_BODY, /* Its head is complete and may leave; the body follows. */
  GREEN_ANSWER_DONE  /* Complete. */
};

/* Read-only, but for slot and close. */
typedef struct green_conn {
  green_http_request *head; /* The present request; NULL between requests. */
  const char *text;   /* What its offsets count from; of a refused one, too. */
  const char *reason; /* Why it was refused or cut, or NULL. Static text. */
  int32_t status;     /* Of the answer that was begun or refused. */
  uint32_t slot;      /* The worker's own. */
  uint32_t served;    /* Requests answered before this one. */
  int64_t sent;       /* Bytes of body in the answer so far. */
  uint8_t found;      /* GREEN_HTTPD_*; 0: nothing yet. */
  uint8_t state;      /* Of the answer: GREEN_ANSWER_*. */
  bool chunked;       /* The answer's framing. */
  bool no_body;       /* HEAD, 204, 304: what is written is counted only. */
  bool body_read;     /* The worker has asked for the request's body. */
  bool close;         /* The connection ends with this answer. */
} green_conn;

/* The socket, to park on; NULL when it is closed or was taken over. */
GREEN_API green_sock *green_conn_sock(green_conn *c);

/* Whose it is. */
GREEN_API struct green_httpd *green_conn_server(const green_conn *c);

/* The peer's address as of accept; len 0 if it has none. */
GREEN_API void green_conn_peer(const green_conn *c, green_addr *a);

/* When the poll was that brought the end of the present head, by the hub's
** clock; 0: no request is in hand. */
GREEN_API int64_t green_conn_since(const green_conn *c);

/* -- Request body --------------------------------------------------------- */

/* The next bytes of the body: *ptr, good until the next call on c. The count, 0
** at the end; GREEN_EAGAIN: wait for GREEN_READ; GREEN_EPROTO: bad chunks;
** GREEN_ETOOBIG: over max_body; GREEN_EEOF: the client stopped in the middle;
** or a socket error. After an error there is GREEN_EPROTO for each further
** call, and the connection ends with the answer. */
GREEN_API int green_conn_body(green_conn *c, const char **ptr);

/* As body, but the bytes are forgotten: only how many they were. */
GREEN_API int green_conn_skip(green_conn *c);

/* Has body returned all that will come? It may not know yet: then the next call
** returns 0. */
GREEN_API bool green_conn_body_ended(const green_conn *c);

/* Give back the last n of the bytes that body returned last: they come
** again. */
GREEN_API void green_conn_unread(green_conn *c, uint32_t n);

/* Header lines with their CRLFs, copied, for the "100 Continue" that the first
** read sends. They are sent as they are. 0 or GREEN_ENOMEM. */
GREEN_API int green_conn_continue_lines(green_conn *c, const char *lines,
                                        size_t n);

/* Write "100 Continue" if the client waits for it and the answer has not begun;
** again, if it was written before. 1: flush sends it; 0: it does not, or has;
** GREEN_ENOMEM. */
GREEN_API int green_conn_continue(green_conn *c);

/* -- Answer --------------------------------------------------------------- */

/* Begin with a status code, or a line ("404 Gone Fishing"). 0, GREEN_EINVAL (no
** such status, or 1xx; or an answer was begun), GREEN_ENOMEM. */
GREEN_API int green_conn_begin(green_conn *c, int code);
GREEN_API int green_conn_begin_line(green_conn *c, const char *line, size_t n);

/* Add a header. Content-Length and Connection are understood and written by the
** server. 0; GREEN_EINVAL: a bad name or value (CR, LF, ...), or one that is
** not the handler's business (Transfer-Encoding, Keep-Alive, ...), or this is
** not the time for headers; GREEN_ENOMEM. capitalize: make the name look as
** usual. */
GREEN_API int green_conn_header(green_conn *c, const char *name,
                                size_t name_len, const char *value,
                                size_t value_len, bool capitalize);

/* End the head and write the whole body. 0; GREEN_EINVAL: the handler's
** Content-Length differs, or there is no head to end; GREEN_ENOMEM. */
GREEN_API int green_conn_whole(green_conn *c, const char *body, size_t n);

/* A header of an answer, as of green_conn_header. */
typedef struct green_header {
  const char *name;
  size_t name_len;
  const char *value;
  size_t value_len;
  bool capitalize;
} green_header;

/* All three in one: begin, one header (name NULL: none), whole. Their errors;
** then some of it may be written: green_conn_rollback. */
GREEN_API int green_conn_reply(green_conn *c, int status, const green_header *h,
                               const char *body, size_t n);

/* End the head of an answer that comes in pieces: with the Content-Length the
** handler gave, else chunked, else (HTTP/1.0) ended by close. 0; GREEN_EINVAL:
** there is no head to end; GREEN_ENOMEM. */
GREEN_API int green_conn_stream(green_conn *c);

/* Write a piece; an empty one is skipped. The bytes that now wait to be
** flushed, or GREEN_EINVAL: more than Content-Length; GREEN_ECLOSED: the answer
** is complete, or its head is not; GREEN_ENOMEM. */
GREEN_API int green_conn_piece(green_conn *c, const char *p, size_t n);

/* Write a piece of at most n bytes, which are not more than Content-Length
** leaves, that have come on another socket, past us both. How many. What is
** wrong with from: 0, GREEN_EAGAIN, ... as of green_sock_recv.
** GREEN_EOPNOTSUPP and GREEN_EINVAL: this cannot be done for the two, receive
** and write it; GREEN_ECLOSED: as of piece; GREEN_ENOMEM: the piece is lost. */
GREEN_API int green_conn_relay(green_conn *c, green_sock *from, int64_t n);

/* Write the rest of a body that comes on another socket, as far as it is there:
** from's buffer first, then past us where that can be done. 1: that was all;
** 2: all, and nothing else of use comes from there; 0: flush, let others have
** their turn, and call again; GREEN_EAGAIN: flush, wait for from, call again.
** What is wrong with the body: GREEN_EEOF, it ended too early, or as of
** green_http_body_gather; with from: as of green_sock_recv; or as of piece. */
GREEN_API int green_conn_carry(green_conn *c, green_sock *from,
                               green_http_body *body);

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
** or put them where flush finds them when they are few, or cannot be sent so.
** How many, counted as by piece; 0: the file has ended; GREEN_EAGAIN: wait for
** GREEN_WRITE; GREEN_EINVAL: none are asked for, or more than Content-Length
** leaves, which there must be, or the answer has no body; GREEN_ECLOSED: as of
** piece; or another error. Waits for the disk if need be. */
GREEN_API int64_t green_conn_sendfile(green_conn *c, int fd, int64_t offset,
                                      int64_t n);

/* Drop the answer if no byte of it has left: 0, or GREEN_EBUSY. */
GREEN_API int green_conn_rollback(green_conn *c);

/* Nothing more can be sent or read: close the socket, so that nobody waits for
** it again. c stays until finish or close. why: the error whose text becomes
** the reason, unless there is one already; 0: none. */
GREEN_API void green_conn_cut(green_conn *c, int why);

/* Has a part of the answer left, and the client does not take the rest yet? */
GREEN_API bool green_conn_is_slow(const green_conn *c);

/* Send what is written; not of a head that has no end yet. 0; GREEN_EAGAIN:
** wait for GREEN_WRITE; or an error. */
GREEN_API int green_conn_flush(green_conn *c);

/* -- What becomes of it ---------------------------------------------------- */

/* The request is dealt with; an answer that is not complete by now ends the
** connection. 1: the next one was there already, go on with c (found says what
** it is); 0: c is in the server's hands; GREEN_EAGAIN: wait for GREEN_WRITE and
** call again. */
GREEN_API int green_conn_finish(green_conn *c);

/* Let another worker have what was just found in c, by next or by finish;
** nothing of its answer was begun. c is in the server's hands, and is handed
** out first. */
GREEN_API void green_conn_pass_on(green_conn *c);

/* Close at once, without a word. c is gone. */
GREEN_API void green_conn_close(green_conn *c);

/* Take the connection over: s, a closed socket of the same hub, gets number,
** filter (TLS) and unread bytes. 0. What is written is sent before: after
** GREEN_EAGAIN c is as it was, wait for GREEN_WRITE and call again; after
** another error it is gone, and s stays closed. */
GREEN_API int green_conn_detach(green_conn *c, green_sock *s);
/* end ffi */

/* Its TLS, to ask what was agreed; NULL: it has none. It lives until c is cut,
** closed or taken over. */
GREEN_API struct green_tls *green_conn_tls(const green_conn *c);

/* -- Clients that go ------------------------------------------------------ */

/* Tell by green_httpd_gone when c's client goes while a worker has c: its
** system has reset the connection, or hung up; with half_close off, it has
** ended its side. Until c is closed or detached; to be called for each request
** that wants to know, also of a client that has gone before. What it sends is
** not read. 0, GREEN_ECLOSED, GREEN_EMFILE and the like. */
GREEN_API int green_conn_watch(green_conn *c);

/* Has c's client gone, watched or not? Asks the system. */
GREEN_API bool green_conn_has_gone(green_conn *c);

#endif
