/*
** finalizer.c: what green.patch.finalizers asks of C.
*/

#include "finalizer.h"
#include "faults.h"
#include "text.h"

#include <lauxlib.h>
#include <luajit.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PATIENCE 10000    /* Ways out, the same one. */
#define TRACES_MOST 65535 /* LuaJIT counts them in 16 bits. */

/* LuaJIT tells of a way out in some 60 slots of the stack, and has no frame
** there that could catch an overflow. So nobody is told any more once one was
** taken above half of the 65,500 that a stack can have. */
#define SLOTS_MOST 32000

/* LuaJIT's own structures, where its pointers have 64 bits. */
#define STATE_GLOBAL 16 /* Where what all states share lies; */
#define STATE_BASE 32   /* the running function's first slot; */
#define STATE_STACK 56  /* the stack's. */
#define LOOKED_AT 512   /* Bytes of what they share. */
#define HOOK_EVENTS 0x0f
#define HOOK_GC 0x40

typedef struct finalizers {
  uint8_t *mask; /* LuaJIT's hookmask. */
  int event;     /* Its number for handlers of ways out; 0: there are none. */
  int trace;     /* The way out that was taken last, */
  int exit;
  int times; /* in succession. */
} finalizers;

enum { STATE = 1, FUNCTION = 1, CALL }; /* Upvalues. */

/* -- Inside LuaJIT --------------------------------------------------------- */

static char *pointer_at(lua_State *L, int offset)
{
  return *(char **)((char *)L + offset);
}

static int has_room(lua_State *L)
{
  ptrdiff_t used = pointer_at(L, STATE_BASE) - pointer_at(L, STATE_STACK);
  return used / (ptrdiff_t)sizeof(double) < SLOTS_MOST;
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
  (void)L;
  (void)ar;
}

/* What of `global` has the bits of a mask while that is set? */
static void keep_fitting(const uint8_t *global, bool *fits, int mask)
{
  for (int i = 0; i < LOOKED_AT; i++)
    if ((global[i] & HOOK_EVENTS) != mask) fits[i] = false;
}

static int only_one(const bool *fits)
{
  int found = -1;
  for (int i = 0; i < LOOKED_AT; i++) {
    if (!fits[i]) continue;
    if (found >= 0) return -1;
    found = i;
  }
  return found;
}

static uint8_t *try_masks(lua_State *L)
{
  static const int masks[] = {LUA_MASKLINE, LUA_MASKCOUNT,
                              LUA_MASKCALL | LUA_MASKRET, 0};
  uint8_t *global = (uint8_t *)pointer_at(L, STATE_GLOBAL);
  bool fits[LOOKED_AT];
  for (int i = 0; i < LOOKED_AT; i++) fits[i] = true;
  for (int i = 0; i < 4; i++) {
    lua_sethook(L, masks[i] ? on_hook : NULL, masks[i], 1 << 30);
    keep_fitting(global, fits, masks[i]);
  }
  int at = only_one(fits);
  return at >= 0 ? global + at : NULL;
}

/* A host's hook comes back, and one that SIGINT sets is not lost. */
static uint8_t *find_mask(lua_State *L)
{
  lua_Hook hook = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  sigset_t interrupt, was;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &was);
  uint8_t *found = try_masks(L);
  lua_sethook(L, hook, mask, count);
  pthread_sigmask(SIG_SETMASK, &was, NULL);
  return found;
}

/* -- Ways out -------------------------------------------------------------- */

/* Code that begins at the loop, and what was compiled behind its ways out, is
** not entered again. Its memory stays, as long as others come from there. */
static void forget_traces(lua_State *L, const finalizers *f)
{
  __atomic_fetch_and(f->mask, (uint8_t)~HOOK_GC, __ATOMIC_RELAXED);
  for (int i = 1; i <= TRACES_MOST; i++)
    luaJIT_setmode(L, i, LUAJIT_MODE_TRACE | LUAJIT_MODE_FLUSH);
  __atomic_fetch_or(f->mask, HOOK_GC, __ATOMIC_RELAXED);
}

/* No handler is told any more, until one is attached again. */
static void stop_telling(lua_State *L, const finalizers *f)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_VMEVENTS");
  lua_pushnil(L);
  lua_rawseti(L, -2, f->event);
  lua_pop(L, 1);
}

/* on_exit(trace, exit, ...): the handler. */
static int on_exit_of_trace(lua_State *L)
{
  finalizers *f = lua_touserdata(L, lua_upvalueindex(STATE));
  int trace = (int)lua_tointeger(L, 1), exit = (int)lua_tointeger(L, 2);
  if (trace != f->trace || exit != f->exit) f->times = 0;
  f->trace = trace;
  f->exit = exit;
  if (++f->times % PATIENCE == 0 && *f->mask & HOOK_GC) forget_traces(L, f);
  if (!has_room(L)) stop_telling(L, f);
  return 0;
}

/* -- Finalizers ------------------------------------------------------------ */

/* is_inside, has_room = look(): does the collector call a finalizer; may there
** be a handler? What it has counted is of another finalizer. */
static int look(lua_State *L)
{
  finalizers *f = lua_touserdata(L, lua_upvalueindex(STATE));
  f->times = 0;
  lua_pushboolean(L, *f->mask & HOOK_GC);
  lua_pushboolean(L, f->event && has_room(L));
  return 2;
}

/* Push " at file:line" for a function of Lua's, or "" where a text begins with
** its file already. */
static void push_place(lua_State *L, int fn, const char *text)
{
  lua_Debug ar = {.what = "C"};
  lua_pushvalue(L, fn);
  if (lua_isfunction(L, fn))
    lua_getinfo(L, ">S", &ar);
  else
    lua_pop(L, 1);
  if (*ar.what == 'C' || !strncmp(text, ar.short_src, strlen(ar.short_src)))
    lua_pushliteral(L, "");
  else
    lua_pushfstring(L, " at %s:%d", ar.short_src, ar.linedefined);
}

/* tell(fn, err): what a finalizer has failed with. */
static int tell(lua_State *L)
{
  lua_settop(L, 2);
  vm_value_to_text(L);
  int text = lua_gettop(L);
  push_place(L, 1, lua_tostring(L, text));
  lua_pushfstring(L, "greenlua: error in a finalizer%s: %s\n",
                  lua_tostring(L, -1), lua_tostring(L, text));
  vm_complain_of(L, lua_gettop(L));
  return 0;
}

/* What guard makes. */
static int run(lua_State *L)
{
  lua_pushvalue(L, lua_upvalueindex(FUNCTION));
  lua_insert(L, 1);
  lua_pushvalue(L, lua_upvalueindex(CALL));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* guard(fn, call): what calls call(fn, ...). A function of C's is half as large
** as one of Lua's; but what it calls cannot wait. */
static int guard(lua_State *L)
{
  lua_settop(L, 2);
  lua_pushcclosure(L, run, 2);
  return 1;
}

/* -- Putting them there ---------------------------------------------------- */

int vm_finalizers_has(const char *source)
{
  static const char file[] = "green/patch/finalizers.lua";
  size_t n = strlen(source), length = sizeof(file) - 1;
  return n > length && !strcmp(source + n - length, file);
}

/* Push what it returns. 0, and nothing: there is none. */
static int push_module(lua_State *L, const char *name)
{
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  int err = lua_pcall(L, 1, 1, 0);
  if (err == LUA_ERRMEM) lua_error(L);
  if (err) lua_pop(L, 1);
  return !err;
}

static int has_wide_pointers(lua_State *L)
{
  if (!push_module(L, "ffi")) return 0;
  lua_getfield(L, -1, "abi");
  lua_pushliteral(L, "gc64");
  lua_call(L, 1, 1);
  int has = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return has;
}

static void set_function(lua_State *L, int ud, const char *name,
                         lua_CFunction fn)
{
  lua_pushvalue(L, ud);
  lua_pushcclosure(L, fn, 1);
  lua_setfield(L, -2, name);
}

/* event = install(api): a host may have opened green.core without the Lua that
** belongs to it. */
static void install(lua_State *L, uint8_t *mask, int loops_are_wrong)
{
  finalizers *f = lua_newuserdata(L, sizeof(*f));
  *f = (finalizers){.mask = mask};
  int ud = lua_gettop(L);
  if (!push_module(L, "green.patch.finalizers")) return;
  lua_newtable(L);
  set_function(L, ud, "look", look);
  set_function(L, ud, "tell", tell);
  set_function(L, ud, "guard", guard);
  if (loops_are_wrong) set_function(L, ud, "on_exit", on_exit_of_trace);
  lua_pushvalue(L, LUA_REGISTRYINDEX);
  lua_setfield(L, -2, "registry");
  lua_call(L, 1, 1);
  f->event = (int)lua_tointeger(L, -1);
}

void vm_finalizers_mend(lua_State *L)
{
  int faults = vm_faults(L), top = lua_gettop(L);
  if (!(faults & VM_FAULT_FINALIZERS)) return;
  uint8_t *mask = has_wide_pointers(L) ? find_mask(L) : NULL;
  if (mask) install(L, mask, (faults & VM_FAULT_EXITS) != 0);
  lua_settop(L, top);
}
