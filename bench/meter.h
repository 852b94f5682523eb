/*
** meter.h: what the load generator measures with: clocks, the CPU time and
** memory of another process, and a histogram of latencies.
*/
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdint.h>
#include <sys/types.h>

/* Monotonic nanoseconds. */
int64_t meter_now(void);

/* Bind this process to one CPU. 0, or -1 with errno. */
int meter_pin(int cpu);

/* CPU nanoseconds that a process and all its descendants have used so far, to
** the nanosecond (each process's own CPU clock, not the ticks of stat). */
int64_t meter_cpu(pid_t pid);

/* Resident bytes of a process and all its descendants. */
int64_t meter_rss(pid_t pid);

/* Latencies in buckets of 3 % width. Zeroed is empty. */
enum { METER_SUB = 32, METER_BUCKETS = 64 * METER_SUB };

typedef struct meter_histogram {
  uint64_t count;
  int64_t max;
  uint64_t bucket[METER_BUCKETS];
} meter_histogram;

void meter_add(meter_histogram *h, int64_t ns);

/* The value below which this share (0..1) of the values lies. */
int64_t meter_quantile(const meter_histogram *h, double share);

#endif
