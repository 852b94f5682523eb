/*
** host.c: two runtimes in one C program, turn about.
**
**   cc host.c $(pkg-config --cflags --libs greenlua luajit) && ./a.out
*/

#include <greenlua.h>
#include <lua.h>
#include <stdio.h>
#include <unistd.h>

static const char script[] =
    "local green = require 'green'\n"
    "green.spawn(function() green.sleep(0.01) print(name, 'thread') end)\n"
    "for i = 1, 3 do print(name, i) green.sleep(0.02) end\n";

int main(void)
{
  const char *names[] = {"left", "right"};
  greenlua *g[2];
  int more = 1;
  for (int i = 0; i < 2; i++) {
    g[i] = greenlua_new(NULL);
    if (!g[i]) return 1;
    lua_pushstring(greenlua_state(g[i]), names[i]);
    lua_setfield(greenlua_state(g[i]), LUA_GLOBALSINDEX, "name");
    if (greenlua_start(g[i], script, "=script") == 0) continue;
    fprintf(stderr, "%s\n", greenlua_error(g[i]));
    return 1;
  }
  while (more) {
    more = greenlua_turn(g[0], 0) > 0;
    more |= greenlua_turn(g[1], 0) > 0;
    usleep(1000);
  }
  for (int i = 0; i < 2; i++) greenlua_free(g[i]);
  return 0;
}
