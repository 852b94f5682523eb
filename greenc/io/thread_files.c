/*
** thread_files.c: close_range and pidfd_getfd, which Debian 12's libc has no
** functions for, or not all.
*/

#include "io/thread_files.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <sys/prctl.h>
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

#if defined(GREEN_DEBUG) || defined(__SANITIZE_ADDRESS__) || \
    defined(__SANITIZE_THREAD__)
enum { FILES_STAY = 1 };
#else
enum { FILES_STAY = 0 };
#endif

enum { SHARED, REACHES, HAS_STDERR };

static __thread int files_are;

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

/* One that is not open would be there if it were. In the thread's own table:
** nobody else sees what is opened for that. */
static int files_can_reach(void)
{
  int fd = files_reach(STDERR_FILENO);
  if (fd >= 0) close(fd);
  return fd >= 0 || fd == -EBADF;
}

static int files_close(unsigned from, unsigned to, unsigned flags)
{
  return syscall(SYS_close_range, from, to, flags) < 0 ? -errno : 0;
}

/* Its own descriptors are in the process's table, and each of our threads needs
** them. The symbol is of what it puts into every program. */
static int is_below_valgrind(void)
{
  return dlsym(RTLD_DEFAULT, "_vgnU_freeres") != NULL;
}

int green_files_leave(void)
{
  if (FILES_STAY || prctl(PR_GET_SECCOMP) != 0) return GREEN_ENOSYS;
  if (is_below_valgrind()) return GREEN_ENOSYS;
  int err = files_close(UINT_MAX, UINT_MAX, UNSHARE);
  if (err < 0) return err;
  files_are = files_can_reach() ? REACHES : HAS_STDERR;
  if (files_are == REACHES) return files_close(0, UINT_MAX, 0);
  files_close(0, STDERR_FILENO - 1, 0);
  return files_close(STDERR_FILENO + 1, UINT_MAX, 0);
}

int green_files_borrow(int fd)
{
  if (files_are == REACHES) return files_reach(fd);
  return files_are == SHARED || fd == STDERR_FILENO ? fd : GREEN_EBADF;
}

void green_files_return(int fd)
{
  if (files_are == REACHES && fd >= 0) close(fd);
}
