/*
** random.h: bytes that nobody can guess, from the kernel (getrandom(2)).
*/
#ifndef GREEN_RANDOM_H
#define GREEN_RANDOM_H

#include "base/err.h"

#include <stddef.h>

/* ffi */
/* Fill p with n random bytes, all of them: calls that a signal interrupts, or
** that give fewer, are made again. 0, or what the system says: GREEN_ENOSYS
** (none such: a kernel before 3.17, or a filter of system calls), and p is not
** to be used then. It waits only where the machine has just started and has not
** gathered its first 256 bits; never later. Nothing is kept in the process, so
** that a child of a fork has bytes of its own. Any thread. */
GREEN_API int green_random_fill(void *p, size_t n);
/* end ffi */

#endif
