/*
** http_write.h: heads of HTTP/1.1 responses, written piece by piece.
**
** Each function writes at p, if it fits into cap bytes, and returns how many
** bytes it wrote, or GREEN_ENOBUFS: nothing that counts was written, come again
** with more room. The sizes are known beforehand: a header takes
** name + value + 4, a status line at most reason + 15, the rest is below 32.
** No terminating NUL. Any thread.
*/
#ifndef GREEN_PROTO_HTTP_WRITE_H
#define GREEN_PROTO_HTTP_WRITE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
/* The registered reason phrase, "" for a code without one. Static. */
GREEN_API const char *green_http_write_reason(int code);

/* "HTTP/1.1 200 OK" and CRLF. GREEN_EINVAL: not between 100 and 999. */
GREEN_API int green_http_write_status(char *p, size_t cap, int code);

/* The same from a line as applications give it: "404 Not Found", "404".
** GREEN_EINVAL: no three digits from 100 to 999 in front, anything but a blank
** behind them, or a control byte. */
GREEN_API int green_http_write_status_line(char *p, size_t cap,
                                           const char *line, size_t len);

/* "Name: value" and CRLF. GREEN_EINVAL: the name is no token, or there is a
** control byte other than HTAB in the value: nothing that splits the response
** can pass. */
GREEN_API int green_http_write_header(char *p, size_t cap, const char *name,
                                      size_t name_len, const char *value,
                                      size_t value_len);

/* Make a header name look as usual, in place: "content-type" becomes
** "Content-Type". Touches ASCII letters only, and only the first of each word;
** "WWW-Authenticate" and "ETag" stay. */
GREEN_API void green_http_write_capitalize(char *name, size_t len);

/* Decimal digits, with "-" when negative. */
GREEN_API int green_http_write_decimal(char *p, size_t cap, int64_t value);

/* The line before a chunk of that many bytes: hex digits and CRLF. */
GREEN_API int green_http_write_chunk(char *p, size_t cap, uint64_t size);

/* 29 bytes: "Sun, 06 Nov 1994 08:49:37 GMT", from seconds since 1970.
** GREEN_EINVAL: before year 1 or after 9999. Format it once a second. */
GREEN_API int green_http_write_date(char *p, size_t cap, int64_t seconds);

/* What header checks, for those who want to know earlier. */
GREEN_API bool green_http_write_is_token(const char *name, size_t len);
GREEN_API bool green_http_write_is_value(const char *value, size_t len);
/* end ffi */

#endif
