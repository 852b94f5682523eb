/*
** tls_staple_test.c: what an authority says of a certificate, for clients that
** ask.
*/

#include "io/tls_kit.h"
#include "io/tls_priv.h"

/* About "a", "rsa" and "revoked"; "forever" is about "a" and has no end. */
static const char answers_script[] =
    "set -e; cd $1; exec 2>log\n"
    "num() { openssl x509 -in $1.pem -noout -serial | sed 's/.*=//'; }\n"
    "line() { printf '%s\\t300101000000Z\\t%s\\t%s\\tunknown\\t/CN=%s\\n'"
    " $1 \"$2\" `num $3` $3; }\n"
    "line V '' a >index; line V '' rsa >>index\n"
    "line R 250101000000Z revoked >>index\n"
    "ask() { openssl ocsp -issuer ca.pem -cert $1.pem -no_nonce"
    " -reqout request >/dev/null; name=$2; shift 2;"
    " openssl ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key"
    " -reqin request -respout $name.ocsp \"$@\" >/dev/null; }\n"
    "ask a a -ndays 5; ask rsa rsa -ndays 5; ask revoked revoked -ndays 5\n"
    "ask a forever\n"
    "printf '\\060\\003\\012\\001\\006' >refusal.ocsp\n"
    "head -c 100 a.ocsp >half.ocsp\n";

static green_tls_ctx *client;

/* How many bytes the client is given that asks, or not. -1: nothing. */
static long stapled(green_tls_ctx *c, green_tls_ctx *s, bool asks)
{
  unsigned char *p = NULL;
  pair pr = pair_open(c, s, "a.test");
  if (asks)
    lib.SSL_ctrl(pr.client->ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE,
                 TLSEXT_STATUSTYPE_ocsp, NULL);
  is(shake(&pr), 0, "the handshake");
  long n = lib.SSL_ctrl(pr.client->ssl,
                        SSL_CTRL_GET_TLSEXT_STATUS_REQ_OCSP_RESP, 0, &p);
  pair_close(&pr);
  return n;
}

static long size_of(const char *name)
{
  struct stat st;
  return stat(cert(name), &st) == 0 ? (long)st.st_size : -2;
}

static void test_who_asks_gets_it(void)
{
  green_tls_ctx *s = server_begin("a"), *c12 = client_ctx_of(GREEN_TLS_1_2);
  must_ctx(green_tls_key_ocsp(s, cert("a.ocsp")), s);
  sealed(s);
  is(stapled(client, s, true), size_of("a.ocsp"), "who asks");
  is(stapled(client, s, false), -1, "who does not");
  is(stapled(c12, s, true), size_of("a.ocsp"), "1.2");
  green_tls_ctx_free(s);
  s = server_ctx("a");
  is(stapled(client, s, true), -1, "there is none");
  green_tls_ctx_free(s);
  green_tls_ctx_free(c12);
}

static green_tls_ctx *client_for(const char *ciphers)
{
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_set_versions(c, GREEN_TLS_1_2, GREEN_TLS_1_2), c);
  must_ctx(green_tls_ctx_set_ciphers(c, ciphers), c);
  return sealed(c);
}

static void test_each_certificate_has_its_own(void)
{
  green_tls_ctx *ec = client_for("aECDSA"), *rsa = client_for("aRSA");
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_key_ocsp(s, cert("a.ocsp")), s);
  must_ctx(green_tls_key_files(s, cert("rsa.pem"), cert("rsa.key"), NULL), s);
  sealed(s);
  is(stapled(ec, s, true), size_of("a.ocsp"), "the first's");
  is(stapled(rsa, s, true), -1, "the second has none");
  green_tls_ctx *named = server_begin("b");
  must_ctx(green_tls_ctx_add_name(named, "a.test", s), named);
  is(stapled(ec, sealed(named), true), size_of("a.ocsp"), "by name");
  green_tls_ctx_free(named);
  green_tls_ctx_free(s);
  green_tls_ctx_free(rsa);
  green_tls_ctx_free(ec);
}

static void test_one_that_is_over(void)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_key_ocsp(s, cert("forever.ocsp")), s);
  sealed(s);
  is(stapled(client, s, true), size_of("forever.ocsp"), "no end");
  s->staples->until = 1000;
  is(stapled(client, s, true), -1, "out of date: better none");
  green_tls_ctx_free(s);
}

static void refuses(const char *name, int code, const char *sentence)
{
  green_tls_ctx *s = server_begin("a");
  is(green_tls_key_ocsp(s, cert(name)), code, name);
  const char *text = green_tls_ctx_error(s)->text;
  if (!ok(strstr(text, sentence), sentence)) printf("# %s\n", text);
  ok(strstr(text, name), "the file is named");
  green_tls_ctx_free(s);
}

static void test_files_that_will_not_do(void)
{
  refuses("none.ocsp", GREEN_ENOENT, "no such file");
  refuses("a.pem", GREEN_ECERTINVALID, "it is no OCSP response in DER");
  refuses("half.ocsp", GREEN_ECERTINVALID, "it is no OCSP response in DER");
  refuses("refusal.ocsp", GREEN_ECERTINVALID, "the answer is an error");
  refuses("rsa.ocsp", GREEN_ECERTINVALID, "it is about another certificate");
  green_tls_ctx *s = green_tls_ctx_new(true);
  is(green_tls_key_ocsp(s, cert("a.ocsp")), GREEN_EINVAL, "before one");
  green_tls_ctx_free(s);
}

int main(void)
{
  tls_start();
  must_be(certs_run(answers_script), NULL, 0);
  client = client_ctx();
  test_who_asks_gets_it();
  test_each_certificate_has_its_own();
  test_one_that_is_over();
  test_files_that_will_not_do();
  green_tls_ctx_free(client);
  return tls_done();
}
