/*
** pack.c: writes Lua values into a parcel.
**
** Runs protected, and may be left by an error anywhere: the bytes are the
** parcel's, the rest is the packer's.
*/

#include "pack.h"
#include "code.h"
#include "keys.h"
#include "names.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/misuse.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

enum { BYTES_FIRST = 256, BYTES_MOST = 0x7fffffff };
enum { STRING_SEEN = 32 }; /* From this length on it is written once. */

static void write_value(vm__packer *w, int i);

/* -- Bytes ---------------------------------------------------------------- */

static void grow(vm__packer *w, size_t n)
{
  vm_parcel *p = w->parcel;
  size_t need = p->len + n, cap = w->cap ? w->cap : BYTES_FIRST;
  if (need > BYTES_MOST)
    vm__refuse_as(w, "and what was before it are too large");
  while (cap < need) cap *= 2;
  char *data = green__realloc(p->data, cap);
  if (!data) luaL_error(w->L, "not enough memory");
  p->data = data;
  w->cap = (uint32_t)(cap <= BYTES_MOST ? cap : BYTES_MOST);
}

/* Room for n bytes behind the last one, which is taken. */
static inline char *room(vm__packer *w, size_t n)
{
  vm_parcel *p = w->parcel;
  if (green_unlikely(n > w->cap - p->len)) grow(w, n);
  char *at = p->data + p->len;
  p->len += (uint32_t)n;
  return at;
}

static inline void put_tag(vm__packer *w, int tag)
{
  *room(w, 1) = (char)tag;
}

static inline void put_u32(vm__packer *w, uint32_t n)
{
  memcpy(room(w, sizeof(n)), &n, sizeof(n));
}

static void put_bytes(vm__packer *w, const void *p, size_t n)
{
  memcpy(room(w, n), p, n);
}

/* -- What was met --------------------------------------------------------- */

static inline vm__met *met_slot(vm__met *met, uint32_t cap, const void *thing)
{
  uint64_t h = (uint64_t)(uintptr_t)thing * 0x9e3779b97f4a7c15u;
  uint32_t i = (uint32_t)(h >> 40);
  for (;; i++) {
    vm__met *m = &met[i & (cap - 1)];
    if (!m->thing || m->thing == thing) return m;
  }
}

static void met_grow(vm__packer *w)
{
  uint32_t cap = w->met_cap * 4;
  vm__met *met = green__zalloc(cap * sizeof(*met));
  if (!met) luaL_error(w->L, "not enough memory");
  for (uint32_t i = 0; i < w->met_cap; i++)
    if (w->met[i].thing) *met_slot(met, cap, w->met[i].thing) = w->met[i];
  if (w->met != w->few) green__free(w->met);
  w->met = met;
  w->met_cap = cap;
}

/* Was it met before? Then a REF was written. Else it is what is written
** next. */
static int was_met(vm__packer *w, const void *thing)
{
  if (green_unlikely(w->n_met * 2 >= w->met_cap)) met_grow(w);
  vm__met *m = met_slot(w->met, w->met_cap, thing);
  if (m->thing) {
    w->parcel->data[m->at] |= (char)TAG_SHARED;
    put_tag(w, TAG_REF);
    put_u32(w, m->at);
    return 1;
  }
  *m = (vm__met){thing, w->parcel->len};
  w->n_met++;
  return 0;
}

void vm__packer_end(vm__packer *w)
{
  if (w->met != w->few) green__free(w->met);
}

/* -- Values --------------------------------------------------------------- */

static void write_number(vm__packer *w, double n)
{
  char *at = room(w, 1 + sizeof(n));
  *at = TAG_NUMBER;
  memcpy(at + 1, &n, sizeof(n));
}

static void write_light(vm__packer *w, const void *p)
{
  put_tag(w, TAG_LIGHT);
  put_bytes(w, &p, sizeof(p));
}

static inline void put_string(vm__packer *w, const char *s, size_t n)
{
  if (n > 0xff) {
    put_tag(w, TAG_STR32);
    put_u32(w, (uint32_t)n);
    put_bytes(w, s, n);
    return;
  }
  char *at = room(w, 2 + n);
  at[0] = TAG_STR8;
  at[1] = (char)n;
  memcpy(at + 2, s, n);
}

static void write_string(vm__packer *w, int i)
{
  size_t n;
  const char *s = lua_tolstring(w->L, i, &n);
  if (n < STRING_SEEN || !was_met(w, s)) put_string(w, s, n);
}

/* The string at the top, which is popped. It may be gone soon, and another be
** where it was: it is not one of those that were met. */
static void write_text(vm__packer *w)
{
  size_t n;
  const char *s = lua_tolstring(w->L, -1, &n);
  put_string(w, s, n);
  lua_pop(w->L, 1);
}

/* The name at the top, which is popped. */
static void write_name(vm__packer *w)
{
  put_tag(w, TAG_NAMED);
  write_text(w);
}

/* If what is at i has a name. */
static int write_named(vm__packer *w, int i)
{
  if (!vm_names_push(w->L, i, &w->looked)) return 0;
  write_name(w);
  return 1;
}

/* The same for what cannot cross otherwise. */
static int write_given(vm__packer *w, int i)
{
  if (!vm_names_push_given(w->L, i)) return 0;
  write_name(w);
  return 1;
}

static void enter(vm__packer *w)
{
  if (++w->depth > VM_PARCEL_DEPTH)
    vm__refuse_as(w, "is too deep: 200 levels can cross");
  luaL_checkstack(w->L, 12, "too deep");
}

/* -- Tables --------------------------------------------------------------- */

/* The values of 1, 2, 3, ... as far as these come first, then pairs. */
static void write_fields(vm__packer *w, int i)
{
  lua_State *L = w->L;
  uint32_t n = 0, m = 0, at = w->parcel->len;
  room(w, 2 * sizeof(n));
  enter(w);
  lua_pushnil(L);
  vm__step step = {w->path, STEP_KEY, lua_gettop(L), NULL};
  w->path = &step;
  while (lua_next(L, i)) {
    if (m == 0 && lua_type(L, -2) == LUA_TNUMBER &&
        lua_tonumber(L, -2) == n + 1) {
      n++;
    } else {
      m++;
      write_value(w, step.n);
    }
    write_value(w, step.n + 1);
    lua_pop(L, 1);
  }
  w->path = step.outer;
  w->depth--;
  memcpy(w->parcel->data + at, &n, sizeof(n));
  memcpy(w->parcel->data + at + sizeof(n), &m, sizeof(m));
}

/* An error of the library's that nobody has looked at has its fields elsewhere
** until somebody does. */
static void look_at(lua_State *L, int i)
{
  lua_pushliteral(L, "code");
  lua_rawget(L, i);
  if (lua_isnil(L, -1)) {
    lua_getfield(L, i, "code");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Push the name of the metatable at mt, of the table at i; 0: it has none. */
static int push_class(vm__packer *w, int i, int mt)
{
  lua_State *L = w->L;
  lua_pushliteral(L, "__cross");
  lua_rawget(L, mt);
  if (lua_type(L, -1) == LUA_TSTRING) {
    look_at(L, i);
    lua_pushlstring(L, "\0mt", 3);
    lua_concat(L, 2);
    return 1;
  }
  lua_pop(L, 1);
  return vm_names_push_class(L, mt, &w->looked);
}

/* The table at i, whose metatable is at the top. */
static void write_object(vm__packer *w, int i)
{
  lua_State *L = w->L;
  if (write_named(w, i)) return; /* A module that has one. */
  if (was_met(w, lua_topointer(L, i))) return;
  put_tag(w, TAG_OBJECT);
  if (!push_class(w, i, lua_gettop(L))) {
    vm_push_shown(L, i);
    lua_pushfstring(L,
                    "is %s with a metatable that no module has, which no other "
                    "thread can be given",
                    lua_tostring(L, -1));
    vm__refuse(w);
  }
  write_text(w);
  write_fields(w, i);
}

static void write_table(vm__packer *w, int i)
{
  lua_State *L = w->L;
  if (lua_getmetatable(L, i)) {
    write_object(w, i);
    lua_pop(L, 1);
    return;
  }
  if (write_named(w, i) || was_met(w, lua_topointer(L, i))) return;
  put_tag(w, TAG_TABLE);
  write_fields(w, i);
}

/* -- Functions ------------------------------------------------------------ */

/* The value of upvalue k of the function at i is at the top. */
static void write_upvalue(vm__packer *w, int i, int k, const char *name)
{
  lua_State *L = w->L;
  if (was_met(w, lua_upvalueid(L, i, k))) return;
  vm__step step = {w->path, STEP_UPVALUE, k, name};
  w->path = &step;
  put_tag(w, TAG_CELL);
  write_value(w, lua_gettop(L));
  w->path = step.outer;
}

static void write_closure(vm__packer *w, int i)
{
  lua_State *L = w->L;
  const char *name;
  put_tag(w, TAG_FUNC);
  write_string(w, lua_gettop(L)); /* The code. */
  uint32_t at = w->parcel->len;
  int n = 0;
  put_tag(w, 0);
  enter(w);
  while ((name = lua_getupvalue(L, i, n + 1)) != NULL) {
    write_upvalue(w, i, ++n, name);
    lua_pop(L, 1);
  }
  w->depth--;
  w->parcel->data[at] = (char)n;
}

/* Push the code of the function at i and return 1; 0: its name was written. */
static int push_code(vm__packer *w, int i)
{
  if (vm_code_push(w->L, i)) return 1;
  if (write_given(w, i)) return 0;
  vm__refuse_as(w, "is a function of C's that no module has, which no other "
                   "thread can be given");
}

static void write_function(vm__packer *w, int i)
{
  lua_State *L = w->L;
  if (!vm_code_known(L, i)) {
    if (write_named(w, i)) return;
    if (!push_code(w, i)) return;
  }
  if (w->flags & VM_PACK_NO_FUNCTIONS)
    vm__refuse_as(w, "is a function, which is refused here");
  if (!was_met(w, lua_topointer(L, i))) write_closure(w, i);
  lua_pop(L, 1);
}

/* -- cdata ---------------------------------------------------------------- */

/* Call a function of the FFI's, which is at index ffi, with the n values at the
** top. */
static void call_ffi(lua_State *L, int ffi, const char *name, int n)
{
  lua_getfield(L, ffi, name);
  lua_insert(L, -n - 1);
  lua_call(L, n, 1);
}

/* "struct point": a struct or union, not a pointer to one, or an array. */
static int is_record(const char *name)
{
  static const char *const kinds[] = {"struct ", "union "};
  for (int k = 0; k < 2; k++) {
    size_t n = strlen(kinds[k]);
    if (strncmp(name, kinds[k], n) != 0) continue;
    for (name += n; isalnum((unsigned char)*name) || *name == '_'; name++) {
    }
    return *name == '>';
  }
  return 0;
}

/* As an integer a type is its number, and a struct is none. */
static int is_integer(lua_State *L, int i, int ffi)
{
  lua_getfield(L, ffi, "cast");
  lua_pushliteral(L, "int32_t");
  lua_pushvalue(L, i);
  int is = lua_pcall(L, 2, 1, 0) == 0;
  lua_pop(L, 1);
  return is;
}

/* Is the cdata at i, whose ctype is at the top, a type, and no value of one?
** Only its text tells; but that of a struct may be the script's. */
static int is_type(lua_State *L, int i, int ffi)
{
  if (!luaL_callmeta(L, lua_gettop(L), "__tostring")) return 0;
  const char *text = lua_tostring(L, -1);
  int records = !strncmp(text, "ctype<", 6) && is_record(text + 6);
  lua_pop(L, 1);
  if (records) return is_integer(L, i, ffi);
  if (!luaL_callmeta(L, i, "__tostring")) return 0;
  text = lua_tostring(L, -1);
  int is = text && !strncmp(text, "ctype<", 6);
  lua_pop(L, 1);
  return is;
}

/* Is it a pointer, a reference or a function, by its name? */
static int is_address(const char *name, size_t n)
{
  return n == 0 || strchr("*&)", name[n - 1]) || strstr(name, "(*") ||
         strstr(name, "(&");
}

/* "struct 97": the type has a number in place of a name. */
static int is_nameless(const char *name)
{
  static const char *const kinds[] = {"struct ", "union ", "enum "};
  for (int k = 0; k < 3; k++) {
    const char *at = strstr(name, kinds[k]);
    if (at && isdigit((unsigned char)at[strlen(kinds[k])])) return 1;
  }
  return 0;
}

static void refuse_type(vm__packer *w, const char *name, const char *why)
{
  lua_pushfstring(w->L,
                  "is a cdata '%s', %s, which no other thread can be given",
                  name, why);
  vm__refuse(w);
}

/* Replace the ctype at the top by its name; `what` is at index i. */
static void name_type(vm__packer *w, int i, int is_value)
{
  lua_State *L = w->L;
  size_t n;
  if (!luaL_callmeta(L, lua_gettop(L), "__tostring")) vm__refuse_kind(w, i);
  const char *text = lua_tolstring(L, -1, &n); /* ctype<name> */
  lua_pushlstring(L, n > 7 ? text + 6 : "", n > 7 ? n - 7 : 0);
  lua_replace(L, -3);
  lua_pop(L, 1);
  const char *name = lua_tolstring(L, -1, &n);
  if (is_nameless(name)) {
    refuse_type(w, name, "whose type has no name");
  } else if (is_value && is_address(name, n)) {
    refuse_type(w, name, "an address");
  }
}

/* Its type's name is at the top. */
static void write_bytes_of(vm__packer *w, int i, int ffi)
{
  lua_State *L = w->L;
  put_tag(w, TAG_CDATA);
  write_text(w);
  lua_pushvalue(L, i);
  call_ffi(L, ffi, "sizeof", 1);
  uint32_t n = (uint32_t)lua_tonumber(L, -1);
  lua_pop(L, 1);
  put_u32(w, n);
  put_bytes(w, lua_topointer(L, i), n);
}

static void write_cdata(vm__packer *w, int i)
{
  lua_State *L = w->L;
  enter(w);
  vm__push_ffi(L);
  int ffi = lua_gettop(L);
  lua_pushvalue(L, i);
  call_ffi(L, ffi, "typeof", 1);
  int is_value = !is_type(L, i, ffi);
  name_type(w, i, is_value);
  if (!was_met(w, lua_topointer(L, i))) {
    if (is_value) {
      write_bytes_of(w, i, ffi);
    } else {
      put_tag(w, TAG_CTYPE);
      write_text(w);
    }
  }
  w->depth--;
  lua_settop(L, ffi - 1);
}

/* -- Userdata ------------------------------------------------------------- */

static const vm_carrier *carrier_of(lua_State *L, int i)
{
  if (!lua_getmetatable(L, i)) return NULL;
  lua_pushlightuserdata(L, (void *)vm__carrier_key());
  lua_rawget(L, -2);
  const vm_carrier *c = lua_touserdata(L, -1);
  lua_pop(L, 2);
  return c;
}

static void reserve_held(vm__packer *w)
{
  vm_parcel *p = w->parcel;
  if (p->n_held + 1 < w->held_cap) return; /* One is vm_parcel_free's. */
  uint32_t cap = w->held_cap ? w->held_cap * 2 : 4;
  vm_held *held = green__realloc(p->held, cap * sizeof(*held));
  if (!held) luaL_error(w->L, "not enough memory");
  p->held = held;
  w->held_cap = cap;
}

static void write_userdata(vm__packer *w, int i)
{
  lua_State *L = w->L;
  luaL_checkstack(L, 8, "too deep");
  const vm_carrier *c = carrier_of(L, i);
  if (!c) {
    if (!write_given(w, i)) vm__refuse_kind(w, i);
    return;
  }
  if (was_met(w, lua_topointer(L, i))) return;
  vm_parcel *p = w->parcel;
  put_tag(w, TAG_HELD);
  put_u32(w, p->n_held);
  reserve_held(w);
  p->held[p->n_held] = (vm_held){c, c->hold(L, i)};
  p->n_held++;
}

/* -- All of it ------------------------------------------------------------ */

static void write_value(vm__packer *w, int i)
{
  lua_State *L = w->L;
  switch (lua_type(L, i)) {
  case LUA_TNIL:
    put_tag(w, TAG_NIL);
    break;
  case LUA_TBOOLEAN:
    put_tag(w, lua_toboolean(L, i) ? TAG_TRUE : TAG_FALSE);
    break;
  case LUA_TNUMBER:
    write_number(w, lua_tonumber(L, i));
    break;
  case LUA_TSTRING:
    write_string(w, i);
    break;
  case LUA_TLIGHTUSERDATA:
    write_light(w, lua_touserdata(L, i));
    break;
  case LUA_TTABLE:
    write_table(w, i);
    break;
  case LUA_TFUNCTION:
    write_function(w, i);
    break;
  case LUA_TUSERDATA:
    write_userdata(w, i);
    break;
  case TYPE_CDATA:
    write_cdata(w, i);
    break;
  default:
    vm__refuse_kind(w, i);
  }
}

int vm__pack_body(lua_State *L)
{
  vm__packer *w = lua_touserdata(L, 1);
  int n = lua_gettop(L) - 1;
  w->L = L;
  w->met = w->few;
  w->met_cap = VM_MET_FEW;
  luaL_checkstack(L, 16, "too many values");
  put_u32(w, (uint32_t)n);
  for (int i = 1; i <= n; i++) {
    vm__step step = {NULL, STEP_VALUE, i, NULL};
    w->path = &step;
    write_value(w, i + 1);
  }
  return 0;
}
