/*
** tls_system_test.c: the authorities of the system, one store a process.
*/

#include "child.h"
#include "base/env.h"
#include "io/tls_kit.h"
#include "io/tls_priv.h"

static green_tls_ctx *server;

/* The system's authorities are in that file there, and nowhere else. */
static void system_is(const char *name)
{
  setenv("SSL_CERT_FILE", cert(name), 1);
  unsetenv("SSL_CERT_DIR");
}

static green_tls_ctx *system_ctx(const char *own)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  if (own) must_ctx(green_tls_trust_file(c, cert(own)), c);
  must_ctx(green_tls_trust_system(c), c);
  return sealed(c);
}

static int visit(green_tls_ctx *c, green_tls_ctx *s, const char *host)
{
  pair p = pair_open(c, s, host);
  int err = shake(&p);
  pair_close(&p);
  return err;
}

static void check_file(const char *name, int want, const char *what)
{
  system_is(name);
  green_tls_ctx *c = system_ctx(NULL);
  is(visit(c, server, "a.test"), want, what);
  is(visit(c, server, "a.test"), want, "and again");
  green_tls_ctx_free(c);
}

static void test_files(void)
{
  must_be(certs_run("cd $1; cat self.pem stranger.pem ca.pem >bundle\n"
                    "sed 's/^/ /; s/^ -/-/; s/$/\\r/' bundle >windows\n"
                    "cat self.pem stranger.pem >without\n"
                    "cat bundle crl.pem >more; { echo '# Test Root'; openssl "
                    "x509 -in ca.pem -text; } >text\n"
                    "openssl x509 -in ca.pem -trustout >trusted\n"),
          NULL, 0);
  check_file("ca.pem", 0, "one certificate");
  check_file("bundle", 0, "the last of several");
  check_file("windows", 0, "with other ends of lines");
  check_file("text", 0, "with words around it");
  check_file("more", 0, "with a revocation list behind them");
  check_file("trusted", 0, "of OpenSSL's own kind");
  check_file("without", GREEN_ECERTUNKNOWN, "an authority that is not there");
}

/* Two of one name, with two keys: a chain may lead to either. */
static void test_two_of_one_name(void)
{
  must_be(certs_run("cd $1; openssl genpkey -algorithm EC -pkeyopt "
                    "ec_paramgen_curve:P-256 -out twin.key\n"
                    "openssl req -new -x509 -key twin.key -subj '/CN=Test "
                    "Root' -days 30 -out twin.pem -addext "
                    "basicConstraints=critical,CA:TRUE\n"
                    "cat twin.pem ca.pem >first; cat ca.pem twin.pem >last\n"),
          NULL, 0);
  check_file("first", 0, "the second of a name");
  check_file("last", 0, "the first of a name");
}

static void test_own_ones_besides(void)
{
  green_tls_ctx *other = server_ctx("other");
  system_is("ca.pem");
  green_tls_ctx *c = system_ctx("stranger.pem");
  is(visit(c, server, "a.test"), 0, "the system's");
  is(visit(c, other, "a.test"), 0, "one's own");
  green_tls_ctx *bare = system_ctx(NULL);
  is(visit(bare, other, "a.test"), GREEN_ECERTUNKNOWN, "not everybody's");
  green_tls_ctx_free(bare);
  green_tls_ctx_free(c);
  green_tls_ctx_free(other);
}

static void test_one_for_all(void)
{
  system_is("ca.pem");
  green_tls_ctx *a = system_ctx(NULL), *b = system_ctx("stranger.pem");
  ok(a->system_cas && a->system_cas == b->system_cas, "one store for all");
  system_is("none");
  green_tls_ctx *c = system_ctx(NULL);
  is(visit(c, server, "a.test"), 0, "read once");
  green_tls_ctx_free(a);
  green_tls_ctx_free(b);
  is(visit(c, server, "a.test"), 0, "kept for the last");
  green_tls_ctx_free(c);
  c = green_tls_ctx_new(false);
  is(green_tls_ctx_seal(c), GREEN_ECERTINVALID, "then read anew");
  ok(strstr(green_tls_ctx_error(c)->text, "SSL_CERT_FILE"), "which is told");
  green_tls_ctx_free(c);
}

static void test_files_that_will_not_do(void)
{
  const char *wrong[] = {"none", "empty.pem", "damaged.pem", "folder"};
  for (int i = 0; i < 4; i++) {
    system_is(wrong[i]);
    green_tls_ctx *c = green_tls_ctx_new(false);
    is(green_tls_ctx_seal(c), GREEN_ECERTINVALID, wrong[i]);
    green_tls_ctx_free(c);
  }
}

static void visit_in_child(void *arg)
{
  must(visit(arg, server, "a.test") == 0);
  green_tls_ctx *c = system_ctx(NULL);
  must(c->system_cas != ((green_tls_ctx *)arg)->system_cas);
  green_tls_ctx_free(arg);
  system_is("none");
  green_tls_ctx *d = green_tls_ctx_new(false);
  must(green_tls_ctx_seal(d) == 0); /* The parent's was not let go for ours. */
  must(visit(c, server, "a.test") == 0);
  must(visit(d, server, "a.test") == 0);
  green_tls_ctx_free(d);
  green_tls_ctx_free(c);
}

static void test_children(void)
{
  system_is("ca.pem");
  green_tls_ctx *c = system_ctx(NULL);
  is(in_child(visit_in_child, c), 0, "a child has its own");
  is(visit(c, server, "a.test"), 0, "the parent's is as before");
  green_tls_ctx_free(c);
}

static void test_the_folder(void)
{
  unsetenv("SSL_CERT_FILE");
  setenv("SSL_CERT_DIR", cert("folder"), 1);
  green_tls_ctx *c = system_ctx(NULL);
  is(visit(c, server, "a.test"), 0, "the folder");
  green_tls_ctx_free(c);
  setenv("SSL_CERT_FILE", cert("stranger.pem"), 1);
  c = system_ctx(NULL);
  is(visit(c, server, "a.test"), 0, "besides a file");
  green_tls_ctx_free(c);
}

static void test_an_empty_name(void)
{
  system_is("ca.pem");
  setenv("SSL_CERT_DIR", "", 1);
  green_tls_ctx *c = system_ctx(NULL);
  is(visit(c, server, "a.test"), 0, "an empty folder says nothing");
  green_tls_ctx_free(c);
}

static void visit_deaf(void *arg)
{
  green_env_ignore();
  green_tls_ctx *c = system_ctx(NULL);
  must(visit(c, arg, "a.test") == GREEN_ECERTUNKNOWN);
  green_tls_ctx_free(c);
}

/* Nor does OpenSSL look there. */
static void test_when_nobody_listens(void)
{
  system_is("ca.pem");
  setenv("SSL_CERT_DIR", cert("folder"), 1);
  is(in_child(visit_deaf, server), 0, "neither the file nor the folder");
  unsetenv("SSL_CERT_DIR");
}

int main(void)
{
  tls_start();
  server = server_ctx("a");
  test_files();
  test_two_of_one_name();
  test_own_ones_besides();
  test_one_for_all();
  test_files_that_will_not_do();
  test_children();
  test_the_folder();
  test_an_empty_name();
  test_when_nobody_listens();
  green_tls_ctx_free(server);
  return tls_done();
}
