/*
** ws.h: frames of websockets (RFC 6455, 5; drafts 75 and 76), strictly.
**
** Bytes in, ranges of data out, unmasked where they lie; no copy, no
** allocation. The reader keeps all state between calls, a header that was cut
** too, so every byte that it reports as used may be thrown away. A verdict
** depends on the bytes alone, never on how they were cut.
**
** Strict: reserved bits and opcodes, control frames in pieces or of more than
** 125 bytes, lengths that a shorter form could say, a mask that is missing or
** one too many, messages inside messages and continuations of nothing are
** refused. What a text or a compressed message says is not looked at here:
** utf8.h, ws_pack.h.
*/
#ifndef GREEN_PROTO_WS_H
#define GREEN_PROTO_WS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_WS_CONT = 0,
  GREEN_WS_TEXT = 1,
  GREEN_WS_BINARY = 2,
  GREEN_WS_CLOSE = 8,
  GREEN_WS_PING = 9,
  GREEN_WS_PONG = 10,
};

/* What green_ws_next has found. */
enum {
  GREEN_WS_DATA = 1,
  GREEN_WS_CONTROL = 2,
};

typedef struct green_ws_reader {
  /* Options. Set by init, changed before the first byte, limits at will. */
  uint64_t max_frame;     /* 8 MiB: payload of one frame. */
  uint64_t max_message;   /* 8 MiB: payload of all frames of a message. */
  uint32_t max_fragments; /* 4096: frames of a message. */
  bool masked;  /* true: of a server, whose peer masks each frame; else none. */
  bool deflate; /* RSV1 may stand in the first frame of a message. */
  bool legacy;  /* Drafts 75 and 76. Nothing is masked. */

  /* Of the last call. */
  uint8_t opcode;  /* Of the message, or of the control frame. */
  bool compressed; /* The message is. */
  bool first;      /* With these data the message begins, */
  bool last;       /* or ends. */
  uint8_t control_len;
  char control[125];
  uint32_t data_off; /* Offset from the first byte of the input. */
  uint32_t data_len; /* May be 0. */
  bool ascii; /* They are ASCII, which was seen when their mask was taken off.
                 false: they are not, or had none. */
  uint32_t used; /* How far the input is dealt with, data included. */

  /* After an error. */
  int32_t error;
  uint16_t code; /* For the close frame: 1002; 1009: by a limit. */

  /* Private. */
  uint8_t head_len; /* Bytes of a header that is not complete. */
  char head[14];
  uint8_t key[4];
  bool final;   /* The frame ends its message. */
  bool inside;  /* Between a header and the end of its payload. */
  bool open;    /* Between the first and the last frame of a message. */
  bool fresh;   /* No data of the message were given out. */
  bool closed;  /* A close frame has come. */
  uint8_t kind; /* The opcode of the message. */
  bool packed;  /* The message is compressed. */
  uint32_t fragments;
  uint64_t total; /* Payload of the message, of its frames so far. */
  uint64_t left;  /* Payload of this frame that is to come. */

  const char *reason; /* Static text, after an error. */
} green_ws_reader;

/* At the start of the frames: default limits, of a server, neither compressed
** nor legacy. */
GREEN_API void green_ws_init(green_ws_reader *r);

/*
** Look for the next data or control frame in in[0..n); payload is unmasked
** there. Call it again with what follows the used bytes, even when that is
** nothing.
**   GREEN_WS_DATA    in[data_off .. data_off + data_len) of the message: as
**                    much of a frame as is there
**   GREEN_WS_CONTROL a whole control frame: its payload is in control
**   GREEN_EAGAIN     all is used, more is needed
**   GREEN_EPROTO     no such frame may come: code, reason
**   GREEN_ETOOBIG    over a limit: code, reason. Said by the header alone
** Errors are final: later calls repeat them and use nothing. What follows a
** close frame is used and dropped. No call takes more than 2^31 - 1 bytes; the
** rest is left as if it had not been passed.
*/
GREEN_API int green_ws_next(green_ws_reader *r, char *in, size_t n);

/* Is nothing begun, neither a message nor a header, and nothing wrong? Then the
** reader remembers nothing but its options. */
GREEN_API bool green_ws_is_idle(const green_ws_reader *r);

/* Write the header of a frame of n bytes, and say how long it is. mask: its
** four bytes; NULL: none. */
GREEN_API int green_ws_head(char out[14], int opcode, bool last,
                            bool compressed, uint64_t n, const uint8_t *mask);

/* Mask or unmask n bytes, the first of which is byte `offset` of the payload.
** to may be from, else they do not overlap. Is what comes out ASCII? Any
** thread. */
GREEN_API bool green_ws_mask(char *to, const char *from, size_t n,
                             const uint8_t key[4], size_t offset);

/* May the code stand in a close frame? 1000 to 1003, 1007 to 1014 and 3000 to
** 4999 may. */
GREEN_API bool green_ws_code_is_valid(int code);

/* What the payload of a close frame says. 0: *code is its code, 1005 when it
** is empty, and a reason stands behind its two bytes; GREEN_EPROTO: no such
** code, or half of one; GREEN_EILSEQ: the reason is no UTF-8. */
GREEN_API int green_ws_close_parse(const char *p, size_t n, uint16_t *code);

/* Write the payload of a close frame, and say how long it is. A reason of more
** than 123 bytes is cut at the end of a character. 1005: an empty one. */
GREEN_API int green_ws_close_write(char out[125], int code, const char *reason,
                                   size_t n);
/* end ffi */

#endif
