/*
** robust.h: a lock in memory that processes share, which outlives who holds it.
**
** Who is killed with the lock in hand leaves it to the next, who is told so and
** has to bring what the lock guards into order first. Who is stopped with it in
** hand (SIGSTOP, a debugger) keeps it: others wait for a moment and give up.
** Private to greenc.
*/
#ifndef GREEN_ROBUST_H
#define GREEN_ROBUST_H

#include "base/err.h"

#include <pthread.h>

/* How long a lock is waited for, in nanoseconds: what is done under one takes
** microseconds, so a holder who keeps it longer does not run. */
#define GREEN_ROBUST_PATIENCE (GREEN_SECOND / 10)

/* m is in shared memory, and nobody uses it yet. 0, or a negative errno. */
int green__robust_init(pthread_mutex_t *m);

/* Take the lock. 0; 1: who had it died, so mend what it guards, then call
** green__robust_mended (if this process dies before it has, the next is told
** again); GREEN_EBUSY: held for longer than GREEN_ROBUST_PATIENCE. Stops the
** thread meanwhile. Any thread. */
int green__robust_lock(pthread_mutex_t *m);

void green__robust_mended(pthread_mutex_t *m);

void green__robust_unlock(pthread_mutex_t *m);

#endif
