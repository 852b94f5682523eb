/*
** tls_trust.c: authorities and revocations.
*/

#include "io/tls_priv.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>

/* -- Own ones ------------------------------------------------------------- */

static X509_STORE *own_store(green_tls_ctx *c)
{
  green_assert(!c->sealed, "a context does not change any more");
  lib.ERR_clear_error();
  if (!c->store) c->store = lib.X509_STORE_new();
  if (!c->store) green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  return c->store;
}

static int add_authority(green_tls_ctx *c, X509 *cert)
{
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (lib.X509_STORE_add_cert(c->store, cert) != 1 ||
      !lib.X509_digest(cert, lib.EVP_sha256(), digest, &n) ||
      (c->server && lib.SSL_CTX_add_client_CA(c->ssl, cert) != 1))
    return GREEN_ENOMEM;
  return green__tls_mix(c->trust, digest, n);
}

static int say_count(green_tls_ctx *c, const char *from, int count)
{
  int why = green__tls_reason_number();
  lib.ERR_clear_error();
  if (why != PEM_R_NO_START_LINE)
    return green__tls_say(&c->error, GREEN_ECERTINVALID,
                          "%s: number %d in it is damaged", from, count + 1);
  if (count > 0) return 0;
  return green__tls_say(&c->error, GREEN_ECERTINVALID,
                        "%s: there is nothing of that kind in PEM form in it",
                        from);
}

static int add_authorities(green_tls_ctx *c, const char *pem, const char *from)
{
  X509 *cert;
  int count = 0, err = 0;
  if (!own_store(c)) return GREEN_ENOMEM;
  BIO *bio = lib.BIO_new_mem_buf(pem, -1);
  if (!bio) return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  while (err == 0 &&
         (cert = lib.PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
    err = add_authority(c, cert);
    lib.X509_free(cert);
    count++;
  }
  lib.BIO_free(bio);
  if (err < 0) return green__tls_say(&c->error, err, "out of memory");
  return say_count(c, from, count);
}

int green_tls_trust_pem(green_tls_ctx *c, const char *pem)
{
  return add_authorities(c, pem, "authorities given");
}

int green_tls_trust_file(green_tls_ctx *c, const char *path)
{
  green_buf b;
  char from[300];
  int err = green__tls_read_file(c, "authority", path, &b);
  if (err < 0) return err;
  snprintf(from, sizeof(from), "authority file %s", path);
  err = add_authorities(c, green_buf_data(&b), from);
  green_buf_reset(&b);
  return err;
}

/* -- Folders -------------------------------------------------------------- */

/* Is it named as OpenSSL looks for it: "5ed36f99.0", "5ed36f99.r0"? */
static bool is_by_hash(const char *name)
{
  if (strspn(name, "0123456789abcdef") != 8 || name[8] != '.') return false;
  name += name[9] == 'r' ? 10 : 9;
  return *name && name[strspn(name, "0123456789")] == '\0';
}

/* all ^= SHA-256(name, what is in it): in whatever order they come. */
static int mix_entry(uint8_t all[GREEN__TLS_DIGEST], const char *folder,
                     const char *name)
{
  char path[PATH_MAX];
  green_buf b;
  uint8_t own[GREEN__TLS_DIGEST] = {0};
  int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
  if (n < 0 || (size_t)n >= sizeof(path)) return 0;
  int err = green__tls_read_file(NULL, "authority", path, &b);
  if (err < 0) return err == GREEN_ENOMEM ? err : 0; /* Nor will OpenSSL. */
  err = green__tls_mix(own, name, strlen(name));
  if (err == 0)
    err = green__tls_mix(own, green_buf_data(&b), green_buf_len(&b));
  for (int i = 0; i < GREEN__TLS_DIGEST; i++) all[i] ^= own[i];
  green_buf_reset(&b);
  return err;
}

/* Who is believed depends on what is in it, as it is now. */
static int mix_folder(green_tls_ctx *c, DIR *dir, const char *path)
{
  uint8_t all[GREEN__TLS_DIGEST] = {0};
  const struct dirent *e;
  int err = 0;
  while (err == 0 && (e = readdir(dir)) != NULL)
    if (is_by_hash(e->d_name)) err = mix_entry(all, path, e->d_name);
  return err < 0 ? err : green__tls_mix(c->trust, all, sizeof(all));
}

static int read_folder(green_tls_ctx *c, const char *path)
{
  DIR *dir = opendir(path);
  if (!dir) return -errno;
  int err = green__tls_note_file(c, path, dirfd(dir));
  if (err == 0) err = mix_folder(c, dir, path);
  closedir(dir);
  return err;
}

static int look_at_folder(green_tls_ctx *c, const char *path)
{
  int err = read_folder(c, path);
  if (err == 0) return 0;
  return green__tls_say(&c->error, err, "authority folder %s: %s", path,
                        green_err_text(err));
}

int green_tls_trust_folder(green_tls_ctx *c, const char *path)
{
  X509_STORE *store = own_store(c);
  if (!store) return GREEN_ENOMEM;
  int err = look_at_folder(c, path);
  if (err < 0) return err;
  X509_LOOKUP *look =
      lib.X509_STORE_add_lookup(store, lib.X509_LOOKUP_hash_dir());
  if (!look || lib.X509_LOOKUP_ctrl(look, X509_L_ADD_DIR, path,
                                    X509_FILETYPE_PEM, NULL) != 1)
    return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  return 0;
}

int green_tls_trust_system(green_tls_ctx *c)
{
  green_assert(!c->sealed, "a context does not change any more");
  c->system = true;
  return 0;
}

/* -- Revocations ---------------------------------------------------------- */

static int add_crl(green_tls_ctx *c, X509_CRL *crl)
{
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (lib.X509_STORE_add_crl(c->store, crl) != 1 ||
      !lib.X509_CRL_digest(crl, lib.EVP_sha256(), digest, &n))
    return GREEN_ENOMEM;
  return green__tls_mix(c->trust, digest, n);
}

static int add_crls(green_tls_ctx *c, const char *pem, const char *from)
{
  X509_CRL *crl;
  int count = 0, err = 0;
  BIO *bio = lib.BIO_new_mem_buf(pem, -1);
  if (!bio) return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  while (err == 0 &&
         (crl = lib.PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
    err = add_crl(c, crl);
    lib.X509_CRL_free(crl);
    count++;
  }
  lib.BIO_free(bio);
  if (err < 0) return green__tls_say(&c->error, err, "out of memory");
  c->flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  return say_count(c, from, count);
}

int green_tls_trust_revoked(green_tls_ctx *c, const char *path)
{
  green_buf b;
  char from[300];
  if (!own_store(c)) return GREEN_ENOMEM;
  int err = green__tls_read_file(c, "revocation list", path, &b);
  if (err < 0) return err;
  snprintf(from, sizeof(from), "revocation list file %s", path);
  err = add_crls(c, green_buf_data(&b), from);
  green_buf_reset(&b);
  return err;
}

/* -- Into the context ----------------------------------------------------- */

static int trust_params(green_tls_ctx *c)
{
  X509_VERIFY_PARAM *param = lib.SSL_CTX_get0_param(c->ssl);
  lib.X509_VERIFY_PARAM_set_depth(param, c->depth);
  if (lib.X509_VERIFY_PARAM_set_flags(param, c->flags) == 1) return 0;
  return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
}

/* The one store of the process holds nobody's own authorities. */
int green__tls_trust_setup(green_tls_ctx *c)
{
  lib.ERR_clear_error();
  int err = c->system ? green__tls_system_setup(c) : 0;
  if (err < 0) return err;
  if (c->store) lib.SSL_CTX_set1_cert_store(c->ssl, c->store);
  return trust_params(c);
}
