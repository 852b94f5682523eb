/*
** zmq_pump.h: moves whole messages from one ZeroMQ socket to another: one
** direction of a proxy.
**
** A part goes on as libzmq's own message, whose data is never copied. What was
** taken and finds no room stands in the pump, and nothing more is taken
** meanwhile: a full side holds back the other one.
*/
#ifndef GREEN_ZMQ_PUMP_H
#define GREEN_ZMQ_PUMP_H

#include "io/zmq.h"

/* ffi needs: zmq */
/* ffi */
typedef struct green_zmq_pump green_zmq_pump;

/* What a pump waits for. */
enum {
  GREEN_ZMQ_PUMP_TURN, /* Nothing: others had better have a turn. */
  GREEN_ZMQ_PUMP_IN,   /* A message to read at `from`, */
  GREEN_ZMQ_PUMP_OUT,  /* room at `to`, */
  GREEN_ZMQ_PUMP_COPY  /* or at the capture. */
};

/* Move messages, at most so many parts and the rest of the last message.
** capture, which may be NULL, is sent a copy of each part first. One of
** GREEN_ZMQ_PUMP_*: before a park among that socket's watchers green_zmq_watch
** is to be called; or negative: GREEN_ECLOSED, GREEN_ZMQ_FORKED,
** GREEN_EOPNOTSUPP (from is of a type that is not read), what else libzmq
** says. What stands in the pump stays there.
** A message that a ROUTER finds nobody for is dropped. */
GREEN_API int green_zmq_pump_move(green_zmq_pump *p, green_zmq *from,
                                  green_zmq *to, green_zmq *capture, int most);

/* The pump ends here: the message that it holds is dropped, whole, or goes on
** whole where it has begun to. The sockets are those of its moves, and may be
** closed. Idempotent. */
GREEN_API void green_zmq_pump_stop(green_zmq_pump *p, green_zmq *from,
                                   green_zmq *to, green_zmq *capture);

/* What it did: messages taken, their bytes, messages sent, their bytes. */
GREEN_API void green_zmq_pump_counts(const green_zmq_pump *p, uint64_t n[4]);
/* end ffi */

/* The memory that one takes: zeroed, it is one that has done nothing. */
GREEN_API size_t green_zmq_pump_size(void);

/* What it holds is dropped. Idempotent. */
GREEN_API void green_zmq_pump_deinit(green_zmq_pump *p);

#endif
