/*
** heap_test.c: deadlines come out in order, whatever happens in between.
*/

#include "base/clock.h"
#include "base/heap.h"
#include "base/mem.h"
#include "t.h"

/* A timer, and what a naive twin knows of it. */
typedef struct item {
  green_timer timer;
  int64_t due;
  uint64_t order; /* Of entry; 0: not in the heap. */
  int aside;      /* Set aside by expire. */
} item;

#define item_of(t) green_container(t, item, timer)

static uint64_t seed = 88172645463325252u;

static uint32_t rnd(uint32_t n)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 32) % n;
}

/* Children are not before their parents, and each timer knows its slot. */
static int is_sound(const green_heap *h)
{
  for (uint32_t i = 0; i < h->len; i++) {
    if (h->a[i].timer->slot != i + 1) return 0;
    if (i && h->a[i].due < h->a[(i - 1) / 4].due) return 0;
  }
  return 1;
}

/* Fill with deadlines, expire, take all: in the order of (due, entry)? */
static int comes_out_sorted(const int64_t *due, uint32_t n)
{
  green_heap h;
  item *items = calloc(n, sizeof(*items));
  int64_t last = INT64_MIN;
  uint32_t taken = 0, last_index = 0, sorted = 1;
  green_timer *t;
  green_heap_init(&h);
  for (uint32_t i = 0; i < n; i++) green_heap_add(&h, &items[i].timer, due[i]);
  green_heap_expire(&h, GREEN_NEVER);
  while ((t = green_heap_take(&h)) != NULL) {
    uint32_t i = (uint32_t)(item_of(t) - items);
    if (due[i] < last || (i < last_index && due[i] == last)) sorted = 0;
    last = due[i];
    last_index = i;
    taken++;
  }
  green_heap_deinit(&h);
  free(items);
  return sorted && taken == n;
}

static void test_order(uint32_t n)
{
  int64_t *due = calloc(n, sizeof(*due));
  ok(comes_out_sorted(due, n), "ties come out as they went in");
  for (uint32_t i = 0; i < n; i++) due[i] = i;
  ok(comes_out_sorted(due, n), "rising deadlines");
  for (uint32_t i = 0; i < n; i++) due[i] = n - i;
  ok(comes_out_sorted(due, n), "falling deadlines");
  for (uint32_t i = 0; i < n; i++) due[i] = rnd(n / 4 + 1);
  ok(comes_out_sorted(due, n), "random deadlines with ties");
  free(due);
}

static void test_only_what_is_due(void)
{
  green_heap h;
  item items[10] = {0};
  green_heap_init(&h);
  for (int i = 0; i < 10; i++) green_heap_add(&h, &items[i].timer, 10 * i);
  green_heap_expire(&h, 30);
  is(h.len, 6, "four are due at 30, that one included");
  for (int i = 0; i < 4; i++)
    ok(green_heap_take(&h) == &items[i].timer, "the next one");
  ok(!green_heap_take(&h), "no fifth");
  is(items[0].timer.slot, 0, "what was taken is in no heap");
  is(h.a[items[5].timer.slot - 1].due, 50, "the others keep their deadline");
  green_heap_deinit(&h);
}

static void test_due(void)
{
  green_heap h;
  item items[10] = {0};
  green_heap_init(&h);
  for (int i = 0; i < 10; i++) green_heap_add(&h, &items[i].timer, 10 * i);
  is(green_heap_due(&h, &items[7].timer), 70, "of one that is in it");
  green_heap_expire(&h, 30);
  is(green_heap_due(&h, &items[3].timer), 30, "of one that is set aside");
  is(green_heap_due(&h, &items[9].timer), 90, "of one that stays");
  green_heap_deinit(&h);
}

static void test_add_twice(void)
{
  green_heap h;
  item it = {0};
  green_heap_init(&h);
  is(green_heap_add(&h, &it.timer, 1), 0, "the first add");
  is(green_heap_add(&h, &it.timer, 2), GREEN_EINVAL, "the second is refused");
  is(h.a[0].due, 1, "and changes nothing");
  green_heap_remove(&h, &it.timer);
  green_heap_remove(&h, &it.timer);
  is(h.len, 0, "removing twice does no harm");
  is(green_heap_add(&h, &it.timer, 2), 0, "then it can be added again");
  green_heap_deinit(&h);
}

/* As green_hub_timer_set does. */
static int move(green_heap *h, green_timer *t, int64_t due)
{
  green_heap_remove(h, t);
  return green_heap_add(h, t, due);
}

static void test_move_goes_behind_equals(void)
{
  green_heap h;
  item a = {0}, b = {0}, c = {0};
  green_heap_init(&h);
  green_heap_add(&h, &a.timer, 5);
  green_heap_add(&h, &b.timer, 5);
  green_heap_add(&h, &c.timer, 9);
  move(&h, &a.timer, 5);
  move(&h, &c.timer, 1);
  green_heap_expire(&h, 5);
  ok(green_heap_take(&h) == &c.timer, "moved to the front");
  ok(green_heap_take(&h) == &b.timer, "the equal one first");
  ok(green_heap_take(&h) == &a.timer, "then the one that moved");
  green_heap_deinit(&h);
}

static void test_sequence_numbers_wrap(void)
{
  green_heap h;
  item items[8] = {0};
  int sorted = 1;
  green_heap_init(&h);
  h.seq = UINT32_MAX - 3;
  for (int i = 0; i < 8; i++) green_heap_add(&h, &items[i].timer, 1);
  green_heap_expire(&h, 1);
  for (int i = 0; i < 8; i++)
    sorted = sorted && green_heap_take(&h) == &items[i].timer;
  ok(sorted, "ties stay in order when the numbers begin anew");
  green_heap_deinit(&h);
}

/* While one is handed over, another that was set aside is freed, one is put
** back with a deadline that has passed, and a new one comes. */
static void test_changes_while_taking(uint32_t n)
{
  green_heap h;
  green_timer *t;
  item **items = calloc(n, sizeof(*items));
  item late = {0};
  uint32_t taken = 0;
  green_heap_init(&h);
  for (uint32_t i = 0; i < n; i++) {
    items[i] = calloc(1, sizeof(item));
    green_heap_add(&h, &items[i]->timer, i);
  }
  green_heap_expire(&h, n);
  ok(green_heap_take(&h) == &items[0]->timer, "the first");
  green_heap_remove(&h, &items[1]->timer);
  free(items[1]);
  green_heap_remove(&h, &items[2]->timer);
  is(green_heap_add(&h, &items[2]->timer, 0), 0, "one goes back in");
  is(green_heap_add(&h, &late.timer, 0), 0, "a new one too");
  while ((t = green_heap_take(&h)) != NULL) {
    taken++;
    ok(t != &items[2]->timer && t != &late.timer,
       "neither comes in this round");
    if (taken == 1)
      ok(t == &items[3]->timer, "the removed ones are passed over");
    if (taken > 3) break;
  }
  while (green_heap_take(&h)) taken++;
  is(taken, n - 3, "all others are handed over");
  is(h.len, 2, "those two are in the heap");
  green_heap_expire(&h, 0);
  ok(green_heap_take(&h) == &items[2]->timer, "and come in the next round");
  ok(green_heap_take(&h) == &late.timer, "in order");
  green_heap_deinit(&h);
  for (uint32_t i = 0; i < n; i++)
    if (i != 1) free(items[i]);
  free(items);
}

static void test_deinit_forgets(void)
{
  green_heap h;
  item it = {0};
  green_heap_init(&h);
  green_heap_add(&h, &it.timer, 1);
  green_heap_deinit(&h);
  is(h.len, 0, "nothing is left");
  ok(!h.a && !h.due, "no memory either");
}

/* -- A million random operations beside a naive twin ---------------------- */

typedef struct world {
  green_heap heap;
  item *items;
  uint32_t n;
  uint64_t order;
  int64_t now;
  uint32_t wrong;
} world;

static int is_before(const item *x, const item *y)
{
  return x->due != y->due ? x->due < y->due : x->order < y->order;
}

static void op_add_or_move(world *w, item *it)
{
  it->due = w->now + rnd(1000);
  it->order = ++w->order;
  if (move(&w->heap, &it->timer, it->due) < 0) w->wrong++;
}

static void op_remove(world *w, item *it)
{
  green_heap_remove(&w->heap, &it->timer);
  it->order = 0;
  it->aside = 0;
  if (it->timer.slot) w->wrong++;
}

/* The next that the twin would hand over. */
static item *twin_next(world *w)
{
  item *least = NULL;
  for (uint32_t i = 0; i < w->n; i++) {
    item *it = &w->items[i];
    if (it->aside && (!least || is_before(it, least))) least = it;
  }
  return least;
}

static void op_expire(world *w, uint32_t step)
{
  green_timer *t;
  w->now += rnd(step);
  for (uint32_t i = 0; i < w->n; i++) {
    item *it = &w->items[i];
    it->aside = it->order && it->due <= w->now;
  }
  green_heap_expire(&w->heap, w->now);
  item *expected = twin_next(w);
  while ((t = green_heap_take(&w->heap)) != NULL) {
    if (expected != item_of(t)) w->wrong++;
    item_of(t)->aside = 0;
    item_of(t)->order = 0;
    item *other = &w->items[rnd(w->n)];
    if (rnd(4) == 0 && !other->aside) op_add_or_move(w, other);
    if (rnd(4) == 0) op_remove(w, &w->items[rnd(w->n)]);
    expected = twin_next(w);
  }
  if (expected) w->wrong++;
}

static uint32_t twin_len(const world *w)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < w->n; i++) n += w->items[i].order != 0;
  return n;
}

static void run_random(world *w, uint32_t rounds, uint32_t step)
{
  for (uint32_t i = 0; i < rounds; i++) {
    item *it = &w->items[rnd(w->n)];
    if (rnd(5) < 4)
      op_add_or_move(w, it);
    else
      op_remove(w, it);
    if (rnd(1000) == 0) op_expire(w, step);
    if (i % 4096 == 0 && !is_sound(&w->heap)) w->wrong++;
  }
  if (w->heap.len != twin_len(w)) w->wrong++;
}

static void test_random(uint32_t n, uint32_t rounds, uint32_t step)
{
  world w = {.n = n, .items = calloc(n, sizeof(item))};
  green_heap_init(&w.heap);
  run_random(&w, rounds, step);
  is(w.wrong, 0, "the heap and its naive twin agree");
  green_heap_deinit(&w.heap);
  free(w.items);
}

/* -- Out of memory -------------------------------------------------------- */

static void test_init_out_of_memory(void)
{
  green_heap h;
  for (int n = 1; n <= 2; n++) {
    green__alloc_fail_from(n);
    is(green_heap_init(&h), GREEN_ENOMEM, "init says so");
    green__alloc_fail_from(0);
    ok(!h.a && !h.due, "and holds nothing");
  }
}

static void test_add_out_of_memory(void)
{
  green_heap h;
  item items[65] = {0};
  green_heap_init(&h);
  for (int i = 0; i < 64; i++) green_heap_add(&h, &items[i].timer, i);
  green__alloc_fail_from(1);
  is(green_heap_add(&h, &items[64].timer, 0), GREEN_ENOMEM, "add says so");
  green__alloc_fail_from(0);
  ok(h.len == 64 && !items[64].timer.slot && is_sound(&h), "nothing changed");
  is(green_heap_add(&h, &items[64].timer, 0), 0, "later it works");
  green_heap_deinit(&h);
}

/* What cannot be set aside stays and comes later. */
static void test_expire_out_of_memory(uint32_t n)
{
  green_heap h;
  item *items = calloc(n, sizeof(*items));
  uint32_t taken = 0, rounds = 0;
  green_heap_init(&h);
  for (uint32_t i = 0; i < n; i++) green_heap_add(&h, &items[i].timer, rnd(9));
  while (h.len && rounds < n) {
    green__alloc_fail_from(1);
    green_heap_expire(&h, 9);
    green__alloc_fail_from(0);
    if (!is_sound(&h)) break;
    while (green_heap_take(&h)) taken++;
    rounds++;
  }
  ok(rounds > 1, "not all at once");
  is(taken, n, "but all in the end");
  green_heap_deinit(&h);
  free(items);
}

int main(void)
{
  t_start();
  test_order(1);
  test_order(7);
  test_order(1000);
  test_order(5000);
  test_only_what_is_due();
  test_due();
  test_add_twice();
  test_move_goes_behind_equals();
  test_sequence_numbers_wrap();
  test_changes_while_taking(10);
  test_changes_while_taking(3000);
  test_deinit_forgets();
  test_random(200, 1000000, 400);
  test_random(4000, 500000, 2000);
  test_init_out_of_memory();
  test_add_out_of_memory();
  test_expire_out_of_memory(200);
  test_expire_out_of_memory(2000);
  return t_done();
}
