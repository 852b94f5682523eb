/*
** tls.c: TLS over a descriptor, by buffers that all connections share.
*/

#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORD = 16384, SLACK = 1024 };

static char raw[TLS_RAW], out[TLS_OUT];
static size_t raw_at, raw_len, out_len;
static BIO_METHOD *method;
static BIO *shared;

/* -- OpenSSL's side ------------------------------------------------------- */

static int bio_read(BIO *bio, char *p, int n)
{
  size_t len = raw_len - raw_at;
  BIO_clear_retry_flags(bio);
  if (len == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  if (len > (size_t)n) len = (size_t)n;
  memcpy(p, raw + raw_at, len);
  raw_at += len;
  return (int)len;
}

/* There is always room: a call writes no more than was looked for. */
static int bio_write(BIO *bio, const char *p, int n)
{
  BIO_clear_retry_flags(bio);
  if (out_len + (size_t)n > TLS_OUT) return -1;
  memcpy(out + out_len, p, (size_t)n);
  out_len += (size_t)n;
  return n;
}

static long bio_ctrl(BIO *bio, int what, long n, void *p)
{
  (void)bio, (void)n, (void)p;
  return what == BIO_CTRL_FLUSH || what == BIO_CTRL_PUSH ||
         what == BIO_CTRL_POP;
}

static BIO *bio_new(void)
{
  if (!method) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bench");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
  }
  BIO *bio = BIO_new(method);
  BIO_set_init(bio, 1);
  return bio;
}

/* The handshake puts a buffer before its BIO, which cannot be shared. */
static void bio_share(tls *t)
{
  if (!shared) shared = bio_new();
  BIO_up_ref(shared);
  SSL_set0_rbio(t->ssl, shared);
  BIO_up_ref(shared);
  SSL_set0_wbio(t->ssl, shared);
}

/* -- Contexts ------------------------------------------------------------- */

static SSL_CTX *ctx_new(const SSL_METHOD *of, int version)
{
  SSL_CTX *ctx = SSL_CTX_new(of);
  SSL_CTX_set_min_proto_version(ctx, version ? version : TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(ctx, version);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                            SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_cipher_list(
      ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
  SSL_CTX_set1_groups_list(ctx, "X25519:P-256"); /* The key is of P-256. */
  return ctx;
}

SSL_CTX *tls_server(const char *cert, const char *key)
{
  SSL_CTX *ctx = ctx_new(TLS_server_method(), 0);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  if (SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 &&
      SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1)
    return ctx;
  ERR_print_errors_fp(stderr);
  return NULL;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
  SSL_SESSION **kept = SSL_get_ex_data(ssl, 0);
  if (!kept) return 0;
  SSL_SESSION_free(*kept);
  *kept = session;
  return 1;
}

SSL_CTX *tls_client(int version)
{
  SSL_CTX *ctx = ctx_new(TLS_client_method(), version);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                          SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, on_session);
  return ctx;
}

/* -- Life ----------------------------------------------------------------- */

void tls_start(tls *t, SSL_CTX *ctx, int fd, bool direct)
{
  *t = (tls){.ssl = SSL_new(ctx), .fd = fd, .direct = direct};
  if (direct) {
    SSL_set_fd(t->ssl, fd);
  } else {
    BIO *bio = bio_new();
    SSL_set_bio(t->ssl, bio, bio);
  }
}

void tls_end(tls *t, bool say)
{
  if (!t->ssl) return;
  ERR_clear_error();
  if (t->done && say) {
    SSL_shutdown(t->ssl);
    tls_flush(t);
  } else if (t->done) { /* Else its session would count as broken. */
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  SSL_free(t->ssl);
  free(t->rest);
  *t = (tls){.fd = -1};
}

/* -- Out ------------------------------------------------------------------ */

static int keep(tls *t, const char *p, size_t n)
{
  char *rest = realloc(t->rest, t->rest_len + n);
  if (!rest) return TLS_FAILED;
  memcpy(rest + t->rest_len, p, n);
  t->rest = rest;
  t->rest_len += n;
  return TLS_AGAIN;
}

static int flush_rest(tls *t)
{
  while (t->rest_sent < t->rest_len) {
    ssize_t n =
        write(t->fd, t->rest + t->rest_sent, t->rest_len - t->rest_sent);
    if (n < 0) return errno == EAGAIN ? TLS_AGAIN : TLS_FAILED;
    t->rest_sent += (size_t)n;
  }
  free(t->rest);
  t->rest = NULL;
  t->rest_len = t->rest_sent = 0;
  return 0;
}

int tls_flush(tls *t)
{
  size_t n = out_len;
  out_len = 0;
  int err = t->rest ? flush_rest(t) : 0;
  if (n == 0 || err == TLS_FAILED) return err;
  if (err == TLS_AGAIN) return keep(t, out, n);
  ssize_t sent = write(t->fd, out, n);
  if (sent == (ssize_t)n) return 0;
  if (sent < 0 && errno != EAGAIN) return TLS_FAILED;
  if (sent < 0) sent = 0;
  return keep(t, out + sent, n - (size_t)sent);
}

/* As many records as go into one write; OpenSSL's own writes if direct. */
static ssize_t put_some(tls *t, const char *p, size_t n)
{
  size_t total = 0, put;
  while (total < n) {
    size_t len = n - total < RECORD ? n - total : RECORD;
    if (!t->direct && out_len + len + SLACK > TLS_OUT) break;
    int r = SSL_write_ex(t->ssl, p + total, len, &put);
    if (r != 1 && SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_WRITE) break;
    if (r != 1) return TLS_FAILED;
    total += put;
  }
  return (ssize_t)total;
}

ssize_t tls_put(tls *t, const char *p, size_t n)
{
  size_t total = 0;
  int err = t->rest ? tls_flush(t) : 0;
  ERR_clear_error();
  while (total < n && err == 0) {
    ssize_t put = put_some(t, p + total, n - total);
    if (put < 0) return put;
    total += (size_t)put;
    err = tls_flush(t);
    if (t->direct) break;
  }
  return err == TLS_FAILED ? TLS_FAILED : (ssize_t)total;
}

/* -- In ------------------------------------------------------------------- */

static int shake(tls *t)
{
  int r = SSL_do_handshake(t->ssl);
  int why = r == 1 ? 0 : SSL_get_error(t->ssl, r);
  if (why && why != SSL_ERROR_WANT_READ) return TLS_FAILED;
  int err = tls_flush(t);
  if (why || err) return err ? err : TLS_AGAIN;
  t->done = true;
  if (!t->direct) bio_share(t);
  return 0;
}

int tls_hello(tls *t)
{
  ERR_clear_error();
  raw_len = raw_at = 0;
  return shake(t);
}

/* Asking OpenSSL in vain costs as much as half a record. */
static bool has_more(const tls *t)
{
  return t->direct || raw_at < raw_len || SSL_pending(t->ssl) > 0;
}

static ssize_t take_records(tls *t, char *p, size_t n)
{
  size_t total = 0, got;
  while (total < n && has_more(t)) {
    int r = SSL_read_ex(t->ssl, p + total, n - total, &got);
    if (r == 1) {
      total += got;
      continue;
    }
    int why = SSL_get_error(t->ssl, r);
    if (why == SSL_ERROR_WANT_READ) {
      t->drained = t->drained || t->direct;
      break;
    }
    if (total > 0) break;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : TLS_FAILED;
  }
  return total > 0 ? (ssize_t)total : TLS_AGAIN;
}

/* 1: there are bytes. */
static int fill(tls *t)
{
  raw_at = raw_len = 0;
  t->drained = false;
  if (t->direct) return 1;
  ssize_t n = read(t->fd, raw, TLS_RAW);
  if (n < 0 && errno != EAGAIN) return TLS_FAILED;
  t->drained = n < TLS_RAW;
  if (n <= 0) return n == 0 ? 0 : TLS_AGAIN;
  raw_len = (size_t)n;
  return 1;
}

ssize_t tls_take(tls *t, char *p, size_t n)
{
  ERR_clear_error();
  int r = fill(t);
  if (r <= 0) return r;
  if (!t->done) {
    int err = shake(t);
    if (err == TLS_AGAIN && t->direct) t->drained = true;
    if (err < 0) return err;
  }
  ssize_t got = take_records(t, p, n);
  if (out_len > 0 && tls_flush(t) == TLS_FAILED) return TLS_FAILED;
  return got;
}
