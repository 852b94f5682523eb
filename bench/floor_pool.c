/*
** floor_pool.c: the least that a thread costs which is given a piece of work
** and says when it is done: two threads and two eventfds, a write there and a
** read here, nothing else. The thread blocks in its read; who gives it work has
** other things to wait for, and does so in libev.
**
**   floor_pool TRIPS [bare]
**
** bare: both block in their reads. Prints the fields that each subject of this
** row prints: cpu_ns, CPU time of all threads for a round trip, and wall_ns. A
** tenth as many go before and are not counted.
*/

#include <ev.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int there, back;
static long left;

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

static void trips_bare(long n)
{
  for (long i = 0; i < n; i++) {
    give(there);
    take(back);
  }
}

static void on_back(struct ev_loop *loop, ev_io *w, int revents)
{
  (void)w, (void)revents;
  take(back);
  if (--left > 0)
    give(there);
  else
    ev_break(loop, EVBREAK_ALL);
}

static void trips_in_loop(long n)
{
  static struct ev_loop *loop;
  static ev_io in;
  if (!loop) {
    loop = ev_loop_new(EVFLAG_AUTO);
    ev_io_init(&in, on_back, back, EV_READ);
    ev_io_start(loop, &in);
  }
  left = n;
  give(there);
  ev_run(loop, 0);
}

int main(int argc, char **argv)
{
  long n = argc > 1 ? atol(argv[1]) : 200000;
  void (*trips)(long) = argc > 2 ? trips_bare : trips_in_loop;
  pthread_t other;
  there = eventfd(0, 0);
  back = eventfd(0, 0);
  if (there < 0 || back < 0 || pthread_create(&other, NULL, answer, NULL))
    abort();
  trips(n / 10);
  double cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID), wall = ns_of(CLOCK_MONOTONIC);
  trips(n);
  printf("cpu_ns=%.0f wall_ns=%.0f\n",
         (ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n,
         (ns_of(CLOCK_MONOTONIC) - wall) / (double)n);
  return 0;
}
