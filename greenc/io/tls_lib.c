/*
** tls_lib.c: OpenSSL's functions, and its errors.
*/

#include "io/tls_priv.h"

#include "base/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

green__tls_table green__tls_lib;

/* libcrypto comes along: names are looked for in what libssl needs, too. */
static const char *const lib_names[] = {
#define X(name) #name,
    GREEN__TLS_FUNCTIONS(X)
#undef X
};

int green__tls_vsay(green_tls_error *e, int code, const char *format,
                    va_list args)
{
  if (!e || e->code) return code;
  e->code = code;
  vsnprintf(e->text, sizeof(e->text), format, args);
  return code;
}

int green__tls_say(green_tls_error *e, int code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  green__tls_vsay(e, code, format, args);
  va_end(args);
  return code;
}

int green__tls_reason_number(void)
{
  return ERR_GET_REASON(lib.ERR_peek_error());
}

const char *green__tls_reason(void)
{
  const char *text = lib.ERR_reason_error_string(lib.ERR_peek_error());
  return text ? text : "no reason given";
}

/* OpenSSL's own end must not run while a thread of ours is still in it: at exit
** it frees what that one uses. */
static int lib_begin(green__library *l)
{
  if (lib.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) &&
      lib.OPENSSL_init_ssl(0, NULL))
    return 0;
  snprintf(l->why, sizeof(l->why), "%s: it did not start: %s", l->needs,
           green__tls_reason());
  return GREEN_ENOLIBRARY;
}

static green__library openssl = {
    .file = "libssl.so.3",
    .env = "GREENLUA_LIBSSL",
    .needs = "TLS needs OpenSSL 3, Debian's package libssl3",
    .names = lib_names,
    .table = &green__tls_lib,
    .n = sizeof(lib_names) / sizeof(lib_names[0]),
    .begin = lib_begin,
};

int green_tls_load(green_tls_error *why)
{
  int err = green__library_load(&openssl);
  if (why) memset(why, 0, sizeof(*why));
  if (err == 0) return 0;
  return green__tls_say(why, GREEN_ENOLIBRARY, "%s", openssl.why);
}
