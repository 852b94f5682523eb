/*
** refusal.c: what keeps a coroutine, or the main chunk, from waiting.
*/

#include "refusal.h"
#include "site.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* -- Functions that call back ---------------------------------------------- */

/* The library puts a print of its own over Lua's, which calls that: keep the
** functions themselves. */
void vm_open_blockers(lua_State *L)
{
  static const char *const names[][2] = {
      {"string", "gsub"}, {"table", "sort"}, {"_G", "print"}};
  if (luaL_loadstring(L, "local n = 0 for i = 1, 3 do n = n + i end") != 0)
    lua_error(L);
  vm_set_key(L, VM_KEY_COUNTER);
  vm_push_key(L, VM_KEY_BLOCKERS);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  for (int i = 0; i < 3; i++) {
    lua_getfield(L, -1, names[i][0]);
    lua_getfield(L, -1, names[i][1]);
    if (*names[i][0] == '_')
      lua_pushstring(L, names[i][1]);
    else
      lua_pushfstring(L, "%s.%s", names[i][0], names[i][1]);
    lua_rawset(L, -5);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

/* Push the name of the function at the top of L if it is one of those. */
static int push_blocker_name(lua_State *L)
{
  vm_push_key(L, VM_KEY_BLOCKERS);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_isnil(L, -1)) return 1;
  lua_pop(L, 1);
  return 0;
}

/* Push on L the function at a level of the state at. Returns whether there is
** one. */
static int push_function_at(lua_State *L, lua_State *at, int level,
                            lua_Debug *ar)
{
  if (!lua_getstack(at, level, ar)) return 0;
  lua_getinfo(at, "Sf", ar);
  if (at != L) lua_xmove(at, L, 1);
  return 1;
}

/* The main chunk's stack cannot be asked (lua_isyieldable) since the main
** chunk does not yield. */
static int host_in_callback(lua_State *at, lua_State *L)
{
  lua_Debug ar;
  for (int level = 1; push_function_at(L, at, level, &ar); level++) {
    int bad = *ar.what == 'C' && push_blocker_name(L);
    lua_pop(L, 1 + bad);
    if (bad) return 1;
  }
  return 0;
}

static void host_on_hook(lua_State *L, lua_Debug *ar)
{
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
}

static int host_runs_hooks(lua_State *L)
{
  lua_Hook old = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_sethook(L, host_on_hook, LUA_MASKCOUNT, 1);
  vm_push_key(L, VM_KEY_COUNTER);
  lua_call(L, 0, 0);
  int stuck = lua_gethook(L) == host_on_hook;
  lua_sethook(L, old, mask, count);
  return !stuck;
}

/* LuaJIT runs no hook inside a finalizer. That the collector is stopped there
** says nothing: the script may have stopped it before, or started it since.
** Programs like luajit set a hook when SIGINT comes: here it would be lost. */
static int host_in_finalizer(lua_State *L)
{
  sigset_t interrupt, was;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &was);
  int runs = host_runs_hooks(L);
  pthread_sigmask(SIG_SETMASK, &was, NULL);
  return !runs;
}

/* May the main chunk, whose state is at, run the loop here, or is it inside
** string.gsub or the like, or L inside a finalizer? */
static int host_can_wait(lua_State *at, lua_State *L)
{
  return !host_in_callback(at, L) && !host_in_finalizer(L);
}

/* -- Saying why ----------------------------------------------------------- */

/* Is the function at the top of L a field of a loaded module? Push its name. */
static int push_loaded_name(lua_State *L)
{
  int fn = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  for (lua_pushnil(L); lua_next(L, fn + 1); lua_pop(L, 1)) {
    if (!lua_istable(L, -1) || lua_type(L, -2) != LUA_TSTRING) continue;
    for (lua_pushnil(L); lua_next(L, fn + 3); lua_pop(L, 1)) {
      if (lua_type(L, -2) != LUA_TSTRING || !lua_rawequal(L, -1, fn)) continue;
      const char *mod = lua_tostring(L, fn + 2), *name = lua_tostring(L, -2);
      if (strcmp(mod, "_G") == 0)
        lua_pushstring(L, name);
      else
        lua_pushfstring(L, "%s.%s", mod, name);
      lua_replace(L, fn + 1);
      lua_settop(L, fn + 1);
      return 1;
    }
  }
  lua_settop(L, fn);
  return 0;
}

/* pcall and its kin may be waited in; they are never the culprit. */
static int is_transparent(const char *name)
{
  static const char *const names[] = {"pcall", "xpcall", "green.core.", NULL};
  for (int i = 0; names[i]; i++)
    if (strncmp(name, names[i], strlen(names[i])) == 0) return 1;
  return 0;
}

static int is_among(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (strcmp(name, *names) == 0) return 1;
  return 0;
}

/* Is it one of Lua's own functions that call nothing that could wait? */
static int calls_nothing(const char *name)
{
  static const char *const folders[] = {"string.", "table.", "math.", "io.",
                                        "os.",     "bit.",   NULL};
  static const char *const callers[] = {"string.gsub",    "string.format",
                                        "table.sort",     "table.foreach",
                                        "table.foreachi", NULL};
  static const char *const globals[] = {
      "assert",   "error",  "getmetatable", "ipairs", "next",
      "pairs",    "rawget", "rawset",       "select", "setmetatable",
      "tonumber", "type",   "unpack",       NULL};
  for (int i = 0; folders[i]; i++)
    if (strncmp(name, folders[i], strlen(folders[i])) == 0)
      return !is_among(name, callers);
  return is_among(name, globals);
}

/* Push on L "string.gsub" or what else keeps the coroutine at from waiting,
** found on its stack below what waits or resumes, or nothing. */
static int push_caller(lua_State *L, lua_State *at)
{
  lua_Debug ar;
  int unnamed = 0;
  for (int level = 1; push_function_at(L, at, level, &ar); level++) {
    if (*ar.what == 'C' && (push_blocker_name(L) || push_loaded_name(L))) {
      lua_remove(L, -2);
      if (calls_nothing(lua_tostring(L, -1))) return lua_pop(L, 1), 0;
      if (!is_transparent(lua_tostring(L, -1))) return 1;
    } else {
      unnamed |= *ar.what == 'C';
    }
    lua_pop(L, 1);
  }
  if (unnamed) lua_pushliteral(L, "a C function");
  return unnamed;
}

/* Push what keeps the coroutine at from waiting. A message handler stands on
** the stack of what failed: on a function that calls nothing, or on no C at
** all. (The status of the state does not tell: an error that is caught in the
** handler, also one inside the JIT compiler, sets it back.) Finalizers stand
** anywhere. */
static void push_blocker(lua_State *L, lua_State *at)
{
  luaL_checkstack(L, 12, "traceback");
  if (host_in_finalizer(L))
    lua_pushliteral(L, "a finalizer or a debug hook");
  else if (lua_status(at) == LUA_ERRERR || !push_caller(L, at))
    lua_pushliteral(L, "the message handler of xpcall");
}

/* -- Who cannot wait ------------------------------------------------------ */

enum refusal {
  REFUSED_NOT,
  REFUSED_FOREIGN,
  REFUSED_INSIDE,
  REFUSED_BUSY,
  REFUSED_ENDED /* All threads were abandoned: the state is being closed. */
};

/* The user coroutine of the running thread at that depth. */
static lua_State *level_at(lua_State *L, int depth)
{
  vm_push_key(L, VM_KEY_LEVELS);
  lua_rawgeti(L, -1, depth);
  lua_State *co = lua_tothread(L, -1);
  lua_pop(L, 2);
  return co;
}

/* Is what low does at this moment to resume high? A raw coroutine.resume may
** stand between two of ours. */
static int is_resuming(lua_State *L, lua_State *low, lua_State *high)
{
  lua_Debug ar;
  if (!low || !lua_getstack(low, 0, &ar) || !lua_getlocal(low, &ar, 1))
    return 0;
  if (low != L) lua_xmove(low, L, 1);
  int same = lua_tothread(L, -1) == high;
  lua_pop(L, 1);
  return same;
}

/* Can the running thread's own coroutine, or the main chunk, wait? *at is its
** state. */
static enum refusal refuses_bottom(vm *v, lua_State *L, lua_State **at)
{
  const vm_thread *t = v->current;
  lua_State *high = *at;
  *at = t == v->host ? v->main_state : t->co;
  if (!*at) return REFUSED_NOT; /* relay will tell. */
  if (*at != high && !is_resuming(L, *at, high)) return REFUSED_FOREIGN;
  if (t != v->host)
    return lua_isyieldable(t->co) ? REFUSED_NOT : REFUSED_INSIDE;
  if (!host_can_wait(*at, L)) return REFUSED_INSIDE;
  return green_hub_is_busy(v->hub) ? REFUSED_BUSY : REFUSED_NOT;
}

/* Can L wait here, and all that it was resumed from? *at: the state in whose
** way something stands. */
static enum refusal refuses(vm *v, lua_State *L, lua_State **at)
{
  const vm_thread *t = v->current;
  int depth = v->turn.depth;
  *at = L;
  if (t->task.state == GREEN_TASK_DEAD) return REFUSED_ENDED;
  if (t == v->host && vm_is_main_state(L)) {
    v->main_state = L;
    return refuses_bottom(v, L, at);
  }
  if (L == t->co) depth = v->turn.depth = 0; /* Should it have lost count. */
  if (L != (depth ? level_at(L, depth) : t->co)) return REFUSED_FOREIGN;
  if (!lua_isyieldable(L)) return REFUSED_INSIDE;
  if (!depth) return REFUSED_NOT;
  for (lua_State *high = L; --depth > 0; high = *at) {
    *at = level_at(L, depth);
    if (!is_resuming(L, *at, high)) return REFUSED_FOREIGN;
    if (!lua_isyieldable(*at)) return REFUSED_INSIDE;
  }
  return refuses_bottom(v, L, at);
}

int vm_can_wait(vm *v, lua_State *L)
{
  lua_State *at;
  return refuses(v, L, &at) == REFUSED_NOT;
}

int vm_push_refusal(vm *v, lua_State *L)
{
  lua_State *at;
  switch (refuses(v, L, &at)) {
  case REFUSED_NOT:
    return 0;
  case REFUSED_FOREIGN:
    lua_pushliteral(L, "cannot wait in a coroutine that greenlua did not "
                       "resume");
    return 1;
  case REFUSED_ENDED:
    lua_pushliteral(L, "cannot wait: the runtime has ended");
    return 1;
  case REFUSED_BUSY:
    lua_pushfstring(L,
                    "cannot wait here: the loop is run by whoever called "
                    "this (%s)",
                    green_err_name(GREEN_EBUSY));
    return 1;
  case REFUSED_INSIDE:
    lua_pushliteral(L, "cannot wait inside ");
    push_blocker(L, at);
    lua_concat(L, 2);
  }
  return 1;
}

void vm_check_wait(vm *v, lua_State *L)
{
  if (green_likely(!vm_push_refusal(v, L))) return;
  v->want.from = NULL;
  vm_push_place(L, v);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_error(L);
}
