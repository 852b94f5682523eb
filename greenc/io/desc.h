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

/* A holder in memory of Lua's, which may be asked after its finalizer has run:
** NULL by then. */
typedef struct green_desc_holder {
  green_desc *desc;
} green_desc_holder;

/* Hold it no more. Idempotent. */
GREEN_API void green_desc_let_go(green_desc_holder *h);

/* Let go, and hand an open number to the caller: this one or, while others hold
** it, one more of the same file. Or an error; GREEN_ECLOSED: nothing was held.
*/
GREEN_API int green_desc_detach(green_desc_holder *h);

/* Its number, for as long as it is held; GREEN_ECLOSED of NULL. Any thread. */
GREEN_API int green_desc_number(const green_desc *d);

/* Put the position of the open file, which children that inherit the number
** have, there; where the system knows of none, and of NULL, nothing happens.
** Any thread. */
GREEN_API void green_desc_seek(const green_desc *d, int64_t offset);
/* end ffi */

/* One holder more. Returns d; NULL is fine. Any thread. */
GREEN_API green_desc *green_desc_ref(green_desc *d);

#endif
