/*
** file.c: green.core's functions for files of Lua's io.
*/

#include "core/door.h"

#include <fcntl.h>
#include <lualib.h>
#include <stdio.h>
#include <sys/stat.h>

int vm_file_number(lua_State *L, int i)
{
  FILE *f = *(FILE **)luaL_checkudata(L, i, LUA_FILEHANDLE);
  return f ? fileno(f) : -1;
}

/* number = file_number(file): nil when it was closed. For what is done at once:
** the number may be another's later. */
static int file_number(lua_State *L)
{
  int fd = vm_file_number(L, 1);
  if (fd < 0) return 0;
  lua_pushinteger(L, fd);
  return 1;
}

/* offset, bytes from there = file_rest(file): nothing when it is no regular one
** that can be read, or its length cannot be known. */
static int file_rest(lua_State *L)
{
  struct stat st;
  FILE *f = *(FILE **)luaL_checkudata(L, 1, LUA_FILEHANDLE);
  off_t at = f ? ftello(f) : -1;
  if (at < 0 || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) return 0;
  if ((fcntl(fileno(f), F_GETFL) & O_ACCMODE) == O_WRONLY) return 0;
  if (st.st_size <= at) return 0; /* As files below /proc seem to be. */
  lua_pushnumber(L, (lua_Number)at);
  lua_pushnumber(L, (lua_Number)(st.st_size - at));
  return 2;
}

const luaL_Reg vm_file_functions[] = {
    {"file_number", file_number},
    {"file_rest", file_rest},
    {NULL, NULL},
};
