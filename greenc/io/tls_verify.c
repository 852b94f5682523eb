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
  green_tls *t;
  X509 *cert;        /* NULL: not even that. */
  int why;           /* X509_V_ERR_* */
  int depth;         /* 0: the peer's own. */
  bool shown;        /* By the peer; else it is one of ours. */
  const char *owner; /* "server" */
  char subject[GREEN__TLS_NAME], issuer[GREEN__TLS_NAME];
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

/* -- Who it is ------------------------------------------------------------ */

/* Is it one of those that the peer has sent? */
static bool was_shown(X509_STORE_CTX *x, const X509 *cert)
{
  const OPENSSL_STACK *sent =
      (const OPENSSL_STACK *)lib.X509_STORE_CTX_get0_untrusted(x);
  int n = sent ? lib.OPENSSL_sk_num(sent) : 0;
  for (int i = 0; i < n; i++)
    if (lib.X509_cmp(lib.OPENSSL_sk_value(sent, i), cert) == 0) return true;
  return false;
}

/* the server's own certificate "CN=a.example", issued by "CN=Example CA", */
static void say_who(suspect *s)
{
  char place[80];
  if (s->depth == 0)
    snprintf(place, sizeof(place), "the %s's own certificate", s->owner);
  else if (s->shown)
    snprintf(place, sizeof(place), "number %d of the %s's chain, certificate",
             s->depth + 1, s->owner);
  else
    snprintf(place, sizeof(place),
             "an authority that is trusted here, certificate");
  snprintf(s->who, sizeof(s->who), "%s \"%s\", issued by \"%s\",", place,
           s->subject, s->issuer);
}

static suspect suspect_of(X509_STORE_CTX *x)
{
  int at = lib.SSL_get_ex_data_X509_STORE_CTX_idx();
  SSL *ssl = lib.X509_STORE_CTX_get_ex_data(x, at);
  suspect s = {.t = lib.SSL_get_ex_data(ssl, 0),
               .cert = lib.X509_STORE_CTX_get_current_cert(x),
               .why = lib.X509_STORE_CTX_get_error(x),
               .depth = lib.X509_STORE_CTX_get_error_depth(x)};
  s.owner = s.t->server ? "client" : "server";
  if (s.cert) {
    s.shown = was_shown(x, s.cert);
    green__tls_name_text(lib.X509_get_subject_name(s.cert), s.subject);
    green__tls_name_text(lib.X509_get_issuer_name(s.cert), s.issuer);
  }
  say_who(&s);
  return s;
}

/* -- What is wrong with it ------------------------------------------------ */

static int refuse_date(const suspect *s)
{
  char at[GREEN__TLS_TIME] = "", now[GREEN__TLS_TIME] = "";
  bool over = s->why == X509_V_ERR_CERT_HAS_EXPIRED;
  if (s->cert)
    green__tls_time_text(over ? lib.X509_get0_notAfter(s->cert)
                              : lib.X509_get0_notBefore(s->cert),
                         at);
  green__tls_now_text(now);
  return green__tls_fail(s->t, GREEN_ECERTEXPIRED,
                         "%s %s %s (the clock here says %s)", s->who,
                         over ? "expired on" : "is not valid before", at, now);
}

static int refuse_host(const suspect *s)
{
  green_buf names = {0};
  green_buf_init(&names, 300); /* More than that nobody reads. */
  if (s->cert) (void)green__tls_alt_names(s->cert, false, ", ", &names);
  int n = (int)green_buf_len(&names);
  const char *text =
      n ? green_buf_data(&names) : "no name (a common name is none)";
  int code =
      green__tls_fail(s->t, GREEN_ECERTHOST, "%s is for %.*s, not for %s",
                      s->who, n ? n : (int)strlen(text), text, s->t->name);
  green_buf_reset(&names);
  return code;
}

static int refuse_issuer(const suspect *s)
{
  green_tls *t = s->t;
  const char *no = t->server ? "" : " (in tests alone: verify = false)";
  if (s->why == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
    return green__tls_fail(t, GREEN_ECERTUNKNOWN,
                           "%s is self-signed, and not known here: give its "
                           "file as the option ca, if it is the right one%s",
                           s->who, no);
  if (s->why == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
    return green__tls_fail(t, GREEN_ECERTUNKNOWN,
                           "%s is an authority that is not known here: give "
                           "its file as the option ca, if it is the right "
                           "one%s",
                           s->who, no);
  return green__tls_fail(t, GREEN_ECERTUNKNOWN,
                         "%s has an issuer that is not known here: give the "
                         "certificate of \"%s\" as the option ca, if it is "
                         "the right one%s; or the %s does not send the "
                         "certificates between",
                         s->who, s->issuer, no, s->owner);
}

static const char *purpose_words(const suspect *s)
{
  if (s->depth > 0) return "may not issue certificates of this kind";
  return s->t->server ? "may not be a client's: its keyUsage or "
                        "extendedKeyUsage (clientAuth) does not allow it"
                      : "may not be a server's: its keyUsage or "
                        "extendedKeyUsage (serverAuth) does not allow it";
}

/* NULL: OpenSSL's will do. */
static const char *words_of(const suspect *s)
{
  switch (s->why) {
  case X509_V_ERR_INVALID_CA:
    return "has issued another, and is no authority: its basicConstraints do "
           "not say CA:TRUE";
  case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    return "has issued another, and its keyUsage has no keyCertSign";
  case X509_V_ERR_INVALID_PURPOSE:
    return purpose_words(s);
  case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    return "has more issuers below it than its pathlen allows";
  case X509_V_ERR_PERMITTED_VIOLATION:
  case X509_V_ERR_EXCLUDED_VIOLATION:
    return "has a name that its issuer may not give (name constraints)";
  case X509_V_ERR_EE_KEY_TOO_SMALL:
  case X509_V_ERR_CA_KEY_TOO_SMALL:
    return "has a key that is too short to be safe";
  case X509_V_ERR_CA_MD_TOO_WEAK:
    return "is signed with a digest that is not safe any more (MD5, SHA-1)";
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    return "was not signed by who it says: the signature is wrong";
  case X509_V_ERR_UNABLE_TO_GET_CRL:
    return "cannot be looked up: the option crl has no list of its issuer "
           "(unable to get certificate CRL)";
  case X509_V_ERR_CRL_HAS_EXPIRED:
    return "cannot be looked up: the list of its issuer in the option crl is "
           "out of date";
  case X509_V_ERR_CRL_NOT_YET_VALID:
    return "cannot be looked up: the list of its issuer in the option crl is "
           "not valid yet";
  case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    return "cannot be looked up: the list of its issuer in the option crl is "
           "not signed by it";
  default:
    return NULL;
  }
}

/* The depth is the end's setting: whose certificate it is does not matter. */
static int refuse_length(const suspect *s)
{
  const green_tls_ctx *c = green__tls_ctx_of(s->t);
  return green__tls_fail(s->t, GREEN_ECERTINVALID,
                         "the %s's certificate chain too long: between its own "
                         "certificate and an authority may stand %d (the "
                         "option depth); it stops at \"%s\"",
                         s->owner, c->depth, s->subject);
}

static int refuse(const suspect *s)
{
  int code = code_of(s->why);
  if (code == GREEN_ECERTEXPIRED) return refuse_date(s);
  if (code == GREEN_ECERTHOST) return refuse_host(s);
  if (code == GREEN_ECERTUNKNOWN) return refuse_issuer(s);
  if (s->why == X509_V_ERR_CERT_CHAIN_TOO_LONG) return refuse_length(s);
  if (code == GREEN_ECERTREVOKED)
    return green__tls_fail(s->t, code, "%s was revoked by its issuer", s->who);
  const char *words = words_of(s);
  return green__tls_fail(
      s->t, code, "%s %s%s", s->who, words ? words : "cannot be accepted: ",
      words ? "" : lib.X509_verify_cert_error_string(s->why));
}

/* -- OpenSSL's callbacks -------------------------------------------------- */

int green__tls_verify_cb(int ok, X509_STORE_CTX *x)
{
  if (ok) return 1;
  suspect s = suspect_of(x);
  refuse(&s);
  if (s.cert && !s.t->bad_cert && lib.X509_up_ref(s.cert)) {
    s.t->bad_cert = s.cert;
    s.t->bad_cert_at = (int16_t)s.depth;
  }
  return 0;
}

int green_tls_bad_cert(const green_tls *t)
{
  return t->away ? -1 : t->bad_cert_at;
}

/* A chain of hundreds costs time to be looked through. */
static int refuse_count(green_tls *t, X509_STORE_CTX *x, int n, int most)
{
  green__tls_fail(t, GREEN_ECERTINVALID,
                  "the %s shows %d certificates, and no more than %d are "
                  "looked at (%d more than the option depth)",
                  t->server ? "client" : "server", n, most,
                  GREEN_TLS_CHAIN_MORE);
  lib.X509_STORE_CTX_set_error(x, X509_V_ERR_CERT_CHAIN_TOO_LONG);
  return 0;
}

/* Before anything is verified. Who verifies nothing looks at pins alone. */
int green__tls_chain_cb(X509_STORE_CTX *x, void *arg)
{
  int at = lib.SSL_get_ex_data_X509_STORE_CTX_idx();
  green_tls *t = lib.SSL_get_ex_data(lib.X509_STORE_CTX_get_ex_data(x, at), 0);
  const green_tls_ctx *c = green__tls_ctx_of(t);
  (void)arg;
  if (c->verify == GREEN_TLS_VERIFY_NONE) return green__tls_check_pin(t, x);
  const OPENSSL_STACK *sent =
      (const OPENSSL_STACK *)lib.X509_STORE_CTX_get0_untrusted(x);
  int n = sent ? lib.OPENSSL_sk_num(sent) : 0;
  int most = c->depth + GREEN_TLS_CHAIN_MORE;
  if (n > most) return refuse_count(t, x, n, most);
  return lib.X509_verify_cert(x) > 0 ? green__tls_check_pin(t, x) : 0;
}
