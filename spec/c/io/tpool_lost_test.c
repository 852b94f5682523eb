/*
** tpool_lost_test.c: threads that are given up, because what they are at does
** not come back.
*/

/* wrap: pthread_create */

#include "child.h"
#include "no_threads.h"
#include "io/tpool_kit.h"

#include <dirent.h>
#include <errno.h>

static green_hub *hub;

static int threads_of_process(void)
{
  int n = 0;
  DIR *d = opendir("/proc/self/task");
  if (!d) abort();
  for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

static int threads_before;

/* Nobody joins one that was lost. */
static void wait_threads_gone(void)
{
  while (threads_of_process() > threads_before) usleep(500);
}

/* -- Jobs ----------------------------------------------------------------- */

static green_tpool *pool_new(int threads)
{
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, threads);
  work_order = 0;
  return p;
}

static int submit(green_tpool *p, green_pin *pin, job *j, atomic_int *gate)
{
  job_init(j, gate);
  j->job.pin = pin;
  return green_job_submit(p, &j->job);
}

static void submit_begun(green_tpool *p, job *j, atomic_int *gate)
{
  if (submit(p, NULL, j, gate) < 0) abort();
  wait_begun(j);
}

static void wait_dropped(job *j, int n)
{
  for (int i = 0; i < n; i++)
    while (!j[i].dropped) usleep(500);
}

static void run(job *j, int n)
{
  for (int i = 0; i < n; i++) green_hub_run(hub, &j[i].done);
}

static void test_lost(void)
{
  job j, k;
  static const int never;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  submit_begun(p, &j, &gate);
  is(green_job_lose(&j.job), 1, "a job that runs is given up");
  is(stats(p).lost, 1, "its thread is lost");
  is(stats(p).threads, 0, "and none of the pool's");
  is(stats(p).pending + stats(p).at_work, 0, "nothing is pending");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "the hub is free at once");
  is(green_job_lose(&j.job), 0, "once");
  is(green_job_cancel(&j.job), 0, "there is nothing to be cancelled");
  is(submit(p, NULL, &k, NULL), 0, "another thread does the next");
  run(&k, 1);
  ok(!j.dropped, "while it is still at it");
  gate = 1;
  wait_dropped(&j, 1);
  while (stats(p).lost) usleep(500);
  is(j.done, 0, "it is dropped when it comes back, not done");
  is(stats(p).threads, 1, "and its thread does nothing more");
  green_tpool_free(p);
  wait_threads_gone();
}

static void test_not_running(void)
{
  job run_, wait, over, new;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  job_init(&new, NULL);
  is(green_job_lose(&new.job), 0, "one that was never submitted");
  submit(p, NULL, &over, NULL);
  wait_over(&over, p);
  is(green_job_lose(&over.job), 0, "one that is over");
  submit_begun(p, &run_, &gate);
  submit(p, NULL, &wait, NULL);
  is(green_job_lose(&wait.job), 0, "one in line");
  gate = 1;
  run(&over, 1);
  run(&run_, 1);
  run(&wait, 1);
  is(over.status + run_.status + wait.status, 0, "is done as ever");
  is(stats(p).lost, 0, "nobody is lost");
  green_tpool_free(p);
  wait_threads_gone();
}

static void test_the_line_goes_on(void)
{
  job j[2], line[5], pinned[3];
  atomic_int gate = 0;
  green_tpool *p = pool_new(2);
  green_pin *pin = green_pin_new(p);
  submit(p, pin, &j[0], &gate);
  wait_begun(&j[0]);
  submit_begun(p, &j[1], &gate);
  for (int i = 0; i < 5; i++) submit(p, NULL, &line[i], NULL);
  for (int i = 0; i < 3; i++) submit(p, pin, &pinned[i], NULL);
  is(green_job_lose(&j[0].job), 1, "one of two");
  run(line, 5);
  run(pinned, 3);
  ok(pthread_equal(pinned[0].thread, pinned[2].thread) &&
         !pthread_equal(pinned[0].thread, j[0].thread),
     "a new thread does what was in line, with a pin or without");
  is(green_job_lose(&j[1].job), 1, "the other");
  is(stats(p).lost, 2, "both are lost");
  gate = 1;
  wait_dropped(j, 2);
  green_pin_free(pin);
  green_tpool_free(p);
  wait_threads_gone();
}

/* A queue that is at its limit is in nobody's line; it is when one is lost. */
static void test_a_limit(void)
{
  job j, k;
  atomic_int gate = 0;
  green_tpool *p = pool_new(2);
  green_tpool_set_limits(p, 1, 0);
  submit_begun(p, &j, &gate);
  submit(p, NULL, &k, NULL);
  is(green_job_lose(&j.job), 1, "the one that may be at work");
  run(&k, 1);
  is(k.status, 0, "another may be instead");
  gate = 1;
  wait_dropped(&j, 1);
  green_tpool_free(p);
  wait_threads_gone();
}

static void test_too_many(void)
{
  job j[5], more;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1), *other = pool_new(1);
  for (int i = 0; i < 4; i++) {
    submit_begun(p, &j[i], &gate);
    green_job_lose(&j[i].job);
  }
  is(stats(p).lost, 4, "four may be lost");
  is(submit(p, NULL, &j[4], NULL), GREEN_ELOST, "then the pool takes no more");
  is(j[4].job.state, GREEN_JOB_NEW, "at once");
  is(submit(other, NULL, &more, NULL), 0, "another pool does");
  run(&more, 1);
  green_tpool_set_lost(p, 5);
  is(green_job_submit(p, &j[4].job), 0, "it does if more may be lost");
  run(&j[4], 1);
  green_tpool_set_lost(p, 4);
  gate = 1;
  wait_dropped(j, 4);
  while (stats(p).lost) usleep(500);
  is(submit(p, NULL, &more, NULL), 0, "and when they have come back");
  run(&more, 1);
  green_tpool_set_lost(p, 0);
  is(submit(p, NULL, &more, NULL), 0, "none: as long as none is");
  run(&more, 1);
  green_tpool_free(p);
  green_tpool_free(other);
  wait_threads_gone();
}

/* Without another thread what is in line would wait for ever. */
static void test_no_other_thread(void)
{
  job j, k;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_tpool_set_limits(p, 1, 0);
  submit_begun(p, &j, &gate);
  submit(p, NULL, &k, NULL);
  threads_fail = 1;
  is(green_job_lose(&j.job), GREEN_ENOMEM, "no other thread can be had");
  threads_fail = 0;
  is(stats(p).lost, 0, "so it is not lost");
  is(stats(p).pending, 2, "and both jobs are the pool's");
  gate = 1;
  run(&j, 1);
  run(&k, 1);
  is(j.status + k.status, 0, "they are done as ever");
  gate = 0;
  submit_begun(p, &j, &gate);
  threads_fail = 1;
  is(green_job_lose(&j.job), 1, "where nothing is in line none is needed");
  is(submit(p, NULL, &k, NULL), GREEN_ENOMEM, "the next job may find none");
  threads_fail = 0;
  is(green_job_submit(p, &k.job), 0, "or one");
  run(&k, 1);
  gate = 1;
  wait_dropped(&j, 1);
  green_tpool_free(p);
  wait_threads_gone();
}

/* -- Ends ----------------------------------------------------------------- */

static void test_ends_do_not_wait(void)
{
  job j[2], k;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_pin *pin = green_pin_new(p);
  submit(p, pin, &j[0], &gate);
  wait_begun(&j[0]);
  green_job_lose(&j[0].job);
  submit(p, pin, &k, NULL);
  is(green_tpool_stop_until(p, GREEN_NEVER), 0, "a stop waits for others");
  is(k.begun, 1, "which are done");
  submit_begun(p, &j[1], &gate);
  green_job_lose(&j[1].job);
  green_pin_free(pin);
  green_hub_turn(hub, 0);
  green_tpool_free(p);
  is(j[0].dropped + j[1].dropped, 0, "the pool's end does not wait either");
  is(green_job_cancel(&j[0].job), 0, "they are nobody's");
  gate = 1;
  wait_dropped(j, 2);
  is(j[0].done + j[1].done, 0, "and are dropped when they come back");
  wait_threads_gone();
}

static atomic_int started, ended;

static int slot_start(void **slot)
{
  *slot = &started;
  started++;
  return 0;
}

static void slot_end(void *slot)
{
  (void)slot;
  ended++;
}

static const green_thread_hooks hooks = {slot_start, slot_end};

static void test_its_slot_is_ended(void)
{
  job j;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_tpool_set_hooks(p, &hooks);
  submit_begun(p, &j, &gate);
  green_job_lose(&j.job);
  is(ended, 0, "a lost thread has its slot");
  gate = 1;
  wait_dropped(&j, 1);
  while (!ended) usleep(500);
  is(started, 1, "until it comes back");
  green_tpool_free(p);
  wait_threads_gone();
}

/* -- Forks ---------------------------------------------------------------- */

static void none_in_a_child(void *arg)
{
  job *j = arg, k;
  green_tpool *p = j->job.pool;
  must(stats(p).lost == 0);
  must(j->dropped == 1 && j->done == 0 && j->begun == 1);
  must(submit(p, NULL, &k, NULL) == 0);
  must(green_hub_run(hub, &k.done) == 0);
  green_tpool_stop(p);
  green_tpool_free(p);
}

static void test_fork(void)
{
  job j;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  submit_begun(p, &j, &gate);
  green_job_lose(&j.job);
  is(in_child(none_in_a_child, &j), 0, "in a child nobody is lost");
  is(stats(p).lost, 1, "in the parent one is");
  gate = 1;
  wait_dropped(&j, 1);
  green_tpool_free(p);
  wait_threads_gone();
}

/* Work that is still at it keeps no exit waiting. */
static void exit_with_lost(void *arg)
{
  static job j;
  static atomic_int shut;
  green_tpool *p = pool_new(1);
  (void)arg;
  submit_begun(p, &j, &shut);
  must(green_job_lose(&j.job) == 1);
  green_tpool_free(p);
  green_hub_free(hub);
}

static void test_exit(void)
{
  is(in_child(exit_with_lost, NULL), 0, "a process ends all the same");
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  threads_before = threads_of_process();
  if (t_under_tsan) { /* It starts a thread of its own with the first. */
    green_tpool *p = pool_new(1);
    job j;
    submit(p, NULL, &j, NULL);
    run(&j, 1);
    green_tpool_free(p);
    usleep(10000);
    threads_before = threads_of_process();
  }
  test_lost();
  test_not_running();
  test_the_line_goes_on();
  test_a_limit();
  test_too_many();
  test_no_other_thread();
  test_ends_do_not_wait();
  test_its_slot_is_ended();
  if (t_under_tsan) {
    t_skip("forks", "TSan keeps the threads of the parent in a child");
  } else {
    test_fork();
    test_exit();
  }
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
