/*
** floor_pool.c: the least that a thread costs which is given a piece of work and
** says when it is done: two threads and two eventfds, a write there and a read
** that blocks here, nothing else.
**
**   floor_pool TRIPS
**
** Prints the fields that each subject of this row prints: cpu_ns, CPU time of
** all threads for a round trip, and wall_ns. A tenth as many go before and are
** not counted.
*/

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int there, back;

static double ns_of(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void give(int fd)
{
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) != sizeof one) abort();
}

static void take(int fd)
{
  uint64_t n;
  if (read(fd, &n, sizeof n) != sizeof n) abort();
}

static void *answer(void *arg)
{
  (void)arg;
  for (;;) {
    take(there);
    give(back);
  }
}

static void trips(long n)
{
  for (long i = 0; i < n; i++) {
    give(there);
    take(back);
  }
}

int main(int argc, char **argv)
{
  long n = argc > 1 ? atol(argv[1]) : 200000;
  pthread_t other;
  there = eventfd(0, 0);
  back = eventfd(0, 0);
  if (there < 0 || back < 0 || pthread_create(&other, NULL, answer, NULL)) abort();
  trips(n / 10);
  double cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID), wall = ns_of(CLOCK_MONOTONIC);
  trips(n);
  printf("cpu_ns=%.0f wall_ns=%.0f\n",
         (ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n,
         (ns_of(CLOCK_MONOTONIC) - wall) / (double)n);
  return 0;
}
