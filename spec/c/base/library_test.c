/*
** library_test.c: a library opened at first use, absent, or not what it should
** be. Each look is in a child: a process looks once.
*/

#include "base/library.h"
#include "child.h"

#include <pthread.h>
#include <stdbool.h>

static struct {
  unsigned long (*crc32)(unsigned long crc, const void *p, unsigned n);
  const char *(*version)(void);
} lib;

static const char *const names[] = {"crc32", "zlibVersion"};

static green__library zlib = {
    .file = "libz.so.1",
    .env = "GREENLUA_LIBZ",
    .needs = "this test needs zlib, Debian's package zlib1g",
    .names = names,
    .table = &lib,
    .n = 2,
};

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
  setenv("GREENLUA_LIBZ", arg, 1);
  must(green__library_load(&zlib) == GREEN_ENOLIBRARY);
  must(strstr(zlib.why, zlib.needs) == zlib.why);
  must(strstr(zlib.why, arg) != NULL);
  unsetenv("GREENLUA_LIBZ");
  must(green__library_load(&zlib) == GREEN_ENOLIBRARY); /* It stays so. */
}

static void test_absent(void)
{
  char none[] = "/nonexistent/libz.so.1", other[] = "libm.so.6";
  is(in_child(load_absent, none), 0, "no such file");
  is(in_child(load_absent, other), 0, "it lacks what is needed");
}

static int begin_calls;

static int begin_badly(green__library *l)
{
  begin_calls++;
  must(lib.version() != NULL); /* The table is there. */
  snprintf(l->why, sizeof(l->why), "%s: it would not", l->needs);
  return GREEN_EPERM;
}

static void load_badly(void *arg)
{
  (void)arg;
  zlib.begin = begin_badly;
  must(green__library_load(&zlib) == GREEN_ENOLIBRARY);
  must(green__library_load(&zlib) == GREEN_ENOLIBRARY);
  must(begin_calls == 1);
  must(strstr(zlib.why, "it would not") != NULL);
}

static void test_not_begun(void)
{
  is(in_child(load_badly, NULL), 0, "its beginning fails, once");
}

static void load_there(void *arg)
{
  (void)arg;
  must(green__library_load(&zlib) == 0);
  must(green__library_load(&zlib) == 0);
  must(is_mapped("libz.so"));
  must(lib.crc32(0, "123456789", 9) == 0xcbf43926);
  must(*lib.version() == '1');
}

static void test_there(void)
{
  ok(!is_mapped("libz.so"), "nobody has asked: it is not mapped");
  is(in_child(load_there, NULL), 0, "it comes when it is asked for");
}

static void *load_in_thread(void *arg)
{
  *(int *)arg = green__library_load(&zlib);
  return NULL;
}

static void load_by_many(void *arg)
{
  pthread_t id[8];
  int results[8], wrong = 0;
  (void)arg;
  for (int i = 0; i < 8; i++)
    must(!pthread_create(&id[i], NULL, load_in_thread, &results[i]));
  for (int i = 0; i < 8; i++) pthread_join(id[i], NULL);
  for (int i = 0; i < 8; i++) wrong += results[i] != 0;
  must(wrong == 0);
  load_there(NULL);
}

static void load_then_fork(void *arg)
{
  (void)arg;
  must(green__library_load(&zlib) == 0);
  must(in_child(load_there, NULL) == 0);
}

static void test_threads_and_children(void)
{
  is(in_child(load_by_many, NULL), 0, "eight threads at once");
  is(in_child(load_then_fork, NULL), 0, "a child has what its parent had");
}

int main(void)
{
  t_start();
  test_absent();
  test_not_begun();
  test_there();
  test_threads_and_children();
  return t_done();
}
