/*
** growth.c: do costs grow? The same as growth.lua, for what Lua cannot reach.
**
** Prints a line a name: <name>_n; <name>_1, _2, _4, microseconds of CPU time
** each at n, 2n and 4n; <name>_exponent, of the time that all take together.
**
** idle_add  one fd into an idle set and out of it again, behind n that have
**           expired and that nobody took
** poll      a turn of the poll backend with n armed fds that are silent, per
**           fd; poll_2000 begins with more
*/

#include "base/err.h"
#include "hub/hub.h"
#include "hub/idle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

enum { TIMES = 5, BATCH = 16 };

#define ENOUGH_NS 20e6

/* A set of fds with nothing to read. */
typedef struct den {
  green_hub *hub;
  green_idle set;
  green_fd *f;
  int n;
} den;

static double cpu_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void check(int err, const char *what)
{
  if (err >= 0) return;
  fprintf(stderr, "growth: %s failed: %s\n", what, green_err_text(err));
  exit(1);
}

static void den_open(den *d, const char *backend, int64_t timeout, int n)
{
  check(green_hub_new(&d->hub, backend), "green_hub_new");
  check(green_hub_set_virtual(d->hub, 1), "green_hub_set_virtual");
  green_idle_init(&d->set, d->hub, timeout);
  d->n = n;
  d->f = calloc((size_t)n, sizeof *d->f);
  if (!d->f) check(GREEN_ENOMEM, "calloc");
  for (int i = 0; i < n; i++)
    check(green_fd_open(&d->f[i], d->hub, eventfd(0, 0)), "eventfd");
}

static void den_close(den *d)
{
  green_idle_deinit(&d->set);
  for (int i = 0; i < d->n; i++) green_fd_close(&d->f[i]);
  green_hub_free(d->hub);
  free(d->f);
}

static void add(den *d, int i)
{
  check(green_idle_add(&d->set, &d->f[i]), "green_idle_add");
}

/* -- Cases ---------------------------------------------------------------- */

/* What one call takes, called as often as can be measured. */
static double call_ns(void (*call)(den *d), den *d)
{
  double start = cpu_ns(), ns;
  int calls = 0;
  do {
    for (int i = 0; i < BATCH; i++) call(d);
    calls += BATCH;
    ns = cpu_ns() - start;
  } while (ns < ENOUGH_NS);
  return ns / calls;
}

static void come_and_go(den *d)
{
  add(d, d->n - 1);
  green_idle_remove(&d->f[d->n - 1]);
}

static double idle_add_ns(int n)
{
  den d;
  den_open(&d, NULL, GREEN_SECOND, n + 1);
  /* Not in the order of memory, which some n would find easier than others. */
  for (int i = 0; i < n; i++) add(&d, (int)(i * 7919LL % n));
  green_hub_advance(d.hub, 2 * GREEN_SECOND);
  green_hub_turn(d.hub, 0);
  if (d.set.n_ready != (uint32_t)n) check(GREEN_EINVAL, "expiring");
  double ns = call_ns(come_and_go, &d);
  den_close(&d);
  return ns;
}

static void turn(den *d)
{
  green_hub_turn(d->hub, 0);
}

static double poll_ns(int n)
{
  den d;
  den_open(&d, "poll", GREEN_NEVER, n);
  for (int i = 0; i < n; i++) add(&d, i);
  turn(&d); /* The poll is told of them. */
  double ns = call_ns(turn, &d) / n;
  den_close(&d);
  return ns;
}

static const struct {
  const char *name;
  int n;
  double (*ns)(int n);
} cases[] = {
    {"idle_add", 2000, idle_add_ns},
    {"poll_1000", 1000, poll_ns},
    {"poll_2000", 2000, poll_ns},
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

/* -- Measuring ------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(const char *name, int n, double (*ns)(int n))
{
  double each[3][TIMES];
  for (int time = 0; time < TIMES; time++)
    for (int k = 0; k < 3; k++) each[k][time] = ns(n << k);
  printf("%s_n=%d", name, n);
  for (int k = 0; k < 3; k++) {
    qsort(each[k], TIMES, sizeof each[k][0], compare);
    printf(" %s_%d=%.4f", name, 1 << k, each[k][TIMES / 2] / 1e3);
  }
  double grown = each[2][TIMES / 2] / each[0][TIMES / 2];
  printf(" %s_exponent=%.2f\n", name, 1 + log(grown) / log(4));
}

int main(void)
{
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (int i = 0; i < N_CASES; i++)
    measure(cases[i].name, cases[i].n, cases[i].ns);
  return 0;
}
