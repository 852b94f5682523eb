/*
** list.h: an intrusive doubly linked list, a ring with the head in it.
**
** A link that is in no list points at nothing (next == NULL), so it can be
** asked (green_link_in) and removed twice without harm.
*/
#ifndef GREEN_LIST_H
#define GREEN_LIST_H

#include <stddef.h>

typedef struct green_link {
  struct green_link *next; /* NULL: in no list. */
  struct green_link *prev;
} green_link;

/* The head is a link of its own; an empty list points at itself. */
typedef green_link green_list;

static inline void green_list_init(green_list *l)
{
  l->next = l->prev = l;
}

static inline int green_list_empty(const green_list *l)
{
  return l->next == l;
}

static inline int green_link_in(const green_link *k)
{
  return k->next != NULL;
}

static inline void green_list_push(green_list *l, green_link *k)
{
  k->next = l;
  k->prev = l->prev;
  l->prev->next = k;
  l->prev = k;
}

static inline void green_list_push_front(green_list *l, green_link *k)
{
  k->prev = l;
  k->next = l->next;
  l->next->prev = k;
  l->next = k;
}

static inline void green_link_remove(green_link *k)
{
  if (!k->next) return;
  k->prev->next = k->next;
  k->next->prev = k->prev;
  k->next = k->prev = NULL;
}

/* Is it in a list, and do its neighbours know it? For assertions. */
static inline int green_link_is_sound(const green_link *k)
{
  return k->next && k->next->prev == k && k->prev->next == k;
}

/* The oldest link, or NULL. It stays in the list. */
static inline green_link *green_list_first(const green_list *l)
{
  return l->next == l ? NULL : l->next;
}

/* Take the oldest link out, or NULL. */
static inline green_link *green_list_pop(green_list *l)
{
  green_link *k = green_list_first(l);
  if (k) green_link_remove(k);
  return k;
}

/* Move all links of src behind those of dst; src is empty afterwards. */
static inline void green_list_splice(green_list *dst, green_list *src)
{
  if (green_list_empty(src)) return;
  src->next->prev = dst->prev;
  dst->prev->next = src->next;
  src->prev->next = dst;
  dst->prev = src->prev;
  green_list_init(src);
}

#endif
