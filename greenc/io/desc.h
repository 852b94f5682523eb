/*
** desc.h: a descriptor that several hold: its owner, and jobs of native threads
** that use its number. It is closed by the last of them, so a number is never
** closed, and given to another file, under a system call that uses it.
*/
#ifndef GREEN_DESC_H
#define GREEN_DESC_H

#include "base/err.h"

#include <stdint.h>

/* ffi */
typedef struct green_desc green_desc;

/* **Takes** an open number, with one holder. NULL: out of memory, and the
** number is still the caller's. Any thread. */
GREEN_API green_desc *green_desc_new(int fd);

/* One holder less; the last one closes the number, which may wait for a disk or
** a network. NULL is fine. Any thread. */
GREEN_API void green_desc_unref(green_desc *d);

/* **Takes** what is held, too, and hands an open number to the caller: this one
** or, while others hold it, one more of the same file. Or an error: then it is
** held no more. Any thread. */
GREEN_API int green_desc_detach(green_desc *d);

/* Its number, for as long as it is held. Any thread. */
GREEN_API int green_desc_number(const green_desc *d);

/* Put the position of the open file, which children that inherit the number
** have, there; where the system knows of none nothing happens. Any thread. */
GREEN_API void green_desc_seek(const green_desc *d, int64_t offset);
/* end ffi */

/* One holder more. Returns d; NULL is fine. Any thread. */
GREEN_API green_desc *green_desc_ref(green_desc *d);

#endif
