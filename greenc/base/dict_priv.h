/*
** dict_priv.h: how a dictionary stands in memory. Private to dict*.c.
**
** What can be trusted when a process was killed in the middle of a change:
** each bucket and its chain of items, each item but for its place in the order
** of use, and the chain of a list's elements from the first on. A change of
** these is one store into one word, of something that was written before. All
** else is made from them by green__dict_mend.
**
** Links are blocks of the arena; 0 is none.
*/
#ifndef GREEN_DICT_PRIV_H
#define GREEN_DICT_PRIV_H

#include "base/arena.h"
#include "base/dict.h"
#include "base/robust.h"

struct green_dict {
  pthread_mutex_t lock;
  uint64_t size;
  uint64_t secret[2];
  uint32_t mask;           /* Buckets less one. */
  uint32_t buckets;        /* The unit where they begin. */
  uint32_t era;            /* Items of another have expired. */
  uint32_t newest, oldest; /* In the order of use. To be mended. */
  uint32_t count;          /* Items. To be mended. */
  green__arena arena;      /* To be mended. */
};

typedef struct dict_item {
  green__block block;
  uint32_t next; /* In the bucket. */
  uint32_t hash;
  int64_t expires; /* 0: never. */
  union {
    double number;
    struct {
      uint32_t first;
      uint32_t last; /* To be mended. */
    } list;
  } is;
  uint32_t newer, older; /* To be mended. */
  uint32_t len;          /* Of a string, or of a list: to be mended then. */
  uint32_t flags;
  uint32_t era;
  uint16_t key_len;
  uint8_t type;
  char bytes[]; /* The key, the string. */
} dict_item;

typedef struct dict_element {
  green__block block;
  uint32_t next;
  uint32_t prev; /* To be mended. */
  double number;
  uint32_t len;
  uint8_t type;
  char bytes[];
} dict_element;

/* A key, its hash, and the link to its item: the item's block, or 0 at the end
** of the chain. */
typedef struct dict_place {
  const char *key;
  size_t n;
  uint32_t hash;
  uint32_t *link;
} dict_place;

static inline dict_item *dict_item_at(const green_dict *d, uint32_t b)
{
  return (dict_item *)green__arena_at(&d->arena, b);
}

static inline dict_element *dict_element_at(const green_dict *d, uint32_t b)
{
  return (dict_element *)green__arena_at(&d->arena, b);
}

static inline uint32_t *dict_bucket(const green_dict *d, uint32_t hash)
{
  return (uint32_t *)green__arena_at(&d->arena, d->buckets) + (hash & d->mask);
}

/* The store that makes a change: all that was written before is there by then,
** whenever the process is killed. */
static inline void dict_commit(uint32_t *link, uint32_t b)
{
  __atomic_store_n(link, b, __ATOMIC_RELEASE);
}

/* -- dict_mend.c ----------------------------------------------------------- */

/* 0, or GREEN_EBUSY. */
int green__dict_lock(green_dict *d);

static inline void green__dict_unlock(green_dict *d)
{
  green__robust_unlock(&d->lock);
}

/* -- dict_item.c: under the lock ------------------------------------------- */

/* Make an item the newest; of one that is in the order, and one that is not. */
void green__dict_touch(green_dict *d, uint32_t b);
void green__dict_use(green_dict *d, uint32_t b);

/* Where the key is or would be; the item, or NULL. */
dict_item *green__dict_find(green_dict *d, dict_place *at);

/* The same, but NULL for one that has expired (which *at names). */
dict_item *green__dict_live(green_dict *d, dict_place *at, int64_t *now);

int green__dict_is_over(const green_dict *d, const dict_item *it, int64_t *now);

/* Take the item of a link out and free it. */
void green__dict_drop(green_dict *d, uint32_t *link);

/* A block for so many bytes, evicting as how says; *forced: one that had not
** expired was. 0: there is no room. Links from before are no longer good. */
uint32_t green__dict_room(green_dict *d, uint64_t bytes, int how, int64_t *now,
                          int *forced);

/* An item with the key of *at in a block of green__dict_room, to be filled and
** put in the place of what is there. */
dict_item *green__dict_item(green_dict *d, uint32_t b, const dict_place *at,
                            int64_t ttl, int64_t *now);
void green__dict_put(green_dict *d, uint32_t b, dict_place *at);

static inline uint64_t dict_item_bytes(size_t key, size_t len)
{
  return offsetof(dict_item, bytes) + (uint64_t)key + len;
}

/* The time, read when it is wanted for the first time. */
int64_t green__dict_now(int64_t *now);

/* When a ttl from now ends; 0: never. */
int64_t green__dict_deadline(int64_t ttl, int64_t *now);

#endif
