/*
** interrupt.h: Ctrl-C while the main chunk of a program that is not ours waits.
** Private to vm.
**
** A program like luajit catches SIGINT with a handler that sets a hook, which
** raises in whoever runs Lua next. While its main chunk waits that is nobody,
** or a green thread that has nothing to do with it. So during such waits its
** handler is called by one of ours, which ends the wait and keeps the hook for
** the main chunk. Only a thread that does not come back to the loop for a tenth
** of a second is interrupted in its place. Where SIGINT has no handler, or one
** that sets no hook, nothing changes.
*/
#ifndef GREEN_INTERRUPT_H
#define GREEN_INTERRUPT_H

#include "runtime.h"

/* Around the loop's run in place of the main chunk, which wants what v->want
** says. begin raises what came since the last step of Lua, and nothing has
** begun then; end: what came meanwhile is raised by L's next step. */
void vm_interrupt_begin(vm *v, lua_State *L);
void vm_interrupt_end(vm *v, lua_State *L);

/* The state is being closed: nothing of it is left with the process. */
void vm_interrupt_forget(vm *v);

#endif
