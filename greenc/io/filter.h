/*
** filter.h: what stands between a stream socket's program and its descriptor:
** TLS (tls_sock.h). The calls of sock.h go through it; a socket without one
** pays a branch.
**
** Bytes that a filter has read and not given out are no event of the
** descriptor: who is about to wait for GREEN_READ without having met
** GREEN_EAGAIN asks green_filter_pending first. Bytes that it has taken and not
** sent leave with green_filter_flush.
*/
#ifndef GREEN_FILTER_H
#define GREEN_FILTER_H

#include "io/sock.h"

#include <stdbool.h>

/* The socket is open, and its own buffer empty, when they are called. They read
** and write the descriptor by the last two functions below. */
struct green_filter {
  int (*handshake)(green_sock *s);
  int (*recv)(green_sock *s, void *ptr, size_t n); /* As green_sock_recv. */
  int (*sendv)(green_sock *s, const green_iov *v, int n);
  int (*flush)(green_sock *s);
  bool (*pending)(const green_sock *s);
  bool (*part)(const green_sock *s);
  size_t (*unsent)(const green_sock *s);
  int (*end)(green_sock *s); /* Say that nothing more will be written. 0: that
                                has left; else as flush, call again. */
  void (*free)(void *data);  /* It may have been another process's: no word
                                 to the peer. */
};

/* **Takes** data; the socket has no filter yet. */
static inline void green_filter_set(green_sock *s, const green_filter *filter,
                                    void *data)
{
  green_assert(!s->filter && filter, "no filter yet");
  s->filter = filter;
  s->filter_data = data;
}

/* Free it, with what it has not given out or not sent: the socket is plain from
** here on. No-op without one. */
static inline void green_filter_drop(green_sock *s)
{
  const green_filter *filter = s->filter;
  if (!filter) return;
  s->filter = NULL;
  filter->free(s->filter_data);
  s->filter_data = NULL;
}

/* 0: done, or there is no filter; GREEN_EAGAIN: wait for GREEN_READ, and
** GREEN_ENOBUFS: for GREEN_WRITE, then call again; GREEN_EINPROGRESS: it is
** for others to go on with it first (tls.h); else why there will be none. */
static inline int green_filter_handshake(green_sock *s)
{
  return s->filter && s->f.fd >= 0 ? s->filter->handshake(s) : 0;
}

/* 0: all has left; GREEN_EAGAIN: wait for GREEN_WRITE and call again; else as
** green_sock_send. */
static inline int green_filter_flush(green_sock *s)
{
  return s->filter && s->f.fd >= 0 ? s->filter->flush(s) : 0;
}

/* May green_sock_recv give something though nothing arrives? Bytes, the end or
** an error; what the socket has buffered does not count. */
static inline bool green_filter_pending(const green_sock *s)
{
  return s->filter && s->filter->pending(s);
}

/* Has something arrived that is not enough to give anything out? */
static inline bool green_filter_has_part(const green_sock *s)
{
  return s->filter && s->filter->part(s);
}

/* How many bytes it holds that have not left. */
static inline size_t green_filter_unsent(const green_sock *s)
{
  return s->filter ? s->filter->unsent(s) : 0;
}

/* -- For filters ----------------------------------------------------------- */

/* As green_sock_recv and green_sock_send of a socket without filter and buffer:
** a short read makes the next ones GREEN_EAGAIN, until the poll says more. */
int green__sock_recv_raw(green_sock *s, void *ptr, size_t n);
int green__sock_send_raw(green_sock *s, const void *ptr, size_t n);

#endif
