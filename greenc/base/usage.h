/*
** usage.h: what the system has given to this process.
*/
#ifndef GREEN_USAGE_H
#define GREEN_USAGE_H

#include "base/err.h"

/* ffi */
/* -1: the system does not say. */
typedef struct green_usage {
  double cpu_user; /* Seconds of its processors, of all threads together. */
  double cpu_system;
  double resident; /* Bytes of memory that are there, */
  double size;     /* and of all addresses. */
  double fds;      /* Open descriptors; not counted where they are very many and
                      the system (Linux before 6.2) does not know it. */
  double max_fds;  /* As many may be open; infinity: any number. */
  double threads;  /* Native ones. */
  double started;  /* Seconds since 1970. */
} green_usage;

/* Ask for all of it. Reads files of /proc, which waits for nothing. Any
** thread. */
GREEN_API void green_usage_get(green_usage *u);
/* end ffi */

#endif
