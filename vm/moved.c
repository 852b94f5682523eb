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
  int fd;         /* -1: a file, or nothing yet. */
  uint32_t type;  /* Of the file. */
  FILE *file;     /* NULL: a descriptor. */
  green_tls *tls; /* NULL: none. */
  vm_parcel what; /* That is told of it. */
} moved;

static const char NAME[] = "green.moved";
static const char ARRIVE[] = "green.tpool.move\0arrive";

/* LuaJIT's own files. */
typedef struct lua_file {
  FILE *f;
  uint32_t type;
} lua_file;

enum { FILE_PLAIN = 0, FILE_PIPE = 1, FILE_KINDS = 3 };

/* -- Life ----------------------------------------------------------------- */

static moved *moved_new(lua_State *L)
{
  moved *m = green__zalloc(sizeof(*m));
  if (!m) luaL_error(L, "not enough memory");
  atomic_init(&m->refs, 1);
  m->fd = -1;
  return m;
}

/* What it has is nobody's: no word to the peer. A program of popen's is waited
** for, as by a file that is collected. */
static void moved_close(moved *m)
{
  green_tls_free(m->tls);
  if (m->fd >= 0) close(m->fd);
  if (m->file) (m->type == FILE_PIPE ? pclose : fclose)(m->file);
}

static void moved_unref(void *p)
{
  moved *m = p;
  if (atomic_fetch_sub(&m->refs, 1) > 1) return;
  if (!atomic_load(&m->arrived)) moved_close(m);
  vm_parcel_free(&m->what);
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
  f->type = (f->type & ~(uint32_t)FILE_KINDS) | m->type;
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static void push_stream(lua_State *L, const moved *m)
{
  lua_pushlstring(L, ARRIVE, sizeof(ARRIVE) - 1);
  vm_names_get(L);
  vm_unpack_here(L, &m->what);
  lua_pushinteger(L, m->fd);
  if (m->tls)
    lua_pushlightuserdata(L, m->tls);
  else
    lua_pushnil(L);
  lua_call(L, 3, 1);
}

static int push_body(lua_State *L)
{
  moved *m = lua_touserdata(L, 1);
  luaL_checkstack(L, 12, "what was moved");
  if (m->file)
    push_file(L, m);
  else
    push_stream(L, m);
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
  if (luaL_newmetatable(L, NAME)) {
    vm_carrier_set(L, &carrier);
    lua_pushcfunction(L, token_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushstring(L, NAME);
    lua_setfield(L, -2, "__name");
  }
  lua_setmetatable(L, -2);
  return m;
}

void vm_moved_push(lua_State *L, int i)
{
  luaL_checkstack(L, 8, "what is moved");
  moved **m = push_token(L);
  *m = moved_new(L);
  lua_pushvalue(L, i);
  if (vm_pack(L, 1, "what", 0, &(*m)->what) < 0) lua_error(L);
}

void vm_moved_give(lua_State *L, int i, int fd, green_tls *tls)
{
  moved *m = *(moved **)luaL_checkudata(L, i, NAME);
  if (!m || m->fd >= 0 || m->file) luaL_argerror(L, i, "it has something");
  m->fd = fd;
  m->tls = tls;
}

static int is_token(lua_State *L, int i)
{
  if (lua_type(L, i) != LUA_TUSERDATA || !lua_getmetatable(L, i)) return 0;
  luaL_getmetatable(L, NAME);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

void vm_moved_land(lua_State *L, int i)
{
  luaL_checkstack(L, 4, "what was moved");
  if (is_token(L, i))
    moved_push(L, *(moved **)lua_touserdata(L, i));
  else
    lua_pushvalue(L, i);
}

void vm_moved_push_file(lua_State *L, int i)
{
  lua_file *f = luaL_checkudata(L, i, LUA_FILEHANDLE);
  uint32_t type = f->type & FILE_KINDS;
  if (!f->f) luaL_error(L, "move: the file is closed");
  if (type != FILE_PLAIN && type != FILE_PIPE)
    luaL_error(L, "move: a standard stream stays here");
  moved **m = push_token(L);
  *m = moved_new(L);
  (*m)->file = f->f;
  (*m)->type = type;
  f->f = NULL;
}
