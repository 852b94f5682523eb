/*
** tls_error.c: the failure of a connection, the first one.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

/* What is said when there is no memory to say anything. */
static const green_tls_error no_memory = {GREEN_ENOMEM, "out of memory"};

int green__tls_fail(green_tls *t, int code, const char *format, ...)
{
  va_list args;
  if (t->error) return t->error->code;
  green_tls_error *e = NULL;
  if (code != GREEN_ENOMEM) e = green__zalloc(sizeof(*e));
  t->error = e ? e : &no_memory;
  if (!e) return GREEN_ENOMEM;
  va_start(args, format);
  green__tls_vsay(e, code, format, args);
  va_end(args);
  return code;
}

void green__tls_forgive(green_tls *t)
{
  const green_tls_error *e = t->error;
  t->error = NULL;
  lib.X509_free(t->bad_cert);
  t->bad_cert = NULL;
  if (e != &no_memory) green__free((void *)(uintptr_t)e);
}
