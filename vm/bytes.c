/*
** bytes.c: offers LuaJIT blocks for the strings that it makes.
**
** Nothing else may ask for memory between the offer and the string: the
** collector stands still meanwhile, so no finalizer runs.
**
** LuaJIT clears the four bytes at the last multiple of four, and then copies:
** what was there is put back. Should it look at the string before that, as it
** may when its table of strings grows, it finds another one; then it has to
** make it again.
*/

#include "bytes.h"
#include "collector.h"

#include <string.h>

#define HEAD_MOST 64   /* More would be something else. */
#define COPY_MOST 1024 /* Copying more costs as much as calling ffi.string. */
#define TAIL_MOST 8    /* Behind a string: its NUL, and up to four of them. */

typedef struct long_string {
  vm *v;
  const char *p; /* offer.p: it can be written to. */
  size_t n;
  vm_offer offer;
} long_string;

/* -- Making --------------------------------------------------------------- */

/* Nothing runs between the two, hooks neither. */
static void long_make(lua_State *L, long_string *s)
{
  vm_blocks_offer(s->v->blocks, &s->offer);
  lua_pushlstring(L, s->p, s->n);
  vm_blocks_offer(s->v->blocks, NULL);
}

/* string = body(long_string) */
static int long_body(lua_State *L)
{
  long_string *s = lua_touserdata(L, 1);
  size_t cut = s->n & 3;
  char tail[3], *end = (char *)s->p + s->n - cut;
  memcpy(tail, end, cut);
  long_make(L, s);
  if (!s->offer.p || !s->offer.got) return 1;
  memcpy(end, tail, cut);
  if (cut && s->offer.more) lua_pushlstring(L, s->p, s->n);
  return 1;
}

/* Push the string, or what lua_pushlstring has raised: then not 0. */
static int long_push(lua_State *L, long_string *s)
{
  vm_push_key(L, VM_KEY_LONG);
  lua_pushlightuserdata(L, s);
  int was_running = vm_collector_stop(L);
  int err = lua_pcall(L, 1, 1, 0);
  vm_blocks_offer(s->v->blocks, NULL);
  if (was_running) vm_collector_go_on(s->v, L);
  return err;
}

/* The first long one says where its bytes stand in its block. It may have been
** there before: then it has no new one. */
static void head_learn(vm *v, lua_State *L, const char *p, size_t n)
{
  long_string s = {.v = v, .p = p, .n = n};
  s.offer = (vm_offer){.least = n + 1, .most = n + HEAD_MOST};
  if (long_push(L, &s) != 0) lua_error(L);
  if (!s.offer.got) return;
  ptrdiff_t head = lua_tostring(L, -1) - (const char *)s.offer.got;
  if (head > 0 && head < HEAD_MOST) v->head = (uint8_t)head;
}

static int is_long(const vm *v, size_t n)
{
  return v->blocks && n >= VM_BLOCK_LEAST;
}

/* Of a string that nobody else has. */
void vm_bytes_learn(vm *v, lua_State *L)
{
  if (v->head || !v->blocks) return;
  char *p = lua_newuserdata(L, VM_BLOCK_LEAST);
  const uintptr_t at = (uintptr_t)p;
  memset(p, 0xfe, VM_BLOCK_LEAST);
  memcpy(p, &at, sizeof(at));
  head_learn(v, L, p, VM_BLOCK_LEAST);
  lua_pop(L, 2);
}

void vm_bytes_open_copy(lua_State *L)
{
  lua_getglobal(L, "require");
  lua_pushliteral(L, "ffi");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "string");
  vm_set_key(L, VM_KEY_STRING);
  lua_pop(L, 1);
}

/* lua_pushlstring has the collector run first, and looks at the bytes then.
** ffi.string does it the other way round. */
static void push_copy(lua_State *L, const char *p, size_t n)
{
  if (green_likely(n <= COPY_MOST)) {
    char copy[COPY_MOST];
    if (n) memcpy(copy, p, n);
    lua_pushlstring(L, copy, n);
    return;
  }
  vm_push_key(L, VM_KEY_STRING);
  lua_pushlightuserdata(L, (void *)p);
  lua_pushnumber(L, (lua_Number)n);
  lua_call(L, 2, 1);
}

void vm_push_bytes(vm *v, lua_State *L, const char *p, size_t n)
{
  if (green_unlikely(is_long(v, n) && !v->head))
    head_learn(v, L, p, n);
  else
    push_copy(L, p, n);
}

/* -- Room ----------------------------------------------------------------- */

static size_t room_size(const vm *v, size_t n)
{
  return v->head + n + TAIL_MOST;
}

static char *room_get(green_store *s, size_t n)
{
  const vm *v = green_container(s, vm, store);
  if (!v->head || !is_long(v, n)) return NULL;
  char *p = vm_block_get(v->blocks, room_size(v, n));
  return p ? p + v->head : NULL;
}

static void room_put(green_store *s, char *p, size_t n)
{
  const vm *v = green_container(s, vm, store);
  vm_block_put(v->blocks, p - v->head, room_size(v, n));
}

void vm_push_room(vm *v, lua_State *L, char *p, size_t n)
{
  const size_t head = v->head;
  long_string s = {.v = v, .p = p, .n = n};
  s.offer =
      (vm_offer){.p = p - head, .least = head + n + 1, .most = room_size(v, n)};
  int err = long_push(L, &s);
  if (s.offer.got)
    vm_block_given(v->blocks, room_size(v, n));
  else
    room_put(&v->store, p, n);
  if (err) lua_error(L);
}

void vm_bytes_open(vm *v, lua_State *L)
{
  lua_pushcfunction(L, long_body);
  vm_set_key(L, VM_KEY_LONG);
  v->store = (green_store){room_get, room_put};
  green_hub_set_store(v->hub, &v->store);
}

/* -- What is known of one ------------------------------------------------- */

void vm_string_is_utf8(const vm *v, const char *p, size_t n)
{
  if (v->head && is_long(v, n)) vm_block_mark(v->blocks, p - v->head);
}

int vm_string_was_utf8(const vm *v, const char *p, size_t n)
{
  return v->head && is_long(v, n) && vm_block_is_marked(v->blocks, p - v->head);
}
