/*
** blocks.c: between LuaJIT and its allocator.
**
** Blocks are of classes, eight to an octave, so that messages of about the same
** length find each other's. LuaJIT says a block's size when it frees it, and
** its class follows from that.
*/

#include "blocks.h"

#include "base/mem.h"
#include "hub/later.h"

#include <lauxlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define BLOCKS_MOST 256
#define MARKS 64
#define OUT_MOST (64 << 20) /* Bytes that Lua does not know of. */
#define BLOCKS_REST 1.0     /* Seconds without a use: then they go. */
#define BLOCKS_AGAIN 0.02   /* There is more of what is idle. */

typedef struct block {
  void *p;
  size_t size;
} block;

struct vm_blocks {
  lua_Alloc alloc; /* LuaJIT's, below. */
  void *ud;
  size_t least;   /* What is looked at: large blocks; all, while one is kept or
                     offered. */
  green_hub *hub; /* NULL: closed. */
  green_defer pace;
  green_later rest;
  const vm_blocks_calls *calls;
  void *arg;
  size_t made;
  size_t kept;
  size_t out;
  uint32_t n;
  uint8_t used;     /* Since rest has looked last. */
  uint8_t is_freed; /* But for what is out. */
  uint8_t is_known; /* Somebody else has our function, for ever. */
  uint8_t next_mark;
  vm_offer *offer;
  const void *marks[MARKS];
  block at[BLOCKS_MOST]; /* That kept longest first. */
};

/* -- What is kept --------------------------------------------------------- */

/* n, rounded up to an eighth of the power of two below it. */
static size_t class_of(size_t n)
{
  size_t step = (size_t)1 << (8 * sizeof(long) - 4 -
                              (size_t)__builtin_clzl((unsigned long)n));
  return n > VM_BLOCKS_KEPT_MOST ? n : (n + step - 1) & ~(step - 1);
}

static void look_at(vm_blocks *b)
{
  b->least = b->n || b->offer ? 0 : VM_BLOCK_LEAST;
}

static block block_take(vm_blocks *b, uint32_t i)
{
  block k = b->at[i];
  b->n--;
  b->kept -= k.size;
  look_at(b);
  memmove(&b->at[i], &b->at[i + 1], (b->n - i) * sizeof(k));
  ASAN_UNPOISON_MEMORY_REGION(k.p, k.size);
  return k;
}

static void blocks_drop(vm_blocks *b, size_t most, uint32_t n_most)
{
  while (b->kept > most || b->n > n_most) {
    block k = block_take(b, 0);
    b->alloc(b->ud, k.p, k.size, 0);
  }
}

static void blocks_look_in(vm_blocks *b, double seconds)
{
  green_hub_later(b->hub, &b->rest,
                  green_clock_after(green_hub_now(b->hub), seconds));
}

static void blocks_rest_in(vm_blocks *b, double seconds)
{
  if (b->hub && !green_link_in(&b->rest.link)) blocks_look_in(b, seconds);
}

/* None was wanted since the last look: they go. */
static void blocks_rest(green_later *l)
{
  vm_blocks *b = green_container(l, vm_blocks, rest);
  int more = b->used || b->calls->idle(b->arg);
  /* idle may have freed some, which asks for a look of its own, later. */
  if (more) blocks_look_in(b, b->used ? BLOCKS_REST : BLOCKS_AGAIN);
  if (!b->used) blocks_drop(b, 0, 0);
  b->used = 0;
}

static void *block_get(vm_blocks *b, size_t n)
{
  size_t size = class_of(n);
  b->used = 1;
  blocks_rest_in(b, BLOCKS_REST);
  for (uint32_t i = b->n; i-- > 0;)
    if (b->at[i].size == size) return block_take(b, i).p;
  void *p = b->alloc(b->ud, NULL, 0, size);
  if (p || !b->n) return p;
  blocks_drop(b, 0, 0);
  return b->alloc(b->ud, NULL, 0, size);
}

/* It may be of less than its class, if it has grown, or was there before us:
** for one that is large enough the allocator has nothing to do. */
static void block_put(vm_blocks *b, void *p, size_t n)
{
  size_t size = class_of(n);
  void *q = NULL;
  if (b->hub && size <= VM_BLOCKS_KEPT_MOST) q = b->alloc(b->ud, p, n, size);
  if (!q) {
    b->alloc(b->ud, p, n, 0);
    return;
  }
  blocks_drop(b, VM_BLOCKS_KEPT_MOST - size, BLOCKS_MOST - 1);
  ASAN_POISON_MEMORY_REGION(q, size);
  b->at[b->n++] = (block){q, size};
  b->kept += size;
  look_at(b);
  blocks_rest_in(b, BLOCKS_REST);
}

/* -- What is offered, and marked ------------------------------------------ */

void *vm_block_get(vm_blocks *b, size_t n)
{
  if (!b->hub || n > OUT_MOST - b->out) return NULL;
  void *p = block_get(b, n);
  if (p) b->out += n;
  return p;
}

void vm_block_given(vm_blocks *b, size_t n)
{
  b->out -= n;
}

void vm_block_put(vm_blocks *b, void *p, size_t n)
{
  b->out -= n;
  block_put(b, p, n);
  if (b->is_freed && !b->out) green__free(b);
}

void vm_blocks_offer(vm_blocks *b, vm_offer *o)
{
  b->offer = o;
  look_at(b);
}

static int mark_of(const vm_blocks *b, const void *p)
{
  for (int i = 0; i < MARKS; i++)
    if (b->marks[i] == p) return i;
  return -1;
}

void vm_block_mark(vm_blocks *b, const void *p)
{
  if (mark_of(b, p) < 0) b->marks[b->next_mark++ % MARKS] = p;
}

int vm_block_is_marked(const vm_blocks *b, const void *p)
{
  return mark_of(b, p) >= 0;
}

static void block_unmark(vm_blocks *b, const void *p)
{
  int i = mark_of(b, p);
  if (i >= 0) b->marks[i] = NULL;
}

/* -- The allocator -------------------------------------------------------- */

static void blocks_pace(green_defer *d)
{
  const vm_blocks *b = green_container(d, vm_blocks, pace);
  b->calls->made(b->arg);
}

static void blocks_note(vm_blocks *b, size_t n)
{
  b->made += n;
  if (b->hub) green_hub_defer(b->hub, &b->pace);
}

static void *block_new(vm_blocks *b, size_t n)
{
  vm_offer *o = b->offer;
  blocks_note(b, n);
  if (!o || o->got || n < o->least || n > o->most) return block_get(b, n);
  o->got = o->p ? o->p : block_get(b, n);
  return o->got;
}

static void *block_resize(vm_blocks *b, void *p, size_t osize, size_t nsize)
{
  void *q = b->alloc(b->ud, p, osize, nsize);
  if (!q && b->n) {
    blocks_drop(b, 0, 0);
    q = b->alloc(b->ud, p, osize, nsize);
  }
  if (q && nsize > osize) blocks_note(b, nsize - osize);
  return q;
}

static void *blocks_large(vm_blocks *b, void *p, size_t osize, size_t nsize)
{
  if (!p) return block_new(b, nsize);
  block_unmark(b, p);
  if (nsize > 0) return block_resize(b, p, osize, nsize);
  block_put(b, p, osize);
  return NULL;
}

/* While something is kept, it goes before there is no memory. */
static void *blocks_small(vm_blocks *b, void *p, size_t osize, size_t nsize)
{
  void *q = b->alloc(b->ud, p, osize, nsize);
  if (green_likely(q || nsize == 0)) return q;
  blocks_drop(b, 0, 0);
  return b->alloc(b->ud, p, osize, nsize);
}

static __attribute__((noinline)) void *blocks_look(vm_blocks *b, void *p,
                                                   size_t osize, size_t nsize)
{
  if (b->offer && b->offer->got) b->offer->more = 1;
  return (osize | nsize) < VM_BLOCK_LEAST ? blocks_small(b, p, osize, nsize)
                                          : blocks_large(b, p, osize, nsize);
}

/* A lua_Alloc. Programs without large blocks pay for a comparison. */
static void *blocks_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
  vm_blocks *b = ud;
  if (green_unlikely((osize | nsize) >= b->least))
    return blocks_look(b, p, osize, nsize);
  return b->alloc(b->ud, p, osize, nsize);
}

/* -- Life ----------------------------------------------------------------- */

int vm_blocks_fit(lua_State *L)
{
  void *ud;
  lua_State *other = luaL_newstate();
  if (!other) return 0;
  int is = lua_getallocf(L, &ud) == lua_getallocf(other, &ud);
  lua_close(other);
  return is;
}

vm_blocks *vm_blocks_open(lua_State *L, green_hub *hub,
                          const vm_blocks_calls *calls, void *arg)
{
  vm_blocks *b = green__zalloc(sizeof(*b));
  if (!b) return NULL;
  b->alloc = lua_getallocf(L, &b->ud);
  b->hub = hub;
  b->least = VM_BLOCK_LEAST;
  b->pace.run = blocks_pace;
  b->rest.run = blocks_rest;
  b->calls = calls;
  b->arg = arg;
  lua_setallocf(L, blocks_alloc, b);
  return b;
}

void vm_blocks_close(vm_blocks *b, lua_State *L)
{
  void *ud;
  if (!b || !b->hub) return;
  if (lua_getallocf(L, &ud) == blocks_alloc && ud == b)
    lua_setallocf(L, b->alloc, b->ud);
  else
    b->is_known = 1;
  blocks_drop(b, 0, 0);
  green_hub_undefer(&b->pace);
  green_later_remove(&b->rest);
  b->hub = NULL;
}

vm_blocks *vm_blocks_free(vm_blocks *b)
{
  if (!b || b->is_known) return b; /* Whoever knows it may call it still. */
  b->is_freed = 1;
  if (b->out) return b;
  green__free(b);
  return NULL;
}

size_t vm_blocks_made(vm_blocks *b)
{
  size_t made = b->made;
  b->made = 0;
  return made;
}

size_t vm_blocks_kept(const vm_blocks *b)
{
  return b->kept;
}
