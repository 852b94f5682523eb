/*
** tally.h: how many there are of each of many keys.
**
** Memory is for the keys of which there are some. Whoever chooses keys cannot
** make it slow: where they stand depends on a secret.
*/
#ifndef GREEN_TALLY_H
#define GREEN_TALLY_H

#include "base/err.h"

#include <stdint.h>

typedef struct green_tallied {
  uint64_t key;
  uint32_t n; /* 0: an empty place. */
} green_tallied;

/* Embed in the owner, zeroed. */
typedef struct green_tally {
  green_tallied *a;
  uint32_t cap; /* A power of two, or 0. */
  uint32_t len; /* Keys. */
  uint64_t secret;
} green_tally;

/* Forget all. It may be used again. */
GREEN_API void green_tally_deinit(green_tally *t);

/* One more. 0 or GREEN_ENOMEM. */
GREEN_API int green_tally_add(green_tally *t, uint64_t key);

/* One less: there is one. */
GREEN_API void green_tally_drop(green_tally *t, uint64_t key);

GREEN_API uint32_t green_tally_count(const green_tally *t, uint64_t key);

#endif
