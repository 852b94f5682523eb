/*
** tls_system.c: the authorities of the system, one store for all runtimes of a
** process.
**
** To read a usual file of them whole takes 30 ms and a megabyte, nearly all of
** it for public keys. So a file is looked through once, for the names alone,
** and a certificate is read when a chain leads to it; folders with names by
** hash are like that by themselves.
*/

#include "io/tls_priv.h"
#include "base/env.h"
#include "base/mem.h"
#include "io/shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct entry {
  unsigned long hash; /* Of the subject. */
  uint32_t at, len;   /* In der. */
} entry;

typedef struct system_cas {
  X509_STORE *store; /* Of contexts that believe nobody else. */
  X509_LOOKUP_METHOD *method;
  char *folder; /* Or several, ":" between; NULL: none counts. */
  uint32_t n;
  entry *entries;
  green_buf der;
} system_cas;

/* -- Looking a file through ----------------------------------------------- */

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";
static const char pem_end[] = "-----END CERTIFICATE-----";

/* One step in DER: *p goes behind the element, or with into to its content.
** false: it does not fit. */
static bool der_step(const uint8_t **p, const uint8_t *end, bool into)
{
  const uint8_t *q = *p + 2;
  if (end - *p < 2) return false;
  size_t len = q[-1];
  if (len & 0x80) {
    size_t more = len & 0x7f;
    if (more < 1 || more > 3 || (size_t)(end - q) < more) return false;
    for (len = 0; more > 0; more--) len = len << 8 | *q++;
  }
  if ((size_t)(end - q) < len) return false;
  *p = into ? q : q + len;
  return true;
}

/* Certificate, TBS; version, serial number, algorithm, issuer, validity. */
static bool find_subject(const uint8_t **p, const uint8_t *end)
{
  if (!der_step(p, end, true) || !der_step(p, end, true)) return false;
  int skip = end - *p > 0 && **p == 0xa0 ? 5 : 4;
  while (skip-- > 0)
    if (!der_step(p, end, false)) return false;
  return true;
}

static int add_entry(system_cas *s, uint32_t at)
{
  const uint8_t *p = (const uint8_t *)green_buf_data(&s->der) + at;
  uint32_t len = (uint32_t)green_buf_len(&s->der) - at;
  const uint8_t *end = p + len;
  if (!find_subject(&p, end)) return GREEN_ECERTINVALID;
  X509_NAME *name = lib.d2i_X509_NAME(NULL, &p, (long)(end - p));
  if (!name) return GREEN_ECERTINVALID;
  entry e = {lib.X509_NAME_hash_ex(name, NULL, NULL, NULL), at, len};
  lib.X509_NAME_free(name);
  if ((s->n & (s->n - 1)) == 0) { /* Doubled at each power of two. */
    size_t room = s->n ? (size_t)s->n * 2 : 1;
    entry *more = green__realloc(s->entries, room * sizeof(*more));
    if (!more) return GREEN_ENOMEM;
    s->entries = more;
  }
  s->entries[s->n++] = e;
  return 0;
}

/* The digits of p[0..n) without what stands between lines, over themselves. */
static size_t squeeze(char *p, size_t n)
{
  size_t k = 0;
  for (size_t i = 0; i < n; i++)
    if (p[i] > ' ') p[k++] = p[i];
  return k;
}

/* Text between begin and end. */
static int add_pem(system_cas *s, char *p, size_t n)
{
  uint32_t at = (uint32_t)green_buf_len(&s->der);
  n = squeeze(p, n);
  if (n < 4 || n % 4) return GREEN_ECERTINVALID;
  int err = green_buf_reserve(&s->der, n);
  if (err < 0) return GREEN_ENOMEM;
  int len = lib.EVP_DecodeBlock((unsigned char *)green_buf_space(&s->der),
                                (const unsigned char *)p, (int)n);
  if (len < 0) return GREEN_ECERTINVALID;
  len -= (p[n - 1] == '=') + (p[n - 2] == '=');
  green_buf_commit(&s->der, (size_t)len);
  return add_entry(s, at);
}

static int add_text(system_cas *s, char *text)
{
  int err = 0;
  char *p = text;
  while (err == 0 && (p = strstr(p, pem_begin)) != NULL) {
    char *from = p + sizeof(pem_begin) - 1;
    char *to = strstr(from, pem_end);
    err = to ? add_pem(s, from, (size_t)(to - from)) : GREEN_ECERTINVALID;
    p = to;
  }
  return err;
}

/* What has more in it than plain certificates, or is damaged, is OpenSSL's
** affair. */
static bool add_whole(system_cas *s, const char *path)
{
  s->n = 0;
  green_buf_reset(&s->der);
  return lib.X509_STORE_load_file(s->store, path) == 1;
}

static bool add_file(system_cas *s, const char *path)
{
  green_buf b;
  if (green__tls_read_file(NULL, "", path, &b) < 0) return add_whole(s, path);
  bool plain = !strstr(green_buf_data(&b), "-----BEGIN TRUSTED") &&
               !strstr(green_buf_data(&b), "-----BEGIN X509");
  bool done = plain && add_text(s, green_buf_data(&b)) == 0 && s->n > 0;
  green_buf_reset(&b);
  return done || add_whole(s, path);
}

/* -- When a chain leads there --------------------------------------------- */

static void read_entry(const system_cas *s, const entry *e, X509_STORE *store)
{
  const uint8_t *p = (const uint8_t *)green_buf_data(&s->der) + e->at;
  X509 *cert = lib.d2i_X509(NULL, &p, (long)e->len);
  if (cert) lib.X509_STORE_add_cert(store, cert);
  lib.X509_free(cert);
}

/* OpenSSL asks for certificates of that subject: they go into the store, which
** keeps the one that is given. */
static int by_subject(X509_LOOKUP *look, X509_LOOKUP_TYPE type,
                      const X509_NAME *name, X509_OBJECT *ret)
{
  const system_cas *s = lib.X509_LOOKUP_get_method_data(look);
  X509_STORE *store = lib.X509_LOOKUP_get_store(look);
  unsigned long hash = lib.X509_NAME_hash_ex(name, NULL, NULL, NULL);
  if (type != X509_LU_X509) return 0;
  for (uint32_t i = 0; i < s->n; i++)
    if (s->entries[i].hash == hash) read_entry(s, &s->entries[i], store);
  lib.X509_STORE_lock(store);
  X509_OBJECT *found = lib.X509_OBJECT_retrieve_by_subject(
      lib.X509_STORE_get0_objects(store), type, name);
  X509 *cert = found ? lib.X509_OBJECT_get0_X509(found) : NULL;
  if (cert && lib.X509_OBJECT_set1_X509(ret, cert) == 1)
    lib.X509_free(cert); /* OpenSSL takes ret as borrowed. */
  lib.X509_STORE_unlock(store);
  return cert != NULL;
}

static bool add_lookups(system_cas *s, X509_STORE *store)
{
  X509_LOOKUP *look = lib.X509_STORE_add_lookup(store, s->method);
  if (!look || lib.X509_LOOKUP_set_method_data(look, s) != 1) return false;
  if (!s->folder) return true;
  look = lib.X509_STORE_add_lookup(store, lib.X509_LOOKUP_hash_dir());
  return look && lib.X509_LOOKUP_ctrl(look, X509_L_ADD_DIR, s->folder,
                                      X509_FILETYPE_PEM, NULL) == 1;
}

/* -- The one of the process ----------------------------------------------- */

static void system_free(void *it)
{
  system_cas *s = it;
  lib.X509_STORE_free(s->store);
  lib.X509_LOOKUP_meth_free(s->method);
  green_buf_reset(&s->der);
  green__free(s->entries);
  green__free(s->folder);
  green__free(s);
}

/* SSL_CERT_FILE stands for all unless SSL_CERT_DIR is there, too. Without both:
** OpenSSL's folder, or its file where there is none. */
static bool system_read(system_cas *s)
{
  struct stat st;
  const char *file = green_env("SSL_CERT_FILE");
  const char *folder = green_env("SSL_CERT_DIR");
  if (!file && !folder) {
    folder = lib.X509_get_default_cert_dir();
    if (stat(folder, &st) < 0 &&
        stat(lib.X509_get_default_cert_file(), &st) == 0)
      file = lib.X509_get_default_cert_file();
  }
  if (folder && !(s->folder = green__copy_text(folder))) return false;
  return !file || add_file(s, file);
}

/* arg: the context that is told why there is none. */
static void *system_make(const void *arg)
{
  green_tls_ctx *c = (green_tls_ctx *)(uintptr_t)arg;
  system_cas *s = green__zalloc(sizeof(*s));
  lib.ERR_clear_error();
  if (s) {
    green_buf_init(&s->der, 0);
    s->store = lib.X509_STORE_new();
    s->method = lib.X509_LOOKUP_meth_new("names of a file");
    if (s->store && s->method && system_read(s) &&
        lib.X509_LOOKUP_meth_set_get_by_subject(s->method, by_subject) == 1 &&
        add_lookups(s, s->store))
      return s;
    system_free(s);
  }
  green__tls_say(&c->error, GREEN_ECERTINVALID,
                 "the system's authorities (SSL_CERT_FILE, SSL_CERT_DIR): %s",
                 green__tls_reason());
  return NULL;
}

static green__shared system_slot = {.make = system_make, .free = system_free};

static system_cas *system_hold(green_tls_ctx *c)
{
  green_fork_watch();
  if (c->system_cas) return c->system_cas;
  c->system_cas = green__shared_acquire(&system_slot, c);
  c->system_since = green_fork_generation();
  return c->system_cas;
}

int green__tls_system_setup(green_tls_ctx *c)
{
  system_cas *s = system_hold(c);
  if (!s) return c->error.code;
  if (!c->store)
    lib.SSL_CTX_set1_cert_store(c->ssl, s->store);
  else if (!add_lookups(s, c->store))
    return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  return 0;
}

/* In a child of a fork it is nobody's: its memory stays. */
void green__tls_system_leave(green_tls_ctx *c)
{
  if (c->system_cas && c->system_since == green_fork_generation())
    green__shared_release(&system_slot);
}
