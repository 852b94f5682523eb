/*
** zmq.h: ZeroMQ sockets that never wait.
**
** A call does at once what it can. GREEN_EAGAIN: green_zmq_wait in the call's
** direction, park in green_zmq_line, then call again, as somebody who was told.
** All give GREEN_ECLOSED on a socket that is closed, and GREEN_ZMQ_FORKED in a
** child of the process that opened it, which must not touch it.
**
** Any number of tasks may use a socket: a message goes as a whole, and who came
** first has the first turn.
*/
#ifndef GREEN_ZMQ_H
#define GREEN_ZMQ_H

#include "hub/fd.h"
#include "io/sock.h"
#include "io/zmq_ctx.h"
#include "io/zmq_loan.h"

/* ffi needs: sock zmq_ctx */
/* ffi */
typedef struct green_zmq green_zmq;
typedef struct green_waitq green_waitq;

enum {
  GREEN_ZMQ_IN,
  GREEN_ZMQ_OUT,
  GREEN_ZMQ_LENT = 32 << 10, /* A longer part had better be lent than copied. */
  GREEN_ZMQ_FORKED =
      -9001 /* No error's number: it is a mistake to be raised. */
};

/* A part of a message, good until the next call. */
typedef struct green_zmq_part {
  const char *data;
  size_t size;
  int32_t more; /* Another one follows in the same message. */
} green_zmq_part;

/* -- Life ----------------------------------------------------------------- */

/* How much memory a socket takes. */
GREEN_API size_t green_zmq_size(void);

/* Open a closed socket; type: as zmq.h numbers it. 0, GREEN_EINVAL (it is open,
** or there is no such type), GREEN_EMFILE, GREEN_ETERM, GREEN_ECLOSED (the
** context is), GREEN_ENOMEM. The context is held until the socket is closed. */
GREEN_API int green_zmq_open(green_zmq *z, green_zmq_context *ctx, int type);

/* Wake who waits with GREEN_ECLOSED, and close: messages that are still to be
** sent are kept for so many milliseconds (-1: until they are; -2: as the option
** says). Idempotent; 0. */
GREEN_API int green_zmq_close(green_zmq *z, int linger);

/* Let go of all who wait, without a word: at the end of the program. */
GREEN_API void green_zmq_forget(green_zmq *z);

/* 1: it is closed. */
GREEN_API int green_zmq_is_closed(const green_zmq *z);

/* 0; GREEN_EINVAL, GREEN_EADDRINUSE, GREEN_EADDRNOTAVAIL, GREEN_ENODEV,
** GREEN_ENOCOMPATPROTO, GREEN_EMTHREAD, GREEN_ETERM, and what the system says.
** The file of an ipc endpoint is the user's alone (0600), from the beginning; a
** file that is there and no socket stays: GREEN_EADDRINUSE. */
GREEN_API int green_zmq_bind(green_zmq *z, const char *endpoint);
GREEN_API int green_zmq_connect(green_zmq *z, const char *endpoint);
/* 0; GREEN_ENOENT: it is not bound, or not connected, there. */
GREEN_API int green_zmq_unbind(green_zmq *z, const char *endpoint);
GREEN_API int green_zmq_disconnect(green_zmq *z, const char *endpoint);

/* An option by zmq.h's number. 0, GREEN_EINVAL, GREEN_ETERM. *n: the room, and
** then the length of the value. */
GREEN_API int green_zmq_set(green_zmq *z, int option, const void *value,
                            size_t n);
GREEN_API int green_zmq_get(green_zmq *z, int option, void *value, size_t *n);

/* -- Messages ------------------------------------------------------------- */

/* told: this task was woken in the socket's line for it; else it does not try
** where others wait. */

/* The first part of the next message: its size (at most 2^31 - 1; see the
** part), and green_zmq_input has it. GREEN_EAGAIN, GREEN_EFSM, GREEN_ETERM. */
GREEN_API int green_zmq_recv(green_zmq *z, int told);
/* The next part of the same message, when more says that there is one. */
GREEN_API int green_zmq_recv_more(green_zmq *z);
/* The rest of a message is not wanted. */
GREEN_API void green_zmq_drop(green_zmq *z);
/* Where the part is described that was received last. */
GREEN_API const green_zmq_part *green_zmq_input(const green_zmq *z);

/* What is known of who has sent the part that was received last, by name
** ("User-Id", "Peer-Address", ...): a text, good until the next call. NULL:
** nothing of that name, or the part was dropped. */
GREEN_API const char *green_zmq_metadata(const green_zmq *z, const char *name);

/* Send one part, or n of them as one message; all or nothing. 0;
** GREEN_EAGAIN, GREEN_EHOSTUNREACH, GREEN_EFSM, GREEN_EINVAL, GREEN_ETERM. */
GREEN_API int green_zmq_send(green_zmq *z, const void *data, size_t n,
                             int told);
GREEN_API int green_zmq_sendv(green_zmq *z, const green_iov *parts, int n,
                              int told);

/* -- Waiting -------------------------------------------------------------- */

/* Before a park: 0, or GREEN_ECLOSED, GREEN_ENOMEM, GREEN_ZMQ_FORKED. */
GREEN_API int green_zmq_wait(green_zmq *z, int direction);

/* Where to park; again: for one who was told and found nothing. */
GREEN_API green_waitq *green_zmq_line(green_zmq *z, int direction, int again);

/* One who stood in line has left it without being told. */
GREEN_API void green_zmq_leave(green_zmq *z);

/* What can be done now: GREEN_READ | GREEN_WRITE; or a negative error. */
GREEN_API int green_zmq_events(green_zmq *z);

/* libzmq was called past these functions: whoever waits has to look. */
GREEN_API void green_zmq_touch(green_zmq *z);

/* Where those wait who want to know only, without taking or sending: all are
** woken when one of the events (GREEN_READ | GREEN_WRITE) that were asked for
** is there, and their status is the events. Call it before each park. 0 or as
** green_zmq_wait. */
GREEN_API int green_zmq_watch(green_zmq *z, int events);
GREEN_API green_waitq *green_zmq_watchers(green_zmq *z);

/* How often libzmq was asked for its events, for tests: by all sockets. */
GREEN_API double green_zmq_looks(void);
/* end ffi */

/* As green_zmq_sendv; a part whose loan is not NULL is not copied, and stays as
** it is until that comes back. **Takes** the loans, whatever it gives. */
GREEN_API int green_zmq_sendv_lent(green_zmq *z, const green_iov *parts,
                                   green_zmq_loan **loans, int n, int told);

GREEN_API void green_zmq_init(green_zmq *z, green_hub *hub);
GREEN_API void green_zmq_deinit(green_zmq *z);

#endif
