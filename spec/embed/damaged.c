/*
** damaged.c: a host that runs each of its arguments as a chunk, one after the
** other, by each of the three ways, and prints what came of it. Whatever the
** chunks have done to Lua's own, it lives. spec/regress/030 runs it.
*/

#include <greenlua.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

/* Text with its ends of lines as "|". */
static void print_text(const char *text)
{
  for (; *text; text++) putchar(*text == '\n' ? '|' : *text);
  putchar('\n');
}

/* As a host does that wants results, with the i-th chunk, which it has made in
** time: what Lua allocates it must protect. */
static int call(greenlua *g, int i)
{
  lua_State *L = greenlua_state(g);
  int top = lua_gettop(L);
  lua_rawgeti(L, 1, i);
  int r = greenlua_call(g, 0);
  lua_settop(L, top);
  return r;
}

static void load_chunks(lua_State *L, int n, char **code)
{
  lua_newtable(L);
  for (int i = 1; i < n; i++) {
    luaL_loadbuffer(L, code[i], strlen(code[i]), "=call");
    lua_rawseti(L, -2, i);
  }
}

int main(int argc, char **argv)
{
  greenlua *g = greenlua_new(NULL);
  if (!g) return 2;
  load_chunks(greenlua_state(g), argc, argv);
  for (int i = 1; i < argc; i++) {
    int r = greenlua_dostring(g, argv[i], "=chunk");
    printf("dostring %d: ", r);
    print_text(greenlua_error(g));
    r = call(g, i);
    printf("call %d: ", r);
    print_text(greenlua_error(g));
    r = greenlua_start(g, argv[i], "=start");
    printf("start %d\n", r);
    while (greenlua_turn(g, 0) == 1) {
    }
  }
  greenlua_free(g);
  printf("alive\n");
  return 0;
}
