/*
** slot.h: handles of connections, for Lua. Private to vm.
**
** A request's env, input or writer may be kept beyond its end, or be copied,
** and its connection is somebody else's then, or gone. So Lua has no pointer to
** it but a handle, which is good from vm_slot_open to vm_slot_close. Only
** connections in workers' hands have one.
*/
#ifndef GREEN_VM_SLOT_H
#define GREEN_VM_SLOT_H

#include "base/handle.h"
#include "httpd/conn.h"

typedef struct vm_slot {
  green_conn *c;       /* NULL: free. */
  green_handle handle; /* Of the present use, or the last one. */
  uint32_t next;       /* Of the free ones, 0: the last. */
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
  return (double)(int64_t)t->at[c->slot].handle;
}

/* The slot that was freed last is c's. */
static inline vm_slot *vm_slot_take(vm_slots *t, green_conn *c)
{
  green_assert(t->free, "a slot is free");
  vm_slot *s = &t->at[t->free];
  c->slot = t->free;
  t->free = s->next;
  s->c = c;
  return s;
}

/* A handle of c, which has none; a slot is free. */
static inline double vm_slot_open(vm_slots *t, green_conn *c)
{
  vm_slot *s = vm_slot_take(t, c);
  s->handle = green_handle_next(s->handle);
  return vm_slot_handle(t, c);
}

/* The handle of c, which has one, is good no more. */
static inline void vm_slot_close(vm_slots *t, const green_conn *c)
{
  green_assert(vm_slot_has(t, c), "c, which has one");
  vm_slot *s = &t->at[c->slot];
  s->c = NULL;
  s->next = t->free;
  t->free = c->slot;
}

/* Make the handle good again that was closed last: c's. */
static inline void vm_slot_reopen(vm_slots *t, green_conn *c)
{
  vm_slot_take(t, c);
}

/* The connection of a handle, NULL when that is not good (any more). */
static inline green_conn *vm_slot_conn(const vm_slots *t, double handle)
{
  green_handle h = green_handle_of_number(handle);
  uint32_t i = green_handle_slot(h);
  if (i >= t->cap || t->at[i].handle != h) return NULL;
  return t->at[i].c;
}

#endif
