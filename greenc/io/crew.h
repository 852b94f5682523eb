/*
** crew.h: native threads ("hands"), and the queues that they empty by turns.
** Private to greenc: the pool of a hub (tpool.h) is one queue, and each of its
** pins is one.
**
** All queues of a process that do not ask for threads of their own share one
** crew. A thread takes one thing of a queue, and the queue goes behind the
** others: who has thousands in line keeps another waiting for one thing a
** thread. A pinned queue has one thread, which takes by turns of those pinned
** to it and of the others.
**
** Crews, queues, and what owners of queues share with the threads stand under
** one lock of the process. It is held for moments only; and a fork, which takes
** it, then finds everything whole at once. Whom to wake, and a hub to post to,
** is settled under it and done without it. In a child it is made anew at first
** use, no thread runs, and no queue is in line before its owner opens it there:
** what belongs to a hub of another thread of the parent's is never touched.
*/
#ifndef GREEN_CREW_H
#define GREEN_CREW_H

#include "base/list.h"
#include "hub/hub.h"
#include "io/roster.h"
#include "io/slot.h"

#include <pthread.h>
#include <stdint.h>

typedef struct green__crew green__crew;
typedef struct green__hand green__hand;

/* Embed, zeroed, and set the first four. "Owner" is the thread it is of. */
typedef struct green__queue {
  /* In a thread, with the lock held: take the first thing out and do it; then
  ** green__queue_rest, if the queue is there still. */
  void (*take)(struct green__queue *q, green__hand *h);
  int size;      /* Threads at most, 1 or more, of a crew that it makes. */
  uint8_t own;   /* A crew of its own, not the shared one. */
  uint32_t most; /* Threads at work for it; 0: any number. */
  /* Private. */
  green_link link; /* Among those with something to do. */
  green_link pin;  /* Among those of its thread. */
  green__crew *crew;
  green__hand *hand; /* Pinned: its thread, or NULL before one was settled. */
  uint8_t is_pinned;
  uint32_t len;     /* Things in it; read it with the lock held. */
  uint32_t at_work; /* Threads that have taken something. */
} green__queue;

/* Any thread. The lock of all that is here. */
void green__crew_lock(void);
void green__crew_unlock(void);

/* For green__crew_wait. */
void green__crew_cond_init(pthread_cond_t *cond);

/* With the lock held, which is given up meanwhile. 1: the deadline has
** passed. */
int green__crew_wait(pthread_cond_t *cond, int64_t deadline);

/* With the lock held, which is given up meanwhile: fn(arg), and a fork waits a
** moment for its end. h: the thread, or NULL: it is of no crew. Where fn itself
** has forked, this thread of the child ends behind it. */
void green__crew_do(green__hand *h, void (*fn)(void *arg), void *arg);

/* -- Threads -------------------------------------------------------------- */

/* Its own, in the thread. */
green__slots **green__hand_slots(green__hand *h);

/* With the lock held, in the thread: what it tells of itself. */
green__seat *green__hand_seat(green__hand *h);

/* With the lock held, in the thread: post that as soon as it is given up. The
** hub's end waits for it. Once before that. */
void green__hand_post(green__hand *h, green_hub *hub, green_post *post);

/* Without the lock: let a thread know what it was called for. NULL is fine. */
void green__hand_wake(green__hand *h);

/* With the lock held, while the thread is in a green__crew_do of its take: it
** is no thread of the crew's any more, another may be started, and it ends when
** it comes back; for q, that it took of, this is the rest. 0, or GREEN_ENOMEM:
** no other could be had for what is there to do, and nothing has changed. */
int green__hand_lose(green__hand *h, green__queue *q);

/* -- Queues --------------------------------------------------------------- */

/* Without the lock, owner: have a crew, and in it a place for what is in the
** queue. Idempotent. 0, or GREEN_ENOMEM: what is in it stays there. */
int green__queue_open(green__queue *q);

/* Without the lock, owner: leave the crew; the queue is empty, and what was
** pinned beside it has left. Threads of a crew that nobody else is in end: idle
** ones have when this returns, others when they come back from what they do. */
void green__queue_close(green__queue *q);

/* With the lock held: a pinned queue in the crew of an open one, which it
** leaves before that. Idempotent both. */
void green__queue_pin(green__queue *q, const green__queue *beside);
void green__queue_unpin(green__queue *q);

/* In a child, owner, before anything else: the parent's crew is left, and len
** things are in the queue. */
void green__queue_forked(green__queue *q, uint32_t len);

/* With the lock held, in an open queue: one thing more is in it. 0, with a
** thread to be woken, or NULL; GREEN_ENOMEM: there is no thread and none could
** be started, and nothing has changed. */
int green__queue_push(green__queue *q, green__hand **wake);

/* With the lock held: n things were taken out, and nobody will do them. */
void green__queue_pulled(green__queue *q, uint32_t n);

/* With the lock held: a thread is done with what it took. */
void green__queue_rest(green__queue *q);

/* With the lock held: change how many threads are at work for it. */
void green__queue_limit(green__queue *q, uint32_t most);

/* With the lock held: threads of its crew, and how many of them are idle. */
uint32_t green__queue_threads(const green__queue *q);
uint32_t green__queue_idle(const green__queue *q);

#endif
