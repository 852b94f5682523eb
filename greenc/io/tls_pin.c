/*
** tls_pin.c: peers that are known by their keys.
**
** A pin is the SHA-256 of a public key as certificates have it
** (SubjectPublicKeyInfo), in base64: a new certificate with the same key is as
** good.
*/

#include "io/tls_priv.h"

#include <string.h>

#define PIN_PREFIX "sha256//"
enum { PIN_PREFIX_LEN = 8, PIN_BASE64 = 44 };

/* -- Told ----------------------------------------------------------------- */

/* 32 bytes are 43 digits and a "=", which stands for a zero byte. */
static bool decode(const char *text, uint8_t digest[GREEN__TLS_DIGEST])
{
  uint8_t out[PIN_BASE64];
  const char *digits = text + PIN_PREFIX_LEN;
  if (strncmp(text, PIN_PREFIX, PIN_PREFIX_LEN) != 0 ||
      strlen(digits) != PIN_BASE64 || strcspn(digits, "=") != PIN_BASE64 - 1)
    return false;
  int n = lib.EVP_DecodeBlock(out, (const unsigned char *)digits, PIN_BASE64);
  memcpy(digest, out, GREEN__TLS_DIGEST);
  return n == GREEN__TLS_DIGEST + 1;
}

int green_tls_ctx_add_pin(green_tls_ctx *c, const char *pin)
{
  uint8_t digest[GREEN__TLS_DIGEST];
  green_assert(!c->sealed, "a context does not change any more");
  if (!decode(pin, digest))
    return green__tls_say(&c->error, GREEN_EINVAL,
                          "\"%s\" is no pin: that is " PIN_PREFIX
                          " and 44 digits of base64",
                          pin);
  lib.ERR_clear_error();
  if (green_buf_append(&c->pins, digest, sizeof(digest)) == 0) return 0;
  return green__tls_say(&c->error, GREEN_ENOMEM, "out of memory");
}

/* -- Looked at ------------------------------------------------------------ */

static bool digest_key(X509 *cert, uint8_t digest[GREEN__TLS_DIGEST])
{
  unsigned char *der = NULL;
  unsigned len = GREEN__TLS_DIGEST;
  int n = lib.i2d_X509_PUBKEY(lib.X509_get_X509_PUBKEY(cert), &der);
  if (n <= 0) return false;
  int ok = lib.EVP_Digest(der, (size_t)n, digest, &len, lib.EVP_sha256(), NULL);
  lib.CRYPTO_free(der, __FILE__, __LINE__);
  return ok == 1;
}

static bool is_pinned(const green_tls_ctx *c,
                      const uint8_t digest[GREEN__TLS_DIGEST])
{
  const char *pins = green_buf_data(&c->pins);
  int n = green__tls_pin_count(c);
  for (int i = 0; i < n; i++)
    if (!memcmp(pins + (size_t)i * GREEN__TLS_DIGEST, digest,
                GREEN__TLS_DIGEST))
      return true;
  return false;
}

static int refuse_pin(green_tls *t, const X509 *cert,
                      const uint8_t digest[GREEN__TLS_DIGEST])
{
  char subject[GREEN__TLS_NAME];
  unsigned char text[PIN_BASE64 + 1];
  green__tls_name_text(lib.X509_get_subject_name(cert), subject);
  lib.EVP_EncodeBlock(text, digest, GREEN__TLS_DIGEST);
  return green__tls_fail(t, GREEN_ECERTPIN,
                         "certificate \"%s\" has a key that is not pinned: its "
                         "pin is " PIN_PREFIX "%s (option pins)",
                         subject, (const char *)text);
}

int green__tls_check_pin(green_tls *t, X509_STORE_CTX *x)
{
  const green_tls_ctx *c = green__tls_ctx_of(t);
  uint8_t digest[GREEN__TLS_DIGEST] = {0};
  if (green__tls_pin_count(c) == 0) return 1;
  X509 *cert = lib.X509_STORE_CTX_get0_cert(x);
  if (cert && digest_key(cert, digest) && is_pinned(c, digest)) return 1;
  if (cert) refuse_pin(t, cert, digest);
  lib.X509_STORE_CTX_set_error(x, X509_V_ERR_CERT_REJECTED);
  return 0;
}
