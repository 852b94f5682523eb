/*
** crew_priv.h: what crews (crew.h) are made of: crew.c has the lock and forks,
** crew_hand.c the threads, crew_queue.c the queues; each stands on those
** before. All here is done with the lock held.
*/
#ifndef GREEN_CREW_PRIV_H
#define GREEN_CREW_PRIV_H

#include "io/crew.h"

struct green__hand {
  green__crew *crew;
  green__hand *older; /* In the chain of all that there have been. */
  green_link link;   /* Among those at hand, those that ended, or spare ones. */
  green_link rest;   /* Among those that are idle. */
  green_list ready;  /* Pinned queues with something in them, */
  green_list pinned; /* and all of them. */
  uint32_t pins;
  uint32_t word; /* What it sleeps on: 0 while nobody has called it. */
  pthread_t id;
  green__slots *slots;
  green__seat seat;
  green_hub *hub; /* What to post when the lock is given up, or NULL. */
  green_post *post;
  green__hand *wake; /* Whom to wake then, or NULL. */
  uint8_t busy;      /* In a take. */
  uint8_t called;    /* On its way: it will look what there is to do. */
  uint8_t detached;  /* Nobody joins it. */
  uint8_t lost;
  uint8_t pinned_last; /* Whose turn it was. */
};

struct green__crew {
  green_list ready; /* Queues with something in them, next one first. */
  green_list hands;
  green_list idle;  /* Of these, who slept last first. */
  green_list ended; /* To be joined. */
  green_list spare; /* Memory for more. */
  green__hand *all; /* The chain; nothing ever leaves it. */
  int refs;
  uint8_t is_shared;
  uint8_t ending; /* Nobody is in it any more. */
  uint32_t n_hands;
  uint32_t n_idle;
  uint32_t n_called;
  uint32_t size;
};

/* One piece of work more runs, or one less; a fork waits for none. */
void green__crew_running_more(void);
void green__crew_running_less(void);

/* Is a fork under way? Then no thread begins anything; wait for its end. */
int green__crew_forking(void);
void green__crew_await_fork(void);

/* For so many threads. NULL: out of memory. */
green__crew *green__crew_new(int size);

/* Without the lock: nobody is in it. Threads that are idle have ended. */
void green__crew_end(green__crew *c);

/* Memory alone: in a child the rest may be in any state. NULL is fine. */
void green__crew_forget(void *c);

/* Start one more, below the size, which looks for work by itself. NULL: none is
** to be had. */
green__hand *green__crew_start(green__crew *c);

/* See to a thread for one thing more: who is on its way will call another if
** there is more to do. 0, with one to be woken, or NULL; GREEN_ENOMEM: there is
** none. */
int green__crew_call(green__crew *c, green__hand **wake);

static inline green__hand *green__hand_of(green_link *k)
{
  return k ? green_container(k, green__hand, link) : NULL;
}

/* Idle no longer, if it was. 1: it was, and is to be woken. */
int green__hand_call(green__hand *h);

/* The same, and it is woken: where holding the lock does not matter. */
void green__hand_call_now(green__hand *h);

#endif
