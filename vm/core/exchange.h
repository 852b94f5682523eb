/*
** exchange.h: the end of one request and the beginning of the next, for
** compiled Lua. Private to vm/core.
**
** The doors of httpd.c, env.c and answer.c can do all of it, but compiled code
** has to be left for them. What is here does what nearly every request needs,
** by the FFI; where there is more to do it does nothing, or stops half-way, and
** says so: the doors go on from there.
*/
#ifndef GREEN_EXCHANGE_H
#define GREEN_EXCHANGE_H

#include "httpd/httpd.h"
#include "httpd/log.h"
#include "turn.h"

/* ffi needs: turn httpd log */
/* ffi */
/* How far green_exchange_answer has come. */
enum {
  GREEN_EXCHANGE_NONE,     /* Nothing is done: answer_respond says why. */
  GREEN_EXCHANGE_COLD,     /* Nothing is done: the doors are quicker now. */
  GREEN_EXCHANGE_ANSWERED, /* The answer is written; the rest is
                              conn_finish's. */
  GREEN_EXCHANGE_LOGGED,   /* So is its line, and the log has more than its
                              mark. */
  GREEN_EXCHANGE_SLOW,     /* As conn_finish's false: conn is the handle. */
  GREEN_EXCHANGE_DONE,     /* It is finished: httpd_next has what is next. */
  GREEN_EXCHANGE_NEXT      /* And here is what is next. */
};

/* A server's. */
typedef struct green_exchange {
  green_turn *turn; /* The runtime's. */
  green_httpd *httpd;
  green_log *log;     /* NULL: none. */
  const void *caller; /* Where calls return to that the interpreter makes. */
  int32_t coldness;   /* Such calls make it grow, others make it less. */
  bool capitalize;
  int32_t found;    /* Of what is next: GREEN_HTTPD_*; */
  int32_t path_len; /* its path; -1: ask conn_path; -2: that of the memo. */
  const char *path; /* In the request's buffer. */
  double conn;      /* Its handle. */
  double begun;     /* The handle of the request whose answer was begun here. */
  int32_t memo_len; /* To be set when the path that was handed out last has been
                       made a string, if it is not longer than memo. */
  char memo[64];
  bool is_last;
  char buffer[4096]; /* Our own: what is found in a request may be gone when a
                        finalizer has run. */
} green_exchange;

/* Is to be called by the interpreter, not by compiled code, which is told from
** it by this call. x is zeroed memory. Pointers are borrowed. */
GREEN_API void green_exchange_init(green_exchange *x, green_turn *turn,
                                   green_httpd *httpd, green_log *log,
                                   bool capitalize);

/* Is the request of the handle in hand? */
GREEN_API bool green_exchange_is_open(const green_exchange *x, double conn);

/* What the request says of a key of CGI: its length, and it is in buffer. -1:
** there is no such thing, or no such request; -2: the function of
** httpd_env_index makes it. */
GREEN_API int green_exchange_text(green_exchange *x, double conn,
                                  const char *key, size_t n);

/* The request's Content-Length. -1: it has none; -2: conn_length knows more. */
GREEN_API double green_exchange_length(const green_exchange *x, double conn);

/* The next bytes of its body, max at most, into buffer: their count, and
** is_last: the body ends with them; 0: at its end, or for max 0; or an error
** code, as green_conn_body. 1 beyond its size: use conn_body, nothing is
** done. */
GREEN_API int green_exchange_body(green_exchange *x, double conn, double max);

/* A piece of the answer to the request of the handle conn, as
** green_conn_piece. */
GREEN_API int green_exchange_piece(green_exchange *x, double conn,
                                   const char *p, size_t n);

/* The rest of a body that comes on another socket, as green_conn_carry. */
GREEN_API int green_exchange_carry(green_exchange *x, double conn,
                                   green_sock *from, green_http_body *body);

/* Begin the answer to the request of the handle conn, unless that was done
** here, with one header. False: nothing is done, nor is anything left of an
** answer that was begun here. */
GREEN_API bool green_exchange_header(green_exchange *x, double conn,
                                     double status, const char *name,
                                     size_t name_len, const char *value,
                                     size_t value_len);

/* The same with the last header (name NULL: there is none at all) and the whole
** body; then finish the request, and look for what is next for the thread that
** runs. Does not poll. */
GREEN_API int green_exchange_answer(green_exchange *x, double conn,
                                    double status, const char *name,
                                    size_t name_len, const char *value,
                                    size_t value_len, const char *body,
                                    size_t n);
/* end ffi */

#endif
