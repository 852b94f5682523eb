/*
** shared.h: what all runtimes of a process have one of: the threads of the
** native pool, for one. It is made when first wanted, counted, and freed with
** the last who has it. Private to greenc.
**
** In a child the parent's is nobody's: its threads and sockets are not there,
** and some who held it are not, either. The next acquire forgets it and makes a
** new one. So who holds one keeps the process's generation beside it, and after
** a fork neither uses nor releases it.
*/
#ifndef GREEN_SHARED_H
#define GREEN_SHARED_H

#include "base/fork.h"

#include <pthread.h>

/* Static; set the functions. */
typedef struct green__shared {
  void *(*make)(const void *arg); /* One at a time. NULL: out of memory. */
  void (*free)(void *it);         /* Another may be made meanwhile. */
  void (*forget)(void *it); /* In a child: memory alone, it may be in any state;
                               NULL: nothing. */
  /* Private. */
  pthread_mutex_t lock;
  void *it;
  int refs;
  green_forkonce made;
} green__shared;

/* The one there is, or one that is made of arg. NULL: out of memory. **Free
** with** green__shared_release. Any thread; a hub has been made before. */
void *green__shared_acquire(green__shared *s, const void *arg);

/* Any thread. */
void green__shared_release(green__shared *s);

#endif
