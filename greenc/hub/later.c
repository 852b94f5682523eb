/*
** later.c: a list in no order, for it is short.
*/

#include "hub/later.h"
#include "hub/hub_priv.h"

void green_hub_later(green_hub *hub, green_later *l, int64_t due)
{
  green__assert_thread(hub);
  green_assert(l->run, "Embed, zeroed, and set run");
  l->due = due;
  if (!green_link_in(&l->link)) green_list_push(&hub->laters, &l->link);
}

void green_later_remove(green_later *l)
{
  green_link_remove(&l->link);
}

int64_t green__laters_before(const green_hub *hub, int64_t due)
{
  for (green_link *k = hub->laters.next; k != &hub->laters; k = k->next) {
    const green_later *l = green_container(k, green_later, link);
    if (l->due < due) due = l->due;
  }
  return due;
}

/* Those added meanwhile stand behind, and wait for the next turn. */
void green__laters_run(green_hub *hub)
{
  green_list now;
  green_link *k;
  if (green_list_empty(&hub->laters)) return;
  green_list_init(&now);
  green_list_splice(&now, &hub->laters);
  while ((k = green_list_pop(&now)) != NULL) {
    green_later *l = green_container(k, green_later, link);
    if (l->due <= hub->poll_now)
      l->run(l);
    else
      green_list_push(&hub->laters, k);
  }
}
