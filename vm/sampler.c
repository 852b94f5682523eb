/*
** sampler.c: who owns LuaJIT's profiler, and the handlers around its own.
**
** All here is of the process: the profiler is, and a signal has no other way to
** find its program.
*/

#include "sampler.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <lauxlib.h>
#include <luajit.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* No timer sends a signal but in 27 hours, and that one is taken back. */
#define SELDOM "i100000000"

enum { USERS = 2 };

/* One a runtime, from its first user on. */
struct vm_sampler {
  lua_State *L;                          /* A coroutine that lives as long. */
  vm_sampler_user *_Atomic users[USERS]; /* The handler looks, too. */
  atomic_int asked; /* Signals that are no affair of the script's: its own are
                       the kernel's, of an interval timer. */
  int exact;        /* What a user wants, as LuaJIT was told. */
  int is_lent;      /* The script's jit.profile is at it. */
};

static struct {
  _Atomic(vm_sampler *) owner;
  pthread_t thread;                  /* The owner's, */
  atomic_int tid;                    /* and its number. */
  void (*_Atomic theirs)(int signo); /* LuaJIT's handler. */
  int (*_Atomic breaks)(void);
  lua_Hook hook; /* The script's own, while the owner's is set. */
  int mask;
  int count;
  volatile sig_atomic_t is_inside; /* Of LuaJIT's callback. */
  lua_Hook lost; /* Set by a signal meanwhile: LuaJIT forgets it then. NULL:
                    none. */
  int lost_mask;
  int lost_count;
} sampler;

/* -- Hooks ---------------------------------------------------------------- */

/* In the handler. LuaJIT allows a hook to be set there. */
static void sampler_set_hook(vm_sampler *s, lua_Hook hook)
{
  lua_Hook old = lua_gethook(s->L);
  if (old != hook) {
    sampler.hook = old;
    sampler.mask = lua_gethookmask(s->L);
    sampler.count = lua_gethookcount(s->L);
  }
  lua_sethook(s->L, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

void vm_sampler_unhook(lua_State *L)
{
  lua_sethook(L, sampler.hook, sampler.mask, sampler.count);
  sampler.hook = NULL;
}

/* -- Handlers ------------------------------------------------------------- */

/* Is Lua to be looked at? A signal that finds another one pending is lost, so
** any may stand for one of a timer's; theirs by themselves ask for nothing. */
static int sampler_tick(vm_sampler *s, const siginfo_t *info)
{
  int is_wanted = info->si_code != SI_TIMER && info->si_code != SI_QUEUE;
  for (int i = 0; i < USERS; i++) {
    vm_sampler_user *u = atomic_load(&s->users[i]);
    if (u && u->tick && u->tick(u, info)) is_wanted = 1;
  }
  return is_wanted;
}

static void sampler_restore_hook(vm_sampler *s)
{
  lua_Hook lost = sampler.lost;
  sampler.lost = NULL;
  if (lost) lua_sethook(s->L, lost, sampler.lost_mask, sampler.lost_count);
}

/* Whether somebody breaks in. Not in the callback: LuaJIT puts back what was
** set before it. */
static int sampler_set_hooks(vm_sampler *s)
{
  int (*breaks)(void) = atomic_load(&sampler.breaks);
  if (sampler.is_inside) return 0;
  sampler_restore_hook(s);
  for (int i = 0; i < USERS; i++) {
    vm_sampler_user *u = atomic_load(&s->users[i]);
    if (u && atomic_exchange(&u->hooks, 0)) sampler_set_hook(s, u->hook);
  }
  return breaks && breaks();
}

void vm_sampler_set_breaker(int (*breaks)(void))
{
  atomic_store(&sampler.breaks, breaks);
}

/* A hook is set first: LuaJIT's own handler then has compiled code left, which
** looks at no hook. */
static void sampler_caught(int signo, siginfo_t *info, void *context)
{
  int error = errno;
  vm_sampler *s = atomic_load(&sampler.owner);
  void (*theirs)(int) = atomic_load(&sampler.theirs);
  int is_wanted = 1;
  (void)context;
  if (s && pthread_equal(sampler.thread, pthread_self())) {
    is_wanted = sampler_tick(s, info);
    is_wanted |= sampler_set_hooks(s);
    if (is_wanted && info->si_code != SI_KERNEL) atomic_fetch_add(&s->asked, 1);
  }
  if (theirs && is_wanted) theirs(signo);
  errno = error;
}

static void sampler_ignore(int signo)
{
  (void)signo;
}

static void sampler_handle(void (*handler)(int))
{
  struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigemptyset(&sa.sa_mask);
  sigaction(VM_SAMPLER_SIGNAL, &sa, NULL);
}

static void sampler_handle_ours(void)
{
  struct sigaction sa = {.sa_sigaction = sampler_caught,
                         .sa_flags = SA_RESTART | SA_SIGINFO};
  sigemptyset(&sa.sa_mask);
  sigaction(VM_SAMPLER_SIGNAL, &sa, NULL);
}

/* NULL: ours. */
static void (*sampler_handler(void))(int)
{
  struct sigaction now;
  sigaction(VM_SAMPLER_SIGNAL, NULL, &now);
  int is_ours = now.sa_flags & SA_SIGINFO && now.sa_sigaction == sampler_caught;
  return is_ours ? NULL : now.sa_handler;
}

/* LuaJIT puts back what was there before its own: never the default, which
** would end the process at a signal that comes late. */
static void sampler_handle_late(void)
{
  void (*now)(int) = sampler_handler();
  if (now == SIG_DFL || now == SIG_IGN || !now) sampler_handle(sampler_ignore);
}

/* LuaJIT has just put its own there. 0: it has not. */
static int sampler_wrap(void (*before)(int))
{
  void (*now)(int) = sampler_handler();
  if (now == before) return 0;
  atomic_store(&sampler.theirs, now);
  sampler_handle_ours();
  return 1;
}

/* -- The profiler --------------------------------------------------------- */

static void sampler_tell(vm_sampler *s, lua_State *L, int state)
{
  for (int i = 0; i < USERS; i++) {
    vm_sampler_user *u = atomic_load(&s->users[i]);
    if (u) u->sample(u, L, state);
  }
}

/* LuaJIT's callback ends. There was no hook in it: one that is there now is of
** a signal, Ctrl-C's. */
static void sampler_leave_callback(lua_State *L)
{
  if (lua_gethookmask(L)) {
    sampler.lost_mask = lua_gethookmask(L);
    sampler.lost_count = lua_gethookcount(L);
    sampler.lost = lua_gethook(L);
  }
  sampler.is_inside = 0;
}

static void sampler_on_profile(void *data, lua_State *L, int samples,
                               int vmstate)
{
  (void)samples;
  sampler.is_inside = 1;
  sampler_tell(data, L, vmstate);
  sampler_leave_callback(L);
}

/* Its timer is the process's, and may be somebody's. */
static int sampler_start(vm_sampler *s)
{
  struct itimerval timer;
  sampler_handle_late();
  void (*before)(int) = sampler_handler();
  getitimer(ITIMER_PROF, &timer);
  luaJIT_profile_start(s->L, s->exact ? "l" SELDOM : SELDOM, sampler_on_profile,
                       s);
  setitimer(ITIMER_PROF, &timer, NULL);
  return sampler_wrap(before);
}

static int sampler_is_owner(const vm_sampler *s)
{
  return s && atomic_load(&sampler.owner) == s;
}

int vm_sampler_owner(void)
{
  return atomic_load(&sampler.owner) ? atomic_load(&sampler.tid) : 0;
}

/* The users want it so, or not any more. */
static void sampler_agree(vm_sampler *s)
{
  int exact = 0;
  for (int i = 0; i < USERS; i++) {
    const vm_sampler_user *u = atomic_load(&s->users[i]);
    exact |= u && u->exact;
  }
  if (s->exact == exact) return;
  s->exact = exact;
  if (!sampler_is_owner(s) || s->is_lent) return;
  luaJIT_profile_stop(s->L);
  sampler_start(s);
}

int vm_sampler_is_joined(const vm_sampler_user *u)
{
  return sampler_is_owner(u->sampler);
}

void vm_sampler_set_exact(vm_sampler_user *u)
{
  u->exact = 1;
  if (u->sampler) sampler_agree(u->sampler);
}

/* LuaJIT stops its profiler at the beginning of lua_close, and nobody is told;
** its handler would look for the state. Then ours is not there any more. */
void vm_sampler_ask(vm_sampler_user *u)
{
  void (*theirs)(int) = atomic_load(&sampler.theirs);
  if (!theirs || !vm_sampler_is_joined(u) || sampler_handler()) return;
  atomic_fetch_add(&u->sampler->asked, 1);
  sampler_set_hooks(u->sampler);
  theirs(VM_SAMPLER_SIGNAL);
}

/* -- The script's own ----------------------------------------------------- */

/* Upvalues of what stands in the place of start, stop, and a callback. */
enum { UP_SAMPLER = 1, UP_RAW };

static vm_sampler *sampler_of(lua_State *L)
{
  lua_rawgeti(L, lua_upvalueindex(UP_SAMPLER), 1);
  vm_sampler *s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return sampler_is_owner(s) ? s : NULL;
}

/* The samples that are the script's; s: the sampler, or NULL. */
static lua_Integer profile_share(vm_sampler *s, lua_State *L)
{
  lua_State *where = lua_tothread(L, 1);
  const char *state = lua_tostring(L, 3);
  lua_Integer n = lua_tointeger(L, 2);
  if (!s) return n;
  if (where) sampler_tell(s, where, state ? *state : 0);
  return n - atomic_exchange(&s->asked, 0);
}

/* callback(thread, samples, vmstate), as jit.profile calls it. Samples that we
** have asked for are none of the script's. An error in it ends the process. */
static int profile_callback(lua_State *L)
{
  vm_sampler *s = sampler_of(L);
  sampler.is_inside = s != NULL;
  lua_Integer n = profile_share(s, L);
  if (!s || n > 0) {
    lua_pushinteger(L, n);
    lua_replace(L, 2);
    lua_pushvalue(L, lua_upvalueindex(UP_RAW));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
  }
  if (sampler.is_inside) sampler_leave_callback(L);
  return 0;
}

/* Replace the callback at index 2. */
static void wrap_callback(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(UP_SAMPLER));
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, profile_callback, 2);
  lua_replace(L, 2);
}

static void sampler_take_back(vm_sampler *s)
{
  s->is_lent = 0;
  sampler_start(s);
}

/* Before the script's: a start while ours goes on is one that sees no line of
** compiled code, for LuaJIT stops ours after it has read the mode. */
static void sampler_pause(void)
{
  vm_sampler *s = atomic_load(&sampler.owner);
  atomic_store(&sampler.theirs, NULL);
  luaJIT_profile_stop(s->L);
}

static void profile_lend(vm_sampler *s)
{
  s->is_lent = 1;
  atomic_store(&s->asked, 0);
  sampler_wrap(NULL);
}

/* start(mode, callback). Its "f" is finer then than it was asked for, where
** lines are to be known: its own letters are the last. */
static int profile_start(lua_State *L)
{
  vm_sampler *s = sampler_of(L);
  if (!s && atomic_load(&sampler.owner))
    return luaL_error(L, "LuaJIT's profiler is one a process, and the blocking "
                         "detector or the profiler of another runtime has it");
  lua_settop(L, 2);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (s) wrap_callback(L);
  if (s && s->exact) {
    lua_pushfstring(L, "%sl", luaL_optstring(L, 1, ""));
    lua_replace(L, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_insert(L, 1);
  if (s) sampler_pause();
  int err = lua_pcall(L, 2, 0, 0);
  if (s && err == 0) profile_lend(s);
  if (s && err != 0) sampler_take_back(s);
  return err == 0 ? 0 : lua_error(L);
}

static int profile_stop(lua_State *L)
{
  vm_sampler *s = sampler_of(L);
  if (s && s->is_lent) atomic_store(&sampler.theirs, NULL);
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_call(L, 0, 0);
  if (s && s->is_lent) sampler_take_back(s);
  return 0;
}

/* The field of the module at the top; box is the table that has the sampler. */
static void wrap_field(lua_State *L, int box, const char *name,
                       lua_CFunction wrapped)
{
  lua_pushvalue(L, box);
  lua_getfield(L, -2, name);
  lua_pushcclosure(L, wrapped, 2);
  lua_setfield(L, -2, name);
}

/* module = load(...): jit.profile, wrapped. */
static int profile_load(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(UP_RAW));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  if (!lua_istable(L, -1)) return 1;
  wrap_field(L, lua_upvalueindex(UP_SAMPLER), "start", profile_start);
  wrap_field(L, lua_upvalueindex(UP_SAMPLER), "stop", profile_stop);
  return 1;
}

/* The box of this state's sampler stays, and what was wrapped with it. */
static const char box_key;

static void wrap_loaded(lua_State *L, int box)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "jit.profile");
  if (lua_istable(L, -1)) {
    wrap_field(L, box, "start", profile_start);
    wrap_field(L, box, "stop", profile_stop);
  }
  lua_pop(L, 2);
}

static void wrap_preload(lua_State *L, int box)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_pushvalue(L, box);
  lua_getfield(L, -2, "jit.profile");
  if (lua_isfunction(L, -1)) {
    lua_pushcclosure(L, profile_load, 2);
    lua_setfield(L, -2, "jit.profile");
    lua_pop(L, 1);
  } else {
    lua_pop(L, 3);
  }
}

/* jit.profile says what it does to this sampler from here on. */
static void wrap_profile(vm_sampler *s, lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&box_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  int is_wrapped = lua_istable(L, -1);
  if (!is_wrapped) {
    lua_pop(L, 1);
    lua_createtable(L, 1, 0);
    lua_pushlightuserdata(L, (void *)&box_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
  }
  int box = lua_gettop(L);
  lua_pushlightuserdata(L, s);
  lua_rawseti(L, box, 1);
  if (!is_wrapped) wrap_loaded(L, box);
  if (!is_wrapped) wrap_preload(L, box);
  lua_pop(L, 1);
}

/* -- Users ---------------------------------------------------------------- */

static void sampler_leave(vm_sampler *s)
{
  lua_pushlightuserdata(s->L, (void *)&box_key);
  lua_rawget(s->L, LUA_REGISTRYINDEX);
  lua_pushnil(s->L);
  lua_rawseti(s->L, -2, 1);
  lua_pop(s->L, 1);
  if (!sampler_is_owner(s)) return;
  atomic_store(&sampler.owner, NULL);
  if (s->is_lent) return; /* LuaJIT's handler is called as long as it goes. */
  luaJIT_profile_stop(s->L);
  atomic_store(&sampler.theirs, NULL);
}

static int sampler_take(vm_sampler *s)
{
  vm_sampler *nobody = NULL;
  if (sampler_is_owner(s)) return 0;
  if (!atomic_compare_exchange_strong(&sampler.owner, &nobody, s))
    return GREEN_EBUSY;
  sampler.thread = pthread_self();
  atomic_store(&sampler.tid, (int)gettid());
  sampler.lost = NULL;
  s->is_lent = 0;
  if (sampler_start(s)) return 0;
  atomic_store(&sampler.owner, NULL);
  return GREEN_EBUSY;
}

static vm_sampler *sampler_open(vm *v, lua_State *L)
{
  if (v->sampler) return v->sampler;
  v->sampler = green__zalloc(sizeof(*v->sampler));
  if (!v->sampler) luaL_error(L, "not enough memory");
  v->sampler->L = v->L;
  return v->sampler;
}

static int sampler_is_free(const vm_sampler *s)
{
  for (int i = 0; i < USERS; i++)
    if (atomic_load(&s->users[i])) return 0;
  return 1;
}

int vm_sampler_join(vm *v, vm_sampler_user *u, lua_State *L)
{
  int i = 0;
  if (vm_sampler_is_joined(u)) return 0;
  vm_sampler *s = sampler_open(v, L);
  wrap_profile(s, L);
  if (sampler_is_free(s)) s->exact = u->exact;
  int err = sampler_take(s);
  if (err < 0) return err;
  while (i < USERS && atomic_load(&s->users[i])) i++;
  green_assert(i < USERS, "there is a place for each user");
  u->sampler = s;
  atomic_store(&s->users[i], u);
  sampler_agree(s);
  return 0;
}

void vm_sampler_part(vm_sampler_user *u)
{
  vm_sampler *s = u->sampler;
  if (!s) return;
  for (int i = 0; i < USERS; i++)
    if (atomic_load(&s->users[i]) == u) atomic_store(&s->users[i], NULL);
  u->sampler = NULL;
  if (sampler_is_free(s))
    sampler_leave(s);
  else
    sampler_agree(s);
}

void vm_sampler_free(vm *v)
{
  green__free(v->sampler);
  v->sampler = NULL;
}
