/*
** dns_store.c: questions by what they ask: those under way, which whoever asks
** the same joins, and answers that hold still.
*/

#include "io/dns_priv.h"

#include "base/mem.h"

#include <string.h>

enum { SLOTS = 64 }; /* At first. */

/* Eight bytes at a time, from a start that nobody outside knows. */
uint32_t green__dns_store_hash(const green__dns_store *s, const uint8_t *key,
                               size_t n)
{
  uint64_t h = s->seed ^ n;
  for (size_t i = 0; i < n; i += 8) {
    uint64_t part = 0;
    memcpy(&part, key + i, n - i < 8 ? n - i : 8);
    h = (h ^ part) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
  }
  return (uint32_t)(h ^ h >> 32);
}

void green__dns_store_init(green__dns_store *s, uint32_t most, uint64_t seed)
{
  s->most = most;
  s->seed = seed;
  for (int i = 0; i < GREEN__DNS_CLASSES; i++) green_list_init(&s->known[i]);
}

void green__dns_store_free(green__dns_store *s)
{
  green__free(s->slots);
  s->slots = NULL;
  s->n_slots = s->n = 0;
}

green__dns_node *green__dns_store_find(const green__dns_store *s,
                                       const uint8_t *key, uint16_t n,
                                       uint32_t hash, int state)
{
  if (!s->n) return NULL;
  green__dns_node *k = s->slots[hash & (s->n_slots - 1)];
  for (; k; k = k->next)
    if (k->hash == hash && (!state || k->state == state) && k->n == n &&
        !memcmp(k->key, key, n))
      break;
  return k;
}

/* -- In and out ----------------------------------------------------------- */

static void slot_push(green__dns_store *s, green__dns_node *k)
{
  green__dns_node **slot = &s->slots[k->hash & (s->n_slots - 1)];
  k->next = *slot;
  *slot = k;
}

/* Twice as many, or as many as at first. A table that cannot grow is slower. */
static int store_grow(green__dns_store *s)
{
  uint32_t n = s->n_slots ? 2 * s->n_slots : SLOTS, old_n = s->n_slots;
  green__dns_node **old = s->slots, **slots = green__zalloc(n * sizeof(*slots));
  if (!slots) return old ? 0 : GREEN_ENOMEM;
  s->slots = slots;
  s->n_slots = n;
  for (uint32_t i = 0; i < old_n; i++)
    for (green__dns_node *k = old[i], *next; k; k = next) {
      next = k->next;
      slot_push(s, k);
    }
  green__free(old);
  return 0;
}

int green__dns_store_add(green__dns_store *s, green__dns_node *k)
{
  if (s->n >= s->n_slots && store_grow(s) < 0) return GREEN_ENOMEM;
  k->state = GREEN__DNS_ASKED;
  slot_push(s, k);
  s->n++;
  return 0;
}

void green__dns_store_remove(green__dns_store *s, green__dns_node *k)
{
  if (k->state == GREEN__DNS_ALONE) return;
  green__dns_node **at = &s->slots[k->hash & (s->n_slots - 1)];
  while (*at != k) at = &(*at)->next;
  *at = k->next;
  s->n--;
  if (k->state == GREEN__DNS_KNOWN) {
    green_link_remove(&k->link);
    s->n_known[k->cls]--;
  }
  k->state = GREEN__DNS_ALONE;
}

/* -- What is known -------------------------------------------------------- */

void green__dns_store_touch(green__dns_store *s, green__dns_node *k)
{
  green_link_remove(&k->link);
  green_list_push(&s->known[k->cls], &k->link);
}

green__dns_node *green__dns_store_oldest(const green__dns_store *s, int cls)
{
  green_link *k = green_list_first(&s->known[cls]);
  return k ? green_container(k, green__dns_node, link) : NULL;
}

green__dns_node *green__dns_store_keep(green__dns_store *s, green__dns_node *k)
{
  green__dns_node *out = NULL;
  if (k->has_old)
    out = green__dns_store_find(s, k->key, k->n, k->hash, GREEN__DNS_KNOWN);
  if (!out && s->n_known[k->cls] >= s->most)
    out = green__dns_store_oldest(s, k->cls);
  if (out) green__dns_store_remove(s, out);
  k->state = GREEN__DNS_KNOWN;
  green_list_push(&s->known[k->cls], &k->link);
  s->n_known[k->cls]++;
  return out;
}
