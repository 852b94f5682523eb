/*
** buf.h: a byte buffer with a read and a write cursor.
**
** Bytes are appended at the tail and consumed at the head. A zeroed struct is
** an empty buffer without a limit; an empty buffer that was reset holds no
** memory. Pointers into it hold until the next call that may move it: reserve,
** append, compact, reset.
*/
#ifndef GREEN_BUF_H
#define GREEN_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* No buffer grows beyond this, so that offsets fit an int. */
#define GREEN_BUF_MAX 0x7fffffffu

/* ffi */
typedef struct green_buf {
  char *data;    /* NULL: holds no memory. */
  uint32_t head; /* The first byte that was not consumed. */
  uint32_t tail; /* Behind the last byte. */
  uint32_t cap;
  uint32_t max; /* Most bytes it may hold; 0: no limit but GREEN_BUF_MAX. */
} green_buf;

/* An empty buffer that holds no memory and at most max bytes (0: no limit). */
GREEN_API void green_buf_init(green_buf *b, uint32_t max);

/* Forget the bytes and free the memory; the limit stays. Idempotent, and all
** that a buffer needs at its end. */
GREEN_API void green_buf_reset(green_buf *b);

/* Make room for n bytes behind the tail. 0, GREEN_ETOOBIG (it would hold more
** than its limit) or GREEN_ENOMEM; then nothing has changed. */
GREEN_API int green_buf_reserve(green_buf *b, size_t n);

/* Copy n bytes to the tail. As green_buf_reserve. ptr may not point into b. */
GREEN_API int green_buf_append(green_buf *b, const void *ptr, size_t n);

/* n bytes were written behind the tail, into room that was reserved. */
GREEN_API void green_buf_commit(green_buf *b, size_t n);

/* Drop n bytes at the head; more than there are drops all. */
GREEN_API void green_buf_consume(green_buf *b, size_t n);

/* Move what is left to the front of the memory. */
GREEN_API void green_buf_compact(green_buf *b);

/* Where a string, or a byte, first occurs at or behind offset from: an offset
** from the head, or GREEN_EAGAIN: not there (yet). The empty string occurs at
** once. */
GREEN_API int green_buf_find(const green_buf *b, const void *needle, size_t n,
                             size_t from);
GREEN_API int green_buf_find_byte(const green_buf *b, int byte, size_t from);
/* end ffi */

/* The unconsumed bytes, and how many there are. */
static inline char *green_buf_data(const green_buf *b)
{
  return b->head ? b->data + b->head : b->data; /* NULL + 0 is undefined */
}

static inline size_t green_buf_len(const green_buf *b)
{
  return b->tail - b->head;
}

/* Where the next bytes go, and how many fit there without a reserve. */
static inline char *green_buf_space(const green_buf *b)
{
  return b->tail ? b->data + b->tail : b->data;
}

static inline size_t green_buf_room(const green_buf *b)
{
  return b->cap - b->tail;
}

#endif
