/*
** blocks.h: large blocks of a Lua state's memory, kept for the next who want
** one. Private to vm.
**
** LuaJIT's allocator asks the system for each block of 128 KB or more, and
** gives it back as soon as it is free: a string of a megabyte costs 256 page
** faults, which is more than to receive and to send it. A function before the
** allocator keeps such blocks for a while. Each of them is the allocator's: it
** may be made before the function is there, or be freed behind it.
**
** What is kept is bounded. It goes when memory is short, when none of it was
** wanted for a second, and at the state's end.
*/
#ifndef GREEN_BLOCKS_H
#define GREEN_BLOCKS_H

#include "hub/hub.h"

#include <lua.h>

#define VM_BLOCK_LEAST (128 << 10)     /* A power of two. */
#define VM_BLOCKS_KEPT_MOST (64 << 20) /* Bytes. */

typedef struct vm_blocks vm_blocks;

/* What whoever opens them is told. */
typedef struct vm_blocks_calls {
  void (*made)(void *arg); /* Before a poll: Lua has made some. */
  int (*idle)(void *arg);  /* It has made none for a second. 1: tell again
                              soon. */
} vm_blocks_calls;

/* Keep blocks of L's state, whose allocator must be LuaJIT's own
** (vm_blocks_fit); NULL: out of memory. */
vm_blocks *vm_blocks_open(lua_State *L, green_hub *hub,
                          const vm_blocks_calls *calls, void *arg);

/* Is the allocator of L's state LuaJIT's own? Another's may count what it
** gives, or know better. */
int vm_blocks_fit(lua_State *L);

/* Give all back, and keep nothing any more; L's allocator is what it was. The
** state may be closed afterwards. */
void vm_blocks_close(vm_blocks *b, lua_State *L);

/* NULL; or b, where a block is still to be put back: it goes with the last. */
vm_blocks *vm_blocks_free(vm_blocks *b);

/* -- For strings that are made in place (bytes.h) ------------------------ */

/* A block as Lua may have had it, for n bytes; NULL: closed, out of memory, or
** 64 MB are out. It is put back, or Lua has got it (vm_block_given). */
void *vm_block_get(vm_blocks *b, size_t n);
void vm_block_put(vm_blocks *b, void *p, size_t n);
void vm_block_given(vm_blocks *b, size_t n);

/* What Lua gets when it asks for a new block of least to most bytes next. */
typedef struct vm_offer {
  void *p; /* NULL: any. */
  size_t least;
  size_t most;
  void *got; /* The block that it got, p or that other; NULL: none. */
  int more;  /* It asked for memory after that. */
} vm_offer;

/* Have Lua get it; NULL: nothing is offered any more. */
void vm_blocks_offer(vm_blocks *b, vm_offer *o);

/* Remember something of a block until it is freed, and of the last few only;
** is it remembered? */
void vm_block_mark(vm_blocks *b, const void *p);
int vm_block_is_marked(const vm_blocks *b, const void *p);

/* -- What was done -------------------------------------------------------- */

/* Bytes of large blocks that Lua has made since it was last asked. */
size_t vm_blocks_made(vm_blocks *b);

/* Bytes that are kept. */
size_t vm_blocks_kept(const vm_blocks *b);

#endif
