/*
** dict_kit.h: what tests of dictionaries share: short calls.
*/
#ifndef GREEN_DICT_KIT_H
#define GREEN_DICT_KIT_H

#include "t.h"
#include "base/clock.h"
#include "base/dict_priv.h"

#include <sys/mman.h>

enum { NOW = 1000 }; /* A time at which nothing of the tests has expired. */

/* A dictionary of its own, in memory that children share. */
static inline green_dict *dict_new(size_t size)
{
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
  if (p == MAP_FAILED || green__dict_init(p, size) < 0) abort();
  return p;
}

static inline void dict_end(green_dict *d)
{
  munmap(d, d->size);
}

static inline green_dict_value a_string(const char *text)
{
  return (green_dict_value){.type = GREEN_DICT_STRING,
                            .len = (uint32_t)strlen(text)};
}

static inline green_dict_value a_number(double n)
{
  return (green_dict_value){.type = GREEN_DICT_NUMBER, .number = n};
}

static inline int set_how(green_dict *d, const char *key, int how,
                          const char *text, int64_t ttl, int64_t now)
{
  green_dict_value v = a_string(text);
  return green_dict_set(d, key, strlen(key), how, &v, text, ttl, now);
}

static inline int set(green_dict *d, const char *key, const char *text)
{
  return set_how(d, key, GREEN_DICT_ALWAYS, text, 0, NOW);
}

static inline int set_number(green_dict *d, const char *key, double n)
{
  green_dict_value v = a_number(n);
  return green_dict_set(d, key, strlen(key), 0, &v, NULL, 0, NOW);
}

static inline int delete (green_dict *d, const char *key)
{
  green_dict_value v = {.type = GREEN_DICT_NIL};
  return green_dict_set(d, key, strlen(key), 0, &v, NULL, 0, NOW);
}

/* The text of a key, "-" where there is none, "?" for another type. */
static inline const char *get_at(green_dict *d, const char *key, int64_t now)
{
  static char text[70000];
  green_dict_value v;
  int code =
      green_dict_get(d, key, strlen(key), 0, text, sizeof(text) - 1, &v, now);
  if (code == GREEN_ENOENT) return "-";
  if (code < 0 || v.type != GREEN_DICT_STRING) return "?";
  text[v.len] = 0;
  return text;
}

static inline const char *get(green_dict *d, const char *key)
{
  return get_at(d, key, NOW);
}

static inline double number_at(green_dict *d, const char *key, int64_t now)
{
  green_dict_value v;
  if (green_dict_get(d, key, strlen(key), 0, NULL, 0, &v, now) < 0) return -1;
  return v.number;
}

static inline int incr(green_dict *d, const char *key, double by, int has_init)
{
  green_dict_value v = {.number = by};
  return green_dict_incr(d, key, strlen(key), &v, has_init, 0, 0, NOW);
}

enum { RIGHT, LEFT };

static inline int push(green_dict *d, const char *key, int left,
                       const char *text)
{
  green_dict_value v = a_string(text);
  return green_dict_push(d, key, strlen(key), left, &v, text, NOW);
}

static inline const char *pop(green_dict *d, const char *key, int left)
{
  static char text[1000];
  green_dict_value v;
  int code = green_dict_pop(d, key, strlen(key), left, text, sizeof(text) - 1,
                            &v, NOW);
  if (code < 0) return code == GREEN_ENOENT ? "-" : "?";
  text[v.len] = 0;
  return text;
}

#endif
