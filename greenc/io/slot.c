/*
** slot.c: a thread's slots: a chain, newest first; few kinds of work want one.
*/

#include "io/slot.h"
#include "base/mem.h"

#include <stddef.h>

struct green__slots {
  green__slots *next;
  const green_thread_hooks *hooks;
  void *slot;
};

static int slots_add(green__slots **all, const green_thread_hooks *hooks)
{
  green__slots *s = green__zalloc(sizeof(*s));
  if (!s) return GREEN_ENOMEM;
  int err = hooks->thread_start(&s->slot);
  if (err < 0) {
    green__free(s);
    return err;
  }
  s->hooks = hooks;
  s->next = *all;
  *all = s;
  return 0;
}

int green__slots_get(green__slots **all, const green_thread_hooks *hooks,
                     void **slot)
{
  green__slots *s = *all;
  while (s && s->hooks != hooks) s = s->next;
  if (!s) {
    int err = slots_add(all, hooks);
    if (err < 0) return err;
    s = *all;
  }
  *slot = s->slot;
  return 0;
}

void green__slots_end(green__slots **all)
{
  green__slots *s;
  while ((s = *all) != NULL) {
    *all = s->next;
    if (s->hooks->thread_end) s->hooks->thread_end(s->slot);
    green__free(s);
  }
}
