/*
** floor_process.c: what starting programs costs, in bare C.
**
**   floor_process start COUNT ATONCE   posix_spawn and waitid of /bin/true
**   floor_process stall MEGABYTES      how long posix_spawn keeps such a parent
**   floor_process read                 1 GB from head to cat
**
** Prints CPU of this process and those it waited for: cpu_us a program, cpu_ms.
*/

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds_of(struct timeval t)
{
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Seconds of CPU, ours and our children's. */
static double cpu(void)
{
  struct rusage us, them;
  getrusage(RUSAGE_SELF, &us);
  getrusage(RUSAGE_CHILDREN, &them);
  return seconds_of(us.ru_utime) + seconds_of(us.ru_stime) +
         seconds_of(them.ru_utime) + seconds_of(them.ru_stime);
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start(const char *path, char **argv)
{
  pid_t pid;
  if (posix_spawn(&pid, path, NULL, NULL, argv, environ) != 0) abort();
}

static void wait_for_one(void)
{
  siginfo_t info;
  if (waitid(P_ALL, 0, &info, WEXITED) < 0) abort();
}

static void start_many(int count, int at_once)
{
  char *argv[] = {"true", NULL};
  int running = 0;
  double before = cpu();
  for (int i = 0; i < count; i++, running++) {
    if (running == at_once) {
      wait_for_one();
      running--;
    }
    start("/bin/true", argv);
  }
  while (running--) wait_for_one();
  double us = (cpu() - before) * 1e6 / count;
  printf("cpu_us=%.1f run_us=%.1f\n", us, us);
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void stall(size_t megabytes)
{
  enum { N = 41 };
  double took[N];
  char *argv[] = {"true", NULL};
  char *memory = malloc(megabytes << 20);
  if (!memory) abort();
  memset(memory, 1, megabytes << 20);
  for (int i = 0; i < N; i++) {
    double before = now();
    start("/bin/true", argv);
    took[i] = now() - before;
    wait_for_one();
  }
  qsort(took, N, sizeof(took[0]), by_size);
  printf("stall_ms=%.3f\n", took[N / 2] * 1e3);
  free(memory);
}

static void read_much(void)
{
  char *argv[] = {"sh", "-c", "head -c 1G /dev/zero | cat >/dev/null", NULL};
  double before = cpu();
  start("/bin/sh", argv);
  wait_for_one();
  printf("cpu_ms=%.0f\n", (cpu() - before) * 1e3);
}

int main(int argc, char **argv)
{
  if (argc == 4 && !strcmp(argv[1], "start"))
    start_many(atoi(argv[2]), atoi(argv[3]));
  else if (argc == 3 && !strcmp(argv[1], "stall"))
    stall((size_t)atoi(argv[2]));
  else if (argc == 2 && !strcmp(argv[1], "read"))
    read_much();
  else
    return 2;
  return 0;
}
