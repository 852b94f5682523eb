/*
** bundle.c: where require looks for the library first: in the binary, or in the
** folder that GREENLUA_LIB names.
*/

#include "bundle.h"

#include "base/env.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

static int bundle_is_ours(const char *name)
{
  return strcmp(name, "green") == 0 || strncmp(name, "green.", 6) == 0;
}

/* GREENLUA_LIB/green/a/b.lua, or green/init.lua. Pushes a chunk and returns 1;
** 0 when there is no such file. A file with an error raises. */
static int bundle_load_file(lua_State *L, const char *dir, const char *name)
{
  const char *rel =
      strcmp(name, "green") == 0 ? "green/init" : luaL_gsub(L, name, ".", "/");
  const char *path = lua_pushfstring(L, "%s/%s.lua", dir, rel);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  fclose(f);
  if (luaL_loadfile(L, path) != 0) lua_error(L);
  return 1;
}

static int bundle_search(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  const char *dir = green_env("GREENLUA_LIB"); /* Is used instead. */
  if (!bundle_is_ours(name)) return 0;
  if (dir && bundle_load_file(L, dir, name)) return 1;
  for (const struct green_bundle_entry *e = green__bundle; e->name; e++) {
    if (strcmp(e->name, name) != 0) continue;
    lua_pushfstring(L, "@%s", e->path);
    const char *chunk = lua_tostring(L, -1);
    if (luaL_loadbuffer(L, (const char *)e->data, e->len, chunk) != 0)
      lua_error(L);
    return 1;
  }
  lua_pushfstring(L, "\n\tno module '%s' in greenlua", name);
  return 1;
}

void vm_bundle_install(lua_State *L)
{
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "loaders");
  int n = (int)lua_objlen(L, -1);
  for (int i = n; i >= 2; i--) { /* after package.preload */
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, bundle_search);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}
