/*
** roster_test.c: who looks at native threads sees each whole, whatever becomes
** of it meanwhile.
*/

/* wrap: mkdirat getaddrinfo */

#include "child.h"
#include "io/disk.h"
#include "io/lookup.h"
#include "io/roster.h"
#include "io/tpool_kit.h"

#include <errno.h>
#include <netdb.h>
#include <sys/stat.h>
#include <time.h>

static green_hub *hub;

static int count(void)
{
  int n = 0;
  green_native all;
  for (uint64_t at = 1; green_roster_next(at, &all); at = all.number + 1) n++;
  return n;
}

static int count_of(int state)
{
  int n = 0;
  green_native all;
  for (uint64_t at = 1; green_roster_next(at, &all); at = all.number + 1)
    n += all.state == state;
  return n;
}

static void wait_count_of(int state, int n)
{
  while (count_of(state) != n) usleep(500);
}

static void job_note(const green_job *j, green_job_note *n)
{
  snprintf(n->what, sizeof(n->what), "job %d",
           green_container(j, job, job)->status);
  n->by = 7;
  strcpy(n->name, "worker");
}

static green_tpool *pool_new(int threads)
{
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, threads);
  return p;
}

static void submit(green_tpool *p, job *j, atomic_int *gate)
{
  job_init(j, gate);
  j->job.note = job_note;
  if (green_job_submit(p, &j->job) < 0) abort();
}

/* A new pool's only thread is at the job, and behind the gate. */
static green_tpool *pool_at_work(job *j, atomic_int *gate)
{
  green_tpool *p = pool_new(1);
  submit(p, j, gate);
  wait_begun(j);
  return p;
}

/* -- One thread ----------------------------------------------------------- */

static void test_nobody(void)
{
  green_native n;
  green_tpool *p = pool_new(1);
  is(green_roster_next(1, &n), 0, "before the first job there is no thread");
  green_tpool_free(p);
}

static void test_work_and_rest(void)
{
  job j;
  green_native n;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  int64_t before = green_clock_now();
  submit(p, &j, &gate);
  wait_begun(&j);
  is(green_roster_next(1, &n), 1, "with a job there is");
  is(n.state, GREEN_NATIVE_AT_WORK, "it is at work");
  is_str(n.note.what, "job 99", "at that job");
  is_str(n.note.name, "worker", "of somebody");
  ok(n.note.by == 7 && n.hub == hub, "of this hub");
  ok(n.since >= before && n.since <= green_clock_now(), "since then");
  ok(n.tid > 0 && n.tid != (int)getpid(), "and the system knows it");
  is(green_roster_next(n.number + 1, &n), 0, "it is the only one");
  gate = 1;
  wait_over(&j, p);
  is(green_roster_next(1, &n), 1, "when the job is over it is there still");
  is(n.state, GREEN_NATIVE_IDLE, "idle");
  ok(!*n.note.what && !n.hub && !n.note.by, "and says nothing of a job");
  green_hub_run(hub, &j.done);
  green_tpool_stop(p);
  is(count(), 0, "with the threads it is empty again");
  green_tpool_free(p);
}

static void visit(const green_job *j, void *arg)
{
  *(const green_job **)arg = j;
}

static void test_visit(void)
{
  job j, k;
  green_native n;
  const green_job *seen = NULL;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  is(green_roster_visit(1, 1, visit, &seen), 0, "nobody is visited");
  submit(p, &j, &gate);
  wait_begun(&j);
  green_roster_next(1, &n);
  is(green_roster_visit(n.number, n.jobs, visit, &seen), 1, "a visit");
  ok(seen == &j.job, "finds the job");
  is(green_roster_visit(n.number + 1, n.jobs, visit, &seen), 0,
     "of that thread alone");
  gate = 1;
  green_hub_run(hub, &j.done);
  wait_idle(p, 1);
  is(green_roster_visit(n.number, n.jobs, visit, &seen), 0,
     "while it is there");
  gate = 0;
  submit(p, &k, &gate);
  wait_begun(&k);
  is(green_roster_visit(n.number, n.jobs, visit, &seen), 0,
     "and not the next one");
  gate = 1;
  green_hub_run(hub, &k.done);
  green_tpool_free(p);
}

/* -- What jobs use -------------------------------------------------------- */

typedef struct bill {
  green_meter meter;
  int n;
  int64_t ns;
} bill;

static void bill_add(green_meter *m, const green_job *j, int64_t ns)
{
  bill *b = green_container(m, bill, meter);
  (void)j;
  b->n++;
  b->ns += ns;
}

static int64_t cpu_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * GREEN_SECOND + t.tv_nsec;
}

enum { SPIN = 20000000 };

static int64_t taken;

static void take(green_meter *m, int64_t ns, void *arg)
{
  (void)m;
  (void)arg;
  taken += ns;
}

/* It uses so much, and says so in the middle. */
static void spin_work(green_job *j)
{
  int64_t until = cpu_now() + SPIN;
  green_container(j, job, job)->begun++;
  while (cpu_now() < until) continue;
  green_meter_take(j, take, NULL);
  until = cpu_now() + SPIN;
  while (cpu_now() < until) continue;
}

static void test_meter(void)
{
  job j;
  bill mine = {.meter = {.hub = hub, .add = bill_add}};
  bill other = {.meter = {.hub = &mine, .add = bill_add}};
  green_tpool *p = pool_new(1);
  green_meter_add(&mine.meter);
  green_meter_add(&other.meter);
  job_init(&j, NULL);
  j.job.work = spin_work;
  green_job_submit(p, &j.job);
  green_hub_run(hub, &j.done);
  is(mine.n, 1, "a meter hears of a job when it is over,");
  ok(taken >= SPIN && mine.ns >= SPIN, "of what was not taken before");
  is(other.n, 0, "another hub's does not");
  green_meter_remove(&mine.meter);
  green_meter_remove(&mine.meter);
  green_meter_remove(&other.meter);
  green_job_submit(p, &j.job);
  j.done = 0;
  green_hub_run(hub, &j.done);
  is(mine.n, 1, "nothing when it was removed");
  green_tpool_free(p);
}

static void test_meter_amid(void)
{
  job j;
  atomic_int gate = 0;
  bill mine = {.meter = {.hub = hub, .add = bill_add}};
  green_tpool *p = pool_at_work(&j, &gate);
  green_meter_add(&mine.meter);
  green_meter_remove(&mine.meter);
  is(mine.n, 1, "one that runs pays when the meter is removed");
  ok(mine.ns >= 0 && mine.ns < GREEN_SECOND * 10, "for its time alone");
  gate = 1;
  green_hub_run(hub, &j.done);
  is(mine.n, 1, "and not once more");
  green_tpool_free(p);
}

static void test_no_thread(void)
{
  job j;
  green_tpool *p = pool_new(0);
  submit(p, &j, NULL);
  is(count(), 0, "what the hub does itself is no thread's");
  green_hub_run(hub, &j.done);
  green_tpool_free(p);
}

static void test_no_words(void)
{
  job j;
  green_native n;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  job_init(&j, &gate);
  green_job_submit(p, &j.job);
  wait_begun(&j);
  ok(green_roster_next(1, &n) && n.state == GREEN_NATIVE_AT_WORK &&
         !*n.note.what,
     "a job without words has none");
  gate = 1;
  green_hub_run(hub, &j.done);
  green_tpool_free(p);
}

/* -- Its ends ------------------------------------------------------------- */

static void test_lost(void)
{
  job j;
  green_native n;
  atomic_int gate = 0;
  green_tpool *p = pool_at_work(&j, &gate);
  green_job_lose(&j.job);
  green_roster_next(1, &n);
  is(n.state, GREEN_NATIVE_LOST, "a job that was given up");
  is_str(n.note.what, "job 99", "is at it still");
  gate = 1;
  while (!j.dropped) usleep(500);
  while (count()) usleep(500);
  green_tpool_free(p);
}

static void test_pool_freed(void)
{
  job j;
  green_native n;
  atomic_int gate = 0;
  green_tpool *p = pool_at_work(&j, &gate);
  green_tpool_free(p);
  green_roster_next(1, &n);
  ok(n.state == GREEN_NATIVE_AT_WORK && !n.hub, "of a pool that was freed");
  is_str(n.note.what, "job 99", "the job goes on, and nobody wants it");
  gate = 1;
  while (!j.dropped) usleep(500);
  while (count()) usleep(500);
}

/* -- Forks ---------------------------------------------------------------- */

static bill parents = {.meter = {.add = bill_add}};

static void child_has_its_own(void *arg)
{
  green_meter_remove(&parents.meter);
  job j;
  green_tpool *p = arg;
  must(count() == 0);
  submit(p, &j, NULL);
  must(count() == 0 || count_of(GREEN_NATIVE_LOST) == 0);
  while (!j.done) green_hub_turn(hub, 1);
  must(count() >= 1);
}

static void test_fork(void)
{
  job j;
  green_tpool *p = pool_new(2);
  submit(p, &j, NULL);
  green_hub_run(hub, &j.done);
  wait_idle(p, 1);
  parents.meter.hub = hub;
  green_meter_add(&parents.meter);
  is(in_child(child_has_its_own, p), 0, "a child has threads of its own");
  is(count(), 1, "and the parent its own");
  green_meter_remove(&parents.meter);
  green_tpool_free(p);
}

/* -- The library's own jobs ----------------------------------------------- */

static void wait_note(green_native *n)
{
  while (!green_roster_next(1, n) || !*n->note.what) usleep(500);
}

static atomic_int held = 1; /* Calls of the system's wait. */

static void wait_free(void)
{
  while (held) usleep(500);
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
  (void)dir;
  (void)name;
  (void)mode;
  wait_free();
  errno = EEXIST;
  return -1;
}

int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list)
{
  (void)host;
  (void)service;
  (void)hint;
  (void)list;
  wait_free();
  return EAI_NONAME;
}

static void test_path(void)
{
  green_native n;
  green_tpool *p = pool_new(1);
  green_disk *d = green_disk_new();
  green_disk_call c = {.op = GREEN_DISK_MKDIR};
  held = 1;
  green_disk_start(d, p, &c, "/tmp/a/b", NULL, NULL);
  wait_note(&n);
  is_str(n.note.what, "mkdir of /tmp/a/b", "a call of the file system");
  held = 0;
  while (green_disk_result(d) == GREEN_EAGAIN) green_hub_turn(hub, 1);
  green_disk_free(d);
  green_tpool_free(p);
}

static void test_file(void)
{
  int fds[2];
  char want[32];
  green_native n;
  green_tpool *p = pool_new(1);
  green_disk *d = green_disk_new();
  if (pipe(fds) < 0) abort();
  snprintf(want, sizeof(want), "read of fd %d", fds[0]);
  green_desc *file = green_desc_new(fds[0]);
  green_disk_call c = {
      .op = GREEN_DISK_READ, .file = file, .size = 1, .offset = -1};
  green_disk_start(d, p, &c, NULL, NULL, NULL);
  wait_note(&n);
  is_str(n.note.what, want, "a read of a file");
  close(fds[1]);
  while (green_disk_result(d) == GREEN_EAGAIN) green_hub_turn(hub, 1);
  green_disk_free(d);
  green_desc_unref(file);
  green_tpool_free(p);
}

static void test_lookup(void)
{
  green_native n;
  green_lookup *l = NULL;
  green_tpool *p = pool_new(1);
  held = 1;
  green_lookup_start(&l, p, "db.example", "5432", NULL);
  wait_note(&n);
  is_str(n.note.what, "lookup of db.example", "a name that is looked up");
  held = 0;
  while (green_lookup_result(l) == GREEN_EAGAIN) green_hub_turn(hub, 1);
  green_lookup_free(l);
  green_tpool_free(p);
}

/* -- Everybody at once ---------------------------------------------------- */

static atomic_int looks_on;

static void *look_on(void *arg)
{
  int *wrong = arg;
  green_native n;
  while (looks_on)
    for (uint64_t at = 1; green_roster_next(at, &n); at = n.number + 1)
      if (n.state == GREEN_NATIVE_AT_WORK && strcmp(n.note.what, "job 99"))
        ++*wrong;
  return NULL;
}

enum { MANY = 400 };

static void test_while_jobs_end(void)
{
  static job j[MANY];
  pthread_t looker;
  int wrong = 0;
  green_tpool *p = pool_new(4);
  looks_on = 1;
  pthread_create(&looker, NULL, look_on, &wrong);
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < MANY; i++) submit(p, &j[i], NULL);
    while (done_of(j, MANY) < MANY) green_hub_turn(hub, 1);
    green_tpool_stop(p);
  }
  looks_on = 0;
  pthread_join(looker, NULL);
  is(wrong, 0, "who looks while jobs begin and end sees none in between");
  wait_count_of(GREEN_NATIVE_IDLE, 0);
  green_tpool_free(p);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_nobody();
  test_work_and_rest();
  test_visit();
  test_meter();
  test_meter_amid();
  test_no_thread();
  test_no_words();
  test_lost();
  test_pool_freed();
  test_path();
  test_file();
  test_lookup();
  test_while_jobs_end();
  if (t_under_tsan)
    t_skip("forks", "TSan keeps the threads of the parent in a child");
  else
    test_fork();
  green_hub_free(hub);
  return t_done();
}
