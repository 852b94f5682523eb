/*
** turn.c: a new budget without a call that the compiler does not know.
*/

#include "turn.h"

#include "runtime.h"
#include "thread.h"

int green_turn_renew(green_turn *turn)
{
  const vm *v = green_container(turn, vm, turn);
  const vm_thread *t = v->current;
  if (v->ended || !t || t->task.cancel_pending || !green_hub_is_quiet(v->hub))
    return 0;
  turn->budget = GREEN_TURN_BUDGET;
  return 1;
}
