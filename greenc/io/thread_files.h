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

/* The calling thread leaves the process's descriptors; what it opens from now
** on is its own. Of the old ones it has none, or a standard error of its own
** where green_files_borrow could not get at the process's. 0, or a negative
** GREEN_E*, and all is as before: the system cannot do that (Linux 5.9), or a
** filter looks at its calls, which may end the process for them; valgrind runs
** it; and in builds that find faults, whose words one would not see. */
GREEN_API int green_files_leave(void);

/* A descriptor of the process's for the calling thread, which may have left:
** itself, or a second one of the same file. **Give back with**
** green_files_return. Negative: there is none. */
GREEN_API int green_files_borrow(int fd);
GREEN_API void green_files_return(int fd);

#endif
