/*
** code.c: bytecode of functions, wrapped in bytecode of makers.
**
** LuaJIT's dump (version 2) is a header, the prototypes, nested ones before
** those they are in, and a zero. Each has its length (as the other counts, a
** ULEB128) before it:
**
**   flags, parameters, frame size, upvalues (8 bits each); counts of
**   constants, numbers and instructions; size of debug information, and where
**   that is not 0, first line and lines; instructions (32); upvalues (16); the
**   rest
*/

#include "code.h"
#include "keys.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

enum { DUMP_VERSION = 2, DUMP_STRIPPED = 2 };
enum { PROTO_CHILD = 1, PROTO_NOJIT = 8 };
enum { UPVALUE_LOCAL = 0x8000 };
enum { OP_UCLO = 0x32, OP_FNEW = 0x33, OP_RET1 = 0x4c };
enum { UPVALUES_MOST = 60 }; /* LuaJIT's own limit. */

/* -- Reading a dump ------------------------------------------------------- */

typedef struct span {
  const unsigned char *p;
  const unsigned char *end;
} span;

static unsigned span_byte(span *s)
{
  return s->p < s->end ? *s->p++ : 0;
}

static uint32_t span_uleb(span *s)
{
  uint32_t n = 0, byte;
  int shift = 0;
  do {
    byte = span_byte(s);
    n |= (byte & 0x7f) << shift;
    shift += 7;
  } while ((byte & 0x80) && shift < 35);
  return n;
}

static void span_skip(span *s, size_t n)
{
  s->p = n <= (size_t)(s->end - s->p) ? s->p + n : s->end;
}

/* Where it stands in a dump that is a version 2: behind the header. Returns the
** flags, or -1. */
static int dump_header(span *s)
{
  if (s->end - s->p < 5 || memcmp(s->p, "\033LJ", 3) != 0) return -1;
  span_skip(s, 3);
  if (span_byte(s) != DUMP_VERSION) return -1;
  uint32_t flags = span_uleb(s);
  if (!(flags & DUMP_STRIPPED)) span_skip(s, span_uleb(s));
  return (int)(flags & 0x7fffffff);
}

/* The last prototype is the function's own; s goes to the zero behind it. */
static span dump_last(span *s)
{
  span last = {NULL, NULL};
  while (s->p < s->end && *s->p) {
    uint32_t n = span_uleb(s);
    last = (span){s->p, s->p};
    span_skip(s, n);
    last.end = s->p;
  }
  return last;
}

/* Where the upvalues of a prototype stand; their count. */
static int proto_upvalues(span s, int is_stripped, const unsigned char **at)
{
  span_skip(&s, 3);
  int n = (int)span_byte(&s);
  span_uleb(&s);
  span_uleb(&s);
  uint32_t instructions = span_uleb(&s);
  if (!is_stripped && span_uleb(&s)) {
    span_uleb(&s);
    span_uleb(&s);
  }
  span_skip(&s, (size_t)instructions * 4);
  *at = s.p;
  return s.end - s.p >= n * 2 && n <= UPVALUES_MOST ? n : -1;
}

/* -- Writing a maker ------------------------------------------------------ */

/* Upvalue i of the closure is local i of its maker. It is not one that never
** changes, for LuaJIT: it is set when the closure is there. */
static void put_locals(luaL_Buffer *b, int n)
{
  for (int i = 0; i < n; i++) {
    uint16_t v = (uint16_t)(UPVALUE_LOCAL | i);
    luaL_addlstring(b, (const char *)&v, sizeof(v));
  }
}

static void put_instruction(luaL_Buffer *b, int op, int a, int d)
{
  uint32_t ins = (uint32_t)op | (uint32_t)a << 8 | (uint32_t)d << 16;
  luaL_addlstring(b, (const char *)&ins, sizeof(ins));
}

/* function(a, b, c, ...) return function() ... end end, without a line. */
static void put_maker(luaL_Buffer *b, int n, int is_stripped)
{
  luaL_addchar(b, (char)((is_stripped ? 7 : 8) + 3 * 4 + 1)); /* Its length. */
  luaL_addchar(b, PROTO_CHILD | PROTO_NOJIT);
  luaL_addchar(b, (char)n);       /* parameters */
  luaL_addchar(b, (char)(n + 3)); /* frame */
  luaL_addchar(b, 0);             /* upvalues */
  luaL_addchar(b, 1);             /* constants: the function */
  luaL_addchar(b, 0);             /* numbers */
  luaL_addchar(b, 3);             /* instructions */
  if (!is_stripped) luaL_addchar(b, 0);
  put_instruction(b, OP_FNEW, n, 0);
  put_instruction(b, OP_UCLO, 0, 0x8000);
  put_instruction(b, OP_RET1, n, 2);
  luaL_addchar(b, 0); /* The constant: the prototype before this. */
  luaL_addchar(b, 0); /* The dump's end. */
}

/* Replace the dump at the top by its maker's. 0: it is not understood. */
static int push_maker(lua_State *L)
{
  size_t len;
  const char *dump = lua_tolstring(L, -1, &len);
  const unsigned char *first = (const unsigned char *)dump, *at;
  span s = {first, first + len};
  int flags = dump_header(&s);
  if (flags < 0) return 0;
  span last = dump_last(&s);
  if (!last.p || s.p >= s.end) return 0;
  int n = proto_upvalues(last, flags & DUMP_STRIPPED, &at);
  if (n < 0) return 0;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addlstring(&b, dump, (size_t)(at - first));
  put_locals(&b, n);
  luaL_addlstring(&b, (const char *)at + n * 2, (size_t)(s.p - at) - n * 2);
  put_maker(&b, n, flags & DUMP_STRIPPED);
  luaL_pushresult(&b);
  lua_remove(L, -2);
  return 1;
}

/* -- Codes ---------------------------------------------------------------- */

static int add_piece(lua_State *L, const void *p, size_t n, void *buffer)
{
  (void)L;
  luaL_addlstring(buffer, p, n);
  return 0;
}

static int push_dump(lua_State *L, int i)
{
  luaL_Buffer b;
  lua_pushvalue(L, i);
  luaL_buffinit(L, &b);
  int err = lua_dump(L, add_piece, &b); /* It looks for it at the top. */
  if (err > 1) luaL_error(L, "not enough memory");
  luaL_pushresult(&b);
  lua_remove(L, -2);
  if (err) lua_pop(L, 1);
  return !err;
}

int vm_code_known(lua_State *L, int i)
{
  vm_push_key(L, VM_KEY_DUMPS);
  lua_pushvalue(L, i);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_isstring(L, -1)) return 1;
  lua_pop(L, 1);
  return 0;
}

int vm_code_push(lua_State *L, int i)
{
  if (vm_code_known(L, i)) return 1;
  if (!push_dump(L, i)) return 0;
  if (!push_maker(L)) luaL_error(L, "this LuaJIT's bytecode is not known");
  vm_push_key(L, VM_KEY_DUMPS);
  lua_pushvalue(L, i);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return 1;
}

/* -- Makers --------------------------------------------------------------- */

static void new_makers(lua_State *L)
{
  lua_newtable(L);
  lua_pushvalue(L, -1);
  vm_set_key(L, VM_KEY_MAKERS);
}

/* Push the table of makers, with room for one more; its count is at 0. */
static void push_makers(lua_State *L)
{
  vm_push_key(L, VM_KEY_MAKERS);
  lua_rawgeti(L, -1, 0);
  int n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (n >= VM_CODES_MOST) {
    lua_pop(L, 1);
    new_makers(L);
    n = 0;
  }
  lua_pushinteger(L, n + 1);
  lua_rawseti(L, -2, 0);
}

/* Replace the code at the top by its maker, which is made and kept. */
static void load_maker(lua_State *L)
{
  size_t n;
  const char *code = lua_tolstring(L, -1, &n);
  if (luaL_loadbuffer(L, code, n, "=cross") != 0) lua_error(L);
  push_makers(L);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  lua_remove(L, -2);
}

void vm_code_make(lua_State *L)
{
  vm_push_key(L, VM_KEY_MAKERS);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_isfunction(L, -1)) {
    lua_remove(L, -2);
  } else {
    lua_pop(L, 1);
    load_maker(L);
  }
  lua_call(L, 0, 1);
}

void vm_code_open(lua_State *L)
{
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  vm_set_key(L, VM_KEY_DUMPS);
  new_makers(L);
  lua_pop(L, 1);
}
