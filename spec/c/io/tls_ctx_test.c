/*
** tls_ctx_test.c: contexts: keys, protocols, secrets' log, questions.
*/

#include "io/tls_kit.h"

#include <fcntl.h>
#include <time.h>

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

static void test_keylog_of_a_path(void)
{
  char text[4000];
  struct stat st;
  green_tls_ctx *s = server_begin("a"), *c = client_begin();
  must_ctx(green_tls_ctx_open_keylog(s, cert("secrets")), s);
  must_ctx(green_tls_ctx_open_keylog(c, cert("secrets")), c);
  pair p = pair_open(sealed(c), sealed(s), "a.test");
  shake(&p);
  pair_close(&p);
  green_tls_ctx_free(s);
  green_tls_ctx_free(c);
  stat(cert("secrets"), &st);
  is(st.st_mode & 0777, 0600, "for its owner alone");
  read_text("secrets", text, sizeof(text));
  const char *first = strstr(text, "CLIENT_TRAFFIC_SECRET_0 ");
  ok(first && strstr(first + 1, "CLIENT_TRAFFIC_SECRET_0 "),
     "both ends' lines stand behind each other");
  s = server_begin("a");
  is(green_tls_ctx_open_keylog(s, cert("no/secrets")), GREEN_ENOENT, "nowhere");
  ok(strstr(green_tls_ctx_error(s)->text, "no/secrets"), "it is named");
  green_tls_ctx_free(s);
}

/* -- Questions ------------------------------------------------------------ */

static void expires(green_tls_ctx *s, int64_t low, int64_t high,
                    const char *which)
{
  green_buf b;
  green_buf_init(&b, 1000);
  int64_t at = green_tls_ctx_expires(s, &b);
  ok(at >= low && at <= high, which);
  green_buf_append(&b, "", 1);
  if (!ok(strstr(green_buf_data(&b), which), "which is told"))
    printf("# %s\n", green_buf_data(&b));
  green_buf_reset(&b);
}

static void test_expiry(void)
{
  int64_t day = 86400, now = time(NULL);
  green_tls_ctx *s = server_begin("a");
  expires(s, now + 19 * day, now + 20 * day,
          "certificate \"CN=a.test\" (file ");
  must_ctx(green_tls_key_files(s, cert("edself.pem"), cert("ed.key"), NULL), s);
  expires(s, now + 2 * day, now + 3 * day, "edself.pem");
  must_ctx(green_tls_key_files(s, cert("rsa.pem"), cert("rsa.key"), NULL), s);
  expires(s, now + 2 * day, now + 3 * day, "edself.pem");
  must_ctx(green_tls_key_files(s, cert("expired.pem"), cert("a.key"), NULL), s);
  expires(s, 1, now, "expired.pem");
  green_tls_ctx_free(s);
  is(green_tls_ctx_expires(client, NULL), 0, "without a certificate");
}

static void test_locked_keys(void)
{
  char key[4000];
  read_text("locked.key", key, sizeof(key));
  ok(green_tls_key_locked(key, false), "a text");
  ok(green_tls_key_locked(cert("locked.key"), true), "a file");
  ok(!green_tls_key_locked(cert("a.key"), true), "not this one");
  ok(!green_tls_key_locked(cert("none.key"), true), "nor what is not there");
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
  test_keylog();
  test_keylog_of_a_path();
  test_expiry();
  test_locked_keys();
  green_tls_ctx_free(client);
  return tls_done();
}
