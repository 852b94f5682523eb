/*
** core.c: green.core, the lua_CFunctions behind the Lua library.
**
** Not a public interface: arguments are checked only as far as a mistake in
** lualib must not crash. Waiting functions return a status first: 0, or a
** negative GREEN_E*; GREEN_ECANCELED means "call green.thread's raise".
*/

#include "bridge.h"
#include "bundle.h"
#include "http.h"

#include <string.h>

/* core.park(p, deadline, mode): what the pointer p leads to. */
enum { PARK_QUEUE = 3 };

static vm *core_vm(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

static vm_thread *core_thread(lua_State *L, int i)
{
  vm_thread *t = lua_touserdata(L, i);
  if (!t || lua_type(L, i) != LUA_TUSERDATA || t->kind != VM_THREAD)
    luaL_typerror(L, i, "green thread");
  return t;
}

static vm_waitq *core_queue(lua_State *L, int i)
{
  vm_waitq *q = lua_touserdata(L, i);
  if (!q || lua_type(L, i) != LUA_TUSERDATA || q->kind != VM_WAITQ)
    luaL_typerror(L, i, "wait queue");
  return q;
}

/* An absolute deadline in seconds of core.now, nil: never. */
static int64_t core_deadline(lua_State *L, int i)
{
  if (lua_isnoneornil(L, i)) return GREEN_NEVER;
  return green_clock_after(0, lua_tonumber(L, i));
}

/* -- Waiting -------------------------------------------------------------- */

void *vm_pointer(lua_State *L, int i)
{
  const void *p = lua_topointer(L, i);
  if (lua_type(L, i) == LUA_TLIGHTUSERDATA) return lua_touserdata(L, i);
  if (!p || lua_type(L, i) <= LUA_TTHREAD) luaL_typerror(L, i, "pointer");
  return *(void *const *)p; /* What a cdata pointer holds. */
}

static void core_want(lua_State *L, vm_want *w)
{
  w->kind = VM_WANT_QUEUE;
  w->ptr = NULL;
  w->no_cancel = 0;
  w->mode = (int)lua_tointeger(L, 3);
  w->deadline = core_deadline(L, 2);
  if (w->mode) {
    w->ptr = vm_pointer(L, 1);
    if (w->mode != PARK_QUEUE) w->kind = VM_WANT_FD;
  } else if (!lua_isnil(L, 1)) {
    const uint32_t *kind = lua_touserdata(L, 1);
    if (kind && *kind == VM_THREAD)
      w->ptr = &core_thread(L, 1)->task.joiners;
    else
      w->ptr = &core_queue(L, 1)->q;
  }
}

/* status, ... = park(what, deadline, mode). what: nil, a wait queue, a thread
** (its end), or with a mode a cdata pointer: 1 or 2 an object that begins with
** a green_fd, for reading or writing; 3 a green_waitq. Parks. */
static int core_park(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  core_want(L, &v->want);
  return vm_wait(v, L);
}

/* status = sleep(seconds): more than 0. Parks. */
static int core_sleep(lua_State *L)
{
  vm *v = core_vm(L);
  double s = lua_tonumber(L, 1);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  v->want.no_cancel = 0;
  v->want.kind = VM_WANT_QUEUE;
  v->want.ptr = NULL;
  v->want.deadline = green_clock_after(green_hub_now(v->hub), s);
  return vm_wait(v, L);
}

/* status = yield(): a turn for the others, after which nothing is returned when
** all is well. Parks. */
static int core_yield(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  v->want.no_cancel = 0;
  v->want.kind = VM_WANT_YIELD;
  return vm_wait(v, L);
}

/* status = check(): the checkpoint whose budget is used up. */
static int core_check(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  v->turn.budget = GREEN_TURN_BUDGET;
  if (vm_can_wait(v, L)) {
    v->want = (vm_want){.kind = VM_WANT_YIELD};
    return vm_wait(v, L);
  }
  lua_pushinteger(L, 0);
  return 1;
}

/* status, ... = relay(): a coroutine yielded the sentinel: pass the wait on to
** the level above. ECANCELED, text: that level cannot wait; to be raised inside
** of the coroutine. */
static int core_relay(lua_State *L)
{
  vm *v = core_vm(L);
  if (!vm_can_wait(v, L)) {
    lua_pushinteger(L, GREEN_ECANCELED);
    vm_push_refusal(v, L);
    return 2;
  }
  return vm_wait(v, L);
}

/* kind, id, count = raise(): what is to be raised: kind as enum green_raise,
** the scope's id, how many raises in a row this is. */
static int core_raise(lua_State *L)
{
  green_task *t = &core_vm(L)->current->task;
  int kind = green_task_raise(t);
  lua_pushinteger(L, kind);
  lua_pushnumber(L, t->pending ? (lua_Number)t->pending->id : 0);
  lua_pushinteger(L, t->raises);
  core_vm(L)->turn.budget = t->cancel_pending ? 0 : GREEN_TURN_BUDGET;
  return 3;
}

/* -- Waking --------------------------------------------------------------- */

static void wake_push(lua_State *L, green_task *task, int first, int n)
{
  vm_thread *t = green_container(task, vm_thread, task);
  if (!lua_checkstack(t->co, n + 1)) luaL_error(L, "too many values");
  lua_pushinteger(t->co, task->status);
  for (int i = 0; i < n; i++) lua_pushvalue(L, first + i);
  lua_xmove(L, t->co, n);
  t->nargs = (int16_t)(n + 1);
}

/* woken = wake(queue, ...): the first waiter's park returns 0, ... */
static int core_wake(lua_State *L)
{
  green_task *task = green_waitq_first(&core_queue(L, 1)->q);
  if (task && green_task_wake(task, 0) && lua_gettop(L) > 1)
    wake_push(L, task, 2, lua_gettop(L) - 1);
  lua_pushboolean(L, task != NULL);
  return 1;
}

/* n = wake_all(queue, ...) */
static int core_wake_all(lua_State *L)
{
  green_waitq *q = &core_queue(L, 1)->q;
  green_task *task;
  int n = 0, top = lua_gettop(L);
  while ((task = green_waitq_first(q)) != NULL) {
    green_task_wake(task, 0);
    if (top > 1) wake_push(L, task, 2, top - 1);
    n++;
  }
  lua_pushinteger(L, n);
  return 1;
}

/* n = wake_cdata(pointer to a green_waitq): all of them. */
static int core_wake_cdata(lua_State *L)
{
  lua_pushinteger(L, green_waitq_wake_all(vm_pointer(L, 1), 0));
  return 1;
}

/* woken = wake_thread(thread, status, ...): decide its wait, whatever it is. */
static int core_wake_thread(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  int woken = green_task_wake(&t->task, (int)luaL_checkinteger(L, 2));
  if (woken && lua_gettop(L) > 2) wake_push(L, &t->task, 3, lua_gettop(L) - 2);
  lua_pushboolean(L, woken);
  return 1;
}

/* Nobody holds it any more, but a thread may still stand in it, its only
** reference a dead stack slot: let the links close without the head. */
static int core_waitq_gc(lua_State *L)
{
  vm_waitq *q = lua_touserdata(L, 1);
  green_link_remove(&q->q.tasks);
  return 0;
}

static int core_waitq(lua_State *L)
{
  vm_waitq *q = lua_newuserdata(L, sizeof(*q));
  q->kind = VM_WAITQ;
  green_waitq_init(&q->q);
  vm_push_key(L, VM_KEY_WAITQ_MT);
  lua_setmetatable(L, -2);
  return 1;
}

/* n = waiting(queue) */
static int core_waiting(lua_State *L)
{
  const green_list *l = &core_queue(L, 1)->q.tasks;
  int n = 0;
  for (const green_link *k = l->next; k != l; k = k->next) n++;
  lua_pushinteger(L, n);
  return 1;
}

/* -- Threads -------------------------------------------------------------- */

/* thread = spawn(fn, ...) */
static int core_spawn(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  vm_thread *t = vm_thread_new(core_vm(L), L, lua_gettop(L) - 1, 0, 1);
  green_task_start(&t->task);
  return 1;
}

/* spawn_n(fn, ...): no handle, results are dropped. */
static int core_spawn_n(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
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
  luaL_checktype(L, 3, LUA_TFUNCTION);
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
  if (green_task_start_at(&t->task, due) < 0) return luaL_error(L, "no memory");
  return 0;
}

static int core_current(lua_State *L)
{
  vm_push_thread(L, core_vm(L)->current);
  return 1;
}

static int core_main(lua_State *L)
{
  vm_push_thread(L, core_vm(L)->main);
  return 1;
}

/* "new" (spawned, has not run yet) "ready" "running" "parked"; when dead
** "returned" "raised" "killed". */
static int core_state(lua_State *L)
{
  static const char *const states[] = {"new", "ready", "running", "parked"};
  static const char *const endings[] = {"alive", "returned", "raised",
                                        "killed"};
  const vm_thread *t = core_thread(L, 1);
  int state = t->flags & VM_F_STARTED ? t->task.state : GREEN_TASK_NEW;
  lua_pushstring(L, t->ending ? endings[t->ending] : states[state]);
  return 1;
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
  luaL_traceback(L, t == core_vm(L)->current ? L : t->co, NULL, 0);
  return 1;
}

/* on_end is to be called when this thread dies. */
static int core_set_linked(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  if (lua_toboolean(L, 2))
    t->flags |= VM_F_LINKED;
  else
    t->flags &= (uint8_t)~VM_F_LINKED;
  return 0;
}

/* on_end(function(thread, report)) */
static int core_on_end(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_set_key(L, VM_KEY_ON_END);
  return 0;
}

/* threads(): a list of all that live; without the host's own when the main
** chunk is a green thread itself. */
static int core_threads(lua_State *L)
{
  green_hub *hub = core_vm(L)->hub;
  int n = 0;
  lua_newtable(L);
  const vm *v = core_vm(L);
  const green_task *host = v->main == v->host ? NULL : &v->host->task;
  for (green_task *k = green_hub_first_task(hub); k;
       k = green_hub_next_task(hub, k)) {
    if (!vm_is_thread(k) || k == host) continue;
    vm_push_thread(L, green_container(k, vm_thread, task));
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* -- Cancellation --------------------------------------------------------- */

/* status = kill(thread): the target runs first. Parks. */
static int core_kill(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = core_thread(L, 1), *me = v->current;
  if (t == me) green_task_kill(&t->task);
  if (me->task.cancel_pending) return vm_cancel(v, L);
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
  green_task_kill(&core_thread(L, 1)->task);
  core_sync(core_vm(L), 0);
  return 0;
}

/* throw(thread): its data.thrown is raised once. */
static int core_throw(lua_State *L)
{
  green_task_throw(&core_thread(L, 1)->task);
  core_sync(core_vm(L), 0);
  return 0;
}

/* drop(thread): never resume it again; dead with ending "killed". What it
** waits for on a descriptor is closed. */
static int core_drop(lua_State *L)
{
  vm_thread *t = core_thread(L, 1);
  if (t->task.state == GREEN_TASK_DEAD || t == core_vm(L)->current) return 0;
  if (t == core_vm(L)->host) return 0; /* Its stack is C's. */
  if (t->task.fd) green_fd_close(t->task.fd);
  vm_thread_drop(t, L);
  return 0;
}

/* id = scope_push(kind, seconds or nil, thread or nil): kind 0 a timeout, 1 a
** shield; innermost in the thread (default: the running one). */
static int core_scope_push(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = lua_isnoneornil(L, 3) ? v->current : core_thread(L, 3);
  int64_t due = GREEN_NEVER;
  int was = v->current->task.cancel_pending;
  if (!lua_isnoneornil(L, 2))
    due = green_clock_after(green_hub_now(v->hub), lua_tonumber(L, 2));
  green_scope *s = green_scope_push(&t->task, (int)lua_tointeger(L, 1), due);
  if (!s) return luaL_error(L, "out of memory");
  core_sync(v, was);
  v->turn.touched = 1;
  lua_pushnumber(L, (lua_Number)s->id);
  return 1;
}

/* reset(): the running thread is used again for something new: what was left
** in it (Timeouts, locals) ends as it would with the thread. */
static int core_reset(lua_State *L)
{
  vm *v = core_vm(L);
  vm_thread *t = v->current;
  green_link *k;
  int was = t->task.cancel_pending;
  while ((k = green_list_first(&t->task.scopes)) != NULL)
    green_scope_pop(green_container(k, green_scope, link));
  t->flags &= (uint8_t)~VM_F_DATA;
  v->turn.touched = 0;
  core_sync(v, was);
  return 0;
}

static green_scope *core_scope(lua_State *L)
{
  return green_scope_find(core_vm(L)->hub, (uint64_t)luaL_checknumber(L, 1));
}

/* fired = scope_pop(id): nil if it was popped before. */
static int core_scope_pop(lua_State *L)
{
  vm *v = core_vm(L);
  green_scope *s = core_scope(L);
  int was = v->current->task.cancel_pending;
  if (!s) return 0;
  lua_pushboolean(L, s->fired);
  green_scope_pop(s);
  core_sync(v, was);
  return 1;
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

/* -- Hub ------------------------------------------------------------------ */

static int core_now(lua_State *L)
{
  lua_pushnumber(L, (lua_Number)green_hub_now(core_vm(L)->hub) * 1e-9);
  return 1;
}

/* 0 or an error code */
static int core_use_hub(lua_State *L)
{
  const char *name = luaL_optstring(L, 1, NULL);
  lua_pushinteger(L, green_hub_use(core_vm(L)->hub, name));
  return 1;
}

static int core_backend(lua_State *L)
{
  lua_pushstring(L, green_hub_backend(core_vm(L)->hub));
  return 1;
}

static int core_set_virtual(lua_State *L)
{
  int on = lua_toboolean(L, 1);
  lua_pushinteger(L, green_hub_set_virtual(core_vm(L)->hub, on));
  return 1;
}

static int core_advance(lua_State *L)
{
  green_hub_advance(core_vm(L)->hub, (int64_t)(luaL_checknumber(L, 1) * 1e9));
  return 0;
}

static int core_hold(lua_State *L)
{
  if (lua_toboolean(L, 1))
    green_hub_hold(core_vm(L)->hub);
  else
    green_hub_unhold(core_vm(L)->hub);
  return 0;
}

static int core_stats(lua_State *L)
{
  const vm *v = core_vm(L);
  /* The host is no thread of the script's when main is one. */
  const uint32_t hosts = v->main != v->host;
  green_hub_stats s;
  green_hub_stats_get(v->hub, &s);
  const struct {
    const char *name;
    double value;
  } fields[] = {{"turns", (double)s.turns},  {"switches", (double)s.switches},
                {"threads", s.live - hosts}, {"ready", s.ready},
                {"timers", s.timers},        {"fds", s.fds},
                {"waits", s.waits}};
  lua_createtable(L, 0, 7);
  for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
    lua_pushnumber(L, fields[i].value);
    lua_setfield(L, -2, fields[i].name);
  }
  return 1;
}

/* -- The door for FFI ----------------------------------------------------- */

/* The address of a noun's table of functions, nil if there is none. */
static int core_api(lua_State *L)
{
  const void *table = green__ffi_table(luaL_checkstring(L, 1));
  if (!table) return 0;
  lua_pushlightuserdata(L, (void *)table);
  return 1;
}

static int core_turn(lua_State *L)
{
  lua_pushlightuserdata(L, &core_vm(L)->turn);
  return 1;
}

static int core_hub(lua_State *L)
{
  lua_pushlightuserdata(L, core_vm(L)->hub);
  return 1;
}

static int core_errtext(lua_State *L)
{
  int code = (int)luaL_checkinteger(L, 1);
  lua_pushstring(L, green_err_name(code));
  lua_pushstring(L, green_err_text(code));
  return 2;
}

static void core_set_codes(lua_State *L)
{
  lua_newtable(L);
#define X(name, number, text) \
  lua_pushinteger(L, number); \
  lua_setfield(L, -2, #name);
  GREEN_ERR_MAP(X)
#undef X
  lua_setfield(L, -2, "codes");
}

static const luaL_Reg core_functions[] = {
    {"park", core_park},
    {"sleep", core_sleep},
    {"yield", core_yield},
    {"check", core_check},
    {"relay", core_relay},
    {"raise", core_raise},
    {"wake", core_wake},
    {"wake_all", core_wake_all},
    {"wake_cdata", core_wake_cdata},
    {"wake_thread", core_wake_thread},
    {"waitq", core_waitq},
    {"waiting", core_waiting},
    {"spawn", core_spawn},
    {"spawn_n", core_spawn_n},
    {"make", core_make},
    {"start", core_start},
    {"current", core_current},
    {"main", core_main},
    {"state", core_state},
    {"is_dead", core_is_dead},
    {"data", core_data},
    {"peek", core_peek},
    {"site", core_site},
    {"traceback", core_traceback},
    {"set_linked", core_set_linked},
    {"on_end", core_on_end},
    {"threads", core_threads},
    {"kill", core_kill},
    {"kill_soon", core_kill_soon},
    {"throw", core_throw},
    {"drop", core_drop},
    {"reset", core_reset},
    {"scope_push", core_scope_push},
    {"scope_pop", core_scope_pop},
    {"scope_fire", core_scope_fire},
    {"scope_state", core_scope_state},
    {"now", core_now},
    {"use_hub", core_use_hub},
    {"backend", core_backend},
    {"set_virtual", core_set_virtual},
    {"advance", core_advance},
    {"hold", core_hold},
    {"stats", core_stats},
    {"api", core_api},
    {"turn", core_turn},
    {"hub", core_hub},
    {"errtext", core_errtext},
    {NULL, NULL},
};

static void set_functions(lua_State *L, vm *v, const luaL_Reg *f)
{
  for (; f->name; f++) {
    lua_pushlightuserdata(L, v);
    lua_pushcclosure(L, f->func, 1);
    lua_setfield(L, -2, f->name);
  }
}

void vm_push_core(lua_State *L, vm *v)
{
  lua_newtable(L);
  set_functions(L, v, core_functions);
  set_functions(L, v, vm_http_functions);
  core_set_codes(L);
  vm_push_key(L, VM_KEY_WAITQ_MT);
  lua_pushcfunction(L, core_waitq_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  vm_push_key(L, VM_KEY_MT);
  lua_setfield(L, -2, "thread_mt");
  vm_push_key(L, VM_KEY_SENTINEL);
  lua_setfield(L, -2, "sentinel");
  lua_pushliteral(L, GREENLUA_VERSION);
  lua_setfield(L, -2, "version");
}
