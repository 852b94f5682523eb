/*
** stdfd_fork_test.c: an inherited descriptor in a child, whose queue is empty.
*/

#include "child.h"
#include "io/stdfd_kit.h"

#include <fcntl.h>

static int put_block(kit *k, size_t n, char c)
{
  char *p = malloc(n);
  if (!p) abort();
  memset(p, c, n);
  int r = green_stdfd_put(k->s, p, n, 0);
  free(p);
  return r;
}

/* What can be read by now: how many bytes are c, how many are not. */
static void read_all(const kit *k, char c, int *same, int *other)
{
  char got[4096];
  *same = *other = 0;
  while (has_input(k->in)) {
    ssize_t n = read(k->in, got, sizeof(got));
    if (n <= 0) return;
    for (ssize_t i = 0; i < n; i++) *(got[i] == c ? same : other) += 1;
  }
}

static void must_read(const kit *k, const char *want)
{
  must(reads(k->in, want));
}

/* -- Lazy bytes ----------------------------------------------------------- */

static void write_in_a_child(void *arg)
{
  kit *k = arg;
  must(put(k, "child", 0) == 0);
  must_read(k, "child");
  must(green_stdfd_queued(k->s) == 0);
  must(put(k, "lazy", 1) == 0);
  turns(k->hub, 1);
  must_read(k, "lazy");
}

static void lazy_in_a_child(void *arg)
{
  kit *k = arg;
  must(put(k, "lazy", 1) == 0);
  must(green_stdfd_queued(k->s) == 4);
  turns(k->hub, 1);
  must_read(k, "lazy");
}

static void turn_in_a_child(void *arg)
{
  kit *k = arg;
  turns(k->hub, 2);
  must(!has_input(k->in));
  must(green_stdfd_queued(k->s) == 0);
}

static void flush_in_a_child(void *arg)
{
  kit *k = arg;
  must(green_stdfd_flush(k->s) == 0);
  must(!has_input(k->in));
}

static void end_in_a_child(void *arg)
{
  kit *k = arg;
  green_stdfd_deinit(k->s);
  must(!has_input(k->in));
  must(green_stdfd_dropped(k->s) == 0);
}

static void test_lazy_bytes(pid_t (*make)(void))
{
  static child_fn *const children[] = {write_in_a_child, lazy_in_a_child,
                                       turn_in_a_child, flush_in_a_child,
                                       end_in_a_child};
  kit k = kit_open();
  put(&k, "parent", 1);
  for (size_t i = 0; i < 5; i++)
    is(in_child_by(make, children[i], &k), 0, "a child writes its own alone");
  turns(k.hub, 1);
  char got[16] = "";
  ok(has_input(k.in) && read(k.in, got, 15) == 6, "the parent writes its own");
  is_str(got, "parent", "once");
  kit_close(&k);
}

/* -- A full pipe ---------------------------------------------------------- */

static void empty_in_a_child(void *arg)
{
  kit *k = arg;
  int a, other;
  turns(k->hub, 2);
  read_all(k, 'a', &a, &other);
  must(a == BLOCK && other == 0);
  turns(k->hub, 3);
  must(!has_input(k->in)); /* What was queued is the parent's. */
  must(put(k, "child", 0) == 0);
  turns(k->hub, 2);
  must_read(k, "child");
  must(stats_of(k->hub).waits == 0);
  green_stdfd_deinit(k->s);
  must(stats_of(k->hub).live == 0);
}

static void test_a_full_pipe(void)
{
  kit k = kit_open();
  int b, other;
  put_block(&k, BLOCK, 'a');
  put_block(&k, BLOCK, 'b');
  turns(k.hub, 2);
  is(in_child(empty_in_a_child, &k), 0, "a queue is not written twice");
  is((int)green_stdfd_queued(k.s), BLOCK, "it is the parent's");
  turns(k.hub, 3);
  read_all(&k, 'b', &b, &other);
  is(b, BLOCK, "who writes it");
  is(other, 0, "as it was");
  turns(k.hub, 2);
  kit_close(&k);
}

static void wait_in_a_child(void *arg)
{
  kit *k = arg;
  turns(k->hub, 2);
  must(k->waiter.task.state == GREEN_TASK_DEAD && k->waiter.task.status == 0);
  must(green_stdfd_queued(k->s) == 0 && green_stdfd_dropped(k->s) == 0);
}

static void test_who_waits_for_room(void)
{
  kit k = kit_open();
  put_block(&k, BLOCK, 'a');
  put_block(&k, 2 * BLOCK, 'b');
  green_stdfd_drop(k.s, 1);
  actor_start(&k.waiter, k.hub, 0, step_park);
  k.waiter.q = green_stdfd_room(k.s);
  turns(k.hub, 2);
  is(k.waiter.task.state, GREEN_TASK_PARKED, "no room: who wants it waits");
  is(in_child(wait_in_a_child, &k), 0, "in a child there is room");
  is(k.waiter.task.state, GREEN_TASK_PARKED, "the parent's waits on");
  green_stdfd_deinit(k.s);
  turns(k.hub, 1);
  is(k.waiter.task.status, GREEN_ECLOSED, "until the end");
  kit_close(&k);
}

int main(void)
{
  t_start();
  test_lazy_bytes(fork_by_c);
  test_lazy_bytes(fork_by_clone);
  test_a_full_pipe();
  test_who_waits_for_room();
  return t_done();
}
