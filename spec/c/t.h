/*
** t.h: TAP for C tests: one static function a behaviour, main lists them.
**
** The exit status is 1 when anything failed. A test that hangs is ended by
** alarm after 60 s (T_ALARM=seconds changes it; sanitizers are slow).
*/
#ifndef GREEN_T_H
#define GREEN_T_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The sanitizer of this build, for what cannot be tested under it. */
#ifdef __SANITIZE_THREAD__
enum { t_under_tsan = 1 };
#else
enum { t_under_tsan = 0 };
#endif

#ifdef __SANITIZE_ADDRESS__
enum { t_under_asan = 1 };
#else
enum { t_under_asan = 0 };
#endif

/* Likewise valgrind, which says so in the environment (make valgrind). */
static inline int t_under_memcheck(void)
{
  return getenv("T_MEMCHECK") != NULL;
}

static int t_count, t_failed;

static inline int t_ok(int ok, const char *file, int line, const char *what)
{
  t_count++;
  if (!ok) t_failed++;
  printf("%s %d - %s\n", ok ? "ok" : "not ok", t_count, what);
  if (!ok) printf("# at %s:%d\n", file, line);
  fflush(stdout);
  return ok;
}

static inline int t_is(long long got, long long want, const char *file,
                       int line, const char *what)
{
  int ok = t_ok(got == want, file, line, what);
  if (!ok) printf("# got %lld, want %lld\n", got, want);
  return ok;
}

static inline int t_is_str(const char *got, const char *want, const char *file,
                           int line, const char *what)
{
  int ok = t_ok(got && want && !strcmp(got, want), file, line, what);
  if (!ok) printf("# got \"%s\", want \"%s\"\n", got ? got : "(null)", want);
  return ok;
}

static inline void t_skip(const char *what, const char *why)
{
  printf("ok %d - %s # SKIP %s\n", ++t_count, what, why);
}

static inline void t_start(void)
{
  const char *s = getenv("T_ALARM");
  alarm(s ? (unsigned)atoi(s) : 60);
}

static inline int t_done(void)
{
  printf("1..%d\n", t_count);
  return t_failed != 0;
}

#define ok(cond, what) t_ok(!!(cond), __FILE__, __LINE__, what)
#define is(got, want, what) t_is((got), (want), __FILE__, __LINE__, what)
#define is_str(got, want, what) \
  t_is_str((got), (want), __FILE__, __LINE__, what)

#endif
