/*
** gather.c: green.core's functions for long data that come in pieces: they are
** put where the string will have them (bytes.h).
*/

#include "core/gather.h"
#include "core/door.h"

#include "bytes.h"

#include <string.h>

typedef struct gather {
  vm *v;
  char *p; /* NULL: it is a string now. */
  size_t cap;
  size_t len;
} gather;

static void gather_drop(gather *g)
{
  if (g->p) g->v->store.put(&g->v->store, g->p, g->cap);
  g->p = NULL;
}

/* It may be the runtime's end already. */
static int gather_gc(lua_State *L)
{
  gather_drop(lua_touserdata(L, 1));
  return 0;
}

/* Push the metatable of those of this state. */
static void push_mt(lua_State *L)
{
  if (!luaL_newmetatable(L, "green.gather")) return;
  lua_pushcfunction(L, gather_gc);
  lua_setfield(L, -2, "__gc");
}

/* gather = gather(n): room for n bytes; nil: there is none for so many. */
static int gather_new(lua_State *L)
{
  vm *v = core_vm(L);
  lua_Number n = luaL_checknumber(L, 1);
  if (!v->store.get || !(n >= VM_BLOCK_LEAST && n <= VM_GATHER_MOST)) return 0;
  gather *g = lua_newuserdata(L, sizeof(*g));
  *g = (gather){.v = v, .cap = (size_t)n};
  push_mt(L);
  lua_setmetatable(L, -2);
  vm_bytes_learn(v, L);
  g->p = v->store.get(&v->store, g->cap);
  return g->p ? 1 : 0;
}

static gather *gather_at(lua_State *L, int i)
{
  gather *g = luaL_checkudata(L, i, "green.gather");
  luaL_argcheck(L, g->p, i, "it is a string already");
  return g;
}

size_t vm_gather_room(lua_State *L, int i)
{
  const gather *g = gather_at(L, i);
  return g->cap - g->len;
}

void vm_gather_add(lua_State *L, int i, const char *p, size_t n)
{
  gather *g = gather_at(L, i);
  luaL_argcheck(L, n <= g->cap - g->len, i, "there is no room");
  memcpy(g->p + g->len, p, n);
  g->len += n;
}

/* gather_add(gather, text) */
static int gather_add(lua_State *L)
{
  size_t n;
  core_vm(L);
  const char *p = luaL_checklstring(L, 2, &n);
  vm_gather_add(L, 1, p, n);
  return 0;
}

/* text = gather_text(gather): what has come; the gather is good no more. */
static int gather_text(lua_State *L)
{
  vm *v = core_vm(L);
  gather *g = gather_at(L, 1);
  char *p = g->p;
  if (g->len < g->cap) { /* It is not what it was thought to be. */
    vm_push_bytes(v, L, p, g->len);
    gather_drop(g);
    return 1;
  }
  g->p = NULL;
  vm_push_room(v, L, p, g->len);
  return 1;
}

const luaL_Reg vm_gather_functions[] = {
    {"gather", gather_new},
    {"gather_add", gather_add},
    {"gather_text", gather_text},
    {NULL, NULL},
};
