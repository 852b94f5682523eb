/*
** tls_test.c: two ends in one memory: handshakes, data, ends.
*/

#include "base/mem.h"
#include "io/tls_kit.h"

static green_tls_ctx *client, *client12, *server;

/* -- Handshakes ----------------------------------------------------------- */

static void check_version(green_tls_ctx *c, const char *name,
                          const char *cipher)
{
  pair p = pair_open(c, server, "A.test.");
  green_tls_info info;
  is(green_tls_get_info(p.client, &info), GREEN_EAGAIN, "nothing agreed yet");
  is(shake(&p), 0, name);
  is(green_tls_get_info(p.server, &info), 0, "agreed");
  is_str(info.version, name, "version");
  is_str(info.cipher, cipher, "cipher");
  is_str(info.name, "a.test", "the server knows who was asked for");
  ok(!info.resumed, "the first time");
  ok(says(p.client, p.server, "hello"), "there");
  ok(says(p.server, p.client, "good day"), "and back");
  pair_close(&p);
}

static void test_versions(void)
{
  check_version(client12, "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256");
  check_version(client, "TLSv1.3", "TLS_AES_128_GCM_SHA256");
}

static void test_read_and_write_begin_with_the_handshake(void)
{
  pair p = pair_open(client, server, "a.test");
  char got[8];
  is(green_tls_read(p.client, got, 8), GREEN_EAGAIN, "it wants input");
  carry_both(&p);
  is(green_tls_write(p.server, "x", 1), GREEN_EAGAIN, "so does the other");
  carry_both(&p);
  is(green_tls_write(p.client, "hello", 5), 5, "the client has done");
  carry_both(&p);
  is(green_tls_read(p.server, got, 8), 5, "the server, too");
  ok(green_tls_is_done(p.server) && green_tls_is_done(p.client), "done");
  pair_close(&p);
}

static void test_a_verifying_client_must_know_whom_to_find(void)
{
  green_tls *t = green_tls_new(tls_io, client);
  const char *p;
  is(green_tls_handshake(t), GREEN_EINVAL, "not without a host");
  is(green_tls_output(t, &p), 0, "nothing is sent");
  green_tls_free(t);
}

static void test_names_that_are_none(void)
{
  green_tls *t = green_tls_new(tls_io, client);
  char longest[300];
  memset(longest, 'a', 299);
  longest[299] = '\0';
  is(green_tls_set_host(t, ""), GREEN_EINVAL, "empty");
  is(green_tls_set_host(t, "."), GREEN_EINVAL, "a dot");
  is(green_tls_set_host(t, "a b"), GREEN_EINVAL, "a blank");
  is(green_tls_set_host(t, "*.test"), GREEN_EINVAL, "a pattern");
  is(green_tls_set_host(t, ".test"), GREEN_EINVAL, "a dot before");
  is(green_tls_set_host(t, "b\xc3\xbc.test"), GREEN_EINVAL, "not ASCII");
  is(green_tls_set_host(t, longest), GREEN_EINVAL, "too long");
  is(green_tls_set_host(t, "a.test"), 0, "a name");
  is(green_tls_set_host(t, "b.test"), GREEN_EINVAL, "one is enough");
  green_tls_free(t);
}

/* -- Much data ------------------------------------------------------------ */

static char big[1 << 20], big_back[1 << 20];

static void fill_big(void)
{
  for (size_t i = 0; i < sizeof(big); i++) big[i] = (char)(i * 7 + i / 256);
}

/* From one end to the other, in reads of that size. */
static bool pass_big(green_tls *from, green_tls *to, size_t size,
                     size_t carried)
{
  size_t put = 0, got = 0;
  for (int i = 0; i < 1000000 && got < sizeof(big); i++) {
    int w = put < sizeof(big)
                ? green_tls_write(from, big + put, sizeof(big) - put)
                : 0;
    if (w > 0) put += (size_t)w;
    if (w < 0 && w != GREEN_ENOBUFS) return false;
    carry(from, to, carried);
    int r = 1;
    while (r > 0 && got < sizeof(big)) {
      size_t n = sizeof(big) - got < size ? sizeof(big) - got : size;
      r = green_tls_read(to, big_back + got, n);
      if (r > 0) got += (size_t)r;
    }
    if (r < 0 && r != GREEN_EAGAIN) return false;
  }
  return got == sizeof(big) && !memcmp(big, big_back, sizeof(big));
}

static void check_big(green_tls_ctx *c, const char *what)
{
  pair p = pair_open(c, server, "a.test");
  shake(&p);
  settle(&p);
  fill_big();
  ok(pass_big(p.client, p.server, 1 << 20, SIZE_MAX), what);
  ok(pass_big(p.server, p.client, 1000, 9999), "in pieces of all sizes");
  pair_close(&p);
}

static void test_big_transfers(void)
{
  check_big(client, "1.3");
  check_big(client12, "1.2");
}

static void test_a_full_output_refuses_more(void)
{
  pair p = pair_open(client, server, "a.test");
  const char *out;
  shake(&p);
  settle(&p);
  int n = green_tls_write(p.client, big, sizeof(big));
  ok(n > 200000 && n < GREEN_TLS_OUTPUT, "as much as the output holds");
  is(green_tls_write(p.client, big, 20000), GREEN_ENOBUFS, "then no more");
  ok(green_tls_output(p.client, &out) <= GREEN_TLS_OUTPUT, "it is bounded");
  while (carry(p.client, p.server, SIZE_MAX) > 0)
    while (green_tls_read(p.server, big_back, sizeof(big)) > 0) continue;
  is(green_tls_write(p.client, big, 1), 1, "sent: there is room again");
  pair_close(&p);
}

static void test_input_is_bounded(void)
{
  pair p = pair_open(client, server, "a.test");
  const char *out;
  shake(&p);
  settle(&p);
  green_tls_write(p.client, big, 200000);
  size_t n = green_tls_output(p.client, &out);
  is(green_tls_feed(p.server, out, n), n, "all of it");
  is(green_tls_feed(p.server, out, n), GREEN_TLS_INPUT - n, "so much is taken");
  is(green_tls_feed(p.server, out, n), 0, "and then nothing");
  ok(green_tls_pending(p.server), "there is something to read");
  pair_close(&p);
}

/* -- Several connections, one io ------------------------------------------ */

static void test_output_waits_while_others_work(void)
{
  pair a = pair_open(client, server, "a.test");
  pair b = pair_open(client12, server, "a.test");
  char got[100];
  is(shake(&a) + shake(&b), 0, "two connections");
  settle(&a);
  green_tls_write(a.client, "first,", 6);
  ok(says(b.client, b.server, "other"), "another speaks meanwhile");
  green_tls_write(a.client, "second,", 7);
  ok(says(b.server, b.client, "other"), "and again");
  carry(a.client, a.server, 3);
  green_tls_write(a.client, "third", 5);
  ok(says(b.server, b.client, "other"), "and again");
  while (carry(a.client, a.server, 7) > 0) continue;
  is(green_tls_read(a.server, got, 100), 18, "all arrives");
  ok(!memcmp(got, "first,second,third", 18), "in order");
  pair_close(&a);
  pair_close(&b);
}

static void test_what_others_left_unsent_is_bounded(void)
{
  pair a = pair_open(client, server, "a.test");
  pair b = pair_open(client, server, "a.test");
  const char *out;
  is(shake(&a) + shake(&b), 0, "two connections");
  settle(&a);
  int n = green_tls_write(a.client, big, 40000);
  ok(says(b.client, b.server, "other"), "another speaks");
  for (int i = 0; i < 100 && n > 0; i++)
    n = green_tls_write(a.client, big, 5000);
  is(n, GREEN_ENOBUFS, "it takes no more");
  ok(green_tls_output(a.client, &out) <= GREEN_TLS_KEPT, "than so much");
  pair_close(&b);
  pair_close(&a);
}

static void test_freed_while_others_work(void)
{
  pair a = pair_open(client, server, "a.test");
  shake(&a);
  green_tls_write(a.client, big, 100000);
  pair_close(&a);
  pair b = pair_open(client, server, "a.test");
  is(shake(&b), 0, "nothing of the dead one is in the way");
  ok(says(b.client, b.server, "hello"), "hello");
  pair_close(&b);
}

static void test_lent_input(void)
{
  pair p = pair_open(client, server, "a.test");
  const char *out;
  char got[100], piece[1000];
  shake(&p);
  settle(&p);
  green_tls_write(p.client, "hello", 5);
  green_tls_write(p.client, "again", 5);
  size_t n = green_tls_output(p.client, &out);
  memcpy(piece, out, n);
  green_tls_sent(p.client, n);
  is(green_tls_lend(p.server, piece, n), n, "lent");
  is(green_tls_read(p.server, got, 5), 5, "the first record");
  ok(green_tls_pending(p.server), "there is more");
  is(green_tls_keep(p.server), 0, "the rest is copied");
  memset(piece, 0, sizeof(piece));
  is(green_tls_read(p.server, got, 100), 5, "and there");
  ok(!memcmp(got, "again", 5), "unhurt");
  ok(!green_tls_pending(p.server), "that was all");
  pair_close(&p);
}

static void test_lent_input_is_bounded_with_what_is_kept(void)
{
  pair p = pair_open(client, server, "a.test");
  const char *out;
  shake(&p);
  settle(&p);
  green_tls_write(p.client, big, 200000);
  green_tls_output(p.client, &out);
  is(green_tls_lend(p.server, out, 160000), 160000, "lent");
  is(green_tls_keep(p.server), 0, "kept");
  is(green_tls_lend(p.server, out, 160000), GREEN_TLS_INPUT - 160000,
     "what there is room for");
  is(green_tls_keep(p.server), 0, "kept");
  is(green_tls_lend(p.server, out, 40000), 0, "no more");
  is(green_tls_keep(p.server), 0, "nothing to keep");
  is(green_tls_feed(p.server, out, 40000), 0, "no more");
  pair_close(&p);
}

/* -- Ends ----------------------------------------------------------------- */

static void check_close(green_tls_ctx *c, bool by_client)
{
  pair p = pair_open(c, server, "a.test");
  char got[10];
  shake(&p);
  settle(&p);
  green_tls *a = by_client ? p.client : p.server;
  green_tls *b = by_client ? p.server : p.client;
  green_tls_write(a, "bye", 3);
  is(green_tls_close(a) + green_tls_close(a), 0, "closed, twice");
  is(green_tls_write(a, "x", 1), GREEN_ECLOSED, "it writes no more");
  carry_both(&p);
  is(green_tls_read(b, got, 10), 3, "what was written before arrives");
  is(green_tls_read(b, got, 10), 0, "then the end");
  is(green_tls_read(b, got, 10), 0, "for ever");
  green_tls_feed_end(b);
  is(green_tls_read(b, got, 10), 0, "a clean one");
  ok(says(b, a, "answer"), "the other way is open");
  green_tls_close(b);
  carry(b, a, SIZE_MAX);
  is(green_tls_read(a, got, 10), 0, "until it is closed, too");
  pair_close(&p);
}

static void test_close_notify_both_ways(void)
{
  check_close(client, true);
  check_close(client, false);
  check_close(client12, true);
  check_close(client12, false);
}

static void test_close_notify_has_room(void)
{
  static char text[100000];
  pair p = pair_open(client, server, "a.test");
  pair q = pair_open(client, server, "a.test");
  if (shake(&p) < 0 || shake(&q) < 0) abort();
  is(green_tls_write(p.server, text, sizeof(text)), sizeof(text), "much");
  ok(says(q.server, q.client, "x"), "another's turn");
  is(green_tls_close(p.server), GREEN_ENOBUFS, "no room to tell the end");
  is(green_tls_close(p.server), GREEN_ENOBUFS, "that is not forgotten");
  size_t left = sizeof(text);
  while (left > 0) {
    carry(p.server, p.client, SIZE_MAX);
    int r = green_tls_read(p.client, text, sizeof(text));
    if (r <= 0) break;
    left -= (size_t)r;
  }
  is(left, 0, "when it was sent");
  is(green_tls_close(p.server), 0, "there is");
  carry(p.server, p.client, SIZE_MAX);
  is(green_tls_read(p.client, text, 1), 0, "told");
  pair_close(&p);
  pair_close(&q);
}

static void test_a_cut_off_stream(void)
{
  pair p = pair_open(client, server, "a.test");
  char got[10];
  shake(&p);
  settle(&p);
  green_tls_write(p.client, "half", 4);
  carry_both(&p);
  green_tls_feed_end(p.server);
  is(green_tls_read(p.server, got, 10), 4, "what came is read");
  is(green_tls_read(p.server, got, 10), GREEN_ETLSTRUNCATED, "no clean end");
  ok(strstr(why(p.server), "cut off") != NULL, "it says so");
  is(green_tls_read(p.server, got, 10), GREEN_ETLSTRUNCATED, "it stays so");
  is(green_tls_write(p.server, "x", 1), GREEN_ETLSTRUNCATED,
     "for writing, too");
  pair_close(&p);
}

static void check_what_follows(green_tls_ctx *c)
{
  pair p = pair_open(c, server, "a.test");
  const char *rest;
  char got[10];
  shake(&p);
  settle(&p);
  is(green_tls_rest(p.client, &rest), 0, "nothing is left");
  green_tls_write(p.server, "bye", 3);
  green_tls_close(p.server);
  carry(p.server, p.client, SIZE_MAX);
  ok(green_tls_rest(p.client, &rest) > 3,
     "what was not read is encrypted still");
  green_tls_feed(p.client, "plain", 5);
  is(green_tls_read(p.client, got, 10), 3, "what was written over TLS");
  is(green_tls_read(p.client, got, 10), 0, "and its end");
  is(green_tls_rest(p.client, &rest), 5, "the bytes behind");
  ok(!memcmp(rest, "plain", 5), "are not touched");
  pair_close(&p);
}

static void test_bytes_behind_the_end(void)
{
  check_what_follows(client);
  check_what_follows(client12);
}

static void test_an_end_amidst_the_handshake(void)
{
  pair p = pair_open(client, server, "a.test");
  const char *out;
  green_tls_handshake(p.client);
  carry_both(&p);
  green_tls_handshake(p.server);
  green_tls_feed_end(p.server);
  is(green_tls_handshake(p.server), GREEN_ETLSTRUNCATED, "the server is told");
  ok(strstr(why(p.server), "during the TLS handshake") != NULL, "when it was");
  is(green_tls_close(p.client), 0, "closed amidst it");
  is(green_tls_output(p.client, &out), 0, "there is nothing to tell");
  is(green_tls_handshake(p.client), GREEN_ECLOSED, "it goes on no more");
  pair_close(&p);
}

static void test_damaged_records(void)
{
  pair p = pair_open(client, server, "a.test");
  const char *out;
  char got[10];
  shake(&p);
  settle(&p);
  green_tls_write(p.client, "hello", 5);
  size_t n = green_tls_output(p.client, &out);
  char *copy = malloc(n);
  memcpy(copy, out, n);
  copy[n - 1] ^= 1;
  green_tls_feed(p.server, copy, n);
  free(copy);
  is(green_tls_read(p.server, got, 10), GREEN_ETLS, "not accepted");
  ok(strstr(why(p.server), "bad record mac") != NULL, why(p.server));
  ok(green_tls_output(p.server, &out) > 0, "an alert is there to be sent");
  carry(p.server, p.client, SIZE_MAX);
  is(green_tls_read(p.client, got, 10), GREEN_ETLSALERT, "the other hears it");
  ok(strstr(why(p.client), "bad_record_mac (20)") != NULL, why(p.client));
  is(green_tls_alert(p.client), 20, "its number");
  is(green_tls_alert(p.server), -1, "who sends one has heard none");
  is_str(green_tls_alert_name(20), "bad_record_mac", "its name");
  ok(!green_tls_alert_name(99), "there is no such one");
  pair_close(&p);
}

/* -- No TLS --------------------------------------------------------------- */

static void check_plain(const char *text, const char *says_what)
{
  green_tls *t = green_tls_new(tls_io, server);
  const char *out;
  green_tls_feed(t, text, strlen(text));
  is(green_tls_handshake(t), GREEN_ETLSPLAIN, "that is no TLS");
  ok(strstr(why(t), says_what) != NULL, why(t));
  is(green_tls_output(t, &out), 0, "nothing in TLS is sent to it");
  green_tls_free(t);
}

static void test_plain_text_spoken_to_a_server(void)
{
  check_plain("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a plain HTTP request");
  check_plain("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "a plain HTTP request");
  check_plain("CONNECT a:1 HTTP/1.1\r\n\r\n", "a plain HTTP request");
  check_plain("SSH-2.0-OpenSSH_9.2p1\r\n", "it speaks SSH");
  check_plain("220 mail ready\r\n", "\"220 m\"");
  check_plain("\1\2\3\4\5\6\7", "something else");
}

static void test_a_plain_server(void)
{
  green_tls *t = green_tls_new(tls_io, client);
  const char *out, text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  green_tls_set_host(t, "a.test");
  green_tls_handshake(t);
  green_tls_sent(t, green_tls_output(t, &out));
  green_tls_feed(t, text, strlen(text));
  is(green_tls_handshake(t), GREEN_ETLSPLAIN, "that is no TLS");
  ok(strstr(why(t), "answers in plain HTTP") != NULL, why(t));
  green_tls_free(t);
}

static void test_no_version_in_common(void)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_ctx_set_versions(s, GREEN_TLS_1_3, 0), s);
  pair p = pair_open(client12, sealed(s), "a.test");
  is(shake(&p), GREEN_ETLSVERSION, "the client is told");
  is(green_tls_handshake(p.server), GREEN_ETLSVERSION, "the server knows");
  ok(strstr(why(p.server), "offers up to TLS 1.2, and this server takes "
                           "TLS 1.3 (") != NULL,
     why(p.server));
  ok(strstr(why(p.client), "no TLS version that we offer: TLS 1.2 (") != NULL,
     why(p.client));
  pair_close(&p);
  green_tls_ctx_free(s);
}

static void test_no_cipher_in_common(void)
{
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_set_versions(c, GREEN_TLS_1_2, GREEN_TLS_1_2), c);
  must_ctx(green_tls_ctx_set_ciphers(c, "ECDHE-RSA-AES128-GCM-SHA256"), c);
  pair p = pair_open(sealed(c), server, "a.test");
  is(shake(&p), GREEN_ETLSALERT, "the client hears an alert");
  ok(strstr(why(p.client), "handshake_failure (40)") != NULL, why(p.client));
  ok(strstr(why(p.client), "TLS 1.2, the ciphers ECDHE-RSA-AES128-GCM-SHA256,"),
     "what was offered");
  is(green_tls_handshake(p.server), GREEN_ETLS, "the server knows");
  ok(strstr(why(p.server), "no cipher in common") != NULL, why(p.server));
  ok(strstr(why(p.server), "client offers ECDHE-RSA-AES128-GCM-SHA256; we "
                           "allow ECDHE-ECDSA-AES128-GCM-SHA256, "
                           "ECDHE-RSA-AES128-GCM-SHA256"),
     why(p.server));
  pair_close(&p);
  green_tls_ctx_free(c);
}

/* -- Out of memory -------------------------------------------------------- */

static bool try_carry(green_tls *from, green_tls *to)
{
  const char *p;
  size_t n = green_tls_output(from, &p);
  char piece[8192];
  if (n > sizeof(piece)) abort();
  if (n == 0) return true;
  memcpy(piece, p, n);
  int taken = green_tls_feed(to, piece, n);
  if (taken > 0) green_tls_sent(from, (size_t)taken);
  return taken == (int)n;
}

/* A whole conversation whose n-th allocation of ours fails. How many there
** were; *failed when something said so. */
static int talk(int n, bool *failed)
{
  char got[100];
  green__alloc_fail_from(n);
  green_tls *a = green_tls_new(tls_io, client);
  green_tls *b = green_tls_new(tls_io, server);
  bool fine = a && b && green_tls_set_host(a, "a.test") == 0;
  for (int i = 0; i < 8 && fine; i++) {
    int r = green_tls_read(i & 1 ? b : a, got, 100);
    fine = r == GREEN_EAGAIN && try_carry(a, b) && try_carry(b, a);
  }
  fine = fine && green_tls_write(a, "hello", 5) == 5 && try_carry(a, b) &&
         green_tls_read(b, got, 100) == 5;
  *failed = !fine;
  if (a && green_tls_failure(a)) ok(*why(a), "it says why");
  green_tls_free(a);
  green_tls_free(b);
  return green__alloc_fail_from(0);
}

static void test_out_of_memory(void)
{
  bool failed = true;
  int n = 0, wrong = 0, count = 0;
  while (failed && n < 1000) {
    count = talk(++n, &failed);
    wrong += failed != (count >= n);
  }
  ok(n > 5 && n < 1000, "it works when nothing fails any more");
  is(wrong, 0, "each failure is told");
}

int main(void)
{
  tls_start();
  client = client_ctx_of(GREEN_TLS_1_3);
  client12 = client_ctx_of(GREEN_TLS_1_2);
  server = server_ctx("a");
  test_versions();
  test_read_and_write_begin_with_the_handshake();
  test_a_verifying_client_must_know_whom_to_find();
  test_names_that_are_none();
  test_big_transfers();
  test_a_full_output_refuses_more();
  test_input_is_bounded();
  test_output_waits_while_others_work();
  test_what_others_left_unsent_is_bounded();
  test_freed_while_others_work();
  test_lent_input();
  test_lent_input_is_bounded_with_what_is_kept();
  test_close_notify_both_ways();
  test_close_notify_has_room();
  test_a_cut_off_stream();
  test_bytes_behind_the_end();
  test_an_end_amidst_the_handshake();
  test_damaged_records();
  test_plain_text_spoken_to_a_server();
  test_a_plain_server();
  test_no_version_in_common();
  test_no_cipher_in_common();
  test_out_of_memory();
  green_tls_ctx_free(client);
  green_tls_ctx_free(client12);
  green_tls_ctx_free(server);
  return tls_done();
}
