/*
** dict_threads_test.c: threads that use a dictionary at the same time.
*/

#include "t.h"
#include "base/clock.h"
#include "base/dict_priv.h"

#include <pthread.h>
#include <sys/mman.h>

enum { SIZE = 1 << 17, THREADS = 4, ROUNDS = 5000, KEYS = 50 };

static green_dict *d;

typedef struct worker {
  pthread_t id;
  uint32_t dice;
  int wrong;
} worker;

static uint32_t roll(worker *w, uint32_t n)
{
  w->dice = w->dice * 1103515245u + 12345u;
  return (w->dice >> 8) % n;
}

/* On a machine that is busy enough, one who runs may seem to stand. */
static int add_one(void)
{
  int code;
  do {
    green_dict_value v = {.number = 1};
    code = green_dict_incr(d, "sum", 3, &v, 1, 0, 0, 0);
  } while (code == GREEN_EBUSY);
  return code;
}

/* A text of one letter, from one of the threads. */
static int is_whole(const char *p, const green_dict_value *v)
{
  for (uint32_t i = 1; i < v->len; i++)
    if (p[i] != p[0]) return 0;
  return 1;
}

static void act(worker *w)
{
  char key[2] = {'k', (char)roll(w, KEYS)}, text[2000];
  green_dict_value v = {.type = GREEN_DICT_STRING, .len = roll(w, 2000)};
  if (roll(w, 2)) {
    memset(text, (int)('a' + roll(w, 26)), v.len);
    int64_t ttl = roll(w, 2) ? 1000 : 0;
    int code = green_dict_set(d, key, 2, 0, &v, text, ttl, 0);
    if (code < 0 && code != GREEN_EBUSY) w->wrong++;
  } else if (!green_dict_get(d, key, 2, 0, text, sizeof(text), &v, 0)) {
    if (!is_whole(text, &v)) w->wrong++;
  }
  add_one();
}

static void *work(void *arg)
{
  for (int i = 0; i < ROUNDS; i++) act(arg);
  return NULL;
}

static void test_threads(void)
{
  worker w[THREADS];
  int wrong = 0;
  green_dict_value v;
  for (uint32_t i = 0; i < THREADS; i++) {
    w[i] = (worker){.dice = i};
    if (pthread_create(&w[i].id, NULL, work, &w[i])) abort();
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(w[i].id, NULL);
    wrong += w[i].wrong;
  }
  is(wrong, 0, "each finds what one of them has put there");
  is(green_dict_get(d, "sum", 3, 0, NULL, 0, &v, 0), 0, "they have counted");
  is((int)v.number, THREADS * ROUNDS, "each time");
  is(green__dict_check(d), 0, "all is well");
}

int main(void)
{
  t_start();
  d = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
           0);
  if (d == MAP_FAILED || green__dict_init(d, SIZE) < 0) abort();
  test_threads();
  munmap(d, SIZE);
  return t_done();
}
