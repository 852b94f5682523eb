/*
** dict_list.c: the calls on lists.
*/

#include "base/dict_priv.h"

#include <string.h>

/* The list of a key; NULL: *code says why. */
static dict_item *list_find(green_dict *d, dict_place *at, int64_t *now,
                            int *code)
{
  dict_item *it = green__dict_live(d, at, now);
  *code = it && it->type != GREEN_DICT_LIST ? GREEN_EINVAL : 0;
  if (!it) *code = GREEN_ENOENT;
  return *code == 0 ? it : NULL;
}

/* -- Pushing --------------------------------------------------------------- */

/* An element that no list has, or 0. */
static uint32_t list_element(green_dict *d, const green_dict_value *v,
                             const void *text, int64_t *now)
{
  int forced = 0;
  uint32_t len = v->type == GREEN_DICT_STRING ? v->len : 0;
  uint64_t bytes = offsetof(dict_element, bytes) + (uint64_t)len;
  uint32_t b = green__dict_room(d, bytes, GREEN_DICT_SAFE, now, &forced);
  if (!b) return 0;
  dict_element *e = dict_element_at(d, b);
  e->next = e->prev = 0;
  e->number = v->number;
  e->len = len;
  e->type = v->type;
  if (len) memcpy(e->bytes, text, len);
  return b;
}

/* A list of one element, which is freed where there is no room. */
static int list_begin(green_dict *d, dict_place *at, uint32_t e, int64_t *now)
{
  int forced = 0;
  uint32_t b = green__dict_room(d, dict_item_bytes(at->n, 0), GREEN_DICT_SAFE,
                                now, &forced);
  if (!b) {
    green__arena_free(&d->arena, e);
    return GREEN_ENOMEM;
  }
  dict_item *it = green__dict_item(d, b, at, 0, now);
  it->type = GREEN_DICT_LIST;
  it->is.list.first = it->is.list.last = e;
  it->len = 1;
  green__dict_put(d, b, at);
  return 1;
}

static int list_push(green_dict *d, dict_item *it, uint32_t b, int left)
{
  uint32_t beside = left ? it->is.list.first : it->is.list.last;
  dict_element *e = dict_element_at(d, b);
  if (left)
    e->next = beside;
  else
    e->prev = beside;
  if (left || !beside)
    dict_commit(&it->is.list.first, b);
  else
    dict_commit(&dict_element_at(d, beside)->next, b);
  if (left && beside) dict_element_at(d, beside)->prev = b;
  if (!left || !beside) it->is.list.last = b;
  return (int)++it->len;
}

int green_dict_push(green_dict *d, const char *key, size_t n, int left,
                    const green_dict_value *v, const void *text, int64_t now)
{
  green_assert(n <= GREEN_DICT_KEY_MOST, "at most GREEN_DICT_KEY_MOST bytes");
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  dict_item *it = list_find(d, &at, &now, &code);
  uint32_t e = code == GREEN_EINVAL ? 0 : list_element(d, v, text, &now);
  if (e && it)
    code = list_push(d, it, e, left);
  else if (e)
    code = list_begin(d, &at, e, &now);
  else if (code != GREEN_EINVAL)
    code = GREEN_ENOMEM;
  green__dict_unlock(d);
  return code;
}

/* -- Popping --------------------------------------------------------------- */

static int list_read(const dict_element *e, void *p, size_t cap,
                     green_dict_value *v)
{
  v->type = e->type;
  v->number = e->number;
  v->len = e->len;
  v->flags = v->stale = 0;
  if (e->len > cap) return GREEN_ETOOBIG;
  if (e->len) memcpy(p, e->bytes, e->len);
  return 0;
}

/* Take an end out; there is more than that. */
static void list_cut(green_dict *d, dict_item *it, uint32_t b, int left)
{
  const dict_element *e = dict_element_at(d, b);
  if (left) {
    dict_commit(&it->is.list.first, e->next);
    dict_element_at(d, e->next)->prev = 0;
  } else {
    dict_commit(&dict_element_at(d, e->prev)->next, 0);
    it->is.list.last = e->prev;
  }
  it->len--;
  green__arena_free(&d->arena, b);
}

int green_dict_pop(green_dict *d, const char *key, size_t n, int left, void *p,
                   size_t cap, green_dict_value *v, int64_t now)
{
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  dict_item *it = list_find(d, &at, &now, &code);
  if (it) {
    uint32_t b = left ? it->is.list.first : it->is.list.last;
    code = list_read(dict_element_at(d, b), p, cap, v);
    if (code == 0 && it->len == 1)
      green__dict_drop(d, at.link);
    else if (code == 0)
      list_cut(d, it, b, left);
  }
  green__dict_unlock(d);
  return code;
}

int green_dict_len(green_dict *d, const char *key, size_t n, int64_t now)
{
  dict_place at = {.key = key, .n = n};
  int code = green__dict_lock(d);
  if (code < 0) return code;
  const dict_item *it = list_find(d, &at, &now, &code);
  if (it) code = (int)it->len;
  green__dict_unlock(d);
  return code == GREEN_ENOENT ? 0 : code;
}
