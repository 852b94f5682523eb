/*
** syscall_name.c: the names of the system calls that a thread may sleep in.
*/

#include "io/watchdog.h"

#include <stddef.h>
#include <sys/syscall.h>

#define NAME(name) \
  { \
    SYS_##name, #name \
  }

static const struct {
  int number;
  const char *name;
} names[] = {
    NAME(read),
    NAME(write),
    NAME(pread64),
    NAME(pwrite64),
    NAME(readv),
    NAME(writev),
    NAME(preadv),
    NAME(pwritev),
    NAME(openat),
    NAME(close),
    NAME(lseek),
    NAME(fsync),
    NAME(fdatasync),
    NAME(sync),
    NAME(syncfs),
    NAME(sync_file_range),
    NAME(ftruncate),
    NAME(truncate),
    NAME(fallocate),
    NAME(getdents64),
    NAME(unlinkat),
    NAME(mkdirat),
    NAME(linkat),
    NAME(symlinkat),
    NAME(fchmodat),
    NAME(fchownat),
    NAME(readlinkat),
    NAME(statfs),
    NAME(fstatfs),
    NAME(statx),
    NAME(flock),
    NAME(fcntl),
    NAME(ioctl),
    NAME(copy_file_range),
    NAME(splice),
    NAME(tee),
    NAME(vmsplice),
    NAME(fadvise64),
    NAME(readahead),
    NAME(pselect6),
    NAME(ppoll),
    NAME(epoll_pwait),
    NAME(nanosleep),
    NAME(clock_nanosleep),
    NAME(wait4),
    NAME(waitid),
    NAME(futex),
    NAME(connect),
    NAME(accept),
    NAME(accept4),
    NAME(recvfrom),
    NAME(sendto),
    NAME(recvmsg),
    NAME(sendmsg),
    NAME(recvmmsg),
    NAME(sendmmsg),
    NAME(shutdown),
    NAME(msgrcv),
    NAME(msgsnd),
    NAME(semop),
    NAME(semtimedop),
    NAME(mq_timedsend),
    NAME(mq_timedreceive),
    NAME(clone),
    NAME(execve),
    NAME(rt_sigtimedwait),
    NAME(rt_sigsuspend),
    NAME(getrandom),
    NAME(mmap),
    NAME(munmap),
    NAME(mremap),
    NAME(madvise),
    NAME(msync),
    NAME(mlock),
    NAME(mprotect),
    NAME(brk),
    NAME(mount),
    NAME(umount2),
    NAME(sched_yield),
    NAME(io_getevents),
    NAME(ptrace),
    NAME(kill),
    NAME(restart_syscall),
#ifdef SYS_open /* Of the older architectures alone. */
    NAME(open),
    NAME(stat),
    NAME(lstat),
    NAME(access),
    NAME(rename),
    NAME(mkdir),
    NAME(rmdir),
    NAME(unlink),
    NAME(link),
    NAME(readlink),
    NAME(poll),
    NAME(select),
    NAME(pause),
    NAME(epoll_wait),
    NAME(vfork),
    NAME(fork),
    NAME(getdents),
    NAME(newfstatat),
    NAME(sendfile),
#endif
#ifdef SYS_clone3
    NAME(clone3),
#endif
#ifdef SYS_epoll_pwait2
    NAME(epoll_pwait2),
#endif
#ifdef SYS_futex_waitv
    NAME(futex_waitv),
#endif
#ifdef SYS_io_uring_enter
    NAME(io_uring_enter),
#endif
#ifdef SYS_renameat2
    NAME(renameat2),
#endif
};

const char *green_syscall_name(int number)
{
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (names[i].number == number) return names[i].name;
  return NULL;
}
