/*
** tls_session.c: what a client goes on with when it comes again.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <string.h>

#define SESSION_DAY 86400

struct green_tls_session {
  SSL_SESSION *session;
  uint8_t policy[GREEN__TLS_DIGEST]; /* It was made under. */
};

/* Takes the session: 1. */
int green__tls_session_cb(SSL *ssl, SSL_SESSION *session)
{
  green_tls *t = lib.SSL_get_ex_data(ssl, 0);
  lib.SSL_SESSION_free(t->session);
  t->session = session;
  return 1;
}

/* Whom it was told to find decides, too: with nobody looked for a session must
** not serve one who looks. */
static int policy_of(const green_tls *t, uint8_t digest[GREEN__TLS_DIGEST])
{
  uint8_t any = t->any;
  int err = green__tls_policy(t->ctx, t->name, digest);
  return err < 0 ? err : green__tls_mix(digest, &any, 1);
}

/* OpenSSL does not tell of a ticket that was renewed before TLS 1.3, and one
** that was not is good for another time. */
static SSL_SESSION *newest(const green_tls *t)
{
  bool old = t->done && lib.SSL_version(t->ssl) < TLS1_3_VERSION;
  SSL_SESSION *s = old ? lib.SSL_get_session(t->ssl) : t->session;
  return s && lib.SSL_SESSION_is_resumable(s) ? s : NULL;
}

green_tls_session *green_tls_session_get(const green_tls *t)
{
  SSL_SESSION *session = newest(t);
  if (t->server || !session) return NULL;
  green_tls_session *s = green__alloc(sizeof(*s));
  if (!s) return NULL;
  if (policy_of(t, s->policy) < 0) {
    green__free(s);
    return NULL;
  }
  lib.SSL_SESSION_up_ref(session);
  s->session = session;
  return s;
}

void green_tls_session_free(green_tls_session *s)
{
  if (!s) return;
  lib.SSL_SESSION_free(s->session);
  green__free(s);
}

int green_tls_session_use(green_tls *t, const green_tls_session *s)
{
  uint8_t digest[GREEN__TLS_DIGEST];
  if (t->server || policy_of(t, digest) < 0) return GREEN_EINVAL;
  if (memcmp(digest, s->policy, sizeof(digest)) != 0) return GREEN_EINVAL;
  return lib.SSL_set_session(t->ssl, s->session) == 1 ? 0 : GREEN_EINVAL;
}

/* One that was made with another version or cipher than are offered would end
** the handshake, not only be refused. */
int green_tls_session_key(const green_tls *t,
                          uint8_t out[GREEN_TLS_SESSION_KEY])
{
  const int versions[2] = {t->ctx->min, t->ctx->max};
  const char *cipher;
  int err = policy_of(t, out);
  if (err == 0) err = green__tls_mix(out, versions, sizeof(versions));
  for (int i = 0; err == 0; i++) {
    cipher = lib.SSL_get_cipher_list(t->ssl, i);
    if (!cipher) break;
    err = green__tls_mix(out, cipher, strlen(cipher));
  }
  return err;
}

int green_tls_session_lifetime(const green_tls_session *s)
{
  unsigned long n = lib.SSL_SESSION_get_ticket_lifetime_hint(s->session);
  if (n == 0) n = (unsigned long)lib.SSL_SESSION_get_timeout(s->session);
  return n < SESSION_DAY ? (int)n : SESSION_DAY;
}
