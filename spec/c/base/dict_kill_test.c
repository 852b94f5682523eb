/*
** dict_kill_test.c: processes that use a dictionary together while some of them
** are killed, at any time.
*/

#include "child.h"
#include "base/dict_kit.h"

#include <time.h>

enum { SIZE = 1 << 18, KEYS = 200, DEATHS = 20, ROUNDS = 4000 };

static green_dict *d;
static uint32_t dice;

static uint32_t roll(uint32_t n)
{
  dice = dice * 1103515245u + 12345u;
  return (dice >> 8) % n;
}

static const char *key_of(int i)
{
  static char key[16];
  snprintf(key, sizeof(key), "key %d", i);
  return key;
}

/* A text of one letter, at most 3 KB of it: all of them do not fit. */
static void set_some(int i)
{
  char text[3001];
  uint32_t n = roll(3000);
  memset(text, (int)('a' + roll(26)), n);
  text[n] = 0;
  set_how(d, key_of(i), 0, text, roll(4) ? 0 : 1000, 0);
}

static int is_of_one_letter(const char *text)
{
  return text[0] == '-' || strspn(text, (char[]){text[0], 0}) == strlen(text);
}

/* What the value of a key must not be is what nobody has put there. */
static int look(int i)
{
  return is_of_one_letter(get_at(d, key_of(i), 0));
}

/* On a machine that is busy enough, one who runs may seem to stand. */
static int is_well(int64_t code)
{
  return code >= 0 || code == GREEN_EBUSY;
}

static int act(void)
{
  int i = (int)roll(KEYS);
  switch (roll(10)) {
  case 0:
    delete (d, key_of(i));
    return 1;
  case 1:
    push(d, "list", roll(2) ? LEFT : RIGHT, "xxxx");
    return 1;
  case 2: {
    const char *text = pop(d, "list", roll(2) ? LEFT : RIGHT);
    return strchr("-?", *text) || !strcmp(text, "xxxx");
  }
  case 3:
    return is_well(incr(d, "number", 1, 1));
  case 4:
    if (roll(100) == 0) green_dict_flush_all(d);
    return is_well(green_dict_flush_expired(d, 5, 0));
  case 5:
  case 6:
    return look(i);
  default:
    set_some(i);
    return 1;
  }
}

static void act_for_ever(void *seed)
{
  dice = *(uint32_t *)seed;
  int good = 1;
  while (good) good = act();
  must(good);
}

static void act_often(void *seed)
{
  dice = *(uint32_t *)seed;
  int wrong = 0;
  for (int i = 0; i < 20000; i++) wrong += !act();
  must(wrong == 0);
}

/* 1: it died with the lock. The rest is as green__dict_lock does it. */
static int come_after(int *ill)
{
  int r = green__robust_lock(&d->lock);
  if (r < 0) return 0;
  if (r > 0) {
    green__dict_mend(d);
    green__robust_mended(&d->lock);
  }
  if (green__dict_check(d)) ++*ill;
  green__robust_unlock(&d->lock);
  return r;
}

static void nap(void)
{
  struct timespec ts = {0, roll(300000)};
  nanosleep(&ts, NULL); /* To kill it anywhere: no event says where. */
}

static void test_killed_alone(void)
{
  int deaths = 0, ill = 0, other = 0;
  for (int i = 0; i < ROUNDS && deaths < DEATHS; i++) {
    uint32_t seed = (uint32_t)i;
    pid_t pid = child_start(act_for_ever, &seed);
    nap();
    kill(pid, SIGKILL);
    other += child_end(pid) != -SIGKILL;
    deaths += come_after(&ill);
  }
  is(other, 0, "they find nothing wrong until they are killed");
  is(deaths, DEATHS, "enough of them with the lock in hand");
  is(ill, 0, "what they leave can be brought into order");
}

/* Of three, one is killed and replaced: the others come after it. */
static void test_killed_among_others(void)
{
  uint32_t seeds[2] = {1000, 1001};
  pid_t pids[2];
  int other = 0, wrong = 0, ill = 0;
  for (int i = 0; i < 2; i++) pids[i] = child_start(act_often, &seeds[i]);
  for (int i = 0; i < 60; i++) {
    uint32_t seed = 2000 + (uint32_t)i;
    pid_t pid = child_start(act_for_ever, &seed);
    nap();
    kill(pid, SIGKILL);
    other += child_end(pid) != -SIGKILL;
  }
  for (int i = 0; i < 2; i++) wrong += child_end(pids[i]) != 0;
  is(other, 0, "they find nothing wrong until they are killed");
  is(wrong, 0, "nor do those who are not");
  come_after(&ill); /* The last may have died with the lock in hand. */
  is(ill, 0, "and all is well");
}

static void be_stopped(void *arg)
{
  (void)arg;
  must(green__dict_lock(d) == 0);
  raise(SIGSTOP);
  green__dict_unlock(d);
}

static void test_stopped(void)
{
  int status;
  green_dict_value v = a_number(1);
  pid_t pid = child_start(be_stopped, NULL);
  if (waitpid(pid, &status, WUNTRACED) != pid) abort();
  is(set(d, "a", "b"), GREEN_EBUSY, "one that is stopped keeps it");
  is(green_dict_get(d, "a", 1, 0, NULL, 0, &v, 0), GREEN_EBUSY, "get");
  is((int)green_dict_ttl(d, "a", 1, 0), GREEN_EBUSY, "ttl");
  is(green_dict_expire(d, "a", 1, 1, 0), GREEN_EBUSY, "expire");
  is(incr(d, "a", 1, 1), GREEN_EBUSY, "incr");
  is(green_dict_push(d, "a", 1, LEFT, &v, NULL, 0), GREEN_EBUSY, "push");
  is(green_dict_pop(d, "a", 1, LEFT, NULL, 0, &v, 0), GREEN_EBUSY, "pop");
  is(green_dict_len(d, "a", 1, 0), GREEN_EBUSY, "len");
  is(green_dict_flush_all(d), GREEN_EBUSY, "flush_all");
  is((int)green_dict_flush_expired(d, 0, 0), GREEN_EBUSY, "flush_expired");
  uint32_t place = 0;
  size_t used;
  is(green_dict_keys(d, &place, NULL, 0, &used, 0), GREEN_EBUSY, "keys");
  kill(pid, SIGCONT);
  is(child_end(pid), 0, "until it goes on");
  is(set(d, "a", "b") < 0, 0, "then there is no hindrance");
}

int main(void)
{
  t_start();
  d = dict_new(SIZE);
  test_killed_alone();
  test_killed_among_others();
  test_stopped();
  dict_end(d);
  return t_done();
}
