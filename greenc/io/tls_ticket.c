/*
** tls_ticket.c: the keys of session tickets.
**
** A ticket is the session itself, encrypted by a key of the server's: the
** server remembers nothing.
*/

#include "io/tls_priv.h"

#include <string.h>

/* -- OpenSSL asks --------------------------------------------------------- */

static int set_mac(EVP_MAC_CTX *mac, const green__tls_ticket *key)
{
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {{"digest", OSSL_PARAM_UTF8_STRING, digest,
                          sizeof(digest) - 1, OSSL_PARAM_UNMODIFIED},
                         {NULL, 0, NULL, 0, 0}};
  return lib.EVP_MAC_init(mac, key->mac, sizeof(key->mac), params) == 1;
}

static int encrypt(const green__tls_ticket *key, unsigned char *name,
                   unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
  memcpy(name, key->name, sizeof(key->name));
  if (lib.RAND_bytes(iv, 16) != 1) return -1;
  if (!lib.EVP_EncryptInit_ex(cipher, lib.EVP_aes_256_cbc(), NULL, key->aes,
                              iv))
    return -1;
  return set_mac(mac, key) ? 1 : -1;
}

/* 2: well, and give a new one. With TLS 1.3 a ticket is for one use, and only
** a 2 makes OpenSSL give another. */
static int decrypt(const green__tls_ticket *key, bool renew,
                   const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac)
{
  if (!lib.EVP_DecryptInit_ex(cipher, lib.EVP_aes_256_cbc(), NULL, key->aes,
                              iv))
    return -1;
  if (!set_mac(mac, key)) return -1;
  return renew ? 2 : 1;
}

static int find_key(const green_tls_ctx *c, const unsigned char *name)
{
  for (int i = 0; i < c->n_tickets; i++)
    if (!memcmp(name, c->ticket[i].name, sizeof(c->ticket[i].name))) return i;
  return -1;
}

static int ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypting)
{
  const green_tls *t = lib.SSL_get_ex_data(ssl, 0);
  green_tls_ctx *c = t->ctx; /* The chosen one's sessions differ by policy. */
  green__tls_ticket key;
  pthread_mutex_lock(&c->lock);
  int i = encrypting ? 0 : find_key(c, name);
  if (i >= 0) key = c->ticket[i];
  pthread_mutex_unlock(&c->lock);
  if (i < 0) return 0; /* A full handshake. */
  bool renew = i > 0 || lib.SSL_version(ssl) >= TLS1_3_VERSION;
  int r = encrypting ? encrypt(&key, name, iv, cipher, mac)
                     : decrypt(&key, renew, iv, cipher, mac);
  lib.OPENSSL_cleanse(&key, sizeof(key));
  return r;
}

/* -- Keys ----------------------------------------------------------------- */

static void put_keys(green_tls_ctx *c, const green__tls_ticket *keys, int n)
{
  pthread_mutex_lock(&c->lock);
  lib.OPENSSL_cleanse(c->ticket, sizeof(c->ticket));
  memcpy(c->ticket, keys, (size_t)n * sizeof(*keys));
  c->n_tickets = (uint8_t)n;
  pthread_mutex_unlock(&c->lock);
}

int green_tls_ticket_rotate(green_tls_ctx *c)
{
  green__tls_ticket key;
  if (lib.RAND_bytes((void *)&key, sizeof(key)) != 1)
    return green__tls_say(&c->error, GREEN_ETLS, "no random numbers: %s",
                          green__tls_reason());
  pthread_mutex_lock(&c->lock);
  if (c->n_tickets < GREEN__TLS_KEYS) c->n_tickets++;
  memmove(c->ticket + 1, c->ticket,
          (size_t)(c->n_tickets - 1) * sizeof(*c->ticket));
  c->ticket[0] = key;
  pthread_mutex_unlock(&c->lock);
  lib.OPENSSL_cleanse(&key, sizeof(key));
  return 0;
}

int green_tls_ticket_copy(green_tls_ctx *c, green_tls_ctx *from)
{
  green__tls_ticket keys[GREEN__TLS_KEYS];
  if (c == from) return 0;
  pthread_mutex_lock(&from->lock);
  int n = from->n_tickets;
  memcpy(keys, from->ticket, sizeof(keys));
  pthread_mutex_unlock(&from->lock);
  put_keys(c, keys, n);
  lib.OPENSSL_cleanse(keys, sizeof(keys));
  return 0;
}

int green_tls_ticket_set(green_tls_ctx *c, const void *keys, int n)
{
  if (n < 1)
    return green__tls_say(&c->error, GREEN_EINVAL, "no ticket keys given");
  put_keys(c, keys, n < GREEN__TLS_KEYS ? n : GREEN__TLS_KEYS);
  return 0;
}

void green__tls_ticket_setup(green_tls_ctx *c)
{
  lib.SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, ticket_cb);
}
