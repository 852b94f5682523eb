/*
** misuse.c: errors for wrong calls, which name the place and show the value.
*/

#include "core/door.h"
#include "site.h"

#include <string.h>

/* -- What a value is ------------------------------------------------------ */

enum { SHOWN_MOST = 60 };

/* A string in quotes, its control bytes as Lua writes them, its end cut off. */
static void push_quoted(lua_State *L, int i)
{
  size_t n;
  const char *s = lua_tolstring(L, i, &n);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '"');
  for (size_t k = 0; k < n && k < SHOWN_MOST; k++) {
    unsigned char c = (unsigned char)s[k];
    if (c == '"' || c == '\\') luaL_addchar(&b, '\\');
    if (c >= 0x20 && c != 0x7f) {
      luaL_addchar(&b, (char)c);
      continue;
    }
    const char digits[] = {'\\', (char)('0' + c / 100),
                           (char)('0' + c / 10 % 10), (char)('0' + c % 10)};
    luaL_addlstring(&b, digits, sizeof(digits));
  }
  luaL_addchar(&b, '"');
  if (n > SHOWN_MOST) luaL_addstring(&b, "...");
  luaL_pushresult(&b);
}

/* The name of the value's class, where its metatable has one. Pushes it, and
** returns 1; or nothing, and 0. No metamethod is called. */
static int push_class(lua_State *L, int i)
{
  if (!lua_getmetatable(L, i)) return 0;
  lua_pushliteral(L, "__name");
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_type(L, -1) == LUA_TSTRING) return 1;
  lua_pop(L, 1);
  return 0;
}

static const char *article_of(const char *noun)
{
  return strchr("aeioAEIO", noun[0]) ? "an" : "a";
}

static void push_kind(lua_State *L, int i)
{
  if (!push_class(L, i)) lua_pushstring(L, luaL_typename(L, i));
  const char *noun = lua_tostring(L, -1);
  if (!strcmp(noun, "thread")) noun = "coroutine";
  lua_pushfstring(L, "%s %s", article_of(noun), noun);
  lua_remove(L, -2);
}

void vm_push_shown(lua_State *L, int i)
{
  switch (lua_type(L, i)) {
  case LUA_TSTRING:
    push_quoted(L, i);
    break;
  case LUA_TNUMBER:
    lua_pushvalue(L, i);
    lua_tostring(L, -1);
    break;
  case LUA_TNONE:
  case LUA_TNIL:
    lua_pushliteral(L, "nil");
    break;
  case LUA_TBOOLEAN:
    lua_pushstring(L, lua_toboolean(L, i) ? "true" : "false");
    break;
  default:
    push_kind(L, i);
  }
}

enum { TYPE_CDATA = 10 };

/* Every cdata has the FFI's __call, which most have no use for. */
int vm_is_callable(lua_State *L, int i)
{
  int type = lua_type(L, i);
  if (type == LUA_TFUNCTION) return 1;
  if (type == TYPE_CDATA || !luaL_getmetafield(L, i, "__call")) return 0;
  int is = lua_isfunction(L, -1);
  lua_pop(L, 1);
  return is;
}

/* -- Raising -------------------------------------------------------------- */

/* Good after the end of the runtime, too. */
static vm *misuse_vm(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

void vm_misuse(lua_State *L)
{
  vm_push_place(L, misuse_vm(L));
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

void vm_wrong(lua_State *L, const char *where, const char *what, int i)
{
  vm_push_shown(L, i);
  lua_pushfstring(L, "%s: %s, not %s", where, what, lua_tostring(L, -1));
  vm_misuse(L);
}

/* -- Doors ---------------------------------------------------------------- */

/* library(source): that of a file of the library. */
static int core_library(lua_State *L)
{
  vm_set_library(misuse_vm(L), luaL_checkstring(L, 1));
  return 0;
}

/* is_library(source): is a chunk of that name the library's? */
static int core_is_library(lua_State *L)
{
  lua_pushboolean(L, vm_is_library(misuse_vm(L), luaL_checkstring(L, 1)));
  return 1;
}

/* misuse(text) raises it, blamed on the caller. */
static int core_misuse(lua_State *L)
{
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  vm_misuse(L);
}

/* text = placed(text): with the place of whom it would blame. */
static int core_placed(lua_State *L)
{
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  vm_push_place(L, misuse_vm(L));
  lua_insert(L, 1);
  lua_concat(L, 2);
  return 1;
}

/* text = shown(value): what a wrong value is, for a message. */
static int core_shown(lua_State *L)
{
  lua_settop(L, 1);
  vm_push_shown(L, 1);
  return 1;
}

/* is_thread(value). Compiled code must not ask a FILE for its metatable: this
** does it, where LuaJIT's compiler is not. */
static int core_is_thread(lua_State *L)
{
  lua_pushboolean(L, vm_to_thread(L, 1) != NULL);
  return 1;
}

/* is_callable(value): a function, or something with __call. */
static int core_is_callable(lua_State *L)
{
  lua_pushboolean(L, vm_is_callable(L, 1));
  return 1;
}

/* class = class_of(value): its metatable, whatever it is; nil. */
static int core_class_of(lua_State *L)
{
  luaL_checkany(L, 1);
  return lua_getmetatable(L, 1);
}

const luaL_Reg vm_misuse_functions[] = {
    {"library", core_library},
    {"is_library", core_is_library},
    {"misuse", core_misuse},
    {"placed", core_placed},
    {"shown", core_shown},
    {"is_thread", core_is_thread},
    {"is_callable", core_is_callable},
    {"class_of", core_class_of},
    {NULL, NULL},
};
