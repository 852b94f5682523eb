/*
** tls_ctx.c: contexts: their life, defaults and seal.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <string.h>

/* Mozilla's intermediate profile, but with AES of 128 bits first: it costs less
** and nobody breaks it. */
#define CTX_CIPHERS \
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
  "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:" \
  "DHE-RSA-CHACHA20-POLY1305"
#define CTX_CIPHERSUITES \
  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CTX_GROUPS "X25519:P-256:P-384"
#define CTX_DEPTH 10
#define CTX_TICKET_LIFE (12 * 3600)

/* -- Life ----------------------------------------------------------------- */

static int ctx_defaults(green_tls_ctx *c)
{
  SSL_CTX *ssl = c->ssl;
  /* What is sent is what was given: else OpenSSL would look in the authorities
  ** at each handshake for who issued our certificate. */
  long mode = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN;
  lib.SSL_CTX_ctrl(ssl, SSL_CTRL_MODE, mode, NULL);
  lib.SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  lib.SSL_CTX_ctrl(ssl, SSL_CTRL_SET_READ_AHEAD, 0, NULL);
  lib.SSL_CTX_ctrl(ssl, SSL_CTRL_SET_DH_AUTO, 1, NULL);
  long cache = c->server ? SSL_SESS_CACHE_OFF
                         : SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;
  lib.SSL_CTX_ctrl(ssl, SSL_CTRL_SET_SESS_CACHE_MODE, cache, NULL);
  if (!c->server) lib.SSL_CTX_sess_set_new_cb(ssl, green__tls_session_cb);
  if (green_tls_ctx_set_versions(c, GREEN_TLS_1_2, 0) < 0 ||
      green_tls_ctx_set_ciphers(c, CTX_CIPHERS) < 0 ||
      green_tls_ctx_set_ciphersuites(c, CTX_CIPHERSUITES) < 0 ||
      green_tls_ctx_set_groups(c, CTX_GROUPS) < 0)
    return c->error.code;
  return c->server ? green_tls_ticket_rotate(c) : 0;
}

green_tls_ctx *green_tls_ctx_new(bool server)
{
  green_assert(green_tls_load(NULL) == 0, "green_tls_load was well");
  green_tls_ctx *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  c->refs = 1;
  c->server = server;
  c->verify = server ? GREEN_TLS_VERIFY_NONE : GREEN_TLS_VERIFY_DEMAND;
  c->depth = CTX_DEPTH;
  c->tickets = 1;
  c->ticket_life = CTX_TICKET_LIFE;
  c->keylog = -1;
  green_buf_init(&c->pins, UINT32_MAX);
  pthread_mutex_init(&c->lock, NULL);
  lib.ERR_clear_error();
  c->ssl = lib.SSL_CTX_new(server ? lib.TLS_server_method()
                                  : lib.TLS_client_method());
  if (c->ssl && ctx_defaults(c) == 0) return c;
  green_tls_ctx_free(c);
  return NULL;
}

green_tls_ctx *green_tls_ctx_ref(green_tls_ctx *c)
{
  return green__tls_ctx_hold(c);
}

/* No context of a name has names of its own that lead back: it was sealed
** before. */
static void free_hosts(green_tls_ctx *c)
{
  for (uint32_t i = 0; i < c->n_hosts; i++) {
    green_tls_ctx_free(c->hosts[i]->ctx);
    green__free(c->hosts[i]);
  }
  green__free(c->hosts);
}

void green_tls_ctx_free(green_tls_ctx *c)
{
  if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  green_tls_ctx_free(c->fresh);
  free_hosts(c);
  green__tls_free_files(c);
  green__tls_free_staples(c);
  green__tls_keylog_close(c);
  green_buf_reset(&c->pins);
  green__free(c->expires_text);
  lib.SSL_CTX_free(c->ssl);
  lib.X509_STORE_free(c->store);
  green__tls_system_leave(c);
  lib.OPENSSL_cleanse(&c->ring, sizeof(c->ring));
  pthread_mutex_destroy(&c->lock);
  green__free(c->groups);
  green__free(c);
}

const green_tls_error *green_tls_ctx_error(const green_tls_ctx *c)
{
  return &c->error;
}

/* -- Settings ------------------------------------------------------------- */

static int refuse(green_tls_ctx *c, const char *what, const char *value)
{
  return green__tls_say(&c->error, GREEN_EINVAL, "%s \"%s\": %s", what, value,
                        green__tls_reason());
}

static int set_number(green_tls_ctx *c, int *field, int value, int min, int max)
{
  green_assert(!c->sealed, "a context does not change any more");
  if (value < min || value > max)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "%d is not between %d and %d", value, min, max);
  *field = value;
  return 0;
}

int green_tls_ctx_set_verify(green_tls_ctx *c, int verify)
{
  int n = 0;
  int err =
      set_number(c, &n, verify, GREEN_TLS_VERIFY_NONE, GREEN_TLS_VERIFY_DEMAND);
  if (err == 0) c->verify = (uint8_t)n;
  return err;
}

int green_tls_ctx_set_depth(green_tls_ctx *c, int depth)
{
  return set_number(c, &c->depth, depth, 0, 100);
}

int green_tls_ctx_set_partial_chain(green_tls_ctx *c, bool on)
{
  unsigned long flag = X509_V_FLAG_PARTIAL_CHAIN;
  green_assert(!c->sealed, "a context does not change any more");
  c->flags = on ? c->flags | flag : c->flags & ~flag;
  return 0;
}

int green_tls_ctx_set_versions(green_tls_ctx *c, int min, int max)
{
  green_assert(!c->sealed, "a context does not change any more");
  if ((max && min > max) ||
      lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_SET_MIN_PROTO_VERSION, min, NULL) !=
          1 ||
      lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, max, NULL) != 1)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "no TLS version is left: min_version is above "
                          "max_version");
  c->min = min;
  c->max = max;
  return 0;
}

int green_tls_ctx_set_ciphers(green_tls_ctx *c, const char *list)
{
  green_assert(!c->sealed, "a context does not change any more");
  lib.ERR_clear_error();
  if (lib.SSL_CTX_set_cipher_list(c->ssl, list) == 1) return 0;
  return refuse(c, "ciphers", list);
}

int green_tls_ctx_set_ciphersuites(green_tls_ctx *c, const char *list)
{
  green_assert(!c->sealed, "a context does not change any more");
  lib.ERR_clear_error();
  if (lib.SSL_CTX_set_ciphersuites(c->ssl, list) == 1) return 0;
  return refuse(c, "cipher suites", list);
}

int green_tls_ctx_set_groups(green_tls_ctx *c, const char *list)
{
  green_assert(!c->sealed, "a context does not change any more");
  lib.ERR_clear_error();
  /* A name's connections are told again. */
  char *copy = green__copy_text(list);
  if (!copy) return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  if (lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_SET_GROUPS_LIST, 0, copy) != 1) {
    green__free(copy);
    return refuse(c, "groups", list);
  }
  green__free(c->groups);
  c->groups = copy;
  return 0;
}

int green_tls_ctx_add_alpn(green_tls_ctx *c, const char *name)
{
  size_t n = strlen(name);
  green_assert(!c->sealed, "a context does not change any more");
  if (n == 0 || c->alpn_len + 1 + n > sizeof(c->alpn))
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "protocol \"%s\" in alpn is empty or too long, or "
                          "there are too many",
                          name);
  c->alpn[c->alpn_len++] = (uint8_t)n;
  memcpy(c->alpn + c->alpn_len, name, n);
  c->alpn_len += (uint8_t)n;
  return 0;
}

int green_tls_ctx_set_asks(green_tls_ctx *c, bool on)
{
  green_assert(!c->sealed, "a context does not change any more");
  c->asks = on;
  return 0;
}

int green_tls_ctx_set_chooses(green_tls_ctx *c, bool on)
{
  green_assert(!c->sealed, "a context does not change any more");
  c->chooses = on;
  return 0;
}

int green_tls_ctx_set_pool(green_tls_ctx *c, int which)
{
  int n = 0;
  int err =
      set_number(c, &n, which, GREEN_TLS_POOL_NEVER, GREEN_TLS_POOL_ALWAYS);
  if (err == 0) c->pool = (uint8_t)n;
  return err;
}

int green_tls_ctx_set_tickets(green_tls_ctx *c, int n)
{
  return set_number(c, &c->tickets, n, 0, 16);
}

/* -- Seal ----------------------------------------------------------------- */

static int check(green_tls_ctx *c)
{
  if (c->error.code) return c->error.code;
  if (c->server && c->n_keys == 0)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "a server needs a certificate and its key");
  if (c->server && c->verify && !c->store && !c->system)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "certificates of clients are asked for, and no "
                          "authority is given to check them: give the file "
                          "of one as the option ca");
  return 0;
}

static int seal_server(green_tls_ctx *c)
{
  lib.SSL_CTX_set_client_hello_cb(c->ssl, green__tls_hello_cb, NULL);
  lib.SSL_CTX_set_alpn_select_cb(c->ssl, green__tls_alpn_cb, NULL);
  lib.SSL_CTX_set_num_tickets(c->ssl, (size_t)c->tickets);
  if (c->tickets == 0) lib.SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
  green__tls_ticket_setup(c);
  c->slow = c->pool == GREEN_TLS_POOL_ALWAYS ||
            (c->pool == GREEN_TLS_POOL_SLOW && green__tls_keys_are_slow(c));
  green__tls_staple_setup(c);
  return green__tls_sort_hosts(c);
}

static int seal_client(green_tls_ctx *c)
{
  if (c->alpn_len == 0) return 0;
  if (lib.SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_len) == 0) return 0;
  return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
}

/* A server's own certificates do not count: they are renewed. */
static int make_policy(green_tls_ctx *c)
{
  struct {
    int64_t depth, flags;
    int32_t server, verify, system, pins;
    uint8_t trust[GREEN__TLS_DIGEST], own[GREEN__TLS_DIGEST];
  } all = {.depth = c->depth,
           .flags = (int64_t)c->flags,
           .server = c->server,
           .verify = c->verify,
           .pins = green__tls_pin_count(c),
           .system = c->system};
  memcpy(all.trust, c->trust, sizeof(all.trust));
  if (!c->server) memcpy(all.own, c->own, sizeof(all.own));
  int err = green__tls_mix(c->policy, &all, sizeof(all));
  if (err < 0 || all.pins == 0) return err;
  return green__tls_mix(c->policy, green_buf_data(&c->pins),
                        green_buf_len(&c->pins));
}

int green_tls_ctx_seal(green_tls_ctx *c)
{
  int err = check(c);
  green_assert(!c->sealed, "a context is sealed once");
  if (err < 0) return err;
  if (!c->server && c->verify && !c->store) c->system = true;
  lib.SSL_CTX_set_ex_data(c->ssl, 0, c);
  lib.SSL_CTX_set_verify(
      c->ssl, green__tls_verify_mode(c),
      c->verify == GREEN_TLS_VERIFY_NONE ? NULL : green__tls_verify_cb);
  green__tls_keylog_setup(c);
  lib.SSL_CTX_set_cert_verify_callback(c->ssl, green__tls_chain_cb, NULL);
  lib.SSL_CTX_ctrl(c->ssl, SSL_CTRL_SET_MAX_CERT_LIST, GREEN_TLS_CHAIN_BYTES,
                   NULL);
  err = green__tls_trust_setup(c);
  if (err == 0 && !c->server) err = seal_client(c);
  if (err == 0 && c->server) err = seal_server(c);
  if (err == 0) err = make_policy(c);
  if (err == 0) c->sealed = true;
  return err;
}

/* -- Questions ------------------------------------------------------------ */

int64_t green_tls_ctx_expires(green_tls_ctx *c, green_buf *which)
{
  green_tls_ctx *newest = green__tls_ctx_newest(c);
  int64_t at = newest->expires;
  const char *text = newest->expires_text;
  if (which && text && green_buf_append(which, text, strlen(text)) < 0)
    at = GREEN_ENOMEM;
  green_tls_ctx_free(newest);
  return at;
}

bool green_tls_ctx_can_serve(const green_tls_ctx *c)
{
  return c->server && c->sealed;
}
