/*
** tls_lib_test.c: OpenSSL opened at first use, absent, or not what it should
** be. Each look is in a child: a process looks once.
*/

#include "child.h"
#include "io/tls.h"

#include <pthread.h>

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
  green_tls_error e;
  setenv("GREENLUA_LIBSSL", arg, 1);
  must(green_tls_load(&e) == GREEN_ENOLIBRARY);
  must(e.code == GREEN_ENOLIBRARY);
  must(strstr(e.text, arg) != NULL);
  must(strstr(e.text, "Debian's package libssl3") != NULL);
  unsetenv("GREENLUA_LIBSSL");
  must(green_tls_load(NULL) == GREEN_ENOLIBRARY); /* It stays so. */
}

static void test_absent(void)
{
  char none[] = "/nonexistent/libssl.so.3";
  is(in_child(load_absent, none), 0, "no such file");
}

/* Any library that has none of the functions stands for one that is too old. */
static void test_too_old(void)
{
  char other[] = "libm.so.6";
  is(in_child(load_absent, other), 0, "it lacks what is needed");
}

static void load_there(void *arg)
{
  green_tls_error e;
  (void)arg;
  must(!is_mapped("libssl"));
  must(green_tls_load(&e) == 0);
  must(e.code == 0 && !*e.text);
  must(green_tls_load(NULL) == 0);
  must(is_mapped("libssl"));
}

static void test_there(void)
{
  ok(!is_mapped("libssl"), "nobody has asked: it is not mapped");
  is(in_child(load_there, NULL), 0, "it comes when it is asked for");
}

static void *load_in_thread(void *arg)
{
  *(int *)arg = green_tls_load(NULL);
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
  green_tls_ctx *c = green_tls_ctx_new(false);
  must(c != NULL);
  green_tls_ctx_free(c);
}

static void test_by_many_at_once(void)
{
  is(in_child(load_by_many, NULL), 0, "eight threads");
}

static void use_it(void *arg)
{
  (void)arg;
  green_tls_ctx *c = green_tls_ctx_new(false);
  must(c && green_tls_ctx_seal(c) == 0);
  green_tls_ctx_free(c);
}

static void load_then_fork(void *arg)
{
  (void)arg;
  must(green_tls_load(NULL) == 0);
  int wrong = in_child(use_it, NULL);
  must(wrong == 0);
}

static void test_a_child_has_what_its_parent_had(void)
{
  is(in_child(load_then_fork, NULL), 0, "it works there");
}

int main(void)
{
  t_start();
  test_absent();
  test_too_old();
  test_there();
  test_by_many_at_once();
  test_a_child_has_what_its_parent_had();
  return t_done();
}
