/*
** arena.h: an allocator that lives inside the memory it gives out.
**
** Memory may be mapped at another address in each process, so a block has no
** address but a number: how many units of 16 bytes it is from the base of the
** mapping; 0 is no block. Sizes come in classes at most 1/16 apart, free blocks
** are found by two bit maps in constant time and join their neighbours when
** they are freed (TLSF).
**
** A process may be killed anywhere in here. The free blocks, the maps and each
** block's word about its neighbour are then no longer to be trusted, but the
** size of each block in use is. The owner says which these are, and all else is
** made anew. One at a time, under the owner's lock. Private to greenc.
*/
#ifndef GREEN_ARENA_H
#define GREEN_ARENA_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
  GREEN_ARENA_UNIT = 16,
  GREEN_ARENA_SPLITS = 16, /* Classes between two powers of two. */
  GREEN_ARENA_ORDERS = 29,
};

/* At the beginning of each block, and part of its size. */
typedef struct green__block {
  uint32_t size;   /* Units, times two; odd: a free one. */
  uint32_t before; /* Units of the block below it; 0: it is the first. */
} green__block;

/* In the shared memory. */
typedef struct green__arena {
  uint64_t self;       /* Bytes from the base to this. */
  uint32_t first, end; /* Blocks are from first to end, where a bound is. */
  uint32_t marks;      /* The block where a bit for each unit begins. */
  uint32_t free;       /* Units. */
  uint32_t orders;     /* Bit i: splits[i] has a bit. */
  uint32_t splits[GREEN_ARENA_ORDERS];
  uint32_t heads[GREEN_ARENA_ORDERS][GREEN_ARENA_SPLITS];
} green__arena;

/* Memory from base + from (a multiple of the unit) to base + to is an arena's;
** a is in the same mapping. All of it is free. Needs no more than 1/100 of it
** for itself. */
void green__arena_init(green__arena *a, void *base, uint64_t from, uint64_t to);

static inline void *green__arena_base(const green__arena *a)
{
  return (char *)a - a->self;
}

static inline green__block *green__arena_at(const green__arena *a, uint32_t b)
{
  return (green__block *)((char *)a - a->self + (uint64_t)b * GREEN_ARENA_UNIT);
}

/* Units of a block of that many bytes, its head included, of which there are
** fewer than 2^34. */
uint32_t green__arena_units(uint64_t bytes);

/* Units of the largest block that there can be. */
uint32_t green__arena_most(const green__arena *a);

/* A block of that many units, of green__arena_units; 0: none is free. */
uint32_t green__arena_alloc(green__arena *a, uint32_t units);
void green__arena_free(green__arena *a, uint32_t b);

/* After a death: begin, mark each block in use, end. mark says 0 where that
** cannot be a block, or is marked already; end says 0 where two overlap, and
** then nothing is known: clear. */
void green__arena_mend_begin(green__arena *a);
int green__arena_mend_mark(green__arena *a, uint32_t b);
int green__arena_mend_end(green__arena *a);

/* All is free. */
void green__arena_clear(green__arena *a);

/* Tests only: 0, or the line of arena.c that says what is wrong. */
int green__arena_check(const green__arena *a);

#endif
