/*
** tls_peer_kit.h: a server's context, and TLS clients at the other ends of
** descriptors: the codec alone, which never waits.
*/
#ifndef GREEN_TLS_PEER_KIT_H
#define GREEN_TLS_PEER_KIT_H

#include "io/tls.h"
#include "t.h"

#include <errno.h>
#include <sys/socket.h>

/* Signed by itself, for a.test, for a hundred years. */
static const char peer_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggEc0w9FijloZ0t+V\n"
    "wTeui1DIjqtgL7cVj1VjuwkH2UehRANCAARRl5ad84r0AfqRZU6A5lGzPZjsZv6h\n"
    "yEaJ80NHD2OfwnpNrkdfBRnqexh05bm45Exw+ba1xIwDbvLN+HIpTWmo\n"
    "-----END PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjTCCATKgAwIBAgIUFc82pQC7exoE9PO83Sro0SqX+24wCgYIKoZIzj0EAwIw\n"
    "ETEPMA0GA1UEAwwGYS50ZXN0MCAXDTI2MTEyODE3MjAzOFoYDzIxMjYxMTA0MTcy\n"
    "MDM4WjARMQ8wDQYDVQQDDAZhLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
    "AARRl5ad84r0AfqRZU6A5lGzPZjsZv6hyEaJ80NHD2OfwnpNrkdfBRnqexh05bm4\n"
    "5Exw+ba1xIwDbvLN+HIpTWmoo2YwZDAdBgNVHQ4EFgQUA6ULxABFuonrekY5yo4U\n"
    "cNoBgYwwHwYDVR0jBBgwFoAUA6ULxABFuonrekY5yo4UcNoBgYwwDwYDVR0TAQH/\n"
    "BAUwAwEB/zARBgNVHREECjAIggZhLnRlc3QwCgYIKoZIzj0EAwIDSQAwRgIhAJ7t\n"
    "RMKyye0G6Bzr5gRXRE3trERRp2u2WCoboDgHlfFdAiEA43YvIwrj8GVCOxRw9JWT\n"
    "IMgtKPGTgEAKAdGsjk5SgEU=\n"
    "-----END CERTIFICATE-----\n";

static inline green_tls_ctx *peer_server_ctx(void)
{
  if (green_tls_load(NULL) < 0) abort();
  green_tls_ctx *c = green_tls_ctx_new(true);
  if (!c || green_tls_key_pem(c, peer_pem, peer_pem, NULL) < 0 ||
      green_tls_ctx_seal(c) < 0)
    abort();
  return c;
}

static inline green_tls_ctx *peer_client_ctx(int version)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  if (!c || green_tls_ctx_set_verify(c, GREEN_TLS_VERIFY_NONE) < 0 ||
      green_tls_ctx_set_versions(c, version, version) < 0 ||
      green_tls_ctx_seal(c) < 0)
    abort();
  return c;
}

typedef struct peer {
  int fd; /* Ours, and non-blocking. */
  green_tls_io *io;
  green_tls *tls;
} peer;

/* A client of any version, or of one: GREEN_TLS_1_2, ... */
static inline peer peer_new(int fd, int version)
{
  peer p = {.fd = fd, .io = green_tls_io_new()};
  green_tls_ctx *c = peer_client_ctx(version);
  p.tls = green_tls_new(p.io, c);
  green_tls_ctx_free(c);
  if (!p.tls) abort();
  green_tls_set_any_host(p.tls);
  return p;
}

static inline void peer_free(peer *p)
{
  green_tls_free(p->tls);
  green_tls_io_free(p->io);
  if (p->fd >= 0) close(p->fd);
  p->fd = -1;
}

/* Send what the codec has, as far as that goes. */
static inline void peer_flush(peer *p)
{
  const char *out;
  size_t n;
  while ((n = green_tls_output(p->tls, &out)) > 0) {
    ssize_t k = send(p->fd, out, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (k <= 0) return;
    green_tls_sent(p->tls, (size_t)k);
  }
}

/* Take what has arrived, max bytes at most. 1: something; 0: nothing. */
static inline int peer_take(peer *p, size_t max)
{
  static char raw[GREEN_TLS_INPUT];
  if (max > sizeof(raw)) max = sizeof(raw);
  ssize_t n = recv(p->fd, raw, max, MSG_DONTWAIT);
  if (n > 0)
    return green_tls_feed(p->tls, raw, (size_t)n) == n ? 1 : (abort(), 0);
  if (n == 0 || errno != EAGAIN) green_tls_feed_end(p->tls);
  return n == 0 || errno != EAGAIN;
}

/* One round of the handshake: 0 when it is done. */
static inline int peer_shake(peer *p)
{
  int r = green_tls_handshake(p->tls);
  peer_flush(p);
  if (r == GREEN_EAGAIN && peer_take(p, GREEN_TLS_INPUT)) {
    r = green_tls_handshake(p->tls);
    peer_flush(p);
  }
  return r;
}

/* Write it all into records, sent as far as the descriptor takes them. */
static inline void peer_say_n(peer *p, const char *text, size_t n)
{
  while (n > 0) {
    int k = green_tls_write(p->tls, text, n);
    peer_flush(p);
    if (k <= 0) abort();
    text += k;
    n -= (size_t)k;
  }
}

static inline void peer_say(peer *p, const char *text)
{
  peer_say_n(p, text, strlen(text));
}

/* The plain bytes that have come, at most size - 1, and a NUL behind them. *end
** is what came then: GREEN_EAGAIN, 0 or an error. */
static inline size_t peer_hear(peer *p, char *text, size_t size, int *end)
{
  size_t len = 0;
  int n = 1;
  while (n > 0 && len < size - 1) {
    n = green_tls_read(p->tls, text + len, size - 1 - len);
    if (n > 0) len += (size_t)n;
    if (n == GREEN_EAGAIN && peer_take(p, 16384)) n = 1;
  }
  peer_flush(p);
  text[len] = '\0';
  *end = n;
  return len;
}

#endif
