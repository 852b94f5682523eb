/*
** collector.h: how long Lua's garbage collector rests. Private to vm.
**
** A cycle of the collector looks at all that lives, and sweeps all there is. By
** Lua's default the next one begins when memory has doubled, which for a small
** server means one for a few thousand requests. Memory that is small may grow
** to four times of what lives; what is added by that is bounded.
*/
#ifndef GREEN_COLLECTOR_H
#define GREEN_COLLECTOR_H

#include <lua.h>

/* For states of our own: a guest's collector is its program's. From here on the
** pause is set anew in each cycle, but while one of the script's stands. */
void vm_collector_open(lua_State *L);

#endif
