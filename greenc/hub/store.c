/*
** store.c: a hub knows who lends room.
*/

#include "hub/store.h"
#include "hub/hub_priv.h"

void green_hub_set_store(green_hub *hub, green_store *s)
{
  hub->store = s;
}

green_store *green_hub_store(const green_hub *hub)
{
  return hub->store;
}
