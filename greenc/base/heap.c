/*
** heap.c: 4-ary min-heap of intrusive timers, with a batch of due ones.
**
** Four children to a node halve the levels of a binary heap and keep a node's
** children side by side in memory. Timers know their slot, so a
** removal needs no search.
*/

#include "base/heap.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define HEAP_FIRST 64
#define SLOT_ASIDE 0x80000000u
/* Below this size popping one by one is as fast as a sweep. */
#define HEAP_SWEEP_MIN 1024

/* -- Order and places ----------------------------------------------------- */

/* The sequence number may wrap; two timers with equal deadlines are never 2^31
** entries apart. */
static int heap_before(const green_heapitem *x, const green_heapitem *y)
{
  if (x->due != y->due) return x->due < y->due;
  return (int32_t)(x->seq - y->seq) < 0;
}

static void heap_put(green_heap *h, uint32_t i, green_heapitem it)
{
  h->a[i] = it;
  it.timer->slot = i + 1;
}

static void heap_up(green_heap *h, uint32_t i, green_heapitem it)
{
  while (i > 0) {
    uint32_t p = (i - 1) / 4;
    if (!heap_before(&it, &h->a[p])) break;
    heap_put(h, i, h->a[p]);
    i = p;
  }
  heap_put(h, i, it);
}

static uint32_t heap_least_child(const green_heap *h, uint32_t i)
{
  uint32_t c = 4 * i + 1;
  uint32_t end = c + 4 < h->len ? c + 4 : h->len;
  uint32_t least = c;
  for (c++; c < end; c++)
    if (heap_before(&h->a[c], &h->a[least])) least = c;
  return least;
}

static void heap_down(green_heap *h, uint32_t i, green_heapitem it)
{
  while (4 * i + 1 < h->len) {
    uint32_t c = heap_least_child(h, i);
    if (!heap_before(&h->a[c], &it)) break;
    heap_put(h, i, h->a[c]);
    i = c;
  }
  heap_put(h, i, it);
}

static void heap_settle(green_heap *h, uint32_t i, green_heapitem it)
{
  if (i > 0 && heap_before(&it, &h->a[(i - 1) / 4]))
    heap_up(h, i, it);
  else
    heap_down(h, i, it);
}

static int heap_grow(green_heapitem **a, uint32_t *cap, uint32_t want)
{
  uint32_t n = *cap;
  if (want <= n) return 0;
  while (n < want) n *= 2;
  green_heapitem *b = green__realloc(*a, n * sizeof(*b));
  if (!b) return GREEN_ENOMEM;
  *a = b;
  *cap = n;
  return 0;
}

static void heap_cut(green_heap *h, uint32_t i)
{
  green_heapitem last = h->a[--h->len];
  if (i < h->len) heap_settle(h, i, last);
}

/* -- Setting due timers aside --------------------------------------------- */

static int heap_set_aside(green_heap *h, green_heapitem it)
{
  if (heap_grow(&h->due, &h->due_cap, h->due_len + 1) < 0) return GREEN_ENOMEM;
  it.timer->slot = SLOT_ASIDE | h->due_len;
  h->due[h->due_len++] = it;
  h->aside++;
  return 0;
}

/* The due timers of a heap are a tree of their own at its root; counting stops
** at the limit. */
static uint32_t heap_count_due(const green_heap *h, uint32_t i, int64_t now,
                               uint32_t limit)
{
  if (i >= h->len || h->a[i].due > now) return 0;
  uint32_t n = 1;
  for (uint32_t c = 4 * i + 1; c <= 4 * i + 4 && n < limit; c++)
    n += heap_count_due(h, c, now, limit - n);
  return n;
}

static int heap_is_sorted(const green_heapitem *a, uint32_t n)
{
  for (uint32_t i = 1; i < n; i++)
    if (heap_before(&a[i], &a[i - 1])) return 0;
  return 1;
}

static void heap_insertion_sort(green_heapitem *a, uint32_t n)
{
  for (uint32_t i = 1; i < n; i++) {
    green_heapitem it = a[i];
    uint32_t k = i;
    for (; k > 0 && heap_before(&it, &a[k - 1]); k--) a[k] = a[k - 1];
    a[k] = it;
  }
}

/* Merge a[0 .. mid-1] and a[mid .. n-1]; room holds the first half. */
static void heap_merge(green_heapitem *a, uint32_t mid, uint32_t n,
                       green_heapitem *room)
{
  uint32_t x = 0, y = mid, out = 0;
  if (!heap_before(&a[mid], &a[mid - 1])) return;
  memcpy(room, a, mid * sizeof(*a));
  while (x < mid && y < n)
    a[out++] = heap_before(&a[y], &room[x]) ? a[y++] : room[x++];
  memcpy(a + out, room + x, (mid - x) * sizeof(*a));
}

/* qsort would call back for each comparison; a million sleepers that wake at
** once spend more there than on being resumed. */
static void heap_merge_sort(green_heapitem *a, uint32_t n, green_heapitem *room)
{
  if (n <= 16) {
    heap_insertion_sort(a, n);
    return;
  }
  uint32_t mid = n / 2;
  heap_merge_sort(a, mid, room);
  heap_merge_sort(a + mid, n - mid, room);
  heap_merge(a, mid, n, room);
}

static int heap_compare(const void *x, const void *y)
{
  return heap_before(x, y) ? -1 : 1;
}

/* Sort what was swept: often it went in in order and is sorted already. */
static void heap_sort_due(green_heap *h)
{
  if (!heap_is_sorted(h->due, h->due_len)) {
    green_heapitem *room = green__alloc((h->due_len / 2 + 1) * sizeof(*room));
    if (room)
      heap_merge_sort(h->due, h->due_len, room);
    else
      qsort(h->due, h->due_len, sizeof(*h->due), heap_compare);
    green__free(room);
  }
  for (uint32_t i = 0; i < h->due_len; i++)
    h->due[i].timer->slot = SLOT_ASIDE | i;
}

static void heap_rebuild(green_heap *h)
{
  for (uint32_t i = 0; i < h->len; i++) h->a[i].timer->slot = i + 1;
  for (uint32_t i = h->len / 4 + 1; i-- > 0;)
    if (i < h->len) heap_down(h, i, h->a[i]);
}

static void heap_sweep(green_heap *h, int64_t now)
{
  uint32_t kept = 0;
  for (uint32_t i = 0; i < h->len; i++) {
    if (h->a[i].due <= now && heap_set_aside(h, h->a[i]) == 0) continue;
    h->a[kept++] = h->a[i];
  }
  h->len = kept;
  heap_sort_due(h);
  heap_rebuild(h);
}

/* -- Public API ----------------------------------------------------------- */

int green_heap_init(green_heap *h)
{
  memset(h, 0, sizeof(*h));
  h->cap = h->due_cap = HEAP_FIRST;
  h->a = green__alloc(HEAP_FIRST * sizeof(*h->a));
  h->due = green__alloc(HEAP_FIRST * sizeof(*h->due));
  if (h->a && h->due) return 0;
  green_heap_deinit(h);
  return GREEN_ENOMEM;
}

void green_heap_deinit(green_heap *h)
{
  green__free(h->due);
  green__free(h->a);
  memset(h, 0, sizeof(*h));
}

int green_heap_add(green_heap *h, green_timer *t, int64_t due)
{
  if (green_unlikely(t->slot != 0)) return GREEN_EINVAL;
  if (green_unlikely(h->len == h->cap) &&
      heap_grow(&h->a, &h->cap, h->len + 1) < 0)
    return GREEN_ENOMEM;
  heap_up(h, h->len++, (green_heapitem){due, t, h->seq++});
  return 0;
}

void green_heap_remove(green_heap *h, green_timer *t)
{
  uint32_t slot = t->slot;
  if (!slot) return;
  t->slot = 0;
  if (!(slot & SLOT_ASIDE)) {
    heap_cut(h, slot - 1);
    return;
  }
  h->due[slot & ~SLOT_ASIDE].timer = NULL;
  h->aside--;
}

void green_heap_expire(green_heap *h, int64_t now)
{
  uint32_t limit = h->len / 8;
  if (!h->aside) h->due_at = h->due_len = 0;
  if (h->len >= HEAP_SWEEP_MIN && h->due_len == 0 &&
      heap_count_due(h, 0, now, limit) >= limit) {
    heap_sweep(h, now);
    return;
  }
  while (h->len && h->a[0].due <= now) {
    green_heapitem first = h->a[0];
    if (heap_set_aside(h, first) < 0) return;
    heap_cut(h, 0);
  }
}

green_timer *green_heap_take(green_heap *h)
{
  while (h->due_at < h->due_len) {
    green_timer *t = h->due[h->due_at++].timer;
    if (!t) continue;
    t->slot = 0;
    h->aside--;
    return t;
  }
  h->due_at = h->due_len = 0;
  return NULL;
}

int64_t green_heap_due(const green_heap *h, const green_timer *t)
{
  green_assert(t->slot, "When a timer is due that is in the heap");
  uint32_t i = t->slot & ~SLOT_ASIDE;
  return t->slot & SLOT_ASIDE ? h->due[i].due : h->a[i - 1].due;
}

/* -- Checking ------------------------------------------------------------- */

#ifdef GREEN_DEBUG
static void heap_check_item(const green_heap *h, uint32_t i)
{
  const green_heapitem *it = &h->a[i];
  green_assert(it->timer->slot == i + 1, "Timers know their slot.");
  green_assert(i == 0 || !heap_before(it, &h->a[(i - 1) / 4]),
               "a[0] is the earliest.");
}

void green_heap_check(const green_heap *h)
{
  uint32_t aside = 0;
  for (uint32_t i = 0; i < h->len; i++) heap_check_item(h, i);
  for (uint32_t i = h->due_at; i < h->due_len; i++) {
    const green_timer *t = h->due[i].timer;
    if (!t) continue;
    green_assert(t->slot == (SLOT_ASIDE | i), "top bit: set aside.");
    aside++;
  }
  green_assert(aside == h->aside,
               "Of them, those that were not removed since.");
}

int green_heap_has(const green_heap *h, const green_timer *t)
{
  uint32_t i = t->slot & ~SLOT_ASIDE;
  if (!t->slot) return 0;
  if (t->slot & SLOT_ASIDE) return i < h->due_len && h->due[i].timer == t;
  return i <= h->len && h->a[i - 1].timer == t;
}
#endif
