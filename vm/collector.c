/*
** collector.c: how long Lua's garbage collector rests.
*/

#include "collector.h"

/* In hundredths: the next cycle begins at so many times of what lives. */
#define PAUSE_LEAST 200 /* Lua's default. */
#define PAUSE_MOST 400
#define GARBAGE_MOST (16 << 10) /* KB that more than PAUSE_LEAST may add. */

static int pause_for(int live_kb)
{
  int pause = 100 + (int)(100LL * GARBAGE_MOST / (live_kb + 1));
  if (pause > PAUSE_MOST) return PAUSE_MOST;
  return pause < PAUSE_LEAST ? PAUSE_LEAST : pause;
}

/* Push what is collected in the next cycle, at upvalue 1's behest. Its value is
** the pause that was set, to be told from one of the script's. */
static void push_sentinel(lua_State *L, int pause)
{
  *(int *)lua_newuserdata(L, sizeof(int)) = pause;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
}

/* A finalizer, once in each cycle: what is left then is what lives, nearly. A
** script may put back what it has found: that is ours again. */
static int collector_on_cycle(lua_State *L)
{
  int was = *(int *)lua_touserdata(L, 1);
  int pause = pause_for(lua_gc(L, LUA_GCCOUNT, 0));
  int now = lua_gc(L, LUA_GCSETPAUSE, pause);
  if (now != was) {
    lua_gc(L, LUA_GCSETPAUSE, now); /* The script's. */
    pause = was;
  }
  push_sentinel(L, pause);
  return 0;
}

void vm_collector_open(lua_State *L)
{
  int pause = pause_for(lua_gc(L, LUA_GCCOUNT, 0));
  lua_gc(L, LUA_GCSETPAUSE, pause);
  lua_createtable(L, 0, 1);
  *(int *)lua_newuserdata(L, sizeof(int)) = pause;
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, collector_on_cycle, 1);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pop(L, 2);
}
