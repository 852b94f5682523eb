/*
** thread_files.c: close_range and pidfd_getfd, which Debian 12's libc has no
** functions for, or not all.
*/

#include "io/thread_files.h"

#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define UNSHARE 2U /* CLOSE_RANGE_UNSHARE */

static __thread int files_left;

/* The process's, which are those of its first thread. */
static int files_reach(int fd)
{
  int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (self < 0) return -errno;
  int found = (int)syscall(SYS_pidfd_getfd, self, fd, 0);
  int err = -errno;
  close(self);
  return found < 0 ? err : found;
}

/* One that is not open would be there if it were. */
static int files_can_reach(void)
{
  int fd = files_reach(STDERR_FILENO);
  if (fd >= 0) close(fd);
  return fd >= 0 || fd == -EBADF;
}

int green_files_leave(int must_reach)
{
  if (must_reach && !files_can_reach()) return GREEN_ENOSYS;
  if (syscall(SYS_close_range, 0, UINT_MAX, UNSHARE) < 0) return -errno;
  files_left = 1;
  return 0;
}

int green_files_borrow(int fd)
{
  return files_left ? files_reach(fd) : fd;
}

void green_files_return(int fd)
{
  if (files_left && fd >= 0) close(fd);
}
