/*
** core.h: what the files of green.core share. Private to vm.
*/
#ifndef GREEN_CORE_H
#define GREEN_CORE_H

#include "bridge.h"

/* Every function of these tables gets the runtime as its upvalue. */
extern const luaL_Reg vm_wait_functions[];    /* core_wait.c */
extern const luaL_Reg vm_thread_functions[];  /* core_thread.c */
extern const luaL_Reg vm_role_functions[];    /* core_role.c */
extern const luaL_Reg vm_httpd_functions[];   /* http.c */
extern const luaL_Reg vm_answer_functions[];  /* answer.c */
extern const luaL_Reg vm_object_functions[];  /* core_object.c */
extern const luaL_Reg vm_process_functions[]; /* core_process.c */
extern const luaL_Reg vm_misuse_functions[];  /* misuse.c */

/* core.park's mode for a green_waitq of C's; the others are enum
** green_task_place. */
enum { VM_PARK_QUEUE = 9 };

/* __gc of wait queues. */
int vm_waitq_gc(lua_State *L);

/* Where a userdata at index i has its memory, or the address that a cdata
** pointer or a light userdata holds. */
void *vm_pointer(lua_State *L, int i);

/* Make the metatables of core.object's kinds. */
void vm_open_objects(lua_State *L, vm *v);

/* Push a new object of that kind; 0, or a negative error and nothing pushed. */
int vm_push_object(vm *v, lua_State *L, const char *kind, int a, int b);

/* Raise the string at the top of the stack, blamed on the first function that is
** not of the library. For functions of green.core, whose upvalue it needs. */
_Noreturn void vm_misuse(lua_State *L);

/* Raise "where: what, not <the value at index i>", likewise. */
_Noreturn void vm_wrong(lua_State *L, const char *where, const char *what,
                        int i);

/* Is the value at index i a function, or something with __call? */
int vm_is_callable(lua_State *L, int i);

/* Push what a value is, for a message: a string in quotes, a number, "a table". */
void vm_push_shown(lua_State *L, int i);

/* The runtime; raises when it has ended. Every function asks here first. */
static inline vm *core_vm(lua_State *L)
{
  vm *v = lua_touserdata(L, lua_upvalueindex(1));
  if (green_unlikely(v->ended)) {
    lua_pushliteral(L, "the runtime has ended");
    vm_misuse(L);
  }
  return v;
}

/* The thread at index i, NULL when there is something else. */
static inline vm_thread *vm_to_thread(lua_State *L, int i)
{
  vm_thread *t = lua_touserdata(L, i);
  if (!t || lua_type(L, i) != LUA_TUSERDATA || lua_objlen(L, i) < sizeof(*t))
    return NULL;
  return t->kind == VM_THREAD ? t : NULL;
}

static inline vm_thread *core_thread(lua_State *L, int i)
{
  vm_thread *t = vm_to_thread(L, i);
  if (green_unlikely(!t))
    vm_wrong(L, "green.thread", "a green thread expected", i);
  return t;
}

static inline vm_waitq *core_queue(lua_State *L, int i)
{
  vm_waitq *q = lua_touserdata(L, i);
  if (!q || lua_type(L, i) != LUA_TUSERDATA || lua_objlen(L, i) < sizeof(*q) ||
      q->kind != VM_WAITQ)
    vm_wrong(L, "green.core", "a wait queue expected", i);
  return q;
}

#endif
