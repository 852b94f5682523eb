/*
** logtext.h: pieces of a line of a log, appended to a buffer: texts, numbers,
** times. As JSON, which is valid UTF-8 whatever came in; or to be shown on a
** terminal, which is told nothing by it.
**
** Control characters, those that separate lines and those that turn the
** direction of writing come out as escapes; bytes that are no UTF-8 come out as
** U+FFFD in JSON, and as \xHH where they are shown. A head is appended in front
** as it is: it is the caller's own.
**
** Each returns 0, GREEN_ETOOBIG or GREEN_ENOMEM (of green_buf_reserve); then
** nothing was appended. Any thread.
*/
#ifndef GREEN_PROTO_LOGTEXT_H
#define GREEN_PROTO_LOGTEXT_H

#include "base/buf.h"

/* ffi needs: buf */
/* ffi */
enum {
  GREEN_LOGTEXT_JSON,
  GREEN_LOGTEXT_SHOWN, /* As it is, but for what is escaped. */
  GREEN_LOGTEXT_VALUE  /* The same, in quotes if it is not one plain word. */
};

/* A head of h bytes, and a text of n bytes. */
GREEN_API int green_logtext_text(green_buf *b, const char *head, size_t h,
                                 const char *p, size_t n, int form);

/* A head of h bytes, and a number: whole ones below 1e15 without a point,
** others as short as they can be read back; nan, inf and -inf are texts in
** JSON. */
GREEN_API int green_logtext_number(green_buf *b, const char *head, size_t h,
                                   double value, int form);

/* A head of h bytes, and the time of day: 2000-10-10T20:55:36.123456Z, with
** that many digits (6 at most) behind the point. */
GREEN_API int green_logtext_now(green_buf *b, const char *head, size_t h,
                                int digits);

/* Nanoseconds of CLOCK_REALTIME since 1970. */
GREEN_API int64_t green_logtext_clock(void);
/* end ffi */

/* The same as green_logtext_now, of a given time since 1970. */
GREEN_API int green_logtext_time(green_buf *b, const char *head, size_t h,
                                 int64_t ns, int digits);

#endif
