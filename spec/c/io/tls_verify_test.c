/*
** tls_verify_test.c: whose certificate is believed, and what is said of others.
*/

#include "io/tls_kit.h"

static green_tls_ctx *client;

/* What the client says of the server with that certificate. */
static int meets(green_tls_ctx *c, const char *name, const char *pem,
                 const char *host, char said[GREEN_TLS_TEXT])
{
  char key[80];
  green_tls_ctx *s = green_tls_ctx_new(true);
  snprintf(key, sizeof(key), "%s.key", name);
  must_ctx(green_tls_key_files(s, cert(pem), cert(key), NULL), s);
  pair p = pair_open(c, sealed(s), host);
  int r = shake(&p);
  snprintf(said, GREEN_TLS_TEXT, "%s", why(p.client));
  if (r == 0 && !says(p.client, p.server, "hello")) r = GREEN_EEOF;
  pair_close(&p);
  green_tls_ctx_free(s);
  return r;
}

static void accepts(const char *name, const char *host)
{
  char said[GREEN_TLS_TEXT], pem[80];
  snprintf(pem, sizeof(pem), "%s.pem", name);
  is(meets(client, name, pem, host, said), 0, host);
  is_str(said, "", "nothing is said");
}

static void refuses(green_tls_ctx *c, const char *name, const char *pem,
                    const char *host, int code, const char *sentence)
{
  char said[GREEN_TLS_TEXT];
  is(meets(c, name, pem, host, said), code, green_err_name(code));
  if (!ok(strstr(said, sentence) != NULL, sentence)) printf("# %s\n", said);
}

/* -- Names ---------------------------------------------------------------- */

static void test_names(void)
{
  accepts("a", "a.test");
  accepts("a", "www.a.test");
  accepts("wild", "x.w.test");
  refuses(client, "a", "a.pem", "b.test", GREEN_ECERTHOST,
          "the server's own certificate \"CN=a.test\", issued by \"CN=Test "
          "Root\", is for "
          "a.test, www.a.test, not for b.test");
  refuses(client, "wild", "wild.pem", "w.test", GREEN_ECERTHOST,
          "is for *.w.test, not for w.test");
  refuses(client, "wild", "wild.pem", "x.y.w.test", GREEN_ECERTHOST,
          "*.w.test");
  refuses(client, "partial", "partial.pem", "fo.p.test", GREEN_ECERTHOST,
          "f*.p.test");
  refuses(client, "cn", "cn.pem", "cn.test", GREEN_ECERTHOST,
          "is for no name (a common name is none), not for cn.test");
}

static void test_addresses(void)
{
  accepts("ip", "127.0.0.1");
  accepts("ip", "::1");
  refuses(client, "ip", "ip.pem", "127.0.0.2", GREEN_ECERTHOST,
          "is for 127.0.0.1, 0:0:0:0:0:0:0:1, not for 127.0.0.2");
  refuses(client, "ipname", "ipname.pem", "127.0.0.1", GREEN_ECERTHOST,
          "not for 127.0.0.1");
  refuses(client, "cn", "cn.pem", "127.0.0.1", GREEN_ECERTHOST, "no name");
}

static void test_any_host(void)
{
  char said[GREEN_TLS_TEXT];
  is(meets(client, "a", "a.pem", NULL, said), 0, "whoever it names");
  is(meets(client, "other", "other.pem", NULL, said), GREEN_ECERTUNKNOWN,
     "but not whoever signed it");
}

/* -- Chains --------------------------------------------------------------- */

static void test_dates(void)
{
  refuses(client, "a", "expired.pem", "a.test", GREEN_ECERTEXPIRED,
          "expired on 2021-01-01T00:00:00Z");
}

static void test_authorities(void)
{
  refuses(client, "other", "other.pem", "a.test", GREEN_ECERTUNKNOWN,
          "certificate \"CN=a.test\", issued by \"CN=Other Root\", "
          "has an issuer that is not known here");
  refuses(client, "self", "self.pem", "self.test", GREEN_ECERTUNKNOWN,
          "is self-signed, and not known here");
}

static void test_chains(void)
{
  accepts("deep", "deep.test");
  refuses(client, "deep", "alone.pem", "deep.test", GREEN_ECERTUNKNOWN,
          "does not send the certificates between");
}

static void test_depth(void)
{
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_set_depth(c, 0), c);
  refuses(sealed(c), "deep", "deep.pem", "deep.test", GREEN_ECERTINVALID,
          "certificate chain too long");
  green_tls_ctx_free(c);
}

static void test_partial_chains(void)
{
  char said[GREEN_TLS_TEXT];
  for (int on = 0; on <= 1; on++) {
    green_tls_ctx *c = green_tls_ctx_new(false);
    must_ctx(green_tls_trust_file(c, cert("middle.pem")), c);
    must_ctx(green_tls_ctx_set_partial_chain(c, on), c);
    is(meets(sealed(c), "deep", "deep.pem", "deep.test", said),
       on ? 0 : GREEN_ECERTUNKNOWN, on ? "believed" : "not without");
    green_tls_ctx_free(c);
  }
}

static void test_revocations(void)
{
  char said[GREEN_TLS_TEXT];
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_trust_revoked(c, cert("crl.pem")), c);
  is(meets(sealed(c), "a", "a.pem", "a.test", said), 0, "not on the list");
  refuses(c, "revoked", "revoked.pem", "revoked.test", GREEN_ECERTREVOKED,
          "certificate \"CN=revoked.test\", issued by \"CN=Test Root\", was "
          "revoked");
  refuses(c, "deep", "deep.pem", "deep.test", GREEN_ECERTINVALID,
          "unable to get certificate CRL");
  is(meets(client, "revoked", "revoked.pem", "revoked.test", said), 0,
     "without a list nobody knows");
  green_tls_ctx_free(c);
}

static void test_folders_and_text(void)
{
  char said[GREEN_TLS_TEXT];
  green_tls_ctx *c = green_tls_ctx_new(false);
  must_ctx(green_tls_trust_folder(c, cert("folder")), c);
  is(meets(sealed(c), "a", "a.pem", "a.test", said), 0, "a folder");
  green_tls_ctx_free(c);
  char text[4096];
  FILE *f = fopen(cert("ca.pem"), "r");
  text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
  fclose(f);
  c = green_tls_ctx_new(false);
  must_ctx(green_tls_trust_pem(c, text), c);
  is(meets(sealed(c), "a", "a.pem", "a.test", said), 0, "text");
  green_tls_ctx_free(c);
}

/* What the system believes is in a file or a folder, by OpenSSL's own
** variables. The store is one for the process: a client with authorities of its
** own is not in it. */
static void test_the_system_s_authorities(void)
{
  char said[GREEN_TLS_TEXT];
  setenv("SSL_CERT_DIR", cert("folder"), 1);
  green_tls_ctx *c = sealed(green_tls_ctx_new(false));
  is(meets(c, "a", "a.pem", "a.test", said), 0, "believed");
  is(meets(c, "other", "other.pem", "a.test", said), GREEN_ECERTUNKNOWN,
     "others not");
  green_tls_ctx *both = green_tls_ctx_new(false);
  must_ctx(green_tls_trust_file(both, cert("stranger.pem")), both);
  must_ctx(green_tls_trust_system(both), both);
  is(meets(sealed(both), "other", "other.pem", "a.test", said), 0, "own ones");
  is(meets(both, "a", "a.pem", "a.test", said), 0, "and the system's");
  is(meets(c, "other", "other.pem", "a.test", said), GREEN_ECERTUNKNOWN,
     "which has not changed");
  green_tls_ctx_free(both);
  green_tls_ctx_free(c);
  unsetenv("SSL_CERT_DIR");
}

static void test_no_verification(void)
{
  char said[GREEN_TLS_TEXT];
  green_tls_ctx *c = green_tls_ctx_new(false);
  must_ctx(green_tls_ctx_set_verify(c, GREEN_TLS_VERIFY_NONE), c);
  is(meets(sealed(c), "self", "self.pem", "a.test", said), 0, "anybody");
  is(meets(c, "a", "expired.pem", "b.test", said), 0, "at any time");
  green_tls_ctx_free(c);
}

/* -- Clients' certificates ------------------------------------------------ */

/* A handshake where the server looks at the client, who has that certificate
** or NULL. The server's result; what it says. */
static int shows(int verify, const char *name, int version,
                 char said[GREEN_TLS_TEXT])
{
  char pem[80], key[80], got[8];
  green_tls_ctx *s = server_begin("a"), *c = client_begin();
  must_ctx(green_tls_trust_file(s, cert("ca.pem")), s);
  must_ctx(green_tls_ctx_set_verify(s, verify), s);
  must_ctx(green_tls_ctx_set_versions(c, version, version), c);
  snprintf(pem, sizeof(pem), "%s.pem", name ? name : "");
  snprintf(key, sizeof(key), "%s.key", name ? name : "");
  if (name) must_ctx(green_tls_key_files(c, cert(pem), cert(key), NULL), c);
  pair p = pair_open(sealed(c), sealed(s), "a.test");
  shake(&p);
  int r = green_tls_handshake(p.server);
  snprintf(said, GREEN_TLS_TEXT, "%s", why(p.server));
  is(green_tls_peer_count(p.server), r == 0 && name ? 1 : 0, "what it shows");
  is(green_tls_read(p.client, got, 8), r ? GREEN_ETLSALERT : GREEN_EAGAIN,
     "what the client hears");
  pair_close(&p);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
  return r;
}

static void check_clients(int version)
{
  char said[GREEN_TLS_TEXT];
  is(shows(GREEN_TLS_VERIFY_ASK, "client", version, said), 0, "asked: a good");
  is(shows(GREEN_TLS_VERIFY_ASK, NULL, version, said), 0, "asked: none");
  is(shows(GREEN_TLS_VERIFY_ASK, "other", version, said), GREEN_ECERTUNKNOWN,
     "asked: a bad one");
  is(shows(GREEN_TLS_VERIFY_DEMAND, "client", version, said), 0,
     "demanded: a good one");
  is(shows(GREEN_TLS_VERIFY_DEMAND, NULL, version, said), GREEN_ECERTINVALID,
     "demanded: none");
  is_str(said, "the client shows no certificate, and must", "it says so");
  is(shows(GREEN_TLS_VERIFY_DEMAND, "self", version, said), GREEN_ECERTUNKNOWN,
     "demanded: of nobody");
}

static void test_certificates_of_clients(void)
{
  check_clients(GREEN_TLS_1_2);
  check_clients(GREEN_TLS_1_3);
}

/* -- What is told of peers ------------------------------------------------ */

static const char *told(const green_tls *t, int i, int what)
{
  static char text[1000];
  green_buf b = {0};
  int err = green_tls_peer_text(t, i, what, &b);
  snprintf(text, sizeof(text), "%.*s", (int)green_buf_len(&b),
           err ? "" : green_buf_data(&b));
  green_buf_reset(&b);
  return text;
}

static void test_what_the_peer_showed(void)
{
  green_tls_ctx *s = server_ctx("deep");
  pair p = pair_open(client, s, "deep.test");
  green_buf b = {0};
  is(green_tls_peer_count(p.client), 0, "nothing yet");
  shake(&p);
  is(green_tls_peer_count(p.client), 2, "a chain");
  is(green_tls_peer_count(p.server), 0, "the client showed none");
  is_str(told(p.client, 0, GREEN_TLS_SUBJECT), "CN=deep.test", "subject");
  is_str(told(p.client, 0, GREEN_TLS_ISSUER), "CN=Middle", "issuer");
  is_str(told(p.client, 1, GREEN_TLS_SUBJECT), "CN=Middle", "its issuer");
  is_str(told(p.client, 0, GREEN_TLS_ALT_NAMES), "DNS:deep.test", "names");
  is(strlen(told(p.client, 0, GREEN_TLS_NOT_AFTER)), 20, "a date");
  is(told(p.client, 0, GREEN_TLS_NOT_BEFORE)[10], 'T', "of ISO 8601");
  ok(strlen(told(p.client, 0, GREEN_TLS_SERIAL)) >= 16, "a serial number");
  is(green_tls_peer_text(p.client, 0, GREEN_TLS_DER, &b), 0, "DER");
  is((unsigned char)*green_buf_data(&b), 0x30, "is a sequence");
  is(green_tls_peer_text(p.client, 2, GREEN_TLS_DER, &b), GREEN_EINVAL, "end");
  is(green_tls_peer_text(p.client, -1, GREEN_TLS_DER, &b), GREEN_EINVAL, "-1");
  is(green_tls_peer_text(p.client, 0, 99, &b), GREEN_EINVAL, "no such thing");
  green_buf_reset(&b);
  pair_close(&p);
  green_tls_ctx_free(s);
}

static void test_the_certificate_that_was_refused(void)
{
  green_tls_ctx *s = server_ctx("deep"), *c = client_begin();
  must_ctx(green_tls_ctx_set_depth(c, 0), c);
  pair p = pair_open(sealed(c), s, "deep.test");
  green_buf b = {0};
  is(green_tls_bad_cert(p.client), -1, "none yet");
  is(green_tls_peer_text(p.client, GREEN_TLS_BAD_CERT, GREEN_TLS_DER, &b),
     GREEN_EINVAL, "nothing of it");
  is(shake(&p), GREEN_ECERTINVALID, "too long a chain");
  ok(green_tls_bad_cert(p.client) > 0, "not the server's own");
  is(green_tls_peer_count(p.client), 0, "of no use for anything else");
  ok(strstr(told(p.client, GREEN_TLS_BAD_CERT, GREEN_TLS_SUBJECT), "CN="),
     "it can be asked for");
  is(green_tls_peer_text(p.client, GREEN_TLS_BAD_CERT, GREEN_TLS_DER, &b), 0,
     "whole");
  green_buf_reset(&b);
  is(green_tls_bad_cert(p.server), -1, "the server has refused nobody");
  is(green_tls_alert(p.server), 48, "but heard an alert");
  pair_close(&p);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
}

static void test_names_of_all_kinds(void)
{
  green_tls_ctx *s = server_ctx("ip");
  pair p = pair_open(client, s, "127.0.0.1");
  shake(&p);
  is_str(told(p.client, 0, GREEN_TLS_ALT_NAMES),
         "IP:127.0.0.1\nIP:0:0:0:0:0:0:0:1", "addresses");
  pair_close(&p);
  green_tls_ctx_free(s);
}

static void check_binding(green_tls_ctx *c, green_tls_ctx *s, const char *type,
                          int n)
{
  uint8_t a[GREEN_TLS_BINDING], b[GREEN_TLS_BINDING];
  pair p = pair_open(c, s, "a.test");
  is(green_tls_binding(p.client, type, a), GREEN_EAGAIN, "not yet");
  shake(&p);
  is(green_tls_binding(p.client, type, a), n, type);
  is(green_tls_binding(p.server, type, b), n, "at both ends");
  ok(n < 0 || !memcmp(a, b, (size_t)n), "the same");
  pair_close(&p);
}

static void test_channel_bindings(void)
{
  green_tls_ctx *s = server_ctx("a"), *ed = server_ctx("edself");
  green_tls_ctx *all = green_tls_ctx_new(false);
  must_ctx(green_tls_ctx_set_verify(all, GREEN_TLS_VERIFY_NONE), all);
  green_tls_ctx *c12 = client_ctx_of(GREEN_TLS_1_2);
  check_binding(client, s, "tls-exporter", 32);
  check_binding(c12, s, "tls-exporter", 32);
  check_binding(client, s, "tls-server-end-point", 32);
  check_binding(sealed(all), ed, "tls-server-end-point", GREEN_EOPNOTSUPP);
  check_binding(client, s, "tls-unique", GREEN_EOPNOTSUPP);
  green_tls_ctx_free(c12);
  green_tls_ctx_free(all);
  green_tls_ctx_free(ed);
  green_tls_ctx_free(s);
}

static void test_exported_keys(void)
{
  green_tls_ctx *s = server_ctx("a");
  char a[40], b[40];
  pair p = pair_open(client, s, "a.test");
  is(green_tls_export(p.client, "l", NULL, 0, a, 40), GREEN_EAGAIN, "not yet");
  shake(&p);
  is(green_tls_export(p.client, "l", "c", 1, a, 40), 0, "one end");
  is(green_tls_export(p.server, "l", "c", 1, b, 40), 0, "the other");
  ok(!memcmp(a, b, 40), "the same");
  is(green_tls_export(p.server, "l", "d", 1, b, 40), 0, "another context");
  ok(memcmp(a, b, 40) != 0, "another key");
  pair_close(&p);
  green_tls_ctx_free(s);
}

int main(void)
{
  tls_start();
  client = client_ctx();
  test_names();
  test_addresses();
  test_any_host();
  test_dates();
  test_authorities();
  test_chains();
  test_depth();
  test_partial_chains();
  test_revocations();
  test_folders_and_text();
  test_the_system_s_authorities();
  test_no_verification();
  test_certificates_of_clients();
  test_what_the_peer_showed();
  test_the_certificate_that_was_refused();
  test_names_of_all_kinds();
  test_channel_bindings();
  test_exported_keys();
  green_tls_ctx_free(client);
  return tls_done();
}
