/*
** core.h: what the files of green.core share. Private to vm.
*/
#ifndef GREEN_CORE_H
#define GREEN_CORE_H

#include "bridge.h"

/* Every function of these tables gets the runtime as its upvalue. */
extern const luaL_Reg vm_wait_functions[];   /* core_wait.c */
extern const luaL_Reg vm_thread_functions[]; /* core_thread.c */
extern const luaL_Reg vm_http_functions[];   /* http.c */
extern const luaL_Reg vm_http_answer_functions[];

/* __gc of wait queues. */
int vm_waitq_gc(lua_State *L);

/* The address that a cdata pointer or a light userdata at index i holds. */
void *vm_pointer(lua_State *L, int i);

static inline vm *core_vm(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

static inline vm_thread *core_thread(lua_State *L, int i)
{
  vm_thread *t = lua_touserdata(L, i);
  if (!t || lua_type(L, i) != LUA_TUSERDATA || t->kind != VM_THREAD)
    luaL_typerror(L, i, "green thread");
  return t;
}

static inline vm_waitq *core_queue(lua_State *L, int i)
{
  vm_waitq *q = lua_touserdata(L, i);
  if (!q || lua_type(L, i) != LUA_TUSERDATA || q->kind != VM_WAITQ)
    luaL_typerror(L, i, "wait queue");
  return q;
}

#endif
