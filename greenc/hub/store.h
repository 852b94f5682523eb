/*
** store.h: room for long data that becomes somebody else's, from him. What is
** received into it need not be copied to where it belongs.
*/
#ifndef GREEN_HUB_STORE_H
#define GREEN_HUB_STORE_H

#include "hub/hub.h"

/* Embed, and set both. */
typedef struct green_store {
  /* Room for n bytes; NULL: not for so many, or not now: do without. */
  char *(*get)(struct green_store *s, size_t n);
  /* Room for n bytes is given back: it was not wanted after all. */
  void (*put)(struct green_store *s, char *p, size_t n);
} green_store;

/* The hub's; it lives as long as that. NULL: there is none. */
GREEN_API void green_hub_set_store(green_hub *hub, green_store *s);
GREEN_API green_store *green_hub_store(const green_hub *hub);

#endif
