/*
** startup.c: how long a command takes from fork to its end.
**
**   startup TIMES COMMAND [ARG...]
**
** Prints wall_us and cpu_us, the medians. Status 1 when the command fails.
*/

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { TIMES_MAX = 1000 };

static double wall_us(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double timeval_us(struct timeval t)
{
  return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Run it once. 0, or -1 when it did not end with status 0. */
static int run(char **argv, double *wall, double *cpu)
{
  pid_t pid;
  int status;
  struct rusage usage;
  double start = wall_us();
  if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0) return -1;
  if (wait4(pid, &status, 0, &usage) < 0) return -1;
  *wall = wall_us() - start;
  *cpu = timeval_us(usage.ru_utime) + timeval_us(usage.ru_stime);
  return status == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
  static double wall[TIMES_MAX], cpu[TIMES_MAX];
  int times = argc > 2 ? atoi(argv[1]) : 0;
  if (times < 1 || times > TIMES_MAX) {
    fputs("usage: startup TIMES COMMAND [ARG...]\n", stderr);
    return 2;
  }
  for (int i = 0; i < times; i++) {
    if (run(argv + 2, &wall[i], &cpu[i]) == 0) continue;
    fprintf(stderr, "startup: %s failed\n", argv[2]);
    return 1;
  }
  qsort(wall, (size_t)times, sizeof *wall, compare);
  qsort(cpu, (size_t)times, sizeof *cpu, compare);
  printf("wall_us=%.0f cpu_us=%.0f\n", wall[times / 2], cpu[times / 2]);
  return 0;
}
