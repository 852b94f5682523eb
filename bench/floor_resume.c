/*
** floor_resume.c: what LuaJIT itself takes to switch coroutines, driven from
** C: lua_resume of one that yields at once, over 1,000 of them and over one,
** and a coroutine's whole life (create, resume, end).
**
** Prints, in ns of CPU time: switch (1,000 coroutines, JIT on as in scripts),
** switch_one (one coroutine), switch_interpreted (1,000, JIT off), spawn.
*/

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ALL = 1000, SWITCHES = 10000000, LIVES = 2000000 };

static double cpu_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The Lua function of that chunk, on the stack. */
static void push_function(lua_State *L, const char *chunk)
{
  if (luaL_loadstring(L, chunk) == 0 && lua_pcall(L, 0, 1, 0) == 0) return;
  fprintf(stderr, "floor_resume: %s\n", lua_tostring(L, -1));
  exit(1);
}

static double switch_ns(lua_State *L, int coroutines)
{
  static lua_State *co[ALL];
  push_function(L, "local yield = coroutine.yield "
                   "return function() while true do yield() end end");
  for (int i = 0; i < coroutines; i++) {
    co[i] = lua_newthread(L);
    lua_pushvalue(L, -2 - i);
    lua_xmove(L, co[i], 1);
  }
  for (int i = 0; i < coroutines; i++) {
    if (lua_resume(co[i], 0) == LUA_YIELD) continue;
    fprintf(stderr, "floor_resume: a coroutine did not yield\n");
    exit(1);
  }
  double start = cpu_ns();
  for (int n = 0; n < SWITCHES / coroutines; n++)
    for (int i = 0; i < coroutines; i++) lua_resume(co[i], 0);
  double ns = (cpu_ns() - start) / SWITCHES;
  lua_settop(L, 0);
  return ns;
}

static double life_ns(lua_State *L)
{
  push_function(L, "return function() end");
  double start = cpu_ns();
  for (int i = 0; i < LIVES; i++) {
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, -2);
    lua_xmove(L, co, 1);
    lua_resume(co, 0);
    lua_pop(L, 1);
  }
  return (cpu_ns() - start) / LIVES;
}

int main(void)
{
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_checkstack(L, ALL + 10, "coroutines");
  printf("switch=%.2f", switch_ns(L, ALL));
  printf(" switch_one=%.2f", switch_ns(L, 1));
  printf(" spawn=%.1f", life_ns(L));
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  printf(" switch_interpreted=%.2f\n", switch_ns(L, ALL));
  lua_close(L);
  return 0;
}
