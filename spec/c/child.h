/*
** child.h: what a test does in a child of its own.
**
** A child says what went wrong in a TAP comment and counts it; the count is its
** exit status. It must not call ok and is: the numbers are the parent's.
*/
#ifndef GREEN_CHILD_H
#define GREEN_CHILD_H

#include "t.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>

typedef void child_fn(void *arg);

static int child_failed;

static inline void child_must(int ok, const char *file, int line,
                              const char *what)
{
  if (ok) return;
  child_failed++;
  printf("# in the child at %s:%d: %s\n", file, line, what);
  fflush(stdout);
}

#define must(cond) child_must(!!(cond), __FILE__, __LINE__, #cond)

/* How children are made: by C, or past it. */
static inline pid_t fork_by_c(void)
{
  return fork();
}

static inline pid_t fork_by_clone(void)
{
  return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* What is the parent's is no leak of the child's: it is not looked for. */
static inline void child_leave(void)
{
  char status[16];
  snprintf(status, sizeof(status), "exit %d", child_failed);
  if (t_under_memcheck()) execl("/bin/sh", "sh", "-c", status, (char *)0);
  _exit(child_failed);
}

static inline pid_t child_start_by(pid_t (*make)(void), child_fn *fn, void *arg)
{
  fflush(stdout);
  pid_t pid = make();
  if (pid < 0) abort();
  if (pid > 0) return pid;
  child_failed = 0;
  t_start(); /* An alarm is the parent's alone. */
  fn(arg);
  child_leave();
  return 0;
}

static inline pid_t child_start(child_fn *fn, void *arg)
{
  return child_start_by(fork_by_c, fn, arg);
}

/* How many things were wrong; negative: the signal that ended it. */
static inline int child_end(pid_t pid)
{
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int in_child_by(pid_t (*make)(void), child_fn *fn, void *arg)
{
  return child_end(child_start_by(make, fn, arg));
}

static inline int in_child(child_fn *fn, void *arg)
{
  return child_end(child_start(fn, arg));
}

#endif
