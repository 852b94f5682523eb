/*
** scope.h: what the scopes of threads raise. greenc knows which scope is due;
** here is the Lua value that goes with it, found by the scope's id. Private to
** vm.
**
** A scope is opened with what it raises, or gets that when it is raised first;
** it keeps it until it is closed, or its thread ends.
*/
#ifndef GREEN_VM_SCOPE_H
#define GREEN_VM_SCOPE_H

#include "thread.h"

#include "hub/scope.h"

/* What a thread raises besides GREEN_RAISE_*: data.refusal. */
enum { VM_RAISE_REFUSED = GREEN_RAISE_THROW + 1 };

/* Open a scope innermost in t that raises the value at an index of L; 0: it has
** none yet. Raises when out of memory, and has done nothing then. */
green_scope *vm_scope_push(vm_thread *t, lua_State *L, int kind,
                           int64_t deadline, int index);

/* It raises the value at the top of L, which is popped; it had none. */
void vm_scope_set_error(lua_State *L, green_scope *s);

/* Push what it raises; nil: it has none yet. */
void vm_scope_push_error(lua_State *L, const green_scope *s);

/* Close it. Never raises. */
void vm_scope_pop(green_scope *s);

/* Close all of a thread's. Never raises. */
void vm_scope_pop_all(vm_thread *t);

/* The thread ends, and its scopes with it (green_task_end): what they raise is
** forgotten. Never raises. */
void vm_scope_forget(vm_thread *t);

/* Its thread has been told to raise it, and has not run since. */
int vm_scope_is_due(const green_scope *s);

#endif
