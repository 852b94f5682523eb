/*
** tls_fuzz.c: any bytes as what a TLS peer sends, and any order of calls.
**
** The first byte says what: bytes to a server or a client instead of a
** handshake, or behind a true one's first messages; or a program of calls for a
** pair whose data must arrive as it was written. Whatever comes: no crash, no
** leak, failures stay, have a sentence, and the output is bounded.
*/

#include "io/tls_kit.h"

#include <stdint.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static green_tls_ctx *clients[2], *servers[2];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  CHECK(green_tls_load(NULL) == 0);
  certs_make();
  tls_io = green_tls_io_new();
  clients[0] = client_ctx_of(GREEN_TLS_1_3);
  clients[1] = client_ctx_of(GREEN_TLS_1_2);
  servers[0] = server_begin("a");
  must_ctx(green_tls_ctx_add_alpn(servers[0], "h2"), servers[0]);
  must_ctx(green_tls_trust_file(servers[0], cert("ca.pem")), servers[0]);
  must_ctx(green_tls_ctx_set_verify(servers[0], GREEN_TLS_VERIFY_ASK),
           servers[0]);
  servers[1] = server_begin("a");
  must_ctx(green_tls_ctx_set_asks(servers[1], true), servers[1]);
  sealed(servers[0]);
  sealed(servers[1]);
  certs_remove();
  return 0;
}

static void check(const green_tls *t, int r)
{
  const char *p;
  const green_tls_error *e = green_tls_failure(t);
  bool over = r < 0 && r != GREEN_EAGAIN && r != GREEN_ENOBUFS &&
              r != GREEN_EINPROGRESS && r != GREEN_ECLOSED;
  CHECK(!over || (e && e->code == r && *e->text));
  CHECK(green_tls_output(t, &p) <= GREEN_TLS_OUTPUT);
}

/* -- Bytes ---------------------------------------------------------------- */

static void choose_if_asked(green_tls *t, int r)
{
  green_tls_hello hello;
  if (r != GREEN_EINPROGRESS) return;
  CHECK(green_tls_get_hello(t, &hello) == 0);
  CHECK(!hello.name || strlen(hello.name) <= 255);
  CHECK(green_tls_choose(t, NULL, hello.alpn_len ? "h2" : NULL) == 0);
}

static void pour(green_tls *t, const uint8_t *p, size_t n, size_t piece)
{
  char got[300];
  while (n > 0) {
    size_t len = n < piece ? n : piece;
    int fed = green_tls_feed(t, p, len);
    CHECK(fed >= 0);
    int r = green_tls_read(t, got, sizeof(got));
    choose_if_asked(t, r);
    check(t, r);
    if (fed == 0 && r < 0) return;
    p += fed;
    n -= (size_t)fed;
  }
  green_tls_feed_end(t);
  for (int r = 1; r > 0;) check(t, r = green_tls_read(t, got, sizeof(got)));
}

static void fuzz_bytes(const uint8_t *p, size_t n, unsigned way)
{
  green_tls *t = green_tls_new(tls_io, way & 1 ? clients[way >> 1 & 1]
                                               : servers[way >> 1 & 1]);
  if (way & 1) CHECK(green_tls_set_host(t, "a.test") == 0);
  check(t, green_tls_handshake(t));
  pour(t, p, n, way & 4 ? 7 : SIZE_MAX);
  green_tls_free(t);
}

/* Some of a true handshake first. */
static void fuzz_behind(const uint8_t *p, size_t n, unsigned way)
{
  pair a = pair_open(clients[way & 1], servers[0], "a.test");
  for (unsigned i = 0; i < (way >> 2 & 7); i++) {
    green_tls_handshake(a.client);
    green_tls_handshake(a.server);
    carry_both(&a);
  }
  green_tls *t = way & 2 ? a.client : a.server;
  pour(t, p, n, SIZE_MAX);
  pair_close(&a);
}

/* -- Calls ---------------------------------------------------------------- */

/* A direction: what was written is 0, 1, 2, ... */
typedef struct way {
  green_tls *from, *to;
  uint8_t put, got;
  bool closed;
} way;

static void write_some(way *w, size_t n)
{
  static uint8_t bytes[40000];
  for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(w->put + i);
  int r = green_tls_write(w->from, bytes, n);
  check(w->from, r);
  if (r > 0) w->put += (uint8_t)r;
}

static void read_some(way *w, size_t n)
{
  static uint8_t bytes[40000];
  int r = green_tls_read(w->to, bytes, n);
  check(w->to, r);
  for (int i = 0; i < r; i++) CHECK(bytes[i] == w->got++);
  CHECK(r != 0 || w->closed || n == 0);
}

/* It is to be called again when there was no room for its word. */
static void close_one(way *w)
{
  int r = green_tls_close(w->from);
  CHECK(r == 0 || r == GREEN_ENOBUFS);
  w->closed |= r == 0;
}

static void do_call(way *w, unsigned op, unsigned n)
{
  static char piece[1000];
  const char *p;
  switch (op) {
  case 0:
    write_some(w, n);
    break;
  case 1:
    write_some(w, n * 150u);
    break;
  case 2:
    read_some(w, n * 100u);
    break;
  case 3:
    carry(w->from, w->to, n * 50u);
    break;
  case 4:
    carry(w->from, w->to, SIZE_MAX);
    break;
  case 5: {
    size_t have = green_tls_output(w->from, &p);
    if (have > sizeof(piece)) have = sizeof(piece);
    if (have > 0) memcpy(piece, p, have);
    int taken = green_tls_lend(w->to, piece, have);
    green_tls_sent(w->from, (size_t)taken);
    read_some(w, n);
    CHECK(green_tls_keep(w->to) == 0);
    break;
  }
  case 6:
    check(w->from, green_tls_handshake(w->from));
    break;
  default:
    if (n % 16 == 0) close_one(w);
  }
}

static void fuzz_calls(const uint8_t *p, size_t n, unsigned start)
{
  pair a = pair_open(clients[start & 1], servers[0], "a.test");
  pair b = pair_open(clients[start >> 1 & 1], servers[0], "a.test");
  if (start & 4) CHECK(shake(&a) == 0 && shake(&b) == 0);
  way ways[4] = {{.from = a.client, .to = a.server},
                 {.from = a.server, .to = a.client},
                 {.from = b.client, .to = b.server},
                 {.from = b.server, .to = b.client}};
  for (size_t i = 0; i + 1 < n; i += 2)
    do_call(&ways[p[i] & 3], p[i] >> 2 & 7, p[i + 1]);
  for (int i = 0; i < 4; i++) {
    const green_tls_error *e = green_tls_failure(ways[i].from);
    CHECK(!e || e->code == GREEN_ETLSTRUNCATED || e->code == GREEN_ETLSFLOOD);
  }
  pair_close(&b);
  pair_close(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2 || size > 1 << 15) return 0;
  unsigned kind = data[0] >> 6, start = data[0] & 63;
  if (kind == 0) fuzz_bytes(data + 1, size - 1, start);
  if (kind == 1) fuzz_behind(data + 1, size - 1, start);
  if (kind >= 2) fuzz_calls(data + 1, size - 1, start);
  return 0;
}
