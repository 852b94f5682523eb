/*
** slot.h: handles of connections, for Lua.
**
** A request's env, input or writer may be kept beyond its end, or be copied, and
** its connection is somebody else's then, or gone. So Lua has no pointer to it
** but a number: a slot of this table, and how often that was used. It is good
** from slot_open to slot_close, once. Only connections in workers' hands have a
** slot.
*/
#ifndef GREEN_VM_SLOT_H
#define GREEN_VM_SLOT_H

#include "httpd/conn.h"

enum { VM_SLOT_BITS = 20 }; /* Below the count of uses: 53 bits are exact. */

typedef struct vm_slot {
  green_conn *c; /* NULL: free. */
  uint32_t uses;
  uint32_t next; /* Of the free ones, 0: the last. */
} vm_slot;

typedef struct vm_slots {
  vm_slot *at; /* The first is never used. */
  uint32_t cap;
  uint32_t free;
} vm_slots;

/* Have a free slot. 0 or GREEN_ENOMEM. */
int vm_slots_reserve(vm_slots *t);

void vm_slots_deinit(vm_slots *t);

/* Close all connections that have a handle. */
void vm_slots_close_all(vm_slots *t);

/* Has c a handle? And which? */
static inline int vm_slot_has(const vm_slots *t, const green_conn *c)
{
  return c->slot < t->cap && t->at[c->slot].c == c;
}

static inline double vm_slot_handle(const vm_slots *t, const green_conn *c)
{
  return (double)t->at[c->slot].uses * (1 << VM_SLOT_BITS) + c->slot;
}

/* A handle of c, which has none; a slot is free. */
static inline double vm_slot_open(vm_slots *t, green_conn *c)
{
  vm_slot *s = &t->at[t->free];
  c->slot = t->free;
  t->free = s->next;
  s->c = c;
  return vm_slot_handle(t, c);
}

/* c's handle is good no more. */
static inline void vm_slot_close(vm_slots *t, green_conn *c)
{
  vm_slot *s = &t->at[c->slot];
  s->uses++;
  s->c = NULL;
  s->next = t->free;
  t->free = c->slot;
}

/* Make the handle good again that was closed last. */
static inline void vm_slot_reopen(vm_slots *t, green_conn *c)
{
  t->at[t->free].uses--;
  vm_slot_open(t, c);
}

/* The connection of a handle, NULL when that is not good (any more). */
static inline green_conn *vm_slot_conn(const vm_slots *t, double handle)
{
  if (!(handle >= 0 && handle < 9007199254740992.0)) return NULL;
  uint64_t h = (uint64_t)handle;
  uint32_t i = h & ((1 << VM_SLOT_BITS) - 1);
  if (i >= t->cap || t->at[i].uses != (uint32_t)(h >> VM_SLOT_BITS))
    return NULL;
  return t->at[i].c;
}

#endif
