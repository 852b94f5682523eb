/*
** text.h: errors as texts, whatever they are and whatever the script has made
** of Lua's own functions. Private to vm.
*/
#ifndef GREEN_TEXT_H
#define GREEN_TEXT_H

#include <lua.h>

/* Put a text in the place of the value at the top. To be called protected. */
void vm_value_to_text(lua_State *L);

/* L's stack is a dead thread's userdata: push a text for the error that ended
** it: the library's own account when it is loaded, else message and traceback.
** To be called protected. */
void vm_push_text(lua_State *L);

/* Write the string at an index of L to standard error, behind what is queued
** there. Raises when out of memory. */
void vm_complain_of(lua_State *L, int index);

/* Write text to standard error, behind what is queued there. Never raises. */
void vm_complain(lua_State *L, const char *text);

#endif
