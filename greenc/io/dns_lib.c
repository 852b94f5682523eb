/*
** dns_lib.c: c-ares' functions, and its memory.
*/

#include "io/dns_priv.h"

#include "base/library.h"
#include "base/mem.h"

#include <stdio.h>

green__dns_table green__dns_lib;

static const char *const lib_names[] = {
#define X(name) #name,
    GREEN__DNS_FUNCTIONS(X)
#undef X
};

/* Memory is ours unless somebody else in this process uses c-ares already; who
** comes later gets on with ours, which is the C library's. */
static int lib_begin(green__library *l)
{
  const green__dns_table *a = &green__dns_lib;
  if (a->ares_library_initialized() == ARES_SUCCESS) return 0;
  if (a->ares_library_init_mem(ARES_LIB_INIT_ALL, green__alloc, green__free,
                               green__realloc) == ARES_SUCCESS)
    return 0;
  snprintf(l->why, sizeof(l->why), "%s: c-ares did not start", l->needs);
  return GREEN_ENOLIBRARY;
}

static green__library cares = {
    .file = "libcares.so.2",
    .env = "GREENLUA_LIBCARES",
    .needs = "questions to name servers need c-ares, Debian's package "
             "libc-ares2",
    .names = lib_names,
    .table = &green__dns_lib,
    .n = sizeof(lib_names) / sizeof(lib_names[0]),
    .begin = lib_begin,
};

int green_dns_lib_load(const char **why)
{
  int err = green__library_load(&cares);
  if (why) *why = cares.why;
  return err;
}
