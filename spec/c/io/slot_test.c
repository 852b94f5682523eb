/*
** slot_test.c: what threads of a pool have of their own.
*/

#include "io/tpool_kit.h"

#include <errno.h>

static green_hub *hub;

/* -- Slots: each a number of its own -------------------------------------- */

static atomic_int started, ended, slots_fail;

static int slot_start(void **slot)
{
  if (slots_fail) return slots_fail;
  int *n = malloc(sizeof(*n));
  *n = ++started;
  *slot = n;
  return 0;
}

static void slot_end(void *slot)
{
  ended++;
  free(slot);
}

static const green_thread_hooks numbers = {slot_start, slot_end};
static const green_thread_hooks others = {slot_start, slot_end};
static const green_thread_hooks no_end = {slot_start, NULL};

/* -- The chain ------------------------------------------------------------ */

static void test_chain(void)
{
  green__slots *all = NULL;
  void *one = NULL, *two = NULL, *again = NULL;
  started = ended = slots_fail = 0;
  green__slots_end(&all);
  is(ended, 0, "a thread without slots ends none");
  is(green__slots_get(&all, &numbers, &one), 0, "the first");
  is(green__slots_get(&all, &others, &two), 0, "other hooks");
  ok(one != two && started == 2, "make another");
  is(green__slots_get(&all, &numbers, &again), 0, "the same hooks");
  ok(again == one && started == 2, "find theirs");
  slots_fail = GREEN_ENOMEM;
  is(green__slots_get(&all, &no_end, &again), GREEN_ENOMEM, "one that fails");
  slots_fail = 0;
  is(green__slots_get(&all, &no_end, &again), 0, "may be tried again");
  green__slots_end(&all);
  ok(ended == 2 && !all, "all are ended that have an end");
  free(again);
}

/* -- In a pool ------------------------------------------------------------ */

typedef struct slot_job {
  job j;
  int number; /* In the slot. */
} slot_job;

static void look_at_slot(green_job *j)
{
  slot_job *me = green_container(j, slot_job, j.job);
  me->number = j->slot ? *(int *)j->slot : -1;
  job_work(j);
}

static void slot_job_init(slot_job *s, atomic_int *gate)
{
  memset(s, 0, sizeof(*s));
  job_init(&s->j, gate);
  s->j.job.work = look_at_slot;
}

static int number_seen(green_tpool *p)
{
  slot_job s;
  slot_job_init(&s, NULL);
  if (green_job_submit(p, &s.j.job) < 0) return -2;
  green_hub_run(hub, &s.j.done);
  return s.number;
}

static green_tpool *pool_new(int threads, const green_thread_hooks *hooks)
{
  green_tpool *p = green_tpool_new(hub);
  if (threads >= 0) green_tpool_set_threads(p, threads);
  green_tpool_set_hooks(p, hooks);
  started = ended = slots_fail = 0;
  return p;
}

static void test_jobs_of_a_thread(void)
{
  green_tpool *p = pool_new(1, &numbers);
  is(number_seen(p), 1, "the first job of a thread has it made");
  is(number_seen(p), 1, "the next finds it");
  is(ended, 0, "it stays");
  green_tpool_stop(p);
  is(ended, 1, "it ends with its thread");
  is(number_seen(p), 2, "a new thread has a new one");
  green_tpool_free(p);
  is(ended, 2, "which has ended when the pool is free");
}

static void test_each_thread_has_its_own(void)
{
  slot_job s[2];
  atomic_int gate = 0;
  green_tpool *p = pool_new(2, &numbers);
  for (int i = 0; i < 2; i++) {
    slot_job_init(&s[i], &gate);
    green_job_submit(p, &s[i].j.job);
  }
  for (int i = 0; i < 2; i++) wait_begun(&s[i].j);
  is(s[0].number + s[1].number, 3, "one and two");
  gate = 1;
  for (int i = 0; i < 2; i++) green_hub_run(hub, &s[i].j.done);
  green_tpool_free(p);
  is(ended, 2, "both end");
}

static void test_pools_with_the_same_hooks(void)
{
  setenv("GREENLUA_THREADS", "1", 1);
  green_tpool *a = pool_new(-1, &numbers), *b = pool_new(-1, &numbers),
              *c = pool_new(-1, &others), *d = pool_new(-1, NULL);
  unsetenv("GREENLUA_THREADS");
  is(number_seen(a), 1, "one pool");
  is(number_seen(b), 1, "another finds what it made");
  is(number_seen(c), 2, "one with other hooks does not");
  is(number_seen(d), -1, "one without hooks has nothing");
  is(started, 2, "and none is made for it");
  green_tpool_free(a);
  green_tpool_free(b);
  green_tpool_free(c);
  green_tpool_free(d);
  is(ended, 2, "all end with the last pool");
}

static void test_start_fails(void)
{
  slot_job s;
  green_tpool *p = pool_new(1, &numbers);
  slots_fail = GREEN_EMFILE;
  slot_job_init(&s, NULL);
  green_job_submit(p, &s.j.job);
  green_hub_run(hub, &s.j.done);
  is(s.j.status, GREEN_EMFILE, "done is told");
  is(s.j.begun, 0, "there was no work");
  slots_fail = 0;
  is(number_seen(p), 1, "the next job tries again");
  green_tpool_free(p);
}

static void test_in_the_hubs_thread(void)
{
  green_tpool *p = pool_new(0, &numbers);
  is(number_seen(p), -1, "the hub's thread has no slot");
  is(started, 0, "nothing is made for it");
  green_tpool_free(p);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_chain();
  test_jobs_of_a_thread();
  test_each_thread_has_its_own();
  test_pools_with_the_same_hooks();
  test_start_fails();
  test_in_the_hubs_thread();
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
