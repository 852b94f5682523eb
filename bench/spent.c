/*
** spent.c: what a command and those it waited for have used, from start to end.
**
**   spent COMMAND [ARG...]
**
** Its output is thrown away. Prints wall_s, cpu_s, and rss, the most memory
** that one of them held. Status 1 when it fails.
*/

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds_of(struct timeval t)
{
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
  pid_t pid;
  int status;
  struct rusage usage;
  posix_spawn_file_actions_t acts;
  if (argc < 2) {
    fputs("usage: spent COMMAND [ARG...]\n", stderr);
    return 2;
  }
  posix_spawn_file_actions_init(&acts);
  posix_spawn_file_actions_addopen(&acts, 1, "/dev/null", O_WRONLY, 0);
  double start = now();
  if (posix_spawnp(&pid, argv[1], &acts, NULL, argv + 1, environ) != 0)
    return 1;
  if (wait4(pid, &status, 0, &usage) < 0 || status != 0) return 1;
  printf("wall_s=%.3f cpu_s=%.6f rss=%ld\n", now() - start,
         seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
         usage.ru_maxrss * 1024);
  return 0;
}
