/*
** tls_text.c: what certificates say, as text that is safe to print.
*/

#include "io/tls_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void green__tls_name_text(const X509_NAME *name, char text[GREEN__TLS_NAME])
{
  unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
  char *p = NULL;
  *text = '\0';
  BIO *bio = lib.BIO_new(lib.BIO_s_mem());
  if (!bio) return;
  lib.X509_NAME_print_ex(bio, name, 0, flags);
  long n = lib.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &p);
  if (n >= GREEN__TLS_NAME) n = GREEN__TLS_NAME - 1;
  if (n > 0) memcpy(text, p, (size_t)n);
  text[n > 0 ? n : 0] = '\0';
  lib.BIO_free(bio);
}

void green__tls_time_text(const ASN1_TIME *t, char text[GREEN__TLS_TIME])
{
  struct tm tm;
  *text = '\0';
  if (!t || !lib.ASN1_TIME_to_tm(t, &tm)) return;
  strftime(text, GREEN__TLS_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void green__tls_now_text(char text[GREEN__TLS_TIME])
{
  struct tm tm;
  time_t now = time(NULL);
  *text = '\0';
  if (gmtime_r(&now, &tm))
    strftime(text, GREEN__TLS_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t green__tls_seconds(const ASN1_TIME *t)
{
  struct tm tm;
  return t && lib.ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

/* -- Alternative names ---------------------------------------------------- */

/* Bytes that are no part of a name are written as \xNN: nobody takes
** "a.example\0.evil" for what it is not. */
static int append_safe(green_buf *out, const unsigned char *p, int n)
{
  for (int i = 0; i < n; i++) {
    char hex[5];
    bool plain = p[i] > 0x20 && p[i] < 0x7f && p[i] != '\\';
    int len = snprintf(hex, sizeof(hex), plain ? "%c" : "\\x%02X", p[i]);
    if (green_buf_append(out, hex, (size_t)len) < 0) return GREEN_ENOMEM;
  }
  return 0;
}

static int append_ip(green_buf *out, const unsigned char *p, int n)
{
  char text[64];
  int at = 0;
  if (n != 4 && n != 16) return append_safe(out, p, n);
  for (int i = 0; n == 4 && i < 4; i++)
    at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%d", i ? "." : "",
                   p[i]);
  for (int i = 0; n == 16 && i < 16; i += 2)
    at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%x", i ? ":" : "",
                   p[i] << 8 | p[i + 1]);
  return green_buf_append(out, text, (size_t)at);
}

static const char *kind_of(int type)
{
  switch (type) {
  case GEN_DNS:
    return "DNS:";
  case GEN_IPADD:
    return "IP:";
  case GEN_EMAIL:
    return "email:";
  case GEN_URI:
    return "URI:";
  default:
    return NULL;
  }
}

/* 1: appended; 0: a kind that is no text. */
static int append_name(const GENERAL_NAME *name, bool kinds,
                       const char *separator, green_buf *out)
{
  int type;
  const ASN1_STRING *s = lib.GENERAL_NAME_get0_value(name, &type);
  const char *kind = kind_of(type);
  if (!kind || (!kinds && type != GEN_DNS && type != GEN_IPADD)) return 0;
  if (green_buf_len(out) > 0 &&
      green_buf_append(out, separator, strlen(separator)) < 0)
    return GREEN_ENOMEM;
  if (kinds && green_buf_append(out, kind, strlen(kind)) < 0)
    return GREEN_ENOMEM;
  const unsigned char *p = lib.ASN1_STRING_get0_data(s);
  int n = lib.ASN1_STRING_length(s);
  int err = (type == GEN_IPADD ? append_ip : append_safe)(out, p, n);
  return err < 0 ? GREEN_ENOMEM : 1;
}

int green__tls_alt_names(const X509 *cert, bool kinds, const char *separator,
                         green_buf *out)
{
  int count = 0, r = 0;
  GENERAL_NAMES *names =
      lib.X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  const OPENSSL_STACK *stack = (const OPENSSL_STACK *)names;
  int n = names ? lib.OPENSSL_sk_num(stack) : 0;
  for (int i = 0; i < n && r >= 0; i++) {
    r = append_name(lib.OPENSSL_sk_value(stack, i), kinds, separator, out);
    if (r > 0) count++;
  }
  lib.GENERAL_NAMES_free(names);
  return r < 0 ? r : count;
}
