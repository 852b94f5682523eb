/*
** census_test.c: texts that are counted, beside a plain array; bounds, and no
** memory.
*/

#include "t.h"
#include "base/census.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { TEXTS = 700 };

static void add(green_census *c, const char *text, uint64_t n, double value)
{
  green_census_add(c, text, strlen(text), n, value);
}

/* How often the text was counted; 0: it is not there. */
static uint64_t count_of(const green_census *c, const char *text, double *value)
{
  const green_counted *at;
  for (uint32_t i = 0; (at = green_census_next(c, &i)) != NULL;) {
    if (strcmp(at->text, text) != 0) continue;
    *value = at->value;
    return at->count;
  }
  return 0;
}

static void test_empty(void)
{
  green_census c;
  uint32_t i = 0;
  green_census_init(&c, 1 << 20);
  ok(!green_census_next(&c, &i), "nothing at first");
  green_census_deinit(&c);
  ok(!green_census_next(&c, &i), "nothing at last");
}

static void test_as_an_array(void)
{
  static uint64_t n[TEXTS];
  green_census c;
  char text[32];
  int wrong = 0;
  unsigned dice = 1;
  green_census_init(&c, 1 << 20);
  for (int round = 0; round < 20000; round++) {
    dice = dice * 1103515245u + 12345u;
    int k = (int)(dice >> 16) % TEXTS;
    snprintf(text, sizeof(text), "text %d", k);
    add(&c, text, 2, 0.5);
    n[k] += 2;
  }
  for (int k = 0; k < TEXTS; k++) {
    double value = 0;
    snprintf(text, sizeof(text), "text %d", k);
    uint64_t seen = count_of(&c, text, &value);
    wrong += seen != n[k] || value != (double)n[k] / 4;
  }
  is(wrong, 0, "what an array counts");
  is(c.len, TEXTS, "each text once");
  is((long)c.others.count, 0, "no others");
  green_census_deinit(&c);
}

static void test_bounds(void)
{
  green_census c;
  char text[64];
  enum { MOST = 16 << 10 };
  green_census_init(&c, MOST);
  for (int i = 0; i < 5000; i++) {
    snprintf(text, sizeof(text), "a text that is not short, number %d", i);
    add(&c, text, 1, 1);
  }
  ok(c.bytes <= MOST, "never more than it may have");
  ok(c.len > 50, "but some");
  is((long)(c.len + c.others.count), 5000, "and the others, together");
  add(&c, "a text that is not short, number 0", 5, 0);
  double value;
  is((long)count_of(&c, "a text that is not short, number 0", &value), 6,
     "what is there is counted on");
  green_census_deinit(&c);
}

static void test_no_memory(void)
{
  green_census c;
  char text[32];
  green_census_init(&c, 1 << 20);
  for (int i = 0; i < 200; i++) {
    green__alloc_fail_from(i % 3);
    snprintf(text, sizeof(text), "%d", i);
    add(&c, text, 1, 1);
    green__alloc_fail_from(0);
  }
  is((long)(c.len + c.others.count), 200, "without memory it is of the others");
  ok(c.others.count > 0, "which there were");
  green_census_deinit(&c);
}

int main(void)
{
  t_start();
  test_empty();
  test_as_an_array();
  test_bounds();
  test_no_memory();
  return t_done();
}
