/*
** list_test.c: the intrusive list.
*/

#include "base/err.h"
#include "base/list.h"
#include "t.h"

typedef struct item {
  int value;
  green_link link;
} item;

static item items[6];

static void setup(green_list *l, int n)
{
  memset(items, 0, sizeof(items));
  green_list_init(l);
  for (int i = 0; i < 6; i++) items[i].value = i;
  for (int i = 0; i < n; i++) green_list_push(l, &items[i].link);
}

/* The values in order as a decimal number, walked both ways. */
static int digits(const green_list *l)
{
  int forth = 0, back = 0, place = 1;
  for (green_link *k = l->next; k != l; k = k->next)
    forth = 10 * forth + green_container(k, item, link)->value + 1;
  for (green_link *k = l->prev; k != l; k = k->prev, place *= 10)
    back += place * (green_container(k, item, link)->value + 1);
  return forth == back ? forth : -1;
}

static void test_empty(void)
{
  green_list l;
  setup(&l, 0);
  ok(green_list_empty(&l), "a new list is empty");
  ok(!green_list_first(&l), "it has no first link");
  ok(!green_list_pop(&l), "and nothing to pop");
  ok(!green_link_in(&items[0].link), "a zeroed link is in no list");
}

static void test_order(void)
{
  green_list l;
  setup(&l, 3);
  is(digits(&l), 123, "push keeps the order");
  green_list_push_front(&l, &items[3].link);
  is(digits(&l), 4123, "push_front goes before all");
  ok(green_list_first(&l) == &items[3].link, "first is the front");
  ok(green_list_pop(&l) == &items[3].link, "pop takes the front");
  ok(!green_link_in(&items[3].link), "what was popped is in no list");
  is(digits(&l), 123, "the rest stays");
}

static void test_remove(void)
{
  green_list l;
  setup(&l, 4);
  green_link_remove(&items[1].link);
  is(digits(&l), 134, "from the middle");
  green_link_remove(&items[1].link);
  is(digits(&l), 134, "twice does no harm");
  green_link_remove(&items[0].link);
  green_link_remove(&items[3].link);
  is(digits(&l), 3, "from the ends");
  green_link_remove(&items[2].link);
  ok(green_list_empty(&l), "the last one");
}

static void test_splice(void)
{
  green_list a, b;
  setup(&a, 2);
  green_list_init(&b);
  green_list_splice(&a, &b);
  is(digits(&a), 12, "splicing an empty list changes nothing");
  green_list_push(&b, &items[2].link);
  green_list_push(&b, &items[3].link);
  green_list_splice(&a, &b);
  is(digits(&a), 1234, "all links move behind the others");
  ok(green_list_empty(&b), "the source is empty");
  green_list_splice(&b, &a);
  is(digits(&b), 1234, "into an empty list");
  ok(green_list_empty(&a), "and the source is empty again");
  green_list_push(&a, &items[4].link);
  is(digits(&a), 5, "the source can be used again");
}

int main(void)
{
  t_start();
  test_empty();
  test_order();
  test_remove();
  test_splice();
  return t_done();
}
