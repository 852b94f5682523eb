/*
** unpack.c: reads Lua values from a parcel.
**
** Runs protected. What is not there raises; nothing is read behind the end.
*/

#include "code.h"
#include "names.h"
#include "parcel_priv.h"

#include "base/err.h"

#include <lauxlib.h>
#include <string.h>

#define LUA_SIGNATURE_JIT "\033LJ"

typedef struct unpacker {
  lua_State *L;
  const vm_parcel *parcel;
  const char *at;
  const char *end;
  int depth;
  int seen; /* Index of what was read, by its offset; of upvalues the function
               is there, and its number at the offset's negative. */
} unpacker;

static void read_value(unpacker *u);

/* -- Bytes ---------------------------------------------------------------- */

static void damaged(unpacker *u)
{
  luaL_error(u->L, "the bytes of a message are damaged");
  __builtin_unreachable();
}

/* The next n bytes, which are there. */
static inline const char *take(unpacker *u, size_t n)
{
  if (green_unlikely(n > (size_t)(u->end - u->at))) damaged(u);
  const char *p = u->at;
  u->at += n;
  return p;
}

static inline unsigned take_byte(unpacker *u)
{
  return (unsigned char)*take(u, 1);
}

static inline uint32_t take_u32(unpacker *u)
{
  uint32_t n;
  memcpy(&n, take(u, sizeof(n)), sizeof(n));
  return n;
}

static inline int kind_of(const char *tag)
{
  return (unsigned char)*tag & ~TAG_SHARED;
}

static void enter(unpacker *u)
{
  if (++u->depth > VM_PARCEL_DEPTH) damaged(u);
  luaL_checkstack(u->L, 12, "too deep");
}

/* -- Things that are met again -------------------------------------------- */

static uint32_t offset_of(const unpacker *u, const char *tag)
{
  return (uint32_t)(tag - u->parcel->data);
}

/* The value at the top is what stands at that tag. */
static void note(unpacker *u, const char *tag)
{
  lua_State *L = u->L;
  if (!(*tag & TAG_SHARED)) return;
  if (lua_isnil(L, u->seen)) {
    lua_newtable(L);
    lua_replace(L, u->seen);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, u->seen, (int)offset_of(u, tag));
}

/* Push what stands there; of an upvalue, its function. */
static void read_ref(unpacker *u, uint32_t offset)
{
  if (lua_isnil(u->L, u->seen)) damaged(u);
  lua_rawgeti(u->L, u->seen, (int)offset);
  if (lua_isnil(u->L, -1)) damaged(u);
}

/* -- Strings -------------------------------------------------------------- */

static inline void read_string(unpacker *u, const char *tag, size_t n)
{
  const char *p = take(u, n);
  lua_pushlstring(u->L, p, n);
  if (green_unlikely(*tag & TAG_SHARED)) note(u, tag);
}

/* A value that must be a string. */
static void read_text(unpacker *u)
{
  read_value(u);
  if (lua_type(u->L, -1) != LUA_TSTRING) damaged(u);
}

/* -- Tables --------------------------------------------------------------- */

/* A key of the table at the top. */
static void read_key(unpacker *u)
{
  lua_State *L = u->L;
  read_value(u);
  if (lua_isnil(L, -1)) damaged(u);
  if (lua_type(L, -1) == LUA_TNUMBER &&
      lua_tonumber(L, -1) != lua_tonumber(L, -1))
    damaged(u);
}

/* What the fields of a new table are; it is pushed. */
static void read_table(unpacker *u, const char *tag)
{
  lua_State *L = u->L;
  uint32_t n = take_u32(u), m = take_u32(u);
  size_t left = (size_t)(u->end - u->at);
  if (n > left || m > left - n) damaged(u); /* Each has a tag at least. */
  enter(u);
  lua_createtable(L, (int)n, (int)m);
  int t = lua_gettop(L);
  if (green_unlikely(*tag & TAG_SHARED)) note(u, tag);
  for (uint32_t i = 1; i <= n; i++) {
    read_value(u);
    lua_rawseti(L, t, (int)i);
  }
  for (; m; m--) {
    read_key(u);
    read_value(u);
    lua_rawset(L, t);
  }
  u->depth--;
}

static void read_object(unpacker *u, const char *tag)
{
  lua_State *L = u->L;
  enter(u);
  read_text(u);
  vm_names_get(L);
  if (!lua_istable(L, -1)) damaged(u);
  read_table(u, tag);
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
  u->depth--;
}

/* -- Functions ------------------------------------------------------------ */

/* Has the value at i such an upvalue? LuaJIT does not look. */
static int has_upvalue(lua_State *L, int i, int k)
{
  if (k < 1 || !lua_isfunction(L, i) || !lua_getupvalue(L, i, k)) return 0;
  lua_pop(L, 1);
  return 1;
}

/* The function at the top gets upvalue k: one that another has, */
static void join_upvalue(unpacker *u, int k, uint32_t offset)
{
  lua_State *L = u->L;
  int f = lua_gettop(L);
  read_ref(u, offset);
  lua_rawgeti(L, u->seen, -(int)offset);
  int of = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (!has_upvalue(L, f + 1, of) || !has_upvalue(L, f, k)) damaged(u);
  lua_upvaluejoin(L, f, k, f + 1, of);
  lua_pop(L, 1);
}

/* or one of its own. */
static void read_upvalue(unpacker *u, int k)
{
  lua_State *L = u->L;
  const char *tag = take(u, 1);
  int f = lua_gettop(L);
  if (*tag == TAG_REF) {
    join_upvalue(u, k, take_u32(u));
    return;
  }
  if (kind_of(tag) != TAG_CELL) damaged(u);
  if (*tag & TAG_SHARED) {
    note(u, tag);
    lua_pushinteger(L, k);
    lua_rawseti(L, u->seen, -(int)offset_of(u, tag));
  }
  read_value(u);
  if (!lua_setupvalue(L, f, k)) damaged(u);
}

static void read_function(unpacker *u, const char *tag)
{
  enter(u);
  read_text(u);
  if (strncmp(lua_tostring(u->L, -1), LUA_SIGNATURE_JIT, 3) != 0) damaged(u);
  vm_code_make(u->L);
  note(u, tag);
  int n = (int)take_byte(u);
  for (int k = 1; k <= n; k++) read_upvalue(u, k);
  u->depth--;
}

/* -- cdata ---------------------------------------------------------------- */

/* Replace the FFI's function and n values at the top by what the call gives. */
static void call_ffi(lua_State *L, int ffi, const char *name, int n)
{
  lua_getfield(L, ffi, name);
  lua_insert(L, -n - 1);
  lua_call(L, n, 1);
}

static lua_Number size_of(lua_State *L, int ffi, int ct, int n)
{
  lua_pushvalue(L, ct);
  lua_pushinteger(L, n);
  call_ffi(L, ffi, "sizeof", 2);
  lua_Number size = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return size;
}

/* Push a new one of the ctype at ct, of n bytes. */
static void new_cdata(unpacker *u, int ffi, int ct, uint32_t n)
{
  lua_State *L = u->L;
  lua_Number none = size_of(L, ffi, ct, 0), one = size_of(L, ffi, ct, 1);
  lua_pushvalue(L, ct);
  if (one > none) lua_pushnumber(L, ((lua_Number)n - none) / (one - none));
  call_ffi(L, ffi, "new", one > none ? 2 : 1);
  lua_pushvalue(L, -1);
  call_ffi(L, ffi, "sizeof", 1);
  lua_Number size = lua_tonumber(L, -1);
  lua_pop(L, 1);
  if (size != n)
    luaL_error(L, "a cdata has %d bytes, but its type has %d in this thread",
               (int)n, (int)size);
}

/* Push the FFI, and the ctype of that name behind it. */
static void read_type(unpacker *u)
{
  lua_State *L = u->L;
  vm__push_ffi(L);
  read_text(u);
  lua_getfield(L, -2, "typeof");
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 1, 0) != 0)
    luaL_error(L, "no ctype '%s' in this thread: %s", lua_tostring(L, -2),
               lua_tostring(L, -1));
  lua_remove(L, -2);
}

static void read_cdata(unpacker *u, const char *tag)
{
  lua_State *L = u->L;
  enter(u);
  read_type(u);
  int ct = lua_gettop(L);
  uint32_t n = take_u32(u);
  const char *p = take(u, n);
  new_cdata(u, ct - 1, ct, n);
  memcpy((void *)lua_topointer(L, -1), p, n);
  lua_replace(L, ct - 1);
  lua_settop(L, ct - 1);
  note(u, tag);
  u->depth--;
}

static void read_ctype(unpacker *u, const char *tag)
{
  enter(u);
  read_type(u);
  lua_remove(u->L, -2);
  note(u, tag);
  u->depth--;
}

/* -- All of it ------------------------------------------------------------ */

static void read_named(unpacker *u)
{
  enter(u);
  read_text(u);
  vm_names_get(u->L);
  u->depth--;
}

static void read_held(unpacker *u, const char *tag)
{
  uint32_t i = take_u32(u);
  if (i >= u->parcel->n_held) damaged(u);
  luaL_checkstack(u->L, 12, "too deep");
  u->parcel->held[i].carrier->push(u->L, u->parcel->held[i].held);
  note(u, tag);
}

static inline void read_number(unpacker *u)
{
  double n;
  memcpy(&n, take(u, sizeof(n)), sizeof(n));
  lua_pushnumber(u->L, n);
}

static void read_light(unpacker *u)
{
  void *p;
  memcpy(&p, take(u, sizeof(p)), sizeof(p));
  lua_pushlightuserdata(u->L, p);
}

static void read_value(unpacker *u)
{
  const char *tag = take(u, 1);
  switch (kind_of(tag)) {
  case TAG_NIL:
    lua_pushnil(u->L);
    break;
  case TAG_FALSE:
    lua_pushboolean(u->L, 0);
    break;
  case TAG_TRUE:
    lua_pushboolean(u->L, 1);
    break;
  case TAG_NUMBER:
    read_number(u);
    break;
  case TAG_LIGHT:
    read_light(u);
    break;
  case TAG_STR8:
    read_string(u, tag, take_byte(u));
    break;
  case TAG_STR32:
    read_string(u, tag, take_u32(u));
    break;
  case TAG_TABLE:
    read_table(u, tag);
    break;
  case TAG_OBJECT:
    read_object(u, tag);
    break;
  case TAG_FUNC:
    read_function(u, tag);
    break;
  case TAG_NAMED:
    read_named(u);
    break;
  case TAG_CDATA:
    read_cdata(u, tag);
    break;
  case TAG_CTYPE:
    read_ctype(u, tag);
    break;
  case TAG_HELD:
    read_held(u, tag);
    break;
  case TAG_REF:
    read_ref(u, take_u32(u));
    break;
  default:
    damaged(u);
  }
}

int vm_unpack_here(lua_State *L, const vm_parcel *p)
{
  unpacker u = {L, p, p->data, p->data + p->len, 0, lua_gettop(L) + 1};
  if (!p->data) return 0;
  luaL_checkstack(L, 16, "values");
  lua_pushnil(L); /* seen */
  uint32_t n = take_u32(&u);
  if (n > p->len) damaged(&u);
  luaL_checkstack(L, (int)n + 16, "too many values");
  for (uint32_t i = 0; i < n; i++) read_value(&u);
  if (u.at != u.end) damaged(&u);
  lua_remove(L, u.seen);
  return (int)n;
}

int vm__unpack_body(lua_State *L)
{
  const vm_parcel *p = lua_touserdata(L, 1);
  return vm_unpack_here(L, p);
}
