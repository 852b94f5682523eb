/*
** cli.c: options of the command.
*/

#include "cli.h"
#include "greenlua.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

int greenlua_cli(int argc, char **argv)
{
  greenlua *g = greenlua_new(NULL);
  if (!g) return 1;
  lua_State *L = greenlua_state(g);
  int r;
  lua_newtable(L);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  if (argc > 2 && !strcmp(argv[1], "-e"))
    r = greenlua_dostring(g, argv[2], "=(command line)");
  else
    r = luaL_loadfile(L, argv[1]);
  if (argc > 1 && strcmp(argv[1], "-e")) {
    for (int i = 2; i < argc; i++) lua_pushstring(L, argv[i]);
    r = greenlua_call(g, argc - 2);
  }
  if (r) fprintf(stderr, "greenlua: %s\n", greenlua_error(g));
  greenlua_free(g);
  return r != 0;
}
