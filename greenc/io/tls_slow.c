/*
** tls_slow.c: how long a key takes to sign, measured.
*/

#include "io/tls_priv.h"
#include "base/clock.h"

/* A signature that keeps everybody else waiting for longer than that is made in
** a thread of its own, which costs half as much again. */
#define SLOW_SIGNATURE (GREEN_SECOND / 2000)
/* The first one makes ready what the others use, and a machine may be busy: the
** shortest of them counts. */
#define SLOW_TRIES 4
#define SLOW_ROOM 2048 /* A signature's most: RSA of 16384 bits. */

/* Keys of some kinds (Ed25519) choose the digest themselves. */
static bool sign_once(EVP_MD_CTX *ctx, EVP_PKEY *key, const EVP_MD *digest)
{
  unsigned char out[SLOW_ROOM];
  size_t n = sizeof(out);
  static const unsigned char text[GREEN__TLS_DIGEST] = "a handshake's digest";
  return lib.EVP_DigestSignInit(ctx, NULL, digest, NULL, key) == 1 &&
         lib.EVP_DigestSign(ctx, out, &n, text, sizeof(text)) == 1;
}

/* Nanoseconds; 0: it does not sign. */
static int64_t time_once(EVP_PKEY *key, const EVP_MD *digest)
{
  EVP_MD_CTX *ctx = lib.EVP_MD_CTX_new();
  int64_t start = green_clock_now();
  bool done = ctx && sign_once(ctx, key, digest);
  int64_t ns = done ? green_clock_now() - start : 0;
  lib.EVP_MD_CTX_free(ctx);
  return ns;
}

static bool key_is_slow(EVP_PKEY *key)
{
  const EVP_MD *digest = lib.EVP_sha256();
  if (time_once(key, digest) == 0) digest = NULL;
  for (int i = 0; i < SLOW_TRIES; i++)
    if (time_once(key, digest) <= SLOW_SIGNATURE) return false;
  return true;
}

bool green__tls_keys_are_slow(const green_tls_ctx *c)
{
  bool slow = false;
  long next = SSL_CERT_SET_FIRST;
  lib.ERR_clear_error();
  while (!slow &&
         lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_SET_CURRENT_CERT, next, NULL) == 1) {
    EVP_PKEY *key = lib.SSL_CTX_get0_privatekey(c->ssl);
    slow = key && key_is_slow(key);
    next = SSL_CERT_SET_NEXT;
  }
  lib.ERR_clear_error();
  return slow;
}
