/*
** sock_call.c: recv, send and sendmsg as the kernel has them.
*/

#include "io/sock_call.h"

#include <sys/syscall.h>
#include <unistd.h>

/* Older architectures have one call for all of sockets. */
#if !defined(SYS_recvfrom) || !defined(SYS_sendto) || !defined(SYS_sendmsg) || \
    defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GREEN_LIBC_CALLS
#endif

#ifdef GREEN_LIBC_CALLS

ssize_t green__recv(int fd, void *ptr, size_t n, int flags)
{
  return recv(fd, ptr, n, flags);
}

ssize_t green__send(int fd, const void *ptr, size_t n, int flags)
{
  return send(fd, ptr, n, flags);
}

ssize_t green__sendmsg(int fd, const struct msghdr *msg, int flags)
{
  return sendmsg(fd, msg, flags);
}

#else

ssize_t green__recv(int fd, void *ptr, size_t n, int flags)
{
  return syscall(SYS_recvfrom, fd, ptr, n, flags, NULL, NULL);
}

ssize_t green__send(int fd, const void *ptr, size_t n, int flags)
{
  return syscall(SYS_sendto, fd, ptr, n, flags, NULL, 0);
}

ssize_t green__sendmsg(int fd, const struct msghdr *msg, int flags)
{
  return syscall(SYS_sendmsg, fd, msg, flags);
}

#endif
