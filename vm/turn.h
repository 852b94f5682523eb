/*
** turn.h: the counters that compiled Lua reads and writes without a call into
** C.
*/
#ifndef GREEN_TURN_H
#define GREEN_TURN_H

#include "base/err.h"

#include <stdint.h>

/* ffi */
typedef struct green_turn {
  int32_t budget;  /* Checkpoints left before one must call core.check. */
  int32_t depth;   /* User coroutines open in the running thread. */
  int32_t touched; /* Threads that have got a table or a scope since they began
                      or were reset. Who reuses one resets it, unless 0. */
} green_turn;

/* For the thread that runs, with no budget left: 1, and a new one, when nothing
** is pending in it and nobody else has something to do (green_hub_is_quiet). 0:
** core.check has to see to it. Without it a thread that finds all it asks for
** would leave compiled code for a call into C at every 64th. */
GREEN_API int green_turn_renew(green_turn *turn);
/* end ffi */

/* Calls that may finish without parking before the others get a turn. */
#define GREEN_TURN_BUDGET 64

#endif
