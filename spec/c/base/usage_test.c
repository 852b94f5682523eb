/*
** usage_test.c: what is said of this process.
*/

#include "t.h"
#include "base/usage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void test_all(void)
{
  green_usage u;
  green_usage_get(&u);
  ok(u.cpu_user >= 0 && u.cpu_system >= 0, "it has worked");
  ok(u.resident > 4096 && u.resident <= u.size, "it has memory");
  is(u.threads, 1, "it has one thread");
  ok(u.started > 1e9 && u.started <= (double)time(NULL) + 2,
     "it was started before now");
}

static void test_fds(void)
{
  green_usage u, more;
  green_usage_get(&u);
  int fd = open("/dev/null", O_RDONLY);
  green_usage_get(&more);
  is(more.fds, u.fds + 1, "a descriptor more is counted");
  close(fd);
  green_usage_get(&more);
  is(more.fds, u.fds, "and one less, and none was left");
}

static void test_limit(void)
{
  green_usage u;
  struct rlimit was;
  getrlimit(RLIMIT_NOFILE, &was);
  struct rlimit less = {64, was.rlim_max};
  setrlimit(RLIMIT_NOFILE, &less);
  green_usage_get(&u);
  is(u.max_fds, 64, "the limit of descriptors");
  setrlimit(RLIMIT_NOFILE, &was);
}

/* Where nothing can be opened /proc says nothing. */
static void test_silent(void)
{
  green_usage u;
  struct rlimit was;
  getrlimit(RLIMIT_NOFILE, &was);
  struct rlimit none = {0, was.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  green_usage_get(&u);
  setrlimit(RLIMIT_NOFILE, &was);
  is(u.resident, -1, "memory: not known");
  is(u.started, -1, "the start: neither");
  ok(u.cpu_user >= 0, "the rest is");
}

int main(void)
{
  t_start();
  test_all();
  test_fds();
  test_limit();
  test_silent();
  return t_done();
}
