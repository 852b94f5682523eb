/*
** ws_pack_cut.h: packed messages, unpacked in every cut. Fuzzers use it too.
*/
#ifndef GREEN_WS_PACK_CUT_H
#define GREEN_WS_PACK_CUT_H

#include "guard.h"
#include "proto/ws_pack.h"

/* A message behind others: what it became, and of what. */
typedef struct cut_message {
  int rc;
  green_buf out;
} cut_message;

static void cut_clear(green_buf *b)
{
  green_buf_consume(b, GREEN_BUF_MAX);
}

/* Unpack before[0..m), as the message in front, and in[0..n) in pieces of at
** most step bytes, the last one with nothing in it if n is a multiple. */
static void cut_unpack(const char *before, size_t m, const char *in, size_t n,
                       size_t step, size_t max, cut_message *msg)
{
  green_inflate z;
  if (green_inflate_init(&z, GREEN_Z_MESSAGES, 0) < 0) abort();
  cut_clear(&msg->out);
  msg->rc = 0;
  if (m) msg->rc = green_ws_unpack(&z, before, m, true, &msg->out, max);
  cut_clear(&msg->out);
  size_t len;
  for (size_t at = 0; at <= n && !msg->rc; at += len) {
    len = n - at < step ? n - at : step;
    const char *p = guard_copy(in + at, len);
    msg->rc = green_ws_unpack(&z, p, len, len < step, &msg->out, max);
    if (len < step) break;
  }
  green_inflate_deinit(&z);
}

static int cut_message_is(const cut_message *m, const char *p, size_t n)
{
  return green_buf_len(&m->out) == n &&
         (!n || !memcmp(green_buf_data(&m->out), p, n));
}

/* The verdict on the second of two messages, whole and in pieces of each length
** up to most; 1 << 30: they do not agree. */
static int cut_pack(const char *before, size_t m, const char *in, size_t n,
                    size_t most, size_t max, cut_message *msg)
{
  cut_message other = {0};
  bool same = true;
  cut_unpack(before, m, in, n, n + 1, max, msg);
  for (size_t step = 1; step <= most && same; step++) {
    cut_unpack(before, m, in, n, step, max, &other);
    same = msg->rc == other.rc && green_buf_len(&msg->out) <= max &&
           green_buf_len(&other.out) <= max &&
           (msg->rc || cut_message_is(&other, green_buf_data(&msg->out),
                                      green_buf_len(&msg->out)));
  }
  green_buf_reset(&other.out);
  return same ? msg->rc : 1 << 30;
}

#endif
