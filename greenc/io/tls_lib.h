/*
** tls_lib.h: OpenSSL, opened when TLS is first used.
**
** Nothing is linked: a program that uses no TLS does not map libssl, and runs
** where there is none.
*/
#ifndef GREEN_TLS_LIB_H
#define GREEN_TLS_LIB_H

#include "base/err.h"

/* ffi */
enum { GREEN_TLS_TEXT = 1000 };

/* What went wrong: a code, and a sentence that names certificate, file or peer,
** without a full stop. code 0: nothing, the text is "". */
typedef struct green_tls_error {
  int code;
  char text[GREEN_TLS_TEXT];
} green_tls_error;

/* Open OpenSSL's libssl.so.3, once for the process; GREENLUA_LIBSSL names
** another file (not for programs with raised privileges). 0, or
** GREEN_ENOLIBRARY with why: it is absent or too old, and will be; why may be
** NULL. A child of a fork has what its parent had. Any thread. */
GREEN_API int green_tls_load(green_tls_error *why);
/* end ffi */

#endif
