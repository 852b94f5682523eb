/*
** floor_tls.c: floor_http.c by TLS: bare libev and OpenSSL. A read of the
** descriptor brings as many records as there are, a write takes those of all
** its answers. With "direct" OpenSSL reads and writes the descriptor itself.
**
**   floor_tls PORT CERT KEY buffers|direct [ANSWER_BYTES [UPLOAD_BYTES]]
**
** UPLOAD_BYTES: what follows each blank line and is not looked at.
*/

#include "floor_answer.h"
#include "tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct secure {
  tls tls;
  size_t owed; /* Bytes of answers still to be sent. */
  size_t skip; /* Bytes of a body still to come. */
} secure;

static SSL_CTX *ctx;
static bool direct;
static size_t upload;

static void secure_close(struct ev_loop *loop, floor_conn *c)
{
  secure *s = c->more;
  if (s) tls_end(&s->tls, true);
  free(s);
  floor_close(loop, c);
}

/* Answers that are owed, as far as the socket takes them. While it does not,
** nothing is read. -1: closed. */
static int answer(struct ev_loop *loop, floor_conn *c)
{
  secure *s = c->more;
  int err = s->tls.rest ? tls_flush(&s->tls) : 0;
  while (s->owed && err == 0 && !s->tls.rest) {
    size_t at =
        (floor_answer_len - s->owed % floor_answer_len) % floor_answer_len;
    size_t n = floor_answers_held * floor_answer_len - at;
    ssize_t put =
        tls_put(&s->tls, floor_answers + at, n < s->owed ? n : s->owed);
    err = put < 0 ? TLS_FAILED : put == 0 ? TLS_AGAIN : 0;
    if (put > 0) s->owed -= (size_t)put;
  }
  if (err == TLS_FAILED) {
    secure_close(loop, c);
    return -1;
  }
  bool stuck = s->tls.rest || s->owed;
  (stuck ? ev_io_stop : ev_io_start)(loop, &c->in);
  (stuck ? ev_io_start : ev_io_stop)(loop, &c->out);
  return 0;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
  (void)events;
  answer(loop, w->data);
}

/* A head, and the body behind it. */
static void count_upload(floor_conn *c, const char *p, size_t n)
{
  secure *s = c->more;
  while (n > 0) {
    if (s->skip == 0) {
      const char *end = memmem(p, n, "\r\n\r\n", 4);
      if (!end) return; /* The load sends a head in one piece. */
      n -= (size_t)(end + 4 - p);
      p = end + 4;
      s->skip = upload;
    }
    size_t part = n < s->skip ? n : s->skip;
    p += part;
    n -= part;
    s->skip -= part;
    if (s->skip == 0) s->owed += floor_answer_len;
  }
  c->held = 0;
}

static int secure_open(floor_conn *c)
{
  secure *s = calloc(1, sizeof *s);
  if (!s) return -1;
  c->more = s;
  tls_start(&s->tls, ctx, c->in.fd, direct);
  SSL_set_accept_state(s->tls.ssl);
  ev_set_cb(&c->out, on_writable);
  return 0;
}

static void on_read(struct ev_loop *loop, ev_io *w, int events)
{
  static char buf[4 + TLS_PLAIN];
  floor_conn *c = w->data;
  (void)events;
  if (!c->more && secure_open(c) < 0) {
    floor_close(loop, c);
    return;
  }
  secure *s = c->more;
  memcpy(buf, c->tail, c->held);
  ssize_t n = tls_take(&s->tls, buf + c->held, TLS_PLAIN);
  if (n == 0 || n == TLS_FAILED) {
    secure_close(loop, c);
    return;
  }
  if (n > 0 && upload)
    count_upload(c, buf, c->held + (size_t)n);
  else if (n > 0)
    s->owed += floor_requests(c, buf, c->held + (size_t)n) * floor_answer_len;
  if (s->owed || s->tls.rest) answer(loop, c);
}

int main(int argc, char **argv)
{
  if (argc < 5) {
    fputs("usage: floor_tls PORT CERT KEY buffers|direct [ANSWER_BYTES "
          "[UPLOAD_BYTES]]\n",
          stderr);
    return 2;
  }
  ctx = tls_server(argv[2], argv[3]);
  if (!ctx) return 1;
  direct = !strcmp(argv[4], "direct");
  floor_answers_make(argc > 5 ? strtoul(argv[5], NULL, 10) : 6);
  if (argc > 6) upload = strtoul(argv[6], NULL, 10);
  return floor_serve(atoi(argv[1]), on_read) != 0;
}
