/*
** heap.h: deadlines in order: an intrusive 4-ary min-heap of timers.
**
** Equal deadlines come out in the order in which they went in. The array holds
** the order beside the pointer, so that sifting touches no timer but the
** ones that move. The heap never allocates or frees timers.
*/
#ifndef GREEN_HEAP_H
#define GREEN_HEAP_H

#include "base/err.h"

#include <stdint.h>

typedef struct green_timer green_timer;

/* Called by the hub, on its thread, after the timer has left the heap. It may
** add, remove or free anything, itself included. */
typedef void green_timer_fn(green_timer *t);

/* Embed in the owner, zeroed. */
struct green_timer {
  green_timer_fn *fire;
  uint32_t slot; /* Place in the heap + 1; 0: not in it; top bit: set aside. */
};

typedef struct green_heapitem {
  int64_t due;
  green_timer *timer;
  uint32_t seq; /* Order of entry, for equal deadlines. */
} green_heapitem;

typedef struct green_heap {
  green_heapitem *a; /* a[0] is the earliest. */
  uint32_t len;
  uint32_t cap;
  uint32_t seq;        /* The next timer's. */
  green_heapitem *due; /* Taken out by expire, not yet handed over. */
  uint32_t due_at;     /* due[due_at] is the next to hand over. */
  uint32_t due_len;
  uint32_t due_cap;
  uint32_t aside; /* Of them, those that were not removed since. */
} green_heap;

/* 0 or GREEN_ENOMEM. */
GREEN_API int green_heap_init(green_heap *h);
/* Timers that are still in it are forgotten, not fired. */
GREEN_API void green_heap_deinit(green_heap *h);

/* 0, GREEN_EINVAL (already in a heap) or GREEN_ENOMEM. */
GREEN_API int green_heap_add(green_heap *h, green_timer *t, int64_t due);

/* No-op for a timer that is in no heap. Also takes back a timer that expire
** has set aside but not handed over yet. */
GREEN_API void green_heap_remove(green_heap *h, green_timer *t);

/* Set aside all timers due at or before now, then hand them over one by one,
** earliest first: what is added in between waits for the next expire, what is
** removed in between is never handed over. When more than an eighth of a large
** heap is due they leave in one sweep. Out of memory sets aside fewer. */
GREEN_API void green_heap_expire(green_heap *h, int64_t now);

/* The next timer that was set aside, out of the heap now; NULL: no more. */
GREEN_API green_timer *green_heap_take(green_heap *h);

/* When a timer is due that is in the heap, or set aside by it. */
GREEN_API int64_t green_heap_due(const green_heap *h, const green_timer *t);

#ifdef GREEN_DEBUG
/* Order, places and counts; stops as green_assert does. */
GREEN_API void green_heap_check(const green_heap *h);

/* Is t in this heap, or set aside by it? */
GREEN_API int green_heap_has(const green_heap *h, const green_timer *t);
#endif

/* How many are set aside and not handed over yet. */
static inline uint32_t green_heap_aside(const green_heap *h)
{
  return h->aside;
}

#endif
