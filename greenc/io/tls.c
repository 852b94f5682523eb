/*
** tls.c: a connection: handshake, bytes in, bytes out, its end.
*/

#include "io/tls_priv.h"
#include "base/addr.h"
#include "base/ascii.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

/* Messages besides data that a peer may send: so many, and one more for so many
** bytes of data. New keys are due after hundreds of gigabytes. */
#define TLS_MESSAGES 32
#define TLS_MESSAGE_BYTES 4096
/* Records of one byte in a row, while we say nothing. Each costs us a thousand
** times what it brings. */
#define TLS_ONES 65536

/* -- Life ----------------------------------------------------------------- */

/* What is told when the handshake fails: the first bytes of a peer that may not
** speak TLS at all, the version that a server wants, and whether it asks for a
** certificate of ours. */
static void note_message(green_tls *t, int type, const uint8_t *p, size_t n)
{
  if (type == SSL3_RT_HEADER && !t->met && n >= sizeof(t->first))
    memcpy(t->first, p, sizeof(t->first));
  if (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT) return;
  t->met = true;
  if (t->server || type != SSL3_RT_HANDSHAKE || n < 6) return;
  if (p[0] == SSL3_MT_CERTIFICATE_REQUEST) t->asked = true;
  if (p[0] == SSL3_MT_SERVER_HELLO)
    green__tls_offer_version(t, p[4] << 8 | p[5]);
}

/* Each message that is not data, each record's head. */
static void message_cb(int writing, int version, int type, const void *p,
                       size_t n, SSL *ssl, void *arg)
{
  green_tls *t = arg;
  const uint8_t *head = p;
  (void)version, (void)ssl;
  if (writing) return;
  if (type == SSL3_RT_HEADER && n == SSL3_RT_HEADER_LENGTH)
    t->part -= SSL3_RT_HEADER_LENGTH + (uint32_t)(head[3] << 8 | head[4]);
  if (!t->done)
    note_message(t, type, p, n);
  else if (type == SSL3_RT_HANDSHAKE)
    t->messages++;
}

static bool tls_open(green_tls *t)
{
  t->ssl = lib.SSL_new(t->ctx->ssl);
  if (!t->ssl) return false;
  BIO *bio = green__tls_io_bio(t->io, &t->self);
  if (!bio) return false;
  lib.SSL_set_bio(t->ssl, bio, bio);
  lib.SSL_set_ex_data(t->ssl, 0, t);
  lib.SSL_set_msg_callback(t->ssl, message_cb);
  lib.SSL_ctrl(t->ssl, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, t);
  (t->server ? lib.SSL_set_accept_state : lib.SSL_set_connect_state)(t->ssl);
  return true;
}

green_tls *green_tls_new(green_tls_io *io, green_tls_ctx *ctx)
{
  green_assert(ctx->sealed, "the context is sealed");
  green_tls *t = green__zalloc(sizeof(*t));
  if (!t) return NULL;
  t->self = t;
  t->io = io;
  __atomic_add_fetch(&io->refs, 1, __ATOMIC_RELAXED);
  t->ctx = green__tls_ctx_newest(ctx);
  t->server = ctx->server;
  t->alert = t->bad_cert_at = -1;
  green_buf_init(&t->in, GREEN_TLS_INPUT);
  if (tls_open(t)) return t;
  green_tls_free(t);
  return NULL;
}

/* A connection that ends without its close_notify would take its session along,
** as if it had been broken. */
static void spare_session(green_tls *t)
{
  if (t->done && !t->error)
    lib.SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void green__tls_destroy(green_tls *t)
{
  spare_session(t);
  lib.SSL_free(t->ssl);
  lib.SSL_SESSION_free(t->session);
  green__tls_drop_output(t);
  green_buf_reset(&t->in);
  green__tls_forgive(t);
  green__free(t->name);
  green__free(t->heard);
  green__tls_offer_forget(t);
  green__free(t->alpn);
  green_tls_ctx_free(t->chosen);
  green_tls_ctx_free(t->ctx);
  green_tls_io_free(t->io);
  green__free(t);
}

void green_tls_free(green_tls *t)
{
  if (!t) return;
  if (t->away)
    t->away->leave(t->away);
  else
    green__tls_destroy(t);
}

/* -- Who the server is ---------------------------------------------------- */

static int set_ip(green_tls *t, const void *ip, size_t n)
{
  X509_VERIFY_PARAM *param = lib.SSL_get0_param(t->ssl);
  return lib.X509_VERIFY_PARAM_set1_ip(param, ip, n) == 1 ? 0 : GREEN_ENOMEM;
}

static int set_name(green_tls *t, char *name)
{
  X509_VERIFY_PARAM *param = lib.SSL_get0_param(t->ssl);
  lib.X509_VERIFY_PARAM_set_hostflags(param,
                                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                          X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (lib.X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
      lib.SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                   TLSEXT_NAMETYPE_host_name, name) == 1)
    return 0;
  return GREEN_ENOMEM;
}

/* Without the dot that may end it. */
static size_t host_length(const char *host)
{
  size_t n = strlen(host);
  return n > 0 && host[n - 1] == '.' ? n - 1 : n;
}

bool green_tls_is_host(const char *host)
{
  size_t n = host_length(host);
  if (n == 0 || n > GREEN__TLS_SNI || host[0] == '.') return false;
  for (size_t i = 0; i < n; i++)
    if (host[i] <= ' ' || host[i] >= 0x7f || host[i] == '*') return false;
  return true;
}

/* In lower case. NULL: no name, or no memory: *err. */
static char *copy_name(const char *host, int *err)
{
  size_t n = host_length(host);
  *err = GREEN_EINVAL;
  if (!green_tls_is_host(host)) return NULL;
  *err = GREEN_ENOMEM;
  char *copy = green__alloc(n + 1);
  if (!copy) return NULL;
  for (size_t i = 0; i < n; i++) copy[i] = green_ascii_lower(host[i]);
  copy[n] = '\0';
  return copy;
}

int green_tls_set_host(green_tls *t, const char *host)
{
  uint8_t ip[16];
  int err;
  green_assert(!t->server && !t->done, "a client before its handshake");
  if (t->name) return GREEN_EINVAL;
  char *name = copy_name(host, &err);
  if (!name) return err;
  lib.ERR_clear_error();
  if (inet_pton(AF_INET, name, ip) == 1)
    err = set_ip(t, ip, 4);
  else if (inet_pton(AF_INET6, name, ip) == 1)
    err = set_ip(t, ip, 16);
  else
    err = set_name(t, name);
  t->name = name;
  t->named = err == 0;
  return err;
}

void green_tls_set_any_host(green_tls *t)
{
  green_assert(!t->server && !t->done, "a client before its handshake");
  t->any = true;
}

/* -- Handshake ------------------------------------------------------------ */

void green__tls_share_bio(green_tls *t)
{
  BIO *bio = t->io->bio;
  lib.BIO_up_ref(bio);
  lib.SSL_set0_rbio(t->ssl, bio);
  lib.BIO_up_ref(bio);
  lib.SSL_set0_wbio(t->ssl, bio);
}

static int check_host(green_tls *t)
{
  if (t->server || t->named || t->any || !t->ctx->verify) return 0;
  return green__tls_fail(t, GREEN_EINVAL,
                         "nobody has said whom the server's certificate must "
                         "name");
}

void green__tls_shaken(green_tls *t)
{
  t->done = true;
  t->part = 0; /* A hello of SSL 2 is no record. */
  green__tls_offer_forget(t);
  green__tls_share_bio(t);
}

static bool has_input(const green_tls *t)
{
  return t->lent_len > 0 || green_buf_len(&t->in) > 0 || t->ended;
}

static int shake(green_tls *t)
{
  int err = 0;
  green__tls_enter(t);
  int r = lib.SSL_do_handshake(t->ssl);
  if (r == 1)
    green__tls_shaken(t);
  else
    err = green__tls_outcome(t, r);
  green__tls_leave(t);
  t->starved = err == GREEN_EAGAIN;
  return err;
}

/* Before TLS 1.3 the key may be used once more after the first flight (RSA key
** exchange), or another costly one (DHE). */
static bool signs_again(const green_tls *t)
{
  return t->slow && lib.SSL_version(t->ssl) < TLS1_3_VERSION;
}

int green_tls_handshake(green_tls *t)
{
  if (t->away) return GREEN_EINPROGRESS;
  t->ready = false;
  if (t->error) return t->error->code;
  if (t->done) return 0;
  if (t->closed) return GREEN_ECLOSED;
  if (t->heard || t->wants) return GREEN_EINPROGRESS;
  int err = check_host(t);
  if (err < 0) return err;
  if (t->starved && !has_input(t)) return GREEN_EAGAIN;
  if (!signs_again(t)) return shake(t);
  t->wants = true;
  return GREEN_EINPROGRESS;
}

bool green_tls_wants_pool(const green_tls *t)
{
  return t->wants && !t->away;
}

bool green_tls_is_done(const green_tls *t)
{
  return t->done;
}

const green_tls_error *green_tls_failure(const green_tls *t)
{
  return t->away ? NULL : t->error;
}

/* -- Input ---------------------------------------------------------------- */

size_t green_tls_room(const green_tls *t)
{
  return t->away ? 0 : GREEN_TLS_INPUT - green_buf_len(&t->in);
}

/* How many of n bytes may come. */
static size_t input_room(const green_tls *t, size_t n)
{
  green_assert(t->lent_len == 0, "nothing is lent");
  green_assert(!t->ended, "the input has not ended");
  size_t room = green_tls_room(t);
  return n < room ? n : room;
}

int green_tls_feed(green_tls *t, const void *p, size_t n)
{
  n = input_room(t, n);
  if (n == 0) return 0;
  int err = green_buf_append(&t->in, p, n);
  return err < 0 ? GREEN_ENOMEM : (int)n;
}

int green_tls_lend(green_tls *t, const void *p, size_t n)
{
  n = input_room(t, n);
  t->lent = p;
  t->lent_len = n;
  return (int)n;
}

int green_tls_keep(green_tls *t)
{
  const char *p = t->lent;
  size_t n = t->lent_len;
  t->lent = NULL;
  t->lent_len = 0;
  if (n == 0) return 0;
  int err = green_buf_append(&t->in, p, n);
  return err < 0 ? green__tls_fail(t, GREEN_ENOMEM, "out of memory") : 0;
}

size_t green_tls_rest(const green_tls *t, const char **p)
{
  green_assert(t->lent_len == 0, "nothing is lent");
  *p = green_buf_data(&t->in);
  return green_buf_len(&t->in);
}

void green_tls_feed_end(green_tls *t)
{
  green_assert(!t->away, "it is here");
  t->ended = true;
}

/* -- Reading -------------------------------------------------------------- */

/* A record that brought got bytes where want were asked for. */
static void count_record(green_tls *t, size_t want, size_t got)
{
  t->plain += got;
  if (got == 1 && want > 1 && lib.SSL_pending(t->ssl) == 0)
    t->ones++;
  else
    t->ones = 0;
}

static bool is_flood(const green_tls *t)
{
  return t->ones > TLS_ONES ||
         t->messages > TLS_MESSAGES + t->plain / TLS_MESSAGE_BYTES;
}

/* Asking OpenSSL in vain costs as much as half a record. */
static bool has_more(const green_tls *t)
{
  return t->lent_len > 0 || green_buf_len(&t->in) > 0 ||
         lib.SSL_pending(t->ssl) > 0;
}

/* As many records as it takes to fill p. */
static int read_records(green_tls *t, char *p, size_t n)
{
  size_t total = 0, got;
  int r;
  do {
    r = lib.SSL_read_ex(t->ssl, p + total, n - total, &got);
    if (r != 1) break;
    count_record(t, n - total, got);
    total += got;
  } while (total < n && has_more(t) && !is_flood(t));
  int err = r == 1 ? 0 : green__tls_outcome(t, r);
  if (is_flood(t)) err = green__tls_fail_flood(t);
  return total > 0 ? (int)total : err;
}

int green_tls_read(green_tls *t, void *p, size_t n)
{
  int err = green_tls_handshake(t);
  if (err < 0) return err;
  if (n > INT_MAX) n = INT_MAX;
  if (n == 0) return 0;
  green__tls_enter(t);
  int r = read_records(t, p, n);
  green__tls_leave(t);
  return r;
}

bool green_tls_pending(const green_tls *t)
{
  if (t->away) return false;
  if (t->ready || t->error || has_more(t)) return true;
  if (!t->done) return false;
  return t->ended || (lib.SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN);
}

/* OpenSSL takes no byte of a record before it has looked at the last one. */
bool green_tls_has_part(const green_tls *t)
{
  if (t->away) return false; /* What it has is another thread's. */
  return t->lent_len > 0 || green_buf_len(&t->in) > 0 || t->part != 0;
}

/* -- Writing -------------------------------------------------------------- */

/* OpenSSL never finds the output full: it would want the same bytes again. */
static bool fits(const green_tls *t, size_t n)
{
  return green__tls_room(t) >= n + 2 * GREEN__TLS_SLACK;
}

/* OpenSSL counts no records, until their number is too long for 64 bits. The
** message leaves before the next one; amidst one of the peer's there can be
** none, and later ones ask again. TLS 1.2 has no new keys. */
static void renew_key(green_tls *t)
{
  if (t->keyed++ < t->io->key_records) return;
  if (lib.SSL_version(t->ssl) < TLS1_3_VERSION) return;
  if (lib.SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
    t->keyed = 1;
  else
    lib.ERR_clear_error();
}

static int write_records(green_tls *t, const char *p, size_t n)
{
  size_t total = 0, put;
  while (total < n) {
    size_t len = n - total;
    if (len > GREEN__TLS_RECORD) len = GREEN__TLS_RECORD;
    if (!fits(t, len)) return total > 0 ? (int)total : GREEN_ENOBUFS;
    renew_key(t);
    int r = lib.SSL_write_ex(t->ssl, p + total, len, &put);
    if (r != 1) return green__tls_outcome(t, r);
    total += put;
  }
  return (int)total;
}

int green_tls_write(green_tls *t, const void *p, size_t n)
{
  int err = green_tls_handshake(t);
  if (err < 0) return err;
  if (t->closed) return GREEN_ECLOSED;
  if (n > INT_MAX) n = INT_MAX;
  green__tls_enter(t);
  t->ones = 0;
  int r = write_records(t, p, n);
  green__tls_leave(t);
  return r;
}

int green_tls_close(green_tls *t)
{
  bool tells = t->done && !t->error;
  if (t->away || t->closed) return 0;
  if (tells && green__tls_room(t) < GREEN__TLS_SLACK) return GREEN_ENOBUFS;
  t->closed = true;
  if (!tells) return 0;
  green__tls_enter(t);
  lib.SSL_shutdown(t->ssl);
  lib.ERR_clear_error();
  green__tls_leave(t);
  return 0;
}
