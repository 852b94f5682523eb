/*
** crew.h: native threads, and the queues that they empty by turns. Private to
** greenc: the pool of a hub (tpool.h) is one queue.
**
** All queues of a process that do not ask for threads of their own share one
** crew. A thread takes one thing of a queue, and the queue goes behind the
** others: who has thousands in line keeps another waiting for one thing a
** thread.
**
** Crews, queues, and what owners of queues share with the threads stand under
** one lock of the process. It is held for moments only; and a fork, which takes
** it, then finds everything whole at once. In a child it is made anew at first
** use, no thread runs, and no queue is in line before its owner opens it there:
** what belongs to a hub of another thread of the parent's is never touched.
*/
#ifndef GREEN_CREW_H
#define GREEN_CREW_H

#include "base/list.h"
#include "io/slot.h"

#include <pthread.h>
#include <stdint.h>

typedef struct green__crew green__crew;

/* Embed, zeroed, and set the first three. "Owner" is the thread it is of. */
typedef struct green__queue {
  /* In a thread, with the lock held: take the first thing out and do it. The
  ** queue is not looked at afterwards. The slots are the thread's. */
  void (*take)(struct green__queue *q, green__slots **slots);
  int size;    /* Threads at most, 1 or more, of a crew that it makes. */
  uint8_t own; /* A crew of its own, not the shared one. */
  /* Private. */
  green_link link; /* Among those with something to do. */
  green__crew *crew;
  uint32_t len; /* Things in it; read it with the lock held. */
} green__queue;

/* Any thread. The lock of all that is here. */
void green__crew_lock(void);
void green__crew_unlock(void);

/* With the lock held, which is given up meanwhile. */
void green__crew_wait(pthread_cond_t *cond);

/* With the lock held, which is given up meanwhile: fn(arg), and a fork waits a
** moment for its end. Any thread. */
void green__crew_do(void (*fn)(void *arg), void *arg);

/* Without the lock, owner: have a crew, and in it a place for what is in the
** queue. Idempotent. 0, or GREEN_ENOMEM: what is in it stays there. */
int green__queue_open(green__queue *q);

/* Without the lock, owner: leave the crew; the queue is empty. Threads of a
** crew that nobody else is in end: idle ones have when this returns, others
** when they come back from what they do. */
void green__queue_close(green__queue *q);

/* In a child, owner, before anything else: the parent's crew is left, and len
** things are in the queue. */
void green__queue_forked(green__queue *q, uint32_t len);

/* With the lock held, in an open queue: see to a thread for one thing more. 0,
** or GREEN_ENOMEM: there is no thread and none could be started. */
int green__queue_reserve(green__queue *q);

/* With the lock held, after reserve: one thing more is in it. */
void green__queue_pushed(green__queue *q);

/* With the lock held: n things were taken out, and nobody will do them. */
void green__queue_pulled(green__queue *q, uint32_t n);

/* With the lock held: threads of its crew, and how many of them are idle. */
uint32_t green__queue_threads(const green__queue *q);
uint32_t green__queue_idle(const green__queue *q);

#endif
