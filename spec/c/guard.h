/*
** guard.h: bytes that end where the readable memory ends.
**
** A parser that looks one byte too far faults at once. One block for each
** process; a further copy overwrites the former.
*/
#ifndef GREEN_GUARD_H
#define GREEN_GUARD_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_SIZE = 1 << 20, GUARD_PAGE = 1 << 16 };

static inline char *guard_end(void)
{
  static char *end;
  if (end) return end;
  char *block = mmap(NULL, GUARD_SIZE + GUARD_PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) abort();
  if (mprotect(block + GUARD_SIZE, GUARD_PAGE, PROT_NONE)) abort();
  return end = block + GUARD_SIZE;
}

/* n bytes behind which nothing can be read; writable. */
static inline char *guard_copy(const void *bytes, size_t n)
{
  if (n > GUARD_SIZE) abort();
  return memcpy(guard_end() - n, bytes, n);
}

#endif
