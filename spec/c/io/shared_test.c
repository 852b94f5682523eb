/*
** shared_test.c: what a process has one of. Of the pool's threads: crew_test.c.
*/

#include "child.h"
#include "io/shared.h"

#include <pthread.h>
#include <stdatomic.h>

static int made, freed, forgotten, no_memory;
static atomic_int making, making_most;

static void *thing_make(const void *arg)
{
  int n = ++making;
  if (n > making_most) making_most = n;
  usleep(1000); /* Others come meanwhile. */
  making--;
  if (no_memory) return NULL;
  int *thing = malloc(sizeof(*thing));
  *thing = *(const int *)arg;
  made++;
  return thing;
}

static void thing_free(void *thing)
{
  freed++;
  free(thing);
}

static void thing_forget(void *thing)
{
  forgotten++;
  free(thing);
}

static green__shared things = {
    .make = thing_make, .free = thing_free, .forget = thing_forget};

static void test_one_for_all(void)
{
  static const int first = 1, second = 2;
  int *a = green__shared_acquire(&things, &first);
  int *b = green__shared_acquire(&things, &second);
  ok(a && a == b, "all get the same");
  is(*a, 1, "as the first wanted it");
  green__shared_release(&things);
  is(freed, 0, "it stays while anybody has it");
  green__shared_release(&things);
  is(freed, 1, "and goes with the last");
  a = green__shared_acquire(&things, &second);
  is(*a, 2, "the next gets another");
  is(made, 2, "made when wanted, and no earlier");
  green__shared_release(&things);
}

static void test_no_memory(void)
{
  static const int any = 1;
  no_memory = 1;
  ok(!green__shared_acquire(&things, &any), "none could be made");
  no_memory = 0;
  ok(green__shared_acquire(&things, &any), "the next who wants it tries again");
  green__shared_release(&things);
  is(freed, made, "nobody counted the one that failed");
}

static void child_of_holder(void *arg)
{
  static const int mine = 7;
  (void)arg;
  must(forgotten == 0);
  int *it = green__shared_acquire(&things, &mine);
  must(forgotten == 1);
  must(it && *it == 7);
  must(green__shared_acquire(&things, &mine) == it);
  green__shared_release(&things);
  must(freed == 0);
  green__shared_release(&things); /* The parent's are not counted here. */
  must(freed == 1);
}

static void test_fork(pid_t (*make)(void))
{
  static const int any = 3;
  made = freed = forgotten = 0;
  int *it = green__shared_acquire(&things, &any);
  is(in_child_by(make, child_of_holder, NULL), 0, "a child has its own");
  ok(*it == 3 && !freed, "the parent keeps what it had");
  green__shared_release(&things);
  is(freed, 1, "and frees it");
}

/* -- At once -------------------------------------------------------------- */

enum { THREADS = 8 };

static atomic_int wrong, start;

static void *get_it(void *arg)
{
  while (!start) usleep(100);
  int *it = green__shared_acquire(&things, arg);
  if (!it || *it != 5) wrong++;
  usleep(1000);
  green__shared_release(&things);
  return NULL;
}

static void all_at_once(void *arg)
{
  static int five = 5;
  pthread_t threads[THREADS];
  (void)arg;
  start = making_most = wrong = made = freed = 0;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, get_it, &five)) abort();
  start = 1;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  must(wrong == 0);
  must(making_most == 1);
  must(made >= 1 && freed == made);
}

static void test_at_once(void)
{
  child_failed = 0;
  all_at_once(NULL);
  is(child_failed, 0, "threads that want it at once get one");
  is(in_child(all_at_once, NULL), 0, "in a child, too");
}

int main(void)
{
  t_start();
  green_fork_watch();
  test_one_for_all();
  test_no_memory();
  test_fork(fork_by_c);
  test_fork(fork_by_clone);
  test_at_once();
  return t_done();
}
