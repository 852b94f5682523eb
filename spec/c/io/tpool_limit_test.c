/*
** tpool_limit_test.c: priorities, limits of a pool, and a stop that is in a
** hurry. Whose turn it is among pools: crew_test.c.
*/

#include "io/tpool_kit.h"

static green_hub *hub;

static green_tpool *pool_new(int threads)
{
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, threads);
  work_order = 0;
  return p;
}

static int submit(green_tpool *p, job *j, atomic_int *gate, int priority)
{
  job_init(j, gate);
  j->job.priority = (int8_t)priority;
  return green_job_submit(p, &j->job);
}

static void run(job *j, int n)
{
  for (int i = 0; i < n; i++) green_hub_run(hub, &j[i].done);
}

/* -- Priorities ----------------------------------------------------------- */

static void test_priorities(void)
{
  job first, j[6];
  atomic_int gate = 0;
  static const int priority[6] = {0, -5, 7, 0, 7, 127};
  green_tpool *p = pool_new(1);
  submit(p, &first, &gate, 0);
  wait_begun(&first);
  for (int i = 0; i < 6; i++) submit(p, &j[i], NULL, priority[i]);
  is(green_job_cancel(&j[2].job), 1, "the first of its priority goes");
  gate = 1;
  run(&first, 1);
  run(j, 6);
  is(j[5].order, 2, "the highest first");
  is(j[4].order, 3, "then the next one");
  is(j[0].order, 4, "those of one priority");
  is(j[3].order, 5, "by age");
  is(j[1].order, 6, "and the lowest at the end");
  is(j[2].begun, 0, "who was cancelled does not come");
  green_tpool_free(p);
}

/* -- Under way ------------------------------------------------------------ */

static void test_under_way(void)
{
  job j[4];
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_tpool_set_limits(p, 0, 2);
  is(submit(p, &j[0], &gate, 0), 0, "one");
  is(submit(p, &j[1], &gate, 0), 0, "two");
  is(submit(p, &j[2], &gate, 0), GREEN_EAGAIN, "and no third");
  is(j[2].job.state, GREEN_JOB_NEW, "which was never the pool's");
  is(green_job_cancel(&j[1].job), 1, "one that is cancelled");
  is(green_job_submit(p, &j[2].job), GREEN_EAGAIN, "counts until it is done");
  run(&j[1], 1);
  is(green_job_submit(p, &j[2].job), 0, "then there is room");
  green_tpool_set_limits(p, 0, 1);
  is(stats(p).pending, 2, "a lower limit leaves what is there");
  is(submit(p, &j[3], NULL, 0), GREEN_EAGAIN, "and counts from then on");
  green_tpool_set_limits(p, 0, 0);
  is(green_job_submit(p, &j[3].job), 0, "no limit at all");
  gate = 1;
  run(&j[0], 1);
  run(&j[2], 2);
  green_tpool_free(p);
}

static void done_submits_again(green_job *j)
{
  job_done(j);
  if (green_container(j, job, job)->done == 1) green_job_submit(j->pool, j);
}

static void test_room_in_done(void)
{
  job j;
  green_tpool *p = pool_new(1);
  green_tpool_set_limits(p, 0, 1);
  job_init(&j, NULL);
  j.job.done = done_submits_again;
  green_job_submit(p, &j.job);
  while (j.done < 2) green_hub_turn(hub, 1);
  is(j.begun, 2, "in done there is room again");
  green_tpool_free(p);
}

/* -- At work -------------------------------------------------------------- */

static atomic_int at_work, at_work_most;

static void work_counted(green_job *j)
{
  int n = ++at_work, most = at_work_most;
  while (n > most && !atomic_compare_exchange_weak(&at_work_most, &most, n))
    continue;
  job_work(j);
  at_work--;
}

static void submit_counted(green_tpool *p, job *j, int n, atomic_int *gate)
{
  at_work_most = 0;
  for (int i = 0; i < n; i++) {
    job_init(&j[i], gate);
    j[i].job.work = work_counted;
    if (green_job_submit(p, &j[i].job) < 0) abort();
  }
}

static void test_at_work(void)
{
  enum { MANY = 200 };
  static job j[MANY];
  atomic_int gate = 0;
  green_tpool *p = pool_new(4);
  green_tpool_set_limits(p, 2, 0);
  submit_counted(p, j, MANY, &gate);
  while (begun_of(j, MANY) < 2) usleep(500);
  is(stats(p).threads, 2, "no more threads than may be at work");
  is(stats(p).at_work, 2, "two are");
  gate = 1;
  run(j, MANY);
  is(at_work_most, 2, "never more than two at work");
  is(stats(p).at_work, 0, "none in the end");
  green_tpool_free(p);
}

static void test_a_higher_limit(void)
{
  job j[6];
  atomic_int gate = 0;
  green_tpool *p = pool_new(4);
  green_tpool_set_limits(p, 1, 0);
  submit_counted(p, j, 6, &gate);
  wait_begun(&j[0]);
  is(begun_of(j, 6), 1, "one at a time");
  green_tpool_set_limits(p, 3, 0);
  while (begun_of(j, 6) < 3) usleep(500);
  is(stats(p).queued, 3, "now three are");
  green_tpool_set_limits(p, 1, 0);
  gate = 1;
  run(j, 6);
  is(at_work_most, 3, "and no more");
  gate = 0;
  submit_counted(p, j, 3, &gate);
  wait_begun(&j[0]);
  green_tpool_set_limits(p, 0, 0);
  while (begun_of(j, 3) < 3) usleep(500);
  is(stats(p).at_work, 3, "without a limit all are");
  gate = 1;
  run(j, 3);
  green_tpool_free(p);
}

/* Of a crew that two pools share one cannot have all. */
static void test_others_have_threads(void)
{
  job mine[8], other;
  atomic_int gate = 0;
  setenv("GREENLUA_THREADS", "3", 1);
  green_tpool *a = green_tpool_new(hub), *b = green_tpool_new(hub);
  unsetenv("GREENLUA_THREADS");
  green_tpool_set_limits(a, 2, 0);
  for (int i = 0; i < 8; i++) submit(a, &mine[i], &gate, 0);
  submit(b, &other, NULL, 0);
  run(&other, 1);
  while (begun_of(mine, 8) < 2) usleep(500);
  is(begun_of(mine, 8), 2, "who may have two threads leaves one to others");
  gate = 1;
  run(mine, 8);
  green_tpool_free(a);
  green_tpool_free(b);
}

/* -- A stop that is in a hurry -------------------------------------------- */

static int64_t soon(void)
{
  return green_clock_now() + GREEN_SECOND / 50;
}

static void test_stop_until(void)
{
  job run_, wait;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  is(green_tpool_stop_until(p, 0), 0, "nothing is there to be stopped");
  submit(p, &run_, &gate, 0);
  submit(p, &wait, NULL, 0);
  wait_begun(&run_);
  is(green_tpool_stop_until(p, 0), GREEN_ETIMEDOUT, "a try");
  is(green_tpool_stop_until(p, soon()), GREEN_ETIMEDOUT, "or a moment");
  is(stats(p).threads + stats(p).queued, 2, "and all is as it was");
  gate = 1;
  is(green_tpool_stop_until(p, green_clock_now() + 60 * GREEN_SECOND), 0,
     "what is over in time is over");
  is(stats(p).threads, 0, "no thread is left");
  green_hub_turn(hub, 0);
  is(run_.done + wait.done, 2, "all is delivered");
  is(submit(p, &wait, NULL, 0), 0, "it can be used again");
  run(&wait, 1);
  green_tpool_free(p);
}

static void test_stop_and_free(void)
{
  job j[2];
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  for (int i = 0; i < 2; i++) submit(p, &j[i], &gate, 0);
  wait_begun(&j[0]);
  is(green_tpool_stop_until(p, soon()), GREEN_ETIMEDOUT, "too late");
  green_tpool_free(p);
  is(j[1].dropped, 1, "its end waits for nobody");
  gate = 1;
  while (!j[0].dropped) usleep(500);
  usleep(20000); /* Let the thread end: memcheck counts its stack. */
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_priorities();
  test_under_way();
  test_room_in_done();
  test_at_work();
  test_a_higher_limit();
  test_others_have_threads();
  test_stop_until();
  test_stop_and_free();
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
