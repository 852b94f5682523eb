/*
** bridge.c: green tasks that resume Lua coroutines.
**
** A thread runs until it yields. core.park has then written what it waits for
** into vm.want, and only now, with the coroutine safely suspended, are fds and
** deadlines armed. Whoever wakes a thread pushes what its park returns onto its
** coroutine's stack, so nothing is kept anywhere else.
*/

#include "bridge.h"

#include <stdlib.h>
#include <string.h>

const char vm_keys[VM_N_KEYS];

#define SITES_MAX 10000

/* From here on their memory does not stay in the cache between two turns. */
#define MANY_THREADS 10000

static vm_thread *thread_of_task(green_task *task)
{
  return green_container(task, vm_thread, task);
}

vm *vm_get(lua_State *L)
{
  vm_push_key(L, VM_KEY_RUNTIME);
  vm *v = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return v;
}

/* -- Spawn sites ---------------------------------------------------------- */

/* The index of the site string at the top of the stack, which is popped. */
static int site_intern(lua_State *L, const char *source)
{
  vm_push_key(L, VM_KEY_SITES);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  int site = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (!site && lua_objlen(L, -1) < SITES_MAX) {
    site = (int)lua_objlen(L, -1) + 1;
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, site);
    lua_pushvalue(L, -2);
    lua_pushinteger(L, site);
    lua_rawset(L, -3);
    lua_pushstring(L, source); /* The cache compares its address: keep it. */
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
  return site;
}

static int vm_site(vm *v, lua_State *L, int level)
{
  lua_Debug ar;
  if (!lua_getstack(L, level, &ar)) return 0;
  lua_getinfo(L, "Sl", &ar);
  size_t h = ((uintptr_t)ar.source / 16 + (size_t)ar.currentline) % VM_SITES;
  vm_site_entry *e = &v->sites[h];
  if (e->source == ar.source && e->line == ar.currentline) return e->site;
  lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  int site = site_intern(L, ar.source);
  if (site) *e = (vm_site_entry){ar.source, ar.currentline, site};
  return site;
}

void vm_push_site(lua_State *L, const vm_thread *t)
{
  if (!t->site) {
    lua_pushliteral(L, "?");
    return;
  }
  vm_push_key(L, VM_KEY_SITES);
  lua_rawgeti(L, -1, t->site);
  lua_remove(L, -2);
}

/* -- The table of threads ------------------------------------------------- */

/* Anchor the coroutine and the userdata at the top of L; both are popped.
** Freed slots are chained through the table itself. */
static void thread_anchor(vm *v, lua_State *L, vm_thread *t)
{
  vm_push_key(L, VM_KEY_THREADS);
  uint32_t slot = v->free_slot;
  if (slot) {
    lua_rawgeti(L, -1, (int)(2 * slot - 1));
    v->free_slot = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  } else {
    slot = ++v->n_slots;
  }
  t->slot = slot;
  lua_insert(L, -3);
  lua_rawseti(L, -3, (int)(2 * slot));
  lua_rawseti(L, -2, (int)(2 * slot - 1));
  lua_pop(L, 1);
}

static void thread_unanchor(vm *v, vm_thread *t)
{
  lua_State *L = v->L;
  vm_push_key(L, VM_KEY_THREADS);
  lua_pushinteger(L, (lua_Integer)v->free_slot);
  lua_rawseti(L, -2, (int)(2 * t->slot - 1));
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, (int)(2 * t->slot));
  lua_pop(L, 1);
  v->free_slot = t->slot;
  t->slot = 0;
  t->co = NULL;
}

void vm_push_thread(lua_State *L, const vm_thread *t)
{
  vm_push_key(L, VM_KEY_THREADS);
  lua_rawgeti(L, -1, (int)(2 * t->slot));
  lua_remove(L, -2);
}

void vm_push_data(lua_State *L, int index)
{
  vm_thread *t = lua_touserdata(L, index);
  if (!(t->flags & VM_F_DATA)) {
    lua_newtable(L);
    lua_setfenv(L, index < 0 ? index - 1 : index);
    t->flags |= VM_F_DATA;
    vm_touch(t);
  }
  lua_getfenv(L, index);
}

/* -- Ends ----------------------------------------------------------------- */

/* Set data[name] = value at the top of L, which is popped. */
static void thread_set(lua_State *L, int ud, const char *name)
{
  vm_push_data(L, ud);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static void thread_keep_results(lua_State *L, int ud, lua_State *co, int n)
{
  if (!lua_checkstack(L, n + 4)) n = 0;
  lua_xmove(co, L, n);
  lua_createtable(L, n, 1);
  lua_insert(L, -n - 1);
  for (int i = n; i > 0; i--) lua_rawseti(L, -i - 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  thread_set(L, ud, "results");
}

static int thread_was_killed(lua_State *L, int ud, int err)
{
  vm_push_data(L, ud);
  lua_getfield(L, -1, "kill_error");
  int same = !lua_isnil(L, -1) && lua_rawequal(L, -1, err);
  lua_pop(L, 2);
  return same;
}

static int thread_keep_error(lua_State *L, int ud, lua_State *co)
{
  luaL_traceback(L, co, NULL, 0);
  thread_set(L, ud, "traceback");
  lua_xmove(co, L, 1);
  int ending = thread_was_killed(L, ud, lua_gettop(L)) ? VM_KILLED : VM_RAISED;
  if (lua_isnil(L, -1)) { /* error(nil): still an error. */
    vm_push_data(L, ud);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "error_is_nil");
    lua_pop(L, 1);
  }
  thread_set(L, ud, "error");
  return ending;
}

/* Let on_end(thread, report) run in a thread of its own. */
static void thread_tell(vm *v, lua_State *L, int ud, int report)
{
  vm_push_key(L, VM_KEY_ON_END);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  lua_pushvalue(L, ud);
  lua_pushboolean(L, report);
  green_task_start(&vm_thread_new(v, L, 2, VM_F_NOWAIT, 0)->task);
  lua_pop(L, 1);
}

/* The userdata is at index ud of v->L. */
static void thread_end(vm *v, vm_thread *t, int ud, int ending)
{
  int watched = !green_list_empty(&t->task.joiners.tasks) ||
                (t->flags & (VM_F_LINKED | VM_F_MAIN));
  t->ending = (uint8_t)ending;
  thread_unanchor(v, t);
  vm_untouch(t);
  green_task_end(&t->task);
  if (t->flags & VM_F_MAIN) v->main_done = 1;
  if ((t->flags & VM_F_LINKED) || (ending == VM_RAISED && !watched))
    thread_tell(v, v->L, ud, ending == VM_RAISED && !watched);
}

static void thread_finish(vm *v, vm_thread *t, int r)
{
  lua_State *L = v->L, *co = t->co;
  int ending = VM_RETURNED, n = lua_gettop(co);
  vm_push_thread(L, t);
  int ud = lua_gettop(L);
  if (r != 0)
    ending = thread_keep_error(L, ud, co);
  else if (n > 0 && !(t->flags & VM_F_NOWAIT))
    thread_keep_results(L, ud, co, n);
  thread_end(v, t, ud, ending);
  lua_settop(L, ud - 1);
}

void vm_thread_drop(vm_thread *t, lua_State *L)
{
  vm *v = t->vm;
  (void)L;
  vm_push_thread(v->L, t);
  int ud = lua_gettop(v->L);
  thread_end(v, t, ud, VM_KILLED);
  lua_settop(v->L, ud - 1);
}

/* -- Resuming ------------------------------------------------------------- */

/* Do what the thread that has just yielded asked for. */
static void thread_arm(vm *v, vm_thread *t)
{
  const vm_want *w = &v->want;
  int kind = w->kind, err = 0;
  v->want.kind = VM_WANT_NOTHING;
  t->task.no_cancel = (uint8_t)w->no_cancel;
  if (kind == VM_WANT_QUEUE)
    err = green_task_park(&t->task, w->ptr, w->deadline);
  else if (kind == VM_WANT_FD)
    err = green_fd_park(w->ptr, &t->task, w->mode, w->deadline);
  else if (kind == VM_WANT_YIELD_FIRST)
    green_task_yield_first(&t->task);
  else {
    t->quiet = 1;
    green_task_yield(&t->task);
  }
  if (err == 0) return;
  t->status = err;
  green_task_yield(&t->task);
}

/* What the park returns: its status, then what the waker pushed; nothing after
** a mere turn for the others. */
static void host_resume(green_task *task)
{
  vm_thread *t = thread_of_task(task);
  t->vm->host_done = 1;
}

static int thread_push_status(vm_thread *t)
{
  int n = t->nargs, quiet = t->quiet;
  t->nargs = t->quiet = 0;
  if (n > 0 || (quiet && !t->status)) return n;
  lua_pushinteger(t->co, t->status ? t->status : t->task.status);
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
  vm_push_data(v->L, -1);
  lua_getfield(v->L, -1, "parent");
  const vm_thread *parent = lua_touserdata(v->L, -1);
  lua_pop(v->L, 3);
  return parent && parent->task.state == GREEN_TASK_DEAD;
}

static int thread_first_args(vm *v, vm_thread *t)
{
  int n = t->nargs;
  t->nargs = 0;
  if (!thread_is_orphan(v, t)) return n;
  vm_thread_drop(t, v->L);
  return -1;
}

/* Fetch the next thread's coroutine while this one runs, and the task after it:
** with a million of them each is a cache miss. */
static void vm_prefetch(const vm *v)
{
  const green_task *task;
  if (v->n_slots < MANY_THREADS) return;
  task = green_hub_upcoming(v->hub);
  if (!task) return;
  const char *co = (const char *)thread_of_task((green_task *)task)->co;
  __builtin_prefetch(task->link.next);
  __builtin_prefetch((const char *)task->link.next + 64);
  __builtin_prefetch((const char *)task->link.next + 128);
  __builtin_prefetch(co);
  __builtin_prefetch(co + 64);
}

static void vm_resume(green_task *task)
{
  vm_thread *t = thread_of_task(task);
  vm *v = t->vm;
  lua_State *co = t->co;
  int first = !(t->flags & VM_F_STARTED);
  int n = first ? thread_first_args(v, t) : thread_push_status(t);
  if (n < 0) return;
  vm_prefetch(v);
  t->flags |= VM_F_STARTED;
  task->no_cancel = 0;
  vm_enter(v, t);
  int r = lua_resume(co, n);
  t->depth = v->turn.depth;
  v->current = v->host;
  v->turn.depth = v->host->depth;
  if (r != LUA_YIELD) {
    thread_finish(v, t, r);
    return;
  }
  if (v->want.kind == VM_WANT_NOTHING) lua_settop(co, 0);
  thread_arm(v, t);
}

int vm_is_thread(const green_task *task)
{
  return task->resume == vm_resume || task->resume == host_resume;
}

/* -- Spawning ------------------------------------------------------------- */

static vm_thread *thread_alloc(vm *v, lua_State *L, green_resume_fn *resume)
{
  vm_thread *t = lua_newuserdata(L, sizeof(*t));
  memset(t, 0, sizeof(*t));
  t->kind = VM_THREAD;
  t->vm = v;
  green_task_init(&t->task, v->hub, resume);
  vm_push_key(L, VM_KEY_MT);
  lua_setmetatable(L, -2);
  return t;
}

vm_thread *vm_thread_new(vm *v, lua_State *L, int n, int flags, int level)
{
  luaL_checkstack(L, 8, "spawn");
  int site = level ? vm_site(v, L, level) : 0;
  lua_State *co = lua_newthread(L);
  if (!lua_checkstack(co, n + 8)) luaL_error(L, "too many arguments");
  lua_insert(L, -n - 2);
  lua_xmove(L, co, n + 1);
  vm_thread *t = thread_alloc(v, L, vm_resume);
  t->co = co;
  t->flags = (uint8_t)flags;
  t->site = site;
  t->nargs = (int16_t)n;
  lua_insert(L, -2);    /* userdata, coroutine */
  lua_pushvalue(L, -2); /* userdata, coroutine, userdata */
  thread_anchor(v, L, t);
  return t;
}

/* -- Waiting -------------------------------------------------------------- */

/* The main chunk waits by running the loop in place. */
static int host_wait(vm *v, lua_State *L)
{
  vm_thread *t = v->host;
  t->co = L;
  thread_arm(v, t);
  v->host_done = 0;
  int r = green_hub_run(v->hub, &v->host_done);
  if (r == GREEN_EDEADLOCK) {
    green_task_wake(&t->task, r);
    r = green_hub_run(v->hub, &v->host_done);
  }
  if (r < 0) return luaL_error(L, "cannot wait here: %s", green_err_text(r));
  vm_enter(v, t);
  return thread_push_status(t);
}

static int is_main_state(lua_State *L)
{
  int is_main = lua_pushthread(L);
  lua_pop(L, 1);
  return is_main;
}

/* Can L wait here? Else push why not. Without a position: the place is the
** caller's, somewhere up in the library; the traceback tells. */
static int vm_refuses(vm *v, lua_State *L, int push)
{
  vm_thread *t = v->current;
  int at_host = t == v->host && is_main_state(L);
  int foreign = !at_host && L != t->co && v->turn.depth == 0;
  if (!foreign && (at_host ? vm_host_can_wait(L) : lua_isyieldable(L)))
    return 0;
  if (!push) return 1;
  v->want.kind = VM_WANT_NOTHING;
  if (foreign) {
    lua_pushliteral(L, "cannot wait in a coroutine that greenlua did not "
                       "resume");
  } else {
    lua_pushliteral(L, "cannot wait inside ");
    vm_push_blocker(L);
    lua_concat(L, 2);
  }
  return 1;
}

int vm_can_wait(vm *v, lua_State *L)
{
  return !vm_refuses(v, L, 0);
}

int vm_push_refusal(vm *v, lua_State *L)
{
  return vm_refuses(v, L, 1);
}

int vm_wait(vm *v, lua_State *L)
{
  vm_thread *t = v->current;
  if (L == t->co && t != v->host && lua_isyieldable(L)) return lua_yield(L, 0);
  if (vm_push_refusal(v, L)) return lua_error(L);
  if (t == v->host && is_main_state(L)) return host_wait(v, L);
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
                      .no_cancel = 1};
  t->status = GREEN_ECANCELED;
  return vm_wait(v, L);
}

int vm_run_main(vm *v, vm_thread *t)
{
  if (green_hub_current(v->hub)) { /* A run inside its own run. */
    vm_thread_drop(t, v->L);
    return GREEN_EBUSY;
  }
  t->flags |= VM_F_MAIN;
  v->main = t;
  v->main_done = 0;
  green_task_start(&t->task);
  int r;
  while ((r = green_hub_run(v->hub, &v->main_done)) == GREEN_EDEADLOCK)
    green_task_wake(&t->task, GREEN_EDEADLOCK);
  v->main = v->host;
  if (r < 0) return r;
  return t->ending == VM_RETURNED ? 0 : 1;
}

/* -- Opening and closing -------------------------------------------------- */

/* The state is closing: finalizers of sockets have run (FFI's come first). */
static int vm_gc(lua_State *L)
{
  vm *v = lua_touserdata(L, 1);
  green_hub_free(v->hub);
  v->hub = NULL;
  vm_slots_deinit(&v->slots);
  return 0;
}

static void vm_new_key_table(lua_State *L, enum vm_key k)
{
  lua_newtable(L);
  vm_set_key(L, k);
}

static void vm_open_host(vm *v, lua_State *L)
{
  vm_thread *t = thread_alloc(v, L, host_resume);
  t->flags = VM_F_STARTED;
  t->task.state = GREEN_TASK_RUNNING;
  v->host = v->main = v->current = t;
  lua_pushboolean(L, 0);
  lua_insert(L, -2); /* false stands for the coroutine */
  thread_anchor(v, L, t);
  vm_enter(v, t);
}

int vm_open(lua_State *L, green_hub *hub)
{
  luaL_checkstack(L, 16, "greenlua");
  vm *v = lua_newuserdata(L, sizeof(*v));
  memset(v, 0, sizeof(*v));
  v->hub = hub;
  lua_newtable(L);
  lua_pushcfunction(L, vm_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  vm_set_key(L, VM_KEY_RUNTIME);
  for (int k = VM_KEY_THREADS; k <= VM_KEY_SENTINEL; k++)
    if (k != VM_KEY_ON_END) vm_new_key_table(L, (enum vm_key)k);
  vm_open_blockers(L);
  v->L = lua_newthread(L);
  vm_set_key(L, VM_KEY_L);
  vm_open_host(v, L);
  vm_push_core(L, v);
  lua_pushvalue(L, -1);
  vm_set_key(L, VM_KEY_CORE);
  return 0;
}
