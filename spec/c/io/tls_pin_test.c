/*
** tls_pin_test.c: peers that are known by their keys.
*/

#include "io/tls_kit.h"

static green_tls_ctx *client;

static const char pins_script[] =
    "cd $1; pin() { openssl x509 -in $1.pem -noout -pubkey |"
    " openssl pkey -pubin -outform der | openssl dgst -sha256 -binary |"
    " openssl base64 -A; }\n"
    "for n in a b rsa client other; do printf 'sha256//%s' `pin $n` >$n.pin; "
    "done\n";

/* The pin of that certificate, as curl's users make it. Four at once. */
static const char *pin(const char *name)
{
  static char texts[4][80];
  static int next;
  char file[40], *text = texts[next++ % 4];
  snprintf(file, sizeof(file), "%s.pin", name);
  FILE *f = fopen(cert(file), "r");
  if (!f) abort();
  text[fread(text, 1, sizeof(texts[0]) - 1, f)] = '\0';
  fclose(f);
  return text;
}

static green_tls_ctx *pinned(const char *first, const char *second)
{
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_add_pin(c, first), c);
  if (second) must_ctx(green_tls_ctx_add_pin(c, second), c);
  return c;
}

/* Connect, and let go of the client's context. */
static void check(green_tls_ctx *c, const char *name, const char *host,
                  int want, const char *what)
{
  green_tls_ctx *s = server_ctx(name);
  pair p = pair_open(sealed(c), s, host);
  is(shake(&p), want, what);
  if (want == GREEN_ECERTPIN) {
    ok(strstr(why(p.client), pin(name)), "the pin found is told");
    is(green_tls_handshake(p.server), GREEN_ETLSALERT, "so is the server");
  }
  pair_close(&p);
  green_tls_ctx_free(s);
  green_tls_ctx_free(c);
}

static green_tls_ctx *blind(const char *text)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  must_ctx(green_tls_ctx_set_verify(c, GREEN_TLS_VERIFY_NONE), c);
  must_ctx(green_tls_ctx_add_pin(c, text), c);
  return c;
}

static void test_clients(void)
{
  check(pinned(pin("a"), NULL), "a", "a.test", 0, "the pinned key");
  check(pinned(pin("b"), pin("rsa")), "rsa", "a.test", 0, "one of several");
  check(pinned(pin("b"), NULL), "a", "a.test", GREEN_ECERTPIN, "another key");
  check(pinned(pin("other"), NULL), "other", "a.test", GREEN_ECERTUNKNOWN,
        "with verification a pin is not enough");
  check(pinned(pin("a"), NULL), "a", "b.test", GREEN_ECERTHOST,
        "nor for a name");
  check(blind(pin("a")), "a", NULL, 0, "alone it is all of the verification");
  check(blind(pin("b")), "a", NULL, GREEN_ECERTPIN, "but that it is");
}

static void check_version(int version)
{
  green_tls_ctx *c = pinned(pin("b"), NULL);
  must_ctx(green_tls_ctx_set_versions(c, version, version), c);
  check(c, "a", "a.test", GREEN_ECERTPIN, "in each version");
}

static void test_words_that_are_none(void)
{
  const char *wrong[] = {
      "",
      "sha256//",
      "sha256//AAAA",
      "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!AA=",
      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A"};
  for (int i = 0; i < 8; i++) {
    green_tls_ctx *c = client_begin();
    is(green_tls_ctx_add_pin(c, wrong[i]), GREEN_EINVAL, wrong[i]);
    ok(strstr(green_tls_ctx_error(c)->text, "is no pin"), "which is told");
    green_tls_ctx_free(c);
  }
}

/* -- Servers -------------------------------------------------------------- */

static green_tls_ctx *client_of(const char *name)
{
  char pem[80], key[80];
  green_tls_ctx *c = client_begin();
  if (!name) return sealed(c);
  snprintf(pem, sizeof(pem), "%s.pem", name);
  snprintf(key, sizeof(key), "%s.key", name);
  must_ctx(green_tls_key_files(c, cert(pem), cert(key), NULL), c);
  return sealed(c);
}

static void visit(green_tls_ctx *s, const char *name, int want,
                  const char *what)
{
  green_tls_ctx *c = client_of(name);
  pair p = pair_open(c, s, "a.test");
  shake(&p);
  is(green_tls_handshake(p.server), want, what);
  pair_close(&p);
  green_tls_ctx_free(c);
}

static void test_servers(void)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_ctx_add_pin(s, pin("client")), s);
  sealed(s);
  visit(s, "client", 0, "a client whose key is pinned");
  visit(s, "b", GREEN_ECERTPIN, "another");
  visit(s, NULL, GREEN_ECERTINVALID, "one that shows none");
  green_tls_ctx_free(s);
}

static void test_names_of_servers(void)
{
  green_tls_ctx *s = server_begin("a"), *own = server_begin("rsa");
  must_ctx(green_tls_ctx_add_pin(own, pin("client")), own);
  must_ctx(green_tls_ctx_add_name(s, "a.test", sealed(own)), s);
  sealed(s);
  visit(s, "client", 0, "a name's own pins");
  visit(s, "b", GREEN_ECERTPIN, "count");
  green_tls_ctx_free(own);
  green_tls_ctx_free(s);
}

/* -- Sessions ------------------------------------------------------------- */

static green_tls_session *session_of(green_tls_ctx *c, green_tls_ctx *s)
{
  pair p = pair_open(c, s, "a.test");
  is(shake(&p), 0, "a session's first connection");
  settle(&p);
  green_tls_session *session = green_tls_session_get(p.client);
  pair_close(&p);
  return session;
}

static int use(green_tls_ctx *c, const green_tls_session *session)
{
  green_tls *t = green_tls_new(tls_io, c);
  green_tls_set_host(t, "a.test");
  int err = green_tls_session_use(t, session);
  green_tls_free(t);
  return err;
}

static void test_sessions(void)
{
  green_tls_ctx *s = server_ctx("a");
  green_tls_ctx *c = sealed(pinned(pin("a"), NULL));
  green_tls_ctx *like = sealed(pinned(pin("a"), NULL));
  green_tls_ctx *other = sealed(pinned(pin("b"), NULL));
  green_tls_session *mine = session_of(c, s), *bare = session_of(client, s);
  is(use(like, mine), 0, "good for the same pins");
  is(use(other, mine), GREEN_EINVAL, "not for others");
  is(use(c, bare), GREEN_EINVAL, "nor one without for one with");
  green_tls_session_free(mine);
  green_tls_session_free(bare);
  green_tls_ctx_free(other);
  green_tls_ctx_free(like);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
}

int main(void)
{
  tls_start();
  must_be(certs_run(pins_script), NULL, 0);
  client = client_ctx();
  test_clients();
  check_version(GREEN_TLS_1_2);
  check_version(GREEN_TLS_1_3);
  test_words_that_are_none();
  test_servers();
  test_names_of_servers();
  test_sessions();
  green_tls_ctx_free(client);
  return tls_done();
}
