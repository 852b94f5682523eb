/*
** tls_staple.c: what an authority says of a certificate of ours (OCSP), out of
** a file: clients that ask get it with the certificate.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <limits.h>
#include <time.h>

/* -- Reading -------------------------------------------------------------- */

/* Is that answer about the certificate of that number? Whose numbers they are
** is not looked at: its authority's certificate need not be here. */
static bool is_about(OCSP_SINGLERESP *one, const X509 *cert)
{
  ASN1_INTEGER *serial = NULL;
  OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)lib.OCSP_SINGLERESP_get0_id(one);
  return lib.OCSP_id_get0_info(NULL, NULL, NULL, &serial, id) == 1 &&
         lib.ASN1_INTEGER_cmp(serial, lib.X509_get0_serialNumber(cert)) == 0;
}

/* Until when it is worth something, or -1: it is about another certificate. */
static int64_t valid_until(OCSP_BASICRESP *basic, const X509 *cert)
{
  int n = lib.OCSP_resp_count(basic);
  for (int i = 0; i < n; i++) {
    OCSP_SINGLERESP *one = lib.OCSP_resp_get0(basic, i);
    ASN1_GENERALIZEDTIME *next = NULL;
    if (!is_about(one, cert)) continue;
    lib.OCSP_single_get0_status(one, NULL, NULL, NULL, &next);
    return next ? green__tls_seconds(next) : INT64_MAX;
  }
  return -1;
}

static int say_staple(green_tls_ctx *c, const char *path, const char *why)
{
  return green__tls_say(&c->error, GREEN_ECERTINVALID, "OCSP file %s: %s", path,
                        why);
}

static int look(green_tls_ctx *c, OCSP_RESPONSE *r, const X509 *cert,
                const char *path, int64_t *until)
{
  int status = lib.OCSP_response_status(r);
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return green__tls_say(&c->error, GREEN_ECERTINVALID,
                          "OCSP file %s: the answer is an error, \"%s\"", path,
                          lib.OCSP_response_status_str(status));
  OCSP_BASICRESP *basic = lib.OCSP_response_get1_basic(r);
  *until = basic ? valid_until(basic, cert) : -1;
  lib.OCSP_BASICRESP_free(basic);
  if (!basic) return say_staple(c, path, "it is damaged");
  if (*until >= 0) return 0;
  return say_staple(c, path, "it is about another certificate");
}

/* Takes the bytes of b. */
static int add_staple(green_tls_ctx *c, X509 *cert, green_buf *b, int64_t until)
{
  green__tls_staple *s = green__zalloc(sizeof(*s));
  if (!s) return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
  lib.X509_up_ref(cert);
  s->cert = cert;
  s->until = until;
  s->der = *b;
  green_buf_init(b, 0);
  s->next = c->staples;
  c->staples = s;
  return 0;
}

int green_tls_key_ocsp(green_tls_ctx *c, const char *path)
{
  green_buf b;
  int64_t until = 0;
  X509 *cert = lib.SSL_CTX_get0_certificate(c->ssl);
  green_assert(!c->sealed, "a context does not change any more");
  if (!cert)
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "OCSP file %s: there is no certificate for it", path);
  int err = green__tls_read_file(c, "OCSP", path, &b);
  if (err < 0) return err;
  const unsigned char *p = (const unsigned char *)green_buf_data(&b);
  OCSP_RESPONSE *r = lib.d2i_OCSP_RESPONSE(NULL, &p, (long)green_buf_len(&b));
  err = r ? look(c, r, cert, path, &until)
          : say_staple(c, path, "it is no OCSP response in DER");
  if (err == 0) err = add_staple(c, cert, &b, until);
  lib.OCSP_RESPONSE_free(r);
  lib.ERR_clear_error();
  green_buf_reset(&b);
  return err;
}

void green__tls_free_staples(green_tls_ctx *c)
{
  green__tls_staple *s;
  while ((s = c->staples) != NULL) {
    c->staples = s->next;
    lib.X509_free(s->cert);
    green_buf_reset(&s->der);
    green__free(s);
  }
}

/* -- Showing -------------------------------------------------------------- */

/* One that is over would make clients give up that live without any. */
static const green__tls_staple *find_staple(const green_tls_ctx *c,
                                            const X509 *cert)
{
  const green__tls_staple *s = c->staples;
  while (s && s->cert != cert) s = s->next;
  return s && s->until > time(NULL) ? s : NULL;
}

static int status_cb(SSL *ssl, void *arg)
{
  const green_tls_ctx *c = lib.SSL_CTX_get_ex_data(lib.SSL_get_SSL_CTX(ssl), 0);
  const green__tls_staple *s = find_staple(c, lib.SSL_get_certificate(ssl));
  (void)arg;
  if (!s) return SSL_TLSEXT_ERR_NOACK;
  size_t n = green_buf_len(&s->der);
  void *copy =
      lib.CRYPTO_memdup(green_buf_data(&s->der), n, __FILE__, __LINE__);
  if (!copy) return SSL_TLSEXT_ERR_NOACK;
  lib.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, (long)n, copy);
  return SSL_TLSEXT_ERR_OK;
}

void green__tls_staple_setup(green_tls_ctx *c)
{
  if (c->staples)
    lib.SSL_CTX_callback_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                              (void (*)(void))status_cb);
}
