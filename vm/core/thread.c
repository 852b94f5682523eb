/*
** thread.c: green.core's functions about threads and what cancels them.
*/

#include "bridge.h"
#include "core/door.h"
#include "data.h"
#include "refusal.h"
#include "scope.h"
#include "site.h"

#include "hub/fd.h"

/* -- Threads -------------------------------------------------------------- */

static void check_callable(lua_State *L, const char *where, int i)
{
  if (!vm_is_callable(L, i)) vm_wrong(L, where, "fn must be a function", i);
}

/* thread = spawn(fn, ...) */
static int core_spawn(lua_State *L)
{
  check_callable(L, "spawn", 1);
  vm_thread *t = vm_thread_new(core_vm(L), L, lua_gettop(L) - 1, 0, 1);
  green_task_start(&t->task);
  return 1;
}

/* spawn_n(fn, ...): no handle, results are dropped. */
static int core_spawn_n(lua_State *L)
{
  check_callable(L, "spawn_n", 1);
  int n = lua_gettop(L) - 1;
  vm_thread *t = vm_thread_new(core_vm(L), L, n, VM_F_NOWAIT, 1);
  green_task_start(&t->task);
  return 0;
}

/* thread = make(level, is_local, fn, ...): not started. level counts from the
** caller (1) outwards and names the spawn site. */
static int core_make(lua_State *L)
{
  int level = (int)luaL_checkinteger(L, 1);
  int flags = lua_toboolean(L, 2) ? VM_F_LOCAL : 0;
  check_callable(L, "make", 3);
  vm_thread_new(core_vm(L), L, lua_gettop(L) - 3, flags, level);
  return 1;
}

/* start(thread, seconds or nil) */
static int core_start(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = core_thread(L, 1);
  if (lua_isnoneornil(L, 2)) {
    green_task_start(&t->task);
    return 0;
  }
  int64_t due = green_clock_after(green_hub_now(v->hub), lua_tonumber(L, 2));
  if (green_task_start_at(&t->task, due) == 0) return 0;
  vm_thread_drop(t);
  return luaL_error(L, "not enough memory");
}

/* retire(thread), which was not started: its deadlines are no future, so they
** do not keep a deadlock from being told. */
static int core_retire(lua_State *L)
{
  green_task_retire(&core_thread(L, 1)->task);
  return 0;
}

/* What only looks at threads is good after the end of the runtime, too. */
static vm *core_any_vm(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

static int core_current(lua_State *L)
{
  vm_push_thread(L, core_any_vm(L)->current);
  return 1;
}

/* thread = expose(thread): a script gets hold of it. */
static int core_expose(lua_State *L)
{
  core_thread(L, 1)->flags |= VM_F_KNOWN;
  lua_settop(L, 1);
  return 1;
}

/* coroutine = coroutine(thread): its own, which a script gets hold of; nil: it
** has none, or none any more. */
static int core_coroutine(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  if (!t->co) return 0;
  t->flags |= VM_F_KNOWN;
  luaL_checkstack(t->co, 1, NULL);
  lua_pushthread(t->co);
  if (t->co != L) lua_xmove(t->co, L, 1);
  return 1;
}

/* thread = expose_current(): of the running one. */
static int core_expose_current(lua_State *L)
{
  vm_thread *t = core_any_vm(L)->current;
  t->flags |= VM_F_KNOWN;
  vm_push_thread(L, t);
  return 1;
}

static int core_main(lua_State *L)
{
  vm_push_thread(L, core_any_vm(L)->main);
  return 1;
}

/* The thread of whoever calls from outside of the loop. */
static int core_host(lua_State *L)
{
  vm_push_thread(L, core_any_vm(L)->host);
  return 1;
}

/* "new" (spawned, has not run yet) "ready" "running" "parked"; when dead
** "returned" "raised" "killed". One that was abandoned with its runtime has no
** ending of its own. */
static int core_state(lua_State *L)
{
  static const char *const states[] = {"new", "ready", "running", "parked",
                                       "killed"};
  static const char *const endings[] = {"alive", "returned", "raised",
                                        "killed"};
  const vm_thread *t = core_thread(L, 1);
  int is_new = !(t->flags & VM_F_STARTED) && t->task.state != GREEN_TASK_DEAD;
  int state = is_new ? GREEN_TASK_NEW : t->task.state;
  lua_pushstring(L, t->ending ? endings[t->ending] : states[state]);
  return 1;
}

/* label(thread, name): what the watchdog calls it, which has no Lua at hand. */
static int core_label(lua_State *L)
{
  vm *v = lua_touserdata(L, lua_upvalueindex(1));
  vm_thread *t = core_thread(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  if (!v->ended) vm_label(v, L, t);
  return 0;
}

static int core_is_dead(lua_State *L)
{
  lua_pushboolean(L, core_thread(L, 1)->task.state == GREEN_TASK_DEAD);
  return 1;
}

/* The thread's own table; peek: nil if it has none. */
static int core_data(lua_State *L)
{
  core_thread(L, 1);
  vm_push_data(L, 1);
  return 1;
}

static int core_peek(lua_State *L)
{
  if (!(core_thread(L, 1)->flags & VM_F_DATA)) return 0;
  vm_push_data(L, 1);
  return 1;
}

/* The running thread's own table, or nil. */
static int core_own(lua_State *L)
{
  const vm_thread *t = core_vm(L)->current;
  if (!(t->flags & VM_F_DATA)) return 0;
  vm_push_thread(L, t);
  vm_push_data(L, -1);
  return 1;
}

/* set_context(value): the running thread's data.context, with which the threads
** begin that it spawns; nil: none. */
static int core_set_context(lua_State *L)
{
  vm_thread *t = core_vm(L)->current;
  lua_settop(L, 1);
  if (lua_isnil(L, 1) && !(t->flags & VM_F_CONTEXT)) return 0;
  vm_push_thread(L, t);
  lua_pushvalue(L, 1);
  vm_data_set(L, 2, "context");
  t->flags |= VM_F_CONTEXT;
  if (lua_isnil(L, 1)) t->flags &= ~(uint32_t)VM_F_CONTEXT;
  return 0;
}

static int core_site(lua_State *L)
{
  vm_push_site(L, core_thread(L, 1));
  return 1;
}

/* text = traceback(thread): of a live thread's coroutine. */
static int core_traceback(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  if (!t->co || t->task.state == GREEN_TASK_NEW) return 0;
  luaL_traceback(L, t == core_any_vm(L)->current ? L : t->co, NULL, 0);
  return 1;
}

/* The state whose stack is asked about: of a green thread, or a coroutine;
** NULL: it has none. */
static lua_State *frame_state(lua_State *L)
{
  if (lua_isthread(L, 1)) return lua_tothread(L, 1);
  const vm_thread *t = core_thread(L, 1);
  const vm *v = core_any_vm(L);
  if (t == v->current && L != v->L) return L;
  return t->task.state == GREEN_TASK_NEW ? NULL : t->co;
}

/* source, place, name, first = frame(thread or coroutine, level): the chunk
** that the function at that level is from, "file:line" where it stands, the
** name it was called by or nil, its first local (a method's self); nil: there
** is no such level. A function of C has the source "=[C]". */
static int core_frame(lua_State *L)
{
  lua_Debug ar;
  lua_State *at = frame_state(L);
  if (!at || !lua_getstack(at, (int)luaL_checkinteger(L, 2), &ar)) return 0;
  lua_getinfo(at, "Sln", &ar);
  lua_pushstring(L, ar.source);
  lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  lua_pushstring(L, ar.name); /* NULL: nil */
  if (*ar.what == 'C' || !lua_getlocal(at, &ar, 1)) return 3;
  if (at != L) lua_xmove(at, L, 1);
  return 4;
}

/* on_end is to be called when this thread dies. */
static int core_set_linked(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  if (lua_toboolean(L, 2))
    t->flags |= VM_F_LINKED;
  else
    t->flags &= ~(uint32_t)VM_F_LINKED;
  return 0;
}

/* why = silence(thread): why a dead one's table may lack its error: "memory",
** it did not fit; "killed", it may have ended without running; nil. */
static int core_silence(lua_State *L)
{
  const vm_thread *t = core_thread(L, 1);
  if (t->flags & VM_F_SPEECHLESS)
    lua_pushliteral(L, "memory");
  else if (t->ending == VM_KILLED || t->ending == VM_ALIVE)
    lua_pushliteral(L, "killed");
  else
    return 0;
  return 1;
}

/* set_exits(thread, is_held, is_heard): on_exit is to be called at its end,
** whatever that is. is_held: by what the thread itself does, which ends with a
** reset. is_heard: an error that ends it is not to be reported. */
static int core_set_exits(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  t->flags |= VM_F_EXITS;
  if (lua_toboolean(L, 2)) vm_touch(t);
  if (lua_toboolean(L, 3)) t->flags |= VM_F_HEARD;
  return 0;
}

/* ok = run(fn): as the main green thread of a run of its own, which the host
** begins. false: it raised, or the loop is busy. */
static int core_run(lua_State *L)
{
  vm *v = core_vm(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_thread *t = vm_thread_new(v, L, 0, VM_F_NOWAIT, 0);
  lua_pushboolean(L, vm_run_main(v, t) == 0);
  return 1;
}

/* threads(exposed): a list of all that live; without the host's own when the
** main chunk is a green thread itself. exposed: a script gets hold of them. */
static int core_threads(lua_State *L)
{
  green_hub *hub = core_vm(L)->hub;
  const uint32_t known = lua_toboolean(L, 1) ? VM_F_KNOWN : 0;
  int n = 0;
  lua_newtable(L);
  const vm *v = core_vm(L);
  const green_task *host = v->main == v->host ? NULL : &v->host->task;
  for (green_task *k = green_hub_first_task(hub); k;
       k = green_hub_next_task(hub, k)) {
    if (!vm_is_thread(v, k) || k == host) continue;
    green_container(k, vm_thread, task)->flags |= known;
    vm_push_thread(L, green_container(k, vm_thread, task));
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* thread = other(set): the oldest live one that is neither running, nor main,
** nor a key of the set; nil. */
static int core_other(lua_State *L)
{
  const vm *v = core_vm(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  for (green_task *k = green_hub_first_task(v->hub); k;
       k = green_hub_next_task(v->hub, k)) {
    const vm_thread *t = green_container(k, vm_thread, task);
    if (!vm_is_thread(v, k) || t == v->current || t == v->main || t == v->host)
      continue;
    vm_push_thread(L, t);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      return 1;
    }
    lua_pop(L, 2);
  }
  return 0;
}

/* -- Cancellation --------------------------------------------------------- */

/* status = kill(thread): the target runs first. Raises before any effect where
** it could not wait for that. Parks. */
static int core_kill(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = core_thread(L, 1), *me = v->current;
  if (t == me) green_task_kill(&t->task);
  if (me->task.cancel_pending) return vm_cancel(v, L);
  vm_check_wait(v, L);
  green_task_kill(&t->task);
  if (t->task.state == GREEN_TASK_READY) {
    green_task_hurry(&t->task);
    v->want = (vm_want){.kind = VM_WANT_YIELD_FIRST};
    return vm_wait(v, L);
  }
  lua_pushinteger(L, 0);
  return 1;
}

/* What is pending in the running thread may have changed; was: something was.
** The next checkpoint must look, or need not any more. */
static void core_sync(vm *v, int was)
{
  if (v->current->task.cancel_pending)
    v->turn.budget = 0;
  else if (was)
    v->turn.budget = GREEN_TURN_BUDGET;
}

static int core_kill_soon(lua_State *L)
{
  core_vm(L);
  green_task_kill(&core_thread(L, 1)->task);
  core_sync(core_vm(L), 0);
  return 0;
}

/* throw(thread): its data.thrown is raised once. */
static int core_throw(lua_State *L)
{
  core_vm(L);
  green_task_throw(&core_thread(L, 1)->task);
  core_sync(core_vm(L), 0);
  return 0;
}

/* drop(thread): never resume it again; dead with ending "killed". The
** descriptor that it waits to read or write is closed. */
static int core_drop(lua_State *L)
{
  const vm *v = core_vm(L);
  vm_thread *t = core_thread(L, 1);
  if (t->task.state == GREEN_TASK_DEAD || t == v->current) return 0;
  if (t == v->host) return 0; /* Its stack is C's. */
  if (t->task.place == GREEN_AT_READ || t->task.place == GREEN_AT_WRITE)
    green_fd_close(t->task.at.fd);
  vm_thread_drop(t);
  return 0;
}

/* id, is_own = scope_push(kind, seconds or nil, err or nil): innermost in the
** running thread; kind TIMEOUT, SHIELD, or CANCEL, which has no seconds. err:
** what it raises. is_own: as is_own says of the caller. */
static int core_scope_push(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = v->current;
  int64_t due = GREEN_NEVER;
  int was = t->task.cancel_pending;
  if (!lua_isnoneornil(L, 2))
    due = green_clock_after(green_hub_now(v->hub), lua_tonumber(L, 2));
  const green_scope *s = vm_scope_push(t, L, (int)lua_tointeger(L, 1), due,
                                       lua_isnoneornil(L, 3) ? 0 : 3);
  core_sync(v, was);
  vm_touch(t);
  lua_pushnumber(L, (lua_Number)s->id);
  lua_pushboolean(L, vm_is_own(v, L));
  return 2;
}

/* reset(): what the running thread was used for is over: what was left in it
** (Timeouts, locals) ends as it would with the thread. One that scripts know
** ends soon, and keeps its table, with its name and its links, for that. */
static int core_reset(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = v->current;
  int was = t->task.cancel_pending;
  if (!(t->flags & VM_F_TOUCHED)) return 0;
  vm_scope_pop_all(t);
  if (!(t->flags & VM_F_KNOWN)) {
    t->flags &= ~(uint32_t)(VM_F_DATA | VM_F_CONTEXT);
    t->task.label = 0;
    vm_untouch(t);
  }
  core_sync(v, was);
  return 0;
}

static green_scope *core_scope(lua_State *L)
{
  return green_scope_find(core_vm(L)->hub,
                          green_handle_of_number(luaL_checknumber(L, 1)));
}

/* fired, err, thread = scope_pop(id): nil if it was popped before. Of one that
** has fired: what it raises, if it has raised that or was opened with it; and
** its thread, if that is not the running one, was told to raise, and would find
** nothing to raise now. */
static int core_scope_pop(lua_State *L)
{
  vm *v = core_vm(L);
  green_scope *s = core_scope(L);
  int was = v->current->task.cancel_pending;
  if (!s) return 0;
  const vm_thread *t = green_container(s->task, vm_thread, task);
  int fired = s->fired, due = t != v->current && vm_scope_is_due(s);
  lua_pushboolean(L, fired);
  if (fired) vm_scope_push_error(L, s);
  vm_scope_pop(s);
  core_sync(v, was);
  if (!due || t->task.cancel_pending) return 1 + fired;
  vm_push_thread(L, t);
  return 3;
}

/* scope_error(id, err): what an open scope raises that was opened without. */
static int core_scope_error(lua_State *L)
{
  green_scope *s = core_scope(L);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (s) vm_scope_set_error(L, s);
  return 0;
}

static int core_scope_fire(lua_State *L)
{
  green_scope *s = core_scope(L);
  if (s) green_scope_fire(s);
  core_sync(core_vm(L), 0);
  return 0;
}

/* "pending", "fired", or nil: gone. */
static int core_scope_state(lua_State *L)
{
  const green_scope *s = core_scope(L);
  if (!s) return 0;
  lua_pushstring(L, s->fired ? "fired" : "pending");
  return 1;
}

const luaL_Reg vm_thread_functions[] = {
    {"spawn", core_spawn},
    {"spawn_n", core_spawn_n},
    {"make", core_make},
    {"start", core_start},
    {"retire", core_retire},
    {"current", core_current},
    {"expose", core_expose},
    {"expose_current", core_expose_current},
    {"coroutine", core_coroutine},
    {"main", core_main},
    {"host", core_host},
    {"run", core_run},
    {"state", core_state},
    {"is_dead", core_is_dead},
    {"data", core_data},
    {"peek", core_peek},
    {"own", core_own},
    {"set_context", core_set_context},
    {"site", core_site},
    {"label", core_label},
    {"traceback", core_traceback},
    {"frame", core_frame},
    {"set_linked", core_set_linked},
    {"silence", core_silence},
    {"set_exits", core_set_exits},
    {"threads", core_threads},
    {"other", core_other},
    {"kill", core_kill},
    {"kill_soon", core_kill_soon},
    {"throw", core_throw},
    {"drop", core_drop},
    {"reset", core_reset},
    {"scope_push", core_scope_push},
    {"scope_pop", core_scope_pop},
    {"scope_error", core_scope_error},
    {"scope_fire", core_scope_fire},
    {"scope_state", core_scope_state},
    {NULL, NULL},
};
