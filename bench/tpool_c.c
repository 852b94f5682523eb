/*
** tpool_c.c: a job of a native pool whose work is nothing: submitted by a hub,
** done in a thread, delivered by the hub's next turn, which submits the next.
**
**   tpool_c TRIPS
**
** Prints what floor_pool.c prints.
*/

#include "hub/hub.h"
#include "io/tpool.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long left;
static int over;

static double ns_of(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void nothing(green_job *job)
{
  (void)job;
}

static void next(green_job *job)
{
  over = --left <= 0;
  if (!over && green_job_submit(job->pool, job) < 0) abort();
}

static void trips(green_hub *hub, green_tpool *pool, long n)
{
  green_job job = {.work = nothing, .done = next};
  left = n;
  over = 0;
  if (green_job_submit(pool, &job) < 0 || green_hub_run(hub, &over) < 0)
    abort();
}

int main(int argc, char **argv)
{
  long n = argc > 1 ? atol(argv[1]) : 200000;
  green_hub *hub;
  if (green_hub_new(&hub, NULL) < 0) abort();
  green_tpool *pool = green_tpool_new(hub);
  if (!pool) abort();
  trips(hub, pool, n / 10);
  double cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID), wall = ns_of(CLOCK_MONOTONIC);
  trips(hub, pool, n);
  printf("cpu_ns=%.0f wall_ns=%.0f\n",
         (ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n,
         (ns_of(CLOCK_MONOTONIC) - wall) / (double)n);
  green_tpool_free(pool);
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return 0;
}
