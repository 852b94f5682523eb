/*
** counter.h: whole numbers of 64 bits that threads and processes count in.
**
** No lock: each call is one atomic operation of the processor, so nobody waits
** and who is killed leaves nothing half done. They wrap at 2^63. See shm.h for
** who shares a name.
*/
#ifndef GREEN_COUNTER_H
#define GREEN_COUNTER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
typedef struct green_counter {
  int64_t value;
} green_counter;

/* The counter of that name of n bytes (at most 255), made with the value start
** if there is none; it lives as long as the process. NULL and *code:
** GREEN_ENOMEM, GREEN_EBUSY, or what the system says when it gives no memory.
** Any thread, this and all that follow. */
GREEN_API green_counter *green_counter_named(const char *name, size_t n,
                                             double start, int *code);

/* Numbers are doubles here, as Lua has them: exact up to 2^53 from 0, the
** nearest double beyond. What is given is a whole number. */
GREEN_API double green_counter_get(const green_counter *c);
GREEN_API int64_t green_counter_get64(const green_counter *c);
GREEN_API void green_counter_set(green_counter *c, double value);

/* Add by, which may be negative; the new value. */
GREEN_API double green_counter_add(green_counter *c, double by);

/* If it is *expected, make it value: 1. Else 0, and *expected is what it is. */
GREEN_API int green_counter_swap(green_counter *c, double *expected,
                                 double value);
/* end ffi */

#endif
