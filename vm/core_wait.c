/*
** core_wait.c: green.core's functions that wait, and that wake.
**
** Waiting functions return a status first: 0, or a negative GREEN_E*;
** GREEN_ECANCELED means "call green.thread's raise".
*/

#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* core.park(p, deadline, mode): what the pointer p leads to. */
enum { PARK_QUEUE = 3 };

/* An absolute deadline in seconds of core.now, nil: never. */
static int64_t core_deadline(lua_State *L, int i)
{
  if (lua_isnoneornil(L, i)) return GREEN_NEVER;
  return green_clock_after(0, lua_tonumber(L, i));
}

/* -- Waiting -------------------------------------------------------------- */

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
int vm_waitq_gc(lua_State *L)
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

/* -- Descriptors of others ------------------------------------------------ */

/* A private dup: the loop must not trip over a number that its owner closes. */
typedef struct vm_watch {
  uint32_t kind;
  green_fd f;
} vm_watch;

static int watch_gc(lua_State *L)
{
  vm_watch *w = lua_touserdata(L, 1);
  green_fd_close(&w->f);
  return 0;
}

/* watch, pointer = watch(fd): pointer is for park, unwatch(watch) ends it; or
** nil, error code. */
static int core_watch(lua_State *L)
{
  vm *v = core_vm(L);
  int number = (int)luaL_checkinteger(L, 1);
  vm_watch *w = lua_newuserdata(L, sizeof(*w));
  memset(w, 0, sizeof(*w));
  w->kind = VM_WATCH;
  w->f.hub = v->hub;
  w->f.fd = -1;
  lua_newtable(L);
  lua_pushcfunction(L, watch_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  int fd = fcntl(number, F_DUPFD_CLOEXEC, 0);
  int err = fd < 0 ? -errno : green__fd_adopt(&w->f, v->hub, fd);
  if (err == 0) {
    lua_pushlightuserdata(L, &w->f);
    return 2;
  }
  if (fd >= 0) close(fd);
  lua_pushnil(L);
  lua_pushinteger(L, err);
  return 2;
}

static int core_unwatch(lua_State *L)
{
  vm_watch *w = lua_touserdata(L, 1);
  if (!w || w->kind != VM_WATCH) return luaL_typerror(L, 1, "watch");
  green_fd_close(&w->f);
  return 0;
}

const luaL_Reg vm_wait_functions[] = {
    {"watch", core_watch},
    {"unwatch", core_unwatch},
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
    {NULL, NULL},
};
