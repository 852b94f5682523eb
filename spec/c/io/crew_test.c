/*
** crew_test.c: pools of several hubs, and the threads they share. One pool:
** tpool_test.c. Two hubs of one thread do where it does not matter whose they
** are.
*/

/* wrap: pthread_join pthread_detach */

#include "child.h"
#include "io/tpool_kit.h"

#include <dirent.h>

/* -- What becomes of threads ---------------------------------------------- */

static atomic_int joins, detaches;

int __real_pthread_join(pthread_t id, void **result);
int __real_pthread_detach(pthread_t id);
int __wrap_pthread_join(pthread_t id, void **result);
int __wrap_pthread_detach(pthread_t id);

int __wrap_pthread_join(pthread_t id, void **result)
{
  joins++;
  return __real_pthread_join(id, result);
}

int __wrap_pthread_detach(pthread_t id)
{
  detaches++;
  return __real_pthread_detach(id);
}

static int threads_of_process(void)
{
  int n = 0;
  DIR *d = opendir("/proc/self/task");
  if (!d) abort();
  for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

static int threads_before; /* Any pool. */

/* The kernel takes its time to forget one that was joined. */
static void wait_threads_gone(void)
{
  while (threads_of_process() > threads_before) usleep(500);
}

/* -- Two hubs ------------------------------------------------------------- */

static green_hub *hub_a, *hub_b;
static green_tpool *a, *b;

static void pools_open(const char *threads)
{
  setenv("GREENLUA_THREADS", threads, 1);
  joins = detaches = work_order = 0;
  green_hub_new(&hub_a, NULL);
  green_hub_new(&hub_b, NULL);
  a = green_tpool_new(hub_a);
  b = green_tpool_new(hub_b);
}

static void pools_close(void)
{
  green_tpool_free(a);
  green_tpool_free(b);
  green_hub_free(hub_a);
  green_hub_free(hub_b);
  wait_threads_gone();
}

static void submit(green_tpool *p, job *j, atomic_int *gate)
{
  job_init(j, gate);
  if (green_job_submit(p, &j->job) < 0) abort();
}

static atomic_int at_work, at_work_most;

static void work_counted(green_job *j)
{
  int n = ++at_work, most = at_work_most;
  while (n > most && !atomic_compare_exchange_weak(&at_work_most, &most, n))
    continue;
  job_work(j);
  at_work--;
}

static void test_hubs_share_threads(void)
{
  job j[8];
  atomic_int gate = 0;
  pools_open("3");
  at_work_most = 0;
  for (int i = 0; i < 8; i++) {
    job_init(&j[i], &gate);
    j[i].job.work = work_counted;
    green_job_submit(i % 2 ? b : a, &j[i].job);
  }
  while (begun_of(j, 8) < 3) usleep(500);
  is(stats(a).threads, 3, "three threads");
  is(stats(b).threads, 3, "are those of the other, too");
  is(stats(a).queued + stats(b).queued, 5, "five jobs wait");
  is(stats(a).pending, 4, "each pool has its own under way");
  gate = 1;
  for (int i = 0; i < 8; i++) green_hub_run(i % 2 ? hub_b : hub_a, &j[i].done);
  is(at_work_most, 3, "never more than three at work");
  pools_close();
}

static void test_turns(void)
{
  enum { MANY = 1000 };
  static job many[MANY];
  job first, few[2];
  atomic_int gate = 0;
  pools_open("1");
  submit(a, &first, &gate);
  wait_begun(&first);
  for (int i = 0; i < MANY; i++) submit(a, &many[i], NULL);
  for (int i = 0; i < 2; i++) submit(b, &few[i], NULL);
  gate = 1;
  for (int i = 0; i < 2; i++) green_hub_run(hub_b, &few[i].done);
  is(first.order, 1, "who was at work");
  is(many[0].order, 2, "then one of the thousand");
  is(few[0].order, 3, "then one of the other hub's");
  is(many[1].order, 4, "and so on");
  is(few[1].order, 5, "by turns");
  for (int i = 0; i < MANY; i++) green_hub_run(hub_a, &many[i].done);
  is(stats(a).queued + stats(a).pending, 0, "and the thousand are done");
  pools_close();
}

/* -- Ends ----------------------------------------------------------------- */

static void test_freed_while_its_job_runs(void)
{
  job run, line, other, more;
  atomic_int gate = 0;
  pools_open("2");
  submit(a, &run, &gate);
  wait_begun(&run);
  submit(b, &other, &gate);
  wait_begun(&other);
  submit(a, &line, NULL);
  submit(b, &more, NULL);
  green_tpool_free(a);
  a = NULL;
  is(line.dropped, 1, "its job in line is dropped at once");
  is(stats(b).queued, 1, "that of the other is not");
  is(green_job_cancel(&run.job), 0, "one that runs is nobody's any more");
  is(green_job_cancel(&line.job), 0, "nor is one that was dropped");
  gate = 1;
  while (!run.dropped) usleep(500);
  is(green_job_cancel(&run.job), 0, "nor when it is over");
  green_hub_run(hub_b, &other.done);
  green_hub_run(hub_b, &more.done);
  is(other.status + more.status, 0, "the other hub's are done");
  is(run.done + line.done, 0, "of the first hub none");
  is(more.dropped + other.dropped, 0, "and none of these is dropped");
  is(joins + detaches, 0, "the threads are those they were");
  pools_close();
}

static void test_last_free_ends_the_threads(void)
{
  job j[3];
  atomic_int gate = 0;
  pools_open("3");
  for (int i = 0; i < 3; i++) submit(i ? a : b, &j[i], &gate);
  for (int i = 0; i < 3; i++) wait_begun(&j[i]);
  gate = 1;
  wait_idle(a, 3);
  green_tpool_free(a);
  a = NULL;
  is(stats(b).idle, 3, "while there is a pool, the threads stay");
  green_tpool_free(b);
  b = NULL;
  is(joins, 3, "the last takes them along");
  is(detaches, 0, "all");
  wait_threads_gone();
  pools_close();
}

static void test_last_free_amid_work(void)
{
  job run, next;
  atomic_int gate = 0;
  pools_open("2");
  submit(a, &run, &gate);
  wait_begun(&run);
  green_tpool_free(a);
  a = NULL;
  is(joins, 0, "it does not wait for the thread");
  is(detaches, 1, "that ends by itself");
  submit(b, &next, NULL);
  is(stats(b).threads, 1, "the next pool has a new one");
  green_hub_run(hub_b, &next.done);
  ok(next.done && !run.dropped, "which is at its job meanwhile");
  gate = 1;
  while (!run.dropped) usleep(500);
  pools_close();
}

static void test_stop_is_of_one(void)
{
  job run, mine, again;
  atomic_int gate = 0;
  pools_open("2");
  submit(a, &run, &gate);
  wait_begun(&run);
  submit(b, &mine, NULL);
  is(green_tpool_set_threads(b, 1), GREEN_EBUSY, "threads run for it");
  green_tpool_stop(b);
  is(run.done, 0, "the other hub's job is still at work");
  is(stats(b).threads + stats(b).queued, 0, "it has no thread");
  ok(stats(a).threads > 0, "the other has");
  green_hub_turn(hub_b, 0);
  is(mine.done, 1, "its job is done");
  submit(b, &again, NULL);
  green_hub_run(hub_b, &again.done);
  is(again.status, 0, "it can be used again");
  gate = 1;
  green_tpool_stop(a);
  is(run.begun, 1, "the other is stopped likewise");
  is(joins + detaches, 0, "but is not the last");
  green_tpool_stop(b);
  ok(joins > 0 && !detaches, "the last one is");
  pools_close();
}

static void test_threads_of_its_own(void)
{
  job run, mine;
  atomic_int gate = 0;
  pools_open("1");
  is(green_tpool_set_threads(b, 2), 0, "a pool that says how many");
  submit(a, &run, &gate);
  wait_begun(&run);
  submit(b, &mine, NULL);
  green_hub_run(hub_b, &mine.done);
  is(mine.status, 0, "waits for nobody else's jobs");
  is(stats(a).threads, 1, "who does not has what is shared");
  is(stats(b).threads, 1, "its own are counted apart");
  is(stats(a).idle, 0, "all of them");
  green_tpool_free(b);
  b = NULL;
  is(joins, 1, "and end with it");
  gate = 1;
  green_hub_run(hub_a, &run.done); /* It is ours again. */
  pools_close();
}

/* -- Forks ---------------------------------------------------------------- */

/* What another thread's hub has: one job at work and one in line. */
static job theirs[2];
static atomic_int their_gate, their_turn;

static void *their_hub(void *arg)
{
  (void)arg;
  green_hub *hub;
  green_hub_new(&hub, NULL);
  green_tpool *p = green_tpool_new(hub);
  submit(p, &theirs[0], &their_gate);
  while (their_turn != 1) usleep(500);
  submit(p, &theirs[1], &their_gate);
  their_turn = 2;
  for (int i = 0; i < 2; i++) green_hub_run(hub, &theirs[i].done);
  green_tpool_free(p);
  green_hub_free(hub);
  return NULL;
}

static job ours[4]; /* Of a and b by turns. */
static atomic_int our_gate;

static void run_ours(void)
{
  our_gate = 1;
  for (int i = 0; i < 4; i++)
    while (!ours[i].done) green_hub_turn(i % 2 ? hub_b : hub_a, 1);
}

static void *new_hub(void *arg)
{
  job j;
  green_hub *hub;
  (void)arg;
  green_hub_new(&hub, NULL);
  green_tpool *p = green_tpool_new(hub);
  submit(p, &j, NULL);
  must(green_hub_run(hub, &j.done) == 0);
  green_tpool_free(p);
  green_hub_free(hub);
  return NULL;
}

/* Ours are noticed while other threads begin, too. */
static void ours_alone(void *arg)
{
  enum { MORE = 3 };
  pthread_t more[MORE];
  (void)arg;
  for (int i = 0; i < MORE; i++)
    if (pthread_create(&more[i], NULL, new_hub, NULL)) abort();
  their_gate = 1;
  run_ours();
  for (int i = 0; i < MORE; i++) pthread_join(more[i], NULL);
  for (int i = 0; i < 4; i++) must(ours[i].done == 1 && ours[i].status == 0);
  must(ours[0].begun == 2 && ours[1].begun == 2); /* They were at work. */
  must(ours[2].begun == 1 && ours[3].begun == 1);
  must(theirs[0].begun == 1 && theirs[1].begun == 0);
  must(theirs[0].done + theirs[1].done == 0);
  must(stats(a).pending + stats(b).pending == 0);
  must(stats(a).threads == stats(b).threads && stats(a).threads <= 3);
  green_tpool_free(a);
  green_tpool_free(b);
  green_hub_free(hub_a);
  green_hub_free(hub_b);
  wait_threads_gone();
}

static void test_fork(pid_t (*make)(void))
{
  pthread_t other;
  pools_open("3");
  their_gate = our_gate = their_turn = 0;
  memset(theirs, 0, sizeof(theirs));
  if (pthread_create(&other, NULL, their_hub, NULL)) abort();
  wait_begun(&theirs[0]);
  for (int i = 0; i < 4; i++) {
    submit(i % 2 ? b : a, &ours[i], &our_gate);
    if (i < 2) wait_begun(&ours[i]);
  }
  for (their_turn = 1; their_turn != 2;) usleep(500);
  is(in_child_by(make, ours_alone, NULL), 0,
     "a child does the jobs of hubs that are there, and no others");
  their_gate = 1;
  run_ours();
  pthread_join(other, NULL);
  is(begun_of(ours, 4), 4, "the parent does its own once");
  is(begun_of(theirs, 2), 2, "on all hubs");
  pools_close();
}

static void own_in_a_child(void *arg)
{
  job *run = arg, more;
  our_gate = 1;
  submit(b, &more, NULL);
  must(green_hub_run(hub_a, &run[0].done) == 0);
  must(green_hub_run(hub_b, &run[1].done) == 0);
  must(green_hub_run(hub_b, &more.done) == 0);
  must(stats(a).threads == 1 && stats(b).threads <= 2);
  must(run[0].begun == 2 && run[1].begun == 2);
  green_tpool_free(a);
  green_tpool_free(b);
  wait_threads_gone();
}

static void test_fork_with_threads_of_its_own(void)
{
  job run[2];
  pools_open("1");
  our_gate = 0;
  green_tpool_set_threads(b, 2);
  submit(a, &run[0], &our_gate);
  submit(b, &run[1], &our_gate);
  wait_begun(&run[0]);
  wait_begun(&run[1]);
  is(in_child(own_in_a_child, run), 0, "each has its threads in a child, too");
  our_gate = 1;
  green_hub_run(hub_a, &run[0].done);
  green_hub_run(hub_b, &run[1].done);
  is(run[0].begun + run[1].begun, 2, "the parent's ran once");
  pools_close();
}

/* -- Storm ---------------------------------------------------------------- */

enum { STORM_THREADS = 4, STORM_ROUNDS = 60, STORM_JOBS = 40 };

static void storm_round(green_hub *hub, unsigned *seed)
{
  job j[STORM_JOBS];
  green_tpool *p = green_tpool_new(hub);
  if (rand_r(seed) % 4 == 0) green_tpool_set_threads(p, rand_r(seed) % 4);
  for (int i = 0; i < STORM_JOBS; i++) {
    submit(p, &j[i], NULL);
    if (rand_r(seed) % 4 == 0) green_job_cancel(&j[i].job);
    if (rand_r(seed) % 8 == 0) green_hub_turn(hub, 0);
    if (rand_r(seed) % 64 == 0) green_tpool_stop(p);
  }
  if (rand_r(seed) % 3)
    while (stats(p).pending) green_hub_turn(hub, 1);
  green_tpool_free(p);
  for (int i = 0; i < STORM_JOBS; i++)
    while (!j[i].dropped && !j[i].done) usleep(100);
}

static atomic_int storm_wrong, storm_over;

static void *storm_main(void *arg)
{
  green_hub *hub;
  unsigned seed = *(unsigned *)arg;
  green_hub_new(&hub, NULL);
  for (int i = 0; i < STORM_ROUNDS; i++) {
    storm_round(hub, &seed);
    green_hub_turn(hub, 0); /* The last post of the pool's. */
    storm_wrong += green_hub_turn(hub, 0) != 0; /* Nothing holds it. */
  }
  green_hub_free(hub);
  storm_over++;
  return NULL;
}

/* When all is well it ends so that memcheck does not look for leaks: what the
** hubs of other threads had is nobody's there. */
static void one_job(void *arg)
{
  (void)arg;
  job j;
  submit(a, &j, NULL);
  must(green_hub_run(hub_a, &j.done) == 0);
  new_hub(NULL);
  if (!child_failed) raise(SIGKILL);
}

/* How many children went wrong. */
static int storm_forks(void)
{
  job j;
  int wrong = 0;
  while (storm_over < STORM_THREADS) {
    submit(a, &j, NULL);
    if (!t_under_tsan && !t_under_asan)
      wrong += in_child(one_job, NULL) != -SIGKILL;
    green_hub_run(hub_a, &j.done);
  }
  return wrong;
}

static void test_storm(void)
{
  pthread_t threads[STORM_THREADS];
  unsigned seeds[STORM_THREADS];
  pools_open("2");
  for (int i = 0; i < STORM_THREADS; i++) {
    seeds[i] = (unsigned)i + 7;
    if (pthread_create(&threads[i], NULL, storm_main, &seeds[i])) abort();
  }
  int wrong = storm_forks();
  for (int i = 0; i < STORM_THREADS; i++) pthread_join(threads[i], NULL);
  is(storm_wrong, 0, "pools come and go in four threads");
  if (t_under_tsan || t_under_asan)
    t_skip("children meanwhile",
           "threads that begin in a child wait for a lock of the sanitizer's "
           "that one of the parent had");
  else
    is(wrong, 0, "and children work at any moment");
  pools_close();
}

int main(void)
{
  t_start();
  if (t_under_tsan) { /* It starts a thread of its own with the first. */
    pthread_t any;
    if (pthread_create(&any, NULL, new_hub, NULL)) abort();
    pthread_join(any, NULL);
  }
  usleep(10000);
  threads_before = threads_of_process();
  test_hubs_share_threads();
  test_turns();
  test_freed_while_its_job_runs();
  test_last_free_ends_the_threads();
  test_last_free_amid_work();
  test_stop_is_of_one();
  test_threads_of_its_own();
  if (t_under_tsan) {
    t_skip("forks", "TSan keeps the threads of the parent in a child, and ends "
                    "one whose new thread has the number of such");
  } else {
    test_fork(fork_by_c);
    test_fork(fork_by_clone);
    test_fork_with_threads_of_its_own();
  }
  test_storm();
  return t_done();
}
