/*
** lookup.h: names to addresses, asked of getaddrinfo in a native thread.
*/
#ifndef GREEN_LOOKUP_H
#define GREEN_LOOKUP_H

#include "base/addr.h"
#include "io/tpool.h"

/* ffi needs: addr tpool */
/* ffi */
typedef struct green_waitq green_waitq;
typedef struct green_lookup green_lookup;

enum { GREEN_LOOKUP_PASSIVE = 1 };

typedef struct green_lookup_hint {
  int32_t family; /* GREEN_INET, GREEN_INET6; 0: any. */
  int32_t type;  /* GREEN_STREAM, GREEN_DGRAM; 0: each address for each type. */
  int32_t flags; /* GREEN_LOOKUP_* */
} green_lookup_hint;

/* Ask getaddrinfo for host and service. Either may be NULL: loopback, or with
** GREEN_LOOKUP_PASSIVE the wildcard; port 0. hint may be NULL. Strings end with
** a NUL and are copied. Numeric hosts are strict, as in green_addr_ip, and with
** a numeric service the result is there at once. "localhost" and "*.localhost"
** are 127.0.0.1 and ::1, in this order, and nobody is asked. *lookup: **free
** with** green_lookup_free. 0, GREEN_ENOMEM, GREEN_EINVAL (both NULL; the
** pool's size is wrong), GREEN_ENAMETOOLONG. */
GREEN_API int green_lookup_start(green_lookup **lookup, green_tpool *p,
                                 const char *host, const char *service,
                                 const green_lookup_hint *hint);

/* How many addresses, at least 1; GREEN_EAGAIN: still at it; else why it
** failed: GREEN_EAI_*, GREEN_ENOMEM, or an error of the system's. */
GREEN_API int green_lookup_result(const green_lookup *l);

/* The i-th address in the system's order of preference, or NULL. Borrowed from
** the lookup. */
GREEN_API const green_addr *green_lookup_addr(const green_lookup *l, int i);

/* At any time before the pool is freed, also while it runs: then the answer is
** dropped when it comes, and if its turn has not come it is not asked for.
** Tasks that wait for it are woken with GREEN_ECLOSED. NULL is fine. */
GREEN_API void green_lookup_free(green_lookup *l);

/* To park on while the result is GREEN_EAGAIN; woken once, with status 0. */
GREEN_API green_waitq *green_lookup_waiters(green_lookup *l);
/* end ffi */

#endif
