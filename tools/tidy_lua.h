/*
** tidy_lua.h: for clang-tidy alone: these of Lua's functions never return.
**
** Lua's headers do not say so, and without it the analyzer walks on behind
** every refused argument. Included in front of vm's files by tools/lint.
*/
#include <lua.h>
#include <lauxlib.h>

__attribute__((noreturn)) int lua_error(lua_State *L);
__attribute__((noreturn)) int luaL_error(lua_State *L, const char *fmt, ...);
__attribute__((noreturn)) int luaL_argerror(lua_State *L, int arg,
                                            const char *message);
__attribute__((noreturn)) int luaL_typerror(lua_State *L, int arg,
                                            const char *type);
