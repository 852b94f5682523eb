/*
** clock.c: the system's monotonic clock.
*/

#include "base/clock.h"

#include <float.h>
#include <time.h>

int64_t green_clock_now(void)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * GREEN_SECOND + ts.tv_nsec;
}

void green_clock_rest(int64_t ns)
{
  struct timespec ts = {ns / GREEN_SECOND, ns % GREEN_SECOND};
  nanosleep(&ts, NULL);
}

int64_t green_clock_after(int64_t now, double seconds)
{
  if (!(seconds > 0)) return now;
  double ns = seconds * 1e9;
  if (ns >= (double)(GREEN_NEVER - now)) return GREEN_NEVER;
  /* Round up: a wait may be late, never early. What is no more than the error
  ** of a double is no fraction: a reading of the clock is the same deadline. */
  int64_t whole = (int64_t)ns;
  return now + whole + ((double)whole < ns - 4 * DBL_EPSILON * ns);
}
