/*
** thread.c: how green threads begin and end.
**
** A thread may end in the middle of a batch, in a child of a fork or when there
** is no memory left: what must happen then allocates nothing. What does
** allocate (results, errors, whoever is to be told) runs protected.
*/

#include "thread.h"
#include "data.h"
#include "scope.h"
#include "site.h"
#include "text.h"

#include "hub/trace.h"

#include <stdlib.h>
#include <string.h>

/* -- The table of threads ------------------------------------------------- */

/* The next free slot, with room in the table for both of its values; whoever
** takes it says so (table_take). Freed slots are chained through the table
** itself. May raise, and has done nothing then. */
static uint32_t table_reserve(vm *v, lua_State *L)
{
  uint32_t slot = v->free_slot ? v->free_slot : v->n_slots + 1;
  if (v->free_slot) return slot;
  vm_push_key(L, VM_KEY_THREADS);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, (int)(2 * slot));
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, (int)(2 * slot - 1));
  lua_pop(L, 1);
  return slot;
}

/* Anchor the coroutine and the userdata at the top of L in the slot that was
** reserved last; both are popped. Allocates nothing. */
static void table_take(vm *v, lua_State *L, vm_thread *t)
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

static void table_give(vm *v, vm_thread *t)
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

/* -- Spawning ------------------------------------------------------------- */

/* The userdata of a thread that is linked nowhere yet. */
static vm_thread *thread_alloc(vm *v, lua_State *L)
{
  vm_thread *t = lua_newuserdata(L, sizeof(*t));
  memset(t, 0, sizeof(*t));
  t->kind = VM_THREAD;
  t->vm = v;
  t->task.state = GREEN_TASK_DEAD; /* Should it be collected before. */
  vm_push_key(L, VM_KEY_MT);
  lua_setmetatable(L, -2);
  return t;
}

static int grow_stack(lua_State *co)
{
  if (!lua_checkstack(co, (int)(intptr_t)lua_touserdata(co, 1)))
    return luaL_error(co, "too many arguments");
  return 0;
}

/* Room for n more values in a coroutine. What goes wrong there is raised in L,
** whose error it is. */
static void co_reserve(lua_State *L, lua_State *co, int n)
{
  int most = LUA_MINSTACK - 4, r = 0;
  if (n > most) r = lua_cpcall(co, grow_stack, (void *)(intptr_t)n);
  if (r == LUA_ERRMEM) luaL_error(L, "not enough memory");
  if (r != 0) luaL_error(L, "too many arguments");
}

/* Give the new thread, whose userdata is at the top of L, the context of the
** one that runs. */
static void inherit(vm *v, lua_State *L, vm_thread *t)
{
  int ud = lua_gettop(L);
  lua_newtable(L);
  vm_push_thread(L, v->current);
  vm_data_get(L, ud + 2, "context");
  lua_setfield(L, ud + 1, "context");
  lua_pop(L, 1);
  lua_setfenv(L, ud);
  t->flags |= VM_F_DATA | VM_F_CONTEXT;
}

static void trace_spawn(const vm *v, const vm_thread *t)
{
  green_trace_event e = {.kind = GREEN_TRACE_SPAWN, .task = &t->task, .fd = -1};
  green_hub_trace(v->hub, &e);
}

vm_thread *vm_thread_new(vm *v, lua_State *L, int n, int flags, int level)
{
  luaL_checkstack(L, 8, "spawn");
  vm_check_fork(v); /* What is made in a child is the child's. */
  int site = level ? vm_site(v, L, level) : 0;
  lua_State *co = lua_newthread(L);
  vm_thread *t = thread_alloc(v, L);
  if (v->current->flags & VM_F_CONTEXT) inherit(v, L, t);
  table_reserve(v, L);
  co_reserve(L, co, n + 1);
  /* From here on nothing can fail. */
  lua_insert(L, -n - 3); /* userdata, fn, ..., coroutine */
  lua_insert(L, -n - 2); /* userdata, coroutine, fn, ... */
  lua_xmove(L, co, n + 1);
  green_task_init(&t->task, v->hub, v->resume);
  t->id = ++v->n_threads;
  t->parent = v->current->id;
  t->co = co;
  if (t->flags & VM_F_DATA) vm_touch(t);
  t->flags |= (uint32_t)flags;
  t->site = (uint16_t)site;
  t->nargs = (int16_t)n;
  lua_pushvalue(L, -2); /* userdata, coroutine, userdata */
  table_take(v, L, t);
  if (green_unlikely(v->trace != NULL)) trace_spawn(v, t);
  return t;
}

void vm_thread_new_host(vm *v, lua_State *L)
{
  vm_thread *t = thread_alloc(v, L);
  table_reserve(v, L);
  green_task_init(&t->task, v->hub, v->resume_host);
  t->id = ++v->n_threads;
  t->flags = VM_F_STARTED;
  t->task.state = GREEN_TASK_RUNNING;
  v->host = v->main = v->current = t;
  v->inbox = lua_newthread(L); /* stands for the coroutine */
  lua_insert(L, -2);
  table_take(v, L, t);
}

/* -- Protected ------------------------------------------------------------ */

static int collect(lua_State *L)
{
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

/* result = body(userdata at index ud, i), protected, in a state that no thread
** runs in. Its result, or a negative error; tried once more after a collection
** when memory is short. */
static int protect(vm *v, enum vm_key body, int ud, int i)
{
  lua_State *L = v->L;
  int r = LUA_ERRMEM, top = lua_gettop(L), result = 0;
  for (int tries = 0; tries < 2 && r == LUA_ERRMEM; tries++) {
    if (tries) lua_cpcall(L, collect, NULL);
    vm_push_key(L, body);
    lua_pushvalue(L, ud);
    lua_pushinteger(L, i);
    r = lua_pcall(L, 2, 1, 0);
    result = (int)lua_tointeger(L, -1);
    lua_settop(L, top);
  }
  if (r == 0) return result;
  return r == LUA_ERRMEM ? GREEN_ENOMEM : GREEN_EINVAL;
}

/* -- Ends ----------------------------------------------------------------- */

/* ending = finish(thread, result of its lua_resume) */
static int finish_body(lua_State *L)
{
  const vm_thread *t = lua_touserdata(L, 1);
  int r = (int)lua_tointeger(L, 2);
  lua_pushinteger(L, vm_data_keep(L, 1, t->co, r));
  return 1;
}

/* tell(thread, report): let on_end(thread, report) run in a thread of its
** own. */
static int tell_body(lua_State *L)
{
  vm *v = vm_get(L);
  int report = (int)lua_tointeger(L, 2);
  vm_push_key(L, VM_KEY_ON_END);
  if (lua_isnil(L, -1)) return 0;
  lua_pushvalue(L, 1);
  lua_pushboolean(L, report);
  vm_thread *t = vm_thread_new(v, L, 2, VM_F_NOWAIT, 0);
  green_task_start(&t->task);
  if (!report) return 0;
  lua_pushvalue(L, 1);
  vm_data_set(L, lua_gettop(L) - 1, "tells");
  t->flags |= VM_F_TELLS;
  return 0;
}

/* untold(thread): it was to tell of an error and raised one itself, as a
** library does that was loaded into what a script has left of Lua. */
static int untold_body(lua_State *L)
{
  vm_data_get(L, 1, "tells");
  lua_replace(L, 1);
  vm_push_text(L);
  lua_pushfstring(L, "greenlua: unhandled error in a green thread:\n%s\n",
                  lua_tostring(L, -1));
  vm_complain(L, lua_tostring(L, -1));
  return 0;
}

/* exit(thread): what is to be done at once. */
static int exit_body(lua_State *L)
{
  vm_push_key(L, VM_KEY_ON_EXIT);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

/* The userdata is at index ud of v->L. */
static void thread_end(vm *v, vm_thread *t, int ud, int ending)
{
  int is_heard = (t->flags & VM_F_MAIN) && !v->orphaned;
  int watched =
      is_heard || t->task.joiners.n || (t->flags & (VM_F_LINKED | VM_F_HEARD));
  int report = ending == VM_RAISED && !watched;
  t->ending = (uint8_t)ending;
  table_give(v, t);
  vm_untouch(t);
  if (!green_list_empty(&t->task.scopes)) vm_scope_forget(t);
  green_task_end(&t->task);
  if (t->flags & VM_F_MAIN) v->main_done = 1;
  if ((t->flags & VM_F_MAIN) && v->orphaned) v->host_done = 1;
  if (t->flags & VM_F_EXITS) protect(v, VM_KEY_EXIT_BODY, ud, 0);
  if (report && (t->flags & VM_F_TELLS))
    protect(v, VM_KEY_UNTOLD_BODY, ud, 0);
  else if ((t->flags & VM_F_LINKED) || report)
    protect(v, VM_KEY_TELL_BODY, ud, report);
}

void vm_thread_finish(vm *v, vm_thread *t, int r)
{
  lua_State *L = v->L;
  int ending = VM_RETURNED, ud = lua_gettop(L) + 1;
  vm_push_thread(L, t);
  if (r != 0 || (lua_gettop(t->co) > 0 && !(t->flags & VM_F_NOWAIT)))
    ending = protect(v, VM_KEY_FINISH_BODY, ud, r);
  if (ending < 0) { /* No memory for what it said: that is an error, too. */
    ending = VM_RAISED;
    t->flags |= VM_F_SPEECHLESS;
  }
  thread_end(v, t, ud, ending);
  lua_settop(L, ud - 1);
}

/* lost(queue, ...): owner:_lost(queue, ...) */
static int lost_body(lua_State *L)
{
  int n = lua_gettop(L);
  lua_getfenv(L, 1);
  lua_getfield(L, -1, "_lost");
  lua_insert(L, 1);
  lua_insert(L, 2); /* _lost, owner, queue, ... */
  lua_call(L, n + 1, 0);
  return 0;
}

/* What t was handed and has not seen: push lost_body, the queue and the values.
** The waker has put the queue below the status and the values (VM_HANDED_MOST
** at most). How many arguments that are. */
static int push_handed(vm *v, vm_thread *t)
{
  lua_State *L = v->L, *co = t->co;
  int queue = lua_gettop(co) - t->nargs;
  if (!(t->flags & VM_F_HANDED) || t->task.state != GREEN_TASK_READY) return 0;
  vm_push_key(L, VM_KEY_LOST_BODY);
  for (int i = queue; i < queue + t->nargs; i++) {
    lua_pushvalue(co, i == queue ? i : i + 1); /* Not the status. */
    lua_xmove(co, L, 1);
  }
  return t->nargs;
}

static void thread_drop(vm_thread *t, int flags_off)
{
  vm *v = t->vm;
  lua_State *L = v->L;
  int ud = lua_gettop(L) + 1;
  vm_push_thread(L, t);
  int n = push_handed(v, t);
  t->flags &= ~(uint32_t)flags_off;
  thread_end(v, t, ud, VM_KILLED);
  if (n) lua_pcall(L, n, 0, 0);
  lua_settop(L, ud - 1);
}

/* tell_now(thread): what it was to do, here and at once. */
static int tell_now_body(lua_State *L)
{
  vm_push_key(L, VM_KEY_ON_END);
  vm_data_get(L, 1, "tells");
  lua_pushboolean(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* The first one that is to tell, behind a live thread, or of all (NULL). */
static vm_thread *next_teller(const vm *v, const vm_thread *behind)
{
  const green_hub *hub = v->hub;
  green_task *k = behind ? green_hub_next_task(hub, &behind->task)
                         : green_hub_first_task(hub);
  for (; k; k = green_hub_next_task(hub, k)) {
    vm_thread *t =
        vm_is_thread(v, k) ? green_container(k, vm_thread, task) : NULL;
    if (t && (t->flags & VM_F_TELLS) && !(t->flags & VM_F_STARTED)) return t;
  }
  return NULL;
}

static void tell_now(vm *v, vm_thread *t)
{
  lua_State *L = v->L;
  int ud = lua_gettop(L) + 1;
  vm_push_thread(L, t);
  t->flags &= ~(uint32_t)VM_F_TELLS;
  if (protect(v, VM_KEY_TELL_NOW_BODY, ud, 0) < 0)
    protect(v, VM_KEY_UNTOLD_BODY, ud, 0);
  lua_settop(L, ud - 1);
}

/* Those who wait for ever may be many, and are not looked at once more for
** each: one that has told stays until the next is found. */
void vm_tell_rest(vm *v)
{
  vm_thread *t = next_teller(v, NULL);
  while (t) {
    tell_now(v, t);
    int is_live = t->task.state != GREEN_TASK_DEAD; /* Scripts were told. */
    vm_thread *next = next_teller(v, is_live ? t : NULL);
    if (is_live) vm_thread_forget(t);
    t = next;
  }
}

void vm_thread_drop(vm_thread *t)
{
  thread_drop(t, 0);
}

void vm_thread_forget(vm_thread *t)
{
  thread_drop(t, VM_F_LINKED | VM_F_MAIN);
}

void vm_forget_host(vm *v)
{
  lua_State *L = v->L;
  green_task_wake(&v->host->task, GREEN_ECANCELED); /* It leaves its queue. */
  vm_push_thread(L, v->host);
  if (v->host->flags & VM_F_EXITS)
    protect(v, VM_KEY_EXIT_BODY, lua_gettop(L), 0);
  lua_pop(L, 1);
}

void vm_open_threads(lua_State *L)
{
  const struct {
    enum vm_key key;
    lua_CFunction body;
  } bodies[] = {
      {VM_KEY_FINISH_BODY, finish_body}, {VM_KEY_TELL_BODY, tell_body},
      {VM_KEY_EXIT_BODY, exit_body},     {VM_KEY_LOST_BODY, lost_body},
      {VM_KEY_UNTOLD_BODY, untold_body}, {VM_KEY_TELL_NOW_BODY, tell_now_body}};
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    lua_pushcfunction(L, bodies[i].body);
    vm_set_key(L, bodies[i].key);
  }
}
