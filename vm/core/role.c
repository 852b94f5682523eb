/*
** role.c: takes the functions that the Lua library has for C to call: at the
** end of a thread or of the program, at a deadlock, for a word on standard
** error.
**
** They are kept in the registry and not looked up by a name: the script
** may have put anything there.
*/

#include "core/door.h"
#include "text.h"
#include "trace.h"

/* complain(text): to standard error, whatever has become of io. Good after the
** end of the runtime, too. */
static int role_complain(lua_State *L)
{
  luaL_checkstring(L, 1);
  vm_complain_of(L, 1);
  return 0;
}

/* -- Roles ---------------------------------------------------------------- */

static int set_role(lua_State *L, enum vm_key role)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_set_key(L, role);
  return 0;
}

/* on_exit(function(thread)), which must not park. */
static int role_on_exit(lua_State *L)
{
  return set_role(L, VM_KEY_ON_EXIT);
}

/* on_end(function(thread, report)) */
static int role_on_end(lua_State *L)
{
  return set_role(L, VM_KEY_ON_END);
}

/* on_ending(function(can_run)): called when the program has ended, may give a
** function that is to be run as main then. */
static int role_on_ending(lua_State *L)
{
  return set_role(L, VM_KEY_ON_ENDING);
}

/* on_describe(text = function(thread)): of the error that ended it. */
static int role_on_describe(lua_State *L)
{
  return set_role(L, VM_KEY_DESCRIBE);
}

/* tell_rest(): before the process ends. */
static int role_tell_rest(lua_State *L)
{
  vm_tell_rest(core_vm(L));
  vm_trace_flush(core_vm(L));
  return 0;
}

/* on_deadlock(function()), before main is told; it must not park. */
static int role_on_deadlock(lua_State *L)
{
  return set_role(L, VM_KEY_DEADLOCK);
}

/* on_raise(function()): raises what is pending in the running thread. */
static int role_on_raise(lua_State *L)
{
  return set_role(L, VM_KEY_RAISE);
}

/* on_complain(function(text)) */
static int role_on_complain(lua_State *L)
{
  return set_role(L, VM_KEY_COMPLAIN);
}

/* on_leave(function(status)): ends the process. */
static int role_on_leave(lua_State *L)
{
  return set_role(L, VM_KEY_LEAVE);
}

const luaL_Reg vm_role_functions[] = {
    {"on_end", role_on_end},
    {"on_exit", role_on_exit},
    {"on_describe", role_on_describe},
    {"on_raise", role_on_raise},
    {"on_complain", role_on_complain},
    {"on_leave", role_on_leave},
    {"on_ending", role_on_ending},
    {"on_deadlock", role_on_deadlock},
    {"complain", role_complain},
    {"tell_rest", role_tell_rest},
    {NULL, NULL},
};
