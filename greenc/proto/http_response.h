/*
** http_response.h: heads of HTTP/1.x responses (RFC 9110, RFC 9112), strictly.
**
** Bytes in, result out: no copy, no allocation, no fd. All positions are
** offsets from the start of the buffer that was passed, so the buffer may move
** between calls and afterwards. A verdict depends on the bytes alone, never on
** how they were cut into pieces.
**
** What is refused; whoever sent it cannot be trusted with the next response:
**   EPROTO   any syntax error: what does not begin with "HTTP/1.", a status
**            that is not three digits or below 100, bare CR, bare LF, folded
**            lines, control bytes, space before a colon, names that are no
**            tokens, Content-Length that is repeated, signed, a list,
**            zero-padded or beyond int64, Content-Length with
**            Transfer-Encoding, Transfer-Encoding that is anything but
**            "chunked" or comes with HTTP/1.0
**   ETOOBIG  status line longer than max_line, a field longer than max_field,
**            more than max_headers, head > max_head
** A reason phrase may be empty, and the blank before it missing; in it and in
** values bytes of 0x80 and more may stand. HTTP/1.2 to 1.9 count as 1.1.
**
** Where the body ends depends on the request, too: say in `asked` what it was.
** A status from 100 to 199 but 101 is no answer: its head ends at what parse
** returned, and the next head begins there.
*/
#ifndef GREEN_PROTO_HTTP_RESPONSE_H
#define GREEN_PROTO_HTTP_RESPONSE_H

#include "proto/http_body.h"
#include "proto/http_field.h"

/* ffi needs: http_field http_body */
/* ffi */
/* What the request was, as far as the body of the response depends on it. */
enum {
  GREEN_ASKED_OTHER,
  GREEN_ASKED_HEAD,    /* No body, whatever the head says. */
  GREEN_ASKED_CONNECT, /* Behind a 2xx the tunnel begins. */
};

typedef struct green_http_response {
  /* Limits in bytes, line ends not counted but in max_head. Set by init,
  ** changed at will before a response. Below 64 (max_line, max_field) or 128
  ** (max_head) they count as that, max_headers above its room as that. */
  uint32_t max_line;    /* 8192 */
  uint32_t max_field;   /* 32768; never above 65535 */
  uint32_t max_head;    /* 65536 */
  uint32_t max_headers; /* GREEN_HTTP_FIELDS */
  uint8_t asked;        /* GREEN_ASKED_*; set by the caller. */

  /* Why parse gave EPROTO or ETOOBIG: static text. */
  int32_t error; /* What it gave. */
  const char *reason;

  /* The response, valid once parse has returned a positive number: its line, */
  int32_t head_len;    /* What parse returned. */
  int32_t status;      /* 100 to 999 */
  uint32_t phrase_off; /* The reason phrase. */
  uint32_t phrase_len;
  uint8_t minor; /* 0 or 1; what is above 1 counts as 1. */
  uint8_t stage; /* Private: where the next call goes on. */
  uint32_t pos;

  /* and its fields. */
  int64_t content_length; /* -1: none was given. Told of HEAD and 304, too. */
  uint8_t framing;        /* GREEN_BODY_* */
  bool interim;           /* 100 to 199 but 101: the answer is still to come. */
  bool tunnel;            /* 101, or 2xx to CONNECT: not HTTP from here on. */
  bool keep_alive; /* Behind the body the connection may be used again. */
  bool conn_close; /* Options of Connection. */
  bool conn_keep_alive;
  bool conn_upgrade;
  int32_t keep_timeout; /* Keep-Alive's timeout, in seconds, */
  int32_t keep_max;     /* and max, in requests; -1: not given. */
  green_http_fields fields;
} green_http_response;

/* Default limits, no response. Needed once before the first parse. */
GREEN_API void green_http_response_init(green_http_response *r);

/*
** Parse the head that begins at buf[0] (len bytes are there). last is 0 for a
** new response; after GREEN_EAGAIN call again with more bytes behind the same
** ones and last = the former len: a slow sender costs O(n) in all.
**   > 0           length of the head with its final blank line; what follows
**                 is the body, the next response, or a tunnel's
**   GREEN_EAGAIN  not complete yet
**   GREEN_EPROTO  refused: reason
**   GREEN_ETOOBIG refused by a limit: reason
**   GREEN_EINVAL  last > len
** After a refusal each further call with last > 0 repeats it.
*/
GREEN_API int green_http_response_parse(green_http_response *r, const char *buf,
                                        size_t len, size_t last);
/* end ffi */

#endif
