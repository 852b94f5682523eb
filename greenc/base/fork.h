/*
** fork.h: which process is this? A child must know that it is one before it
** touches what it shares with its parent: kernel state of a poll, a wake-up,
** threads that only the parent has.
**
** Every process on the way from the first has a generation of its own. Who
** keeps something that a fork spoils keeps its generation beside it, and looks
** before each use. It costs two loads, and sees every kind of fork: fork(2) of
** C, of the FFI or of a library, and clone.
*/
#ifndef GREEN_FORK_H
#define GREEN_FORK_H

#include "base/err.h"

#include <stdint.h>

/* The word that a child finds zeroed; set by green_fork_watch. */
extern uint32_t *green__fork_word;

/* Begin to watch; idempotent. Call it before the first green_fork_generation.
** Any thread. */
GREEN_API void green_fork_watch(void);

/* ffi */
/* The word, for those who look without a call: it differs in each child from
** what it was in the parent, at once, and may change there once more. Watched
** by then. Any thread. */
GREEN_API const uint32_t *green_fork_word(void);
/* end ffi */

/* For green_fork_generation: a child has found its word zeroed. */
uint32_t green__fork_noticed(void);

/* This process's generation, never 0. Any thread. */
static inline uint32_t green_fork_generation(void)
{
  uint32_t g = __atomic_load_n(green__fork_word, __ATOMIC_RELAXED);
  return green_likely(g) ? g : green__fork_noticed();
}

/* A quick look: may green_fork_happened have something to say? Any thread. */
static inline int green_fork_differs(uint32_t kept)
{
  return __atomic_load_n(green__fork_word, __ATOMIC_RELAXED) != kept;
}

/* In a child, or for a caller who was here in another process: 1, once for each
** generation kept; *kept is then this process's. Any thread. */
static inline int green_fork_happened(uint32_t *kept)
{
  if (green_likely(!green_fork_differs(*kept))) return 0; /* It is not 0. */
  uint32_t g = green_fork_generation();
  if (g == *kept) return 0; /* Another thread has noticed just now. */
  *kept = g;
  return 1;
}

/* For what all threads of a process share: who has made it for which process.
** Static and zeroed. */
typedef struct green_forkonce {
  uint32_t begun;
  uint32_t done;
} green_forkonce;

/* For green_forkonce_check: this process may be one that has not made it. */
void green__forkonce_renew(green_forkonce *o, void (*make)(void *), void *arg);

/* Call make(arg) if nobody has in this process; while another thread is at it,
** wait. make must not fork, and what it finds is of no use: a thread of the
** parent's may have been in the middle of anything. Any thread. */
static inline void green_forkonce_check(green_forkonce *o, void (*make)(void *),
                                        void *arg)
{
  uint32_t done = __atomic_load_n(&o->done, __ATOMIC_ACQUIRE);
  if (green_unlikely(!done || green_fork_differs(done)))
    green__forkonce_renew(o, make, arg);
}

#endif
