/*
** buf.c: growing, moving and searching a byte buffer.
*/

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

/* The first allocation; less would only be asked for again. */
#define BUF_FIRST 64

static size_t buf_limit(const green_buf *b)
{
  return b->max && b->max < GREEN_BUF_MAX ? b->max : GREEN_BUF_MAX;
}

/* Doubling keeps appends linear; the limit cuts the last step short. */
static size_t buf_new_cap(const green_buf *b, size_t want)
{
  size_t limit = buf_limit(b);
  size_t cap = b->cap ? 2 * (size_t)b->cap : BUF_FIRST;
  if (cap < want) cap = want;
  return cap < limit ? cap : limit;
}

/* Move to new memory of that size instead of growing in place: the consumed
** bytes need not be copied. */
static int buf_move(green_buf *b, size_t cap)
{
  size_t len = green_buf_len(b);
  char *data = green__alloc(cap);
  if (!data) return GREEN_ENOMEM;
  if (len) memcpy(data, green_buf_data(b), len);
  green__free(b->data);
  b->data = data;
  b->head = 0;
  b->tail = (uint32_t)len;
  b->cap = (uint32_t)cap;
  return 0;
}

/* -- Public API ----------------------------------------------------------- */

void green_buf_init(green_buf *b, uint32_t max)
{
  memset(b, 0, sizeof(*b));
  b->max = max;
}

void green_buf_reset(green_buf *b)
{
  green__free(b->data);
  green_buf_init(b, b->max);
}

int green_buf_reserve(green_buf *b, size_t n)
{
  size_t len = green_buf_len(b);
  size_t limit = buf_limit(b);
  if (n > limit || len + n > limit) return GREEN_ETOOBIG;
  if (n <= green_buf_room(b)) return 0;
  /* Moving fewer bytes than were consumed is cheaper than memory. */
  if (len + n <= b->cap && (len <= b->head || b->cap >= limit)) {
    green_buf_compact(b);
    return 0;
  }
  return buf_move(b, buf_new_cap(b, len + n));
}

int green_buf_append(green_buf *b, const void *ptr, size_t n)
{
  int err = green_buf_reserve(b, n);
  if (err < 0) return err;
  if (n) memcpy(green_buf_space(b), ptr, n);
  b->tail += (uint32_t)n;
  return 0;
}

void green_buf_commit(green_buf *b, size_t n)
{
  b->tail += (uint32_t)n;
}

void green_buf_consume(green_buf *b, size_t n)
{
  if (n < green_buf_len(b))
    b->head += (uint32_t)n;
  else
    b->head = b->tail = 0;
}

void green_buf_compact(green_buf *b)
{
  size_t len = green_buf_len(b);
  if (!b->head) return;
  memmove(b->data, green_buf_data(b), len);
  b->head = 0;
  b->tail = (uint32_t)len;
}

/* Offsets of what was found, or of nothing. */
static int buf_offset(const green_buf *b, const char *at)
{
  return at ? (int)(at - green_buf_data(b)) : GREEN_EAGAIN;
}

int green_buf_find(const green_buf *b, const void *needle, size_t n,
                   size_t from)
{
  size_t len = green_buf_len(b);
  if (from > len || n > len - from) return GREEN_EAGAIN;
  if (n == 0) return (int)from;
  return buf_offset(b, memmem(green_buf_data(b) + from, len - from, needle, n));
}

int green_buf_find_byte(const green_buf *b, int byte, size_t from)
{
  size_t len = green_buf_len(b);
  if (from >= len) return GREEN_EAGAIN;
  return buf_offset(b, memchr(green_buf_data(b) + from, byte, len - from));
}
