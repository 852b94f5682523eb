/*
** later.h: what is done when there is time for it, such as giving back memory
** that was kept for nothing.
**
** It wakes a hub that sleeps, and is nothing that anybody waits for: no
** deadline of the statistics, no future (a hub with nothing else is in a
** deadlock), and a virtual clock does not jump to it.
*/
#ifndef GREEN_HUB_LATER_H
#define GREEN_HUB_LATER_H

#include "hub/hub.h"

/* Embed, zeroed, and set run; it is in the list until it runs. */
typedef struct green_later {
  green_link link;
  int64_t due;
  void (*run)(struct green_later *l);
} green_later;

/* Run l at due, or in the next turn after it. One that is in the list is moved.
** From inside its run, too. */
GREEN_API void green_hub_later(green_hub *hub, green_later *l, int64_t due);

/* Take l out. Idempotent. */
GREEN_API void green_later_remove(green_later *l);

/* For the hub: due, or when the first of them is, if that is before; and run
** what is due. */
int64_t green__laters_before(const green_hub *hub, int64_t due);
void green__laters_run(green_hub *hub);

#endif
