/*
** moved.c: tokens of what is moved.
*/

#include "moved.h"
#include "names.h"
#include "parcel.h"

#include "base/mem.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whose it is: the token's and each parcel's that has it. */
typedef struct moved {
  atomic_int refs;
  atomic_int arrived;
  int fd;     /* -1: a file. */
  FILE *file; /* NULL: a descriptor. */
  lua_Number number;
  size_t n;
  char rest[];
} moved;

static const char ARRIVE[] = "green.tpool.move\0arrive";

/* LuaJIT's own files. */
typedef struct lua_file {
  FILE *f;
  uint32_t type;
} lua_file;

enum { FILE_PLAIN = 0 };

/* -- Life ----------------------------------------------------------------- */

static moved *moved_new(lua_State *L, size_t n)
{
  moved *m = green__zalloc(sizeof(*m) + n);
  if (!m) luaL_error(L, "not enough memory");
  atomic_init(&m->refs, 1);
  m->fd = -1;
  m->n = n;
  return m;
}

static void moved_unref(void *p)
{
  moved *m = p;
  if (atomic_fetch_sub(&m->refs, 1) > 1) return;
  if (!atomic_load(&m->arrived)) {
    if (m->fd >= 0) close(m->fd);
    if (m->file) fclose(m->file);
  }
  green__free(m);
}

/* -- Crossing ------------------------------------------------------------- */

static void *moved_hold(lua_State *L, int i)
{
  moved *m = *(moved **)lua_touserdata(L, i);
  if (!m || atomic_load(&m->arrived)) /* Collected: a finalizer has it. */
    luaL_error(L, "it has been moved already");
  atomic_fetch_add(&m->refs, 1);
  return m;
}

/* Push one of Lua's files that is this one. */
static void push_file(lua_State *L, moved *m)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "io");
  lua_getfield(L, -1, "open");
  lua_pushliteral(L, "/dev/null");
  lua_call(L, 1, 2);
  if (lua_isnil(L, -2))
    luaL_error(L, "a file cannot arrive: %s", lua_tostring(L, -1));
  lua_pop(L, 1);
  lua_file *f = luaL_checkudata(L, -1, LUA_FILEHANDLE);
  fclose(f->f);
  f->f = m->file;
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static void push_descriptor(lua_State *L, const moved *m)
{
  lua_pushlstring(L, ARRIVE, sizeof(ARRIVE) - 1);
  vm_names_get(L);
  lua_pushinteger(L, m->fd);
  lua_pushlstring(L, m->rest, m->n);
  lua_pushnumber(L, m->number);
  lua_call(L, 3, 1);
}

static int push_body(lua_State *L)
{
  moved *m = lua_touserdata(L, 1);
  luaL_checkstack(L, 12, "what was moved");
  if (m->file)
    push_file(L, m);
  else
    push_descriptor(L, m);
  return 1;
}

/* Where it cannot be made, it has not arrived: it is closed with the last
** token. */
static void moved_push(lua_State *L, void *held)
{
  moved *m = held;
  if (atomic_exchange(&m->arrived, 1))
    luaL_error(L, "what was moved has arrived already");
  lua_pushcfunction(L, push_body);
  lua_pushlightuserdata(L, m);
  if (lua_pcall(L, 1, 1, 0) == 0) return;
  atomic_store(&m->arrived, 0);
  lua_error(L);
}

static const vm_carrier carrier = {moved_hold, moved_push, moved_unref};

/* -- Tokens --------------------------------------------------------------- */

static int token_gc(lua_State *L)
{
  moved **m = lua_touserdata(L, 1);
  if (*m) moved_unref(*m);
  *m = NULL;
  return 0;
}

/* Push an empty one. */
static moved **push_token(lua_State *L)
{
  moved **m = lua_newuserdata(L, sizeof(*m));
  *m = NULL;
  if (luaL_newmetatable(L, "green.moved")) {
    vm_carrier_set(L, &carrier);
    lua_pushcfunction(L, token_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "green.moved");
    lua_setfield(L, -2, "__name");
  }
  lua_setmetatable(L, -2);
  return m;
}

void vm_moved_push_fd(lua_State *L, int fd, const char *rest, size_t n,
                      lua_Number number)
{
  moved **m = push_token(L);
  *m = moved_new(L, n);
  memcpy((*m)->rest, rest, n);
  (*m)->number = number;
  (*m)->fd = fd;
}

void vm_moved_push_file(lua_State *L, int i)
{
  lua_file *f = luaL_checkudata(L, i, LUA_FILEHANDLE);
  if (!f->f) luaL_error(L, "move: the file is closed");
  if (f->type != FILE_PLAIN)
    luaL_error(L, "move: a standard stream, or a pipe of popen's, stays here");
  moved **m = push_token(L);
  *m = moved_new(L, 0);
  (*m)->file = f->f;
  f->f = NULL;
}
