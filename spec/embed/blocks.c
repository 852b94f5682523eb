/*
** blocks.c: hosts whose states have large blocks: what is kept of them goes
** with the state, and another's allocator is left alone. spec/blocks_spec.lua
** runs it and reads what it prints.
*/

#include <greenlua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaopen_green_core(lua_State *L);

/* Twenty megabytes of garbage, and some that lives until the end. */
static const char script[] = "local ffi = require 'ffi'\n"
                             "local bytes = ffi.new('char[?]', 2 ^ 20)\n"
                             "kept = {}\n"
                             "for i = 1, 30 do\n"
                             "  ffi.copy(bytes, tostring(i))\n"
                             "  kept[i % 3] = ffi.string(bytes, 2 ^ 20 - i)\n"
                             "  if i % 10 == 0 then collectgarbage() end\n"
                             "end\n";

/* KB that the process has mapped. */
static long mapped(void)
{
  char line[256];
  long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof(line), f))
    if (sscanf(line, "VmSize: %ld", &kb) == 1) break;
  if (f) fclose(f);
  return kb;
}

static void run(lua_State *L)
{
  if (luaL_dostring(L, script)) printf("failed: %s\n", lua_tostring(L, -1));
}

static void load_core(lua_State *L)
{
  luaL_openlibs(L);
  lua_pushcfunction(L, luaopen_green_core);
  lua_call(L, 0, 1);
  lua_setglobal(L, "core");
}

static void own(void)
{
  greenlua *g = greenlua_new(NULL);
  run(greenlua_state(g));
  greenlua_free(g);
}

static void guest(void)
{
  lua_State *L = luaL_newstate();
  load_core(L);
  run(L);
  lua_close(L);
}

/* -- An allocator that believes what it is told --------------------------- */

static long long counted;
static int lies;

static void *count(void *ud, void *p, size_t osize, size_t nsize)
{
  size_t *head = p ? (size_t *)p - 2 : NULL;
  (void)ud;
  if (head && *head != osize) lies++;
  counted -= p ? (long long)osize : 0;
  if (nsize == 0) {
    free(head);
    return NULL;
  }
  head = realloc(head, nsize + 16);
  if (!head) abort();
  *head = nsize;
  counted += (long long)nsize;
  return head + 2;
}

static void foreign(void)
{
  void *ud;
  lua_State *L = lua_newstate(count, NULL);
  if (!L) { /* Some LuaJITs have no such states. */
    puts("none");
    return;
  }
  load_core(L);
  puts(lua_getallocf(L, &ud) == count ? "left alone" : "replaced");
  run(L);
  lua_close(L);
  printf("%lld left, %d lies\n", counted, lies);
}

/* -- One that a host puts before ours ------------------------------------- */

static lua_Alloc below;
static void *below_ud;

static void *pass_on(void *ud, void *p, size_t osize, size_t nsize)
{
  (void)ud;
  return below(below_ud, p, osize, nsize);
}

static void wrapped(void)
{
  lua_State *L = luaL_newstate();
  load_core(L);
  below = lua_getallocf(L, &below_ud);
  lua_setallocf(L, pass_on, NULL);
  run(L);
  lua_close(L);
}

static void many(void (*fn)(void), int n)
{
  for (int i = 0; i < 3; i++) fn();
  long before = mapped();
  for (int i = 0; i < n; i++) fn();
  long grown = mapped() - before;
  printf("%s\n", grown < 8192 ? "as before" : "grown");
}

int main(int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "own")) many(own, 20);
  if (!strcmp(what, "guest")) many(guest, 20);
  if (!strcmp(what, "foreign")) foreign();
  if (!strcmp(what, "wrapped")) many(wrapped, 1);
  puts("end");
  return 0;
}
