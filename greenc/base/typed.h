/*
** typed.h: numbers that somebody has typed: behind an option, or into a
** variable of the environment. What is wrong with one is said in one way.
** Any thread.
*/
#ifndef GREEN_TYPED_H
#define GREEN_TYPED_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
/* What is wanted. */
typedef struct green_typed {
  const char *what; /* "number of seconds" */
  double least, most;
  const char *other; /* What else will do, in words; NULL: nothing. */
  uint8_t is_whole;
  uint8_t or_zero; /* 0 is one, too; then the words are "0". */
} green_typed;

/* Read the decimal number that the whole text is: 0, and *value; or
** GREEN_EINVAL: it is none, or not such a one. */
GREEN_API int green_typed_read(const green_typed *t, const char *text,
                               double *value);

/* Write what is wrong with the text behind name ("--watchdog=", "-m "):
** "--watchdog=x: a number of seconds from 0.001 to 86400, or 0, is wanted". Of
** a long text that is the beginning, and no control characters are in it. The
** end is cut off where out has no room. */
GREEN_API void green_typed_explain(const green_typed *t, const char *name,
                                   const char *text, char *out, size_t size);
/* end ffi */

#endif
