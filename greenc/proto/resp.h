/*
** resp.h: replies of Redis: RESP2 and RESP3, strictly.
**
** Bytes in, result out: no copy, no allocation, no fd. First `scan` finds where
** a reply ends, with limits; a header that promises much costs nothing until
** that has come. Then `next` takes the reply apart, token by token. All
** positions are offsets, so the buffer may move between calls. A verdict
** depends on the bytes alone, never on how they were cut into pieces.
**
** All types of RESP3 are known but the streamed ones ("$?", "*?"), which no
** server sends. What is refused; whoever sent it cannot be trusted with the
** next reply:
**   EPROTO   an unknown type, a bad number or length, a line or string that
**            does not end with CRLF, a bare CR or LF in a line, a push inside
**            of a reply, a streamed type
**   ETOOBIG  a limit
**
** Source: the protocol's description at redis.io ("RESP protocol spec").
*/
#ifndef GREEN_PROTO_RESP_H
#define GREEN_PROTO_RESP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_RESP_DEPTH = 64, /* Aggregates inside of each other, at most. */
};

typedef struct green_resp {
  /* Limits. Set by init, changed at will before a reply. */
  uint32_t max_line;     /* 65536 bytes of a line, CRLF not counted */
  uint32_t max_bulk;     /* 512 MB: bytes of one string */
  uint32_t max_elements; /* 2^24 of all aggregates of a reply */
  uint32_t max_reply;    /* 1 GB: all bytes of a reply */
  uint32_t max_depth;    /* 32; above GREEN_RESP_DEPTH it counts as that. */

  int32_t error;      /* What scan gave, if that was a refusal. */
  const char *reason; /* Why: static text. */

  /* Private. */
  uint32_t pos;      /* The first token that is not complete. */
  uint32_t seen;     /* So many bytes of its line have no CR. */
  uint32_t elements; /* Of the reply, so far. */
  uint32_t depth;
  uint32_t left[GREEN_RESP_DEPTH + 1]; /* Values that each level still needs. */
} green_resp;

/* Default limits, no reply. Needed once before the first scan. */
GREEN_API void green_resp_init(green_resp *r);

/*
** Look for the end of the reply that begins at buf[0] (len bytes are there).
** After GREEN_EAGAIN call again with more bytes behind the same ones: a slow
** sender costs O(n) in all.
**   > 0           length of the reply, attributes before it included; what
**                 follows is the next one, which the next call looks at
**   GREEN_EAGAIN  not complete yet
**   GREEN_EPROTO  refused: reason
**   GREEN_ETOOBIG refused by a limit: reason
** After a refusal each further call repeats it.
*/
GREEN_API int green_resp_scan(green_resp *r, const char *buf, size_t len);
/* end ffi */

/* One value, or the head of an aggregate. */
typedef struct green_resp_token {
  char type;         /* The byte it begins with; '_' for all nulls. */
  uint32_t text_off; /* From the token's first byte: its text, */
  uint32_t text_len; /* a verbatim string's without "txt:". */
  /* ':' the number; '#' 0 or 1; ',' 0: text is a decimal number, 1, -1:
  ** infinite, 2: no number; an aggregate's elements, both halves of a pair
  ** counted. */
  int64_t integer;
} green_resp_token;

/* The token at p, of which n bytes are there: its length, or GREEN_EAGAIN, or
** GREEN_EPROTO. The values of an aggregate follow as tokens of their own; an
** attribute '|' and its pairs stand before the value that they are about. */
int green_resp_next(const char *p, size_t n, green_resp_token *t);

static inline bool green_resp_is_aggregate(char type)
{
  return type == '*' || type == '%' || type == '~' || type == '>' ||
         type == '|';
}

#endif
