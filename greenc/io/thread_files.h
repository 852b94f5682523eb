/*
** thread_files.h: descriptors of a thread's own. Private to greenc and vm.
**
** Where two threads have the same descriptors the kernel counts who uses one at
** each system call, which is 1 to 2 % of a request. A thread that only looks at
** the others needs none of them.
*/
#ifndef GREEN_THREAD_FILES_H
#define GREEN_THREAD_FILES_H

#include "base/err.h"

/* The calling thread leaves the process's descriptors and has none from now
** on; what it opens is its own. must_reach: only if it can use single ones of
** them all the same, by green_files_borrow. 0, or a negative GREEN_E*: the
** system does not do that (Linux 5.9, 5.6 to reach; a container may forbid it),
** and all is as before. */
GREEN_API int green_files_leave(int must_reach);

/* A descriptor of the process's for the calling thread, which may have left:
** itself, or a second one of the same file. **Give back with**
** green_files_return. Negative: there is none. */
GREEN_API int green_files_borrow(int fd);
GREEN_API void green_files_return(int fd);

#endif
