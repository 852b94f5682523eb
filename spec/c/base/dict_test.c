/*
** dict_test.c: a dictionary, on a clock of the test's own.
*/

#include "dict_kit.h"

static void test_values(void)
{
  green_dict *d = dict_new(65536);
  green_dict_value v = {.type = GREEN_DICT_BOOLEAN, .number = 1, .flags = 7};
  is_str(get(d, "a"), "-", "there is nothing");
  is(set(d, "a", "one"), 0, "a text");
  is_str(get(d, "a"), "one", "is there");
  is(set(d, "a", "another, longer"), 0, "another in its place");
  is_str(get(d, "a"), "another, longer", "is there instead");
  is(set_number(d, "a", 2.5), 0, "a number");
  ok(number_at(d, "a", NOW) == 2.5, "is there");
  is(green_dict_set(d, "b", 1, 0, &v, NULL, 0, NOW), 0, "a boolean");
  memset(&v, 0, sizeof(v));
  is(green_dict_get(d, "b", 1, 0, NULL, 0, &v, NOW), 0, "is there");
  is(v.type, GREEN_DICT_BOOLEAN, "as one");
  is((int)v.number, 1, "and true");
  is(v.flags, 7, "with its flags");
  is(delete (d, "a"), 0, "nothing in its place");
  is_str(get(d, "a"), "-", "is nothing");
  is(delete (d, "a"), 0, "twice");
  is(green__dict_check(d), 0, "all is well");
  dict_end(d);
}

static void test_bytes(void)
{
  green_dict *d = dict_new(1 << 20);
  static char key[GREEN_DICT_KEY_MOST], got[8];
  green_dict_value v = {.type = GREEN_DICT_STRING, .len = 3};
  key[0] = 0, key[1] = 'x';
  is(green_dict_set(d, key, sizeof(key), 0, &v, "a\0b", 0, NOW), 0,
     "the longest key, of zeroes");
  is(green_dict_set(d, key, 1, 0, &v, "c\0d", 0, NOW), 0, "a short one");
  is(green_dict_set(d, key, 0, 0, &v, "e\0f", 0, NOW), 0, "and none");
  green_dict_get(d, key, sizeof(key), 0, got, 3, &v, NOW);
  ok(!memcmp(got, "a\0b", 3), "the first");
  green_dict_get(d, key, 1, 0, got, 3, &v, NOW);
  ok(!memcmp(got, "c\0d", 3), "the second");
  green_dict_get(d, key, 0, 0, got, 3, &v, NOW);
  ok(!memcmp(got, "e\0f", 3), "the third");
  is(green_dict_get(d, key, 1, 0, got, 2, &v, NOW), GREEN_ETOOBIG,
     "a buffer that is too short");
  is(v.len, 3, "is told how long it must be");
  dict_end(d);
}

static void test_conditions(void)
{
  green_dict *d = dict_new(65536);
  is(set_how(d, "a", GREEN_DICT_REPLACE, "x", 0, NOW), GREEN_ENOENT,
     "nothing to replace");
  is(set_how(d, "a", GREEN_DICT_ADD, "x", 5, NOW), 0, "nothing in the way");
  is(set_how(d, "a", GREEN_DICT_ADD, "y", 0, NOW), GREEN_EEXIST, "something");
  is(set_how(d, "a", GREEN_DICT_REPLACE, "z", 5, NOW), 0, "which is replaced");
  is_str(get(d, "a"), "z", "so it is");
  is(set_how(d, "a", GREEN_DICT_REPLACE, "w", 0, NOW + 5), GREEN_ENOENT,
     "what has expired is nothing");
  is(set_how(d, "a", GREEN_DICT_ADD, "w", 0, NOW + 5), 0, "in the way");
  dict_end(d);
}

static void test_expiry(void)
{
  green_dict *d = dict_new(65536);
  green_dict_value v;
  char p[10];
  set_how(d, "a", 0, "x", 10, NOW);
  is(green_dict_ttl(d, "a", 1, NOW + 4), 6, "the rest of its time");
  is_str(get_at(d, "a", NOW + 9), "x", "it is there till then");
  is_str(get_at(d, "a", NOW + 10), "-", "and then no longer");
  is(green_dict_get(d, "a", 1, 1, p, 10, &v, NOW + 10), 0, "but stale");
  is(v.stale, 1, "which is said");
  is(green_dict_ttl(d, "a", 1, NOW + 10), GREEN_ENOENT, "it has no time left");
  is(green_dict_expire(d, "a", 1, 5, NOW + 10), GREEN_ENOENT, "for ever");
  is(green_dict_flush_expired(d, 0, NOW + 9), 0, "before, it is not flushed");
  is(green_dict_flush_expired(d, 0, NOW + 10), 1, "then it is");
  is(green_dict_get(d, "a", 1, 1, p, 10, &v, NOW + 10), GREEN_ENOENT, "gone");
  set(d, "b", "y");
  is(green_dict_ttl(d, "b", 1, NOW), 0, "for ever");
  is(green_dict_expire(d, "b", 1, 5, NOW), 0, "not for ever");
  is_str(get_at(d, "b", NOW + 5), "-", "as was said");
  set_how(d, "c", 0, "z", INT64_MAX, NOW);
  is(green_dict_ttl(d, "c", 1, NOW), 0, "more than there is, is for ever");
  is(green_dict_expire(d, "c", 1, 0, NOW), 0, "as 0 is");
  set_how(d, "d", 0, "w", GREEN_SECOND * 1000, 0);
  ok(green_dict_ttl(d, "d", 1, 0) > GREEN_SECOND * 900, "by the true clock");
  is(green__dict_check(d), 0, "all is well");
  dict_end(d);
}

static void test_flush(void)
{
  green_dict *d = dict_new(65536);
  green_dict_value v;
  char p[10];
  double room = green_dict_free_space(d);
  set(d, "a", "x");
  set(d, "b", "y");
  is(green_dict_flush_all(d), 0, "all is flushed");
  is_str(get(d, "a"), "-", "there is nothing");
  is(green_dict_get(d, "a", 1, 1, p, 10, &v, NOW), 0, "but what is stale");
  set(d, "a", "z");
  is_str(get(d, "a"), "z", "what comes then is there");
  is(green_dict_flush_expired(d, 1, NOW), 0, "each store frees some, too");
  delete (d, "a");
  ok(green_dict_free_space(d) == room, "and all of it");
  for (int i = 0; i < 20; i++) {
    char key[3] = {(char)('a' + i), 0};
    set(d, key, "x");
  }
  green_dict_flush_all(d);
  is(green_dict_flush_expired(d, 7, NOW), 7, "not more than asked for");
  is(green_dict_flush_expired(d, 0, NOW), 13, "the rest");
  is(green__dict_check(d), 0, "all is well");
  dict_end(d);
}

static void test_incr(void)
{
  green_dict *d = dict_new(65536);
  green_dict_value v = {.number = 2};
  is(incr(d, "n", 1, 0), GREEN_ENOENT, "there is none");
  is(green_dict_incr(d, "n", 1, &v, 1, 40, 10, NOW), 0, "it may begin");
  ok(v.number == 42, "with both");
  is(incr(d, "n", -1.5, 1), 0, "it goes on");
  ok(number_at(d, "n", NOW) == 40.5, "as numbers do");
  v.number = 1;
  is(green_dict_incr(d, "n", 1, &v, 1, 5, 0, NOW + 10), 0, "it had a time");
  ok(v.number == 6, "and begins again");
  set(d, "s", "1");
  is(incr(d, "s", 1, 1), GREEN_EINVAL, "a text is no number");
  dict_end(d);
}

static void test_lists(void)
{
  green_dict *d = dict_new(65536);
  green_dict_value v = a_number(1);
  double room = green_dict_free_space(d);
  char p[10];
  is(green_dict_len(d, "l", 1, NOW), 0, "there is none");
  is_str(pop(d, "l", LEFT), "-", "to pop of");
  is(push(d, "l", LEFT, "b"), 1, "it begins");
  is(push(d, "l", RIGHT, "c"), 2, "on the right");
  is(push(d, "l", LEFT, "a"), 3, "and left");
  is(push(d, "l", RIGHT, ""), 4, "with nothing, too");
  is(green_dict_len(d, "l", 1, NOW), 4, "so long");
  is_str(pop(d, "l", RIGHT), "", "from the right");
  is_str(pop(d, "l", LEFT), "a", "from the left");
  is(green_dict_pop(d, "l", 1, LEFT, p, 0, &v, NOW), GREEN_ETOOBIG, "no room");
  is(green_dict_len(d, "l", 1, NOW), 2, "for what stays");
  is_str(pop(d, "l", LEFT), "b", "then");
  is_str(pop(d, "l", LEFT), "c", "the last");
  is_str(pop(d, "l", LEFT), "-", "it has gone");
  ok(green_dict_free_space(d) == room, "all of it");
  push(d, "l", LEFT, "x");
  is(green_dict_get(d, "l", 1, 0, p, 10, &v, NOW), GREEN_EINVAL, "no value");
  is(incr(d, "l", 1, 1), GREEN_EINVAL, "no number");
  set(d, "l", "text");
  is(push(d, "l", LEFT, "x"), GREEN_EINVAL, "no list");
  is_str(pop(d, "l", LEFT), "?", "either way");
  is(green_dict_len(d, "l", 1, NOW), GREEN_EINVAL, "nor has it a length");
  delete (d, "l");
  ok(green_dict_free_space(d) == room, "what was in it is free");
  push(d, "l", LEFT, "x");
  green_dict_expire(d, "l", 1, 5, NOW);
  v = a_number(3);
  is(green_dict_push(d, "l", 1, LEFT, &v, NULL, NOW + 5), 1, "anew");
  is(green_dict_pop(d, "l", 1, RIGHT, p, 0, &v, NOW + 5), 0, "a number");
  ok(v.type == GREEN_DICT_NUMBER && v.number == 3, "is one");
  is(green__dict_check(d), 0, "all is well");
  dict_end(d);
}

/* -- Room ------------------------------------------------------------------ */

static char *key_of(int i)
{
  static char key[16];
  snprintf(key, sizeof(key), "key %d", i);
  return key;
}

/* Fill it with items; the number of the first that did not fit. */
static int fill(green_dict *d)
{
  int i = 0;
  while (set_how(d, key_of(i), GREEN_DICT_SAFE, "value", 0, NOW) == 0) i++;
  return i;
}

static void test_eviction(void)
{
  green_dict *d = dict_new(GREEN_DICT_LEAST);
  int n = fill(d);
  ok(n > 40, "there is room for some");
  is(set_how(d, "more", GREEN_DICT_SAFE, "value", 0, NOW), GREEN_ENOMEM,
     "and then no more");
  is(push(d, "list", LEFT, "a text that needs some"), GREEN_ENOMEM,
     "nor is there for a list");
  is_str(get(d, key_of(0)), "value", "the first is used");
  is(set(d, "more", "value"), 1, "another makes room");
  is_str(get(d, key_of(1)), "-", "where nobody looked");
  is_str(get(d, key_of(0)), "value", "and not where somebody did");
  is_str(get(d, "more"), "value", "it is there");
  is(green__dict_check(d), 0, "all is well");
  dict_end(d);
}

static void test_expired_go_first(void)
{
  green_dict *d = dict_new(GREEN_DICT_LEAST);
  int n = fill(d), i = n / 2;
  for (int k = i; k < i + 5; k++) {
    char key[16];
    strcpy(key, key_of(k));
    green_dict_expire(d, key, strlen(key), 5, NOW);
  }
  is(set_how(d, "more", GREEN_DICT_SAFE, "value", 0, NOW + 5), 0,
     "what has expired makes room even for the cautious");
  is_str(get(d, key_of(0)), "value", "and nobody else has to");
  dict_end(d);
}

static void test_large(void)
{
  green_dict *d = dict_new(65536);
  static char text[65536];
  memset(text, 'x', sizeof(text) - 1);
  set(d, "a", "b");
  is(set(d, "large", text), GREEN_ENOMEM, "what can never fit");
  is_str(get(d, "a"), "b", "evicts nobody");
  text[40000] = 0;
  fill(d);
  is(set(d, "large", text), 1, "what can, as many as it needs");
  is_str(get(d, "large"), text, "and is there");
  ok(set(d, "large", text) >= 0,
     "where it cannot stand beside itself, instead");
  is(green__dict_check(d), 0, "all is well");
  dict_end(d);
}

static void test_keys(void)
{
  green_dict *d = dict_new(1 << 20);
  static char p[200], seen[3000];
  uint32_t place = 0;
  size_t used;
  int n, total = 0, twice = 0;
  for (int i = 0; i < 3000; i++) set(d, key_of(i), "v");
  set_how(d, "old", 0, "v", 1, NOW - 1);
  while ((n = green_dict_keys(d, &place, p, sizeof(p), &used, NOW)) > 0) {
    char *k = p;
    for (int i = 0; i < n; i++) {
      uint16_t len;
      memcpy(&len, k, 2);
      char digits[8] = {0};
      memcpy(digits, k + 2 + 4, len - 4u);
      int number = atoi(digits);
      if (seen[number]++) twice++;
      k += 2 + len;
    }
    if (k != p + used) twice++;
    total += n;
  }
  is(n, 0, "the end");
  is(total, 3000, "all that are there");
  is(twice, 0, "each once");
  place = 0;
  is(green_dict_keys(d, &place, p, 3, &used, NOW), GREEN_ETOOBIG, "no room");
  ok(used > 3, "and how much is wanted");
  dict_end(d);
}

/* -- Beside an array ------------------------------------------------------- */

enum { KEYS = 60 };

static struct {
  char text[300];
  int64_t expires;
  int is_there;
} model[KEYS];

static uint32_t dice = 7;

static uint32_t roll(uint32_t n)
{
  dice = dice * 1103515245u + 12345u;
  return (dice >> 8) % n;
}

static int has(int i, int64_t now)
{
  return model[i].is_there && (!model[i].expires || model[i].expires > now);
}

static int model_set(green_dict *d, int i, int64_t now)
{
  static const int hows[] = {GREEN_DICT_ALWAYS, GREEN_DICT_ADD,
                             GREEN_DICT_REPLACE};
  char text[300];
  int how = hows[roll(3)], want = 0, len = (int)roll(290);
  int64_t ttl = roll(3) ? roll(50) : 0;
  memset(text, (int)('a' + roll(26)), sizeof(text));
  text[len] = 0;
  if (how == GREEN_DICT_ADD && has(i, now)) want = GREEN_EEXIST;
  if (how == GREEN_DICT_REPLACE && !has(i, now)) want = GREEN_ENOENT;
  if (set_how(d, key_of(i), how, text, ttl, now) != want) return 1;
  if (want) return 0;
  strcpy(model[i].text, text);
  model[i].expires = ttl ? now + ttl : 0;
  model[i].is_there = 1;
  return 0;
}

static int model_act(green_dict *d, int i, int64_t now)
{
  int64_t ttl = roll(20);
  switch (roll(8)) {
  case 0:
    model[i].is_there = 0;
    return delete (d, key_of(i)) != 0;
  case 1:
    if (has(i, now)) model[i].expires = ttl ? now + ttl : 0;
    return green_dict_expire(d, key_of(i), strlen(key_of(i)), ttl, now) !=
           (has(i, now) ? 0 : GREEN_ENOENT);
  case 2:
    if (roll(200) == 0) {
      memset(model, 0, sizeof(model));
      return green_dict_flush_all(d) != 0;
    }
    return green_dict_flush_expired(d, 3, now) < 0;
  default:
    return model_set(d, i, now);
  }
}

static void test_model(void)
{
  green_dict *d = dict_new(1 << 18);
  int wrong = 0, ill = 0;
  int64_t now = NOW;
  for (int round = 0; round < 50000; round++) {
    int i = (int)roll(KEYS);
    now += roll(3);
    if (model_act(d, i, now)) wrong++;
    i = (int)roll(KEYS);
    if (strcmp(get_at(d, key_of(i), now), has(i, now) ? model[i].text : "-"))
      wrong++;
    if (round % 500 == 0) green__dict_mend(d);
    if (round % 50 == 0 && green__dict_check(d)) ill++;
  }
  is(wrong, 0, "it does what an array does");
  is(ill, 0, "all is well in between");
  dict_end(d);
}

/* -- Names ----------------------------------------------------------------- */

static void test_names(void)
{
  int code;
  ok(!green_dict_named("d", 1, 0, &code), "nothing was made");
  is(code, GREEN_ENOENT, "so there is nothing");
  green_dict *d = green_dict_named("d", 1, 10000, &code);
  ok(d, "it is made");
  is((int)green_dict_capacity(d), 12288, "of whole pages");
  ok(green_dict_named("d", 1, 10000, &code) == d, "once");
  ok(green_dict_named("d", 1, 0, &code) == d, "for all");
  ok(!green_dict_named("d", 1, 20000, &code), "not with two sizes");
  is(code, GREEN_EEXIST, "which is said");
  ok(!green_dict_named("e", 1, 1e15, &code), "nor of any size");
  is(code, GREEN_ENOMEM, "which is said, too");
  ok(!green_dict_named("e", 1, 17179869184.0, &code), "nor of all there is");
  is(code, GREEN_ENOMEM, "either");
  ok(green_dict_named("e", 1, 8192, &code) != d, "another name, another one");
}

int main(void)
{
  t_start();
  test_values();
  test_bytes();
  test_conditions();
  test_expiry();
  test_flush();
  test_incr();
  test_lists();
  test_eviction();
  test_expired_go_first();
  test_large();
  test_keys();
  test_model();
  test_names();
  return t_done();
}
