/*
** census.h: texts, how often each was seen, and how much it stood for.
**
** Its memory is bounded: texts that come when it is full are counted together,
** as the others.
*/
#ifndef GREEN_CENSUS_H
#define GREEN_CENSUS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct green_counted {
  uint64_t hash;
  char *text; /* With a NUL behind it; NULL: an empty place. */
  size_t len;
  uint64_t count;
  double value;
} green_counted;

/* Embed in the owner. */
typedef struct green_census {
  green_counted *a;
  uint32_t cap; /* A power of two, or 0. */
  uint32_t len; /* Texts. */
  size_t bytes; /* That it has, */
  size_t most;  /* and may have. */
  uint64_t secret[2];
  green_counted others; /* Without a text. */
} green_census;

GREEN_API void green_census_init(green_census *c, size_t most);
GREEN_API void green_census_deinit(green_census *c);

/* The text was seen times more, and stands for value more. Where there is no
** memory for it the others were. */
GREEN_API void green_census_add(green_census *c, const char *text, size_t len,
                                uint64_t times, double value);

/* The next text from place *i on, which is moved behind it; NULL: there are no
** more. In no order. */
GREEN_API const green_counted *green_census_next(const green_census *c,
                                                 uint32_t *i);

#endif
