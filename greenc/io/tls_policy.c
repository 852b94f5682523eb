/*
** tls_policy.c: what sessions are good for, as a digest.
**
** Whoever has a session is not asked for certificates again: it must not cross
** from one name, verification or authority to another.
*/

#include "io/tls_priv.h"

#include <string.h>

int green__tls_mix(uint8_t digest[GREEN__TLS_DIGEST], const void *ptr, size_t n)
{
  uint8_t both[2 * GREEN__TLS_DIGEST];
  unsigned len = GREEN__TLS_DIGEST;
  memcpy(both, digest, GREEN__TLS_DIGEST);
  uint8_t *second = both + GREEN__TLS_DIGEST;
  const EVP_MD *sha = lib.EVP_sha256();
  if (lib.EVP_Digest(ptr, n, second, &len, sha, NULL) == 1 &&
      lib.EVP_Digest(both, sizeof(both), digest, &len, sha, NULL) == 1)
    return 0;
  return GREEN_ENOMEM;
}

int green__tls_policy(const green_tls_ctx *c, const char *name,
                      uint8_t digest[GREEN__TLS_DIGEST])
{
  memcpy(digest, c->policy, GREEN__TLS_DIGEST);
  return green__tls_mix(digest, name ? name : "", name ? strlen(name) : 0);
}
