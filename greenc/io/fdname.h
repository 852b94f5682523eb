/*
** fdname.h: what a descriptor is, in words: for reports, where only its number
** is known.
**
** Any thread, all of it: the system is asked each time, nothing is kept.
*/
#ifndef GREEN_FDNAME_H
#define GREEN_FDNAME_H

#include "base/err.h"

#include <stddef.h>

/* Room for the longest text, its NUL included; longer paths are cut off. */
enum { GREEN_FDNAME_TEXT = 224 };

/* What kind of descriptor it is: "tcp", "udp", "unix", "socket" (of another
** kind), "pipe", "file", "folder", "terminal", "device", "epoll", "eventfd",
** "pidfd", "inotify" and what else the system calls its own, "other"; "closed":
** the number is not open. It needs no /proc but for the last ones. The length,
** or GREEN_EOVERFLOW (size is too small: 32 suffices). Any thread. */
GREEN_API int green_fdname_kind(int fd, char *text, size_t size);

/* The same and what it is of: "tcp 10.0.0.1:5432" (the peer's address), "tcp
** listening on 127.0.0.1:80", "udp from 0.0.0.0:53" (no peer), "file
** /var/log/x", "pipe". The length, or GREEN_EOVERFLOW (GREEN_FDNAME_TEXT
** suffices). Any thread. */
GREEN_API int green_fdname(int fd, char *text, size_t size);

#endif
