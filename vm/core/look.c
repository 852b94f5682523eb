/*
** look.c: green.core's functions for those who look at threads: which there
** are, what each waits for and since when, what the hub watches.
**
** Nothing here is told by anybody: all is found when somebody asks.
*/

#include "core/door.h"
#include "look.h"

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/scope.h"
#include "io/fdname.h"
#include "io/roster.h"
#include "io/watchdog.h"

#include <sys/stat.h>

/* Slots of the table of threads that one call may pass over: what has become of
** a million threads must not be passed over in one go. That many take some
** microseconds. */
enum { LOOK_SLOTS = 256 };

/* Seconds of the hub's clock; nil: never. */
static void push_time(lua_State *L, int64_t at)
{
  if (at == GREEN_NEVER)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)at * 1e-9);
}

/* -- Threads -------------------------------------------------------------- */

/* The main chunk of a plain luajit has no coroutine before it waits. */
static int is_shown(const vm *v, const vm_thread *t)
{
  return t == v->host ? v->main == v->host : t && t->co;
}

/* Push the thread in a slot of the table at index `table`; NULL, and nothing is
** pushed: there is none. */
static vm_thread *thread_at(const vm *v, lua_State *L, int table, uint32_t slot)
{
  lua_rawgeti(L, table, (int)(2 * slot));
  vm_thread *t = vm_to_thread(L, -1);
  if (is_shown(v, t)) return t;
  lua_pop(L, 1);
  return NULL;
}

/* thread, next = thread_from(slot, id): a live one, in a slot of the table of
** threads that is not below that (1 at first), and where to go on; false, next:
** none was found yet; nothing: there are no more. Threads keep their slots, so
** who goes on from call to call meets each that lives all the while, once. With
** an id only the thread that has it is found. */
static int core_thread_from(lua_State *L)
{
  const vm *v = core_vm(L);
  uint32_t slot = (uint32_t)luaL_checkinteger(L, 1), end = slot + LOOK_SLOTS;
  lua_Number id = luaL_optnumber(L, 2, 0);
  vm_push_key(L, VM_KEY_THREADS);
  int table = lua_gettop(L);
  for (; slot && slot <= v->n_slots && slot < end; slot++) {
    const vm_thread *t = thread_at(v, L, table, slot);
    if (t && (id == 0 || (lua_Number)t->id == id)) break;
    lua_settop(L, table);
  }
  if (!slot || slot > v->n_slots) return 0;
  if (lua_gettop(L) == table) lua_pushboolean(L, 0);
  lua_pushnumber(L, slot < end ? slot + 1 : slot);
  return 2;
}

/* id, parent = ids(thread): its number, and that of the thread that
** spawned it, 0: none. */
static int core_ids(lua_State *L)
{
  const vm_thread *t = core_thread(L, 1);
  lua_pushnumber(L, (lua_Number)t->id);
  lua_pushnumber(L, (lua_Number)t->parent);
  return 2;
}

/* place, since, due, fd = wait_of(thread): of a parked one "read", "write",
** "watch" (it waits for reading beside a reader), "queue" or "deadline", since
** when, until when (nil: for ever), and the number of the descriptor; of one
** that is to start "start", nil, when; nothing: it does not wait. */
static int core_wait_of(lua_State *L)
{
  static const char *const places[] = {"deadline", "read", "write", "watch",
                                       "queue"};
  const green_task *t = &core_thread(L, 1)->task;
  const green_hub *hub = core_vm(L)->hub;
  int is_new = t->state == GREEN_TASK_NEW && t->timer.slot;
  if (t->state != GREEN_TASK_PARKED && !is_new) return 0;
  const green_fd *f = green_task_fd(t);
  lua_pushstring(L, is_new ? "start" : places[t->place]);
  if (is_new)
    lua_pushnil(L);
  else
    push_time(L, t->since);
  push_time(L, green_hub_timer_due(hub, &t->timer));
  if (!f) return 3;
  lua_pushinteger(L, f->fd);
  return 4;
}

/* n = stack_size(thread or coroutine): bytes of its Lua stack that are in use;
** nothing: of one that has ended, or runs. lua_getstack gives the frame's place
** in the stack to whoever asks for it. */
static int core_stack_size(lua_State *L)
{
  lua_Debug ar;
  lua_State *co = lua_tothread(L, 1);
  if (!co) co = core_thread(L, 1)->co;
  if (!co || co == L || core_vm(L)->current->co == co) return 0;
  int slots = lua_gettop(co) + 2;
  if (lua_getstack(co, 0, &ar)) slots += ar.i_ci & 0xffff;
  lua_pushinteger(L, slots * (int)sizeof(double));
  return 1;
}

/* kind, due, is_fired = scope_of(thread, n): its n-th scope from the outermost,
** from 1; kind TIMEOUT, SHIELD or CANCEL; nothing: there is none. */
static int core_scope_of(lua_State *L)
{
  const vm_thread *t = core_thread(L, 1);
  lua_Integer n = luaL_checkinteger(L, 2);
  const green_list *all = &t->task.scopes;
  if (t->task.state == GREEN_TASK_DEAD) return 0;
  for (green_link *k = all->next; k != all; k = k->next) {
    if (--n != 0) continue;
    const green_scope *s = green_container(k, green_scope, link);
    lua_pushinteger(L, s->kind);
    push_time(L, green_hub_timer_due(core_vm(L)->hub, &s->timer));
    lua_pushboolean(L, s->fired);
    return 3;
  }
  return 0;
}

/* -- Descriptors ---------------------------------------------------------- */

/* The thread of a task; false: it is greenc's own; nil: NULL. */
static void push_waiter(lua_State *L, const green_task *t)
{
  const vm *v = core_vm(L);
  if (!t)
    lua_pushnil(L);
  else if (vm_is_thread(v, t))
    vm_push_thread(L, green_container(t, vm_thread, task));
  else
    lua_pushboolean(L, 0);
}

/* fd, armed, is_idle, writer, ... = fd_from(n): of the registered descriptor
** with the least number that is not below n: its number, what the poll watches
** it for (1 reading, 2 writing), whether it stands in an idle set, who waits to
** write, to read, and who watch; false: a task of greenc's. Those who watch are
** WATCHERS at most. Nothing: there is none. */
static int core_fd_from(lua_State *L)
{
  enum { WATCHERS = 16 };
  const green_hub *hub = core_vm(L)->hub;
  const green_fd *f = green_hub_fd_from(hub, (int)luaL_checkinteger(L, 1));
  int n = 4;
  if (!f) return 0;
  luaL_checkstack(L, WATCHERS + 6, "fd_from");
  lua_pushinteger(L, f->fd);
  lua_pushinteger(L, f->armed);
  lua_pushboolean(L, f->idle != NULL);
  push_waiter(L, f->writer);
  const green_task *t = f->readers;
  for (; t && n < 4 + WATCHERS; n++) {
    push_waiter(L, t);
    t = green_container(t->link.next, green_task, link);
    if (t == f->readers) t = NULL;
  }
  return f->readers ? n : 4;
}

/* fd = fd_of(object): of one of core.object's that begins with a green_fd: its
** number, -1: it is closed. */
static int core_fd_of(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TUSERDATA);
  luaL_argcheck(L, lua_objlen(L, 1) >= sizeof(green_fd), 1, "no green_fd");
  const green_fd *f = lua_touserdata(L, 1);
  lua_pushinteger(L, f->hub ? f->fd : -1);
  return 1;
}

/* text = fd_name(fd, is_kind): what a descriptor is (greenc/io/fdname.h), or
** its kind alone. Good after the end of the runtime, too. */
static int core_fd_name(lua_State *L)
{
  char text[GREEN_FDNAME_TEXT];
  int fd = (int)luaL_checkinteger(L, 1);
  int is_kind = lua_toboolean(L, 2);
  int n = is_kind ? green_fdname_kind(fd, text, sizeof(text))
                  : green_fdname(fd, text, sizeof(text));
  if (n < 0) return 0;
  lua_pushlstring(L, text, (size_t)n);
  return 1;
}

/* is_same = same_file(fd, other): are both numbers open, and of one file? */
static int core_same_file(lua_State *L)
{
  struct stat a, b;
  int is_open = fstat((int)luaL_checkinteger(L, 1), &a) == 0 &&
                fstat((int)luaL_checkinteger(L, 2), &b) == 0;
  lua_pushboolean(L, is_open && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
  return 1;
}

/* -- Native threads ------------------------------------------------------- */

static void set_word(lua_State *L, const char *field, const char *text)
{
  if (!*text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

static void set_number(lua_State *L, const char *field, double n)
{
  lua_pushnumber(L, n);
  lua_setfield(L, -2, field);
}

static void set_note(lua_State *L, const green_job_note *n)
{
  set_word(L, "job", n->what);
  set_word(L, "name", n->name);
  set_word(L, "spawned_at", n->site);
  if (n->by) set_number(L, "by", (double)n->by);
}

/* The system call that it sleeps in: asked without the lock, and no matter if
** the thread has gone. */
static void set_syscall(lua_State *L, pid_t tid)
{
  int call, is_blind;
  if (green_watch_where(tid, &call, &is_blind) <= 0 || call < 0) return;
  const char *name = green_syscall_name(call);
  if (name)
    lua_pushstring(L, name);
  else
    lua_pushfstring(L, "%d", call);
  lua_setfield(L, -2, "syscall");
}

/* { number =, jobs =, tid =, state =, seconds =, syscall =, job =, by =,
** name =, spawned_at =, is_ours = } = native_from(number, least): the native
** thread of the process's pools with the lowest number that is not below that;
** nothing: there is none. by and what follows: the green thread that wants the
** job; is_ours: it is of this runtime. syscall: only of one that is at it for
** least seconds (0), since the system is asked, which takes some 15 us. */
static int core_native_from(lua_State *L)
{
  static const char *const states[] = {"idle", "at work", "lost"};
  const vm *v = core_vm(L);
  green_native n;
  if (!green_roster_next((uint64_t)luaL_checkinteger(L, 1), &n)) return 0;
  lua_createtable(L, 0, 11);
  set_number(L, "number", (double)n.number);
  set_number(L, "jobs", (double)n.jobs);
  set_number(L, "tid", n.tid);
  double seconds = (double)(green_clock_now() - n.since) * 1e-9;
  set_number(L, "seconds", seconds);
  set_word(L, "state", states[n.state]);
  if (n.state != GREEN_NATIVE_IDLE && seconds >= luaL_optnumber(L, 2, 0))
    set_syscall(L, n.tid);
  set_note(L, &n.note);
  lua_pushboolean(L, n.hub == v->hub);
  lua_setfield(L, -2, "is_ours");
  return 1;
}

/* code = native_ask(number, jobs, sleeps): as vm_look_ask. */
static int core_native_ask(lua_State *L)
{
  core_vm(L);
  lua_Integer number = luaL_checkinteger(L, 1), jobs = luaL_checkinteger(L, 2);
  lua_pushinteger(
      L, vm_look_ask((uint64_t)number, (uint64_t)jobs, lua_toboolean(L, 3)));
  return 1;
}

/* text = native_answer(number, jobs): as vm_look_answer; nil. */
static int core_native_answer(lua_State *L)
{
  char text[4096];
  core_vm(L);
  lua_Integer number = luaL_checkinteger(L, 1), jobs = luaL_checkinteger(L, 2);
  size_t n =
      vm_look_answer((uint64_t)number, (uint64_t)jobs, text, sizeof(text));
  if (n == 0) return 0;
  lua_pushlstring(L, text, n);
  return 1;
}

const luaL_Reg vm_look_functions[] = {
    {"thread_from", core_thread_from},
    {"ids", core_ids},
    {"wait_of", core_wait_of},
    {"stack_size", core_stack_size},
    {"scope_of", core_scope_of},
    {"fd_from", core_fd_from},
    {"fd_of", core_fd_of},
    {"fd_name", core_fd_name},
    {"same_file", core_same_file},
    {"native_from", core_native_from},
    {"native_ask", core_native_ask},
    {"native_answer", core_native_answer},
    {NULL, NULL},
};
