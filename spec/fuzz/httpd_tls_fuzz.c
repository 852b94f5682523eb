/*
** httpd_tls_fuzz.c: any bytes as what a client sends to a server that speaks
** TLS.
**
** The first byte says how they reach it: as they are, in place of a handshake
** or behind a true one's first or last message; or as what records carry, of
** types and lengths that the bytes decide, encrypted with the client's keys, of
** TLS 1.3 or 1.2, and cut on their way. A handler answers what is a request.
** Whatever comes: no crash, no leak; a bounded rest of it is kept; when the
** time of all is up nobody is connected, no handshake is under way, and the hub
** is clean.
*/

#include "httpd/tls_house_kit.h"
#include "io/tls_forge_kit.h"

#include <stdint.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static green_tls_ctx *server;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  server = peer_server_ctx();
  return 0;
}

/* -- The server ------------------------------------------------------------ */

/* Some of the body, an answer that the request's place decides, the end. */
static void handle(green_conn *c)
{
  static char piece[20000];
  const char *p;
  int err;
  if (c->served % 3) green_conn_body(c, &p);
  if (c->served % 5 == 4) {
    err = green_conn_begin(c, 200);
    if (err == 0) err = green_conn_stream(c);
    if (err == 0) err = green_conn_piece(c, piece, sizeof(piece));
    if (err >= 0) green_conn_end(c);
  } else {
    answer(c, 200, "hello");
  }
}

static void work(house *h, peer *p)
{
  green_conn *c;
  while ((c = next(h)) != NULL) {
    int r = 1;
    for (int i = 0; r == 1 || r == GREEN_EAGAIN; i++) {
      if (r == 1 && c->found == GREEN_HTTPD_REQUEST) handle(c);
      CHECK(!green_conn_sock(c) ||
            green_filter_unsent(green_conn_sock(c)) <= 65536);
      r = green_conn_finish(c);
      if (r != GREEN_EAGAIN) continue;
      hear(p->fd);
      if (i < 100) continue;
      green_conn_close(c);
      break;
    }
  }
}

static void send_some(house *h, peer *p, const uint8_t *bytes, size_t n,
                      size_t piece)
{
  while (n > 0) {
    size_t len = piece && piece < n ? piece : n;
    ssize_t sent = send(p->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return; /* He has been cut, or is not read any more. */
    bytes += sent;
    n -= (size_t)sent;
    work(h, p);
  }
}

/* -- What the bytes are ---------------------------------------------------- */

/* As they are: behind so many turns of a true handshake. */
static void fuzz_bytes(house *h, peer *p, unsigned way, const uint8_t *bytes,
                       size_t n)
{
  for (unsigned i = 0; i < (way & 3); i++) {
    peer_shake(p);
    work(h, p);
  }
  send_some(h, p, bytes, n, way & 4 ? 3 : 0);
}

/* Records: a byte for type and cut, one for length. */
static void fuzz_records(house *h, peer *p, forge *f, const uint8_t *bytes,
                         size_t n)
{
  static const uint8_t types[] = {23, 23, 23, 23, 22, 21, 20, 24};
  uint8_t record[20000];
  while (n >= 2) {
    unsigned how = bytes[0];
    size_t len = bytes[1], left = n - 2;
    if (how & 64) len *= 60;
    if (len > left) len = left;
    size_t all = forge_record(f, types[how & 7], bytes + 2, len,
                              how & 128 ? 100 : 0, record);
    send_some(h, p, record, all, how & 8 ? (how >> 4 & 3) * 3 + 1 : 0);
    bytes += 2 + len;
    n -= 2 + len;
  }
}

static void fuzz_forged(house *h, unsigned way, const uint8_t *bytes, size_t n)
{
  forge f;
  peer p =
      forge_peer(&f, client_open(h), way & 1 ? GREEN_TLS_1_2 : GREEN_TLS_1_3);
  CHECK(shake(h, &p) == 0);
  forge_start(&f, &p);
  fuzz_records(h, &p, &f, bytes, n);
  if (way & 2) shutdown(p.fd, SHUT_WR);
  work(h, &p);
  peer_free(&p);
}

/* Everybody's time is up. */
static void finish(house *h)
{
  green_conn *c;
  for (int i = 0; i < 4; i++) {
    pass(h, 100 * GREEN_SECOND);
    while ((c = next(h)) != NULL) green_conn_close(c);
  }
  CHECK(h->d->connections == 0);
  CHECK(h->d->handshaking == 0);
  CHECK(httpd_of(h->d)->crowd.len == 0);
  green_httpd_free(h->d);
  turns(h->hub, 1);
  CHECK(is_clean(h->hub));
  green_hub_free(h->hub);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2 || size > 1 << 14) return 0;
  unsigned way = data[0];
  house h = {.hub = hub_open_virtual()};
  h.d = green_httpd_new(h.hub);
  h.d->max_body = 1000;
  h.d->gather = way & 32;
  CHECK(green_httpd_set_tls(h.d, server) == 0);
  if (way & 128) {
    fuzz_forged(&h, way, data + 1, size - 1);
  } else {
    peer p = peer_new(client_open(&h), way & 16 ? GREEN_TLS_1_2 : 0);
    fuzz_bytes(&h, &p, way, data + 1, size - 1);
    if (way & 8) work(&h, &p);
    peer_free(&p);
  }
  finish(&h);
  return 0;
}
