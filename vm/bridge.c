/*
** bridge.c: runs green threads: a task of the hub resumes a Lua coroutine, and
** where that waits the task is parked.
**
** A thread runs until it yields. core.park has then written what it waits for
** into vm.want, and only now, with the coroutine safely suspended, are fds and
** deadlines armed. Whoever wakes a thread pushes what its park returns onto its
** coroutine's stack, so nothing is kept anywhere else.
*/

#include "bridge.h"
#include "data.h"
#include "interrupt.h"
#include "profile.h"
#include "refusal.h"
#include "stall.h"

#include "hub/fd.h"
#include "hub/scope.h"
#include "hub/trace.h"

#include <stdlib.h>

/* From here on their memory does not stay in the cache between two turns. */
#define MANY_THREADS 10000

static vm_thread *thread_of_task(green_task *task)
{
  return green_container(task, vm_thread, task);
}

/* -- Resuming ------------------------------------------------------------- */

/* Do what the thread that has just yielded asked for. */
static void thread_arm(vm *v, vm_thread *t)
{
  const vm_want *w = &v->want;
  int kind = w->kind, err = 0;
  v->want.kind = VM_WANT_NOTHING;
  v->want.from = NULL;
  t->task.no_cancel = (uint8_t)w->no_cancel;
  t->status = (int16_t)w->status;
  if (kind == VM_WANT_QUEUE)
    err = green_task_park(&t->task, w->ptr, w->deadline);
  else if (kind == VM_WANT_FD && w->mode == GREEN_AT_WATCH)
    err = green_fd_watch(w->ptr, &t->task, w->deadline);
  else if (kind == VM_WANT_FD)
    err = green_fd_park(w->ptr, &t->task, w->mode, w->deadline);
  else if (kind == VM_WANT_YIELD_FIRST)
    green_task_yield_first(&t->task);
  else {
    t->quiet = 1;
    green_task_yield(&t->task);
  }
  if (err == 0) return;
  t->status = (int16_t)err;
  green_task_yield(&t->task);
}

void vm_resume_host(green_task *task)
{
  vm *v = thread_of_task(task)->vm;
  if (!v->orphaned) v->host_done = 1;
}

/* What the park returns: its status, then what the waker pushed; nothing after
** a mere turn for the others. */
static int thread_push_status(vm_thread *t)
{
  lua_State *inbox = vm_inbox(t);
  int n = t->nargs, quiet = t->quiet;
  t->nargs = t->quiet = 0;
  if (n > 0 || (quiet && !t->status)) return n;
  lua_pushinteger(inbox, t->status ? t->status : t->task.status);
  t->status = 0;
  return 1;
}

static void vm_enter(vm *v, vm_thread *t)
{
  v->current = t;
  v->turn.budget = t->task.cancel_pending ? 0 : GREEN_TURN_BUDGET;
  v->turn.depth = t->depth;
}

/* spawn_after_local: gone if the spawner has gone. */
static int thread_is_orphan(vm *v, vm_thread *t)
{
  if (!(t->flags & VM_F_LOCAL)) return 0;
  vm_push_thread(v->L, t);
  vm_data_get(v->L, lua_gettop(v->L), "parent");
  const vm_thread *parent = lua_touserdata(v->L, -1);
  lua_pop(v->L, 2);
  return parent && parent->task.state == GREEN_TASK_DEAD;
}

static int thread_first_args(vm *v, vm_thread *t)
{
  int n = t->nargs;
  t->nargs = 0;
  if (!thread_is_orphan(v, t)) return n;
  vm_thread_drop(t);
  return -1;
}

/* Fetch the next thread's coroutine while this one runs, and the task after it:
** with a million of them each is a cache miss. What is no thread's (a writer of
** io/stdfd) has no coroutine. */
static void vm_prefetch(const vm *v)
{
  const green_task *task;
  if (v->n_slots < MANY_THREADS) return;
  task = green_hub_upcoming(v->hub);
  if (!task || !vm_is_thread(v, task)) return;
  const char *co = (const char *)thread_of_task((green_task *)task)->co;
  __builtin_prefetch(task->link.next);
  __builtin_prefetch((const char *)task->link.next + 64);
  __builtin_prefetch((const char *)task->link.next + 128);
  __builtin_prefetch(co);
  __builtin_prefetch(co + 64);
}

static void vm_leave(vm *v, vm_thread *t)
{
  t->depth = v->turn.depth;
  v->current = v->host;
  v->turn.depth = v->host->depth;
}

void vm_stayed(vm *v)
{
  vm_thread *t = v->current;
  t->depth = v->turn.depth;
  vm_enter(v, t);
}

/* A raw coroutine.yield of the script's, or one whose wait was refused, asks
** for nothing, whatever another has left in want. */
static void vm_take_want(vm *v, lua_State *co)
{
  if (v->want.from == co) return;
  v->want = (vm_want){.kind = VM_WANT_NOTHING};
  lua_settop(co, 0);
}

/* Who has looked at what has run looks a last time. */
static void vm_look_last(vm *v, int r)
{
  vm_profile_end(v);
  vm_stall_end(v, r);
}

/* Never raises: it may be the host's loop that calls. */
void vm_resume(green_task *task)
{
  vm_thread *t = thread_of_task(task);
  vm *v = t->vm;
  lua_State *co = t->co;
  int first = !(t->flags & VM_F_STARTED);
  int n = first ? thread_first_args(v, t) : thread_push_status(t);
  if (n < 0) return;
  vm_prefetch(v);
  t->flags = (t->flags | VM_F_STARTED) & ~(uint32_t)VM_F_HANDED;
  task->no_cancel = 0;
  vm_enter(v, t);
  int r = lua_resume(co, n);
  if (green_unlikely(__atomic_load_n(&v->stalled, __ATOMIC_RELAXED)))
    vm_look_last(v, r);
  if (r == LUA_YIELD) {
    vm_take_want(v, co);
    thread_arm(v, t);
  }
  /* While the thread that forked is the current one, and stands where it waits:
  ** what the others held may wake it. */
  if (green_unlikely(green_fork_differs(v->generation))) vm_check_fork(v);
  vm_leave(v, t);
  if (r != LUA_YIELD) vm_thread_finish(v, t, r);
}

/* -- Waiting -------------------------------------------------------------- */

/* The thread that forked has ended; its error, if it has one, is yet to be
** told. Where Lua cannot leave, C does: the main chunk must not go on here. */
static void vm_exit_child(vm *v)
{
  lua_State *L = v->host->co;
  int status = v->main->ending == VM_RETURNED ? 0 : 1;
  green_hub_turn(v->hub, 0);
  vm_push_key(L, VM_KEY_LEAVE);
  lua_pushinteger(L, status);
  lua_pcall(L, 1, 0, 0);
  exit(status);
}

/* The library looks at the threads while all of them, main too, stand where
** they wait. */
static void vm_tell_deadlock(vm *v)
{
  lua_State *L = v->L;
  int top = lua_gettop(L);
  vm_push_key(L, VM_KEY_DEADLOCK);
  if (!lua_isnil(L, -1)) lua_pcall(L, 0, 0, 0);
  lua_settop(L, top);
  green_task_wake(&v->main->task, GREEN_EDEADLOCK);
}

/* The main chunk waits by running the loop in place. In a child of a fork by a
** green thread it is not to go on: the loop runs until that thread has ended,
** and so has the process. */
static int host_wait(vm *v, lua_State *L)
{
  vm_thread *t = v->host;
  vm_interrupt_begin(v, L);
  t->co = L;
  if (green_unlikely(__atomic_load_n(&v->stalled, __ATOMIC_RELAXED)))
    vm_profile_end(v);
  v->host_done = 0;
  thread_arm(v, t);
  if (green_unlikely(v->trace != NULL)) green_hub_trace_left(&t->task);
  vm_check_fork(v); /* What the others held may wake it. */
  while (green_hub_run(v->hub, v->orphaned ? &v->main_done : &v->host_done) ==
         GREEN_EDEADLOCK)
    vm_tell_deadlock(v);
  vm_interrupt_end(v, L);
  if (v->orphaned) vm_exit_child(v);
  vm_enter(v, t);
  int n = thread_push_status(t);
  lua_xmove(v->inbox, L, n);
  return n;
}

int vm_is_own(const vm *v, lua_State *L)
{
  return v->current == v->host ? vm_is_main_state(L) : L == v->current->co;
}

int vm_wait(vm *v, lua_State *L)
{
  vm_thread *t = v->current;
  v->want.from = L;
  if (L == t->co && t != v->host && lua_isyieldable(L)) return lua_yield(L, 0);
  vm_check_wait(v, L);
  if (t == v->host && vm_is_main_state(L)) return host_wait(v, L);
  vm_push_key(L, VM_KEY_SENTINEL);
  return lua_yield(L, 1);
}

int vm_cancel(vm *v, lua_State *L)
{
  vm_thread *t = v->current;
  int64_t at = green_task_raise_at(&t->task);
  if (at == 0 || !vm_can_wait(v, L)) {
    lua_pushinteger(L, GREEN_ECANCELED);
    return 1;
  }
  v->want = (vm_want){.kind = at < 0 ? VM_WANT_YIELD : VM_WANT_QUEUE,
                      .deadline = at,
                      .no_cancel = 1,
                      .status = GREEN_ECANCELED};
  return vm_wait(v, L);
}

int vm_run_main(vm *v, vm_thread *t)
{
  if (green_hub_is_busy(
          v->hub)) { /* A run inside its own run, or the host's. */
    vm_thread_drop(t);
    return GREEN_EBUSY;
  }
  t->flags |= VM_F_MAIN;
  v->main = t;
  v->main_done = 0;
  green_task_start(&t->task);
  while (green_hub_run(v->hub, &v->main_done) == GREEN_EDEADLOCK)
    vm_tell_deadlock(v);
  t = v->main; /* In a child of a fork it is another one. */
  v->main = v->host;
  return t->ending == VM_RETURNED ? 0 : 1;
}

/* -- Forks ---------------------------------------------------------------- */

static vm_thread *vm_some_other(const vm *v)
{
  const green_hub *hub = v->hub;
  for (green_task *k = green_hub_first_task(hub); k;
       k = green_hub_next_task(hub, k)) {
    vm_thread *t = thread_of_task(k);
    if (vm_is_thread(v, k) && t != v->current && t != v->host) return t;
  }
  return NULL;
}

/* What they held is given back; of what they would have said, and of their
** cleanups, the child hears nothing. */
static void vm_forget_others(vm *v)
{
  vm_thread *t;
  while ((t = vm_some_other(v)) != NULL) vm_thread_forget(t);
}

/* In a child the thread that forked goes on alone; its end is the program's. */
static void vm_become_main(vm *v)
{
  vm_thread *me = v->current;
  if (me == v->host || me == v->main) return;
  v->orphaned = v->main == v->host && v->host->task.state != GREEN_TASK_RUNNING;
  v->main = me;
  if (v->orphaned) vm_forget_host(v);
  me->flags |= VM_F_MAIN;
  vm_push_thread(v->L, me);
  vm_set_key(v->L, VM_KEY_MAIN);
}

void vm_forked(green_forkhook *h)
{
  vm *v = green_container(h, vm, forked);
  if (green_hub_inherits(v->hub)) return;
  vm_become_main(v);
  vm_forget_others(v);
  vm_slots_close_all(&v->slots); /* Requests in hand are the parent's. */
}
