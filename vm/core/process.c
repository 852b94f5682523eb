/*
** process.c: green.core's functions about processes: fork, a child's end,
** signals.
*/

#include "core/door.h"
#include "scope.h"
#include "trace.h"

#include "io/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is pending in the caller, and its scopes, are the parent's. */
static void pardon(vm_thread *t)
{
  vm_scope_pop_all(t);
  green_task_pardon(&t->task);
  t->vm->turn.budget = GREEN_TURN_BUDGET;
}

/* pid = fork(inherit); nil, error code. 0 in the child, in which only the
** running thread goes on, or with inherit all do. Signals wait until the child
** has a hub of its own: none that is sent to it is lost. */
static int core_fork(lua_State *L)
{
  vm *v = core_vm(L);
  sigset_t all, old;
  fflush(NULL); /* What C's stdio holds is written once. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  green_hub_set_inherit(v->hub, lua_toboolean(L, 1));
  pid_t pid = fork();
  int err = errno;
  if (pid == 0) vm_check_fork(v);
  if (pid == 0) pardon(v->current);
  if (pid == 0) vm_trace_pardon(v);
  green_hub_set_inherit(v->hub, 0);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (pid >= 0) {
    lua_pushinteger(L, pid);
    return 1;
  }
  lua_pushnil(L);
  lua_pushinteger(L, -err);
  return 2;
}

/* how, number = reap(pid): "exit" and its status, or "signal" and the signal's
** number; nil while it runs; nil, error code. */
static int core_reap(lua_State *L)
{
  int status = 0;
  core_vm(L);
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  pid_t r = waitpid(pid, &status, WNOHANG);
  int err = errno;
  if (r > 0) {
    int is_exit = WIFEXITED(status);
    lua_pushstring(L, is_exit ? "exit" : "signal");
    lua_pushinteger(L, is_exit ? WEXITSTATUS(status) : WTERMSIG(status));
    return 2;
  }
  lua_pushnil(L);
  if (r == 0) return 1;
  lua_pushinteger(L, -err);
  return 2;
}

/* code = signal(pid, number) */
static int core_signal(lua_State *L)
{
  core_vm(L);
  int r = kill((pid_t)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2));
  lua_pushinteger(L, r < 0 ? -errno : 0);
  return 1;
}

/* -- Children of core.object ---------------------------------------------- */

/* Nobody need have it any more. */
static void child_on_end(green_child *c)
{
  const vm *v = c->owner;
  vm_push_key(v->L, VM_KEY_CHILDREN);
  lua_pushlightuserdata(v->L, c);
  lua_pushnil(v->L);
  lua_rawset(v->L, -3);
  lua_pop(v->L, 1);
}

/* code = spawn_child(child, plan): green_child_spawn. Until it has ended it is
** not collected: somebody has to reap it. */
static int core_spawn_child(lua_State *L)
{
  vm *v = core_vm(L);
  green_child *c = vm_pointer(L, 1);
  const green_child_plan *plan = vm_pointer(L, 2);
  vm_check_fork(v);
  vm_push_key(L, VM_KEY_CHILDREN);
  lua_pushlightuserdata(L, c);
  lua_pushvalue(L, 1);
  lua_rawset(L, -3); /* Before: it may fail. */
  c->owner = v;
  c->on_end = child_on_end;
  int err = green_child_spawn(c, plan);
  if (err < 0) child_on_end(c);
  lua_pushinteger(L, err);
  return 1;
}

static int core_getpid(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, getpid());
  return 1;
}

const luaL_Reg vm_process_functions[] = {
    {"fork", core_fork},     {"reap", core_reap},
    {"signal", core_signal}, {"spawn_child", core_spawn_child},
    {"getpid", core_getpid}, {NULL, NULL},
};
