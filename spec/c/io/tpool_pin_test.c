/*
** tpool_pin_test.c: jobs that want one thread.
*/

/* wrap: pthread_create green__futex_wait */

#include "no_threads.h"
#include "child.h"
#include "io/tpool_kit.h"

#include <errno.h>

static green_hub *hub;

/* -- The system, made to fail --------------------------------------------- */

static atomic_int hasten; /* Idle threads wait 1 ms only. */
static atomic_int naps;   /* How often. */

int __real_green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns);
int __wrap_green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns);

int __wrap_green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns)
{
  if (hasten && ns != GREEN_NEVER) ns = 1000000;
  if (ns == GREEN_NEVER) naps++;
  return __real_green__futex_wait(word, value, ns);
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

static void run(job *j, int n)
{
  for (int i = 0; i < n; i++) green_hub_run(hub, &j[i].done);
}

static int same_thread(const job *a, const job *b)
{
  return pthread_equal(a->thread, b->thread);
}

/* S16. */
static void test_one_thread(void)
{
  enum { JOBS = 10 };
  job gates[3], j[JOBS];
  atomic_int gate = 0;
  int same = 1;
  green_tpool *p = pool_new(4);
  for (int i = 0; i < 3; i++) submit(p, NULL, &gates[i], &gate);
  for (int i = 0; i < 3; i++) wait_begun(&gates[i]);
  green_pin *pin = green_pin_new(p);
  submit(p, pin, &j[0], NULL);
  run(j, 1);
  gate = 1;
  run(gates, 3);
  wait_idle(p, 4);
  for (int i = 1; i < JOBS; i++) {
    submit(p, pin, &j[i], NULL);
    run(&j[i], 1);
    same = same && same_thread(&j[i], &j[0]);
  }
  ok(same, "all jobs of a pin run in one thread, however many are idle");
  green_pin_free(pin);
  green_tpool_free(p);
}

static void test_in_order(void)
{
  enum { JOBS = 40 };
  job j[JOBS];
  atomic_int gate = 0;
  int sorted = 1, same = 1;
  green_tpool *p = pool_new(4);
  green_pin *pin = green_pin_new(p);
  for (int i = 0; i < JOBS; i++) submit(p, pin, &j[i], i ? NULL : &gate);
  wait_begun(&j[0]);
  usleep(1000); /* Others would begin by now. */
  is(j[1].begun, 0, "one after another");
  is(stats(p).queued, JOBS - 1, "the others are in line");
  is(green_job_cancel(&j[5].job), 1, "where they can be cancelled");
  gate = 1;
  run(j, JOBS);
  for (int i = 1; i < JOBS; i++) {
    if (i == 5) continue;
    same = same && same_thread(&j[i], &j[0]);
    sorted = sorted && j[i].order > j[i == 6 ? 4 : i - 1].order;
  }
  ok(sorted && same, "by age, in one thread");
  is(j[5].status, GREEN_ECANCELED, "but for the one");
  green_pin_free(pin);
  green_tpool_free(p);
}

static void test_spread(void)
{
  job j[4], k;
  green_pin *pin[4];
  green_tpool *p = pool_new(3);
  for (int i = 0; i < 4; i++) {
    pin[i] = green_pin_new(p);
    submit(p, pin[i], &j[i], NULL);
    run(&j[i], 1);
  }
  ok(!same_thread(&j[0], &j[1]) && !same_thread(&j[1], &j[2]) &&
         !same_thread(&j[0], &j[2]),
     "pins have a thread each as long as there are any");
  is(stats(p).threads, 3, "then they share them");
  green_pin_free(pin[1]);
  pin[1] = green_pin_new(p);
  submit(p, pin[1], &k, NULL);
  run(&k, 1);
  ok(same_thread(&k, &j[1]), "the thread with the fewest pins is next");
  for (int i = 0; i < 4; i++) green_pin_free(pin[i]);
  green_tpool_free(p);
}

/* A pinned job at work keeps nobody else's waiting where there are threads. */
static void test_beside_others(void)
{
  job mine, others[20];
  atomic_int gate = 0;
  green_tpool *p = pool_new(2);
  green_pin *pin = green_pin_new(p);
  submit(p, pin, &mine, &gate);
  for (int i = 0; i < 20; i++) submit(p, NULL, &others[i], NULL);
  run(others, 20);
  is(mine.done, 0, "others go on");
  gate = 1;
  run(&mine, 1);
  green_pin_free(pin);
  green_tpool_free(p);
}

static void test_by_turns(void)
{
  job first, mine[3], others[3];
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_pin *pin = green_pin_new(p);
  submit(p, NULL, &first, &gate);
  wait_begun(&first);
  for (int i = 0; i < 3; i++) submit(p, pin, &mine[i], NULL);
  for (int i = 0; i < 3; i++) submit(p, NULL, &others[i], NULL);
  gate = 1;
  run(mine, 3);
  run(others, 3);
  ok(mine[0].order < others[0].order && others[0].order < mine[1].order &&
         mine[1].order < others[1].order && others[1].order < mine[2].order,
     "one of the pin's, one of the others'");
  run(&first, 1);
  green_pin_free(pin);
  green_tpool_free(p);
}

/* A thread is called for a job of everybody's, and has one with a pin before it
** comes: the other must not wait for that. It comes too early at times. */
static void test_called_for_two(void)
{
  enum { ROUNDS = 50 };
  job both[2], other, mine;
  atomic_int gate = 0;
  green_tpool *p = pool_new(2);
  green_pin *pin = green_pin_new(p);
  for (int i = 0; i < 2; i++) submit(p, NULL, &both[i], &gate);
  for (int i = 0; i < 2; i++) wait_begun(&both[i]);
  gate = 1;
  run(both, 2);
  for (int i = 0; i < ROUNDS; i++) {
    wait_idle(p, 2);
    gate = 0;
    submit(p, pin, &mine, NULL);
    run(&mine, 1);
    submit(p, NULL, &other, NULL); /* Now a pin's turn is next. */
    run(&other, 1);
    submit(p, NULL, &other, NULL);
    submit(p, pin, &mine, &gate);
    run(&other, 1);
    gate = 1;
    run(&mine, 1);
  }
  ok(1, "who is called for two things has one of them done by another");
  green_pin_free(pin);
  green_tpool_free(p);
}

/* -- Life ----------------------------------------------------------------- */

static void test_does_not_retire(void)
{
  job j;
  green_tpool *p = pool_new(1);
  green_pin *pin = green_pin_new(p);
  hasten = 1;
  naps = 0;
  submit(p, pin, &j, NULL);
  run(&j, 1);
  while (!naps) usleep(500);
  usleep(5000); /* It would be gone by now. */
  is(stats(p).threads, 1, "a thread with a pin stays");
  green_pin_free(pin);
  while (stats(p).threads) usleep(500);
  ok(1, "and retires when the last one has gone");
  hasten = 0;
  green_tpool_free(p);
}

static void test_free_amid_jobs(void)
{
  job j[3];
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_pin *pin = green_pin_new(p);
  for (int i = 0; i < 3; i++) submit(p, pin, &j[i], &gate);
  wait_begun(&j[0]);
  green_pin_free(pin);
  gate = 1;
  run(j, 3);
  is(begun_of(j, 3), 3, "what is under way is done without its pin");
  pin = green_pin_new(p);
  gate = 0;
  submit(p, NULL, &j[0], &gate);
  wait_begun(&j[0]);
  submit(p, pin, &j[1], NULL);
  green_pin_free(pin);
  is(green_job_cancel(&j[1].job), 1, "or cancelled");
  gate = 1;
  run(j, 2);
  is(j[1].status, GREEN_ECANCELED, "its owner is told");
  green_pin_free(NULL);
  green_tpool_free(p);
}

static void test_pool_is_freed_first(void)
{
  job j[2], k;
  atomic_int gate = 0;
  green_tpool *p = pool_new(1);
  green_pin *pin = green_pin_new(p), *unused = green_pin_new(p),
            *gone = green_pin_new(p);
  for (int i = 0; i < 2; i++) submit(p, pin, &j[i], &gate);
  submit(p, gone, &k, NULL);
  wait_begun(&j[0]);
  green_pin_free(gone);
  green_tpool_free(p);
  is(j[1].dropped, 1, "what is in line is dropped");
  is(k.dropped, 1, "that of a pin without an owner, too");
  p = pool_new(1);
  job_init(&k, NULL);
  k.job.pin = pin;
  is(green_job_submit(p, &k.job), GREEN_EINVAL, "the pin is no other pool's");
  green_pin_free(pin);
  green_pin_free(unused);
  gate = 1;
  while (!j[0].dropped) usleep(500);
  green_tpool_free(p);
  usleep(20000); /* Let the thread end: memcheck counts its stack. */
}

static void test_stop(void)
{
  job j[2];
  green_tpool *p = pool_new(2);
  green_pin *pin = green_pin_new(p);
  submit(p, pin, &j[0], NULL);
  green_tpool_stop(p);
  green_hub_turn(hub, 0);
  is(j[0].done, 1, "a stop has its jobs done");
  is(stats(p).threads, 0, "and ends its thread");
  is(submit(p, pin, &j[1], NULL), 0, "the pin can be used again");
  run(&j[1], 1);
  is(green_tpool_set_threads(p, 1), GREEN_EBUSY, "in a thread");
  green_tpool_stop(p);
  is(green_tpool_set_threads(p, 0), 0, "without threads");
  submit(p, pin, &j[0], NULL);
  is(j[0].begun, 1, "its jobs run at once");
  run(&j[0], 1);
  green_pin_free(pin);
  green_tpool_free(p);
}

static void test_no_thread_to_be_had(void)
{
  job j;
  green_tpool *p = pool_new(1);
  green_pin *pin = green_pin_new(p);
  threads_fail = 1;
  is(submit(p, pin, &j, NULL), GREEN_ENOMEM, "no thread at all");
  threads_fail = 0;
  is(green_job_submit(p, &j.job), 0, "the next time there is");
  run(&j, 1);
  green_pin_free(pin);
  green_tpool_free(p);
}

/* -- Forks ---------------------------------------------------------------- */

static atomic_int gate_open;

typedef struct scene {
  green_tpool *p;
  green_pin *pin[2];
  job j[6]; /* Of the pins by turns. */
} scene;

static int scene_is_done(const scene *s)
{
  int done = 0;
  for (int i = 0; i < 6; i++) done += s->j[i].done;
  return done == 6;
}

static void pins_of_a_child(void *arg)
{
  scene *s = arg;
  job more;
  gate_open = 1;
  while (!scene_is_done(s)) green_hub_turn(hub, 1);
  for (int i = 0; i < 6; i++) must(s->j[i].begun == (i < 2 ? 2 : 1));
  must(same_thread(&s->j[0], &s->j[2]) && same_thread(&s->j[2], &s->j[4]));
  must(same_thread(&s->j[1], &s->j[3]) && same_thread(&s->j[3], &s->j[5]));
  must(s->j[0].order < s->j[2].order && s->j[2].order < s->j[4].order);
  must(submit(s->p, s->pin[1], &more, NULL) == 0);
  run(&more, 1);
  must(same_thread(&more, &s->j[1]));
  green_pin_free(s->pin[0]);
  green_tpool_free(s->p);
  green_pin_free(s->pin[1]);
}

static void test_fork(pid_t (*make)(void))
{
  scene s = {.p = pool_new(2)};
  gate_open = 0;
  for (int i = 0; i < 2; i++) s.pin[i] = green_pin_new(s.p);
  for (int i = 0; i < 6; i++) submit(s.p, s.pin[i % 2], &s.j[i], &gate_open);
  for (int i = 0; i < 2; i++) wait_begun(&s.j[i]);
  is(in_child_by(make, pins_of_a_child, &s), 0, "pins have threads in a child");
  gate_open = 1;
  run(s.j, 6);
  is(begun_of(s.j, 6), 6, "the parent's jobs run once");
  green_pin_free(s.pin[0]);
  green_pin_free(s.pin[1]);
  green_tpool_free(s.p);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_one_thread();
  test_in_order();
  test_spread();
  test_beside_others();
  test_by_turns();
  test_called_for_two();
  test_does_not_retire();
  test_free_amid_jobs();
  test_pool_is_freed_first();
  test_stop();
  test_no_thread_to_be_had();
  if (t_under_tsan) {
    t_skip("forks", "TSan keeps the threads of the parent in a child");
  } else {
    test_fork(fork_by_c);
    test_fork(fork_by_clone);
  }
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
