/*
** greenlua_priv.h: what a greenlua is made of, for the command (vm/cmd).
** Private to vm.
*/
#ifndef GREEN_GREENLUA_PRIV_H
#define GREEN_GREENLUA_PRIV_H

#include "greenlua.h"
#include "thread.h"

#include <stdatomic.h>

struct greenlua {
  struct lua_State *L;
  vm *v;
  char *error; /* Text of the last failure, or NULL. */
  green_post interrupt;
  atomic_int interrupted; /* The post is under way. */
  vm_thread *listener;    /* Told of interrupts; NULL: they kill main. */
};

/* Has an interrupt been asked for that the loop has not seen yet? Any thread,
** and signal handlers. */
static inline int greenlua__is_interrupted(const greenlua *g)
{
  return atomic_load(&g->interrupted);
}

#endif
