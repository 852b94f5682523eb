/*
** tls_sock.c: the codec of TLS between a socket and its descriptor.
**
** One raw receive brings as many records as fit what is asked for, one raw send
** takes all that were written: the codec's buffer of the thread is what makes
** them one. The receive buffer is the thread's, too, lent to the codec while it
** reads; only what it could not use then is copied.
*/

#include "io/tls_sock.h"

#include <limits.h>
#include <sys/socket.h>

/* What a receive takes of the network: what is asked for and its records'
** heads, at least a record, which is where plain bytes come from. */
#define ROOM_LEAST 17408
#define ROOM_EXTRA 1024

/* So much is encrypted before it is sent: what the socket does not take then is
** kept, a connection each. Three records. */
#define HELD_MOST 49152

static green_tls *codec_of(const green_sock *s)
{
  return s->filter_data;
}

/* Send what the codec has for the peer. 0, GREEN_EAGAIN, or the socket's
** error. */
static int tls_flush(green_sock *s)
{
  green_tls *t = codec_of(s);
  const char *p;
  size_t n;
  while ((n = green_tls_output(t, &p)) > 0) {
    int sent = green__sock_send_raw(s, p, n);
    if (sent < 0) return sent;
    green_tls_sent(t, (size_t)sent);
  }
  return 0;
}

/* -- Reading -------------------------------------------------------------- */

/* One of the codec's calls that want input. */
typedef int tls_step(green_tls *t, void *ptr, size_t n);

static int step_handshake(green_tls *t, void *ptr, size_t n)
{
  (void)ptr, (void)n;
  return green_tls_handshake(t);
}

/* No more than the codec takes: what it has not read yet may be much. */
static size_t room_for(const green_tls *t, size_t n)
{
  size_t room = green_tls_room(t);
  n = n < GREEN_TLS_INPUT - ROOM_EXTRA ? n + ROOM_EXTRA : GREEN_TLS_INPUT;
  if (n < ROOM_LEAST) n = ROOM_LEAST;
  return n < room ? n : room;
}

/* Do the step with what arrives now. GREEN_EAGAIN: nothing does, or too
** little. */
static int step_with_more(green_sock *s, tls_step *step, void *ptr, size_t n)
{
  green_tls *t = codec_of(s);
  char *raw = green_tls_scratch(t);
  size_t room = room_for(t, n);
  if (!raw) return GREEN_ENOMEM;
  if (room == 0) return GREEN_ETOOBIG; /* Never: a record is shorter. */
  int got = green__sock_recv_raw(s, raw, room);
  if (got < 0) return got;
  if (got == 0)
    green_tls_feed_end(t);
  else
    green_tls_lend(t, raw, (size_t)got);
  int r = step(t, ptr, n);
  int err = green_tls_keep(t);
  return err < 0 ? err : r;
}

/* With what the codec has, then with what the descriptor has. It ends: each
** round takes bytes from it, and a record is no longer than one takes. What the
** codec answers leaves as far as it can. */
static int tls_advance(green_sock *s, tls_step *step, void *ptr, size_t n)
{
  green_tls *t = codec_of(s);
  bool at_once = green_tls_pending(t) || !green_tls_is_done(t) || n == 0;
  int r = at_once ? step(t, ptr, n) : GREEN_EAGAIN;
  while (r == GREEN_EAGAIN) {
    r = step_with_more(s, step, ptr, n);
    if (r == GREEN_EAGAIN && s->f.drained) break;
  }
  return r;
}

static int tls_recv(green_sock *s, void *ptr, size_t n)
{
  if (n > INT_MAX) n = INT_MAX;
  int r = tls_advance(s, green_tls_read, ptr, n);
  tls_flush(s);
  return r;
}

/* A flight of ours that has not left goes first: the peer waits for it. */
static int tls_handshake(green_sock *s)
{
  int r = tls_advance(s, step_handshake, NULL, 0);
  int err = tls_flush(s);
  if (r < 0 && r != GREEN_EAGAIN) return r;
  return err == GREEN_EAGAIN ? GREEN_ENOBUFS : err < 0 ? err : r;
}

static bool tls_pending(const green_sock *s)
{
  return green_tls_pending(codec_of(s));
}

static bool tls_part(const green_sock *s)
{
  return green_tls_has_part(codec_of(s));
}

/* -- Writing -------------------------------------------------------------- */

static size_t tls_unsent(const green_sock *s)
{
  const char *p;
  return green_tls_output(codec_of(s), &p);
}

/* Encrypt as much of p as may be held; with nothing to spare send what is. The
** count, which may be 0, or an error. */
static int tls_put_some(green_sock *s, const char *p, size_t n)
{
  size_t held = tls_unsent(s);
  if (held >= HELD_MOST) return tls_flush(s);
  size_t len = n < HELD_MOST - held ? n : HELD_MOST - held;
  int put = green_tls_write(codec_of(s), p, len);
  return put == GREEN_ENOBUFS ? tls_flush(s) : put;
}

/* One piece, as far as the socket takes what it becomes. The count, or an error
** if that is 0. */
static int tls_put(green_sock *s, const char *p, size_t n)
{
  size_t total = 0;
  while (total < n) {
    int put = tls_put_some(s, p + total, n - total);
    if (put < 0) return total > 0 && put == GREEN_EAGAIN ? (int)total : put;
    total += (size_t)put;
  }
  return (int)total;
}

/* The pieces' records leave together. The flush at the end may find the socket
** full: then they are taken all the same, and kept. */
static int tls_sendv(green_sock *s, const green_iov *v, int n)
{
  size_t total = 0;
  int err = tls_flush(s);
  for (int i = 0; i < n && err == 0; i++) {
    size_t most = GREEN_SOCK_CHUNK - total;
    size_t len = v[i].len < most ? v[i].len : most;
    int put = tls_put(s, v[i].ptr, len);
    if (put > 0) total += (size_t)put;
    if (put < 0) err = put;
    if (put >= 0 && ((size_t)put < len || total == GREEN_SOCK_CHUNK)) break;
  }
  if (err == 0) err = tls_flush(s);
  if (err < 0 && err != GREEN_EAGAIN) return err;
  return total > 0 || err == 0 ? (int)total : err;
}

static int tls_end(green_sock *s)
{
  int err = tls_flush(s); /* That makes room for it. */
  if (err < 0 && err != GREEN_EAGAIN) return err;
  if (green_tls_close(codec_of(s)) == GREEN_ENOBUFS) return GREEN_EAGAIN;
  return tls_flush(s);
}

/* -- Life ----------------------------------------------------------------- */

static void tls_free(void *data)
{
  green_tls_free(data);
}

static const green_filter tls_filter = {
    .handshake = tls_handshake,
    .recv = tls_recv,
    .sendv = tls_sendv,
    .flush = tls_flush,
    .pending = tls_pending,
    .part = tls_part,
    .unsent = tls_unsent,
    .end = tls_end,
    .free = tls_free,
};

int green_tls_sock_start(green_sock *s, green_tls_io *io, green_tls_ctx *ctx)
{
  size_t n = green_buf_len(&s->in);
  green_assert(s->f.fd >= 0 && s->type == GREEN_STREAM,
               "an open stream socket");
  if (n > GREEN_TLS_INPUT) return GREEN_ETOOBIG;
  green_tls *t = green_tls_new(io, ctx);
  if (!t) return GREEN_ENOMEM;
  int fed = n > 0 ? green_tls_feed(t, green_buf_data(&s->in), n) : 0;
  if (fed < 0) {
    green_tls_free(t);
    return fed;
  }
  green_buf_reset(&s->in);
  green_filter_set(s, &tls_filter, t);
  return 0;
}

green_tls *green_tls_sock_codec(const green_sock *s)
{
  return s->filter == &tls_filter ? codec_of(s) : NULL;
}

green_tls *green_tls_sock_take(green_sock *s)
{
  green_tls *t = green_tls_sock_codec(s);
  if (!t) return NULL;
  s->filter = NULL;
  s->filter_data = NULL;
  return t;
}
