/*
** load.h: how much a server has to do: how long its requests take, how they are
** answered, and how many come a second. Measured where somebody asks for it.
*/
#ifndef GREEN_LOAD_H
#define GREEN_LOAD_H

#include "base/histogram.h"

struct green_httpd; /* httpd.h */

/* Whole seconds that are looked back on, and room for them: a power of two with
** the present one in it. */
enum { GREEN_LOAD_BACK = 10, GREEN_LOAD_SECONDS = 16 };

/* Read-only. */
typedef struct green_httpd_load {
  green_histogram times; /* From the poll that brought the end of a head until
                            its answer is made; refused ones count, those that
                            were taken over do not. */
  uint64_t answers[6];   /* By the first digit of their status; [0]: none was
                            begun. */
  int64_t since;         /* When it began. */
  int64_t seconds[GREEN_LOAD_SECONDS]; /* The latest, each at its number modulo
                                          their count, */
  uint32_t counts[GREEN_LOAD_SECONDS]; /* and how many were answered in it. */
} green_httpd_load;

/* Measure from here on: a reading of the clock a request. 0,
** also when it is done already; GREEN_ENOMEM; GREEN_ECLOSED. */
GREEN_API int green_httpd_measure(struct green_httpd *d);

/* What was measured so far, until the server's end; NULL: nothing is. */
GREEN_API const green_httpd_load *
green_httpd_measured(const struct green_httpd *d);

/* Answers a second: the mean of the last GREEN_LOAD_BACK whole seconds, or of
** those since it began; now is of the hub's clock. */
GREEN_API double green_httpd_load_rate(const green_httpd_load *l, int64_t now);

#endif
