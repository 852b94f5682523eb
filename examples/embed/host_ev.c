/*
** host_ev.c: a runtime inside a host's own libev loop. Nobody polls: the host's
** timers and the script's green threads wait in the same place.
**
**   cc host_ev.c $(pkg-config --cflags --libs greenlua luajit) -lev && ./a.out
*/

#include <ev.h>
#include <greenlua.h>
#include <lua.h>
#include <stdio.h>

static const char script[] = "local green = require 'green'\n"
                             "for i = 1, 3 do tell(i) green.sleep(0.02) end\n"
                             "stop()\n";

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
  (void)loop, (void)w, (void)revents;
  puts("host");
}

/* tell(i): what the script has to say. */
static int host_tell(lua_State *L)
{
  printf("script %d\n", (int)lua_tointeger(L, 1));
  return 0;
}

/* stop(): the script has done; let ev_run return. */
static int host_stop(lua_State *L)
{
  ev_break(lua_touserdata(L, lua_upvalueindex(1)), EVBREAK_ALL);
  return 0;
}

int main(void)
{
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  ev_timer tick;
  greenlua_options options = {.ev_loop = loop};
  greenlua *g = greenlua_new(&options);
  if (!g) return 1;
  lua_State *L = greenlua_state(g);
  lua_register(L, "tell", host_tell);
  lua_pushlightuserdata(L, loop);
  lua_pushcclosure(L, host_stop, 1);
  lua_setglobal(L, "stop");
  ev_timer_init(&tick, on_tick, 0.01, 0.02);
  ev_timer_start(loop, &tick);
  int r = greenlua_start(g, script, "=script");
  if (r == 0) ev_run(loop, 0);
  if (r != 0) fprintf(stderr, "%s\n", greenlua_error(g));
  greenlua_free(g);
  ev_loop_destroy(loop);
  return r;
}
