/*
** early.c: for LD_PRELOAD: SIGINT comes while the program asks how it is
** handled, the first time.
*/

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

typedef int sigaction_fn(int, const struct sigaction *, struct sigaction *);

__attribute__((visibility("default"))) int
sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
  static int raised;
  sigaction_fn *real;
  *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
  if (signo == SIGINT && !act && !raised++) raise(SIGINT);
  return real(signo, act, old);
}
