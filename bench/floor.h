/*
** floor.h: what the two bare servers share: a listener, connections with an
** armed read watcher, and writes that wait only when the socket is full.
*/
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <ev.h>
#include <stddef.h>

typedef struct floor_conn {
  ev_io in; /* Armed for the connection's life, but for a full socket. */
  ev_io out;
  char *rest;               /* What a full socket did not take, or NULL. */
  size_t rest_len, rest_at; /* Its length, and how much of it has been sent. */
  void *more;               /* The server's own. */
  size_t held;  /* For the server: bytes of an unfinished request ... */
  char tail[4]; /* ... and the last of them. */
} floor_conn;

/* Called when the connection can be read. */
typedef void floor_fn(struct ev_loop *loop, ev_io *w, int events);

/* Write now; what does not fit is kept and sent later, and until then nothing
** is read. 0, or -1 and the connection is closed and freed. */
int floor_send(struct ev_loop *loop, floor_conn *c, const char *p, size_t n);

void floor_close(struct ev_loop *loop, floor_conn *c);

/* Serve on 127.0.0.1 until killed. Returns only on failure. */
int floor_serve(int port, floor_fn *on_read);

#endif
