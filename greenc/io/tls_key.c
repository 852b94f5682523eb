/*
** tls_key.c: certificates with their keys, out of files and memory.
*/

#include "io/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = 1 << 20, FILE_FIRST = 1 << 14 };

/* -- Files ---------------------------------------------------------------- */

static int read_all(int fd, green_buf *out)
{
  for (;;) {
    int err = green_buf_reserve(out, FILE_FIRST); /* A key is not moved. */
    if (err < 0) return err;
    ssize_t n = read(fd, green_buf_space(out), green_buf_room(out) - 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    green_buf_commit(out, (size_t)n);
    if (n == 0) break;
  }
  *green_buf_space(out) = '\0';
  return 0;
}

int green__tls_read_file(const char *what, const char *path, green_buf *out,
                         green_tls_error *e)
{
  green_buf_init(out, FILE_MOST);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int err = fd < 0 ? -errno : read_all(fd, out);
  if (fd >= 0) close(fd);
  if (err == 0) return 0;
  green_buf_reset(out);
  return green__tls_say(e, err, "%s file %s: %s", what, path,
                        green_err_text(err));
}

/* Keys do not stay in memory that was given back. */
static void forget_file(green_buf *b)
{
  if (b->data) lib.OPENSSL_cleanse(b->data, b->cap);
  green_buf_reset(b);
}

/* -- PEM ------------------------------------------------------------------ */

/* Text, and what to call it in a sentence: "file x.pem", "given". */
typedef struct pem {
  const char *text;
  const char *from;
  const char *path;
} pem;

/* What OpenSSL asks for a password; else it would ask at the terminal. */
static int password_cb(char *to, int size, int writing, void *arg)
{
  const char *password = arg;
  (void)writing;
  size_t n = password ? strlen(password) : 0;
  if (!password || n > (size_t)size) return -1;
  memcpy(to, password, n);
  return (int)n;
}

static BIO *pem_open(const pem *p)
{
  return lib.BIO_new_mem_buf(p->text, -1);
}

static int say_cert(green_tls_ctx *c, const pem *p, const char *why)
{
  return green__tls_say(&c->error, GREEN_ECERTINVALID, "certificate %s%s: %s",
                        p->from, p->path, why);
}

static int say_key(green_tls_ctx *c, const pem *p, const char *why)
{
  return green__tls_say(&c->error, GREEN_EKEYINVALID, "key %s%s: %s", p->from,
                        p->path, why);
}

static const char *why_no_key(const pem *p, const char *password)
{
  bool encrypted = strstr(p->text, "ENCRYPTED") != NULL;
  if (!strstr(p->text, "PRIVATE KEY-----")) return "there is no PEM key in it";
  if (encrypted && !password) return "it is encrypted, and no password given";
  return encrypted ? "wrong password" : green__tls_reason();
}

static EVP_PKEY *read_key(green_tls_ctx *c, const pem *p, const char *password)
{
  BIO *bio = pem_open(p);
  EVP_PKEY *key = NULL;
  if (bio)
    key = lib.PEM_read_bio_PrivateKey(bio, NULL, password_cb,
                                      (void *)(uintptr_t)password);
  if (!bio) green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  if (bio && !key) say_key(c, p, why_no_key(p, password));
  lib.BIO_free(bio);
  return key;
}

/* -- Into the context ----------------------------------------------------- */

static int mix_cert(green_tls_ctx *c, const X509 *cert)
{
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (!lib.X509_digest(cert, lib.EVP_sha256(), digest, &n)) return GREEN_ENOMEM;
  return green__tls_mix(c->own, digest, n);
}

/* Those that issued it go to the certificate that was used last. */
static int use_issuer(green_tls_ctx *c, X509 *cert)
{
  return lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_CHAIN_CERT, 1, cert) == 1;
}

static int use_pair(green_tls_ctx *c, X509 *cert, EVP_PKEY *key, const pem *p,
                    const pem *k)
{
  lib.ERR_clear_error();
  if (!lib.X509_check_private_key(cert, key))
    return say_key(c, k, "it does not match the certificate");
  if (lib.SSL_CTX_use_certificate(c->ssl, cert) != 1)
    return say_cert(c, p, green__tls_reason());
  if (lib.SSL_CTX_use_PrivateKey(c->ssl, key) != 1)
    return say_key(c, k, green__tls_reason());
  lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_CHAIN, 0, NULL); /* Of one replaced. */
  c->n_keys++;
  return mix_cert(c, cert);
}

/* The end of the text is the one thing that may end the certificates. */
static bool at_end_of_pem(void)
{
  return green__tls_reason_number() == PEM_R_NO_START_LINE;
}

static int use_issuers(green_tls_ctx *c, BIO *bio, const pem *p)
{
  X509 *cert;
  int err = 0;
  lib.ERR_clear_error();
  while (err == 0 &&
         (cert = lib.PEM_read_bio_X509(bio, NULL, password_cb, NULL)) != NULL) {
    if (!use_issuer(c, cert)) err = say_cert(c, p, green__tls_reason());
    lib.X509_free(cert);
  }
  if (err == 0 && !at_end_of_pem())
    err = say_cert(c, p, "one of the certificates is damaged");
  lib.ERR_clear_error();
  return err;
}

static int use_chain(green_tls_ctx *c, BIO *bio, EVP_PKEY *key, const pem *p,
                     const pem *k)
{
  lib.ERR_clear_error();
  X509 *cert = lib.PEM_read_bio_X509_AUX(bio, NULL, password_cb, NULL);
  if (!cert)
    return say_cert(c, p,
                    at_end_of_pem() ? "there is no PEM certificate in it"
                                    : "the certificate is damaged");
  int err = use_pair(c, cert, key, p, k);
  lib.X509_free(cert);
  return err < 0 ? err : use_issuers(c, bio, p);
}

static int use_pem(green_tls_ctx *c, const pem *p, const pem *k,
                   const char *password)
{
  green_assert(!c->sealed, "a context does not change any more");
  lib.ERR_clear_error();
  BIO *bio = pem_open(p);
  if (!bio) return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  EVP_PKEY *key = read_key(c, k, password);
  int err = key ? use_chain(c, bio, key, p, k) : c->error.code;
  lib.EVP_PKEY_free(key);
  lib.BIO_free(bio);
  return err;
}

int green_tls_key_pem(green_tls_ctx *c, const char *cert, const char *key,
                      const char *password)
{
  pem p = {cert, "given", ""}, k = {key ? key : cert, "given", ""};
  return use_pem(c, &p, &k, password);
}

int green_tls_key_files(green_tls_ctx *c, const char *cert, const char *key,
                        const char *password)
{
  green_buf p, k;
  if (!key) key = cert;
  int err = green__tls_read_file("certificate", cert, &p, &c->error);
  if (err < 0) return err;
  err = green__tls_read_file("key", key, &k, &c->error);
  if (err == 0) {
    pem cert_pem = {green_buf_data(&p), "file ", cert};
    pem key_pem = {green_buf_data(&k), "file ", key};
    err = use_pem(c, &cert_pem, &key_pem, password);
    forget_file(&k);
  }
  forget_file(&p);
  return err;
}

/* -- PKCS#12 -------------------------------------------------------------- */

static int use_pkcs12(green_tls_ctx *c, PKCS12 *file, const char *password,
                      const pem *p)
{
  EVP_PKEY *key = NULL;
  X509 *cert = NULL;
  STACK_OF(X509) *issuers = NULL;
  if (!lib.PKCS12_parse(file, password, &key, &cert, &issuers))
    return say_key(c, p,
                   green__tls_reason_number() == PKCS12_R_MAC_VERIFY_FAILURE
                       ? "wrong password"
                       : green__tls_reason());
  OPENSSL_STACK *stack = (OPENSSL_STACK *)issuers;
  int n = issuers ? lib.OPENSSL_sk_num(stack) : 0;
  int err = key && cert ? use_pair(c, cert, key, p, p)
                        : say_key(c, p, "it has no key with a certificate");
  for (int i = 0; i < n && err == 0; i++)
    if (!use_issuer(c, lib.OPENSSL_sk_value(stack, i)))
      err = say_cert(c, p, green__tls_reason());
  lib.OPENSSL_sk_pop_free(stack, (OPENSSL_sk_freefunc)lib.X509_free);
  lib.X509_free(cert);
  lib.EVP_PKEY_free(key);
  return err;
}

int green_tls_key_pkcs12(green_tls_ctx *c, const char *path,
                         const char *password)
{
  green_buf b;
  pem p = {NULL, "file ", path};
  green_assert(!c->sealed, "a context does not change any more");
  int err = green__tls_read_file("PKCS#12", path, &b, &c->error);
  if (err < 0) return err;
  lib.ERR_clear_error();
  BIO *bio = lib.BIO_new_mem_buf(green_buf_data(&b), (int)green_buf_len(&b));
  PKCS12 *file = bio ? lib.d2i_PKCS12_bio(bio, NULL) : NULL;
  err = file ? use_pkcs12(c, file, password, &p)
             : say_key(c, &p, "it is no PKCS#12 file");
  lib.PKCS12_free(file);
  lib.BIO_free(bio);
  lib.ERR_clear_error();
  forget_file(&b);
  return err;
}
