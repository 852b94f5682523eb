/*
** tls_cut_test.c: input cut at every byte: handshakes and records.
*/

#include "io/tls_kit.h"

static green_tls_ctx *client, *client12, *server;

/* A handshake whose i-th byte from that end ends a piece. How many bytes that
** end has sent, or a failure. */
static int shake_cut(green_tls_ctx *c, bool of_client, size_t at)
{
  pair p = pair_open(c, server, "a.test");
  green_tls *from = of_client ? p.client : p.server;
  green_tls *to = of_client ? p.server : p.client;
  size_t sent = 0, n;
  int r = GREEN_EAGAIN;
  for (int i = 0; i < 50; i++) {
    green_tls_handshake(from);
    n = carry(from, to, sent < at ? at - sent : SIZE_MAX);
    sent += n;
    r = green_tls_handshake(to);
    n += carry(to, from, SIZE_MAX);
    if (n == 0) break;
  }
  if (r == 0 && !says(from, to, "hello")) r = GREEN_EEOF;
  pair_close(&p);
  return r < 0 ? r : (int)sent;
}

static void check_cuts(green_tls_ctx *c, bool of_client, const char *what)
{
  int wrong = 0, total = shake_cut(c, of_client, SIZE_MAX);
  for (int at = 1; at < total; at++)
    wrong += shake_cut(c, of_client, (size_t)at) <= 0;
  ok(total > 200, "there is something to cut");
  is(wrong, 0, what);
}

static void test_handshakes_cut_at_every_byte(void)
{
  check_cuts(client, true, "client's, 1.3");
  check_cuts(client, false, "server's, 1.3");
  check_cuts(client12, true, "client's, 1.2");
  check_cuts(client12, false, "server's, 1.2");
}

static void check_byte_by_byte(green_tls_ctx *c, const char *what)
{
  pair p = pair_open(c, server, "a.test");
  size_t n = 1;
  while (n > 0) {
    green_tls_handshake(p.client);
    green_tls_handshake(p.server);
    n = carry(p.client, p.server, 1) + carry(p.server, p.client, 1);
  }
  ok(green_tls_is_done(p.client) && green_tls_is_done(p.server), what);
  pair_close(&p);
}

static void test_handshakes_byte_by_byte(void)
{
  check_byte_by_byte(client, "1.3");
  check_byte_by_byte(client12, "1.2");
}

static void check_record_cuts(green_tls_ctx *c, const char *what)
{
  pair p = pair_open(c, server, "a.test");
  char got[200], text[120];
  int wrong = shake(&p);
  size_t at = 0, n;
  settle(&p);
  for (n = 0; n < sizeof(text); n++) text[n] = (char)('a' + n % 26);
  do {
    green_tls_write(p.client, text, sizeof(text));
    n = carry(p.client, p.server, ++at);
    wrong += green_tls_read(p.server, got, 200) != GREEN_EAGAIN && n == at &&
             carry(p.client, p.server, 0) == 0 && n < sizeof(text);
    n += carry(p.client, p.server, SIZE_MAX);
    int r = at < n ? green_tls_read(p.server, got, 200) : 120;
    wrong += r != 120 || memcmp(got, text, 120) != 0;
  } while (at < n);
  is(wrong, 0, what);
  pair_close(&p);
}

static void test_records_cut_at_every_byte(void)
{
  check_record_cuts(client, "1.3");
  check_record_cuts(client12, "1.2");
}

int main(void)
{
  tls_start();
  client = client_ctx_of(GREEN_TLS_1_3);
  client12 = client_ctx_of(GREEN_TLS_1_2);
  server = server_ctx("a");
  test_handshakes_cut_at_every_byte();
  test_handshakes_byte_by_byte();
  test_records_cut_at_every_byte();
  green_tls_ctx_free(client);
  green_tls_ctx_free(client12);
  green_tls_ctx_free(server);
  return tls_done();
}
