/*
** dns_lib_test.c: c-ares opened at first use, absent, or not what it should be.
** Each look is in a child: a process looks once.
*/

#include "child.h"
#include "io/dns_lib.h"

#include <pthread.h>
#include <stdbool.h>

static bool is_mapped(const char *name)
{
  char line[400];
  bool found = false;
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof(line), f)) found |= strstr(line, name) != NULL;
  if (f) fclose(f);
  return found;
}

static void load_absent(void *arg)
{
  const char *why;
  setenv("GREENLUA_LIBCARES", arg, 1);
  must(green_dns_lib_load(&why) == GREEN_ENOLIBRARY);
  must(strstr(why, arg) != NULL);
  must(strstr(why, "Debian's package libc-ares2") != NULL);
  unsetenv("GREENLUA_LIBCARES");
  must(green_dns_lib_load(NULL) == GREEN_ENOLIBRARY); /* It stays so. */
}

static void test_absent(void)
{
  char none[] = "/nonexistent/libcares.so.2";
  char other[] = "libm.so.6"; /* It stands for one that is too old. */
  is(in_child(load_absent, none), 0, "no such file");
  is(in_child(load_absent, other), 0, "it lacks what is needed");
}

static void *load(void *arg)
{
  (void)arg;
  return (void *)(intptr_t)green_dns_lib_load(NULL);
}

static void load_in_threads(void *arg)
{
  pthread_t threads[4];
  void *result;
  (void)arg;
  must(!is_mapped("libcares"));
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, load, NULL);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], &result);
    must(result == NULL);
  }
  must(is_mapped("libcares"));
}

static void test_there(void)
{
  ok(!is_mapped("libcares"), "nobody has asked: it is not mapped");
  is(in_child(load_in_threads, NULL), 0, "it comes when it is asked for");
}

int main(void)
{
  t_start();
  test_absent();
  test_there();
  return t_done();
}
