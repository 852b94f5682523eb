/*
** tls_policy.c: what sessions are good for, as a digest.
**
** Whoever has a session is not asked for certificates again: it must not cross
** from one name, verification or authority to another.
*/

#include "io/tls_priv.h"

#include <string.h>

/* What is mixed into a digest without one of its own: a server name. */
#define MIX_SHORT 255

/* digest = SHA-256(digest, kind, ptr[0..n)). */
static int mix_short(uint8_t digest[GREEN__TLS_DIGEST], uint8_t kind,
                     const void *ptr, size_t n)
{
  uint8_t all[GREEN__TLS_DIGEST + 1 + MIX_SHORT];
  unsigned len = GREEN__TLS_DIGEST;
  memcpy(all, digest, GREEN__TLS_DIGEST);
  all[GREEN__TLS_DIGEST] = kind;
  memcpy(all + GREEN__TLS_DIGEST + 1, ptr, n);
  size_t total = GREEN__TLS_DIGEST + 1 + n;
  if (lib.EVP_Digest(all, total, digest, &len, lib.EVP_sha256(), NULL) == 1)
    return 0;
  return GREEN_ENOMEM;
}

/* A digest costs a server as much as one in a hundred of a resumed handshake:
** short data gets no second one. */
int green__tls_mix(uint8_t digest[GREEN__TLS_DIGEST], const void *ptr, size_t n)
{
  uint8_t own[GREEN__TLS_DIGEST];
  unsigned len = GREEN__TLS_DIGEST;
  if (n <= MIX_SHORT) return mix_short(digest, 0, ptr, n);
  if (lib.EVP_Digest(ptr, n, own, &len, lib.EVP_sha256(), NULL) != 1)
    return GREEN_ENOMEM;
  return mix_short(digest, 1, own, sizeof(own));
}

int green__tls_policy(const green_tls_ctx *c, const char *name,
                      uint8_t digest[GREEN__TLS_DIGEST])
{
  memcpy(digest, c->policy, GREEN__TLS_DIGEST);
  return name ? green__tls_mix(digest, name, strlen(name)) : 0;
}
