/*
** wait.c: green.core's functions that wait, and that wake.
**
** Waiting functions return a status first: 0, or a negative GREEN_E*;
** GREEN_ECANCELED means "call green.thread's raise".
*/

#include "bridge.h"
#include "data.h"
#include "core/door.h"
#include "refusal.h"
#include "scope.h"

/* A wait queue. One with an owner (its environment, an object with a method
** _lost) hands things over: what a waiter was given who then ends without
** having run goes back to owner:_lost(queue, ...). */
typedef struct vm_waitq {
  uint32_t kind; /* VM_WAITQ */
  uint8_t owned;
  uint8_t closed; /* Its finalizer has run. */
  green_waitq q;
} vm_waitq;

static vm_waitq *core_queue(lua_State *L, int i)
{
  vm_waitq *q = lua_touserdata(L, i);
  if (!q || lua_type(L, i) != LUA_TUSERDATA || lua_objlen(L, i) < sizeof(*q) ||
      q->kind != VM_WAITQ)
    vm_wrong(L, "green.core", "a wait queue expected", i);
  return q;
}

/* An absolute deadline in seconds of core.now, nil: never. */
static int64_t core_deadline(lua_State *L, int i)
{
  if (lua_isnoneornil(L, i)) return GREEN_NEVER;
  return green_clock_after(0, lua_tonumber(L, i));
}

/* -- Waiting -------------------------------------------------------------- */

/* One whose finalizer has run was saved by another's, and would go without a
** word: who may stand in it keeps it from now on. */
static void *core_want_queue(lua_State *L, vm_waitq *q)
{
  if (green_unlikely(q->closed)) {
    vm_push_key(L, VM_KEY_SAVED);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    q->closed = 0;
  }
  return &q->q;
}

static void core_want(lua_State *L, vm_want *w)
{
  w->kind = VM_WANT_QUEUE;
  w->ptr = NULL;
  w->no_cancel = w->status = 0;
  w->mode = (int)lua_tointeger(L, 3);
  w->deadline = core_deadline(L, 2);
  if (w->mode) {
    w->ptr = vm_pointer(L, 1);
    if (w->mode != GREEN_AT_QUEUE) w->kind = VM_WANT_FD;
  } else if (!lua_isnil(L, 1)) {
    const uint32_t *kind = lua_touserdata(L, 1);
    if (kind && *kind == VM_THREAD)
      w->ptr = &core_thread(L, 1)->task.joiners;
    else
      w->ptr = core_want_queue(L, core_queue(L, 1));
  }
}

/* status, ... = park(what, deadline, mode). what: nil, a wait queue, a thread
** (its end), or with a mode an object or a pointer: READ, WRITE or WATCH one
** that begins with a green_fd, to read, to write, or to know of something to
** read; QUEUE a green_waitq. Parks. */
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
  v->want.no_cancel = v->want.status = 0;
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
  v->want.no_cancel = v->want.status = 0;
  v->want.kind = VM_WANT_YIELD;
  return vm_wait(v, L);
}

/* status = check(): the checkpoint whose budget is used up. A trip through the
** ready queue that nobody else needs is saved, and with it a poll and the look
** whether one can wait here. */
static int core_check(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  v->turn.budget = GREEN_TURN_BUDGET;
  if (!green_hub_is_quiet(v->hub) && vm_can_wait(v, L)) {
    v->want = (vm_want){.kind = VM_WANT_YIELD};
    return vm_wait(v, L);
  }
  lua_pushinteger(L, 0);
  return 1;
}

/* thread = waiter(): the running one, which could wait here; else it raises as
** park would. For whoever has to do something before the wait: a wait that is
** refused leaves nothing. */
static int core_waiter(lua_State *L)
{
  vm *v = core_vm(L);
  vm_check_wait(v, L);
  vm_push_thread(L, v->current);
  return 1;
}

/* seconds = wait_now(): what now gives; it raises as waiter does. */
static int core_wait_now(lua_State *L)
{
  vm *v = core_vm(L);
  vm_check_wait(v, L);
  lua_pushnumber(L, (lua_Number)green_hub_now(v->hub) * 1e-9);
  return 1;
}

/* is_own(): does the running thread's own coroutine call, and not one that
** was resumed in it? The count of those that green.patch.coroutine resumed
** does not tell: others may have resumed some. Good after the end of the
** runtime, too. */
static int core_is_own(lua_State *L)
{
  lua_pushboolean(L, vm_is_own(lua_touserdata(L, lua_upvalueindex(1)), L));
  return 1;
}

/* What raise says next: why a wait that has yielded already cannot be. */
static void core_refuse(lua_State *L, vm *v)
{
  vm_push_thread(L, v->current);
  int ud = lua_gettop(L);
  vm_push_data(L, ud);
  if (!vm_push_refusal(v, L))
    lua_pushliteral(L, "cannot wait: the wait's own yield was lost");
  vm_data_set(L, ud, "refusal");
  v->current->flags |= VM_F_REFUSED;
}

/* status, ... = relay(coroutine): it yielded the sentinel: pass its wait on to
** the level above. ECANCELED: it has none, or that level cannot wait; raise has
** the reason, for the coroutine. */
static int core_relay(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->want.from == lua_tothread(L, 1) && vm_can_wait(v, L))
    return vm_wait(v, L);
  core_refuse(L, v);
  lua_pushinteger(L, GREEN_ECANCELED);
  return 1;
}

/* Did relay leave a reason? Whose wait is refused hears of nothing else. */
static int core_is_refused(vm_thread *t)
{
  int refused = t->flags & VM_F_REFUSED;
  t->flags &= ~(uint32_t)VM_F_REFUSED;
  return refused;
}

/* kind, id, count, scope_kind, err = raise(): what is to be raised: kind is one
** of RAISE_*, the scope's id, how many raises in a row this is, the scope's
** kind, what it raises; nil: it has nothing yet (scope_error). Of RAISE_REFUSED
** the text is data.refusal. */
static int core_raise(lua_State *L)
{
  green_task *t = &core_vm(L)->current->task;
  if (core_is_refused(core_vm(L)->current)) {
    lua_pushinteger(L, VM_RAISE_REFUSED);
    return 1;
  }
  int kind = green_task_raise(t);
  const green_scope *s = kind == GREEN_RAISE_SCOPE ? t->pending : NULL;
  lua_pushinteger(L, kind);
  lua_pushnumber(L, s ? (lua_Number)s->id : 0);
  lua_pushinteger(L, t->raises);
  core_vm(L)->turn.budget = t->cancel_pending ? 0 : GREEN_TURN_BUDGET;
  if (!s) return 3;
  lua_pushinteger(L, s->kind);
  vm_scope_push_error(L, s);
  return 5;
}

/* -- Waking --------------------------------------------------------------- */

/* Few enough for what a suspended C function leaves of its stack, or an
** inbox. */
static int wake_count(lua_State *L, int first)
{
  int n = lua_gettop(L) - first + 1;
  luaL_argcheck(L, n <= VM_HANDED_MOST, VM_HANDED_MOST + first, "too many");
  return n;
}

/* What t's park returns: its status and the n values from index first on of L.
** The queue, if it is owned, lies below them. */
static void wake_push(lua_State *L, vm_thread *t, int queue, int first, int n)
{
  lua_State *inbox = vm_inbox(t);
  if (queue) {
    lua_pushvalue(L, queue);
    lua_xmove(L, inbox, 1);
    t->flags |= VM_F_HANDED;
  }
  lua_pushinteger(inbox, t->task.status);
  for (int i = 0; i < n; i++) lua_pushvalue(L, first + i);
  lua_xmove(L, inbox, n);
  t->nargs = (int16_t)(n + 1);
}

static vm_thread *thread_of(green_task *task)
{
  return green_container(task, vm_thread, task);
}

/* Nobody abandons the main chunk: what it is handed needs no way back. */
static int is_droppable(const vm_thread *t)
{
  return t != t->vm->host;
}

/* woken = wake(queue, ...): the first waiter's park returns 0, ... */
static int core_wake(lua_State *L)
{
  core_vm(L);
  vm_waitq *q = core_queue(L, 1);
  int n = wake_count(L, 2);
  green_task *task = green_waitq_first(&q->q);
  if (task && green_task_wake(task, 0) && (n || q->owned))
    wake_push(L, thread_of(task), q->owned && is_droppable(thread_of(task)), 2,
              n);
  lua_pushboolean(L, task != NULL);
  return 1;
}

/* n = wake_all(queue, ...) */
static int core_wake_all(lua_State *L)
{
  core_vm(L);
  green_waitq *q = &core_queue(L, 1)->q;
  green_task *task;
  int woken = 0, n = wake_count(L, 2);
  while ((task = green_waitq_first(q)) != NULL) {
    green_task_wake(task, 0);
    if (n) wake_push(L, thread_of(task), 0, 2, n);
    woken++;
  }
  lua_pushinteger(L, woken);
  return 1;
}

/* n = wake_cdata(pointer to a green_waitq): all of them. */
static int core_wake_cdata(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, green_waitq_wake_all(vm_pointer(L, 1), 0));
  return 1;
}

/* woken = wake_thread(thread, status, ...): decide its wait, whatever it is. */
static int core_wake_thread(lua_State *L)
{
  core_vm(L);
  vm_thread *t = core_thread(L, 1);
  int n = wake_count(L, 3);
  int woken = green_task_wake(&t->task, (int)luaL_checkinteger(L, 2));
  if (woken && n) wake_push(L, t, 0, 3, n);
  lua_pushboolean(L, woken);
  return 1;
}

/* -- Queues --------------------------------------------------------------- */

/* Nobody holds it any more. Its memory stays until the collector's next round:
** a finalizer that still reaches it finds a queue that is closed. */
int vm_waitq_gc(lua_State *L)
{
  vm_waitq *q = lua_touserdata(L, 1);
  q->closed = 1;
  green_waitq_forget(&q->q);
  return 0;
}

/* queue = waitq(owner): with an owner, what wake gives to a waiter who ends
** without having run goes back to owner:_lost(queue, ...). */
static int core_waitq(lua_State *L)
{
  core_vm(L);
  lua_settop(L, 1);
  vm_waitq *q = lua_newuserdata(L, sizeof(*q));
  *q = (vm_waitq){.kind = VM_WAITQ, .owned = lua_istable(L, 1)};
  green_waitq_init(&q->q);
  if (q->owned) {
    lua_pushvalue(L, 1);
    lua_setfenv(L, -2);
  }
  vm_push_key(L, VM_KEY_WAITQ_MT);
  lua_setmetatable(L, -2);
  return 1;
}

/* n = waiting(queue) */
static int core_waiting(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, (lua_Integer)core_queue(L, 1)->q.n);
  return 1;
}

const luaL_Reg vm_wait_functions[] = {
    {"waiter", core_waiter},
    {"wait_now", core_wait_now},
    {"park", core_park},
    {"sleep", core_sleep},
    {"yield", core_yield},
    {"check", core_check},
    {"is_own", core_is_own},
    {"relay", core_relay},
    {"raise", core_raise},
    {"wake", core_wake},
    {"wake_all", core_wake_all},
    {"wake_cdata", core_wake_cdata},
    {"wake_thread", core_wake_thread},
    {"waitq", core_waitq},
    {"waiting", core_waiting},
    {NULL, NULL},
};
