/*
** load_ws.h: one connection of the load generator of websockets.
**
** Message `number` of a size is always the same text: digits that change with
** each message, then words. With a tag it begins with that instead, and the
** digits behind it.
*/
#ifndef BENCH_LOAD_WS_H
#define BENCH_LOAD_WS_H

#include "meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WS_SIZE_MIN = 16 };

static const int64_t WS_SECOND = 1000000000;

typedef struct ws_opts {
  uint16_t port; /* Of a server on 127.0.0.1. */
  size_t size;   /* Of a message. */
  bool deflate;
  double wait; /* Seconds for the server to listen. */
} ws_opts;

typedef struct ws_conn {
  int fd;     /* -1: closed. */
  bool waits; /* For an answer. */
  char *out;  /* The frame that is sent. */
  size_t out_len, sent;
  char *in; /* The frame that comes. */
  size_t in_len, in_cap;
  uint64_t number; /* Of the message that must come. */
  const char *tag;
} ws_conn;

/* Once, before all others: the texts of messages of this size. */
void ws_prepare(const ws_opts *o);

/* Connect and shake hands; the i-th connection. 0, or -1: ws_why tells. */
int ws_open(ws_conn *k, const ws_opts *o, unsigned i);
void ws_close(ws_conn *k);

/* Why the last call failed. */
const char *ws_why(void);

/* Send a message, and expect it back. 0, also when a part of it is still to
** be sent; -1 with errno. */
int ws_ask(ws_conn *k, const ws_opts *o, const char *tag, uint64_t number);
int ws_send_rest(ws_conn *k);

/* The halves of ws_ask. */
void ws_expect(ws_conn *k, const ws_opts *o, const char *tag, uint64_t number);
int ws_send_text(ws_conn *k, const ws_opts *o, const char *tag,
                 uint64_t number);

/* Read. 1: the expected message has come; 0: not yet; -1: something else, or
** the end. */
int ws_take(ws_conn *k, const ws_opts *o);

/* Send a text and wait for the answer, which lives until the next call. */
const char *ws_question(ws_conn *k, const char *text);

#endif
