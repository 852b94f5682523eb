/*
** tpool_fork_test.c: a pool in a child, which has none of its parent's threads.
*/

#include "child.h"
#include "io/tpool_kit.h"

static green_hub *hub;

static atomic_int gate_open; /* A child has its own. */

/* Two that threads are at, three in line, one whose done is due. */
typedef struct scene {
  green_tpool *p;
  job over, run[2], wait[3];
} scene;

static void scene_open(scene *s)
{
  gate_open = 0;
  work_order = 0;
  s->p = green_tpool_new(hub);
  green_tpool_set_threads(s->p, 2);
  job_init(&s->over, NULL);
  green_job_submit(s->p, &s->over.job);
  wait_over(&s->over, s->p);
  for (int i = 0; i < 2; i++) {
    job_init(&s->run[i], &gate_open);
    green_job_submit(s->p, &s->run[i].job);
    wait_begun(&s->run[i]);
  }
  for (int i = 0; i < 3; i++) {
    job_init(&s->wait[i], NULL);
    green_job_submit(s->p, &s->wait[i].job);
  }
}

static int scene_is_done(const scene *s)
{
  return s->over.done + s->run[0].done + s->run[1].done + s->wait[0].done +
             s->wait[1].done + s->wait[2].done ==
         6;
}

static void scene_run(scene *s)
{
  gate_open = 1;
  while (!scene_is_done(s)) green_hub_turn(hub, 1);
}

static void scene_close(scene *s)
{
  scene_run(s);
  is(s->run[0].begun + s->run[1].begun, 2, "the parent's ran once");
  is(s->over.done + s->run[0].done + s->run[1].done, 3, "and were done once");
  is(s->wait[0].begun + s->wait[1].begun + s->wait[2].begun, 3,
     "those in line too");
  is(stats(s->p).pending, 0, "nothing is pending");
  green_tpool_free(s->p);
  is(green_hub_turn(hub, 0), 0, "nothing holds the hub");
}

static void must_all_be_done_once(const scene *s)
{
  must(s->over.done == 1 && s->over.begun == 1);
  for (int i = 0; i < 2; i++) must(s->run[i].done == 1 && s->run[i].begun == 2);
  for (int i = 0; i < 3; i++)
    must(s->wait[i].done == 1 && s->wait[i].begun == 1);
}

static void jobs_begin_anew(void *arg)
{
  scene *s = arg;
  int first = work_order;
  green_hub_turn(hub, 0);
  while (s->run[0].begun + s->run[1].begun < 4) usleep(500);
  scene_run(s);
  must_all_be_done_once(s);
  must(s->run[0].order > first);
  must(s->wait[0].order > s->run[0].order);
  must(stats(s->p).pending == 0);
  must(green_hub_turn(hub, 0) == 0);
  green_tpool_free(s->p);
}

static void test_jobs_begin_anew(pid_t (*make)(void))
{
  scene s;
  scene_open(&s);
  is(in_child_by(make, jobs_begin_anew, &s), 0,
     "what ran and what stood in line is done in the child");
  scene_close(&s);
}

static void new_jobs(void *arg)
{
  scene *s = arg;
  job more[3];
  for (int i = 0; i < 3; i++) {
    job_init(&more[i], NULL);
    must(green_job_submit(s->p, &more[i].job) == 0);
  }
  /* It forgets who is posting, so it must know before there are threads. */
  must(green_hub_check_fork(hub) == 0);
  must(stats(s->p).threads >= 1 && stats(s->p).threads <= 2);
  scene_run(s);
  for (int i = 0; i < 3; i++)
    while (!more[i].done) green_hub_turn(hub, 1);
  must_all_be_done_once(s);
  green_tpool_stop(s->p);
  must(stats(s->p).threads == 0);
  green_tpool_free(s->p);
}

static void test_new_jobs(void)
{
  scene s;
  scene_open(&s);
  is(in_child(new_jobs, &s), 0, "new ones work beside them");
  scene_close(&s);
}

static void new_job_in_an_empty_pool(void *arg)
{
  green_tpool *p = arg;
  job j;
  must(stats(p).threads == 0);
  job_init(&j, NULL);
  must(green_job_submit(p, &j.job) == 0);
  must(green_hub_run(hub, &j.done) == 0);
  must(j.status == 0 && j.begun == 1);
  green_tpool_free(p);
}

static void test_idle_threads_are_the_parents(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  green_job_submit(p, &j.job);
  green_hub_run(hub, &j.done);
  wait_idle(p, 1);
  is(in_child(new_job_in_an_empty_pool, p), 0,
     "an idle thread of the parent's takes no job of the child's");
  is(stats(p).threads, 1, "it is the parent's still");
  green_tpool_free(p);
}

static void cancel_all(void *arg)
{
  scene *s = arg;
  must(green_job_cancel(&s->over.job) == 0);
  for (int i = 0; i < 3; i++) must(green_job_cancel(&s->wait[i].job) == 1);
  green_job_cancel(&s->run[0].job);
  green_job_cancel(&s->run[1].job);
  scene_run(s);
  must(s->over.status == GREEN_ECANCELED);
  must(s->run[0].status == GREEN_ECANCELED);
  must(s->wait[2].status == GREEN_ECANCELED && !s->wait[2].begun);
  green_tpool_free(s->p);
}

/* One thread: nothing in line begins while its job runs. */
static void test_cancel(void)
{
  scene s;
  scene_open(&s);
  is(in_child(cancel_all, &s), 0, "all can be cancelled in the child");
  scene_close(&s);
}

static void free_at_once(void *arg)
{
  scene *s = arg;
  static const int never;
  green_tpool_free(s->p);
  must(s->over.dropped + s->wait[0].dropped + s->wait[1].dropped +
           s->wait[2].dropped ==
       4);
  must(s->over.done + s->wait[0].done + s->run[0].done == 0);
  must(green_hub_run(hub, &never) == GREEN_EDEADLOCK);
  gate_open = 1; /* Threads may be at them already. */
  while (!s->run[0].dropped || !s->run[1].dropped) usleep(500);
  green_hub_free(hub);
}

static void test_free(pid_t (*make)(void))
{
  scene s;
  scene_open(&s);
  is(in_child_by(make, free_at_once, &s), 0, "a child may free the pool");
  scene_close(&s);
}

static void stop_in_a_child(void *arg)
{
  scene *s = arg;
  gate_open = 1;
  green_tpool_stop(s->p);
  must(stats(s->p).threads == 0 && stats(s->p).queued == 0);
  green_hub_turn(hub, 0);
  must_all_be_done_once(s);
  green_tpool_free(s->p);
}

static void test_stop(void)
{
  scene s;
  scene_open(&s);
  is(in_child(stop_in_a_child, &s), 0, "or stop it");
  scene_close(&s);
}

static void grandchild(void *arg)
{
  scene_run(arg);
  for (int i = 0; i < 2; i++) must(((scene *)arg)->run[i].done == 1);
}

static void child_with_child(void *arg)
{
  scene *s = arg;
  green_hub_turn(hub, 0);
  while (s->run[1].begun < 2) usleep(500);
  must(in_child(grandchild, s) == 0);
  scene_run(s);
  must_all_be_done_once(s);
}

static void test_grandchild(void)
{
  scene s;
  scene_open(&s);
  is(in_child(child_with_child, &s), 0, "a grandchild does them, too");
  scene_close(&s);
}

static void synchronous(void *arg)
{
  job j;
  job_init(&j, NULL);
  must(green_job_submit(arg, &j.job) == 0);
  must(j.begun == 1);
  must(green_hub_run(hub, &j.done) == 0);
}

static void test_without_threads(void)
{
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 0);
  is(in_child(synchronous, p), 0, "a pool without threads is as it was");
  green_tpool_free(p);
}

enum { ROW = 3000 };
static job row[ROW];

static void deliver_the_rest(void *arg)
{
  static const int never;
  must(green_hub_run(hub, &never) == GREEN_EDEADLOCK);
  must(done_of(row, ROW) == ROW);
  green_tpool_free(arg);
}

static void test_half_delivered(void)
{
  green_tpool *p = green_tpool_new(hub);
  static const int never;
  deliver_some(p, hub, row, ROW);
  ok(done_of(row, ROW) < ROW, "a row of which half is delivered");
  is(in_child(deliver_the_rest, p), 0, "a child has the rest");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "the parent, too");
  is(done_of(row, ROW), ROW, "each once");
  green_tpool_free(p);
}

/* Forks while threads come, go and deliver: the lists are whole each time. */
static void run_all(void *arg)
{
  green_tpool *p = arg;
  int64_t late = green_clock_now() + 20 * GREEN_SECOND;
  while (stats(p).pending && green_clock_now() < late) {
    green_hub_turn(hub, 0);
    usleep(200);
  }
  green_tpool_stats now = stats(p);
  must(now.pending == 0);
  if (now.pending)
    printf("# threads %u, idle %u, queued %u, pending %u\n", now.threads,
           now.idle, now.queued, now.pending);
  fflush(stdout);
}

static void test_at_any_moment(void)
{
  enum { JOBS = 200, FORKS = 8 };
  static job j[JOBS];
  green_tpool *p = green_tpool_new(hub);
  int wrong = 0, done = 0;
  for (int f = 0; f < FORKS; f++) {
    for (int i = 0; i < JOBS; i++) {
      job_init(&j[i], NULL);
      green_job_submit(p, &j[i].job);
    }
    wrong += in_child(run_all, p) != 0;
    while (stats(p).pending) green_hub_turn(hub, 1);
    for (int i = 0; i < JOBS; i++) done += j[i].done == 1 && j[i].begun == 1;
  }
  is(wrong, 0, "children at any moment do what is left");
  is(done, FORKS * JOBS, "and the parent what is its own, once");
  green_tpool_free(p);
}

/* A job that is soon over is, before the fork: what it holds of the process
** (the C library's locks) would never be given back in a child. */
static atomic_int is_at_it, was_at_it;

static void work_a_little(green_job *j)
{
  is_at_it = was_at_it = 1;
  usleep(5000);
  job_work(j);
  is_at_it = 0;
}

static void look_who_works(void *arg)
{
  (void)arg;
  must(!is_at_it);
}

static int fork_amid_a_job(green_tpool *p)
{
  job j;
  job_init(&j, NULL);
  j.job.work = work_a_little;
  was_at_it = 0;
  green_job_submit(p, &j.job);
  while (!was_at_it) usleep(100); /* It may be over when we look. */
  int wrong = in_child(look_who_works, NULL);
  green_hub_run(hub, &j.done);
  return wrong;
}

static void test_a_fork_waits_a_moment(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  int wrong = 1;
  /* A fork waits 50 ms at most, which a busy machine may outlast. */
  for (int i = 0; wrong && i < 10; i++) wrong = fork_amid_a_job(p);
  is(wrong, 0, "no job is under way in a child");
  job_init(&j, NULL);
  green_job_submit(p, &j.job);
  is(green_hub_run(hub, &j.done), 0, "the parent's jobs go on");
  green_tpool_free(p);
}

/* In a delivery the pool is held once more than by its owner. */
static pid_t forked_in_done;
static job after_the_fork;

static void done_forks(green_job *j)
{
  forked_in_done = fork();
  if (forked_in_done) return;
  t_start(); /* An alarm is the parent's alone. */
  job_init(&after_the_fork, NULL);
  green_job_submit(j->pool, &after_the_fork.job);
}

static void live_on_in_the_child(green_tpool *p)
{
  run_all(p);
  must(after_the_fork.done == 1);
  green_tpool_stop(p);
  must(stats(p).threads == 0);
  green_tpool_free(p);
  green_hub_free(hub);
  _exit(child_failed);
}

static void test_fork_in_done(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  j.job.done = done_forks;
  forked_in_done = -1;
  fflush(stdout);
  green_job_submit(p, &j.job);
  while (forked_in_done < 0) green_hub_turn(hub, 1);
  if (forked_in_done == 0) live_on_in_the_child(p);
  is(child_end(forked_in_done), 0, "a job's done may fork");
  green_tpool_free(p);
}

int main(void)
{
  t_start();
  if (t_under_tsan) {
    t_skip("pools of children",
           "TSan keeps the threads of the parent there, and "
           "ends a child whose new one has the number of one");
    return t_done();
  }
  green_hub_new(&hub, NULL);
  test_jobs_begin_anew(fork_by_c);
  test_jobs_begin_anew(fork_by_clone);
  test_new_jobs();
  test_idle_threads_are_the_parents();
  test_cancel();
  test_free(fork_by_c);
  test_free(fork_by_clone);
  test_stop();
  test_grandchild();
  test_without_threads();
  test_half_delivered();
  if (t_under_asan)
    t_skip("children at any moment",
           "threads that begin in a child wait for a "
           "lock of ASan's that one of the parent had");
  else
    test_at_any_moment();
  test_a_fork_waits_a_moment();
  test_fork_in_done();
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
