/*
** door.h: what the doors share: how they find their runtime and take arguments.
** Private to vm.
**
** A door is a C function of green.core, which the Lua library calls; it has the
** runtime as its upvalue. One that does not say otherwise raises when the
** runtime has ended.
*/
#ifndef GREEN_DOOR_H
#define GREEN_DOOR_H

#include "core/misuse.h"
#include "parcel.h"
#include "thread.h"

/* The doors of each file, for core.c's list. */
extern const luaL_Reg vm_wait_functions[];
extern const luaL_Reg vm_thread_functions[];
extern const luaL_Reg vm_look_functions[]; /* look.c */
extern const luaL_Reg vm_role_functions[];
extern const luaL_Reg vm_httpd_functions[];  /* httpd.c */
extern const luaL_Reg vm_answer_functions[]; /* answer.c */
extern const luaL_Reg vm_env_functions[];    /* env.c */
extern const luaL_Reg vm_relay_functions[];  /* relay.c */
extern const luaL_Reg vm_ws_functions[];     /* ws.c */
extern const luaL_Reg vm_resp_functions[];   /* resp.c */
extern const luaL_Reg vm_file_functions[];   /* file.c */
extern const luaL_Reg vm_gather_functions[]; /* gather.c */
extern const luaL_Reg vm_native_functions[]; /* native.c */
extern const luaL_Reg vm_object_functions[];
extern const luaL_Reg vm_process_functions[];
extern const luaL_Reg vm_misuse_functions[];
extern const luaL_Reg vm_parcel_functions[];  /* parcel.c */
extern const luaL_Reg vm_call_functions[];    /* call.c */
extern const luaL_Reg vm_channel_functions[]; /* channel.c */
extern const luaL_Reg vm_share_functions[];   /* share.c */
extern const luaL_Reg vm_zmq_functions[];     /* zmq.c */
extern const luaL_Reg vm_measure_functions[]; /* measure.c */
extern const luaL_Reg vm_stall_functions[];   /* stall.c */
extern const luaL_Reg vm_trace_functions[];   /* trace.c */
extern const luaL_Reg vm_profile_functions[]; /* profile.c */

/* Make the metatables of core.object's kinds (object.c), */
void vm_open_objects(lua_State *L, vm *v);

/* and let some of them cross to other states: those of one kind, whose carrier
** that is (object.c), */
void vm_carry_objects(lua_State *L, const char *name,
                      const vm_carrier *carrier);
void vm_open_channels(lua_State *L); /* channel.c */
void vm_open_shares(lua_State *L);   /* share.c */

/* Push a new object of that kind: 0; or a code, and nothing is pushed. Raises
** when out of memory. */
int vm_push_object(vm *v, lua_State *L, const char *name, int a, int b);

/* Close the object at index i, as its finalizer would. Idempotent. */
void vm_close_object(vm *v, lua_State *L, int i);
/* What resp_take calls protected (resp.c). */
void vm_resp_open(lua_State *L);

/* The number of the file of Lua's at index i, -1 when it was closed. Raises
** when there is something else (file.c). */
int vm_file_number(lua_State *L, int i);

/* __gc of wait queues (wait.c). */
int vm_waitq_gc(lua_State *L);

/* The runtime; raises when it has ended: what a door asks first. */
static inline vm *core_vm(lua_State *L)
{
  vm *v = lua_touserdata(L, lua_upvalueindex(1));
  if (green_unlikely(v->ended)) {
    lua_pushliteral(L, "the runtime has ended");
    vm_misuse(L);
  }
  return v;
}

/* Where a userdata at index i has its memory, or the address that a cdata
** pointer or a light userdata holds. Raises when there is something else. */
static inline void *vm_pointer(lua_State *L, int i)
{
  int type = lua_type(L, i);
  if (type == LUA_TLIGHTUSERDATA || type == LUA_TUSERDATA)
    return lua_touserdata(L, i);
  if (type <= LUA_TTHREAD) luaL_typerror(L, i, "pointer");
  return *(void *const *)lua_topointer(L, i); /* What a cdata pointer holds. */
}

/* The thread at index i, NULL when there is something else. */
static inline vm_thread *vm_to_thread(lua_State *L, int i)
{
  vm_thread *t = lua_touserdata(L, i);
  if (!t || lua_type(L, i) != LUA_TUSERDATA || lua_objlen(L, i) < sizeof(*t))
    return NULL;
  return t->kind == VM_THREAD ? t : NULL;
}

/* The same; raises when there is something else. */
static inline vm_thread *core_thread(lua_State *L, int i)
{
  vm_thread *t = vm_to_thread(L, i);
  if (green_unlikely(!t))
    vm_wrong(L, "green.thread", "a green thread expected", i);
  return t;
}

#endif
