/*
** dict_item.c: items: finding, order of use, room, eviction.
*/

#include "base/dict_priv.h"
#include "base/clock.h"
#include "base/siphash.h"

#include <string.h>

int64_t green__dict_now(int64_t *now)
{
  if (*now == 0) *now = green_clock_now();
  return *now;
}

int green__dict_is_over(const green_dict *d, const dict_item *it, int64_t *now)
{
  if (it->era != d->era) return 1;
  return it->expires != 0 && it->expires <= green__dict_now(now);
}

/* -- Order of use ---------------------------------------------------------- */

void green__dict_use(green_dict *d, uint32_t b)
{
  dict_item *it = dict_item_at(d, b);
  it->newer = 0;
  it->older = d->newest;
  if (d->newest)
    dict_item_at(d, d->newest)->newer = b;
  else
    d->oldest = b;
  d->newest = b;
  d->count++;
}

static void dict_unuse(green_dict *d, const dict_item *it)
{
  if (it->newer)
    dict_item_at(d, it->newer)->older = it->older;
  else
    d->newest = it->older;
  if (it->older)
    dict_item_at(d, it->older)->newer = it->newer;
  else
    d->oldest = it->newer;
  d->count--;
}

void green__dict_touch(green_dict *d, uint32_t b)
{
  if (d->newest == b) return;
  dict_unuse(d, dict_item_at(d, b));
  green__dict_use(d, b);
}

/* -- Finding --------------------------------------------------------------- */

static dict_item *dict_seek(green_dict *d, dict_place *at)
{
  for (at->link = dict_bucket(d, at->hash); *at->link;) {
    dict_item *it = dict_item_at(d, *at->link);
    if (it->hash == at->hash && it->key_len == at->n &&
        !memcmp(it->bytes, at->key, at->n))
      return it;
    at->link = &it->next;
  }
  return NULL;
}

dict_item *green__dict_find(green_dict *d, dict_place *at)
{
  at->hash = (uint32_t)green__siphash(d->secret, at->key, at->n);
  return dict_seek(d, at);
}

dict_item *green__dict_live(green_dict *d, dict_place *at, int64_t *now)
{
  dict_item *it = green__dict_find(d, at);
  return it && !green__dict_is_over(d, it, now) ? it : NULL;
}

/* The link to an item that is there. */
static uint32_t *dict_link_to(green_dict *d, uint32_t b)
{
  uint32_t *link = dict_bucket(d, dict_item_at(d, b)->hash);
  while (*link != b) link = &dict_item_at(d, *link)->next;
  return link;
}

/* -- Freeing --------------------------------------------------------------- */

/* Nothing leads to it any more. */
static void dict_free(green_dict *d, uint32_t b)
{
  dict_item *it = dict_item_at(d, b);
  dict_unuse(d, it);
  uint32_t e = it->type == GREEN_DICT_LIST ? it->is.list.first : 0;
  while (e) {
    uint32_t next = dict_element_at(d, e)->next;
    green__arena_free(&d->arena, e);
    e = next;
  }
  green__arena_free(&d->arena, b);
}

void green__dict_drop(green_dict *d, uint32_t *link)
{
  uint32_t b = *link;
  dict_commit(link, dict_item_at(d, b)->next);
  dict_free(d, b);
}

/* -- Room ------------------------------------------------------------------ */

/* Drop the item that was not used for the longest time, or with safe the one
** before b in that order if it has expired; b moves on. 0: none is left. */
static int dict_evict(green_dict *d, uint32_t *b, int safe, int64_t *now,
                      int *forced)
{
  if (!*b) return 0;
  const dict_item *it = dict_item_at(d, *b);
  uint32_t at = *b;
  int over = green__dict_is_over(d, it, now);
  *b = it->newer;
  if (!over && safe) return 1;
  if (!over) *forced = 1;
  green__dict_drop(d, dict_link_to(d, at));
  return 1;
}

/* Each store frees a little of what has expired. */
static void dict_sweep(green_dict *d, int64_t *now)
{
  int forced = 0;
  uint32_t b = d->oldest;
  for (int i = 0; i < 2; i++) dict_evict(d, &b, 1, now, &forced);
}

uint32_t green__dict_room(green_dict *d, uint64_t bytes, int how, int64_t *now,
                          int *forced)
{
  dict_sweep(d, now);
  if (bytes / GREEN_ARENA_UNIT >= green__arena_most(&d->arena)) return 0;
  uint32_t units = green__arena_units(bytes), old = d->oldest;
  uint32_t b = green__arena_alloc(&d->arena, units);
  for (int i = 0; !b && i < GREEN_DICT_EVICT_MOST; i++) {
    if (!dict_evict(d, &old, how & GREEN_DICT_SAFE, now, forced)) break;
    b = green__arena_alloc(&d->arena, units);
  }
  return b;
}

/* -- Making ---------------------------------------------------------------- */

int64_t green__dict_deadline(int64_t ttl, int64_t *now)
{
  if (ttl <= 0) return 0;
  int64_t from = green__dict_now(now);
  return ttl < GREEN_NEVER - from ? from + ttl : 0;
}

dict_item *green__dict_item(green_dict *d, uint32_t b, const dict_place *at,
                            int64_t ttl, int64_t *now)
{
  dict_item *it = dict_item_at(d, b);
  it->hash = at->hash;
  it->expires = green__dict_deadline(ttl, now);
  it->flags = it->len = 0;
  it->era = d->era;
  it->key_len = (uint16_t)at->n;
  memcpy(it->bytes, at->key, at->n);
  return it;
}

void green__dict_put(green_dict *d, uint32_t b, dict_place *at)
{
  uint32_t old = dict_seek(d, at) ? *at->link : 0;
  dict_item_at(d, b)->next = old ? dict_item_at(d, old)->next : 0;
  dict_commit(at->link, b);
  green__dict_use(d, b);
  if (old) dict_free(d, old);
}
