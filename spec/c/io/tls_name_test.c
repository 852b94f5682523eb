/*
** tls_name_test.c: contexts by name, and by choice.
*/

#include "io/tls_kit.h"

static green_tls_ctx *client;

static void refused(int err, green_tls_ctx *c, const char *sentence)
{
  is(err, GREEN_EINVAL, sentence);
  const char *text = green_tls_ctx_error(c)->text;
  if (!ok(strstr(text, sentence) != NULL, sentence)) printf("# %s\n", text);
  green_tls_ctx_free(c);
}

/* -- Names ---------------------------------------------------------------- */

static void check_name(green_tls_ctx *s, const char *host, int want)
{
  green_tls_ctx *c12 = client_ctx_of(GREEN_TLS_1_2);
  pair p = pair_open(client, s, host), q = pair_open(c12, s, host);
  is(shake(&p), want, host);
  is(shake(&q), want, "with 1.2, too");
  pair_close(&p);
  pair_close(&q);
  green_tls_ctx_free(c12);
}

static void test_certificates_by_name(void)
{
  green_tls_ctx *b = server_ctx("b"), *wild = server_ctx("wild");
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_ctx_add_name(s, "B.test", b), s);
  must_ctx(green_tls_ctx_add_name(s, "*.w.test", wild), s);
  must_ctx(green_tls_ctx_add_name(s, "no.w.test", b), s);
  green_tls_ctx_free(b);
  green_tls_ctx_free(wild);
  sealed(s);
  check_name(s, "a.test", 0);
  check_name(s, "b.test", 0);
  check_name(s, "b.TEST.", 0);
  check_name(s, "x.w.test", 0);
  check_name(s, "no.w.test", GREEN_ECERTHOST);
  check_name(s, "x.x.w.test", GREEN_ECERTHOST);
  check_name(s, "w.test", GREEN_ECERTHOST);
  green_tls_ctx_free(s);
}

static void test_names_that_are_none(void)
{
  green_tls_ctx *b = server_ctx("b");
  const char *wrong[] = {"", "*", "*.", ".b.test", "a*.test", "*.*.test"};
  for (int i = 0; i < 6; i++) {
    green_tls_ctx *s = server_begin("a");
    refused(green_tls_ctx_add_name(s, wrong[i], b), s, "is no server name");
  }
  green_tls_ctx *s = server_begin("a");
  refused(green_tls_ctx_add_name(s, "a.test", s), s, "another, sealed server");
  s = server_begin("a");
  refused(green_tls_ctx_add_name(s, "a.test", client), s, "sealed server");
  green_tls_ctx_free(b);
}

enum { MANY = 1500 };

static void test_many_names(void)
{
  char name[40];
  green_tls_ctx *b = server_ctx("b"), *wild = server_ctx("wild");
  green_tls_ctx *s = server_begin("a");
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof(name), "%s%d.test", i % 3 ? "n" : "long", i * 7919);
    must_ctx(green_tls_ctx_add_name(s, name, wild), s);
  }
  must_ctx(green_tls_ctx_add_name(s, "b.test", b), s);
  must_ctx(green_tls_ctx_add_name(s, "*.w.test", wild), s);
  sealed(s);
  check_name(s, "b.test", 0);
  check_name(s, "a.test", 0);
  check_name(s, "x.w.test", 0);
  for (int i = 0; i < MANY; i += 100) {
    snprintf(name, sizeof(name), "%s%d.test", i % 3 ? "n" : "long", i * 7919);
    pair p = pair_open(client, s, name);
    is(shake(&p), GREEN_ECERTHOST, "another's certificate");
    ok(strstr(why(p.client), "*.w.test"), "which is the one for it");
    pair_close(&p);
  }
  green_tls_ctx_free(wild);
  green_tls_ctx_free(b);
  green_tls_ctx_free(s);
}

static void test_a_name_told_twice(void)
{
  green_tls_ctx *b = server_ctx("b"), *s = server_begin("a");
  must_ctx(green_tls_ctx_add_name(s, "*.w.test", b), s);
  must_ctx(green_tls_ctx_add_name(s, "x.test", b), s);
  must_ctx(green_tls_ctx_add_name(s, "*.W.test", b), s);
  refused(green_tls_ctx_seal(s), s, "the name *.w.test is there twice");
  green_tls_ctx_free(b);
}

/* All that a name's context says counts, not its certificate alone. */
static void test_a_name_s_own_policy(void)
{
  green_tls_ctx *b = server_begin("b"), *s = server_begin("a");
  must_ctx(green_tls_trust_file(b, cert("ca.pem")), b);
  must_ctx(green_tls_ctx_set_verify(b, GREEN_TLS_VERIFY_DEMAND), b);
  must_ctx(green_tls_ctx_set_versions(b, GREEN_TLS_1_3, 0), b);
  must_ctx(green_tls_ctx_add_name(s, "b.test", sealed(b)), s);
  green_tls_ctx *c12 = client_ctx_of(GREEN_TLS_1_2);
  pair p = pair_open(c12, sealed(s), "b.test");
  is(shake(&p), GREEN_ETLSVERSION, "its versions");
  pair_close(&p);
  p = pair_open(client, s, "b.test");
  shake(&p);
  is(green_tls_handshake(p.server), GREEN_ECERTINVALID, "it asks for more");
  pair_close(&p);
  p = pair_open(client, s, "a.test");
  is(shake(&p), 0, "than the others");
  pair_close(&p);
  green_tls_ctx_free(c12);
  green_tls_ctx_free(b);
  green_tls_ctx_free(s);
}

static void check_cipher(green_tls_ctx *c, green_tls_ctx *s, const char *host,
                         const char *want)
{
  green_tls_info info;
  pair p = pair_open(c, s, host);
  is(shake(&p), 0, host);
  green_tls_get_info(p.client, &info);
  is_str(info.cipher, want, want);
  pair_close(&p);
}

static void test_a_name_s_own_ciphers(void)
{
  green_tls_ctx *b = server_begin("b"), *s = server_begin("a");
  green_tls_ctx *c12 = client_ctx_of(GREEN_TLS_1_2);
  const char *strong = "TLS_AES_256_GCM_SHA384";
  const char *strong12 = "ECDHE-ECDSA-AES256-GCM-SHA384";
  must_ctx(green_tls_ctx_set_ciphersuites(b, strong), b);
  must_ctx(green_tls_ctx_set_ciphers(b, strong12), b);
  must_ctx(green_tls_ctx_add_name(s, "b.test", sealed(b)), s);
  sealed(s);
  check_cipher(client, s, "a.test", "TLS_AES_128_GCM_SHA256");
  check_cipher(client, s, "b.test", strong);
  check_cipher(c12, s, "a.test", "ECDHE-ECDSA-AES128-GCM-SHA256");
  check_cipher(c12, s, "b.test", strong12);
  green_tls_ctx_free(c12);
  green_tls_ctx_free(b);
  green_tls_ctx_free(s);
}

/* What the server says of a client with that certificate. */
static int says_of(green_tls_ctx *s, const char *name, const char *host)
{
  char pem[80], key[80];
  green_tls_ctx *c = client_begin();
  snprintf(pem, sizeof(pem), "%s.pem", name);
  snprintf(key, sizeof(key), "%s.key", name);
  must_ctx(green_tls_key_files(c, cert(pem), cert(key), NULL), c);
  pair p = pair_open(sealed(c), s, host);
  shake(&p);
  int r = green_tls_handshake(p.server);
  pair_close(&p);
  green_tls_ctx_free(c);
  return r;
}

/* Nothing of the listener's own verification stays: neither what it looks for
** nor what it lets pass. */
static void test_a_name_s_own_verification(void)
{
  green_tls_ctx *b = server_begin("b"), *s = server_begin("a");
  must_ctx(green_tls_trust_file(b, cert("ca.pem")), b);
  must_ctx(green_tls_ctx_set_verify(b, GREEN_TLS_VERIFY_DEMAND), b);
  must_ctx(green_tls_ctx_add_name(s, "b.test", sealed(b)), s);
  must_ctx(green_tls_trust_file(s, cert("ca.pem")), s);
  must_ctx(green_tls_trust_revoked(s, cert("crl.pem")), s);
  must_ctx(green_tls_ctx_set_verify(s, GREEN_TLS_VERIFY_DEMAND), s);
  sealed(s);
  is(says_of(s, "revoked", "a.test"), GREEN_ECERTREVOKED, "one has a list");
  is(says_of(s, "revoked", "b.test"), 0, "the other has none");
  green_tls_ctx_free(b);
  green_tls_ctx_free(s);
  b = server_begin("b");
  s = server_begin("a");
  must_ctx(green_tls_trust_file(b, cert("middle.pem")), b);
  must_ctx(green_tls_ctx_set_verify(b, GREEN_TLS_VERIFY_DEMAND), b);
  must_ctx(green_tls_ctx_add_name(s, "b.test", sealed(b)), s);
  must_ctx(green_tls_trust_file(s, cert("middle.pem")), s);
  must_ctx(green_tls_ctx_set_partial_chain(s, true), s);
  must_ctx(green_tls_ctx_set_verify(s, GREEN_TLS_VERIFY_DEMAND), s);
  sealed(s);
  is(says_of(s, "deep", "a.test"), 0, "one takes part of a chain");
  is(says_of(s, "deep", "b.test"), GREEN_ECERTUNKNOWN, "the other does not");
  green_tls_ctx_free(b);
  green_tls_ctx_free(s);
}

static green_tls_ctx *client_of(int version)
{
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_set_versions(c, version, version), c);
  must_ctx(green_tls_ctx_add_alpn(c, "h2"), c);
  must_ctx(green_tls_ctx_add_alpn(c, "http/1.1"), c);
  return sealed(c);
}

/* -- Choices -------------------------------------------------------------- */

static green_tls_ctx *asking(void)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_ctx_set_asks(s, true), s);
  must_ctx(green_tls_ctx_add_alpn(s, "h2"), s);
  return sealed(s);
}

static void check_choice(green_tls_ctx *c)
{
  green_tls_ctx *s = asking(), *b = server_ctx("b");
  green_tls_hello hello;
  green_tls_info info;
  pair p = pair_open(c, s, "b.test");
  is(green_tls_choose(p.server, b, NULL), GREEN_EINVAL, "nothing was asked");
  green_tls_handshake(p.client);
  carry_both(&p);
  is(green_tls_handshake(p.server), GREEN_EINPROGRESS, "it waits");
  is(green_tls_handshake(p.server), GREEN_EINPROGRESS, "as long as it takes");
  is(green_tls_get_hello(p.server, &hello), 0, "what the client says");
  is_str(hello.name, "b.test", "its name");
  is(hello.alpn_len, 12, "its protocols");
  ok(!memcmp(hello.alpn, "\2h2\x8http/1.1", 12), "in its order");
  is(green_tls_choose(p.server, b, "http/1.1"), 0, "chosen");
  is(green_tls_choose(p.server, b, NULL), GREEN_EINVAL, "once");
  is(shake(&p), 0, "it goes on with that");
  green_tls_get_info(p.client, &info);
  ok(info.alpn_len == 8 && !memcmp(info.alpn, "http/1.1", 8), "and that");
  ok(says(p.client, p.server, "hello"), "hello");
  pair_close(&p);
  green_tls_ctx_free(b);
  green_tls_ctx_free(s);
}

static void test_choices(void)
{
  const int versions[] = {GREEN_TLS_1_2, GREEN_TLS_1_3};
  for (int i = 0; i < 2; i++) {
    green_tls_ctx *c = client_of(versions[i]);
    check_choice(c);
    green_tls_ctx_free(c);
  }
}

static void test_no_choice(void)
{
  green_tls_ctx *s = asking();
  pair p = pair_open(client, s, "a.test");
  green_tls_hello hello;
  green_tls_handshake(p.client);
  carry_both(&p);
  is(green_tls_handshake(p.server), GREEN_EINPROGRESS, "it waits");
  green_tls_get_hello(p.server, &hello);
  is(hello.alpn_len, 0, "no protocols");
  is(green_tls_choose(p.server, client, NULL), GREEN_EINVAL, "no server's");
  is(green_tls_choose(p.server, NULL, NULL), 0, "as if there was no choice");
  is(shake(&p), 0, "it goes on");
  pair_close(&p);
  p = pair_open(client, s, "a.test");
  green_tls_handshake(p.client);
  carry_both(&p);
  green_tls_handshake(p.server);
  pair_close(&p); /* Amidst it. */
  green_tls_ctx_free(s);
}

/* What is said of it is the name and no more, whatever lies behind that. */
static void test_a_choice_that_the_client_has_not(void)
{
  static const char name[] = "a-protocol-of-24-letters";
  green_tls_ctx *s = asking(), *c = client_of(GREEN_TLS_1_3);
  pair p = pair_open(c, s, "a.test");
  green_tls_handshake(p.client);
  carry_both(&p);
  is(green_tls_handshake(p.server), GREEN_EINPROGRESS, "it waits");
  is(green_tls_choose(p.server, NULL, name), 0, "chosen");
  is(green_tls_handshake(p.server), GREEN_ETLS, "not in common");
  is_str(why(p.server),
         "no application protocol (ALPN) in common: the client offers h2, "
         "http/1.1; this server has a-protocol-of-24-letters",
         "which is told");
  pair_close(&p);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
}

/* A group that the server does not take: hello comes a second time. */
static void test_a_second_hello(void)
{
  green_tls_ctx *s = server_begin("a"), *c = client_begin();
  must_ctx(green_tls_ctx_set_groups(s, "P-384"), s);
  must_ctx(green_tls_ctx_set_asks(s, true), s);
  must_ctx(green_tls_ctx_set_groups(c, "X25519:P-384"), c);
  pair p = pair_open(sealed(c), sealed(s), "a.test");
  green_tls_handshake(p.client);
  carry_both(&p);
  is(green_tls_handshake(p.server), GREEN_EINPROGRESS, "it waits");
  is(green_tls_choose(p.server, NULL, NULL), 0, "chosen");
  is(shake(&p), 0, "nobody is asked again");
  pair_close(&p);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
}

int main(void)
{
  tls_start();
  client = client_ctx();
  test_certificates_by_name();
  test_names_that_are_none();
  test_many_names();
  test_a_name_told_twice();
  test_a_name_s_own_policy();
  test_a_name_s_own_ciphers();
  test_a_name_s_own_verification();
  test_choices();
  test_no_choice();
  test_a_choice_that_the_client_has_not();
  test_a_second_hello();
  green_tls_ctx_free(client);
  return tls_done();
}
