/*
** httpd_priv.h: what the files of httpd share. Private.
**
** A file calls only what stands right of it:
**   server.c -> conn.c -> reply.c -> carry.c -> answer.c -> request.c
**   -> relay.c -> send.c -> handshake.c -> rest.c -> gone.c -> crowd.c
**   -> pipe.c -> load.c
** log.c stands beside them and only reads.
*/
#ifndef GREEN_HTTPD_PRIV_H
#define GREEN_HTTPD_PRIV_H

#include "base/tally.h"
#include "httpd/httpd.h"
#include "httpd/load.h"
#include "hub/hub.h"
#include "hub/idle.h"
#include "io/tls_pool.h"
#include "io/tls_sock.h"
#include "proto/http_body.h"

#include <string.h>
#include <time.h>

/* First size of both buffers of a request: sixteen pipelined requests of
** curl's size, and their answers. */
#define HTTPD_BUFFER 16384

/* A body that would fill a fresh buffer is sent from where it is, instead of
** being copied: the buffer need not grow for it. */
#define OUT_COPY_MAX HTTPD_BUFFER

/* Flush before the next request beyond this. */
#define HTTPD_GATHER 65536

/* Connections that are read one after the other, and then answered; and answers
** that are sent one after the other. Between two system calls the caches are
** the kernel's: one change to its code and back for so many costs next to
** nothing, and the first does not wait long for the last. */
#define HTTPD_TOGETHER 32

/* How large the pipe is: as large as the system lets anybody have one. It holds
** a packet a page, which may have brought much less. */
#define HTTPD_PIPE (1 << 20)

/* Literal text with its length. */
#define TEXT(s) s, sizeof(s) - 1

typedef struct httpd_request httpd_request;
typedef struct httpd_conn httpd_conn;
typedef struct httpd httpd;

/* Buffers and parser of a connection that is not idle; pooled. */
struct httpd_request {
  green_http_request head;
  green_http_body body;
  green_link link; /* In the pool. */
  char *in;        /* in[start..]: head, body, and what follows. */
  uint32_t in_cap;
  uint32_t start; /* The present head. */
  uint32_t pos;   /* Body bytes are handed out from here. */
  uint32_t end;
  uint32_t parsed; /* Bytes of an incomplete head that were looked at. */
  char *out;       /* out[sent..len] waits to be sent. */
  uint32_t out_cap;
  uint32_t out_sent;
  uint32_t out_len;
  uint32_t answer; /* Where the present answer begins in out. */
  char *lines;     /* Headers for "100 Continue", our own copy. */
  size_t lines_len;
  uint32_t given_off; /* Body bytes that were given back (unread). */
  uint32_t given_len;
  int64_t started;    /* The poll that brought the head; its first byte, while
                         it is not complete. */
  int64_t out_length; /* The answer's Content-Length, -1: not given. */
  uint8_t flags;      /* HTTPD_A_*: headers the handler wrote. */
};

enum { HTTPD_A_DATE = 1, HTTPD_A_UPGRADE = 2 };

/* A header as it was written for an earlier answer. */
typedef struct httpd_line {
  uint8_t name_len; /* 0: none. */
  uint8_t value_len;
  uint8_t capitalize;
  char name[29];  /* As the worker gave it; */
  char text[128]; /* as it leaves, with its line end. */
} httpd_line;

/* As many as a server's handlers use time and again, and some more. */
#define HTTPD_LINES 32

/* A head as it was written for an earlier answer; zeroed: none, no answer has
** that status. */
typedef struct httpd_reply {
  time_t second; /* Of its date. */
  int32_t status;
  uint32_t length; /* Of the body. */
  uint32_t missed; /* The length of another one that would stand here: it does
                      when it comes again. */
  uint8_t name_len;
  uint8_t value_len;
  bool capitalize;
  uint16_t len;
  char name[32]; /* Its one header, as the worker gave it; */
  char value[96];
  char text[360]; /* as it leaves, with the blank line. */
} httpd_reply;

#define HTTPD_REPLIES 8

enum httpd_phase {
  HTTPD_HANDSHAKE, /* Of TLS; nothing of a request has come. */
  HTTPD_HEAD,      /* Between requests, or in a head. */
  HTTPD_ACTIVE,    /* A worker has it. */
  HTTPD_DRAIN,     /* Reading what is left of a body nobody wants. */
  HTTPD_LINGER     /* Answered and shut down: reading until the peer closes. */
};

struct httpd_conn {
  green_conn pub;
  green_sock sock;
  httpd *d;
  httpd_request *req; /* NULL while idle. */
  green_link link;    /* In the list of all connections. */
  green_defer defer;  /* Sends pipelined answers at the end of the turn. Its
                        link stands in unsent, stuck or away otherwise. */
  uint8_t phase;
  uint8_t body_done;   /* No more body to come. */
  uint8_t body_failed; /* Its framing is lost. */
  uint8_t continued;   /* 100 was sent. */
  uint8_t left;        /* Bytes of the present answer have: no way back. */
  uint8_t has_gone;    /* Its client; found out so far. */
  uint8_t shaking;     /* Counts among the handshakes under way. */
  uint8_t awaited;     /* Its handshake was let finish by a stop: the request
                          that it is for may come, too. */
  uint8_t blank;       /* The CRLF was dropped that may precede a request. */
  uint8_t chooses;     /* Its handshake asks whoever has it. */
  uint8_t peer_len;
  char peer[28];         /* A sockaddr_in or sockaddr_in6. */
  int watch_fd;          /* While it is watched (gone.c): its number, */
  uint32_t watch_serial; /* and by what it is known there; 0: it is not. */
  int64_t drained;       /* Bytes thrown away. */
};

struct httpd {
  green_httpd pub;
  green_hub *hub;
  green_idle keep;   /* Between requests. */
  green_idle heads;  /* In a head, or draining a body. */
  green_idle linger; /* Shut down. */
  green_idle brief;  /* Likewise, behind an alert of TLS. */
  green_waitq shortage;
  green_waitq departures;
  green_waitq failed;
  green_httpd_failure *failures; /* A ring; NULL: none so far. */
  uint32_t first_failure;
  uint32_t n_failures;
  green_timer look; /* For those that linger while the server closes. */
  uint64_t polled;  /* The requests that there had been at the last poll. */
  uint32_t taken;   /* Counts calls of green_httpd_next. */
  uint8_t over;     /* Requests have had their share of this turn. */
  green_defer defer;
  green_forkhook forked;
  green_list conns;
  green_list fetched; /* Ready, and what they sent is in their buffers: by the
                         ready_link of their fd. */
  uint32_t fetches;   /* Counts turns between keep and heads. */
  green_list unsent;  /* Complete answers, to be sent together. */
  uint32_t n_unsent;
  int64_t unsent_since; /* By a coarse clock. */
  green_list stuck;     /* To be handed out: they could not be sent, or were
                           passed on. */
  green_list away;      /* The pool has their handshakes; soonest due first. */
  green_timer away_timer;
  green_tls_pool *tls_pool; /* NULL: none. */
  int pipe[2];              /* For relay.c, empty; -1: there is none. */
  green_fd gone; /* An epoll that tells who has gone; -1: none yet. */
  uint32_t gone_generation; /* Of the process that it was made in. */
  uint32_t gone_serial;
  httpd_conn **watched; /* By number. */
  uint32_t watched_cap;
  green_list pool; /* Free httpd_request. */
  uint32_t pooled;
  char *sink; /* For bodies that nobody wants; NULL: there was none. */
  green_httpd_load *load; /* What requests took; NULL: nobody asks. */
  time_t date_second;
  green_tls_io *tls_io;   /* NULL: it has never spoken TLS. */
  green_tls_ctx *tls_ctx; /* Of who comes next; NULL: plain. */
  green_tally crowd;      /* Of handshakes under way, by address. */
  char date[40];          /* "Date: ...\r\n" of that second. */
  uint32_t date_len;
  uint32_t end_len;              /* Of end; 0: it is of another second. */
  int64_t end_length;            /* The length that it tells. */
  char end[96];                  /* "Content-Length: ...\r\n", and the date. */
  httpd_line lines[HTTPD_LINES]; /* By their hash; the latest stays. */
  httpd_reply replies[HTTPD_REPLIES]; /* Likewise. */
};

static inline httpd_conn *httpd_conn_of(green_conn *c)
{
  return (httpd_conn *)c;
}

/* For what only a connection's worker may call. In no set of idle ones: that is
** not all that makes a worker's, but what can be seen. */
static inline httpd_conn *conn_in_hand(green_conn *pub)
{
  httpd_conn *c = httpd_conn_of(pub);
  green_assert(!c->sock.f.idle, "All functions here are for its worker only.");
  return c;
}

/* For what needs an answer to make, or a request to read. */
static inline httpd_conn *conn_with_request(green_conn *pub)
{
  httpd_conn *c = conn_in_hand(pub);
  green_assert(c->phase == HTTPD_ACTIVE,
               "Those of body and answer are for a request in hand.");
  return c;
}

static inline httpd_conn *httpd_conn_of_fd(green_fd *f)
{
  return green_container(green_sock_of(f), httpd_conn, sock);
}

static inline httpd *httpd_of(green_httpd *d)
{
  return (httpd *)d;
}

/* -- rest.c: connections that nobody works on ------------------------------ */

/* Give c buffers and a parser if it has none: those given back last come first,
** their memory is warm. 0 or GREEN_ENOMEM. */
int green__request_take(httpd_conn *c);

/* Take them away, what they hold is dealt with. No-op if it has none. */
void green__request_give(httpd_conn *c);

void green__request_free(httpd_request *r);

/* A server that has ended leaves no deadline and no descriptor behind. */
void green__httpd_if_over(httpd *d);

/* Options may change at any time. */
void green__httpd_set_timeout(green_idle *s, int64_t timeout);

/* Leave the connection to the poll. A head that has begun keeps its deadline,
** however slowly it comes. 0, or an error when it had to be closed. */
int green__conn_rest(httpd_conn *c);

/* The same when everything is answered and sent. */
int green__conn_settle(httpd_conn *c);

/* Say that we are done, and read on for a while: closing with unread input
** makes the system reset the connection, and the client may lose the answer. */
void green__conn_linger(httpd_conn *c);

/* The same where an alert of TLS is all that was said: not for long, and not
** many at once. c may be gone. */
void green__conn_linger_briefly(httpd_conn *c);

/* Read and forget what comes then; expired: close. c may be gone. */
void green__conn_discard(httpd_conn *c, int expired);

/* Close those that linger although the peer's system has all that we sent; and
** again after a while, as long as some do. */
void green__httpd_close_delivered(httpd *d);
void green__httpd_on_look(green_timer *t);

/* For good, wherever it stands: c is gone. */
void green__conn_close(httpd_conn *c);

/* -- gone.c: clients that go ----------------------------------------------- */

/* Before its socket is closed or given away. */
void green__conn_unwatch(httpd_conn *c);

/* Nobody is watched from here on; until the next green_conn_watch. */
void green__httpd_gone_close(httpd *d);

/* In a child: before any connection is closed. */
void green__httpd_gone_forked(httpd *d);

/* -- load.c: how long requests took ---------------------------------------- */

/* The answer of c, which has buffers still, is made. Only where d->load is. */
void green__load_note(const httpd_conn *c);

/* -- pipe.c: what bodies go through that are relayed ----------------------- */

/* Make d's pipe unless there is one. 0 or an error. */
int green__pipe_open(httpd *d);

/* Close it, with what is in it. No-op without one. */
void green__pipe_drop(httpd *d);

/* -- failure.c: handshakes that were not done ------------------------------ */

/* c's was not, for that reason. Before its TLS is dropped. */
void green__httpd_keep_failure(httpd_conn *c, int err);

/* In a child: they are the parent's. */
void green__httpd_forget_failures(httpd *d);

void green__httpd_free_failures(httpd *d);

/* -- crowd.c: handshakes under way ---------------------------------------- */

/* c is in one. 0, also when that was told before; GREEN_EBUSY: there are too
** many; GREEN_ENOMEM. */
int green__crowd_enter(httpd_conn *c);

/* No more. No-op if it is in none. */
void green__crowd_leave(httpd_conn *c);

/* -- handshake.c: TLS ------------------------------------------------------ */

/* Go on with c's handshake. 0: done, heads may come; GREEN_EAGAIN: leave it to
** the poll; 1: something for a worker; GREEN_ETLSPLAIN: c is open, and plain
** from here on; another error: c is gone, or others have it. */
int green__conn_shake(httpd_conn *c);

/* Is c still in a handshake that should be done by now? It has one deadline,
** whatever it waits for. */
int green__conn_is_late(const httpd_conn *c);

/* It was something for a worker, who is done with it. */
void green__conn_chosen(httpd_conn *c);

/* Those that are too long in the pool. */
void green__httpd_on_away(green_timer *t);

/* Before c is closed with all said: tell the peer that this is the end, if that
** takes more than the close. */
void green__conn_farewell(httpd_conn *c);

/* Nothing more comes from c: GREEN_EEOF, or why. c is gone, or lingers. */
void green__conn_lost(httpd_conn *c, int err);

void green__httpd_free_tls(httpd *d);

/* -- send.c: the buffer of answers, and their way to the socket ------------ */

/* Make room for n more bytes in out. 0 or GREEN_ENOMEM. */
int green__out_grow(httpd_request *r, size_t n);

static inline int out_reserve(httpd_request *r, size_t n)
{
  return r->out_cap - r->out_len >= n ? 0 : green__out_grow(r, n);
}

static inline char *out_end(httpd_request *r)
{
  return r->out + r->out_len;
}

static inline size_t out_room(const httpd_request *r)
{
  return r->out_cap - r->out_len;
}

/* Room was reserved. */
static inline void out_put(httpd_request *r, const char *p, size_t n)
{
  memcpy(out_end(r), p, n);
  r->out_len += (uint32_t)n;
}

static inline int out_append(httpd_request *r, const char *p, size_t n)
{
  int err = out_reserve(r, n);
  if (err == 0) out_put(r, p, n);
  return err;
}

/* Send p from where it lies, behind what waits in out; what the socket does not
** take is copied there. 0 or GREEN_ENOMEM; an error of the socket is found
** again by the next flush. */
int green__out_send_past(httpd_conn *c, const char *p, size_t n);

/* c's answer is complete: send it, soon, with those of others. c may be
** gone. */
void green__httpd_put_off(httpd_conn *c);

/* Send all that were put off. */
void green__httpd_send_unsent(httpd *d);

/* Bytes that wait to be sent, here or encrypted already. */
static inline size_t green__conn_unsent(const httpd_conn *c)
{
  return c->req->out_len - c->req->out_sent + green_filter_unsent(&c->sock);
}

/* -- request.c: what is read ----------------------------------------------- */

/* Double the room for what is read. 0 or GREEN_ENOMEM. */
int green__request_grow(httpd_request *r);

/* Read more behind end. The count, 0: end of stream, or an error. */
int green__request_fill(httpd_conn *c);

/* Read from the next HTTPD_TOGETHER ready connections, and put them behind
** those of d->fetched. How many; those among them whose stream has ended are
** closed. */
int green__httpd_fetch(httpd *d);

/* Forget the body's state, for a head that was just parsed. */
void green__body_start(httpd_conn *c);

/* Will what is there of the body prove to be no body? Nothing is used up. */
int green__body_is_bad(const httpd_conn *c);

/* Drop what is left of the body. 0: done; GREEN_EAGAIN; GREEN_ETOOBIG: more
** than max_drain; else an error as of green_conn_body. */
int green__body_drain(httpd_conn *c);

/* -- answer.c: what a worker answers --------------------------------------- */

/* As memcmp finds; such texts are short, and nearly always the same. */
static inline int text_is(const char *a, const char *b, size_t n)
{
  uint64_t x, y;
  if (n < sizeof(x)) return !memcmp(a, b, n);
  for (size_t i = 0; i < n; i += sizeof(x)) {
    if (i > n - sizeof(x)) i = n - sizeof(x); /* The last ones. */
    memcpy(&x, a + i, sizeof(x));
    memcpy(&y, b + i, sizeof(y));
    if (x != y) return 0;
  }
  return 1;
}

/* As if there had been no answer to the present request. */
static inline void answer_reset(httpd_conn *c)
{
  c->pub.state = GREEN_ANSWER_NONE;
  c->pub.chunked = c->pub.no_body = false;
  c->pub.status = 0;
  c->pub.sent = 0;
  c->left = 0;
  c->req->out_length = -1;
  c->req->flags = 0;
}

/* Write an answer of our own, to be followed by a close. text NULL: what the
** status means. */
void green__answer_refuse(httpd_conn *c, int status, const char *text);

/* -- conn.c: from head to head --------------------------------------------- */

/* Read and parse. 1: something for a worker. */
int green__conn_advance(httpd_conn *c);

/* The same when its time is up. */
int green__conn_expire(httpd_conn *c);

#endif
