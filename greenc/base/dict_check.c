/*
** dict_check.c: is all of a dictionary as it must be? For tests.
*/

#include "base/dict_priv.h"
#include "base/siphash.h"

static int check_list(const green_dict *d, const dict_item *it)
{
  uint32_t prev = 0, n = 0;
  for (uint32_t b = it->is.list.first; b; n++) {
    const dict_element *e = dict_element_at(d, b);
    if (e->block.size & 1) return __LINE__;
    if (e->prev != prev) return __LINE__;
    if (n > it->len) return __LINE__;
    prev = b;
    b = e->next;
  }
  if (it->is.list.last != prev) return __LINE__;
  if (it->len != n || n == 0) return __LINE__;
  return 0;
}

static int check_item(const green_dict *d, const dict_item *it, uint32_t i)
{
  uint32_t hash = (uint32_t)green__siphash(d->secret, it->bytes, it->key_len);
  if (it->block.size & 1) return __LINE__;
  if (it->hash != hash || (hash & d->mask) != i) return __LINE__;
  if (it->type == GREEN_DICT_LIST) return check_list(d, it);
  uint64_t bytes = dict_item_bytes(it->key_len, it->len);
  if (bytes > (uint64_t)(it->block.size >> 1) * GREEN_ARENA_UNIT)
    return __LINE__;
  return 0;
}

static int check_order(const green_dict *d)
{
  uint32_t newer = 0, n = 0;
  for (uint32_t b = d->newest; b; n++) {
    const dict_item *it = dict_item_at(d, b);
    if (it->newer != newer || n > d->count) return __LINE__;
    newer = b;
    b = it->older;
  }
  return d->oldest == newer && n == d->count ? 0 : __LINE__;
}

int green__dict_check(const green_dict *d)
{
  uint32_t n = 0;
  int line = green__arena_check(&d->arena);
  if (!line) line = check_order(d);
  for (uint32_t i = 0; !line && i <= d->mask; i++)
    for (uint32_t b = *dict_bucket(d, i); b && !line; n++) {
      const dict_item *it = dict_item_at(d, b);
      line = n > d->count ? __LINE__ : check_item(d, it, i);
      b = it->next;
    }
  if (line) return line;
  return n == d->count ? 0 : __LINE__;
}
