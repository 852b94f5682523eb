/*
** shm.h: named things in memory that a process has in common with its children.
**
** The memory comes to be with the first thing of all. From then on every child
** of a fork has the same, and each finds by name what any of them has made,
** whenever that was. Who was forked before has other memory, with names of its
** own, and so has a program that exec starts. Nothing is ever given back: a
** thing lives as long as the last of the processes.
**
** It is a memfd that is mapped as a whole and closed: large, and made of
** nothing but addresses until somebody writes to it. Private to greenc.
*/
#ifndef GREEN_SHM_H
#define GREEN_SHM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of addresses; fewer where the process may not have so many. */
#define GREEN_SHM_ROOM (UINT64_C(1) << 34)

enum { GREEN_SHM_NAME_MOST = 255 };

enum { GREEN_SHM_DICT, GREEN_SHM_COUNTER }; /* Each kind has its own names. */

typedef struct green__shm_wish {
  int kind;
  const char *name;
  size_t n;       /* Bytes of the name, at most GREEN_SHM_NAME_MOST. */
  uint64_t size;  /* Of the thing, in bytes. 0: do not make one. */
  uint64_t align; /* A power of two, at most a page. */
  /* Fill a new one, which is zeroed: 0 or an error. Under a lock that all
  ** processes share: no long work. */
  int (*fill)(void *it, uint64_t size, const void *arg);
  const void *arg;
} green__shm_wish;

/* The thing of that name, made if there is none: *it, and its *size, which may
** be another than is wished. 0; GREEN_ENOENT (there is none, and size is 0),
** GREEN_ENOMEM (the memory has no room for it), GREEN_EBUSY (see robust.h), or
** what the system says when it gives no memory. Any thread. */
int green__shm_thing(const green__shm_wish *w, void **it, uint64_t *size);

#endif
