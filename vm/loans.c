/*
** loans.c: what ZeroMQ has of Lua's strings.
**
** Nobody is woken for what has come back: it is looked for when more is lent,
** and a few times a second while something is out.
**
** A state that is closed frees its strings one by one, by its allocator, and
** LuaJIT gives the rest of its memory back as a whole if the allocator is its
** own then. So another one before it both sees which strings are freed and
** keeps the memory that they are in. When the last has come back, a state that
** is made there and closed gives it all back.
*/

#include "loans.h"

#include "base/clock.h"
#include "base/mem.h"
#include "hub/later.h"
#include "io/zmq.h"

#define LOOK 0.25 /* Seconds. */
/* Of a string, where LuaJIT's references have 32 bits: no allocator can be
** given to a state there. */
#define HEAD_32 16

struct vm_loans {
  green_zmq_loans *of; /* NULL: this libzmq cannot. */
  vm *v;
  green_later look;
  lua_Alloc alloc; /* At the state's end: its own, */
  void *ud;
  void *last;  /* what it frees last, */
  size_t head; /* where its strings have their bytes. */
  int is_ours; /* Is it LuaJIT's? Another may have gone by then. */
};

/* -- Anchors -------------------------------------------------------------- */

static void anchors_clear(lua_State *L)
{
  vm_push_key(L, VM_KEY_LOANS);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
}

/* Let go of what has come back. In a child none of it is wanted. */
static void loans_look(vm_loans *s, lua_State *L)
{
  int number;
  if (green_zmq_loans_forked(s->of)) {
    s->of = green_zmq_loans_new();
    anchors_clear(L);
    return;
  }
  vm_push_key(L, VM_KEY_LOANS);
  while ((number = green_zmq_loans_back(s->of)) > 0) {
    lua_pushnil(L);
    lua_rawseti(L, -2, number);
  }
  lua_pop(L, 1);
}

static void look_soon(vm_loans *s)
{
  green_hub *hub = s->v->hub;
  if (!green_link_in(&s->look.link))
    green_hub_later(hub, &s->look, green_clock_after(green_hub_now(hub), LOOK));
}

static void on_look(green_later *l)
{
  vm_loans *s = green_container(l, vm_loans, look);
  if (!s->of) return;
  loans_look(s, s->v->L);
  if (s->of && green_zmq_loans_out(s->of)) look_soon(s);
}

/* -- Lending -------------------------------------------------------------- */

static vm_loans *loans_new(vm *v)
{
  vm_loans *s = green__zalloc(sizeof(*s));
  if (!s) return NULL;
  s->of = green_zmq_loans_new();
  s->v = v;
  s->look.run = on_look;
  return s;
}

/* Of a state whose allocator is its host's nothing is lent. */
int vm_loans_open(vm *v, lua_State *L)
{
  if (v->ended || !v->blocks) return 0;
  if (!v->loans) {
    lua_newtable(L);
    vm_set_key(L, VM_KEY_LOANS);
    v->loans = loans_new(v);
  }
  if (!v->loans || !v->loans->of) return 0;
  loans_look(v->loans, L);
  return v->loans->of != NULL;
}

int vm_loans_ready(vm *v, int n)
{
  return green_zmq_loans_spare(v->loans->of, n);
}

void vm_loans_anchor(const vm *v, lua_State *L, int i)
{
  vm_push_key(L, VM_KEY_LOANS);
  lua_insert(L, -2);
  lua_rawseti(L, -2, green_zmq_loans_number(v->loans->of, i));
  lua_pop(L, 1);
}

green_zmq_loan *vm_loans_give(vm *v, const char *p)
{
  look_soon(v->loans);
  return green_zmq_loans_give(v->loans->of, p);
}

/* -- The state's end ------------------------------------------------------ */

static void arena_free(green_zmq_heap *h)
{
  lua_State *L = lua_newstate(h->alloc, h->ud);
  if (L) lua_close(L);
}

/* The state has gone. */
static void loans_settle(vm_loans *s)
{
  green_zmq_heap heap = {0};
  if (s->is_ours) {
    heap.alloc = s->alloc;
    heap.ud = s->ud;
    if (s->head > HEAD_32) heap.over = arena_free;
  }
  green_zmq_loans_settle(s->of, heap);
  green__free(s);
}

static void *closing_free(vm_loans *s, void *p, size_t n)
{
  size_t head = n > GREEN_ZMQ_LENT ? green_zmq_loans_keep(s->of, p, n) : 0;
  if (head > 0) {
    s->head = head;
    return NULL;
  }
  s->alloc(s->ud, p, n, 0);
  if (p == s->last) loans_settle(s);
  return NULL;
}

/* A lua_Alloc. */
static void *closing_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
  vm_loans *s = ud;
  if (p && nsize == 0) return closing_free(s, p, osize);
  return s->alloc(s->ud, p, osize, nsize);
}

/* A state's own memory begins with its main coroutine. */
static void loans_close(vm_loans *s, lua_State *L)
{
  s->alloc = lua_getallocf(L, &s->ud);
  s->is_ours = vm_blocks_fit(L);
  s->last = vm_is_main_state(L) ? L : NULL;
  lua_setallocf(L, closing_alloc, s);
}

void vm_loans_close(vm *v, lua_State *L)
{
  vm_loans *s = v->loans;
  if (!s) return;
  v->loans = NULL;
  green_later_remove(&s->look);
  if (s->of && !green_zmq_loans_forked(s->of) && green_zmq_loans_end(s->of))
    loans_close(s, L);
  else
    green__free(s);
}
