/*
** tls_ctx_test.c: contexts: keys, protocols, names, choices, secrets' log.
*/

#include "io/tls_kit.h"

#include <fcntl.h>

static green_tls_ctx *client;

/* -- Keys ----------------------------------------------------------------- */

/* What is said of these files. The last two may be NULL. */
static void check_files(const char *pem, const char *key, const char *password,
                        int code, const char *sentence)
{
  green_tls_ctx *c = green_tls_ctx_new(true);
  is(green_tls_key_files(c, cert(pem), key ? cert(key) : NULL, password), code,
     sentence);
  const green_tls_error *e = green_tls_ctx_error(c);
  is(e->code, code, "it is kept");
  if (!ok(strstr(e->text, sentence) != NULL, sentence))
    printf("# %s\n", e->text);
  is(green_tls_ctx_seal(c), code, "and stands in the seal's way");
  green_tls_ctx_free(c);
}

static void test_files_that_will_not_do(void)
{
  char text[300];
  snprintf(text, sizeof(text), "certificate file %s: no such file",
           cert("none.pem"));
  check_files("none.pem", "a.key", NULL, GREEN_ENOENT, text);
  snprintf(text, sizeof(text), "key file %s: no such file", cert("none.key"));
  check_files("a.pem", "none.key", NULL, GREEN_ENOENT, text);
  check_files("folder", "a.key", NULL, -21, "is a directory");
  check_files("empty.pem", "a.key", NULL, GREEN_ECERTINVALID,
              "there is no PEM certificate in it");
  check_files("damaged.pem", "a.key", NULL, GREEN_ECERTINVALID,
              "the certificate is damaged");
  check_files("a.pem", NULL, NULL, GREEN_EKEYINVALID,
              "there is no PEM key in it");
  check_files("a.pem", "b.key", NULL, GREEN_EKEYINVALID,
              "it does not match the certificate");
  check_files("a.pem", "locked.key", NULL, GREEN_EKEYINVALID,
              "it is encrypted, and no password given");
  check_files("a.pem", "locked.key", "wrong", GREEN_EKEYINVALID,
              "wrong password");
}

static void serves(green_tls_ctx *s, green_tls_ctx *c, const char *host,
                   const char *what)
{
  pair p = pair_open(c, sealed(s), host);
  is(shake(&p), 0, what);
  pair_close(&p);
  green_tls_ctx_free(s);
}

static void test_keys_of_all_kinds(void)
{
  green_tls_ctx *s = green_tls_ctx_new(true);
  must_ctx(green_tls_key_files(s, cert("a.pem"), cert("locked.key"), "secret"),
           s);
  serves(s, client, "a.test", "an encrypted key");
  s = green_tls_ctx_new(true);
  must_ctx(green_tls_key_files(s, cert("both.pem"), NULL, NULL), s);
  serves(s, client, "a.test", "certificate and key in one file");
  serves(server_begin("rsa"), client, "a.test", "RSA");
  serves(server_begin("ed"), client, "a.test", "Ed25519");
}

static void test_pkcs12(void)
{
  green_tls_ctx *s = green_tls_ctx_new(true);
  must_ctx(green_tls_key_pkcs12(s, cert("deep.p12"), "secret"), s);
  serves(s, client, "deep.test", "with the chain");
  s = green_tls_ctx_new(true);
  is(green_tls_key_pkcs12(s, cert("deep.p12"), "wrong"), GREEN_EKEYINVALID,
     "a wrong password");
  ok(strstr(green_tls_ctx_error(s)->text, "wrong password") != NULL, "says so");
  green_tls_ctx_free(s);
  s = green_tls_ctx_new(true);
  is(green_tls_key_pkcs12(s, cert("a.pem"), ""), GREEN_EKEYINVALID, "PEM");
  ok(strstr(green_tls_ctx_error(s)->text, "no PKCS#12 file") != NULL, "no");
  green_tls_ctx_free(s);
}

static void read_text(const char *name, char *text, size_t size)
{
  FILE *f = fopen(cert(name), "r");
  text[fread(text, 1, size - 1, f)] = '\0';
  fclose(f);
}

static void test_keys_in_memory(void)
{
  char pem[4000], key[4000];
  green_tls_ctx *s = green_tls_ctx_new(true);
  read_text("a.pem", pem, sizeof(pem));
  read_text("a.key", key, sizeof(key));
  must_ctx(green_tls_key_pem(s, pem, key, NULL), s);
  serves(s, client, "a.test", "text");
}

/* Which certificate a client of TLS 1.2 gets that has only these ciphers. */
static void check_kind(green_tls_ctx *s, const char *ciphers, const char *got)
{
  green_tls_info info;
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_set_versions(c, GREEN_TLS_1_2, GREEN_TLS_1_2), c);
  must_ctx(green_tls_ctx_set_ciphers(c, ciphers), c);
  pair p = pair_open(sealed(c), s, "a.test");
  is(shake(&p), 0, ciphers);
  green_tls_get_info(p.client, &info);
  is_str(info.cipher, got, "as it can");
  pair_close(&p);
  green_tls_ctx_free(c);
}

static void test_two_certificates(void)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_key_files(s, cert("rsa.pem"), cert("rsa.key"), NULL), s);
  sealed(s);
  check_kind(s, "aRSA", "ECDHE-RSA-AES128-GCM-SHA256");
  check_kind(s, "aECDSA", "ECDHE-ECDSA-AES128-GCM-SHA256");
  check_kind(s, "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384");
  green_tls_ctx_free(s);
}

/* -- Settings ------------------------------------------------------------- */

static void refused(int err, green_tls_ctx *c, const char *sentence)
{
  is(err, GREEN_EINVAL, sentence);
  const char *text = green_tls_ctx_error(c)->text;
  if (!ok(strstr(text, sentence) != NULL, sentence)) printf("# %s\n", text);
  green_tls_ctx_free(c);
}

static void test_settings_that_are_none(void)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  refused(green_tls_ctx_set_ciphers(c, "none"), c, "ciphers \"none\": no c");
  c = green_tls_ctx_new(false);
  refused(green_tls_ctx_set_ciphersuites(c, "none"), c, "suites \"none\"");
  c = green_tls_ctx_new(false);
  refused(green_tls_ctx_set_groups(c, "none"), c, "groups \"none\"");
  c = green_tls_ctx_new(false);
  refused(green_tls_ctx_set_versions(c, GREEN_TLS_1_3, GREEN_TLS_1_2), c,
          "no TLS version");
  c = green_tls_ctx_new(false);
  refused(green_tls_ctx_set_verify(c, 3), c, "3 is not between 0 and 2");
  c = green_tls_ctx_new(false);
  refused(green_tls_ctx_add_alpn(c, ""), c, "protocol \"\"");
  c = green_tls_ctx_new(true);
  refused(green_tls_ctx_seal(c), c, "a server needs a certificate");
  c = server_begin("a");
  must_ctx(green_tls_ctx_set_verify(c, GREEN_TLS_VERIFY_ASK), c);
  refused(green_tls_ctx_seal(c), c, "no authority is given");
}

static void test_authorities_that_are_none(void)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  is(green_tls_trust_file(c, cert("empty.pem")), GREEN_ECERTINVALID, "empty");
  green_tls_ctx_free(c);
  c = green_tls_ctx_new(false);
  is(green_tls_trust_file(c, cert("none.pem")), GREEN_ENOENT, "no file");
  green_tls_ctx_free(c);
  c = green_tls_ctx_new(false);
  is(green_tls_trust_file(c, cert("damaged.pem")), GREEN_ECERTINVALID, "bad");
  ok(strstr(green_tls_ctx_error(c)->text, "number 1 in it is damaged"), "so");
  green_tls_ctx_free(c);
  c = green_tls_ctx_new(false);
  is(green_tls_trust_folder(c, cert("none")), GREEN_ENOENT, "no folder");
  green_tls_ctx_free(c);
  c = green_tls_ctx_new(false);
  is(green_tls_trust_revoked(c, cert("ca.pem")), GREEN_ECERTINVALID, "no CRL");
  green_tls_ctx_free(c);
}

/* -- Protocols ------------------------------------------------------------ */

static green_tls_ctx *with_alpn(green_tls_ctx *c, const char *a, const char *b)
{
  if (a) must_ctx(green_tls_ctx_add_alpn(c, a), c);
  if (b) must_ctx(green_tls_ctx_add_alpn(c, b), c);
  return sealed(c);
}

static void check_alpn(const char *want, green_tls_ctx *c, green_tls_ctx *s)
{
  green_tls_info info;
  pair p = pair_open(c, s, "a.test");
  is(shake(&p), 0, want);
  is(green_tls_get_info(p.client, &info), 0, "agreed");
  is(info.alpn_len, strlen(want), "so long");
  ok(!memcmp(info.alpn ? info.alpn : "", want, strlen(want)), want);
  pair_close(&p);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
}

static void test_protocols(void)
{
  check_alpn("h2", with_alpn(client_begin(), "http/1.1", "h2"),
             with_alpn(server_begin("a"), "h2", "http/1.1"));
  check_alpn("http/1.1", with_alpn(client_begin(), "x", "http/1.1"),
             with_alpn(server_begin("a"), "h2", "http/1.1"));
  check_alpn("", client_ctx(), with_alpn(server_begin("a"), "h2", NULL));
  check_alpn("", with_alpn(client_begin(), "h2", NULL), server_ctx("a"));
}

static void test_no_protocol_in_common(void)
{
  green_tls_ctx *c = with_alpn(client_begin(), "x", "h");
  green_tls_ctx *s = with_alpn(server_begin("a"), "h2", NULL);
  pair p = pair_open(c, s, "a.test");
  is(shake(&p), GREEN_ETLSALERT, "an alert");
  ok(strstr(why(p.client), "(ALPN)") != NULL, why(p.client));
  is(green_tls_handshake(p.server), GREEN_ETLS, "the server says why");
  ok(strstr(why(p.server), "(ALPN)") != NULL, why(p.server));
  pair_close(&p);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
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
  green_tls_ctx *c = with_alpn(client_begin(), "h2", "http/1.1");
  check_choice(c);
  green_tls_ctx_free(c);
  c = client_begin();
  must_ctx(green_tls_ctx_set_versions(c, GREEN_TLS_1_2, GREEN_TLS_1_2), c);
  check_choice(with_alpn(c, "h2", "http/1.1"));
  green_tls_ctx_free(c);
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

/* -- Log of secrets ------------------------------------------------------- */

static void test_keylog(void)
{
  char text[4000];
  green_tls_ctx *s = server_begin("a");
  int fd = open(cert("keys"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  must_ctx(green_tls_ctx_set_keylog(s, fd), s);
  pair p = pair_open(client, sealed(s), "a.test");
  shake(&p);
  pair_close(&p);
  close(fd);
  read_text("keys", text, sizeof(text));
  ok(strstr(text, "CLIENT_TRAFFIC_SECRET_0 ") != NULL, "the client's");
  ok(strstr(text, "SERVER_TRAFFIC_SECRET_0 ") != NULL, "the server's");
  is(text[strlen(text) - 1], '\n', "in lines");
  green_tls_ctx_free(s);
}

int main(void)
{
  tls_start();
  client = client_ctx();
  test_files_that_will_not_do();
  test_keys_of_all_kinds();
  test_pkcs12();
  test_keys_in_memory();
  test_two_certificates();
  test_settings_that_are_none();
  test_authorities_that_are_none();
  test_protocols();
  test_no_protocol_in_common();
  test_certificates_by_name();
  test_names_that_are_none();
  test_a_name_s_own_policy();
  test_a_name_s_own_ciphers();
  test_a_name_s_own_verification();
  test_choices();
  test_no_choice();
  test_a_second_hello();
  test_keylog();
  green_tls_ctx_free(client);
  return tls_done();
}
