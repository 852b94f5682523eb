/*
** data.h: the table that a green thread has of its own, core.data(thread).
** Private to vm.
**
** All its fields stand, with a line each, in lualib/green/thread/data.lua; C
** writes those of the thread's end: results, error, error_is_nil, traceback,
** and tells.
*/
#ifndef GREEN_DATA_H
#define GREEN_DATA_H

#include "thread.h"

/* Push the table of the thread whose userdata is at an index of L; it is made
** if there is none. Raises when out of memory. */
void vm_push_data(lua_State *L, int index);

/* Set a field to the value at the top of L, which is popped. ud: index of the
** thread's userdata, positive. Raises when out of memory. */
void vm_data_set(lua_State *L, int ud, const char *name);

/* Push a field; nil, if there is no table. No metamethods. */
void vm_data_get(lua_State *L, int ud, const char *name);

/* Keep the results, or the error, that lie on co, which ended with this result
** of lua_resume. They stay there: this may be tried twice. What ending that is.
** Raises when out of memory. */
enum vm_ending vm_data_keep(lua_State *L, int ud, lua_State *co, int r);

/* Push what was kept: the results, or the error. How many values that are. */
int vm_data_push_outcome(lua_State *L, int ud);

#endif
