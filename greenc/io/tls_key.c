/*
** tls_key.c: certificates with their keys, out of files and memory.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

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

static bool is_locked(const char *text)
{
  return strstr(text, "ENCRYPTED") != NULL;
}

bool green_tls_key_locked(const char *key, bool is_path)
{
  green_buf b;
  if (!is_path) return is_locked(key);
  if (green__tls_read_file(NULL, "key", key, &b) < 0) return false;
  bool locked = is_locked(green_buf_data(&b));
  green__tls_forget_file(&b);
  return locked;
}

static const char *why_no_key(const pem *p, const char *password)
{
  bool encrypted = is_locked(p->text);
  if (!strstr(p->text, "PRIVATE KEY-----")) return "there is no PEM key in it";
  if (encrypted && !password)
    return "it is encrypted, and no password given (option password)";
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

/* The first that expires is the one to tell of. */
static int note_expiry(green_tls_ctx *c, const X509 *cert, const pem *p)
{
  char text[GREEN__TLS_NAME + 200], name[GREEN__TLS_NAME];
  int64_t at = green__tls_seconds(lib.X509_get0_notAfter(cert));
  if (c->expires && c->expires <= at) return 0;
  green__tls_name_text(lib.X509_get_subject_name(cert), name);
  snprintf(text, sizeof(text), "certificate \"%s\" (%s%.150s)", name, p->from,
           p->path);
  char *copy = green__copy_text(text);
  if (!copy) return GREEN_ENOMEM;
  green__free(c->expires_text);
  c->expires_text = copy;
  c->expires = at;
  return 0;
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
  int err = mix_cert(c, cert);
  if (err == 0) err = note_expiry(c, cert, p);
  return err < 0 ? green__tls_say(&c->error, err, "out of memory") : 0;
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
  int err = green__tls_read_file(c, "certificate", cert, &p);
  if (err < 0) return err;
  err = green__tls_read_file(c, "key", key, &k);
  if (err == 0) {
    pem cert_pem = {green_buf_data(&p), "file ", cert};
    pem key_pem = {green_buf_data(&k), "file ", key};
    err = use_pem(c, &cert_pem, &key_pem, password);
    green__tls_forget_file(&k);
  }
  green__tls_forget_file(&p);
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
                   green__tls_reason_number() != PKCS12_R_MAC_VERIFY_FAILURE
                       ? green__tls_reason()
                   : password ? "wrong password"
                              : "no password given (option password)");
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
  int err = green__tls_read_file(c, "PKCS#12", path, &b);
  if (err < 0) return err;
  lib.ERR_clear_error();
  BIO *bio = lib.BIO_new_mem_buf(green_buf_data(&b), (int)green_buf_len(&b));
  PKCS12 *file = bio ? lib.d2i_PKCS12_bio(bio, NULL) : NULL;
  err = file ? use_pkcs12(c, file, password, &p)
             : say_key(c, &p, "it is no PKCS#12 file");
  lib.PKCS12_free(file);
  lib.BIO_free(bio);
  lib.ERR_clear_error();
  green__tls_forget_file(&b);
  return err;
}
