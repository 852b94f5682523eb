/*
** clock.h: monotonic nanoseconds, and how durations become deadlines.
**
** A deadline is an absolute int64_t of nanoseconds on the hub's clock.
** GREEN_NEVER is later than every deadline; 0 means "try, do not wait".
*/
#ifndef GREEN_CLOCK_H
#define GREEN_CLOCK_H

#include "base/err.h"

#include <stdint.h>

#define GREEN_NEVER INT64_MAX
#define GREEN_SECOND INT64_C(1000000000)

/* ffi */
/* Nanoseconds of CLOCK_MONOTONIC. Any thread. */
GREEN_API int64_t green_clock_now(void);

/* Let other threads and processes have the processor for about that many
** nanoseconds: this thread does nothing else. A signal may end it sooner. Any
** thread. */
GREEN_API void green_clock_rest(int64_t ns);
/* end ffi */

/* now + seconds, saturating: negative and NaN count as 0, anything beyond 292
** years (infinity too) gives GREEN_NEVER. Any thread. */
GREEN_API int64_t green_clock_after(int64_t now, double seconds);

#endif
