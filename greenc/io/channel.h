/*
** channel.h: a bounded queue between hubs: what one thread puts in, another
** takes out, in order.
**
** Memory is counted. What is in it belongs to it until it is taken. A task that
** finds it full or empty waits beside others of any hub; whoever has waited
** longest is told first, and tries again.
**
** A child of a fork has none of the threads that were at the other ends: there
** every channel of the parent's is closed and empty.
*/
#ifndef GREEN_CHANNEL_H
#define GREEN_CHANNEL_H

#include "base/list.h"
#include "hub/hub.h"

typedef struct green_channel green_channel;

/* What goes through. Embed in the owner, zeroed, and set drop. */
typedef struct green_item {
  green_link link;
  void (*drop)(struct green_item *item); /* Free it. Any thread. */
} green_item;

/* A channel for at most so many items, 1 or more. **Free with**
** green_channel_unref. NULL: out of memory. */
GREEN_API green_channel *green_channel_new(uint32_t capacity);

/* One more holder; one less: with the last one, what is in it is dropped. Any
** thread. */
GREEN_API green_channel *green_channel_ref(green_channel *c);
GREEN_API void green_channel_unref(green_channel *c);

/* Any thread. Takes the item: 0; or it stays the caller's: GREEN_EAGAIN (full:
** wait), GREEN_ECLOSED. */
GREEN_API int green_channel_put(green_channel *c, green_item *item);

/* Any thread. 0, and *item is the caller's; GREEN_EAGAIN (empty: wait);
** GREEN_ECLOSED: closed, and empty. */
GREEN_API int green_channel_get(green_channel *c, green_item **item);

/* Any thread. No more is put in; what is there can be taken. Idempotent. */
GREEN_API void green_channel_close(green_channel *c);

/* Any thread. How many are in it at this moment. */
GREEN_API uint32_t green_channel_size(green_channel *c);
GREEN_API uint32_t green_channel_capacity(const green_channel *c);
GREEN_API int green_channel_is_closed(green_channel *c);

/* -- Waiting -------------------------------------------------------------- */

enum green_channel_side {
  GREEN_CHANNEL_GET, /* Until there is something to take, */
  GREEN_CHANNEL_PUT  /* or room; or it is closed. */
};

/* A task's wait, in memory of its own. It holds the hub. */
typedef struct green_channel_wait green_channel_wait;
GREEN_API size_t green_channel_wait_size(void);

/* In zeroed memory: stand in line, behind the others. 0; GREEN_EAGAIN: there is
** no need, try at once; nothing was begun. The channel is held until deinit. */
GREEN_API int green_channel_wait_init(green_channel_wait *w, green_hub *hub,
                                      green_channel *c,
                                      enum green_channel_side side);

/* It was told, and somebody else was faster: in line again, before the others.
** As init. */
GREEN_API int green_channel_wait_again(green_channel_wait *w);

/* Wait no more. Who was told and did not try hands that on. Idempotent. */
GREEN_API void green_channel_wait_deinit(green_channel_wait *w);

/* To park on; woken with status 0 when it is time to try. */
GREEN_API green_waitq *green_channel_wait_queue(green_channel_wait *w);

/* Has it been in line, and not ended? And was it told since? */
GREEN_API int green_channel_wait_is_begun(const green_channel_wait *w);
GREEN_API int green_channel_wait_is_told(const green_channel_wait *w);

#endif
