/*
** slot.c: the table of the connections that Lua has handles of.
*/

#include "slot.h"

#include "base/mem.h"

#include <string.h>

int vm_slots_reserve(vm_slots *t)
{
  if (green_likely(t->free)) return 0;
  uint32_t cap = t->cap ? 2 * t->cap : 16;
  if (cap > GREEN_HANDLE_SLOTS) return GREEN_ENOMEM;
  vm_slot *at = green__realloc(t->at, cap * sizeof(*at));
  if (!at) return GREEN_ENOMEM;
  uint32_t first = t->cap ? t->cap : 1;
  if (!t->cap) memset(at, 0, sizeof(*at));
  for (uint32_t i = first; i < cap; i++)
    at[i] = (vm_slot){.handle = green_handle_first(i), .next = i + 1};
  at[cap - 1].next = 0;
  t->at = at;
  t->cap = cap;
  t->free = first;
  return 0;
}

void vm_slots_deinit(vm_slots *t)
{
  green__free(t->at);
  memset(t, 0, sizeof(*t));
}

void vm_slots_close_all(vm_slots *t)
{
  for (uint32_t i = 1; i < t->cap; i++) {
    green_conn *c = t->at[i].c;
    if (!c) continue;
    vm_slot_close(t, c);
    green_conn_close(c);
  }
}
