/*
** loans.h: long strings of Lua's that ZeroMQ sends from where they lie. Private
** to vm.
**
** Such a string is anchored until libzmq has let go of it. What is still out
** when the state is closed is left out of that: its block is freed later, by
** the thread that lets go of it.
*/
#ifndef GREEN_LOANS_H
#define GREEN_LOANS_H

#include "runtime.h"

#include "io/zmq_loan.h"

/* Can strings be lent? 0: copy them. What has come back is let go. Raises when
** out of memory; finalizers may run. libzmq is loaded. */
int vm_loans_open(vm *v, lua_State *L);

/* Have n that can be lent: 0, or GREEN_ENOMEM. */
int vm_loans_ready(vm *v, int n);

/* Anchor the string at the top of the stack, and pop it, as the i-th of them,
** from 0. Raises when out of memory; no finalizer runs. */
void vm_loans_anchor(const vm *v, lua_State *L, int i);

/* The first of those that are left. */
green_zmq_loan *vm_loans_give(vm *v, const char *p);

/* The state is being closed; its allocator is as it was given (blocks.h). */
void vm_loans_close(vm *v, lua_State *L);

#endif
