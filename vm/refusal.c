/*
** blocker.c: what keeps a coroutine, or the main chunk, from waiting.
*/

#include "bridge.h"

#include <string.h>

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

/* LuaJIT runs no hook inside a finalizer. That the collector is stopped there
** says nothing: the script may have stopped it before, or started it since. */
static int host_in_finalizer(lua_State *L)
{
  lua_Hook old = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_sethook(L, host_on_hook, LUA_MASKCOUNT, 1);
  vm_push_key(L, VM_KEY_COUNTER);
  lua_call(L, 0, 0);
  int stuck = lua_gethook(L) == host_on_hook;
  lua_sethook(L, old, mask, count);
  return stuck;
}

int vm_host_can_wait(lua_State *at, lua_State *L)
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

/* While a handler runs the state's status says so, until an error in it was caught;
** error itself calls nothing else. */
static int is_handling(lua_State *at, const char *name)
{
  return lua_status(at) == LUA_ERRERR || (name && strcmp(name, "error") == 0);
}

void vm_push_blocker(lua_State *L, lua_State *at)
{
  lua_Debug ar;
  int handling = is_handling(at, NULL);
  luaL_checkstack(L, 12, "traceback");
  for (int level = at == L; !handling && push_function_at(L, at, level, &ar);
       level++) {
    if (*ar.what == 'C' && (push_blocker_name(L) || push_loaded_name(L))) {
      lua_remove(L, -2);
      handling = is_handling(at, lua_tostring(L, -1));
      if (!handling && !is_transparent(lua_tostring(L, -1))) return;
    }
    lua_pop(L, 1);
  }
  if (handling)
    lua_pushliteral(L, "the message handler of xpcall");
  else
    lua_pushliteral(L, "a finalizer or a C function");
}
