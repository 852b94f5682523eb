/*
** tls_hello_fuzz.c: a hello whose parts any bytes decide: names, protocols,
** versions and ciphers that a server looks at before OpenSSL does.
**
** Its frame is sound, so that what is in it is read. Whatever comes: no crash,
** no leak, and what is told of it can be printed on one line.
*/

#include "io/tls_kit.h"

#include <stdint.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { SERVERS = 4 };
static green_tls_ctx *servers[SERVERS], *other;

static green_tls_ctx *begin(int min, int max)
{
  green_tls_ctx *c = server_begin("a");
  must_ctx(green_tls_ctx_set_versions(c, min, max), c);
  return c;
}

/* By name; by a choice; in the pool; with hardly a cipher. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  CHECK(green_tls_load(NULL) == 0);
  certs_make();
  tls_io = green_tls_io_new();
  other = server_ctx("b");
  for (int i = 0; i < SERVERS; i++)
    servers[i] = begin(i == 2 ? GREEN_TLS_1_3 : GREEN_TLS_1_2,
                       i == 3 ? GREEN_TLS_1_2 : 0);
  must_ctx(green_tls_ctx_add_name(servers[0], "b.test", other), servers[0]);
  must_ctx(green_tls_ctx_add_name(servers[0], "*.w.test", other), servers[0]);
  must_ctx(green_tls_ctx_add_alpn(servers[0], "http/1.1"), servers[0]);
  must_ctx(green_tls_ctx_add_alpn(servers[0], "h2"), servers[0]);
  must_ctx(green_tls_ctx_set_asks(servers[1], true), servers[1]);
  must_ctx(green_tls_ctx_set_pool(servers[2], GREEN_TLS_POOL_ALWAYS),
           servers[2]);
  must_ctx(green_tls_ctx_add_alpn(servers[2], "h2"), servers[2]);
  must_ctx(
      green_tls_ctx_set_ciphers(servers[3], "ECDHE-ECDSA-CHACHA20-POLY1305"),
      servers[3]);
  for (int i = 0; i < SERVERS; i++) sealed(servers[i]);
  certs_remove();
  return 0;
}

/* -- A hello --------------------------------------------------------------- */

typedef struct text {
  uint8_t b[40000];
  size_t n;
  size_t longest[4]; /* Of extensions, by kind. */
} text;

enum { NAME, PROTOCOLS };

typedef struct source {
  const uint8_t *p;
  size_t n;
} source;

static unsigned take(source *s)
{
  if (s->n == 0) return 0;
  s->n--;
  return *s->p++;
}

static void put(text *t, const void *p, size_t n)
{
  CHECK(t->n + n <= sizeof(t->b));
  if (n > 0) memcpy(t->b + t->n, p, n);
  t->n += n;
}

static void put16(text *t, size_t n)
{
  uint8_t b[2] = {(uint8_t)(n >> 8), (uint8_t)n};
  put(t, b, 2);
}

/* A length of two bytes, which close knows. */
static size_t open_length(text *t)
{
  put16(t, 0);
  return t->n;
}

static void close_length(text *t, size_t from)
{
  size_t n = t->n - from;
  t->b[from - 2] = (uint8_t)(n >> 8);
  t->b[from - 1] = (uint8_t)n;
}

/* So many of the bytes as the next one says. */
static void put_some(text *t, source *s)
{
  size_t n = take(s);
  if (n > s->n) n = s->n;
  put(t, s->p, n);
  s->p += n;
  s->n -= n;
}

static void put_name(text *t, source *s)
{
  size_t list = open_length(t);
  put(t, "", 1);
  size_t name = open_length(t);
  put_some(t, s);
  close_length(t, name);
  close_length(t, list);
}

static void put_protocols(text *t, source *s)
{
  size_t list = open_length(t);
  for (unsigned n = take(s) & 15; n > 0 && s->n > 0; n--) {
    uint8_t len = (uint8_t)(s->n - 1 < *s->p ? s->n - 1 : *s->p);
    take(s);
    put(t, &len, 1);
    put(t, s->p, len);
    s->p += len;
    s->n -= len;
  }
  close_length(t, list);
}

static void put_versions(text *t, source *s)
{
  uint8_t n = (uint8_t)(take(s) & 62);
  put(t, &n, 1);
  for (int i = 0; i < n; i++) {
    uint8_t b = (uint8_t)take(s);
    put(t, &b, 1);
  }
}

/* Of a kind that matters, true to its form or not. */
static void put_extension(text *t, source *s)
{
  static const uint16_t kinds[] = {0, 16, 43, 35};
  static void (*const forms[])(text *, source *) = {put_name, put_protocols,
                                                    put_versions, put_some};
  unsigned how = take(s);
  put16(t, kinds[how & 3]);
  size_t from = open_length(t);
  (how & 4 ? put_some : forms[how & 3])(t, s);
  close_length(t, from);
  if (t->n - from > t->longest[how & 3]) t->longest[how & 3] = t->n - from;
}

/* What a client of TLS 1.2 or 1.3 needs besides, which is sound. */
static void put_others(text *t)
{
  static const uint8_t algorithms[] = {0, 13,   0, 6,  0, 4, 4, 3,
                                       8, 0x04, 0, 10, 0, 4, 0, 2,
                                       0, 23,   0, 51, 0, 2, 0, 0};
  put(t, algorithms, sizeof(algorithms));
}

static void put_hello(text *t, source *s, unsigned way)
{
  static const uint8_t random[32];
  static const uint8_t ciphers[] = {0x13, 1, 0xc0, 0x2b};
  static const uint8_t rest[] = {1, 0};
  uint8_t version[2] = {3, way & 16 ? (uint8_t)take(s) : 3};
  put(t, version, 2);
  put(t, random, 32);
  put(t, "", 1);
  size_t from = open_length(t);
  if (way & 8) put(t, ciphers, sizeof(ciphers));
  put_some(t, s);
  if ((t->n - from) & 1) t->n--;
  close_length(t, from);
  put(t, rest, 2);
  from = open_length(t);
  put_others(t);
  while (s->n > 0 && t->n < 30000) put_extension(t, s);
  close_length(t, from);
}

/* In records as long as they may be. */
static void frame(text *out, const text *hello)
{
  static text all;
  all.n = 0;
  uint8_t head[4] = {1, 0, (uint8_t)(hello->n >> 8), (uint8_t)hello->n};
  put(&all, head, 4);
  put(&all, hello->b, hello->n);
  memcpy(out->longest, hello->longest, sizeof(out->longest));
  for (size_t at = 0; at < all.n; at += 16384) {
    size_t n = all.n - at < 16384 ? all.n - at : 16384;
    uint8_t record[3] = {22, 3, 1};
    put(out, record, 3);
    put16(out, n);
    put(out, all.b + at, n);
  }
}

/* -- A server -------------------------------------------------------------- */

static volatile uint8_t touched; /* By whoever reads all that he was told of. */

static void check_text(const char *p)
{
  for (; *p; p++) CHECK(*p >= ' ' && *p < 0x7f);
}

/* OpenSSL's buffer is wide: what was read beyond an extension shows here. */
static void check_hello(const green_tls_hello *hello, const size_t longest[4])
{
  if (hello->alpn_len > 0) touched = hello->alpn[hello->alpn_len - 1];
  CHECK(hello->alpn_len == 0 || hello->alpn_len + 2 <= longest[PROTOCOLS]);
  if (!hello->name) return;
  check_text(hello->name);
  CHECK(strlen(hello->name) + 5 <= longest[NAME]);
}

static void choose(green_tls *t, unsigned way, const text *sent)
{
  green_tls_hello hello;
  if (green_tls_wants_pool(t)) {
    CHECK(green_tls_work(t) == 0);
    return;
  }
  CHECK(green_tls_get_hello(t, &hello) == 0);
  check_hello(&hello, sent->longest);
  if (way & 32)
    CHECK(green_tls_refuse(t, GREEN_TLS_NO_NAME) == 0);
  else
    CHECK(green_tls_choose(t, way & 64 ? other : NULL,
                           hello.alpn_len ? "h2" : NULL) == 0);
}

static void serve(const text *sent, unsigned way)
{
  green_tls *t = green_tls_new(tls_io, servers[way % SERVERS]);
  const green_tls_error *e;
  int r = GREEN_EINPROGRESS;
  CHECK(green_tls_feed(t, sent->b, sent->n) == (int)sent->n);
  for (int i = 0; i < 5 && r == GREEN_EINPROGRESS; i++) {
    r = green_tls_handshake(t);
    if (r == GREEN_EINPROGRESS) choose(t, way, sent);
  }
  CHECK(r < 0 && r != GREEN_EINPROGRESS);
  if ((e = green_tls_failure(t)) != NULL) check_text(e->text);
  CHECK(r == GREEN_EAGAIN || (e && e->code == r && *e->text));
  green_tls_serves(t, (const char *)sent->b, sent->n);
  green_tls_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static text hello, sent;
  if (size < 2 || size > 4096) return 0;
  source s = {data + 1, size - 1};
  memset(&hello, 0, sizeof(hello));
  sent.n = 0;
  put_hello(&hello, &s, data[0]);
  frame(&sent, &hello);
  serve(&sent, data[0]);
  return 0;
}
