/*
** dict.c: the calls on one value, and on all of them.
*/

#include "base/dict_priv.h"
#include "base/clock.h"
#include "base/shm.h"

#include <string.h>

#define DICT_PAGE 4096

/* So many buckets are looked at under the lock before others get it. */
#define DICT_STRETCH 4096

/* -- Names ----------------------------------------------------------------- */

static int dict_fill(void *it, uint64_t size, const void *arg)
{
  (void)arg;
  return green__dict_init(it, size);
}

green_dict *green_dict_named(const char *name, size_t n, double size, int *code)
{
  void *it = NULL;
  uint64_t got = 0;
  green__shm_wish w = {.kind = GREEN_SHM_DICT, .name = name, .n = n};
  green_assert(size == 0 || size >= GREEN_DICT_LEAST, "from GREEN_DICT_LEAST");
  if (size > (double)GREEN_SHM_ROOM) {
    *code = GREEN_ENOMEM;
    return NULL;
  }
  w.size = ((uint64_t)size + DICT_PAGE - 1) & ~(uint64_t)(DICT_PAGE - 1);
  w.align = DICT_PAGE;
  w.fill = dict_fill;
  *code = green__shm_thing(&w, &it, &got);
  if (*code < 0) return NULL;
  if (w.size == 0 || w.size == got) return it;
  *code = GREEN_EEXIST;
  return NULL;
}

/* -- Reading --------------------------------------------------------------- */

static int dict_read(const dict_item *it, void *p, size_t cap,
                     green_dict_value *v)
{
  v->type = it->type;
  v->flags = it->flags;
  v->number = it->is.number;
  v->len = it->type == GREEN_DICT_STRING ? it->len : 0;
  if (it->type == GREEN_DICT_LIST) return GREEN_EINVAL;
  if (v->len > cap) return GREEN_ETOOBIG;
  if (v->len) memcpy(p, it->bytes + it->key_len, v->len);
  return 0;
}

int green_dict_get(green_dict *d, const char *key, size_t n, int stale, void *p,
                   size_t cap, green_dict_value *v, int64_t now)
{
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  const dict_item *it = green__dict_find(d, &at);
  v->stale = it && green__dict_is_over(d, it, &now);
  code = GREEN_ENOENT;
  if (it && (stale || !v->stale)) {
    if (!v->stale) green__dict_touch(d, *at.link);
    code = dict_read(it, p, cap, v);
  }
  green__dict_unlock(d);
  return code;
}

int64_t green_dict_ttl(green_dict *d, const char *key, size_t n, int64_t now)
{
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  const dict_item *it = green__dict_live(d, &at, &now);
  int64_t left = GREEN_ENOENT;
  if (it) left = it->expires ? it->expires - now : 0;
  green__dict_unlock(d);
  return left;
}

/* -- Writing --------------------------------------------------------------- */

/* Under the lock; the item is new. */
static int dict_store(green_dict *d, dict_place *at, int how,
                      const green_dict_value *v, const void *text, int64_t ttl,
                      int64_t *now)
{
  int forced = 0;
  uint64_t len = v->type == GREEN_DICT_STRING ? v->len : 0;
  uint32_t b =
      green__dict_room(d, dict_item_bytes(at->n, len), how, now, &forced);
  if (!b) return GREEN_ENOMEM;
  dict_item *it = green__dict_item(d, b, at, ttl, now);
  it->type = v->type;
  it->flags = v->flags;
  it->len = (uint32_t)len;
  it->is.number = v->number;
  if (len) memcpy(it->bytes + at->n, text, len);
  green__dict_put(d, b, at);
  return forced;
}

/* Is what stands there no reason against it? */
static int dict_may(green_dict *d, dict_place *at, int how, int64_t *now)
{
  const dict_item *it = green__dict_live(d, at, now);
  if ((how & GREEN_DICT_ADD) && it) return GREEN_EEXIST;
  if ((how & GREEN_DICT_REPLACE) && !it) return GREEN_ENOENT;
  return 0;
}

int green_dict_set(green_dict *d, const char *key, size_t n, int how,
                   const green_dict_value *v, const void *text, int64_t ttl,
                   int64_t now)
{
  green_assert(n <= GREEN_DICT_KEY_MOST, "at most GREEN_DICT_KEY_MOST bytes");
  green_assert(v->type < GREEN_DICT_LIST, "lists are pushed");
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  code = dict_may(d, &at, how, &now);
  if (code == 0 && v->type != GREEN_DICT_NIL)
    code = dict_store(d, &at, how, v, text, ttl, &now);
  else if (code == 0 && *at.link)
    green__dict_drop(d, at.link);
  green__dict_unlock(d);
  return code;
}

static int dict_begin(green_dict *d, dict_place *at, green_dict_value *v,
                      double init, int64_t ttl, int64_t *now)
{
  v->number += init;
  v->type = GREEN_DICT_NUMBER;
  v->flags = 0;
  return dict_store(d, at, GREEN_DICT_ALWAYS, v, NULL, ttl, now);
}

static int dict_add(green_dict *d, dict_item *it, uint32_t b,
                    green_dict_value *v)
{
  if (it->type != GREEN_DICT_NUMBER) return GREEN_EINVAL;
  v->number += it->is.number;
  __atomic_store(&it->is.number, &v->number, __ATOMIC_RELEASE);
  green__dict_touch(d, b);
  return 0;
}

int green_dict_incr(green_dict *d, const char *key, size_t n,
                    green_dict_value *v, int has_init, double init, int64_t ttl,
                    int64_t now)
{
  green_assert(n <= GREEN_DICT_KEY_MOST, "at most GREEN_DICT_KEY_MOST bytes");
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  dict_item *it = green__dict_live(d, &at, &now);
  if (it)
    code = dict_add(d, it, *at.link, v);
  else if (has_init)
    code = dict_begin(d, &at, v, init, ttl, &now);
  else
    code = GREEN_ENOENT;
  green__dict_unlock(d);
  return code;
}

int green_dict_expire(green_dict *d, const char *key, size_t n, int64_t ttl,
                      int64_t now)
{
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  dict_item *it = green__dict_live(d, &at, &now);
  code = it ? 0 : GREEN_ENOENT;
  if (it)
    __atomic_store_n(&it->expires, green__dict_deadline(ttl, &now),
                     __ATOMIC_RELEASE);
  green__dict_unlock(d);
  return code;
}

/* -- All ------------------------------------------------------------------- */

/* One store, however many there are. */
int green_dict_flush_all(green_dict *d)
{
  int code = green__dict_lock(d);
  if (code < 0) return code;
  dict_commit(&d->era, d->era + 1);
  green__dict_unlock(d);
  return 0;
}

/* At most so many of a bucket. */
static uint32_t dict_flush_bucket(green_dict *d, uint32_t i, uint32_t most,
                                  int64_t *now)
{
  uint32_t *link = dict_bucket(d, i), n = 0;
  while (*link && n < most) {
    dict_item *it = dict_item_at(d, *link);
    if (!green__dict_is_over(d, it, now)) {
      link = &it->next;
      continue;
    }
    green__dict_drop(d, link);
    n++;
  }
  return n;
}

int64_t green_dict_flush_expired(green_dict *d, uint32_t most, int64_t now)
{
  uint64_t n = 0, i = 0;
  if (most == 0) most = UINT32_MAX;
  while (i <= d->mask && n < most) {
    int code = green__dict_lock(d);
    if (code < 0) return n ? (int64_t)n : code;
    for (int k = 0; k < DICT_STRETCH && i <= d->mask && n < most; k++, i++)
      n += dict_flush_bucket(d, (uint32_t)i, most - (uint32_t)n, &now);
    green__dict_unlock(d);
  }
  return (int64_t)n;
}

/* Append the keys of a bucket to p + *used, if all of them fit: how many. */
static int dict_list_bucket(green_dict *d, uint32_t i, char *p, size_t cap,
                            size_t *used, int64_t *now)
{
  size_t need = *used;
  int n = 0;
  for (uint32_t b = *dict_bucket(d, i); b; b = dict_item_at(d, b)->next) {
    const dict_item *it = dict_item_at(d, b);
    if (green__dict_is_over(d, it, now)) continue;
    size_t at = need;
    need += sizeof(it->key_len) + it->key_len;
    if (need > cap) continue;
    memcpy(p + at, &it->key_len, sizeof(it->key_len));
    memcpy(p + at + sizeof(it->key_len), it->bytes, it->key_len);
    n++;
  }
  if (need > cap && *used > 0) return GREEN_ETOOBIG;
  *used = need;
  return need > cap ? GREEN_ETOOBIG : n;
}

int green_dict_keys(green_dict *d, uint32_t *place, void *p, size_t cap,
                    size_t *used, int64_t now)
{
  int n = 0, more = 0;
  *used = 0;
  while (n == 0 && more >= 0 && *place <= d->mask) {
    int code = green__dict_lock(d);
    if (code < 0) return code;
    for (int k = 0; k < DICT_STRETCH && *place <= d->mask; k++, ++*place) {
      more = dict_list_bucket(d, *place, p, cap, used, &now);
      if (more < 0) break;
      n += more;
    }
    green__dict_unlock(d);
  }
  return n == 0 && more < 0 ? more : n;
}

double green_dict_capacity(const green_dict *d)
{
  return (double)d->size;
}

double green_dict_free_space(const green_dict *d)
{
  uint32_t units = __atomic_load_n(&d->arena.free, __ATOMIC_RELAXED);
  return (double)units * GREEN_ARENA_UNIT;
}
