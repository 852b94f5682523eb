/*
** futex.c: the system call, which the C library has no function for.
*/

#include "base/futex.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns)
{
  struct timespec span = {(time_t)(ns / GREEN_SECOND),
                          (long)(ns % GREEN_SECOND)};
  long err = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
                     ns == GREEN_NEVER ? NULL : &span, NULL, 0);
  return err < 0 && errno == ETIMEDOUT;
}

void green__futex_wake(const uint32_t *word)
{
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
