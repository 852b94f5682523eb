/*
** meter.c: clocks, CPU and memory of a process tree, histogram.
*/

#include "meter.h"

#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>

/* -- A process tree ------------------------------------------------------- */

typedef int64_t process_fn(pid_t pid);

static int64_t tree_sum(pid_t pid, process_fn *one);

/* The children that one thread of the process has started. */
static int64_t children_sum(pid_t pid, const char *tid, process_fn *one)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid);
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  int64_t sum = 0;
  for (int child; fscanf(f, "%d", &child) == 1;) sum += tree_sum(child, one);
  fclose(f);
  return sum;
}

static int64_t tree_sum(pid_t pid, process_fn *one)
{
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *tasks = opendir(path);
  if (!tasks) return 0;
  int64_t sum = one(pid);
  for (const struct dirent *e; (e = readdir(tasks));)
    if (e->d_name[0] != '.') sum += children_sum(pid, e->d_name, one);
  closedir(tasks);
  return sum;
}

static int64_t process_cpu(pid_t pid)
{
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0) return 0;
  if (clock_gettime(clock, &t) != 0) return 0;
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t process_rss(pid_t pid)
{
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  long long pages = 0;
  if (fscanf(f, "%*s %lld", &pages) != 1) pages = 0;
  fclose(f);
  return pages * sysconf(_SC_PAGESIZE);
}

/* -- Histogram ------------------------------------------------------------ */

/* The first METER_SUB values have a bucket each; from there every doubling is
** split into METER_SUB buckets. */
static unsigned bucket_of(uint64_t v)
{
  if (v < METER_SUB) return (unsigned)v;
  unsigned shift = 63u - (unsigned)__builtin_clzll(v) - 5;
  return (shift + 1) * METER_SUB + (unsigned)((v >> shift) - METER_SUB);
}

static int64_t bucket_low(unsigned b)
{
  if (b < METER_SUB) return b;
  return (int64_t)(METER_SUB + b % METER_SUB) << (b / METER_SUB - 1);
}

/* -- Public --------------------------------------------------------------- */

int64_t meter_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int meter_pin(int cpu)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  return sched_setaffinity(0, sizeof set, &set);
}

int64_t meter_cpu(pid_t pid)
{
  return tree_sum(pid, process_cpu);
}

int64_t meter_rss(pid_t pid)
{
  return tree_sum(pid, process_rss);
}

void meter_add(meter_histogram *h, int64_t ns)
{
  if (ns < 0) ns = 0;
  if (ns > h->max) h->max = ns;
  h->count++;
  h->bucket[bucket_of((uint64_t)ns)]++;
}

int64_t meter_quantile(const meter_histogram *h, double share)
{
  uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
  for (unsigned b = 0; b < METER_BUCKETS; b++) {
    seen += h->bucket[b];
    if (seen > wanted) return bucket_low(b);
  }
  return h->max;
}
