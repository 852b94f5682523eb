/*
** look.c: what a hub has and does, for those who look at it, and whether what
** it has is sound.
*/

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/hub_priv.h"
#include "hub/idle.h"
#include "hub/scope.h"

green_task *green_hub_upcoming(const green_hub *hub)
{
  green_link *k = green_list_first(&hub->batch);
  return k ? green_container(k, green_task, link) : NULL;
}

green_task *green_hub_current(const green_hub *hub)
{
  return hub->current;
}

green_pulse green_hub_pulse(const green_hub *hub)
{
  return (green_pulse){.turns = &hub->turns,
                       .runs = &hub->switches,
                       .current = (void *const *)&hub->current};
}

void green_hub_stats_get(const green_hub *hub, green_hub_stats *s)
{
  s->turns = hub->turns;
  s->switches = hub->switches;
  s->live = hub->n_live;
  s->made = hub->made;
  s->ready = (uint32_t)(hub->wakes - hub->switches);
  s->timers = hub->heap.len + green_heap_aside(&hub->heap);
  s->fds = hub->n_fds;
  s->waits = hub->n_waits;
  s->idle = green__idles_count(hub);
}

void green_hub_measure(green_hub *hub, int on)
{
  green__assert_thread(hub);
  if (!on || !hub->measures) hub->measures = on ? HUB_WILL_MEASURE : 0;
}

int green_hub_measures(const green_hub *hub)
{
  return hub->measures != 0;
}

const green_histogram *green_hub_turn_times(const green_hub *hub)
{
  return &hub->turn_times;
}

green_task *green_hub_first_task(const green_hub *hub)
{
  green_link *k = green_list_first(&hub->all);
  return k ? green_container(k, green_task, all) : NULL;
}

green_task *green_hub_next_task(const green_hub *hub, const green_task *t)
{
  green_assert(t->hub == hub && green_link_in(&t->all),
               "No task may end in between.");
  return t->all.next == &hub->all
             ? NULL
             : green_container(t->all.next, green_task, all);
}

/* -- Checking ------------------------------------------------------------- */

#ifdef GREEN_DEBUG
/* One that was posted twice closes a circle: the hare meets the tortoise. */
static void mail_check(const green_post *hare)
{
  const green_post *tortoise = hare;
  for (int odd = 0; hare; odd = !odd) {
    green_assert(hare->run != NULL, "Work handed to the hub's thread.");
    hare = hare->next;
    if (odd) tortoise = tortoise->next;
    green_assert(!hare || hare != tortoise, "it must live until run is called");
  }
}

static void defers_check(const green_hub *hub)
{
  for (green_link *k = hub->defers.next; k != &hub->defers; k = k->next)
    green_assert(green_link_is_sound(k) &&
                     green_container(k, green_defer, link)->run != NULL,
                 "in the list until it has run");
  for (green_link *k = hub->forkhooks.next; k != &hub->forkhooks; k = k->next)
    green_assert(green_link_is_sound(k) &&
                     green_container(k, green_forkhook, link)->run != NULL,
                 "Embed, zeroed, and set run");
}

void green_hub_check(const green_hub *hub)
{
  uint32_t parked = green__tasks_check(hub), waiting = green__fds_check(hub);
  green_assert(parked == waiting, "Where a parked task stands");
  green_assert(hub->n_waits == waiting + green__idles_check(hub),
               "Tasks parked on fds, and fds in idle sets.");
  green__scopes_check(hub);
  green_heap_check(&hub->heap);
  mail_check(atomic_load(&((green_hub *)hub)->posts));
  mail_check(hub->mail);
  mail_check(hub->mail_now);
  defers_check(hub);
}
#endif
