/*
** tls_verify.c: why a certificate is not believed, in a sentence.
*/

#include "io/tls_priv.h"

#include <stdio.h>
#include <string.h>

/* Pins alone are a verification, too: there must be a key to look at. */
int green__tls_verify_mode(const green_tls_ctx *c)
{
  if (c->verify == GREEN_TLS_VERIFY_NONE && green__tls_pin_count(c) == 0)
    return SSL_VERIFY_NONE;
  if (c->verify == GREEN_TLS_VERIFY_ASK) return SSL_VERIFY_PEER;
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* What is told of the certificate that was refused. */
typedef struct suspect {
  const green_tls *t;
  const X509 *cert; /* NULL: not even that. */
  int why;          /* X509_V_ERR_* */
  char who[2 * GREEN__TLS_NAME + 100];
} suspect;

static int code_of(int why)
{
  switch (why) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return GREEN_ECERTEXPIRED;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return GREEN_ECERTHOST;
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_CERT_UNTRUSTED:
    return GREEN_ECERTUNKNOWN;
  case X509_V_ERR_CERT_REVOKED:
    return GREEN_ECERTREVOKED;
  default:
    return GREEN_ECERTINVALID;
  }
}

/* certificate "CN=a.example", issued by "CN=Example CA", */
static void say_who(suspect *s, int depth)
{
  char subject[GREEN__TLS_NAME] = "", issuer[GREEN__TLS_NAME] = "";
  char place[40] = "";
  if (s->cert) {
    green__tls_name_text(lib.X509_get_subject_name(s->cert), subject);
    green__tls_name_text(lib.X509_get_issuer_name(s->cert), issuer);
  }
  if (depth > 0)
    snprintf(place, sizeof(place), " (number %d of the chain)", depth + 1);
  snprintf(s->who, sizeof(s->who), "certificate \"%s\"%s, issued by \"%s\",",
           subject, place, issuer);
}

static int refuse_date(green_tls *t, const suspect *s)
{
  char at[GREEN__TLS_TIME] = "";
  bool over = s->why == X509_V_ERR_CERT_HAS_EXPIRED;
  if (s->cert)
    green__tls_time_text(over ? lib.X509_get0_notAfter(s->cert)
                              : lib.X509_get0_notBefore(s->cert),
                         at);
  return green__tls_fail(t, GREEN_ECERTEXPIRED, "%s %s %s", s->who,
                         over ? "expired on" : "is not valid before", at);
}

static int refuse_host(green_tls *t, const suspect *s)
{
  green_buf names = {0};
  green_buf_init(&names, 300); /* More than that nobody reads. */
  if (s->cert) (void)green__tls_alt_names(s->cert, false, ", ", &names);
  int n = (int)green_buf_len(&names);
  const char *text =
      n ? green_buf_data(&names) : "no name (a common name is none)";
  int code = green__tls_fail(t, GREEN_ECERTHOST, "%s is for %.*s, not for %s",
                             s->who, n ? n : (int)strlen(text), text, t->name);
  green_buf_reset(&names);
  return code;
}

static int refuse_issuer(green_tls *t, const suspect *s)
{
  bool self = s->why == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
  bool root = s->why == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
  const char *why =
      self   ? "is self-signed and unknown: if it is the right one, give it as "
               "an authority"
      : root ? "is an unknown authority: if it is the right one, give it as an "
               "authority"
             : "comes from an unknown authority: give that one's certificate, "
               "if it is the right one; or the peer does not send the "
               "certificates between";
  return green__tls_fail(t, GREEN_ECERTUNKNOWN, "%s %s", s->who, why);
}

static int refuse(green_tls *t, const suspect *s)
{
  int code = code_of(s->why);
  if (code == GREEN_ECERTEXPIRED) return refuse_date(t, s);
  if (code == GREEN_ECERTHOST) return refuse_host(t, s);
  if (code == GREEN_ECERTUNKNOWN) return refuse_issuer(t, s);
  if (code == GREEN_ECERTREVOKED)
    return green__tls_fail(t, code, "%s was revoked by its issuer", s->who);
  return green__tls_fail(t, code, "%s cannot be accepted: %s", s->who,
                         lib.X509_verify_cert_error_string(s->why));
}

int green__tls_verify_cb(int ok, X509_STORE_CTX *x)
{
  if (ok) return 1;
  int at = lib.SSL_get_ex_data_X509_STORE_CTX_idx();
  SSL *ssl = lib.X509_STORE_CTX_get_ex_data(x, at);
  green_tls *t = lib.SSL_get_ex_data(ssl, 0);
  suspect s = {.t = t,
               .cert = lib.X509_STORE_CTX_get_current_cert(x),
               .why = lib.X509_STORE_CTX_get_error(x)};
  say_who(&s, lib.X509_STORE_CTX_get_error_depth(x));
  refuse(t, &s);
  return 0;
}
