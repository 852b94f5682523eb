/*
** line_test.c: jobs by priority and age, against a model that looks at all.
*/

#include "t.h"
#include "io/line.h"

enum { MOST = 60 };

typedef struct thing {
  green_job job;
  int in;
  long age; /* The model's: smaller is older. */
} thing;

static thing things[MOST];
static green__line line;
static long oldest, newest;

static green_job *put(int i, int priority, int front)
{
  thing *t = &things[i];
  t->job.priority = (int8_t)priority;
  t->in = 1;
  t->age = front ? --oldest : ++newest;
  if (front)
    green__line_push_front(&line, &t->job);
  else
    green__line_push(&line, &t->job);
  return &t->job;
}

static void clear(void)
{
  memset(things, 0, sizeof(things));
  green__line_init(&line);
  oldest = newest = 0;
}

static void test_order(void)
{
  clear();
  ok(green__line_empty(&line) && !green__line_pop(&line), "nobody is there");
  green_job *low = put(0, -128, 0), *a = put(1, 0, 0), *b = put(2, 0, 0),
            *high = put(3, 127, 0), *c = put(4, 0, 0), *was = put(5, 0, 1);
  is(green__line_count(&line), 6, "six are in line");
  ok(green__line_pop(&line) == high, "the highest priority comes first");
  ok(green__line_pop(&line) == was, "then who was put in front");
  ok(green__line_pop(&line) == a, "then the oldest");
  green__line_remove(b);
  ok(green__line_pop(&line) == c, "not one that was taken out");
  ok(green__line_pop(&line) == low, "the lowest is last");
  ok(green__line_empty(&line), "and nobody is left");
}

/* -- The model ------------------------------------------------------------ */

static thing *model_first(void)
{
  thing *first = NULL;
  for (int i = 0; i < MOST; i++) {
    thing *t = &things[i];
    if (!t->in) continue;
    if (!first || t->job.priority > first->job.priority ||
        (t->job.priority == first->job.priority && t->age < first->age))
      first = t;
  }
  return first;
}

static int model_count(void)
{
  int n = 0;
  for (int i = 0; i < MOST; i++) n += things[i].in;
  return n;
}

static int storm_pop(void)
{
  thing *want = model_first();
  green_job *got = green__line_pop(&line);
  if (want) want->in = 0;
  return got == (want ? &want->job : NULL);
}

static int storm_step(unsigned *seed, int levels)
{
  int i = rand_r(seed) % MOST, act = rand_r(seed) % 8;
  if (act < 2) return storm_pop();
  if (things[i].in) {
    things[i].in = 0;
    green__line_remove(&things[i].job);
  } else {
    put(i, rand_r(seed) % levels - levels / 2, act == 2);
  }
  return (int)green__line_count(&line) == model_count() &&
         green__line_empty(&line) == !model_count();
}

static void test_storm(int levels)
{
  unsigned seed = (unsigned)levels;
  int wrong = 0;
  clear();
  for (int i = 0; i < 20000; i++) wrong += !storm_step(&seed, levels);
  while (!green__line_empty(&line)) wrong += !storm_pop();
  is(wrong, 0, "as in the model");
  is(model_count(), 0, "to the last one");
}

int main(void)
{
  t_start();
  test_order();
  test_storm(1);
  test_storm(2);
  test_storm(5);
  test_storm(256);
  return t_done();
}
