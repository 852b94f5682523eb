/*
** random_test.c: random bytes, and a kernel that gives few, or none.
*/

/* wrap: getrandom */

#include "base/random.h"
#include "t.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

ssize_t __real_getrandom(void *p, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);

static size_t most = SIZE_MAX; /* Bytes a call. */
static int interrupts;         /* Every call but each so-manieth fails so. */
static int refuses;            /* This error, from the third call on. */
static int calls;

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
  calls++;
  if (interrupts && calls % interrupts) {
    errno = EINTR;
    return -1;
  }
  if (refuses && calls > 2) {
    errno = refuses;
    return -1;
  }
  return __real_getrandom(p, n < most ? n : most, flags);
}

/* How many of n bytes were written, judged by two fills. */
static size_t touched(size_t n)
{
  static uint8_t a[5000], seen[5000];
  memset(seen, 0, sizeof(seen));
  for (int turn = 0; turn < 8; turn++) {
    memset(a, 0, sizeof(a));
    if (green_random_fill(a, n) != 0) return 9999;
    for (size_t i = 0; i < sizeof(a); i++) seen[i] |= a[i];
  }
  size_t count = 0;
  for (size_t i = 0; i < sizeof(a); i++) count += seen[i] != 0;
  return count;
}

static void test_fills(void)
{
  is((long long)touched(0), 0, "nothing");
  is((long long)touched(1), 1, "one byte");
  is((long long)touched(4999), 4999, "many, and not one more");
}

static void test_short(void)
{
  most = 7;
  calls = 0;
  is((long long)touched(100), 100, "seven bytes a call");
  is(calls, 8 * 15, "are asked for as often as need be");
  most = SIZE_MAX;
}

static void test_interrupted(void)
{
  interrupts = 3;
  most = 10;
  is((long long)touched(100), 100, "signals in between");
  interrupts = 0;
  most = SIZE_MAX;
}

static void test_refused(void)
{
  uint8_t a[100];
  most = 10;
  calls = 0;
  refuses = ENOSYS;
  is(green_random_fill(a, sizeof(a)), GREEN_ENOSYS, "the system's word");
  is(calls, 3, "at once");
  refuses = 0;
  most = SIZE_MAX;
}

int main(void)
{
  t_start();
  test_fills();
  test_short();
  test_interrupted();
  test_refused();
  return t_done();
}
