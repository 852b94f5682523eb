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
  for (int i = 0; i < c->ring.n; i++)
    if (!memcmp(name, c->ring.key[i].name, sizeof(c->ring.key[i].name)))
      return i;
  return -1;
}

static int ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypting)
{
  const green_tls *t = lib.SSL_get_ex_data(ssl, 0);
  green_tls_ctx *c = t->ctx; /* The chosen one's sessions differ by policy. */
  green__tls_ticket key;
  pthread_mutex_lock(&c->lock);
  if (!c->ring.own)
    green__tls_ring_turn(&c->ring, c->ticket_life, now_seconds());
  int i = encrypting ? 0 : find_key(c, name);
  if (i >= 0) key = c->ring.key[i];
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
** a word between them, and who learns today's seed knows no older key. After so
** many turns the seed follows from a far one, of which the same is true: who
** has slept for a million turns leaps from one of these to the next. */
enum { TICKET_LEAP = 1024 };

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

/* The newest, and at most so many in all. */
static void push_key(green__tls_ring *r, const green__tls_ticket *key, int most)
{
  r->n = (uint8_t)(r->n < most ? r->n + 1 : most);
  memmove(r->key + 1, r->key, (size_t)(r->n - 1) * sizeof(*r->key));
  r->key[0] = *key;
  size_t rest = (size_t)(GREEN__TLS_KEYS - r->n);
  lib.OPENSSL_cleanse(r->key + r->n, rest * sizeof(*r->key));
}

static bool leap(green__tls_ring *r)
{
  uint8_t next[GREEN__TLS_DIGEST];
  bool ok = derive(r->far, 's', next) && derive(r->far, 'f', r->seed);
  if (ok) memcpy(r->far, next, sizeof(next));
  if (ok) r->turns = 0;
  lib.OPENSSL_cleanse(next, sizeof(next));
  return ok;
}

static bool step(green__tls_ring *r)
{
  uint8_t next[GREEN__TLS_DIGEST];
  if (r->turns == TICKET_LEAP - 1) return leap(r);
  bool ok = derive(r->seed, 's', next);
  if (ok) memcpy(r->seed, next, sizeof(next));
  if (ok) r->turns++;
  lib.OPENSSL_cleanse(next, sizeof(next));
  return ok;
}

static bool add_key(green__tls_ring *r)
{
  green__tls_ticket key;
  bool ok = make_key(r->seed, &key);
  if (ok) push_key(r, &key, TICKET_TURNED);
  lib.OPENSSL_cleanse(&key, sizeof(key));
  return ok;
}

/* Of keys that nobody has used, as after a long sleep, only the last ones are
** made. */
void green__tls_ring_turn(green__tls_ring *r, int64_t life, int64_t now)
{
  int64_t left = life > 0 ? (now - r->since) / life : 0;
  while (left > 0) {
    int64_t turns = TICKET_LEAP - r->turns;
    bool is_far = left >= turns + TICKET_TURNED;
    if (!is_far) turns = 1;
    if (is_far ? !leap(r) : !step(r)) return;
    left -= turns;
    r->since += turns * life;
    if (left < TICKET_TURNED && !add_key(r)) return;
  }
}

/* -- Rings of contexts ---------------------------------------------------- */

/* Two seeds, and the key of the first. */
static bool begin_ring(green__tls_ring *r, green__tls_ticket *key)
{
  return lib.RAND_bytes(r->seed, sizeof(r->seed)) == 1 &&
         lib.RAND_bytes(r->far, sizeof(r->far)) == 1 && make_key(r->seed, key);
}

/* Who makes a connection takes what has replaced a context, so its ring is the
** one that counts. That stays while the context's lock is held. */
static green__tls_ring *lock_ring(green_tls_ctx *c)
{
  pthread_mutex_lock(&c->lock);
  if (!c->fresh) return &c->ring;
  pthread_mutex_lock(&c->fresh->lock);
  return &c->fresh->ring;
}

static void unlock_ring(green_tls_ctx *c)
{
  if (c->fresh) pthread_mutex_unlock(&c->fresh->lock);
  pthread_mutex_unlock(&c->lock);
}

static void write_ring(green_tls_ctx *c, const green__tls_ring *r)
{
  *lock_ring(c) = *r;
  unlock_ring(c);
}

int green_tls_ticket_rotate(green_tls_ctx *c)
{
  green__tls_ticket key;
  green__tls_ring made = {0};
  if (!begin_ring(&made, &key))
    return green__tls_say(&c->error, GREEN_ETLS, "no random numbers: %s",
                          green__tls_reason());
  green__tls_ring *r = lock_ring(c);
  memcpy(made.key, r->key, sizeof(made.key));
  made.n = r->n;
  made.own = r->own;
  made.since = now_seconds();
  push_key(&made, &key, GREEN__TLS_KEYS);
  *r = made;
  unlock_ring(c);
  lib.OPENSSL_cleanse(&made, sizeof(made));
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
  green__tls_ring r;
  if (c == from) return 0;
  r = *lock_ring(from);
  unlock_ring(from);
  write_ring(c, &r);
  lib.OPENSSL_cleanse(&r, sizeof(r));
  return 0;
}

int green_tls_ticket_set(green_tls_ctx *c, const void *keys, int n)
{
  green__tls_ring r = {.own = true};
  if (n < 1)
    return green__tls_say(&c->error, GREEN_EINVAL, "no ticket keys given");
  if (n > GREEN__TLS_KEYS) n = GREEN__TLS_KEYS;
  memcpy(r.key, keys, (size_t)n * sizeof(*r.key));
  r.n = (uint8_t)n;
  write_ring(c, &r);
  lib.OPENSSL_cleanse(&r, sizeof(r));
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
