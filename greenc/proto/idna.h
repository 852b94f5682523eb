/*
** idna.h: names of hosts in other scripts than ASCII, to what DNS has and back.
**
** By libidn2 (UTS 46, not transitional, and IDNA 2008), which is opened when
** the first name that needs it comes. ASCII names need none.
**
** Any thread, all of it.
*/
#ifndef GREEN_IDNA_H
#define GREEN_IDNA_H

#include "base/err.h"

#include <stddef.h>

/* ffi */
enum {
  GREEN_IDNA_NAME = 1024, /* Bytes of a name that are read. */
  GREEN_IDNA_TEXT = 256,  /* Room for the longest ASCII name and a NUL. */
  GREEN_IDNA_SHOWN = 1024,
  GREEN_IDNA_WHY = 300,
};

/* What is wrong: a code and a sentence without a full stop. code 0: nothing,
** the text is "". */
typedef struct green_idna_error {
  int code;
  char text[GREEN_IDNA_WHY];
} green_idna_error;

/* Open libidn2.so.0, once for the process; GREENLUA_LIBIDN2 names another file.
** 0, or GREEN_ENOLIBRARY: it is absent or too old, and will be. A child of a
** fork has what its parent had. */
GREEN_API int green_idna_load(green_idna_error *why);

/* The name as DNS has it: ASCII, in lower case, labels of 1 to 63 bytes, 253
** bytes without the dot that it may end in, which is kept. Labels of ASCII keep
** their other bytes ("_sip"), without blanks and control bytes; in a name with
** others all labels are letters, digits, "-" and "_". "." is the root.
** The length without the NUL that is written, too; GREEN_EINVAL,
** GREEN_ENOLIBRARY (not ASCII, and no libidn2), GREEN_ENOMEM, or
** GREEN_EOVERFLOW (GREEN_IDNA_TEXT always suffices). why may be NULL. */
GREEN_API int green_idna_to_ascii(char *out, size_t size, const char *name,
                                  size_t n, green_idna_error *why);

/* The name to show to people, in UTF-8. Itself, when it has no "xn--", when
** nobody can tell what that stands for (no libidn2, no memory), and when
** green_idna_to_ascii would not make it again. The length without the NUL; or
** GREEN_EOVERFLOW: GREEN_IDNA_SHOWN suffices for what has at most 253 bytes. */
GREEN_API int green_idna_to_unicode(char *out, size_t size, const char *name,
                                    size_t n);
/* end ffi */

#endif
