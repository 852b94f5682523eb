/*
** tls_pool_kit.h: two ends in one memory, whose server signs in the pool, and a
** gate that keeps it there.
*/
#ifndef GREEN_TLS_POOL_KIT_H
#define GREEN_TLS_POOL_KIT_H

#include "actor.h"
#include "io/tls_peer_kit.h"
#include "io/tls_pool.h"
#include "io/tls_priv.h"

#include <stdatomic.h>

static green_hub *hub;
static green_tls_pool *pool;
static green_tls_io *io;

/* -- A gate in the middle of a step --------------------------------------- */

static __typeof__(SSL_do_handshake) *real_shake;
static pthread_t hub_thread;
static atomic_int gate_open = 1, inside, elsewhere;

static inline int gated_shake(SSL *ssl)
{
  if (pthread_equal(pthread_self(), hub_thread)) return real_shake(ssl);
  elsewhere++;
  inside++;
  while (!gate_open) usleep(500);
  int r = real_shake(ssl);
  inside--;
  return r;
}

static inline void wait_inside(int n)
{
  while (inside < n) usleep(500);
}

/* -- Two ends ------------------------------------------------------------- */

typedef struct ends {
  green_tls *client, *server;
  int backs;
} ends;

static inline green_tls_ctx *server_begin(int which)
{
  green_tls_ctx *c = green_tls_ctx_new(true);
  if (!c || green_tls_key_pem(c, peer_pem, peer_pem, NULL) < 0 ||
      green_tls_ctx_set_pool(c, which) < 0)
    abort();
  return c;
}

static inline green_tls_ctx *server_ctx(int which)
{
  green_tls_ctx *c = server_begin(which);
  if (green_tls_ctx_seal(c) < 0) abort();
  return c;
}

/* They keep the contexts. */
static inline ends ends_of(green_tls_ctx *server, green_tls_ctx *client)
{
  ends e = {.client = green_tls_new(io, client),
            .server = green_tls_new(io, server)};
  if (!e.client || !e.server) abort();
  green_tls_set_any_host(e.client);
  green_tls_ctx_free(server);
  green_tls_ctx_free(client);
  return e;
}

static inline ends ends_open(int version)
{
  return ends_of(server_ctx(GREEN_TLS_POOL_ALWAYS), peer_client_ctx(version));
}

static inline void ends_close(ends *e)
{
  green_tls_free(e->client);
  green_tls_free(e->server);
}

static inline size_t carry(green_tls *from, green_tls *to)
{
  const char *p;
  size_t n = green_tls_output(from, &p);
  if (n == 0) return 0;
  char *copy = malloc(n);
  memcpy(copy, p, n);
  int taken = green_tls_feed(to, copy, n);
  free(copy);
  if (taken != (int)n) abort();
  green_tls_sent(from, n);
  return n;
}

/* The client's hello is there, and the server's answer waits for the pool. */
static inline int hello(ends *e)
{
  green_tls_handshake(e->client);
  carry(e->client, e->server);
  return green_tls_handshake(e->server);
}

static inline void come_back(void *data)
{
  ends *e = data;
  e->backs++;
}

static inline int start(ends *e)
{
  return green_tls_pool_start_for(pool, e->server, come_back, e);
}

static inline void wait_back(const ends *e, int n)
{
  while (e->backs < n) green_hub_turn(hub, 1);
}

static inline void wait_quiet_on(green_hub *h)
{
  while (pool->running + pool->waiting > 0) {
    green_hub_turn(h, 0);
    usleep(500);
  }
}

static inline void wait_quiet(void)
{
  wait_quiet_on(hub);
}

/* To the end, through the pool where it must. 0, or why there is none. */
static inline int finish(ends *e)
{
  int s = GREEN_EAGAIN, c = GREEN_EAGAIN;
  for (int i = 0; i < 20 && (s || c); i++) {
    s = green_tls_handshake(e->server);
    if (s == GREEN_EINPROGRESS && green_tls_wants_pool(e->server)) {
      if (start(e) < 0) abort();
      wait_back(e, e->backs + 1);
      s = green_tls_handshake(e->server);
    }
    carry(e->server, e->client);
    c = green_tls_handshake(e->client);
    if (c < 0 && c != GREEN_EAGAIN) return c;
    carry(e->client, e->server);
  }
  return s ? s : c;
}

static inline int says(green_tls *from, green_tls *to, const char *text)
{
  char got[100];
  int n = (int)strlen(text);
  if (green_tls_write(from, text, (size_t)n) != n) return 0;
  carry(from, to);
  return green_tls_read(to, got, sizeof(got)) == n && !memcmp(got, text, n);
}

/* -- Main ----------------------------------------------------------------- */

static inline void pool_begin(void)
{
  t_start();
  if (green_tls_load(NULL) < 0) abort();
  hub_thread = pthread_self();
  real_shake = lib.SSL_do_handshake;
  lib.SSL_do_handshake = gated_shake;
  hub = hub_open(NULL);
  io = green_tls_io_new();
  pool = green_tls_pool_new(hub);
}

static inline int pool_end(void)
{
  green_tls_pool_close(pool);
  green_tls_pool_unref(pool);
  green_tls_io_free(io);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
  return t_done();
}

#endif
