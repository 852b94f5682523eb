/*
** collector.h: how long Lua's garbage collector rests, and how fast it goes.
** Private to vm.
**
** A cycle of the collector looks at all that lives, and sweeps all there is. By
** Lua's default the next one begins when memory has doubled, which for a small
** server means one for a few thousand requests. Memory that is small may grow
** to four times of what lives; what is added by that is bounded.
**
** LuaJIT does a bit of a cycle's work each time something is made, however
** large that is: who makes strings of a megabyte would have made hundreds of
** them before the first one goes. So what is owed for large blocks is made up
** for at the end of the turn.
**
** LuaJIT gives little of its memory back: what lies between things that live
** is the process's for good. So while things are made that stay for long, many
** of them (vm_collector_kept), cycles follow each other sooner, and are done
** sooner: the most that memory comes to is near to what lives then.
*/
#ifndef GREEN_COLLECTOR_H
#define GREEN_COLLECTOR_H

#include "runtime.h"

/* For states of our own: a guest's collector is its program's. From here on the
** pause is set anew in each cycle, but while one of the script's stands. */
void vm_collector_open(lua_State *L);

/* For those of others: look on, to know when a cycle was. */
void vm_collector_watch(lua_State *L);

/* Have no finalizer run. 1: none will; 0: none would. After 1 let it go on. */
int vm_collector_stop(lua_State *L);
void vm_collector_go_on(const vm *v, lua_State *L);

/* Go on with a cycle that has begun, as far as is owed for the large blocks of
** v's state. Never raises. */
void vm_collector_pay(vm *v);

/* Nobody makes large ones now: do a bit of a cycle, so that those that are dead
** go, where that is quickly done. 1: there is more to do. Never raises. */
int vm_collector_idle(vm *v);

/* Something was made that stays: a connection that may be idle for hours. */
static inline void vm_collector_kept(vm *v)
{
  v->kept++;
}

#endif
