/*
** client_ws.c: a connection of the load generator of websockets.
**
** Masks are one key for all: the server cannot know, and unmasks all the same.
*/

#include "load_ws.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

enum { HEAD_MAX = 14, DIGITS = 8, PORTS = 4000, ANSWER_MAX = 4096 };

static const uint32_t KEY = 0xA5C3961Eu;
static const char *why = "";
static char *words, *plain; /* A message without its digits; room for one. */
static z_stream inflater, deflater;

const char *ws_why(void)
{
  return why;
}

static int fail(const char *reason)
{
  why = reason;
  return -1;
}

void ws_prepare(const ws_opts *o)
{
  static const char unit[] = "{\"user\":\"somebody\",\"text\":\"a line of what "
                             "people say\",\"room\":42,\"likes\":[1,2,3]},";
  words = malloc(o->size + 1);
  plain = malloc(o->size + 64);
  if (!words || !plain) abort();
  for (size_t i = 0; i < o->size; i++) words[i] = unit[i % (sizeof unit - 1)];
  inflateInit2(&inflater, -15);
  deflateInit2(&deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8,
               Z_DEFAULT_STRATEGY);
}

/* The digits that change fastest come first: some hash only these. */
static void put_digits(char *p, uint64_t number)
{
  for (int i = 0; i < DIGITS; i++, number /= 10)
    p[i] = (char)('0' + number % 10);
}

static void text_write(char *p, const ws_opts *o, const char *tag,
                       uint64_t number)
{
  memcpy(p, words, o->size);
  size_t at = tag ? strlen(tag) : 0;
  memcpy(p, tag ? tag : "", at);
  put_digits(p + at, number);
}

/* -- Opening -------------------------------------------------------------- */

/* A port is used once a local address, and looking for a free one takes long
** when many are taken. */
static int socket_connect(const ws_opts *o, unsigned i)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(o->port)};
  struct sockaddr_in from = {.sin_family = AF_INET};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i / PORTS);
  int64_t deadline = meter_now() + (int64_t)(o->wait * 1e9);
  for (;;) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (i >= PORTS) {
      setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
      if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) perror("bind");
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    if (meter_now() > deadline) return -1;
    usleep(20000);
  }
}

static int shake(const ws_conn *k, const ws_opts *o)
{
  char text[1024];
  int n = snprintf(
      text, sizeof text,
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n%s\r\n",
      o->port,
      o->deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                   "server_no_context_takeover; client_no_context_takeover\r\n"
                 : "");
  if (write(k->fd, text, (size_t)n) != n) return fail(strerror(errno));
  size_t got = 0;
  while (got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0) {
    ssize_t r = read(k->fd, text + got, sizeof text - 1 - got);
    if (r <= 0) return fail(r ? strerror(errno) : "closed in the handshake");
    got += (size_t)r;
  }
  text[got] = 0;
  if (memcmp(text, "HTTP/1.1 101", 12) != 0) return fail("no 101");
  if (o->deflate && !strcasestr(text, "permessage-deflate"))
    return fail("it does not compress");
  return 0;
}

int ws_open(ws_conn *k, const ws_opts *o, unsigned i)
{
  int one = 1;
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  *k = (ws_conn){.fd = socket_connect(o, i)};
  if (k->fd < 0) return fail(strerror(errno));
  setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (shake(k, o) < 0) return -1;
  fcntl(k->fd, F_SETFL, O_NONBLOCK);
  return 0;
}

void ws_close(ws_conn *k)
{
  if (k->fd >= 0) close(k->fd);
  k->fd = -1;
  free(k->out);
  free(k->in);
  k->out = k->in = NULL;
}

/* -- Sending -------------------------------------------------------------- */

static size_t head_write(char *p, int first, size_t n)
{
  size_t len = 2;
  p[0] = (char)first;
  if (n < 126) {
    p[1] = (char)(128 | n);
  } else if (n < 65536) {
    p[1] = (char)(128 | 126);
    p[2] = (char)(n >> 8);
    p[3] = (char)n;
    len = 4;
  } else {
    p[1] = (char)(128 | 127);
    uint64_t big = __builtin_bswap64(n);
    memcpy(p + 2, &big, 8);
    len = 10;
  }
  memcpy(p + len, &KEY, 4);
  return len + 4;
}

static void mask(char *to, const char *from, size_t n)
{
  size_t i = 0;
  for (uint32_t word; i + 4 <= n; i += 4) {
    memcpy(&word, from + i, 4);
    word ^= KEY;
    memcpy(to + i, &word, 4);
  }
  for (; i < n; i++) to[i] = from[i] ^ (char)(KEY >> i % 4 * 8);
}

static size_t run(z_stream *z, int (*step)(z_stream *, int), const char *in,
                  size_t n, char *out, size_t room)
{
  z->next_in = (Bytef *)in;
  z->avail_in = (uInt)n;
  z->next_out = (Bytef *)out;
  z->avail_out = (uInt)room;
  step(z, Z_SYNC_FLUSH);
  return room - z->avail_out;
}

/* The frame of a message, in k->out. */
static int frame_make(ws_conn *k, const ws_opts *o, const char *tag,
                      uint64_t number)
{
  size_t room = HEAD_MAX + o->size + o->size / 100 + 64, n = o->size;
  if (!k->out) k->out = malloc(room + n);
  if (!k->out) return -1;
  char *body = plain, *packed = k->out + room;
  text_write(plain, o, tag, number);
  if (o->deflate) {
    deflateReset(&deflater);
    n = run(&deflater, deflate, plain, n, packed, n) - 4;
    body = packed;
  }
  size_t head = head_write(k->out, o->deflate ? 0xC1 : 0x81, n);
  mask(k->out + head, body, n);
  k->out_len = head + n;
  k->sent = 0;
  return 0;
}

int ws_send_rest(ws_conn *k)
{
  while (k->sent < k->out_len) {
    ssize_t n = write(k->fd, k->out + k->sent, k->out_len - k->sent);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) return -1;
    k->sent += (size_t)n;
  }
  return 0;
}

void ws_expect(ws_conn *k, const ws_opts *o, const char *tag, uint64_t number)
{
  k->number = number;
  k->tag = tag;
  if (k->in) return;
  k->in_cap = o->size + 64;
  k->in = malloc(k->in_cap);
  if (!k->in) abort();
}

int ws_send_text(ws_conn *k, const ws_opts *o, const char *tag, uint64_t number)
{
  if (frame_make(k, o, tag, number) < 0) return -1;
  return ws_send_rest(k);
}

int ws_ask(ws_conn *k, const ws_opts *o, const char *tag, uint64_t number)
{
  ws_expect(k, o, tag, number);
  return ws_send_text(k, o, tag, number);
}

/* -- Reading -------------------------------------------------------------- */

/* The bytes of the frame at p, of which n are there; 0: not known yet. */
static size_t frame_total(const char *p, size_t n, size_t *head)
{
  const uint8_t *b = (const uint8_t *)p;
  if (n < 2) return 0;
  *head = b[1] == 127 ? 10 : b[1] == 126 ? 4 : 2;
  if (n < *head) return 0;
  if (*head == 2) return 2 + b[1];
  if (*head == 4) return 4 + ((size_t)b[2] << 8 | b[3]);
  uint64_t len;
  memcpy(&len, b + 2, 8);
  return 10 + __builtin_bswap64(len);
}

/* Is it the message that was sent? */
static bool is_right(ws_conn *k, const ws_opts *o, size_t head, size_t total)
{
  char *got = k->in + head;
  size_t n = total - head;
  char *unpacked = NULL;
  if (k->in[0] & 0x40) {
    unpacked = malloc(o->size + 64);
    memcpy(got + n, "\0\0\377\377", 4);
    inflateReset(&inflater);
    n = run(&inflater, inflate, got, n + 4, unpacked, o->size + 64);
    got = unpacked;
  }
  text_write(plain, o, k->tag, k->number);
  bool right = n == o->size && memcmp(got, plain, n) == 0;
  free(unpacked);
  return right;
}

int ws_take(ws_conn *k, const ws_opts *o)
{
  size_t head, total = 0;
  if (!k->in) return fail("a message that nobody waits for");
  while (!(total = frame_total(k->in, k->in_len, &head)) || total > k->in_len) {
    if (total + 4 > k->in_cap) return fail("too long an answer");
    size_t want = total ? total - k->in_len : k->in_cap - 4 - k->in_len;
    ssize_t n = read(k->fd, k->in + k->in_len, want);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) return fail(n ? strerror(errno) : "the server closed");
    k->in_len += (size_t)n;
  }
  if ((k->in[0] & 0x0F) != 1 || !(k->in[0] & 0x80) || total != k->in_len)
    return fail("no whole text");
  if (!is_right(k, o, head, total)) return fail("a wrong answer");
  k->in_len = 0;
  return 1;
}

const char *ws_question(ws_conn *k, const char *text)
{
  static char buf[ANSWER_MAX];
  size_t n = strlen(text), got = 0, head, total = 0;
  fcntl(k->fd, F_SETFL, 0);
  size_t at = head_write(buf, 0x81, n);
  mask(buf + at, text, n);
  if (write(k->fd, buf, at + n) < 0) return "";
  while (!(total = frame_total(buf, got, &head)) || total > got) {
    ssize_t r = read(k->fd, buf + got, sizeof buf - 1 - got);
    if (r <= 0) return "";
    got += (size_t)r;
  }
  buf[total] = 0;
  return buf + head;
}
