/*
** busy.c: a host that asks for runs while it is inside its own ev_run, and from
** a function that a script has called. spec/regress/014_host_busy_spec.lua runs
** it and reads what it prints.
*/

#include <ev.h>
#include <greenlua.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

static greenlua *g;
static int step;

/* Prints through C's stdout, as all of this program does. */
static int host_tell(lua_State *L)
{
  printf("tell %s\n", luaL_checkstring(L, 1));
  return 0;
}

static const char *outcome(int r)
{
  return r == 0 ? "0" : r > 0 ? "1" : "negative";
}

/* A run of that kind; none of them may begin. */
static void ask_run(const char *where)
{
  lua_State *L = greenlua_state(g);
  int top = lua_gettop(L);
  int r = greenlua_dostring(g, "ran = true tell 'a run that gave EBUSY'", "=x");
  printf("%s dostring %s: %s\n", where, outcome(r), greenlua_error(g));
  r = greenlua_dostring(g, "require('green').sleep(0.01) ran = true", "=x");
  printf("%s waiting dostring %s: %s\n", where, outcome(r), greenlua_error(g));
  luaL_loadstring(L, "ran = true tell 'a call that gave EBUSY' return 7");
  r = greenlua_call(g, 0);
  printf("%s call %s\n", where, outcome(r));
  lua_settop(L, top);
  r = greenlua_turn(g, 0);
  printf("%s turn %s\n", where, outcome(r));
  r = greenlua_turn(g, 1);
  printf("%s blocking turn %s\n", where, outcome(r));
}

/* Call a global of the script's on the host's state, as lua_pcall would. */
static void call_in_place(const char *name)
{
  lua_State *L = greenlua_state(g);
  lua_getglobal(L, name);
  if (lua_pcall(L, 0, 0, 0) != 0) {
    printf("%s failed: %s\n", name, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
}

static int host_run(lua_State *L)
{
  (void)L;
  ask_run("inside a thread:");
  return 0;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
  (void)w, (void)revents;
  switch (++step) {
  case 1:
    ask_run("inside ev_run:");
    break;
  case 2:
    call_in_place("wait_everywhere");
    break;
  case 3:
    call_in_place("do_without_waiting");
    break;
  case 4:
    ask_run("inside ev_run again:");
    break;
  case 8:
    call_in_place("check");
    break;
  case 9:
    ev_break(loop, EVBREAK_ALL);
    break;
  default:
    break;
  }
}

int main(int argc, char **argv)
{
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  greenlua_options options = {.ev_loop = loop};
  ev_timer timer;
  setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash */
  if (argc != 2 || !(g = greenlua_new(&options))) return 2;
  lua_register(greenlua_state(g), "tell", host_tell);
  lua_register(greenlua_state(g), "run", host_run);
  if (greenlua_dofile(g, argv[1]) != 0) {
    fprintf(stderr, "%s\n", greenlua_error(g));
    return 1;
  }
  ev_timer_init(&timer, on_timer, 0.01, 0.01);
  ev_timer_start(loop, &timer);
  ev_run(loop, 0);
  ev_timer_stop(loop, &timer);
  int r = greenlua_dostring(g, "check() require('green').sleep(0.001)", "=x");
  printf("afterwards %s: %s\n", outcome(r), greenlua_error(g));
  greenlua_free(g);
  ev_loop_destroy(loop);
  puts("end");
  return 0;
}
