/*
** tls_pool.h: handshakes in the native pool: those whose signature would keep
** the loop from its other work (green_tls_ctx_set_pool).
**
** One for all connections of a hub: few at once, so that the pool's threads are
** there for others, too; some more wait in order, and those that come then are
** refused. A connection that is freed meanwhile is freed when its thread is
** done with it; nobody has to wait for that.
*/
#ifndef GREEN_TLS_POOL_H
#define GREEN_TLS_POOL_H

#include "hub/hub.h"
#include "io/tls.h"

/* ffi needs: tls */
/* ffi */
struct green_hub;
struct green_waitq;

typedef struct green_tls_pool {
  /* Options, changed at will. */
  uint32_t at_once; /* In threads: 2. */
  uint32_t queue;   /* How many wait for these: 256. */
  /* Counts. */
  uint32_t running;
  uint32_t waiting;
  uint64_t begun;   /* Steps of handshakes so far, */
  uint64_t refused; /* and those that there was no room for. */
} green_tls_pool;

/* With one reference. NULL: out of memory. */
GREEN_API green_tls_pool *green_tls_pool_new(struct green_hub *hub);

/* One more reference: p; give one up, NULL is fine. */
GREEN_API green_tls_pool *green_tls_pool_ref(green_tls_pool *p);
GREEN_API void green_tls_pool_unref(green_tls_pool *p);

/* Before its hub is freed: nothing begins any more, those that wait fail with
** GREEN_ECLOSED, and those under way stay so until they are freed.
** Idempotent. */
GREEN_API void green_tls_pool_close(green_tls_pool *p);

/* A connection whose handshake waits for it (green_tls_wants_pool) goes on
** there. Until that is over it is away: green_tls_handshake says
** GREEN_EINPROGRESS, it takes no input and has no output, nothing else is
** known of it; it may be freed. 0; GREEN_EBUSY: too many wait already;
** GREEN_EINVAL: it does not wait for that; GREEN_ECLOSED, GREEN_ENOMEM. */
GREEN_API int green_tls_pool_start(green_tls_pool *p, green_tls *t);

/* Where to wait for its return; NULL: it is not away. */
GREEN_API struct green_waitq *green_tls_pool_waiters(const green_tls *t);
/* end ffi */

/* As start. back is called on the hub's thread when it has come back; not when
** it was freed before. */
GREEN_API int green_tls_pool_start_for(green_tls_pool *p, green_tls *t,
                                       void (*back)(void *data), void *data);

#endif
