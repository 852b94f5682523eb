/*
** halt.h: reading and writing that stop the loop, on purpose.
**
** A debugger talks to its client while the program stands still: nothing of
** the hub may run then, and what is called here waits in the system.
*/
#ifndef GREEN_HALT_H
#define GREEN_HALT_H

#include "base/err.h"

#include <stddef.h>

/* ffi */
/* Wait until fd has something to read, for ms milliseconds (negative: as long
** as it takes), and read at most n bytes of it. The count; 0: the end of the
** stream; GREEN_EAGAIN: the time is up; else what read(2) said. */
GREEN_API int green_halt_read(int fd, void *p, size_t n, int ms);

/* Write n bytes, however long that takes. 0, or what write(2) said. */
GREEN_API int green_halt_write(int fd, const void *p, size_t n);

/* Take descriptors 0 and 1 for private use: fds[0] reads what 0 did, fds[1]
** writes where 1 did. 0 reads /dev/null then, and 1 goes where 2 goes. 0, or
** GREEN_EMFILE and the like with nothing changed. */
GREEN_API int green_halt_take_stdio(int fds[2]);

/* The path of a file without links, in out[n], n > 0. Its length; or
** GREEN_ENAMETOOLONG, GREEN_ENOENT and the like. */
GREEN_API int green_halt_realpath(const char *path, char *out, size_t n);

/* Close what take_stdio gave, or a descriptor that was detached. */
GREEN_API void green_halt_close(int fd);
/* end ffi */

#endif
