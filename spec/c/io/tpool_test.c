/*
** tpool_test.c: jobs in native threads. Name lookup: lookup_test.c.
*/

/* wrap: pthread_create green__futex_wait green_hub_post */

#include "no_threads.h"
#include "io/tpool_kit.h"

#include <errno.h>
#include <signal.h>

static green_hub *hub;

/* -- The system, made to fail --------------------------------------------- */

static atomic_int hasten; /* Idle threads wait 20 ms only. */

int __real_green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns);
int __wrap_green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns);

int __wrap_green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns)
{
  if (hasten && ns != GREEN_NEVER) ns = 20000000;
  return __real_green__futex_wait(word, value, ns);
}

/* A thread of the pool's takes its time before it posts. */
static atomic_int linger, lingering;
static pthread_t hub_thread;

void __real_green_hub_post(green_hub *h, green_post *p);
void __wrap_green_hub_post(green_hub *h, green_post *p);

void __wrap_green_hub_post(green_hub *h, green_post *p)
{
  if (linger && !pthread_equal(pthread_self(), hub_thread)) {
    lingering = 1;
    usleep(20000); /* Whoever does not wait is done by then. */
  }
  __real_green_hub_post(h, p);
}

/* -- Jobs ----------------------------------------------------------------- */

/* Did its work run in another thread? */
static int in_pool(const job *j)
{
  return !pthread_equal(j->thread, pthread_self());
}

static void test_one_job(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  is(stats(p).threads, 0, "no thread before the first job");
  job_init(&j, NULL);
  is(green_job_submit(p, &j.job), 0, "submit");
  is(stats(p).threads, 1, "one thread");
  is(j.done, 0, "done is not called inside submit");
  is(green_hub_run(hub, &j.done), 0, "the hub waits for the job");
  ok(in_pool(&j), "work ran in another thread");
  is(j.status, 0, "all went well");
  is(stats(p).pending, 0, "nothing is pending");
  static const int never;
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "nothing holds the hub");
  green_tpool_free(p);
}

static void test_threads_on_demand(void)
{
  job j[9];
  atomic_int gate = 0;
  green_tpool *p = green_tpool_new(hub);
  for (int i = 0; i < 9; i++) {
    job_init(&j[i], &gate);
    green_job_submit(p, &j[i].job);
  }
  is(stats(p).threads, 4, "four threads and no more");
  wait_begun(&j[3]);
  is(stats(p).queued, 5, "the others stand in line");
  gate = 1;
  for (int i = 0; i < 9; i++) green_hub_run(hub, &j[i].done);
  is(stats(p).pending, 0, "all are done");
  job_init(&j[0], NULL);
  wait_idle(p, 4);
  green_job_submit(p, &j[0].job);
  is(stats(p).threads, 4, "an idle thread takes the next");
  green_hub_run(hub, &j[0].done);
  green_tpool_free(p);
}

/* One is called, and calls the next: each is at work before anybody is done. */
static void test_all_idle_threads_come(void)
{
  job j[4];
  atomic_int gate = 1;
  green_tpool *p = green_tpool_new(hub);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 4; i++) {
      job_init(&j[i], &gate);
      green_job_submit(p, &j[i].job);
    }
    for (int i = 0; i < 4; i++) wait_begun(&j[i]);
    gate = 1;
    for (int i = 0; i < 4; i++) green_hub_run(hub, &j[i].done);
    wait_idle(p, stats(p).threads);
    gate = 0;
  }
  is(stats(p).idle, 4, "four threads lie down and all come again");
  green_tpool_free(p);
}

static void test_first_come_first_served(void)
{
  job j[20];
  int sorted = 1;
  atomic_int gate = 0;
  green_tpool *p = green_tpool_new(hub);
  is(green_tpool_set_threads(p, 1), 0, "one thread");
  for (int i = 0; i < 20; i++) {
    job_init(&j[i], i ? NULL : &gate);
    green_job_submit(p, &j[i].job);
  }
  gate = 1;
  for (int i = 0; i < 20; i++) green_hub_run(hub, &j[i].done);
  for (int i = 1; i < 20; i++) sorted = sorted && j[i].order > j[i - 1].order;
  ok(sorted, "jobs run in the order of their coming");
  green_tpool_free(p);
}

static void test_cancel(void)
{
  job run, wait, over, new;
  atomic_int gate = 0;
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  job_init(&run, &gate);
  job_init(&wait, NULL);
  job_init(&over, NULL);
  job_init(&new, NULL);
  green_job_submit(p, &run.job);
  green_job_submit(p, &wait.job);
  wait_begun(&run);
  is(green_job_cancel(&wait.job), 1, "a job in line will never run");
  is(wait.done, 0, "done is not called inside cancel");
  is(green_job_cancel(&wait.job), 0, "cancelled once");
  is(green_job_cancel(&run.job), 0, "a job that runs goes on");
  is(green_job_cancel(&new.job), 0, "one that was never submitted");
  green_hub_run(hub, &wait.done);
  is(wait.status, GREEN_ECANCELED, "done is told");
  is(wait.begun, 0, "work never ran");
  is(run.done, 0, "the other is still at it");
  gate = 1;
  green_hub_run(hub, &run.done);
  is(run.status, GREEN_ECANCELED, "its result is dropped");
  green_job_submit(p, &over.job);
  wait_over(&over, p);
  is(green_job_cancel(&over.job), 0, "one that is over");
  green_hub_run(hub, &over.done);
  is(over.status, GREEN_ECANCELED, "is dropped too");
  is(run.done + wait.done + over.done, 3, "done was called once for each");
  green_tpool_free(p);
}

static void job_again(green_job *j)
{
  job *me = green_container(j, job, job);
  if (me->order++ < 5)
    green_job_submit(j->pool, j);
  else
    me->done = 1;
}

static void test_submit_again(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  green_job_submit(p, &j.job);
  is(green_job_submit(p, &j.job), GREEN_EINVAL, "once at a time");
  green_hub_run(hub, &j.done);
  j.job.done = job_again;
  j.done = 0;
  j.order = 0;
  j.job.work = job_drop; /* Anything. */
  green_job_submit(p, &j.job);
  is(green_hub_run(hub, &j.done), 0, "done may submit its job again");
  green_tpool_free(p);
}

static void test_sizes(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  is(green_tpool_set_threads(p, -1), 0, "a wrong size is taken");
  is(green_job_submit(p, &j.job), GREEN_EINVAL, "and told at first use");
  is(green_tpool_set_threads(p, 1000000), 0, "so is a mad one");
  is(green_job_submit(p, &j.job), GREEN_EINVAL, "likewise");
  is(green_tpool_set_threads(p, 0), 0, "no threads at all");
  is(green_job_submit(p, &j.job), 0, "is fine");
  ok(j.begun && !in_pool(&j), "work ran at once, here");
  is(j.done, 0, "done comes later as ever");
  green_hub_run(hub, &j.done);
  is(j.status, 0, "and did");
  is(green_tpool_set_threads(p, 2), 0, "now two");
  job_init(&j, NULL);
  green_job_submit(p, &j.job);
  is(green_tpool_set_threads(p, 3), GREEN_EBUSY, "not while threads run");
  green_hub_run(hub, &j.done);
  green_tpool_stop(p);
  is(green_tpool_set_threads(p, 3), 0, "but when they are stopped");
  green_tpool_free(p);
}

static int submit_with_env(const char *value)
{
  job j;
  setenv("GREENLUA_THREADS", value, 1);
  green_tpool *p = green_tpool_new(hub);
  unsetenv("GREENLUA_THREADS");
  job_init(&j, NULL);
  int err = green_job_submit(p, &j.job);
  if (err == 0) green_hub_run(hub, &j.done);
  int elsewhere = in_pool(&j);
  green_tpool_free(p);
  return err < 0 ? err : elsewhere;
}

static void test_size_from_environment(void)
{
  is(submit_with_env("2"), 1, "a number");
  is(submit_with_env("0"), 0, "none");
  is(submit_with_env(""), 1, "an empty one is none of our business");
  is(submit_with_env("-1"), GREEN_EINVAL, "a negative one");
  is(submit_with_env("many"), GREEN_EINVAL, "no number");
  is(submit_with_env("4x"), GREEN_EINVAL, "nearly one");
}

/* Behaviour 165. */
static void test_stop(void)
{
  job j[10];
  green_tpool *p = green_tpool_new(hub);
  int done = 0;
  green_tpool_set_threads(p, 2);
  green_tpool_stop(p);
  for (int i = 0; i < 10; i++) {
    job_init(&j[i], NULL);
    green_job_submit(p, &j[i].job);
  }
  green_tpool_stop(p);
  is(stats(p).threads, 0, "no thread is left");
  is(stats(p).queued, 0, "no job either");
  green_hub_turn(hub, 0);
  for (int i = 0; i < 10; i++) done += j[i].done == 1 && j[i].status == 0;
  is(done, 10, "all results are delivered");
  job_init(&j[0], NULL);
  is(green_job_submit(p, &j[0].job), 0, "and it can be used again");
  green_hub_run(hub, &j[0].done);
  green_tpool_free(p);
  green_tpool_free(NULL);
}

static void test_free_does_not_wait(void)
{
  job run, wait, over;
  static const int never;
  atomic_int gate = 0;
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  job_init(&over, NULL);
  green_job_submit(p, &over.job);
  wait_over(&over, p);
  job_init(&run, &gate);
  job_init(&wait, NULL);
  green_job_submit(p, &run.job);
  green_job_submit(p, &wait.job);
  wait_begun(&run);
  green_tpool_free(p);
  ok(wait.dropped && over.dropped, "what does not run is dropped at once");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "the hub is free");
  is(run.done + wait.done + over.done, 0, "done is called for none");
  gate = 1;
  while (!run.dropped) usleep(500);
  is(run.dropped, 1, "the last one when its work returns");
  usleep(20000); /* Let the thread end: memcheck counts its stack. */
}

/* The thread has settled that it posts, and has not yet. It is another pool's,
** too: nobody joins it. */
static void test_the_hubs_end_waits_for_posts(void)
{
  job j, k;
  green_hub *other;
  green_tpool *keeps = green_tpool_new(hub);
  job_init(&k, NULL);
  green_job_submit(keeps, &k.job);
  green_hub_run(hub, &k.done);
  green_hub_new(&other, NULL);
  green_tpool *p = green_tpool_new(other);
  job_init(&j, NULL);
  hub_thread = pthread_self();
  lingering = 0;
  linger = 1;
  green_job_submit(p, &j.job);
  while (!lingering) usleep(500);
  green_tpool_free(p);
  green_hub_free(other);
  linger = 0;
  is(j.dropped, 1, "what was to be delivered is dropped, and nobody posts");
  green_tpool_free(keeps);
}

static void job_free_pool(green_job *j)
{
  job_done(j);
  green_tpool_free(j->pool);
}

static void test_stop_waits_for_posts(void)
{
  job j, k;
  green_tpool *keeps = green_tpool_new(hub), *p = green_tpool_new(hub);
  job_init(&k, NULL);
  green_job_submit(keeps, &k.job);
  green_hub_run(hub, &k.done);
  job_init(&j, NULL);
  hub_thread = pthread_self();
  linger = 1;
  green_job_submit(p, &j.job);
  green_tpool_stop(p);
  green_hub_turn(hub, 0);
  linger = 0;
  is(j.done, 1, "the turn after a stop delivers all");
  green_tpool_free(p);
  green_tpool_free(keeps);
}

static void test_long_row(void)
{
  enum { MANY = 3000 };
  static job j[MANY];
  static const int never;
  green_tpool *p = green_tpool_new(hub);
  deliver_some(p, hub, j, MANY);
  ok(done_of(j, MANY) < MANY, "a turn delivers so many, and no more");
  is(green_job_cancel(&j[MANY - 1].job), 0, "one of the others is over");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "the next turns go on");
  is(done_of(j, MANY), MANY, "to the last");
  is(j[MANY - 1].status, GREEN_ECANCELED, "which is told");
  deliver_some(p, hub, j, MANY);
  green_tpool_free(p);
  int dropped = 0;
  for (int i = 0; i < MANY; i++) dropped += j[i].dropped;
  is(dropped + done_of(j, MANY), MANY, "or the others are dropped");
}

static void test_free_inside_done(void)
{
  job j[3];
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  for (int i = 0; i < 3; i++) {
    job_init(&j[i], NULL);
    green_job_submit(p, &j[i].job);
  }
  j[0].job.done = job_free_pool;
  wait_over(&j[2], p);
  green_hub_turn(hub, 0);
  is(j[0].done, 1, "the first was delivered");
  is(j[1].dropped + j[2].dropped, 2, "the others were dropped");
  is(j[1].done + j[2].done, 0, "not delivered");
}

/* -- Threads -------------------------------------------------------------- */

static sigset_t seen_mask;

static void work_mask(green_job *j)
{
  (void)j;
  pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
}

static void test_signals_are_blocked(void)
{
  job j;
  sigset_t ours;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  j.job.work = work_mask;
  green_job_submit(p, &j.job);
  green_hub_run(hub, &j.done);
  ok(sigismember(&seen_mask, SIGTERM) && sigismember(&seen_mask, SIGCHLD),
     "pool threads take no signals");
  pthread_sigmask(SIG_SETMASK, NULL, &ours);
  ok(!sigismember(&ours, SIGTERM), "this one does");
  green_tpool_free(p);
}

static void test_idle_threads_retire(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  hasten = 1;
  for (int i = 0; i < 3; i++) {
    atomic_int gate = 0;
    job_init(&j, &gate);
    green_job_submit(p, &j.job);
    is(stats(p).threads, 1, "a thread for a job");
    gate = 1;
    green_hub_run(hub, &j.done);
    while (stats(p).threads) usleep(1000);
  }
  ok(1, "and none when there is nothing to do");
  hasten = 0;
  green_tpool_free(p);
}

static void test_no_thread_to_be_had(void)
{
  job j, k;
  atomic_int gate = 0;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, &gate);
  job_init(&k, NULL);
  threads_fail = 1;
  is(green_job_submit(p, &j.job), GREEN_ENOMEM, "the first thread fails");
  threads_fail = 0;
  is(green_job_submit(p, &j.job), 0, "the next time it works");
  wait_begun(&j);
  threads_fail = 1;
  is(green_job_submit(p, &k.job), 0, "a second one need not");
  threads_fail = 0;
  gate = 1;
  green_hub_run(hub, &k.done);
  ok(j.done, "one thread has done both");
  green_tpool_free(p);
}

static int storm_left;

static void storm_done(green_job *j)
{
  storm_left--;
  free(green_container(j, job, job));
}

/* Jobs that end by themselves, are cancelled, and pile up. */
static void test_storm(void)
{
  green_tpool *p = green_tpool_new(hub);
  unsigned seed = 3;
  storm_left = 20000;
  for (int i = 0; i < 20000; i++) {
    job *j = malloc(sizeof(*j));
    job_init(j, NULL);
    j->job.done = storm_done;
    green_job_submit(p, &j->job);
    if (rand_r(&seed) % 3 == 0) green_job_cancel(&j->job);
    if (rand_r(&seed) % 16 == 0) green_hub_turn(hub, 0);
  }
  while (storm_left) green_hub_turn(hub, 1);
  is(stats(p).pending, 0, "20,000 jobs, each done once");
  green_tpool_free(p);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_one_job();
  test_threads_on_demand();
  test_all_idle_threads_come();
  test_first_come_first_served();
  test_cancel();
  test_submit_again();
  test_sizes();
  test_size_from_environment();
  test_stop();
  test_free_does_not_wait();
  test_the_hubs_end_waits_for_posts();
  test_stop_waits_for_posts();
  test_long_row();
  test_free_inside_done();
  test_signals_are_blocked();
  test_idle_threads_retire();
  test_no_thread_to_be_had();
  test_storm();
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
