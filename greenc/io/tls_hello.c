/*
** tls_hello.c: what a client asks for, and who it gets: names and protocols.
**
** All is decided in OpenSSL's client hello callback. It is the one that comes
** before a session is resumed: later, and a session of one name would be good
** for another.
*/

#include "io/tls_priv.h"
#include "base/mem.h"
#include "base/ascii.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* -- Reading it ----------------------------------------------------------- */

/* The host name of the extension (RFC 6066): a list's length, a kind (0), a
** name's length, the name. 0: none, or a strange one. */
static size_t find_name(SSL *ssl, const unsigned char **name)
{
  const unsigned char *p;
  size_t n;
  if (!lib.SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n))
    return 0;
  if (n < 5 || (size_t)(p[0] << 8 | p[1]) != n - 2 || p[2] != 0) return 0;
  size_t len = (size_t)(p[3] << 8 | p[4]);
  *name = p + 5;
  return len <= n - 5 && len <= GREEN__TLS_SNI ? len : 0;
}

/* What is not printable is no name. */
static int keep_name(green_tls *t, SSL *ssl)
{
  const unsigned char *p = NULL;
  size_t n = find_name(ssl, &p);
  if (n > 0 && p[n - 1] == '.') n--;
  for (size_t i = 0; i < n; i++)
    if (p[i] <= ' ' || p[i] >= 0x7f) return 0;
  if (n == 0) return 0;
  t->name = green__alloc(n + 1);
  if (!t->name) return GREEN_ENOMEM;
  for (size_t i = 0; i < n; i++) t->name[i] = green_ascii_lower((char)p[i]);
  t->name[n] = '\0';
  return 0;
}

/* The list of protocols without its own length. */
static int keep_heard(green_tls *t, SSL *ssl)
{
  const unsigned char *p = NULL;
  size_t n = 0;
  unsigned alpn = TLSEXT_TYPE_application_layer_protocol_negotiation;
  if (!lib.SSL_client_hello_get0_ext(ssl, alpn, &p, &n) || n < 2) n = 2;
  t->heard = green__alloc(sizeof(*t->heard) + n - 2);
  if (!t->heard) return GREEN_ENOMEM;
  t->heard->alpn_len = (uint16_t)(n - 2);
  if (n > 2) memcpy(t->heard->alpn, p + 2, n - 2);
  return 0;
}

/* -- Who gets it ---------------------------------------------------------- */

static int compare_names(const void *a, size_t n, const void *b, size_t m)
{
  if (n != m) return n < m ? -1 : 1;
  return memcmp(a, b, n);
}

static green_tls_ctx *find_host(const green_tls_ctx *c, const char *name,
                                size_t n)
{
  uint32_t low = 0, high = c->n_hosts;
  while (low < high) {
    uint32_t at = low + (high - low) / 2;
    const green__tls_host *h = c->hosts[at];
    int order = compare_names(name, n, h->name, h->len);
    if (order == 0) return h->ctx;
    if (order < 0)
      high = at;
    else
      low = at + 1;
  }
  return NULL;
}

/* The name itself, or all behind its first label. */
static green_tls_ctx *find_ctx(const green_tls_ctx *c, const char *name)
{
  if (!name || !c->n_hosts) return NULL;
  green_tls_ctx *found = find_host(c, name, strlen(name));
  const char *dot = strchr(name, '.');
  if (found || !dot || dot == name) return found;
  return find_host(c, dot, strlen(dot));
}

/* OpenSSL adds flags to those that are there: the other's must go first. */
static bool take_verification(SSL *ssl, const green_tls_ctx *c)
{
  X509_VERIFY_PARAM *param = lib.SSL_get0_param(ssl);
  lib.X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_PARTIAL_CHAIN |
                                               X509_V_FLAG_CRL_CHECK |
                                               X509_V_FLAG_CRL_CHECK_ALL);
  lib.SSL_set_verify(ssl, green__tls_verify_mode(c), green__tls_verify_cb);
  const X509_VERIFY_PARAM *from = lib.SSL_CTX_get0_param(c->ssl);
  return lib.X509_VERIFY_PARAM_set1(param, from) == 1;
}

/* What SSL_set_SSL_CTX leaves as it was: all but certificates, the store and
** the lists of ciphers. */
static bool take_over(SSL *ssl, const green_tls_ctx *c)
{
  (c->tickets ? lib.SSL_clear_options : lib.SSL_set_options)(ssl,
                                                             SSL_OP_NO_TICKET);
  lib.SSL_set_num_tickets(ssl, (size_t)c->tickets);
  lib.SSL_ctrl(ssl, SSL_CTRL_SET_MIN_PROTO_VERSION, c->min, NULL);
  lib.SSL_ctrl(ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, c->max, NULL);
  return lib.SSL_ctrl(ssl, SSL_CTRL_SET_GROUPS_LIST, 0, c->groups) == 1 &&
         take_verification(ssl, c);
}

static int switch_to(green_tls *t, SSL *ssl, green_tls_ctx *c)
{
  if (t->chosen || !c) return 1;
  t->chosen = green__tls_ctx_newest(c);
  return lib.SSL_set_SSL_CTX(ssl, t->chosen->ssl) && take_over(ssl, t->chosen);
}

/* A session is good for the same name under the same policy. */
static int set_policy(const green_tls *t, SSL *ssl)
{
  uint8_t digest[GREEN__TLS_DIGEST];
  const green_tls_ctx *c = green__tls_ctx_of(t);
  return green__tls_policy(c, t->name, digest) == 0 &&
         lib.SSL_set_session_id_context(ssl, digest, sizeof(digest));
}

static int no_memory(green_tls *t, int *alert)
{
  *alert = SSL_AD_INTERNAL_ERROR;
  green__tls_fail(t, GREEN_ENOMEM, "out of memory");
  return SSL_CLIENT_HELLO_ERROR;
}

/* OpenSSL would find out too, and tell nobody what the client offers. */
static int check_version(green_tls *t, int *alert)
{
  const green_tls_ctx *c = green__tls_ctx_of(t);
  if (green__tls_offer_fits(t, c)) return SSL_CLIENT_HELLO_SUCCESS;
  green__tls_text theirs = {""}, ours = {""};
  green__tls_versions_text(t, &theirs);
  green__tls_range_text(c, &ours);
  green__tls_fail(t, GREEN_ETLSVERSION,
                  "the client offers %s, and this server takes %s (options "
                  "min_version, max_version)",
                  theirs.text, ours.text);
  *alert = SSL_AD_PROTOCOL_VERSION;
  return SSL_CLIENT_HELLO_ERROR;
}

static int refuse(green_tls *t, int *alert)
{
  bool by_name = t->refusal == GREEN_TLS_NO_NAME;
  *alert = t->refusal;
  green__tls_fail(t, GREEN_ETLS,
                  by_name
                      ? "this server has nothing for the name that the "
                        "client asks for (%s)"
                      : "this server has no application protocol (ALPN) for "
                        "the client (%s)",
                  t->name ? t->name : "none");
  return SSL_CLIENT_HELLO_ERROR;
}

/* It comes again after it has said RETRY, or when the group of the client's key
** was not to our liking. */
int green__tls_hello_cb(SSL *ssl, int *alert, void *arg)
{
  green_tls *t = lib.SSL_get_ex_data(ssl, 0);
  (void)arg;
  if (!t->heard && !t->chose) {
    if (!t->name && keep_name(t, ssl) < 0) return no_memory(t, alert);
    if (t->ctx->asks && keep_heard(t, ssl) < 0) return no_memory(t, alert);
  }
  if (t->heard) return SSL_CLIENT_HELLO_RETRY;
  if (t->refusal) return refuse(t, alert);
  if (!switch_to(t, ssl, find_ctx(t->ctx, t->name)) || !set_policy(t, ssl))
    return no_memory(t, alert);
  green__tls_offer_keep(t, ssl);
  int said = check_version(t, alert);
  if (said != SSL_CLIENT_HELLO_SUCCESS) return said;
  if (t->pooled || !green__tls_ctx_of(t)->slow) return said;
  t->slow = t->wants = true;
  return SSL_CLIENT_HELLO_RETRY;
}

int green_tls_get_hello(const green_tls *t, green_tls_hello *out)
{
  if (t->away || !t->heard) return GREEN_EINVAL;
  out->name = t->name;
  out->alpn = t->heard->alpn;
  out->alpn_len = t->heard->alpn_len;
  return 0;
}

/* It does not wait any more. */
static void decide(green_tls *t)
{
  green__free(t->heard);
  t->heard = NULL;
  t->chose = t->ready = true;
}

int green_tls_refuse(green_tls *t, int alert)
{
  green_assert(alert > 0 && alert < 256, "an alert, which close_notify is not");
  if (t->away || !t->heard) return GREEN_EINVAL;
  decide(t);
  t->refusal = (uint8_t)alert;
  return 0;
}

bool green_tls_is_refused(const green_tls *t)
{
  return t->refusal != 0;
}

int green_tls_choose(green_tls *t, green_tls_ctx *ctx, const char *alpn)
{
  size_t n = alpn ? strlen(alpn) : 0;
  if (t->away || !t->heard || n > GREEN__TLS_ALPN) return GREEN_EINVAL;
  if (ctx && (!ctx->server || !ctx->sealed)) return GREEN_EINVAL;
  decide(t);
  if (n > 0) t->alpn = green__copy_text(alpn);
  if (n > 0 && !t->alpn)
    return green__tls_fail(t, GREEN_ENOMEM, "out of memory");
  t->alpn_len = (uint8_t)n;
  if (!ctx || switch_to(t, t->ssl, ctx)) return 0;
  return green__tls_fail(t, GREEN_ENOMEM, "out of memory");
}

/* -- Who may ask whom ------------------------------------------------------ */

static green_tls_ctx *host_ctx(const green_tls *t, const char *host, size_t n)
{
  char name[GREEN__TLS_SNI + 1];
  if (n > GREEN__TLS_SNI) return t->ctx;
  for (size_t i = 0; i < n; i++) name[i] = green_ascii_lower(host[i]);
  name[n] = '\0';
  green_tls_ctx *found = find_ctx(t->ctx, name);
  return found ? found : t->ctx;
}

static bool is_name(const green_tls *t, const char *host, size_t n)
{
  if (!t->name || strlen(t->name) != n) return false;
  for (size_t i = 0; i < n; i++)
    if (t->name[i] != green_ascii_lower(host[i])) return false;
  return true;
}

/* One of IPv6 is in brackets. */
static bool is_address(const char *host, size_t n)
{
  char text[INET_ADDRSTRLEN];
  struct in_addr ip;
  if (host[0] == '[') return true;
  if (n >= sizeof(text)) return false;
  memcpy(text, host, n);
  text[n] = '\0';
  return inet_pton(AF_INET, text, &ip) == 1;
}

bool green_tls_serves(const green_tls *t, const char *host, size_t n)
{
  const green_tls_ctx *c = green__tls_ctx_of(t);
  if (n > 0 && host[n - 1] == '.') n--;
  if (n == 0 || is_name(t, host, n)) return true;
  if (t->ctx->chooses) return !t->name && is_address(host, n);
  if (c->verify) return !t->name && host_ctx(t, host, n) == c;
  return !green__tls_ctx_verifies(host_ctx(t, host, n));
}

/* -- Protocols ------------------------------------------------------------ */

/* The protocol p in the client's list, or NULL. */
static const unsigned char *find_alpn(const unsigned char *in, unsigned n,
                                      const void *p, uint8_t len)
{
  for (unsigned i = 0; i < n && i + 1 + in[i] <= n; i += 1u + in[i])
    if (in[i] == len && !memcmp(in + i + 1, p, len)) return in + i + 1;
  return NULL;
}

static const unsigned char *prefer(const green_tls_ctx *c,
                                   const unsigned char *in, unsigned n)
{
  const unsigned char *found = NULL;
  for (int i = 0; i < c->alpn_len && !found; i += 1 + c->alpn[i])
    found = find_alpn(in, n, c->alpn + i + 1, c->alpn[i]);
  return found;
}

static void fail_alpn(green_tls *t, const unsigned char *in, unsigned n)
{
  green__tls_text theirs = {""}, ours = {""};
  const green_tls_ctx *c = green__tls_ctx_of(t);
  green__tls_alpn_text(in, n, &theirs);
  green__tls_alpn_text(c->alpn, c->alpn_len, &ours);
  green__tls_fail(t, GREEN_ETLS,
                  "no application protocol (ALPN) in common: the client offers "
                  "%s; this server has %s",
                  theirs.text, t->alpn_len ? t->alpn : ours.text);
}

int green__tls_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *len,
                       const unsigned char *in, unsigned int n, void *arg)
{
  green_tls *t = lib.SSL_get_ex_data(ssl, 0);
  const green_tls_ctx *c = green__tls_ctx_of(t);
  (void)arg;
  if (!t->alpn && !c->alpn_len) return SSL_TLSEXT_ERR_NOACK;
  const unsigned char *found =
      t->alpn ? find_alpn(in, n, t->alpn, t->alpn_len) : prefer(c, in, n);
  if (!found) {
    fail_alpn(t, in, n);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = found;
  *len = found[-1];
  return SSL_TLSEXT_ERR_OK;
}

/* -- A context's names ---------------------------------------------------- */

/* "*.example" is kept as ".example". NULL: nothing that clients ask for. */
static const char *host_pattern(const char *name)
{
  bool wild = name[0] == '*' && name[1] == '.';
  const char *p = wild ? name + 1 : name;
  const char *first = wild ? name + 2 : name;
  if (strlen(p) > GREEN__TLS_SNI || strchr(p, '*')) return NULL;
  return *first && *first != '.' ? p : NULL;
}

static green__tls_host *host_new(const char *p, green_tls_ctx *other)
{
  size_t n = strlen(p);
  green__tls_host *h = green__alloc(sizeof(*h) + n);
  if (!h) return NULL;
  h->ctx = green__tls_ctx_hold(other);
  h->len = (uint8_t)n;
  for (size_t i = 0; i < n; i++) h->name[i] = green_ascii_lower(p[i]);
  return h;
}

/* Room for one more; it is doubled, so that thousands cost little. */
static bool hosts_grow(green_tls_ctx *c)
{
  uint32_t n = c->n_hosts;
  if (n & (n - 1) || n == 1) return true;
  size_t room = n ? (size_t)n * 2 : 2;
  green__tls_host **more = green__realloc(c->hosts, room * sizeof(*more));
  if (more) c->hosts = more;
  return more != NULL;
}

int green_tls_ctx_add_name(green_tls_ctx *c, const char *name,
                           green_tls_ctx *other)
{
  const char *p = host_pattern(name);
  green_assert(!c->sealed, "a context does not change any more");
  if (!p)
    return green__tls_say(&c->error, GREEN_EINVAL, "\"%s\" is no server name",
                          name);
  if (other == c || !other->server || !other->sealed || !c->server)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "\"%s\" needs another, sealed server context", name);
  green__tls_host *h = hosts_grow(c) ? host_new(p, other) : NULL;
  if (!h) return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  c->hosts[c->n_hosts++] = h;
  return 0;
}

static int compare_hosts(const void *a, const void *b)
{
  const green__tls_host *x = *(green__tls_host *const *)a;
  const green__tls_host *y = *(green__tls_host *const *)b;
  return compare_names(x->name, x->len, y->name, y->len);
}

int green__tls_sort_hosts(green_tls_ctx *c)
{
  if (c->n_hosts > 1)
    qsort(c->hosts, c->n_hosts, sizeof(*c->hosts), compare_hosts);
  for (uint32_t i = 1; i < c->n_hosts; i++)
    if (compare_hosts(&c->hosts[i - 1], &c->hosts[i]) == 0)
      return green__tls_say(&c->error, GREEN_EINVAL,
                            "the name %s%.*s is there twice",
                            c->hosts[i]->name[0] == '.' ? "*" : "",
                            (int)c->hosts[i]->len, c->hosts[i]->name);
  return 0;
}
