/*
** http_request.h: heads of HTTP/1.x requests (RFC 9110, RFC 9112), strictly.
**
** Bytes in, result out: no copy, no allocation, no fd. All positions are
** offsets from the start of the buffer that was passed, so the buffer may move
** between calls and afterwards. A verdict depends on the bytes alone, never on
** how they were cut into pieces.
**
** What is refused, always with the answer in status and reason, and always to
** be followed by a close:
**   400  any syntax error: bare CR, bare LF, folded lines, control bytes, space
**        before a colon, names that are no tokens, missing, repeated or invalid
**        Host, Content-Length that is repeated, signed, a list, zero-padded or
**        beyond int64, Content-Length with Transfer-Encoding, Transfer-Encoding
**        that is malformed, does not end in chunked, has it twice or comes with
**        HTTP/1.0, "%" without two hex digits or %00 in the path, non-ASCII,
**        blanks or "#" in the target, a target form that does not suit the
**        method
**   414  request line longer than max_line
**   417  an Expect other than 100-continue
**   431  a field longer than max_field, more than max_headers, head > max_head
**   501  a method longer than 32 bytes, a transfer coding before chunked
**   505  HTTP-version with a major number other than 1
** One CRLF before the request line is skipped. HTTP/1.2 to 1.9 count as 1.1.
*/
#ifndef GREEN_PROTO_HTTP_REQUEST_H
#define GREEN_PROTO_HTTP_REQUEST_H

#include "proto/http_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi needs: http_field */
/* ffi */
/* Methods; any other token is GREEN_M_OTHER. Upper case matters. */
enum {
  GREEN_M_OTHER,
  GREEN_M_GET,
  GREEN_M_HEAD,
  GREEN_M_POST,
  GREEN_M_PUT,
  GREEN_M_DELETE,
  GREEN_M_OPTIONS,
  GREEN_M_PATCH,
  GREEN_M_TRACE,
  GREEN_M_CONNECT,
};

/* Forms of the request target. */
enum {
  GREEN_FORM_ORIGIN,    /* /path?query */
  GREEN_FORM_ABSOLUTE,  /* http://host/path?query */
  GREEN_FORM_AUTHORITY, /* host:port, CONNECT only */
  GREEN_FORM_ASTERISK,  /* *, OPTIONS only */
};

/* The head that was parsed last. A client sends the same fields with each
** request, mostly, and some the same line: then they are not taken apart
** again. */
enum { GREEN_HTTP_REQUEST_KNOWN_LINE = 128 };
typedef struct green_http_request_known {
  uint32_t off;      /* Where the fields began in that head. */
  uint32_t len;      /* To the end of the blank line; 0: there are none. */
  uint32_t line_len; /* What stands before them; 0: it is not known. */
  uint32_t max_line; /* What was true then: the limits, */
  uint32_t max_field;
  uint32_t max_head;
  uint32_t max_headers;
  uint32_t authority_off; /* the Host, */
  uint32_t authority_len;
  uint32_t host_len;
  int32_t port;
  uint8_t minor; /* and the version. */
  /* The fields; before them, up to there, the line. */
  char text[GREEN_HTTP_REQUEST_KNOWN_LINE + 1995];
} green_http_request_known;

typedef struct green_http_request {
  /* Limits in bytes, line ends not counted but in max_head. Set by init,
  ** changed at will before a request. Below 64 (max_line, max_field) or 128
  ** (max_head) they count as that, max_headers above its room as that. */
  uint32_t max_line;    /* 8192 */
  uint32_t max_field;   /* 8192; never above 65535 */
  uint32_t max_head;    /* 65536 */
  uint32_t max_headers; /* GREEN_HTTP_FIELDS */

  /* The answer, when parse gave EPROTO or ETOOBIG. */
  int32_t status;
  int32_t head_len;   /* What parse returned, once that was positive. */
  const char *reason; /* Static text for the log. */

  /* The request, valid once parse has returned a positive number: its line, */
  uint32_t method_off;
  uint32_t method_len;
  uint32_t target_off; /* As it came. */
  uint32_t target_len;
  uint32_t path_off; /* Still escaped. "/" if absolute and left out, "*" in */
  uint32_t path_len; /* asterisk form, empty in authority form. */
  uint32_t query_off;
  uint32_t query_len;
  uint32_t authority_off; /* host[:port] of the target, else of Host: what CGI's
                          ** HTTP_HOST must say. */
  uint32_t authority_len; /* 0: HTTP/1.0 without Host. */
  uint32_t host_len;      /* Its host part, "[]" of IPv6 included. */
  int32_t port;           /* -1: none was given. */
  uint8_t method;         /* GREEN_M_* */
  uint8_t form;           /* GREEN_FORM_* */
  uint8_t minor;          /* 0 or 1; what is above 1 counts as 1. */
  bool has_query;         /* "/?" has one, empty; "/" has none. */
  bool path_escaped;      /* There is a "%" in the path. */
  uint8_t stage;          /* Private: where the next call goes on. */
  uint32_t pos;

  /* and its fields. */
  int64_t content_length; /* -1: none was given. */
  bool has_body;          /* chunked, or content_length above 0. */
  bool chunked;           /* The body is chunked. */
  bool keep_alive;        /* The client lets the connection stay open. */
  bool conn_close;        /* Options of Connection. */
  bool conn_keep_alive;
  bool conn_upgrade;
  bool upgrade;         /* Connection: upgrade and an Upgrade; 1.1 only. */
  bool expect_continue; /* Never with HTTP/1.0. */
  green_http_fields fields;

  green_http_request_known known; /* Private. */
} green_http_request;

/* Default limits, no request. Needed once before the first parse. */
GREEN_API void green_http_request_init(green_http_request *r);

/*
** Parse the head that begins at buf[0] (len bytes are there). last is 0 for a
** new request; after GREEN_EAGAIN call again with more bytes behind the same
** ones and last = the former len: a slow sender costs O(n) in all.
**   > 0           length of the head with its final blank line; what follows
**                 is the body, or the next request
**   GREEN_EAGAIN  not complete yet
**   GREEN_EPROTO  refused: status, reason
**   GREEN_ETOOBIG refused by a limit: status (414, 431), reason
**   GREEN_EINVAL  last > len
** After a refusal each further call with last > 0 repeats it.
*/
GREEN_API int green_http_request_parse(green_http_request *r, const char *buf,
                                       size_t len, size_t last);

/* Has the request line been taken? Then what it says holds, and the headers
** that are there, also when the head was refused further on. Before, method and
** target hold if their lengths are not 0. */
GREEN_API bool green_http_request_has_line(const green_http_request *r);

/* Index of the first header of that name at or after from, whatever the case
** of its letters; -1: none. from < 0 counts as 0. */
GREEN_API int green_http_request_find(const green_http_request *r,
                                      const char *buf, const char *name,
                                      size_t len, int from);

/* Index of the next header with the same name as header i; -1: none. */
GREEN_API int green_http_request_next(const green_http_request *r,
                                      const char *buf, int i);

/* Write the values of header i and all later ones of its name to out, with ","
** between them ("; " for Cookie). Returns the length, GREEN_ENOBUFS (cap too
** small; head_len always suffices) or GREEN_EINVAL (no header i). */
GREEN_API int green_http_request_join(const green_http_request *r,
                                      const char *buf, int i, char *out,
                                      size_t cap);

/* Index of the first header that the CGI key names: "HTTP_USER_AGENT",
** "CONTENT_TYPE", "CONTENT_LENGTH"; capitals only. -1: none, or no such key.
** Names with "_" are never found, so that X_Y cannot pass for X-Y; nor is
** "Proxy", whose key would mean something else to programs we start. */
GREEN_API int green_http_request_cgi(const green_http_request *r,
                                     const char *buf, const char *key,
                                     size_t len);

/* Write the CGI key of header i. Returns its length (name_len + 5 at most), 0
** when CGI must not see it, GREEN_ENOBUFS or GREEN_EINVAL (no header i). */
GREEN_API int green_http_request_cgi_key(const green_http_request *r,
                                         const char *buf, int i, char *out,
                                         size_t cap);

/* Decode %XX of a path; "+" stays. out has room for len bytes and may be in.
** Returns the length, or GREEN_EINVAL ("%" without two hex digits; what out
** holds then is undefined). Any bytes may come out. Any thread. */
GREEN_API int green_http_request_unescape(const char *in, size_t len,
                                          char *out);
/* end ffi */

#endif
