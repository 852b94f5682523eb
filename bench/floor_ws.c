/*
** floor_ws.c: the least a websocket echo can do: one thread, epoll through
** libev. It shakes hands with whoever sends a blank line (the load's key is
** always the same), takes whole frames, unmasks them and sends them back. A
** frame that no read brings whole gets a buffer of its own. Nothing is checked.
**
**   floor_ws PORT            an echo
**   floor_ws PORT deflate    the same, inflated and deflated, no context kept
**   floor_ws PORT all        each frame goes to all connections
*/

#include "floor.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { READ_MAX = 64 << 10, HEAD_MAX = 14, ROOM = 1 << 20, CONNS = 1 << 20 };

typedef struct ws {
  bool open; /* The handshake is over. */
  char *buf; /* A frame that is not whole, or NULL. */
  size_t len, cap;
  size_t place; /* In `all`. */
} ws;

typedef struct frame {
  char *payload;
  uint64_t len;
  size_t total; /* With its head. */
  int first;    /* The head's first byte. */
} frame;

static z_stream inflater, deflater;
static bool deflates, broadcasts;
static floor_conn **all;
static size_t count;

/* -- Frames --------------------------------------------------------------- */

/* The bytes that a frame takes, or 0 when not even that is known. */
static size_t frame_read(frame *f, char *p, size_t n)
{
  const uint8_t *b = (const uint8_t *)p;
  if (n < 2) return 0;
  size_t head = 6;
  f->len = b[1] & 127;
  if (f->len == 126) head = 8;
  if (f->len == 127) head = 14;
  if (n < head) return 0;
  if (head == 8) f->len = (uint64_t)b[2] << 8 | b[3];
  if (head == 14) {
    memcpy(&f->len, b + 2, 8);
    f->len = __builtin_bswap64(f->len);
  }
  f->first = b[0];
  f->payload = p + head;
  f->total = head + f->len;
  return f->total;
}

static void frame_unmask(frame *f)
{
  uint32_t key;
  uint64_t wide, word;
  memcpy(&key, f->payload - 4, 4);
  wide = (uint64_t)key << 32 | key;
  char *p = f->payload, *end = p + f->len;
  for (; p + 8 <= end; p += 8) {
    memcpy(&word, p, 8);
    word ^= wide;
    memcpy(p, &word, 8);
  }
  for (int i = 0; p < end; p++, i++) *p ^= (char)(key >> i * 8);
}

/* Write a head that ends at p; its start. */
static char *head_before(char *p, int first, uint64_t n)
{
  if (n < 126) {
    p -= 2;
    p[1] = (char)n;
  } else if (n < 65536) {
    p -= 4;
    p[1] = 126;
    p[2] = (char)(n >> 8);
    p[3] = (char)n;
  } else {
    p -= 10;
    p[1] = 127;
    uint64_t big = __builtin_bswap64(n);
    memcpy(p + 2, &big, 8);
  }
  p[0] = (char)first;
  return p;
}

/* -- Compression ---------------------------------------------------------- */

static size_t run(z_stream *z, int (*step)(z_stream *, int), char *in, size_t n,
                  char *out)
{
  z->next_in = (Bytef *)in;
  z->avail_in = (uInt)n;
  z->next_out = (Bytef *)out;
  z->avail_out = ROOM;
  step(z, Z_SYNC_FLUSH);
  return ROOM - z->avail_out;
}

/* Inflate and deflate a message; what is sent of it. */
static char *recoded(frame *f, size_t *len)
{
  static char plain[ROOM], packed[HEAD_MAX + ROOM];
  char kept[4]; /* Of what follows the frame, where its end is put. */
  char *end = f->payload + f->len;
  memcpy(kept, end, 4);
  memcpy(end, "\0\0\377\377", 4);
  inflateReset(&inflater);
  size_t n = run(&inflater, inflate, f->payload, f->len + 4, plain);
  memcpy(end, kept, 4);
  deflateReset(&deflater);
  n = run(&deflater, deflate, plain, n, packed + HEAD_MAX) - 4;
  char *start = head_before(packed + HEAD_MAX, f->first, n);
  *len = (size_t)(packed + HEAD_MAX - start) + n;
  return start;
}

/* -- Connections ---------------------------------------------------------- */

static void conn_drop(ws *w)
{
  if (all && w->place < count && all[w->place]->more == w) {
    all[w->place] = all[--count];
    ((ws *)all[w->place]->more)->place = w->place;
  }
  free(w->buf);
  free(w);
}

static void conn_close(struct ev_loop *loop, floor_conn *c)
{
  conn_drop(c->more);
  floor_close(loop, c);
}

static int send_all(struct ev_loop *loop, const char *p, size_t n)
{
  for (size_t i = 0; i < count; i++)
    if (floor_send(loop, all[i], p, n) < 0) exit(1);
  return 0;
}

/* -1: the connection is gone. */
static int frame_echo(struct ev_loop *loop, floor_conn *c, frame *f)
{
  frame_unmask(f);
  size_t len;
  char *start;
  if (f->first & 0x40) {
    start = recoded(f, &len);
  } else {
    start = head_before(f->payload, f->first, f->len);
    len = (size_t)(f->payload - start) + f->len;
  }
  if (broadcasts) return send_all(loop, start, len);
  void *more = c->more;
  if (floor_send(loop, c, start, len) == 0) return 0;
  conn_drop(more);
  return -1;
}

static int shake(struct ev_loop *loop, floor_conn *c, const char *p, size_t n)
{
  static const char answer[] =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  static const char extension[] =
      "Sec-WebSocket-Extensions: permessage-deflate; "
      "server_no_context_takeover; client_no_context_takeover\r\n";
  ws *w = c->more;
  if (n < 4 || memcmp(p + n - 4, "\r\n\r\n", 4) != 0) return 0;
  char text[512];
  int len = snprintf(text, sizeof text, "%s%s\r\n", answer,
                     deflates ? extension : "");
  w->open = true;
  w->place = count;
  if (all) all[count++] = c;
  return floor_send(loop, c, text, (size_t)len);
}

/* Keep what is no whole frame: in a buffer for all of it, once its length is
** known. */
static void conn_keep(ws *w, const char *p, size_t n, size_t total)
{
  size_t cap = total ? total : HEAD_MAX;
  char *buf = malloc(cap + 4);
  if (!buf) abort();
  memcpy(buf, p, n);
  free(w->buf);
  w->buf = buf;
  w->len = n;
  w->cap = cap;
}

/* All whole frames of what has come. */
static void conn_take(struct ev_loop *loop, floor_conn *c, char *p, size_t n)
{
  ws *w = c->more;
  frame f;
  size_t total = 0;
  while (n && (total = frame_read(&f, p, n)) && total <= n) {
    if (frame_echo(loop, c, &f) < 0) return;
    p += total;
    n -= total;
  }
  if (n) {
    conn_keep(w, p, n, total);
  } else {
    free(w->buf);
    w->buf = NULL;
    w->len = w->cap = 0;
  }
}

static void on_read(struct ev_loop *loop, ev_io *io, int events)
{
  static char shared[READ_MAX + 4];
  (void)events;
  floor_conn *c = io->data;
  if (!c->more) c->more = calloc(1, sizeof(ws));
  ws *w = c->more;
  char *buf = w->buf ? w->buf : shared;
  size_t room = w->buf ? w->cap - w->len : READ_MAX;
  ssize_t n = read(io->fd, buf + w->len, room);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0)
    conn_close(loop, c);
  else if (!w->open)
    shake(loop, c, buf, (size_t)n);
  else if (w->buf && w->cap > HEAD_MAX && (size_t)n < room)
    w->len += (size_t)n;
  else
    conn_take(loop, c, buf, w->len + (size_t)n);
}

int main(int argc, char **argv)
{
  const char *mode = argc > 2 ? argv[2] : "";
  /* Memory of large frames stays here: it is wanted again at once. */
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  deflates = strcmp(mode, "deflate") == 0;
  broadcasts = strcmp(mode, "all") == 0;
  if (broadcasts) all = calloc(CONNS, sizeof *all);
  if (inflateInit2(&inflater, -15) != Z_OK) return 1;
  if (deflateInit2(&deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return 1;
  return floor_serve(argc > 1 ? atoi(argv[1]) : 8080, on_read) != 0;
}
