/*
** refusal.h: where a wait is refused, and in what words. Private to vm.
**
** A coroutine that greenlua did not resume, or below which C stands
** (string.gsub, a finalizer), cannot give its turn away and come back.
*/
#ifndef GREEN_REFUSAL_H
#define GREEN_REFUSAL_H

#include "thread.h"

/* May vm_wait be called here, or would it raise? */
int vm_can_wait(vm *v, lua_State *L);

/* 1: it would; the message is pushed. 0: it may be called. */
int vm_push_refusal(vm *v, lua_State *L);

/* Raise it, if it would. */
void vm_check_wait(vm *v, lua_State *L);

/* Remember the functions of Lua's that call back, as they are now. */
void vm_open_blockers(lua_State *L);

#endif
