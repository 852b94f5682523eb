/*
** usage.c: reads /proc of this process.
*/

#include "base/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors that are counted one by one: that takes some milliseconds. */
#define USAGE_FDS_MOST 16384

/* The beginning of a file, with a NUL behind. Its length, or -1. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = read(fd, buf, size - 1);
  close(fd);
  buf[n < 0 ? 0 : n] = '\0';
  return n;
}

/* Seconds since 1970 at which the system was started. */
static double boot_time(void)
{
  char line[256];
  double at = -1;
  FILE *f = fopen("/proc/stat", "re");
  if (!f) return -1;
  while (at < 0 && fgets(line, sizeof(line), f))
    if (!strncmp(line, "btime ", 6)) at = strtod(line + 6, NULL);
  fclose(f);
  return at;
}

/* The numbers behind the name, which may hold anything: the state is field 3
** of proc(5)'s list, and no number. */
static void usage_read_stat(green_usage *u)
{
  char buf[1024];
  double field[25] = {0};
  if (read_file("/proc/self/stat", buf, sizeof(buf)) <= 0) return;
  char *p = strrchr(buf, ')');
  if (!p || strlen(p) < 4) return;
  p += 3;
  for (int i = 4; i < 25; i++) field[i] = strtod(p, &p);
  double ticks = (double)sysconf(_SC_CLK_TCK), boot = boot_time();
  u->threads = field[20];
  u->size = field[23];
  u->resident = field[24] * (double)sysconf(_SC_PAGESIZE);
  if (boot >= 0) u->started = boot + field[22] / ticks;
}

static double count_entries(const char *path)
{
  DIR *dir = opendir(path);
  double n = 0;
  if (!dir) return -1;
  while (n <= USAGE_FDS_MOST && readdir(dir)) n++;
  closedir(dir);
  /* Without "." and "..", and the one that was open meanwhile. */
  return n > USAGE_FDS_MOST ? -1 : n - 3;
}

static double count_fds(void)
{
  struct stat st;
  if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
    return (double)st.st_size;
  return count_entries("/proc/self/fd");
}

static double seconds(struct timeval t)
{
  return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

void green_usage_get(green_usage *u)
{
  struct rusage used;
  struct rlimit limit;
  *u = (green_usage){-1, -1, -1, -1, -1, -1, -1, -1};
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    u->cpu_user = seconds(used.ru_utime);
    u->cpu_system = seconds(used.ru_stime);
  }
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    u->max_fds =
        limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur;
  u->fds = count_fds();
  usage_read_stat(u);
}
