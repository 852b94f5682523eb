/*
** handle.h: a number that stands for an object for as long as that is there.
**
** Whoever may keep something for ever gets a handle and no pointer: a slot of
** the owner's table, and the generation of what is in that slot. The owner
** keeps the handle in the slot, and lets it go on to the next generation when
** the slot is used again: older handles fit nothing then.
**
** A handle is never 0, and a double holds it exactly. One slot has its
** generations anew after half a thousand million uses.
*/
#ifndef GREEN_HANDLE_H
#define GREEN_HANDLE_H

#include <stdint.h>

typedef uint64_t green_handle;

enum { GREEN_HANDLE_SLOT_BITS = 24, GREEN_HANDLE_GENERATION_BITS = 29 };

/* Slots are below this. */
#define GREEN_HANDLE_SLOTS (UINT32_C(1) << GREEN_HANDLE_SLOT_BITS)

/* Handles are below this: 2^53. */
#define GREEN_HANDLE_END \
  (UINT64_C(1) << (GREEN_HANDLE_SLOT_BITS + GREEN_HANDLE_GENERATION_BITS))

static inline uint32_t green_handle_slot(green_handle h)
{
  return (uint32_t)h & (GREEN_HANDLE_SLOTS - 1);
}

/* Of the slot's first generation, which is 1. */
static inline green_handle green_handle_first(uint32_t slot)
{
  return (green_handle)GREEN_HANDLE_SLOTS | slot;
}

/* Of the same slot's next generation. */
static inline green_handle green_handle_next(green_handle h)
{
  h += GREEN_HANDLE_SLOTS;
  return h < GREEN_HANDLE_END ? h : green_handle_first(green_handle_slot(h));
}

/* The handle that a double holds (its fraction is dropped); 0: none. */
static inline green_handle green_handle_of_number(double n)
{
  return n >= 0 && n < (double)GREEN_HANDLE_END ? (green_handle)(int64_t)n : 0;
}

#endif
