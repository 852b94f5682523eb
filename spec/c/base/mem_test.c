/*
** mem_test.c: the switch that makes the n-th allocation fail, and who is told
** that memory goes from thread to thread.
*/

#include "base/mem.h"
#include "t.h"

static int is_null(void *p)
{
  green__free(p);
  return p == NULL;
}

static void test_works_when_off(void)
{
  char *p = green__zalloc(64);
  int zero = 1;
  for (int i = 0; i < 64; i++) zero = zero && p[i] == 0;
  ok(zero, "zalloc zeroes");
  strcpy(p, "kept");
  p = green__realloc(p, 4096);
  is_str(p, "kept", "realloc keeps the bytes");
  green__free(p);
  green__free(NULL);
  ok(1, "free takes NULL");
}

static void test_fails_from_the_nth(void)
{
  green__alloc_fail_from(3);
  ok(!is_null(green__alloc(1)), "the first of three works");
  ok(!is_null(green__zalloc(1)), "the second too");
  ok(is_null(green__realloc(NULL, 1)), "the third fails");
  ok(is_null(green__alloc(1)), "and each later one");
  is(green__alloc_fail_from(0), 4, "all four were counted");
  ok(!is_null(green__alloc(1)), "off again");
}

static void test_counts_without_failing(void)
{
  green__alloc_fail_from(1000);
  for (int i = 0; i < 7; i++) green__free(green__alloc(8));
  is(green__alloc_fail_from(0), 7, "a far switch only counts");
  is(green__alloc_fail_from(0), 0, "asking again finds none");
}

static void test_failed_realloc_keeps_the_old(void)
{
  char *p = green__alloc(8);
  strcpy(p, "old");
  green__alloc_fail_from(1);
  ok(!green__realloc(p, 1 << 20), "realloc fails");
  green__alloc_fail_from(0);
  is_str(p, "old", "the old memory is untouched");
  green__free(p);
}

static int told;

static void tell(void)
{
  told++;
}

static void test_tells_of_shared_memory_once(void)
{
  green__mem_shared();
  green__mem_on_shared(tell);
  is(told, 0, "it has not begun");
  green__mem_shared();
  green__mem_shared();
  is(told, 1, "it begins once");
}

static void test_copies_texts(void)
{
  char *copy = green__copy_text("text"), *empty = green__copy_text("");
  is_str(copy, "text", "a copy");
  is_str(empty, "", "of nothing, too");
  green__free(copy);
  green__free(empty);
  green__alloc_fail_from(1);
  ok(is_null(green__copy_text("text")), "or NULL without memory");
  green__alloc_fail_from(0);
}

int main(void)
{
  t_start();
  test_works_when_off();
  test_fails_from_the_nth();
  test_counts_without_failing();
  test_failed_realloc_keeps_the_old();
  test_tells_of_shared_memory_once();
  test_copies_texts();
  return t_done();
}
