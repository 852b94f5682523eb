/*
** glob.h: does a name match a pattern with wildcards?
**
** `*` any bytes, `?` one character, `[a-z]` one of these, `[!a-z]` or `[^a-z]`
** one of the others; `\` takes the meaning of what follows. A bracket that is
** not closed stands for itself, and a `]` that is the first in one, too.
** Characters are UTF-8; a byte that is none is a character of its own. A name
** of n bytes and a pattern of m cost n * m steps at most, whatever they are.
** Any thread.
*/
#ifndef GREEN_PROTO_GLOB_H
#define GREEN_PROTO_GLOB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* ffi */
/* Does all of the name match all of the pattern? */
GREEN_API bool green_glob_match(const char *pattern, size_t m, const char *name,
                                size_t n);

/* Is there a wildcard in it, or a `\`? If not, only the same text matches. */
GREEN_API bool green_glob_is_pattern(const char *pattern, size_t m);
/* end ffi */

#endif
