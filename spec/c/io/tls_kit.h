/*
** tls_kit.h: certificates of our own, and two ends in one memory.
**
** The certificates are made by the openssl command, in a folder that goes away
** with the test. See certs_script for who signs whom.
*/
#ifndef GREEN_TLS_KIT_H
#define GREEN_TLS_KIT_H

#include "t.h"
#include "io/tls.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

/* -- Certificates --------------------------------------------------------- */

/* "ca" signs all but "self", "other" (of another authority) and "deep" (of
** "middle", which "ca" signed). sign NAME SUBJECT EXTENSIONS [OPTION...] */
static const char certs_script[] =
    "set -e; cd \"$1\"; exec 2>log;\n"
    "key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
    " -out $1.key; }\n"
    "root() { key $1; openssl req -new -x509 -key $1.key -subj \"/CN=$2\""
    " -days 30 -out $1.pem -addext basicConstraints=critical,CA:TRUE"
    " -addext keyUsage=critical,keyCertSign,cRLSign; }\n"
    "sign() { n=$1; s=$2; e=$3; shift 3; [ -f $n.key ] || key $n;\n"
    " openssl req -new -key $n.key -subj \"$s\" -out $n.csr;\n"
    " printf '%b' \"$e\" >$n.ext;\n"
    " openssl x509 -req -in $n.csr -CA ${CA:-ca}.pem -CAkey ${CA:-ca}.key"
    " -CAcreateserial -days 20 -extfile $n.ext -out $n.pem \"$@\"; }\n"
    "root ca 'Test Root'; root stranger 'Other Root'; root self self.test\n"
    "sign a /CN=a.test subjectAltName=DNS:a.test,DNS:www.a.test\n"
    "sign b /CN=b.test subjectAltName=DNS:b.test\n"
    "sign wild /CN=wild subjectAltName=DNS:*.w.test\n"
    "sign partial /CN=partial subjectAltName=DNS:f*.p.test\n"
    "sign cn /CN=cn.test keyUsage=digitalSignature\n"
    "sign ip /CN=127.0.0.1 subjectAltName=IP:127.0.0.1,IP:::1\n"
    "sign ipname /CN=x subjectAltName=DNS:127.0.0.1\n"
    "sign client '/O=Clients/CN=alice'"
    " 'extendedKeyUsage=clientAuth\\nsubjectAltName=email:alice@a.test'\n"
    "sign revoked /CN=revoked.test subjectAltName=DNS:revoked.test\n"
    "CA=stranger sign other /CN=a.test subjectAltName=DNS:a.test\n"
    "sign middle /CN=Middle 'basicConstraints=CA:TRUE,pathlen:0\\n"
    "keyUsage=keyCertSign'\n"
    "CA=middle sign deep /CN=deep.test subjectAltName=DNS:deep.test\n"
    "cp deep.pem alone.pem; cat middle.pem >>deep.pem\n"
    "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"
    " -out rsa.key\n"
    "sign rsa /CN=a.test subjectAltName=DNS:a.test\n"
    "openssl genpkey -algorithm ED25519 -out ed.key\n"
    "cp ed.key edself.key; openssl req -new -x509 -key ed.key -subj /CN=ed"
    " -days 3 -out edself.pem\n"
    "sign ed /CN=a.test subjectAltName=DNS:a.test\n"
    "openssl pkcs8 -topk8 -in a.key -passout pass:secret -out locked.key\n"
    "openssl pkcs12 -export -in deep.pem -inkey deep.key"
    " -passout pass:secret -out deep.p12\n"
    "cat a.pem a.key >both.pem; echo nothing >empty.pem\n"
    "sed '5s/^./-/' a.pem >damaged.pem\n"
    "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=db\\ncrlnumber=num\\n"
    "default_md=sha256\\nserial=ser\\nnew_certs_dir=.\\npolicy=p\\n[p]\\n"
    "commonName=supplied\\n' >ca.cnf\n"
    ": >db; echo 01 >num; echo 77 >ser\n"
    "openssl ca -config ca.cnf -batch -cert ca.pem -keyfile ca.key"
    " -in a.csr -startdate 200101000000Z -enddate 210101000000Z"
    " -extfile a.ext -notext -out expired.pem\n"
    "openssl ca -config ca.cnf -batch -cert ca.pem -keyfile ca.key"
    " -revoke revoked.pem -crl_reason keyCompromise\n"
    "openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl"
    " -crldays 10 -out crl.pem\n"
    "mkdir folder; cp ca.pem folder; openssl rehash folder\n";

static char certs_dir[40];

static inline void certs_remove(void)
{
  char line[100];
  snprintf(line, sizeof(line), "rm -rf %s", certs_dir);
  if (*certs_dir && system(line)) fprintf(stderr, "# %s stays\n", certs_dir);
}

static inline int certs_run(const char *script)
{
  char path[100], line[200];
  snprintf(path, sizeof(path), "%s/make", certs_dir);
  FILE *f = fopen(path, "w");
  if (!f) abort();
  fputs(script, f);
  fclose(f);
  snprintf(line, sizeof(line), "sh %s %s", path, certs_dir);
  return system(line);
}

static inline void certs_make(void)
{
  snprintf(certs_dir, sizeof(certs_dir), "/tmp/greenlua-tls-XXXXXX");
  if (!mkdtemp(certs_dir)) abort();
  if (certs_run(certs_script)) {
    char line[100];
    snprintf(line, sizeof(line), "cat %s/log >&2", certs_dir);
    if (system(line)) abort();
    printf("not ok 1 - the openssl command made certificates\n1..1\n");
    certs_remove();
    exit(1);
  }
}

/* The path of a file there; eight at once. */
static inline const char *cert(const char *name)
{
  static char paths[8][200];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof(paths[0]), "%s/%s", certs_dir, name);
  return path;
}

/* -- Contexts ------------------------------------------------------------- */

static inline void must_be(int err, const green_tls_ctx *c, int line)
{
  if (err == 0) return;
  fprintf(stderr, "line %d: %s: %s\n", line, green_err_name(err),
          green_tls_ctx_error(c)->text);
  abort();
}

#define must_ctx(call, c) must_be((call), (c), __LINE__)

/* Not sealed, with the certificate of that name. */
static inline green_tls_ctx *server_begin(const char *name)
{
  char pem[80], key[80];
  green_tls_ctx *c = green_tls_ctx_new(true);
  if (!c) abort();
  snprintf(pem, sizeof(pem), "%s.pem", name);
  snprintf(key, sizeof(key), "%s.key", name);
  must_ctx(green_tls_key_files(c, cert(pem), cert(key), NULL), c);
  return c;
}

static inline green_tls_ctx *sealed(green_tls_ctx *c)
{
  must_ctx(green_tls_ctx_seal(c), c);
  return c;
}

static inline green_tls_ctx *server_ctx(const char *name)
{
  return sealed(server_begin(name));
}

static inline green_tls_ctx *client_begin(void)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  if (!c) abort();
  must_ctx(green_tls_trust_file(c, cert("ca.pem")), c);
  return c;
}

static inline green_tls_ctx *client_ctx(void)
{
  return sealed(client_begin());
}

static inline green_tls_ctx *client_ctx_of(int version)
{
  green_tls_ctx *c = client_begin();
  must_ctx(green_tls_ctx_set_versions(c, version, version), c);
  return sealed(c);
}

/* -- Pairs ---------------------------------------------------------------- */

static green_tls_io *tls_io; /* Of the test. */

typedef struct pair {
  green_tls *client, *server;
} pair;

/* They stay the caller's. host NULL: any. */
static inline pair pair_open(green_tls_ctx *client, green_tls_ctx *server,
                             const char *host)
{
  pair p = {green_tls_new(tls_io, client), green_tls_new(tls_io, server)};
  if (!p.client || !p.server) abort();
  if (!host) green_tls_set_any_host(p.client);
  if (host && green_tls_set_host(p.client, host) < 0) abort();
  return p;
}

static inline void pair_close(pair *p)
{
  green_tls_free(p->client);
  green_tls_free(p->server);
  p->client = p->server = NULL;
}

/* Carry at most most bytes. How many. */
static inline size_t carry(green_tls *from, green_tls *to, size_t most)
{
  const char *p;
  size_t n = green_tls_output(from, &p);
  if (n > most) n = most;
  if (n == 0) return 0;
  char *copy = malloc(n); /* What is fed lives no longer than the call. */
  memcpy(copy, p, n);
  int taken = green_tls_feed(to, copy, n);
  free(copy);
  if (taken < 0) abort();
  green_tls_sent(from, (size_t)taken);
  return (size_t)taken;
}

static inline size_t carry_both(pair *p)
{
  return carry(p->client, p->server, SIZE_MAX) +
         carry(p->server, p->client, SIZE_MAX);
}

/* Until nobody has anything to say. 0, or the first failure of the two. */
static inline int shake(pair *p)
{
  for (int i = 0; i < 50; i++) {
    int c = green_tls_handshake(p->client);
    int s = green_tls_handshake(p->server);
    if (!carry_both(p)) {
      if (c < 0 && c != GREEN_EAGAIN) return c;
      return s;
    }
  }
  return GREEN_EDEADLOCK;
}

/* Let the client take what the handshake left for it (tickets). */
static inline void settle(pair *p)
{
  char c;
  carry_both(p);
  green_tls_read(p->client, &c, 1);
  carry_both(p);
}

static inline bool says(green_tls *from, green_tls *to, const char *text)
{
  char got[1000];
  size_t n = strlen(text);
  if (green_tls_write(from, text, n) != (int)n) return false;
  while (carry(from, to, SIZE_MAX) > 0) continue;
  return green_tls_read(to, got, sizeof(got)) == (int)n &&
         !memcmp(got, text, n);
}

static inline const char *why(const green_tls *t)
{
  const green_tls_error *e = green_tls_failure(t);
  return e ? e->text : "";
}

/* -- Main ----------------------------------------------------------------- */

static inline void tls_start(void)
{
  green_tls_error e;
  t_start();
  if (green_tls_load(&e) < 0) {
    fprintf(stderr, "%s\n", e.text);
    abort();
  }
  certs_make();
  tls_io = green_tls_io_new();
}

static inline int tls_done(void)
{
  green_tls_io_free(tls_io);
  certs_remove();
  return t_done();
}

#endif
