/*
** dns_lib.h: c-ares, opened when a name server is first asked.
**
** Nothing is linked: a program that looks no name up does not map it, and one
** that does runs without it, by the system's own lookups.
*/
#ifndef GREEN_DNS_LIB_H
#define GREEN_DNS_LIB_H

#include "base/err.h"

/* ffi */
/* Open c-ares' libcares.so.2, once for the process; GREENLUA_LIBCARES names
** another file (not for programs with raised privileges). 0, or
** GREEN_ENOLIBRARY: it is absent or too old, and will be; *why is a sentence
** that says so, without a full stop, and lives for ever. why may be NULL. A
** child of a fork has what its parent had. Any thread. */
GREEN_API int green_dns_lib_load(const char **why);
/* end ffi */

#endif
