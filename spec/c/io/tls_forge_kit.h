/*
** tls_forge_kit.h: records that no TLS library would write: encrypted as TLS
** 1.3 or 1.2 says, with the keys of a client who writes no more of his own.
*/
#ifndef GREEN_TLS_FORGE_KIT_H
#define GREEN_TLS_FORGE_KIT_H

#include "io/tls_peer_kit.h"
#include "io/tls_priv.h"

#include <dlfcn.h>
#include <sys/mman.h>

typedef struct forge {
  uint8_t key[16], iv[12];
  uint64_t seq;
  int version;
  int log; /* Where the client's secrets are written. */
} forge;

static inline void *forge_find(const char *name)
{
  static void *crypto;
  if (!crypto) crypto = dlopen("libcrypto.so.3", RTLD_NOW);
  void *found = crypto ? dlsym(crypto, name) : NULL;
  if (!found) abort();
  return found;
}

/* A client of that version, with AES-128-GCM. */
static inline peer forge_peer(forge *f, int fd, int version)
{
  peer p = {.fd = fd, .io = green_tls_io_new()};
  green_tls_ctx *c = green_tls_ctx_new(false);
  *f = (forge){.log = memfd_create("secrets", 0), .version = version};
  if (f->log < 0 || !c ||
      green_tls_ctx_set_verify(c, GREEN_TLS_VERIFY_NONE) < 0 ||
      green_tls_ctx_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") < 0 ||
      green_tls_ctx_set_ciphers(c, "ECDHE-ECDSA-AES128-GCM-SHA256") < 0 ||
      green_tls_ctx_set_versions(c, version, version) < 0 ||
      green_tls_ctx_set_keylog(c, f->log) < 0 || green_tls_ctx_seal(c) < 0)
    abort();
  p.tls = green_tls_new(p.io, c);
  green_tls_ctx_free(c);
  green_tls_set_any_host(p.tls);
  return p;
}

static inline void forge_hmac(const uint8_t *secret, size_t secret_len,
                              const uint8_t *p, size_t n, uint8_t out[32])
{
  unsigned char *(*hmac)(const EVP_MD *, const void *, int,
                         const unsigned char *, size_t, unsigned char *,
                         unsigned *);
  *(void **)&hmac = forge_find("HMAC");
  hmac(lib.EVP_sha256(), secret, (int)secret_len, p, n, out, NULL);
}

/* HKDF-Expand-Label of up to 32 bytes (RFC 8446, 7.1). */
static inline void forge_expand(const uint8_t secret[32], const char *label,
                                uint8_t *out, size_t n)
{
  uint8_t info[64] = {0, (uint8_t)n}, whole[32];
  size_t len = 3 + (size_t)snprintf((char *)info + 3, 40, "tls13 %s", label);
  info[2] = (uint8_t)(len - 3);
  info[len++] = 0; /* No context. */
  info[len++] = 1;
  forge_hmac(secret, 32, info, len, whole);
  memcpy(out, whole, n);
}

/* The n bytes, in hexadecimal, of the last word in the line that begins so. */
static inline void forge_read(const forge *f, const char *line, uint8_t *out,
                              size_t n)
{
  char text[4096] = "";
  unsigned byte;
  if (pread(f->log, text, sizeof(text) - 1, 0) < 0) abort();
  const char *at = strstr(text, line);
  if (!at) abort();
  at = strchr(at + strlen(line), ' ') + 1;
  for (size_t i = 0; i < n; i++) {
    if (sscanf(at + 2 * i, "%2x", &byte) != 1) abort();
    out[i] = (uint8_t)byte;
  }
}

/* The first 64 bytes of TLS 1.2's keys (RFC 5246, 6.3). */
static inline void forge_keys(const peer *p, const uint8_t master[48],
                              uint8_t keys[64])
{
  size_t (*random_of)(const SSL *, unsigned char *, size_t);
  uint8_t a[32 + 13 + 64] = {0}, *seed = a + 32;
  memcpy(seed, "key expansion", 13);
  *(void **)&random_of =
      dlsym(dlopen("libssl.so.3", RTLD_NOW), "SSL_get_server_random");
  random_of(p->tls->ssl, seed + 13, 32);
  *(void **)&random_of =
      dlsym(dlopen("libssl.so.3", RTLD_NOW), "SSL_get_client_random");
  random_of(p->tls->ssl, seed + 45, 32);
  forge_hmac(master, 48, seed, 77, a);
  forge_hmac(master, 48, a, sizeof(a), keys);
  forge_hmac(master, 48, a, 32, a);
  forge_hmac(master, 48, a, sizeof(a), keys + 32);
}

/* The handshake is done, and p has written nothing. */
static inline void forge_start(forge *f, const peer *p)
{
  uint8_t secret[48], keys[64];
  if (f->version == GREEN_TLS_1_3) {
    forge_read(f, "CLIENT_TRAFFIC_SECRET_0 ", secret, 32);
    forge_expand(secret, "key", f->key, sizeof(f->key));
    forge_expand(secret, "iv", f->iv, sizeof(f->iv));
  } else {
    forge_read(f, "CLIENT_RANDOM ", secret, 48);
    forge_keys(p, secret, keys);
    memcpy(f->key, keys, 16);
    memcpy(f->iv, keys + 32, 4);
    f->seq = 1;
  }
  close(f->log);
}

/* p and a tag of 16 bytes behind it. */
static inline void forge_seal(const forge *f, const uint8_t nonce[12],
                              const uint8_t *head, int head_len, uint8_t *p,
                              size_t n)
{
  EVP_CIPHER_CTX *(*make)(void);
  void (*drop)(EVP_CIPHER_CTX *);
  int (*update)(EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *,
                int);
  int (*final)(EVP_CIPHER_CTX *, unsigned char *, int *);
  int (*ctrl)(EVP_CIPHER_CTX *, int, int, void *);
  const EVP_CIPHER *(*cipher)(void);
  *(void **)&make = forge_find("EVP_CIPHER_CTX_new");
  *(void **)&drop = forge_find("EVP_CIPHER_CTX_free");
  *(void **)&update = forge_find("EVP_EncryptUpdate");
  *(void **)&final = forge_find("EVP_EncryptFinal_ex");
  *(void **)&ctrl = forge_find("EVP_CIPHER_CTX_ctrl");
  *(void **)&cipher = forge_find("EVP_aes_128_gcm");
  int len;
  EVP_CIPHER_CTX *x = make();
  if (lib.EVP_EncryptInit_ex(x, cipher(), NULL, f->key, nonce) != 1 ||
      update(x, NULL, &len, head, head_len) != 1 ||
      update(x, p, &len, p, (int)n) != 1 || final(x, p + n, &len) != 1 ||
      ctrl(x, EVP_CTRL_AEAD_GET_TAG, 16, p + n) != 1)
    abort();
  drop(x);
}

static inline void forge_number(uint64_t n, uint8_t out[8])
{
  for (int i = 0; i < 8; i++) out[7 - i] = (uint8_t)(n >> 8 * i);
}

static inline size_t forge_record12(forge *f, int type, const void *p, size_t n,
                                    uint8_t *out)
{
  size_t all = 8 + n + 16;
  uint8_t head[5] = {(uint8_t)type, 3, 3, (uint8_t)(all >> 8), (uint8_t)all};
  uint8_t more[13] = {[8] = (uint8_t)type, 3, 3, (uint8_t)(n >> 8), (uint8_t)n};
  uint8_t nonce[12];
  memcpy(nonce, f->iv, 4);
  forge_number(f->seq, nonce + 4);
  forge_number(f->seq++, more);
  memcpy(out, head, 5);
  memcpy(out + 5, nonce + 4, 8);
  if (n > 0) memcpy(out + 13, p, n);
  forge_seal(f, nonce, more, 13, out + 13, n);
  return 5 + all;
}

/* A record of that type with those bytes and some padding (1.3) into out, which
** has room for all and 29 bytes more. Its length. */
static inline size_t forge_record(forge *f, int type, const void *p, size_t n,
                                  size_t padding, uint8_t *out)
{
  if (f->version != GREEN_TLS_1_3) return forge_record12(f, type, p, n, out);
  size_t len = n + 1 + padding, all = len + 16;
  uint8_t head[5] = {23, 3, 3, (uint8_t)(all >> 8), (uint8_t)all}, nonce[12];
  uint8_t number[8];
  forge_number(f->seq++, number);
  memcpy(nonce, f->iv, sizeof(nonce));
  for (int i = 0; i < 8; i++) nonce[4 + i] ^= number[i];
  memcpy(out, head, 5);
  if (n > 0) memcpy(out + 5, p, n);
  out[5 + n] = (uint8_t)type;
  memset(out + 6 + n, 0, padding);
  forge_seal(f, nonce, head, 5, out + 5, len);
  return 5 + all;
}

#endif
