/*
** tls_info.c: what was agreed, and with whom.
*/

#include "io/tls_priv.h"

#include <stdio.h>
#include <string.h>

int green_tls_get_info(const green_tls *t, green_tls_info *out)
{
  const unsigned char *alpn;
  unsigned n;
  memset(out, 0, sizeof(*out));
  if (!t->done) return GREEN_EAGAIN;
  out->version = lib.SSL_get_version(t->ssl);
  out->cipher = lib.SSL_CIPHER_get_name(lib.SSL_get_current_cipher(t->ssl));
  lib.SSL_get0_alpn_selected(t->ssl, &alpn, &n);
  out->alpn = (const char *)alpn;
  out->alpn_len = n;
  out->name = t->name;
  out->resumed = lib.SSL_session_reused(t->ssl);
  return 0;
}

/* -- The peer's certificates ---------------------------------------------- */

static const OPENSSL_STACK *peer_chain(const green_tls *t)
{
  return (const OPENSSL_STACK *)lib.SSL_get_peer_cert_chain(t->ssl);
}

/* To a server OpenSSL gives the chain without the client's own. */
static const X509 *peer_cert(const green_tls *t, int i)
{
  if (i == GREEN_TLS_BAD_CERT) return t->away ? NULL : t->bad_cert;
  const X509 *own = t->done ? lib.SSL_get0_peer_certificate(t->ssl) : NULL;
  if (!own || i < 0) return NULL;
  const OPENSSL_STACK *chain = peer_chain(t);
  int at = t->server ? i - 1 : i;
  if (i == 0) return own;
  if (!chain || at >= lib.OPENSSL_sk_num(chain)) return NULL;
  return lib.OPENSSL_sk_value(chain, at);
}

int green_tls_peer_count(const green_tls *t)
{
  int n = 0;
  while (peer_cert(t, n)) n++;
  return n;
}

static int append_text(green_buf *out, const char *text)
{
  return green_buf_append(out, text, strlen(text));
}

static int append_der(green_buf *out, const X509 *cert)
{
  unsigned char *p = NULL;
  lib.ERR_clear_error();
  int n = lib.i2d_X509(cert, &p);
  if (n < 0) return GREEN_ENOMEM;
  int err = green_buf_append(out, p, (size_t)n);
  lib.CRYPTO_free(p, __FILE__, __LINE__);
  return err;
}

static int append_name(green_buf *out, const X509_NAME *name)
{
  char text[GREEN__TLS_NAME];
  green__tls_name_text(name, text);
  return append_text(out, text);
}

static int append_time(green_buf *out, const ASN1_TIME *time)
{
  char text[GREEN__TLS_TIME];
  green__tls_time_text(time, text);
  return append_text(out, text);
}

static int append_serial(green_buf *out, const X509 *cert)
{
  const ASN1_INTEGER *serial = lib.X509_get0_serialNumber(cert);
  const unsigned char *p = lib.ASN1_STRING_get0_data(serial);
  int n = lib.ASN1_STRING_length(serial), err = 0;
  for (int i = 0; i < n && err == 0; i++) {
    char hex[3];
    snprintf(hex, sizeof(hex), "%02X", p[i]);
    err = append_text(out, hex);
  }
  return err;
}

static int append_alt_names(green_buf *out, const X509 *cert)
{
  int n = green__tls_alt_names(cert, true, "\n", out);
  return n < 0 ? n : 0;
}

int green_tls_peer_text(const green_tls *t, int i, int what, green_buf *out)
{
  const X509 *cert = peer_cert(t, i);
  if (!cert) return GREEN_EINVAL;
  switch (what) {
  case GREEN_TLS_DER:
    return append_der(out, cert);
  case GREEN_TLS_SUBJECT:
    return append_name(out, lib.X509_get_subject_name(cert));
  case GREEN_TLS_ISSUER:
    return append_name(out, lib.X509_get_issuer_name(cert));
  case GREEN_TLS_SERIAL:
    return append_serial(out, cert);
  case GREEN_TLS_NOT_BEFORE:
    return append_time(out, lib.X509_get0_notBefore(cert));
  case GREEN_TLS_NOT_AFTER:
    return append_time(out, lib.X509_get0_notAfter(cert));
  case GREEN_TLS_ALT_NAMES:
    return append_alt_names(out, cert);
  default:
    return GREEN_EINVAL;
  }
}

/* -- Keys for others ------------------------------------------------------ */

int green_tls_export(const green_tls *t, const char *label, const void *context,
                     size_t context_len, void *out, size_t n)
{
  if (!t->done) return GREEN_EAGAIN;
  lib.ERR_clear_error();
  int r = lib.SSL_export_keying_material(t->ssl, out, n, label, strlen(label),
                                         context, context_len, context != NULL);
  return r == 1 ? 0 : GREEN_EINVAL;
}

/* Two connections may have the same keys in TLS 1.2 without it. */
static int bind_exporter(const green_tls *t, uint8_t *out)
{
  bool sound = lib.SSL_version(t->ssl) >= TLS1_3_VERSION ||
               lib.SSL_ctrl(t->ssl, SSL_CTRL_GET_EXTMS_SUPPORT, 0, NULL) == 1;
  if (!sound) return GREEN_EOPNOTSUPP;
  int err = green_tls_export(t, "EXPORTER-Channel-Binding", "", 0, out, 32);
  return err < 0 ? GREEN_EOPNOTSUPP : 32;
}

/* The digest of its signature, unless that is too weak. */
static const EVP_MD *binding_digest(const X509 *cert)
{
  int nid;
  if (!lib.X509_get_signature_info((X509 *)(uintptr_t)cert, &nid, NULL, NULL,
                                   NULL))
    return NULL;
  if (nid == NID_md5 || nid == NID_sha1) return lib.EVP_sha256();
  return nid == NID_undef ? NULL
                          : lib.EVP_get_digestbyname(lib.OBJ_nid2sn(nid));
}

static int bind_certificate(const green_tls *t, uint8_t *out)
{
  unsigned n = 0;
  const X509 *cert =
      t->server ? lib.SSL_get_certificate(t->ssl) : peer_cert(t, 0);
  const EVP_MD *digest = cert ? binding_digest(cert) : NULL;
  if (!digest || !lib.X509_digest(cert, digest, out, &n))
    return GREEN_EOPNOTSUPP;
  return (int)n;
}

int green_tls_binding(const green_tls *t, const char *type,
                      uint8_t out[GREEN_TLS_BINDING])
{
  if (!t->done) return GREEN_EAGAIN;
  lib.ERR_clear_error();
  if (!strcmp(type, "tls-exporter")) return bind_exporter(t, out);
  if (!strcmp(type, "tls-server-end-point")) return bind_certificate(t, out);
  return GREEN_EOPNOTSUPP;
}
