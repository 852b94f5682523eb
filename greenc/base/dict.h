/*
** dict.h: a dictionary in shared memory, with expiry: texts to texts, numbers,
** booleans and lists of these.
**
** All threads of a process and all its children (see shm.h) may use it at the
** same time. Every call is one step for all others, takes a lock for about as
** long as it takes to copy the value, and never waits for anything else. If the
** lock's holder is stopped, a call gives up after 0.1 s: GREEN_EBUSY, and
** nothing has happened. If the holder was killed, the next call brings the
** dictionary into order: what the holder was at has happened, or has not; the
** order of use is forgotten then. That takes about 0.1 s a million items.
**
** When there is no room, a store evicts what was not used for the longest time,
** as many as it needs but at most GREEN_DICT_EVICT_MOST.
**
** Times are monotonic nanoseconds, which a fork does not change: now is
** green_clock_now(), or 0 to have it read where it is needed. A ttl is a
** duration, 0 for ever. Keys are of at most GREEN_DICT_KEY_MOST bytes, any
** bytes. Any thread, all of them.
*/
#ifndef GREEN_DICT_H
#define GREEN_DICT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_DICT_NIL, /* A set of it deletes. */
  GREEN_DICT_BOOLEAN,
  GREEN_DICT_NUMBER,
  GREEN_DICT_STRING,
  GREEN_DICT_LIST,
};

/* When a set stores. */
enum {
  GREEN_DICT_ALWAYS,
  GREEN_DICT_ADD = 1,     /* If there is none: else GREEN_EEXIST. */
  GREEN_DICT_REPLACE = 2, /* If there is one: else GREEN_ENOENT. */
  GREEN_DICT_SAFE = 4,    /* Or'ed: do not evict what has not expired. */
};

enum {
  GREEN_DICT_LEAST = 8192, /* Bytes of the smallest dictionary. */
  GREEN_DICT_KEY_MOST = 65535,
  GREEN_DICT_EVICT_MOST = 1000,
};

typedef struct green_dict green_dict; /* Opaque. */

typedef struct green_dict_value {
  double number;  /* Of a boolean: 0 or 1. */
  uint32_t len;   /* Bytes of a string, */
  uint32_t flags; /* The user's. */
  uint8_t type;
  uint8_t stale; /* It has expired. */
} green_dict_value;

/* The dictionary of that name (n bytes, at most 255), made with size bytes
** (from GREEN_DICT_LEAST; rounded up to pages) if there is none; with size 0
** none is made. It lives as long as the process. NULL and *code: GREEN_EEXIST
** (it has another size), GREEN_ENOENT, GREEN_ENOMEM (no room for it),
** GREEN_EBUSY, or what the system says when it gives no memory. */
GREEN_API green_dict *green_dict_named(const char *name, size_t n, double size,
                                       int *code);

/* The value of a key, a string's bytes to p, where there is room for cap. 0;
** GREEN_ENOENT; GREEN_ETOOBIG (the string has v->len bytes); GREEN_EINVAL (it
** is a list). With stale, one that has expired counts, too, if it is there
** still. */
GREEN_API int green_dict_get(green_dict *d, const char *key, size_t n,
                             int stale, void *p, size_t cap,
                             green_dict_value *v, int64_t now);

/* Store v, with text if it is a string. 0; 1: others were evicted that had not
** expired; GREEN_ENOMEM: no room, even after evicting; see above for how. */
GREEN_API int green_dict_set(green_dict *d, const char *key, size_t n, int how,
                             const green_dict_value *v, const void *text,
                             int64_t ttl, int64_t now);

/* Add v->number to the number of a key; the sum is left there. With has_init, a
** key that is not there begins as init, with that ttl. As set; GREEN_ENOENT,
** GREEN_EINVAL (it is no number). */
GREEN_API int green_dict_incr(green_dict *d, const char *key, size_t n,
                              green_dict_value *v, int has_init, double init,
                              int64_t ttl, int64_t now);

/* Let it expire in ttl from now. 0 or GREEN_ENOENT. */
GREEN_API int green_dict_expire(green_dict *d, const char *key, size_t n,
                                int64_t ttl, int64_t now);

/* Nanoseconds until it expires, 0: never; or GREEN_ENOENT. */
GREEN_API int64_t green_dict_ttl(green_dict *d, const char *key, size_t n,
                                 int64_t now);

/* Put v at the left or right end of a list, which begins with it if there is
** none. How long it is now; GREEN_EINVAL (it is no list), GREEN_ENOMEM: nobody
** is evicted for a list. */
GREEN_API int green_dict_push(green_dict *d, const char *key, size_t n,
                              int left, const green_dict_value *v,
                              const void *text, int64_t now);

/* Take from that end; a list that is empty then is gone. As get. */
GREEN_API int green_dict_pop(green_dict *d, const char *key, size_t n, int left,
                             void *p, size_t cap, green_dict_value *v,
                             int64_t now);

/* How long a list is, 0: there is none; GREEN_EINVAL. */
GREEN_API int green_dict_len(green_dict *d, const char *key, size_t n,
                             int64_t now);

/* All that is there has expired from now on. 0. */
GREEN_API int green_dict_flush_all(green_dict *d);

/* Free what has expired, at most so many (0: all). How many. Others get the
** lock in between. */
GREEN_API int64_t green_dict_flush_expired(green_dict *d, uint32_t most,
                                           int64_t now);

/* The keys from *place on (0: the beginning; it is moved on), each behind two
** bytes of its length as the processor has them, to p. How many, and their
** bytes in *used; none: that was all. GREEN_ETOOBIG: *used bytes are needed.
** What is there from the first call to the last is told once. */
GREEN_API int green_dict_keys(green_dict *d, uint32_t *place, void *p,
                              size_t cap, size_t *used, int64_t now);

/* Bytes in all, and bytes that are free: not in one piece. */
GREEN_API double green_dict_capacity(const green_dict *d);
GREEN_API double green_dict_free_space(const green_dict *d);
/* end ffi */

/* Make a dictionary in memory of one's own that is shared: zeroed, on a page,
** of a multiple of the page's size from GREEN_DICT_LEAST on. 0 or an error. */
int green__dict_init(void *p, uint64_t size);

/* Tests only: 0, or the line that says what is wrong. Nobody else is at it. */
int green__dict_check(const green_dict *d);

/* Tests only: as if the holder of the lock had died. */
void green__dict_mend(green_dict *d);

#endif
