/*
** sock_call.h: recv, send and sendmsg as the kernel has them.
**
** The C library's are places where a thread may be cancelled. As soon as a
** process has two threads (the detector's, a pool's, libzmq's) each such call
** says at its begin and its end whether it may be: 1.6 % of the instructions of
** a small request. greenlua cancels no thread.
**
** What stands before the C library's sockets (LD_PRELOAD) does not see these
** calls; with GREEN_LIBC_CALLS defined they are the C library's own, as they
** are where a sanitizer has to see them.
*/
#ifndef GREEN_SOCK_CALL_H
#define GREEN_SOCK_CALL_H

#include <sys/socket.h>
#include <sys/types.h>

/* As those without green__: how many bytes; or -1, and errno. */
ssize_t green__recv(int fd, void *ptr, size_t n, int flags);
ssize_t green__send(int fd, const void *ptr, size_t n, int flags);
ssize_t green__sendmsg(int fd, const struct msghdr *msg, int flags);

#endif
