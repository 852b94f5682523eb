/*
** crossing.c: the memory of messages and of shared values.
*/

#include "crossing.h"

#include "base/mem.h"

static void message_drop(green_item *item)
{
  vm_message_free(green_container(item, vm_message, item));
}

vm_message *vm_message_new(void)
{
  vm_message *m = green__zalloc(sizeof(*m));
  if (m) m->item.drop = message_drop;
  return m;
}

void vm_message_free(vm_message *m)
{
  if (!m) return;
  vm_parcel_free(&m->parcel);
  green__free(m);
}

vm_share *vm_share_new(uint32_t n)
{
  vm_share *s = green__zalloc(sizeof(*s) + n * sizeof(s->parts[0]));
  if (!s) return NULL;
  atomic_store(&s->refs, 1);
  s->n = n;
  return s;
}

vm_share *vm_share_ref(vm_share *s)
{
  atomic_fetch_add(&s->refs, 1);
  return s;
}

void vm_share_unref(vm_share *s)
{
  if (!s || atomic_fetch_sub(&s->refs, 1) > 1) return;
  for (uint32_t i = 0; i < s->n; i++) vm_parcel_free(&s->parts[i]);
  green__free(s);
}
