/*
** env.h: what the environment says of greenlua: the variables GREENLUA_* and
** those of libraries that it honours.
**
** All of greenlua asks here, so that one word (greenlua -E) makes it deaf, and
** a program that has more rights than its user never listens.
*/
#ifndef GREEN_ENV_H
#define GREEN_ENV_H

#include "base/err.h"

#include <stdbool.h>

/* ffi */
/* The value of a variable; NULL: not set, empty, or nobody listens. */
GREEN_API const char *green_env(const char *name);
/* end ffi */

/* From here on green_env says NULL, in the whole process. Before the first
** runtime. */
GREEN_API void green_env_ignore(void);

GREEN_API bool green_env_is_ignored(void);

#endif
