/*
** client.h: many connections to one server, kept busy by one thread.
**
** A batch is what a connection sends at once: depth requests. It sends the
** next one when every answer of the last has come and has been checked. Each
** batch may have a connection of its own.
*/
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum client_mode { CLIENT_ECHO, CLIENT_HTTP };

typedef struct client_opts {
  enum client_mode mode;
  uint16_t port; /* Of a server on 127.0.0.1. */
  unsigned conns;
  unsigned depth;      /* Requests in a batch. */
  unsigned in_flight;  /* Batches on their way at once, at most. */
  double rate;         /* Requests a second; 0: as fast as answers come. */
  double wait;         /* Seconds that connecting may take, all together. */
  int status;          /* What every HTTP answer must have. */
  int tls;             /* TLS1_2_VERSION, TLS1_3_VERSION; 0: plain. */
  bool fresh;          /* A new connection for each batch. */
  bool resume;         /* It must go on with the session of the last one. */
  const char *request; /* One request, or one message to be echoed. */
  size_t request_len;
} client_opts;

/* What a run has counted. */
typedef struct client_result {
  uint64_t requests; /* Answered and right. */
  uint64_t errors;   /* Answered wrong, cut off, or not answered in time. */
  uint64_t bytes;    /* Of answers. */
  double seconds;
  meter_histogram latency;
} client_result;

typedef struct client client;

/* Connect; waits for the server to listen. The client is freed with
** client_free. NULL, with a line on stderr, when it cannot be done in
** time. opts is borrowed for the client's life. */
client *client_new(const client_opts *opts);

/* Resets its connections, so that no TIME_WAIT is left of them. */
void client_free(client *c);

/* Send count requests, or as many as the seconds allow, and wait for their
** answers (10 s after the last one was sent, they are errors). A latency
** counts from the moment a request was due, not from when it could be sent. */
void client_run(client *c, uint64_t count, double seconds, client_result *r);

#endif
