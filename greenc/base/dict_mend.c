/*
** dict_mend.c: making a dictionary, its lock, and order after a death.
*/

#include "base/dict_priv.h"
#include "base/random.h"

#include <string.h>

/* Bytes of an item on average, as the number of buckets has it. */
#define DICT_ITEM_GUESS 128

static uint32_t dict_bucket_count(uint64_t size)
{
  uint32_t n = 16;
  while (n < UINT32_C(1) << 31 && (uint64_t)n * 2 * DICT_ITEM_GUESS <= size)
    n *= 2;
  return n;
}

/* The base of all block numbers is the dictionary itself. Pages come zeroed. */
int green__dict_init(void *p, uint64_t size)
{
  green_dict *d = p;
  int code = green__robust_init(&d->lock);
  if (code < 0) return code;
  /* Without the kernel's help the secret is none of chance: that is seen to
  ** do no other harm. */
  if (green_random_fill(d->secret, sizeof(d->secret)) < 0)
    d->secret[0] = (uint64_t)(uintptr_t)d;
  d->size = size;
  d->mask = dict_bucket_count(size) - 1;
  uint64_t at = (sizeof(*d) + GREEN_ARENA_UNIT - 1) / GREEN_ARENA_UNIT;
  d->buckets = (uint32_t)at;
  at = at * GREEN_ARENA_UNIT + ((uint64_t)d->mask + 1) * sizeof(uint32_t);
  green__arena_init(&d->arena, d, at, size);
  return 0;
}

/* -- After a death --------------------------------------------------------- */

/* Elements from the first on; *last and the number are found on the way. What
** cannot be an element ends the list: only a stray pointer writes that. */
static void mend_list(green_dict *d, dict_item *it)
{
  uint32_t *link = &it->is.list.first, prev = 0;
  it->len = 0;
  for (; *link; it->len++) {
    if (!green__arena_mend_mark(&d->arena, *link)) {
      *link = 0;
      break;
    }
    dict_element *e = dict_element_at(d, *link);
    e->prev = prev;
    prev = *link;
    link = &e->next;
  }
  it->is.list.last = prev;
}

static void mend_bucket(green_dict *d, uint32_t i)
{
  uint32_t *link = dict_bucket(d, i);
  while (*link) {
    if (!green__arena_mend_mark(&d->arena, *link)) {
      *link = 0;
      return;
    }
    dict_item *it = dict_item_at(d, *link);
    if (it->type == GREEN_DICT_LIST) mend_list(d, it);
    green__dict_use(d, *link);
    link = &it->next;
  }
}

static void dict_empty(green_dict *d)
{
  memset(dict_bucket(d, 0), 0, ((size_t)d->mask + 1) * sizeof(uint32_t));
  d->newest = d->oldest = d->count = 0;
  green__arena_clear(&d->arena);
}

void green__dict_mend(green_dict *d)
{
  d->newest = d->oldest = d->count = 0;
  green__arena_mend_begin(&d->arena);
  for (uint32_t i = 0;; i++) {
    mend_bucket(d, i);
    if (i == d->mask) break;
  }
  if (!green__arena_mend_end(&d->arena)) dict_empty(d);
}

int green__dict_lock(green_dict *d)
{
  int r = green__robust_lock(&d->lock);
  if (green_likely(r == 0)) return 0;
  if (r < 0) return r;
  green__dict_mend(d);
  green__robust_mended(&d->lock);
  return 0;
}
