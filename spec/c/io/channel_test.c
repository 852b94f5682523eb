/*
** channel_test.c: a bounded queue between hubs.
*/

#include "child.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/channel.h"
#include "t.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static green_hub *hub;

/* -- Items ---------------------------------------------------------------- */

typedef struct thing {
  green_item item;
  int number;
} thing;

static atomic_int alive;

static void thing_drop(green_item *item)
{
  atomic_fetch_sub(&alive, 1);
  green__free(green_container(item, thing, item));
}

static thing *thing_new(int number)
{
  thing *t = green__zalloc(sizeof(*t));
  t->item.drop = thing_drop;
  t->number = number;
  atomic_fetch_add(&alive, 1);
  return t;
}

/* As green_channel_put; a refused one is freed. */
static int put(green_channel *c, int number)
{
  thing *t = thing_new(number);
  int err = green_channel_put(c, &t->item);
  if (err) thing_drop(&t->item);
  return err;
}

/* The number, or a negative error. */
static int get(green_channel *c)
{
  green_item *item;
  int err = green_channel_get(c, &item);
  if (err) return err;
  int number = green_container(item, thing, item)->number;
  thing_drop(item);
  return number;
}

static void test_order_and_bounds(void)
{
  green_channel *c = green_channel_new(2);
  is(green_channel_capacity(c), 2, "capacity");
  is(get(c), GREEN_EAGAIN, "empty");
  is(put(c, 1), 0, "put");
  is(put(c, 2), 0, "and again");
  is(put(c, 3), GREEN_EAGAIN, "full");
  is(green_channel_size(c), 2, "size");
  is(get(c), 1, "the first one first");
  is(put(c, 3), 0, "there is room again");
  is(get(c), 2, "second");
  green_channel_close(c);
  green_channel_close(c);
  is(green_channel_is_closed(c), 1, "closed");
  is(put(c, 4), GREEN_ECLOSED, "nothing comes into a closed one");
  is(get(c), 3, "what is in it can be taken");
  is(get(c), GREEN_ECLOSED, "then it is over");
  green_channel_unref(c);
  is(alive, 0, "nothing is left");
}

static void test_the_last_holder_drops_what_is_in_it(void)
{
  green_channel *c = green_channel_new(10);
  for (int i = 0; i < 5; i++) put(c, i);
  green_channel_unref(green_channel_ref(c));
  is(alive, 5, "somebody holds it");
  green_channel_unref(c);
  is(alive, 0, "nobody does");
}

static void test_no_memory(void)
{
  green__alloc_fail_from(1);
  green_channel *c = green_channel_new(1);
  green__alloc_fail_from(0);
  ok(c == NULL, "no channel without memory");
}

/* -- Waiting -------------------------------------------------------------- */

static green_channel_wait *wait_new(green_channel *c,
                                    enum green_channel_side side, int *err)
{
  green_channel_wait *w = green__zalloc(green_channel_wait_size());
  *err = green_channel_wait_init(w, hub, c, side);
  return w;
}

static void wait_free(green_channel_wait *w)
{
  green_channel_wait_deinit(w);
  green__free(w);
}

static int told(green_channel_wait *w)
{
  green_hub_turn(hub, 0);
  return green_channel_wait_is_told(w);
}

static void test_told(void)
{
  int err;
  green_channel *c = green_channel_new(1);
  green_channel_wait *w = wait_new(c, GREEN_CHANNEL_GET, &err);
  is(err, 0, "wait for an item");
  is(told(w), 0, "nothing comes");
  put(c, 1);
  is(green_channel_wait_is_told(w), 0, "not before the hub's turn");
  is(told(w), 1, "told");
  wait_free(w);
  w = wait_new(c, GREEN_CHANNEL_GET, &err);
  is(err, GREEN_EAGAIN, "no need to wait");
  wait_free(w);
  w = wait_new(c, GREEN_CHANNEL_PUT, &err);
  is(err, 0, "wait for room");
  get(c);
  is(told(w), 1, "there is some");
  wait_free(w);
  w = wait_new(c, GREEN_CHANNEL_GET, &err);
  green_channel_close(c);
  is(told(w), 1, "the end is told, too");
  is(green_channel_wait_again(w), GREEN_EAGAIN, "no more waiting then");
  wait_free(w);
  green_channel_unref(c);
}

static void test_who_waits_longest_is_told(void)
{
  int err;
  green_channel *c = green_channel_new(4);
  green_channel_wait *w[3];
  for (int i = 0; i < 3; i++) w[i] = wait_new(c, GREEN_CHANNEL_GET, &err);
  put(c, 1);
  is(told(w[0]), 1, "the first");
  is(told(w[1]) + told(w[2]), 0, "and no other");
  get(c); /* Somebody was faster. */
  is(green_channel_wait_again(w[0]), 0, "it waits again");
  put(c, 2);
  is(told(w[0]), 1, "before the others");
  is(told(w[1]) + told(w[2]), 0, "which wait on");
  wait_free(w[0]); /* It was killed, say. */
  is(told(w[1]), 1, "the next is told in its place");
  get(c);
  wait_free(w[1]);
  is(told(w[2]), 0, "there is nothing to be told of");
  wait_free(w[2]);
  green_channel_unref(c);
}

static void test_ends_between_the_post_and_its_run(void)
{
  int err;
  green_channel *c = green_channel_new(1);
  green_channel_wait *a = wait_new(c, GREEN_CHANNEL_GET, &err);
  green_channel_wait *b = wait_new(c, GREEN_CHANNEL_GET, &err);
  put(c, 1);
  green_channel_wait_deinit(a);
  green_channel_wait_deinit(a);
  is(told(b), 1, "handed on");
  green__free(a);
  wait_free(b);
  green_channel_unref(c);
  is(alive, 0, "dropped with the channel");
}

/* -- A child -------------------------------------------------------------- */

static void use_in_a_child(void *arg)
{
  green_channel *c = arg;
  int err;
  must(get(c) == GREEN_ECLOSED);
  must(put(c, 1) == GREEN_ECLOSED);
  must(green_channel_size(c) == 0);
  must(green_channel_is_closed(c));
  green_channel_close(c);
  green_channel_wait *w = wait_new(c, GREEN_CHANNEL_GET, &err);
  must(err == GREEN_EAGAIN);
  wait_free(w);
  green_channel_unref(c);
  green_channel_unref(c);
}

static void test_in_a_child(void)
{
  int err;
  green_channel *c = green_channel_new(2);
  green_channel_wait *w = wait_new(c, GREEN_CHANNEL_GET, &err);
  put(c, 7);
  is(in_child(use_in_a_child, c), 0, "the child finds it closed and empty");
  is(told(w), 1, "the parent goes on");
  is(get(c), 7, "with what is its own");
  wait_free(w);
  green_channel_unref(c);
}

/* -- Threads -------------------------------------------------------------- */

enum { EACH = 3000, THREADS = 3 };

typedef struct worker {
  pthread_t thread;
  green_channel *in;  /* NULL: it makes numbers. */
  green_channel *out; /* NULL: it adds them up. */
  int first;
  long sum;
} worker;

/* A task that takes and puts until its input ends. */
typedef struct mover {
  green_task task;
  worker *of;
  green_channel_wait *wait;
  thing *held;
  int left;
  int done;
} mover;

static void mover_waited(mover *m)
{
  if (m->wait) wait_free(m->wait);
  m->wait = NULL;
}

/* Wait for a side: 1 when the task is parked. */
static int mover_waits(mover *m, green_channel *c, enum green_channel_side side)
{
  int err;
  if (m->wait) {
    err = green_channel_wait_again(m->wait);
  } else {
    m->wait = green__zalloc(green_channel_wait_size());
    err = green_channel_wait_init(m->wait, m->task.hub, c, side);
    if (err) mover_waited(m);
  }
  if (err == 0)
    green_task_park(&m->task, green_channel_wait_queue(m->wait), GREEN_NEVER);
  return err == 0;
}

/* 0, an error, or 1: parked. */
static int mover_take(mover *m)
{
  green_item *item;
  int err;
  if (!m->of->in) {
    if (m->left == 0) return GREEN_ECLOSED;
    m->held = thing_new(m->of->first + --m->left);
    return 0;
  }
  while ((err = green_channel_get(m->of->in, &item)) == GREEN_EAGAIN)
    if (mover_waits(m, m->of->in, GREEN_CHANNEL_GET)) return 1;
  mover_waited(m);
  if (err == 0) m->held = green_container(item, thing, item);
  return err;
}

static int mover_give(mover *m)
{
  int err;
  if (!m->of->out) {
    m->of->sum += m->held->number;
    thing_drop(&m->held->item);
    m->held = NULL;
    return 0;
  }
  while ((err = green_channel_put(m->of->out, &m->held->item)) == GREEN_EAGAIN)
    if (mover_waits(m, m->of->out, GREEN_CHANNEL_PUT)) return 1;
  mover_waited(m);
  if (err == 0) m->held = NULL;
  return err;
}

static void mover_resume(green_task *t)
{
  mover *m = green_container(t, mover, task);
  int r = 0;
  while (r == 0) {
    if (!m->held) r = mover_take(m);
    if (r == 0) r = mover_give(m);
  }
  if (r == 1) return;
  m->done = 1;
  green_task_end(t);
}

static void *worker_main(void *arg)
{
  worker *me = arg;
  green_hub *mine;
  mover m = {.of = me, .left = EACH};
  green_hub_new(&mine, NULL);
  green_task_init(&m.task, mine, mover_resume);
  green_task_start(&m.task);
  while (!m.done) green_hub_turn(mine, 1);
  green_hub_free(mine);
  return NULL;
}

static void start(worker *w, green_channel *in, green_channel *out, int first)
{
  *w = (worker){.in = in, .out = out, .first = first};
  pthread_create(&w->thread, NULL, worker_main, w);
}

/* Makers, movers and adders, three of each, through two small channels. */
static void test_storm(void)
{
  green_channel *a = green_channel_new(3), *b = green_channel_new(1);
  worker makers[THREADS], movers[THREADS], adders[THREADS];
  long sum = 0, want = 0;
  for (int i = 0; i < THREADS; i++) {
    start(&makers[i], NULL, a, i * EACH);
    start(&movers[i], a, b, 0);
    start(&adders[i], b, NULL, 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(makers[i].thread, NULL);
  green_channel_close(a);
  for (int i = 0; i < THREADS; i++) pthread_join(movers[i].thread, NULL);
  green_channel_close(b);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(adders[i].thread, NULL);
    sum += adders[i].sum;
  }
  for (long i = 0; i < THREADS * EACH; i++) want += i;
  is(sum, want, "each has come once");
  is(alive, 0, "none is left");
  green_channel_unref(a);
  green_channel_unref(b);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_order_and_bounds();
  test_the_last_holder_drops_what_is_in_it();
  test_no_memory();
  test_told();
  test_who_waits_longest_is_told();
  test_ends_between_the_post_and_its_run();
  test_in_a_child();
  test_storm();
  green_hub_free(hub);
  return t_done();
}
