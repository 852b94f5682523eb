/*
** carry.h: what a job in a native thread has of the green thread that it is
** from beside its arguments: what green.log and green.tracing know of that one
** (green.thread.carry). Private to vm.
**
** It comes as values that were packed once for many jobs: the first is what
** Lua made, a second one says that the state is to load the library for it.
** Without that only a state looks at it where the library is loaded already, or
** when it is. What goes wrong with it is no error of the job.
*/
#ifndef GREEN_CARRY_H
#define GREEN_CARRY_H

#include "crossing.h"

/* Have Lua look at it before a job runs; NULL: it brings nothing. For who is
** called protected. */
void vm_carry_begin(lua_State *L, const vm_share *carried);

/* Pack what there is to be brought back, behind a job; an empty parcel stays so
** where there is nothing. Never raises. */
void vm_carry_end(lua_State *L, vm_parcel *back);

#endif
