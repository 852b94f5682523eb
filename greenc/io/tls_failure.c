/*
** tls_failure.c: what OpenSSL's refusal means, as a code and a sentence.
*/

#include "io/tls_priv.h"

#include <stdio.h>
#include <string.h>

/* -- Alerts --------------------------------------------------------------- */

/* A server that asks for a certificate of ours and gets none may say so by any
** alert. */
static bool lacks_certificate(const green_tls *t)
{
  return t->asked && t->ctx->n_keys == 0;
}

#define NO_CERTIFICATE \
  "it asks for a certificate of ours, and we have none (the options cert and " \
  "key)"

static const char *certificate_meaning(const green_tls *t, int alert)
{
  if (lacks_certificate(t)) return ": " NO_CERTIFICATE;
  switch (alert) {
  case SSL_AD_UNKNOWN_CA:
    return ": it does not trust the authority of our certificate";
  case SSL_AD_CERTIFICATE_EXPIRED:
    return ": it says that our certificate has expired";
  case SSL_AD_CERTIFICATE_REVOKED:
    return ": it says that our certificate was revoked";
  default:
    return ": it does not accept our certificate";
  }
}

static const char *alert_meaning(const green_tls *t, int alert)
{
  switch (alert) {
  case TLS13_AD_CERTIFICATE_REQUIRED:
  case SSL_AD_BAD_CERTIFICATE:
  case SSL_AD_UNSUPPORTED_CERTIFICATE:
  case SSL_AD_CERTIFICATE_UNKNOWN:
  case SSL_AD_UNKNOWN_CA:
  case SSL_AD_CERTIFICATE_EXPIRED:
  case SSL_AD_CERTIFICATE_REVOKED:
    return certificate_meaning(t, alert);
  case SSL_AD_NO_APPLICATION_PROTOCOL:
    return ": no application protocol (ALPN) in common";
  case SSL_AD_UNRECOGNIZED_NAME:
    return ": it has nothing for the name that we ask for";
  case SSL_AD_ACCESS_DENIED:
    return !t->asked              ? ": it does not let us in"
           : lacks_certificate(t) ? ": " NO_CERTIFICATE
                                  : ": it does not let us in with our "
                                    "certificate";
  case SSL_AD_INTERNAL_ERROR:
    return ": it has a fault of its own";
  case SSL_AD_INAPPROPRIATE_FALLBACK:
    return ": it could do a newer version than we asked for";
  case SSL_AD_DECODE_ERROR:
  case SSL_AD_DECRYPTION_FAILED:
  case SSL_AD_DECRYPT_ERROR:
  case SSL_AD_BAD_RECORD_MAC:
  case SSL_AD_UNEXPECTED_MESSAGE:
    if (t->done || !lacks_certificate(t))
      return ": what it received from us makes no sense to it";
    return ": what it received from us makes no sense to it; " NO_CERTIFICATE;
  default:
    return "";
  }
}

/* unknown_ca (48) */
static void alert_text(int alert, green__tls_text *out)
{
  const char *name = green_tls_alert_name(alert);
  snprintf(out->text, sizeof(out->text), "%s (%d)", name ? name : "unknown",
           alert);
}

static int fail_alert_version(green_tls *t, const char *alert)
{
  green__tls_text range = {""};
  green__tls_range_text(t->ctx, &range);
  return green__tls_fail(t, GREEN_ETLSVERSION,
                         "the peer takes no TLS version that we offer: %s "
                         "(options min_version, max_version); it sent the "
                         "alert %s",
                         range.text, alert);
}

/* A client that offered nothing that the server wants. */
static int fail_alert_offer(green_tls *t, const char *alert)
{
  green__tls_text range = {""}, ciphers = {""};
  green__tls_range_text(t->ctx, &range);
  green__tls_ciphers_text(t, t->ctx, &ciphers);
  return green__tls_fail(t, GREEN_ETLSALERT,
                         "the peer ended TLS with the alert %s: it accepts "
                         "nothing of what we offer: %s, the ciphers %s, the "
                         "groups %s%s",
                         alert, range.text, ciphers.text,
                         t->ctx->groups ? t->ctx->groups : "by default",
                         lacks_certificate(t) ? "; or " NO_CERTIFICATE : "");
}

static int fail_alert_alpn(green_tls *t, const char *alert)
{
  green__tls_text offered = {""};
  green__tls_alpn_text(t->ctx->alpn, t->ctx->alpn_len, &offered);
  return green__tls_fail(t, GREEN_ETLSALERT,
                         "the peer ended TLS with the alert %s: it has none of "
                         "our application protocols (ALPN): %s",
                         alert, offered.text);
}

static int fail_alert(green_tls *t, int alert)
{
  green__tls_text text = {""};
  alert_text(alert, &text);
  t->alert = (int16_t)alert;
  if (!t->server && !t->done) {
    if (alert == SSL_AD_PROTOCOL_VERSION)
      return fail_alert_version(t, text.text);
    if (alert == SSL_AD_HANDSHAKE_FAILURE ||
        alert == SSL_AD_INSUFFICIENT_SECURITY)
      return fail_alert_offer(t, text.text);
    if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
      return fail_alert_alpn(t, text.text);
    if (alert == SSL_AD_UNRECOGNIZED_NAME && t->name)
      return green__tls_fail(t, GREEN_ETLSALERT,
                             "the peer ended TLS with the alert %s: it has "
                             "nothing for the name that we ask for, \"%s\"",
                             text.text, t->name);
  }
  return green__tls_fail(t, GREEN_ETLSALERT,
                         "the peer ended TLS with the alert %s%s", text.text,
                         alert_meaning(t, alert));
}

int green_tls_alert(const green_tls *t)
{
  return t->away ? -1 : t->alert;
}

/* -- Versions and ciphers ------------------------------------------------- */

/* A server chose a version that we do not take. */
static int fail_version(green_tls *t)
{
  green__tls_text range = {""}, theirs = {""};
  green__tls_range_text(green__tls_ctx_of(t), &range);
  if (t->theirs == 0)
    return green__tls_fail(t, GREEN_ETLSVERSION,
                           "the peer has no TLS version that we take: %s (%s)",
                           range.text, green__tls_reason());
  green__tls_versions_text(t, &theirs);
  return green__tls_fail(t, GREEN_ETLSVERSION,
                         "the %s %s %s, and we take %s (options min_version, "
                         "max_version)",
                         t->server ? "client" : "server",
                         t->server ? "offers" : "wants", theirs.text,
                         range.text);
}

static int fail_cipher(green_tls *t)
{
  green__tls_text theirs = {""}, ours = {""};
  const green_tls_ctx *c = green__tls_ctx_of(t);
  green__tls_offer_text(t, &theirs);
  green__tls_ciphers_text(t, c, &ours);
  return green__tls_fail(t, GREEN_ETLS,
                         "no cipher in common that fits a certificate of this "
                         "server: the client offers %s; we allow %s",
                         theirs.text, ours.text);
}

/* -- No TLS at all -------------------------------------------------------- */

/* A peer without TLS understands no alert: what is to be sent to it is the
** caller's affair. */
static int fail_plain(green_tls *t, const char *what)
{
  green__tls_fail(t, GREEN_ETLSPLAIN, "the peer does not speak TLS: %s", what);
  green__tls_drop_output(t);
  return t->error->code;
}

static int fail_other(green_tls *t)
{
  char what[80];
  const char *p = (const char *)t->first;
  bool printable = true;
  for (int i = 0; i < 5; i++) printable &= p[i] >= ' ' && p[i] < 0x7f;
  if (!memcmp(p, "HTTP/", 5))
    return fail_plain(t, "it answers in plain HTTP (is it the right port?)");
  if (!memcmp(p, "SSH-", 4)) return fail_plain(t, "it speaks SSH");
  if (!printable) return fail_plain(t, "its first bytes are something else");
  snprintf(what, sizeof(what),
           "its first bytes are \"%.5s\" (is it the right port?)", p);
  return fail_plain(t, what);
}

/* After the handshake, bytes that nobody who has the keys has written. */
static int fail_record(green_tls *t)
{
  return green__tls_fail(t, GREEN_ETLS,
                         "what arrived is no TLS record of this connection: "
                         "the peer is at fault, or somebody between has "
                         "changed it (%s)",
                         green__tls_reason());
}

/* -- Reasons -------------------------------------------------------------- */

static int fail_size(green_tls *t)
{
  const green_tls_ctx *c = green__tls_ctx_of(t);
  if (t->server && !c->verify)
    return green__tls_fail(t, GREEN_ETLS,
                           "the client sends a message that is too long");
  return green__tls_fail(t, GREEN_ECERTINVALID,
                         "the %s sends more than is accepted: certificates of "
                         "over %d bytes, or another message that is too long",
                         t->server ? "client" : "server",
                         GREEN_TLS_CHAIN_BYTES);
}

/* What is allowed here leaves nothing; or anything else. */
static int fail_setting(green_tls *t, int why)
{
  if (why == SSL_R_NO_PROTOCOLS_AVAILABLE)
    return green__tls_fail(t, GREEN_ETLSVERSION,
                           "no TLS version is left that is allowed here (the "
                           "options min_version and max_version, and "
                           "OpenSSL's own configuration)");
  if (why == SSL_R_NO_CIPHERS_AVAILABLE)
    return green__tls_fail(t, GREEN_ETLS,
                           "no cipher that is allowed here fits a TLS version "
                           "that is allowed (options ciphers, ciphersuites, "
                           "min_version, max_version)");
  return green__tls_fail(t, GREEN_ETLS, "TLS failed: %s", green__tls_reason());
}

static int fail_reason(green_tls *t)
{
  int why = green__tls_reason_number();
  if (why > SSL_AD_REASON_OFFSET && why < SSL_AD_REASON_OFFSET + 256)
    return fail_alert(t, why - SSL_AD_REASON_OFFSET);
  switch (why) {
  case SSL_R_HTTP_REQUEST:
  case SSL_R_HTTPS_PROXY_REQUEST:
    return fail_plain(t, "it sent a plain HTTP request");
  case SSL_R_WRONG_VERSION_NUMBER:
    return t->met ? fail_record(t) : fail_other(t);
  case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
  case SSL_R_BAD_RECORD_TYPE:
  case SSL_R_BAD_CHANGE_CIPHER_SPEC:
    return fail_record(t);
  case SSL_R_UNSUPPORTED_PROTOCOL:
  case SSL_R_VERSION_TOO_LOW:
  case SSL_R_VERSION_TOO_HIGH:
    return fail_version(t);
  case SSL_R_RECORD_TOO_SMALL:
  case SSL_R_TOO_MANY_WARN_ALERTS:
  case SSL_R_TOO_MANY_KEY_UPDATES:
    return green__tls_fail(t, GREEN_ETLSFLOOD,
                           "the peer sends record upon record without data");
  case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    return green__tls_fail(t, GREEN_ECERTINVALID,
                           "the client shows no certificate, and must");
  case SSL_R_EXCESSIVE_MESSAGE_SIZE:
    return fail_size(t);
  case SSL_R_NO_SHARED_CIPHER:
    return fail_cipher(t);
  default:
    return fail_setting(t, why);
  }
}

/* -- Ends ----------------------------------------------------------------- */

static int fail_end(green_tls *t)
{
  if (t->done)
    return green__tls_fail(t, GREEN_ETLSTRUNCATED,
                           "the connection was cut off: it ended without TLS's "
                           "own end");
  return green__tls_fail(t, GREEN_ETLSTRUNCATED,
                         "the peer closed the connection during the TLS "
                         "handshake, %s",
                         t->met ? "in the middle of it"
                                : "before it said a word of TLS");
}

/* A peer that floods does not read either. */
int green__tls_fail_flood(green_tls *t)
{
  green__tls_fail(t, GREEN_ETLSFLOOD,
                  "the peer sends TLS message upon message without data");
  green__tls_drop_output(t);
  return t->error->code;
}

int green__tls_outcome(green_tls *t, int r)
{
  if (t->error) return t->error->code;
  if (t->flooded) return green__tls_fail_flood(t);
  switch (lib.SSL_get_error(t->ssl, r)) {
  case SSL_ERROR_WANT_READ:
    return t->ended ? fail_end(t) : GREEN_EAGAIN;
  case SSL_ERROR_WANT_WRITE:
    return GREEN_ENOBUFS;
  case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    return GREEN_EINPROGRESS;
  case SSL_ERROR_ZERO_RETURN:
    return t->done ? 0 : fail_end(t);
  default:
    return fail_reason(t);
  }
}
