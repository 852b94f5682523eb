/*
** tls_ticket.c: the keys of session tickets.
**
** A ticket is the session itself, encrypted by a key of the server's: the
** server remembers nothing.
*/

#include "io/tls_priv.h"

#include <string.h>
#include <time.h>

/* Keys at once, where they turn by themselves: one that encrypts, and the one
** before, which decrypts for as long again. */
enum { TICKET_TURNED = 2 };

static int64_t now_seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t); /* The same in all processes. */
  return t.tv_sec;
}

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
  green__tls_ticket_turn(c, now_seconds());
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

/* Keys follow from a seed, and each seed from the one before, which is
** forgotten: the children of a fork make the same ones at the same time without
** a word between them, and who learns today's seed knows no older key. */

/* SHA-256(seed, which). */
static bool derive(const uint8_t seed[GREEN__TLS_DIGEST], char which,
                   uint8_t out[GREEN__TLS_DIGEST])
{
  uint8_t both[GREEN__TLS_DIGEST + 1];
  unsigned n = GREEN__TLS_DIGEST;
  memcpy(both, seed, GREEN__TLS_DIGEST);
  both[GREEN__TLS_DIGEST] = (uint8_t)which;
  int ok = lib.EVP_Digest(both, sizeof(both), out, &n, lib.EVP_sha256(), NULL);
  lib.OPENSSL_cleanse(both, sizeof(both));
  return ok == 1;
}

static bool make_key(const uint8_t seed[GREEN__TLS_DIGEST],
                     green__tls_ticket *key)
{
  uint8_t name[GREEN__TLS_DIGEST] = {0};
  bool ok = derive(seed, 'n', name) && derive(seed, 'a', key->aes) &&
            derive(seed, 'm', key->mac);
  memcpy(key->name, name, sizeof(key->name));
  return ok;
}

/* With the lock held: the newest, and at most so many in all. */
static void push_key(green_tls_ctx *c, const green__tls_ticket *key, int most)
{
  c->n_tickets = (uint8_t)(c->n_tickets < most ? c->n_tickets + 1 : most);
  memmove(c->ticket + 1, c->ticket,
          (size_t)(c->n_tickets - 1) * sizeof(*c->ticket));
  c->ticket[0] = *key;
  size_t rest = (size_t)(GREEN__TLS_KEYS - c->n_tickets);
  lib.OPENSSL_cleanse(c->ticket + c->n_tickets, rest * sizeof(*c->ticket));
}

/* With the lock held. Of keys that nobody has used, as after a long sleep, only
** the last ones are made. */
static bool turn_key(green_tls_ctx *c, bool needed)
{
  green__tls_ticket key;
  uint8_t next[GREEN__TLS_DIGEST];
  bool ok = derive(c->ticket_seed, 's', next);
  if (ok) memcpy(c->ticket_seed, next, sizeof(next));
  if (ok && needed) ok = make_key(next, &key);
  if (ok && needed) push_key(c, &key, TICKET_TURNED);
  lib.OPENSSL_cleanse(next, sizeof(next));
  lib.OPENSSL_cleanse(&key, sizeof(key));
  return ok;
}

void green__tls_ticket_turn(green_tls_ctx *c, int64_t now)
{
  int64_t life = c->ticket_life;
  while (life > 0 && now - c->ticket_since >= life) {
    bool needed = now - c->ticket_since < (TICKET_TURNED + 1) * life;
    if (!turn_key(c, needed)) return;
    c->ticket_since += life;
  }
}

int green_tls_ticket_rotate(green_tls_ctx *c)
{
  green__tls_ticket key;
  uint8_t seed[GREEN__TLS_DIGEST];
  if (lib.RAND_bytes(seed, sizeof(seed)) != 1 || !make_key(seed, &key))
    return green__tls_say(&c->error, GREEN_ETLS, "no random numbers: %s",
                          green__tls_reason());
  pthread_mutex_lock(&c->lock);
  memcpy(c->ticket_seed, seed, sizeof(seed));
  c->ticket_since = now_seconds();
  push_key(c, &key, GREEN__TLS_KEYS);
  pthread_mutex_unlock(&c->lock);
  lib.OPENSSL_cleanse(seed, sizeof(seed));
  lib.OPENSSL_cleanse(&key, sizeof(key));
  return 0;
}

int green_tls_ctx_set_ticket_lifetime(green_tls_ctx *c, int64_t seconds)
{
  green_assert(!c->sealed, "a context does not change any more");
  if (seconds < 0)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "a ticket key cannot live for %lld seconds",
                          (long long)seconds);
  c->ticket_life = seconds;
  return 0;
}

int green_tls_ticket_copy(green_tls_ctx *c, green_tls_ctx *from)
{
  green__tls_ticket keys[GREEN__TLS_KEYS];
  uint8_t seed[GREEN__TLS_DIGEST];
  if (c == from) return 0;
  pthread_mutex_lock(&from->lock);
  uint8_t n = from->n_tickets;
  int64_t since = from->ticket_since;
  memcpy(keys, from->ticket, sizeof(keys));
  memcpy(seed, from->ticket_seed, sizeof(seed));
  pthread_mutex_unlock(&from->lock);
  pthread_mutex_lock(&c->lock);
  c->n_tickets = n;
  c->ticket_since = since;
  memcpy(c->ticket, keys, sizeof(keys));
  memcpy(c->ticket_seed, seed, sizeof(seed));
  pthread_mutex_unlock(&c->lock);
  lib.OPENSSL_cleanse(keys, sizeof(keys));
  lib.OPENSSL_cleanse(seed, sizeof(seed));
  return 0;
}

int green_tls_ticket_set(green_tls_ctx *c, const void *keys, int n)
{
  if (n < 1)
    return green__tls_say(&c->error, GREEN_EINVAL, "no ticket keys given");
  if (n > GREEN__TLS_KEYS) n = GREEN__TLS_KEYS;
  pthread_mutex_lock(&c->lock);
  lib.OPENSSL_cleanse(c->ticket, sizeof(c->ticket));
  memcpy(c->ticket, keys, (size_t)n * sizeof(*c->ticket));
  c->n_tickets = (uint8_t)n;
  c->ticket_life = 0;
  c->own_tickets = true;
  pthread_mutex_unlock(&c->lock);
  return 0;
}

int green_tls_ticket_file(green_tls_ctx *c, const char *path)
{
  green_buf b;
  int err = green__tls_read_file(c, "ticket key", path, &b);
  if (err < 0) return err;
  size_t n = green_buf_len(&b);
  if (n == 0 || n % GREEN_TLS_TICKET_KEY != 0)
    err = green__tls_say(&c->error, GREEN_EKEYINVALID,
                         "ticket key file %s: it has %zu bytes, and a key has "
                         "%d",
                         path, n, GREEN_TLS_TICKET_KEY);
  else
    err = green_tls_ticket_set(c, green_buf_data(&b),
                               (int)(n / GREEN_TLS_TICKET_KEY));
  green__tls_forget_file(&b);
  return err;
}

void green__tls_ticket_setup(green_tls_ctx *c)
{
  lib.SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, ticket_cb);
}
