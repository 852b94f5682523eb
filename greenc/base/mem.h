/*
** mem.h: the one door to the allocator, so that tests can fail the n-th call.
**
** Sizes are trusted; NULL means out of memory. Any thread.
*/
#ifndef GREEN_MEM_H
#define GREEN_MEM_H

#include <stddef.h>

void *green__alloc(size_t n);
void *green__zalloc(size_t n); /* zeroed */
void *green__realloc(void *p, size_t n);
void green__free(void *p);

/* A copy of a text that ends with a NUL. **Free with** green__free. */
char *green__copy_text(const char *text);

/* fn is called once, when memory begins to go from thread to thread: one makes
** it, another frees it. What is best for the allocator may be another thing
** then. Set before any thread is made. */
void green__mem_on_shared(void (*fn)(void));

/* It begins now, or has before. */
void green__mem_shared(void);

/* Tests only: let the n-th allocation from now (1 = next) and each later one
** return NULL; 0 switches it off. Returns how many calls there were since. */
int green__alloc_fail_from(int n);

#endif
