/*
** log.h: lines of an access log, composed where the request lies.
**
** A log has a template, which is put together once: literal text and fields.
** Each finished request adds one line to a buffer, which somebody else writes
** away from time to time. What a client sent cannot end a line or forge a
** field: bytes that are not printable ASCII, quotes and backslashes come out as
** \xHH, in JSON as JSON wants it (bytes above ASCII as if they were Latin-1).
*/
#ifndef GREEN_HTTPD_LOG_H
#define GREEN_HTTPD_LOG_H

#include "httpd/conn.h"

/* ffi needs: conn */
/* ffi */
/* What a field shows; "-" (null in JSON) where there is nothing. */
enum {
  GREEN_LOG_TEXT,      /* Literal. */
  GREEN_LOG_CLIENT_IP, /* "X-Forwarded-For's value,peer" with forwarded set. */
  GREEN_LOG_CLIENT_PORT,
  GREEN_LOG_DATE_TIME,    /* 10/Oct/2000:13:55:36 -0700 */
  GREEN_LOG_ISO_TIME,     /* 2000-10-10T20:55:36Z */
  GREEN_LOG_REQUEST_LINE, /* Of a refused request as far as it came. */
  GREEN_LOG_METHOD,
  GREEN_LOG_PATH, /* As it came, without the query. */
  GREEN_LOG_QUERY,
  GREEN_LOG_PROTOCOL,
  GREEN_LOG_STATUS,
  GREEN_LOG_BODY_LENGTH,
  GREEN_LOG_WALL_SECONDS, /* From the poll that brought the head (of a refused
                             one: its first byte) until now. */
  GREEN_LOG_REASON,       /* Why it was refused, or the connection cut. */
  GREEN_LOG_HEADER        /* By its CGI key: "HTTP_USER_AGENT". */
};

typedef struct green_log {
  uint32_t waiting; /* Bytes in the buffer. */
  uint32_t limit;   /* Lines that would make it more are dropped. */
  uint32_t mark;    /* With more than that waiting, who writes it away is to be
                       told. For who puts lines; nothing is done here. */
  uint64_t lines;   /* Put so far, dropped ones included. */
  uint64_t dropped;
  bool json;
  bool forwarded;
} green_log;

/* How much memory a log takes, for green_log_init. */
GREEN_API size_t green_log_size(void);

/* Add to the template: text (copied) is the literal, or a header's key;
** decimals are for seconds. 0, GREEN_ENOMEM, or GREEN_ECLOSED: the log has
** ended. */
GREEN_API int green_log_field(green_log *l, int field, const char *text,
                              size_t n, int decimals);

/* A line for the request that c's worker is about to finish. The bytes
** waiting. */
GREEN_API uint32_t green_log_put(green_log *l, const green_conn *c);

/* A line of one's own (its end is added), as it is. The bytes waiting. */
GREEN_API uint32_t green_log_line(green_log *l, const char *p, size_t n);

/* What waits: a count, and *ptr, good until the next call on l. */
GREEN_API uint32_t green_log_peek(const green_log *l, const char **ptr);

/* The first n bytes are dealt with. */
GREEN_API void green_log_drop(green_log *l, uint32_t n);
/* end ffi */

/* Make a log without a template in zeroed memory that stays the caller's. In a
** child of a fork it is emptied (green_hub_on_fork): what waited there is the
** parent's. */
GREEN_API void green_log_init(green_log *l, green_hub *hub);

/* Forget lines and template, for good: what comes later is counted as dropped.
** Idempotent. */
GREEN_API void green_log_deinit(green_log *l);

/* The same in memory of its own. NULL: out of memory. **Free with**
** green_log_free, for which NULL is fine. */
GREEN_API green_log *green_log_new(green_hub *hub);
GREEN_API void green_log_free(green_log *l);

#endif
