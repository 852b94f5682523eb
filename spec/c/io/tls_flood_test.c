/*
** tls_flood_test.c: peers that send much and say nothing.
*/

#include "io/tls_kit.h"
#include "io/tls_priv.h"

#include <dlfcn.h>

static green_tls_ctx *client, *client12, *server;

/* What no end of ours does of itself: OpenSSL is asked past it. */
static int (*key_update)(SSL *ssl, int type);
static int (*renegotiate)(SSL *ssl);

static void find_functions(void)
{
  void *handle = dlopen("libssl.so.3", RTLD_NOW);
  *(void **)&key_update = dlsym(handle, "SSL_key_update");
  *(void **)&renegotiate = dlsym(handle, "SSL_renegotiate");
}

static pair pair_shaken(green_tls_ctx *c)
{
  pair p = pair_open(c, server, "a.test");
  if (shake(&p) < 0) abort();
  settle(&p);
  return p;
}

/* The peer is told to change keys, too, if ask. */
static void update(green_tls *t, bool ask)
{
  key_update(t->ssl,
             ask ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
  green__tls_enter(t);
  lib.SSL_do_handshake(t->ssl);
  green__tls_leave(t);
}

static void test_new_keys_now_and_then(void)
{
  pair p = pair_shaken(client);
  int wrong = 0;
  for (int i = 0; i < 20; i++) {
    update(i % 2 ? p.client : p.server, i % 3);
    wrong += !says(p.client, p.server, "hello");
    wrong += !says(p.server, p.client, "hello");
  }
  is(wrong, 0, "all goes on");
  pair_close(&p);
}

/* While one's message is half there another's whole handshake passes. */
static void test_a_new_key_cut_in_two(void)
{
  pair p = pair_shaken(client);
  char got[8];
  update(p.client, true);
  carry(p.client, p.server, 10);
  is(green_tls_read(p.server, got, 8), GREEN_EAGAIN, "half a message");
  pair q = pair_shaken(client);
  update(q.server, true);
  carry(q.server, q.client, 10);
  is(green_tls_read(q.client, got, 8), GREEN_EAGAIN, "another's half");
  ok(says(p.client, p.server, "hello"), "the rest, and more");
  pair_close(&p);
  ok(says(q.server, q.client, "hello"), "of both");
  ok(says(q.client, q.server, "hello"), "both ways");
  pair_close(&q);
}

static int flood_keys(bool ask, size_t data, const char **said)
{
  static char text[GREEN_TLS_TEXT], bytes[8192];
  pair p = pair_shaken(client);
  int r = GREEN_EAGAIN;
  for (int i = 0; i < 3000 && (r == GREEN_EAGAIN || r > 0); i++) {
    update(p.client, ask);
    if (data) green_tls_write(p.client, bytes, data);
    while (carry(p.client, p.server, SIZE_MAX) > 0) continue;
    r = green_tls_read(p.server, bytes, sizeof(bytes));
  }
  snprintf(text, sizeof(text), "%s", why(p.server));
  *said = text;
  const char *out;
  ok(green_tls_output(p.server, &out) <= GREEN_TLS_OUTPUT, "bounded");
  pair_close(&p);
  return r;
}

static void test_new_keys_for_ever(void)
{
  const char *said;
  is(flood_keys(true, 0, &said), GREEN_ETLSFLOOD, "with answers");
  ok(strstr(said, "message upon message") != NULL, said);
  is(flood_keys(false, 0, &said), GREEN_ETLSFLOOD, "without");
  is(flood_keys(false, 1, &said), GREEN_ETLSFLOOD, "a byte between");
  is(flood_keys(false, 5000, &said), 5000, "who has much to say may");
}

/* It answers each time, and its answers are not read. */
static void test_answers_that_nobody_reads(void)
{
  static char bytes[8192];
  pair p = pair_shaken(client), q = pair_shaken(client);
  const char *out;
  int r = 1;
  size_t most = 0;
  for (int i = 0; i < 6000 && r != GREEN_ETLSFLOOD; i++) {
    update(p.client, true);
    green_tls_write(p.client, bytes, 5000);
    while (carry(p.client, p.server, SIZE_MAX) > 0) continue;
    r = green_tls_read(p.server, bytes, sizeof(bytes));
    size_t n = green_tls_output(p.server, &out);
    if (n > most) most = n;
  }
  is(r, GREEN_ETLSFLOOD, "cut");
  ok(most <= GREEN_TLS_KEPT, "before it has grown");
  is(green_tls_output(p.server, &out), 0, "nothing is kept");
  ok(says(q.client, q.server, "hello"), "others live on");
  pair_close(&p);
  pair_close(&q);
}

static int flood_bytes(int n, bool answers)
{
  char got[8];
  pair p = pair_shaken(client);
  int r = 1;
  for (int i = 0; i < n && r == 1; i++) {
    green_tls_write(p.client, "x", 1);
    carry(p.client, p.server, SIZE_MAX);
    r = green_tls_read(p.server, got, 8);
    if (answers && i % 10000 == 0) says(p.server, p.client, "y");
  }
  if (r == 1) r = green_tls_read(p.server, got, 8);
  pair_close(&p);
  return r;
}

static void test_one_byte_a_record(void)
{
  is(flood_bytes(65536, false), GREEN_EAGAIN, "for a good while");
  is(flood_bytes(65540, false), GREEN_ETLSFLOOD, "not for ever");
  is(flood_bytes(70000, true), GREEN_EAGAIN, "but in a conversation");
}

/* That TLS 1.3 has for the sake of boxes in between, and nobody looks at. */
static int flood_before(const char *record, size_t n, int times)
{
  pair p = pair_open(client, server, "a.test");
  green_tls_handshake(p.client);
  carry_both(&p);
  int r = green_tls_handshake(p.server);
  for (int i = 0; i < times && r == GREEN_EAGAIN; i++) {
    green_tls_feed(p.server, record, n);
    r = green_tls_handshake(p.server);
  }
  pair_close(&p);
  return r;
}

static void test_empty_messages_in_the_handshake(void)
{
  is(flood_before("\x14\3\3\0\1\1", 6, 1000), GREEN_ETLS, "changes");
  is(flood_before("\x16\3\3\0\0", 5, 1000), GREEN_ETLS, "empty ones");
  is(flood_before("\x17\3\3\0\0", 5, 1000), GREEN_ETLS, "empty data");
}

/* -- Our own keys ---------------------------------------------------------- */

static int n_updates;

static void count_updates(int writing, int version, int type, const void *p,
                          size_t n, SSL *ssl, void *arg)
{
  (void)version, (void)ssl, (void)arg;
  if (!writing && type == SSL3_RT_HANDSHAKE && n > 0)
    n_updates += *(const uint8_t *)p == SSL3_MT_KEY_UPDATE;
}

/* How many updates a client sees while that many records are written. */
static int updates_of(green_tls_ctx *c, int records)
{
  static char big[20000], got[20000];
  pair p = pair_shaken(c);
  int wrong = 0;
  lib.SSL_set_msg_callback(p.client->ssl, count_updates);
  n_updates = 0;
  for (int i = 0; i < records; i++) wrong += !says(p.server, p.client, "hello");
  is(wrong, 0, "all arrives");
  n_updates *= 1000;
  for (int i = 0; i < records; i++) { /* Two records each. */
    wrong += green_tls_write(p.server, big, sizeof(big)) != sizeof(big);
    while (carry(p.server, p.client, SIZE_MAX) > 0) continue;
    for (size_t n = 0; n < sizeof(big);) {
      int r = green_tls_read(p.client, got, sizeof(got));
      if (r <= 0) break;
      n += (size_t)r;
      wrong += n > sizeof(big);
    }
  }
  ok(says(p.client, p.server, "x"), "the other way has its own key");
  is(wrong, 0, "with more than one at once, too");
  pair_close(&p);
  return n_updates;
}

/* A message of the peer's that is half there stands in the way. */
static void test_new_key_amidst_another(void)
{
  pair p = pair_shaken(client);
  char got[8];
  tls_io->key_records = 3;
  update(p.client, true);
  carry(p.client, p.server, 10);
  is(green_tls_read(p.server, got, 8), GREEN_EAGAIN, "half a message");
  int wrong = 0;
  for (int i = 0; i < 10; i++) wrong += !says(p.server, p.client, "hello");
  is(wrong, 0, "we go on");
  ok(says(p.client, p.server, "there"), "the rest");
  for (int i = 0; i < 10; i++) wrong += !says(p.server, p.client, "hello");
  is(wrong, 0, "behind it, too");
  tls_io->key_records = GREEN__TLS_KEY_RECORDS;
  pair_close(&p);
}

static void test_key_of_many_records(void)
{
  is(updates_of(client, 100), 0, "one key is good for many records");
  tls_io->key_records = 10;
  is(updates_of(client, 100), 9020, "not for more than it is good for");
  is(updates_of(client12, 100), 0, "TLS 1.2 knows no other");
  tls_io->key_records = GREEN__TLS_KEY_RECORDS;
}

static void test_renegotiation(void)
{
  pair p = pair_shaken(client12);
  char got[8];
  /* Our own end does not let itself be told either; so does its peer. */
  lib.SSL_clear_options(p.client->ssl, SSL_OP_NO_RENEGOTIATION);
  is(renegotiate(p.client->ssl), 1, "the client begins anew");
  green__tls_enter(p.client);
  lib.SSL_do_handshake(p.client->ssl);
  green__tls_leave(p.client);
  carry(p.client, p.server, SIZE_MAX);
  int r = green_tls_read(p.server, got, 8);
  ok(r == GREEN_EAGAIN || r == GREEN_ETLS, "the server does not");
  carry(p.server, p.client, SIZE_MAX);
  ok(green_tls_read(p.client, got, 8) < 0, "and says no");
  pair_close(&p);
}

int main(void)
{
  tls_start();
  find_functions();
  client = client_ctx_of(GREEN_TLS_1_3);
  client12 = client_ctx_of(GREEN_TLS_1_2);
  server = server_ctx("a");
  test_new_keys_now_and_then();
  test_a_new_key_cut_in_two();
  test_new_keys_for_ever();
  test_answers_that_nobody_reads();
  test_one_byte_a_record();
  test_empty_messages_in_the_handshake();
  test_new_key_amidst_another();
  test_key_of_many_records();
  test_renegotiation();
  green_tls_ctx_free(client);
  green_tls_ctx_free(client12);
  green_tls_ctx_free(server);
  return tls_done();
}
