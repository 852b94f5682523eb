/*
** zmq_priv.h: what the files of ZeroMQ share.
*/
#ifndef GREEN_ZMQ_PRIV_H
#define GREEN_ZMQ_PRIV_H

#include "io/zmq.h"
#include "io/zmq_ctx.h"
#include "io/zmq_lib.h"

#include "base/fork.h"
#include "hub/hub.h"
#include "hub/idle.h"

#include <pthread.h>

#define lib green__zmq_lib

struct green_zmq_context {
  void *ctx;
  uint32_t id;
  int refs;                       /* Atomic. */
  struct green_zmq_context *next; /* Among those that are being ended. */
  uint8_t is_shared;
  uint32_t generation; /* Of the process it was made in. */
};

/* A socket. Waiters stand in queues, by direction; the descriptor is watched by
** a set of its own while there are some, with no task.
**
** libzmq's descriptor tells of a change once, and any call may take the news
** away: "quiet" and "stirred" say whether somebody has to look (zmq_wait.c). */
struct green_zmq {
  green_fd f; /* A dup of libzmq's descriptor. */
  green_idle set;
  green_defer look;
  green_timer again_later; /* Senders to one of several peers (zmq_wait.c). */
  void *socket;            /* libzmq's; NULL: closed. */
  void *poller;            /* Has the descriptor, if it is not the socket's. */
  green_zmq_context *ctx;
  green_hub *hub;
  uint32_t generation;
  int32_t type;
  green_waitq lines[2]; /* By GREEN_ZMQ_IN and GREEN_ZMQ_OUT. */
  green_waitq again[2]; /* Were told, and found nothing: before the others. */
  green_waitq watchers; /* Want to know, and take nothing: told of what is in */
  uint8_t watched;      /* this: GREEN_READ | GREEN_WRITE. */
  uint8_t told[2];      /* One was woken who has not tried yet. */
  uint8_t quiet;        /* GREEN_READ | GREEN_WRITE: was looked for and not
                           there, and nothing has happened since. */
  uint8_t stirred;      /* Something has, and somebody waits. */
  uint8_t is_choosy;    /* Who can send depends on what is sent; */
  uint8_t in_vain;      /* rounds of their tries since something happened. */
  uint8_t in_message;   /* The last part received says that more follow. */
  green_zmq *monitor;   /* Receives what becomes of this one's connections, */
  green_zmq *monitored; /* or receives that of this one (zmq_monitor.c). */
  /* NULL; else told that this one is about to be closed. */
  void (*leave)(green_zmq *z);
  green_zmq_part part;
  green__zmq_msg msg; /* Where part is. */
};

/* 0; GREEN_ECLOSED; GREEN_ZMQ_FORKED. */
static inline int green__zmq_usable(const green_zmq *z)
{
  if (green_unlikely(!z->socket)) return GREEN_ECLOSED;
  return green_fork_differs(z->generation) ? GREEN_ZMQ_FORKED : 0;
}

/* -- zmq_ipc.c ------------------------------------------------------------ */

/* Bind libzmq's socket; the file of an ipc endpoint is the user's alone. 0, or
** an error. */
int green__zmq_bind(void *socket, const char *endpoint);

/* -- zmq_fd.c ------------------------------------------------------------- */

/* The descriptor that tells of a socket; *poller: what has it, where that is
** not the socket, else NULL. Or an error. */
int green__zmq_fd(void *socket, void **poller);
/* That descriptor is readable: it is no more, until something happens. */
void green__zmq_poller_ask(void *poller);
/* Before its socket is closed; NULL may stand there. */
void green__zmq_poller_end(void **poller);

/* -- zmq_wait.c ----------------------------------------------------------- */

void green__zmq_wait_init(green_zmq *z);
/* It is open, with its descriptor. */
void green__zmq_wait_open(green_zmq *z);
/* All who wait get GREEN_ECLOSED. */
void green__zmq_wait_deinit(green_zmq *z);

/* Somebody has to look before the poll. */
void green__zmq_stir(green_zmq *z);

static inline uint32_t green__zmq_count(const green_zmq *z, int direction)
{
  return z->lines[direction].n + z->again[direction].n;
}

static inline uint8_t green__zmq_bit(int direction)
{
  return direction == GREEN_ZMQ_IN ? GREEN_READ : GREEN_WRITE;
}

/* A ROUTER sends to the peer that the message names, an XPUB to some: that one
** has no room says nothing of the next. Each sender tries for itself. */
static inline int green__zmq_is_choosy(const green_zmq *z, int direction)
{
  return direction == GREEN_ZMQ_OUT && z->is_choosy;
}

/* A call in that direction has given r (-1: a call that is of none): whoever
** else waits may have to know. One that waits for what was not there is told of
** it by the descriptor; unless it was not there for that one only, and the call
** has taken the news of another away. Inline: it is a part of each message. */
static inline void green__zmq_called(green_zmq *z, int direction, int r)
{
  int is_dry = r == GREEN_EAGAIN && direction >= 0;
  uint32_t others = z->watchers.n + green__zmq_count(z, GREEN_ZMQ_IN) +
                    green__zmq_count(z, GREEN_ZMQ_OUT);
  if (green_unlikely(is_dry) && !green__zmq_is_choosy(z, direction))
    others -= green__zmq_count(z, direction);
  z->quiet = is_dry ? green__zmq_bit(direction) : 0;
  if (green_unlikely(others)) green__zmq_stir(z);
}

/* Has somebody a better right to try? */
static inline int green__zmq_is_taken(const green_zmq *z, int direction)
{
  if (green__zmq_is_choosy(z, direction)) return 0;
  return z->lines[direction].n || z->again[direction].n || z->told[direction];
}

#endif
