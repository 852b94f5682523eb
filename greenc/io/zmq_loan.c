/*
** zmq_loan.c: what is lent to libzmq.
**
** What comes back is pushed onto a list, without a lock, that the owner takes
** as a whole. Only when the owner has gone is there a lock: then whoever
** returns one frees what it was of.
*/

#include "io/zmq_loan.h"
#include "io/zmq_lib.h"

#include "base/fork.h"
#include "base/list.h"
#include "base/mem.h"

#include <pthread.h>

#define lib green__zmq_lib

struct green_zmq_loan {
  green_zmq_loan *next; /* Among those that are back, or spare. */
  green_link link;      /* Among those that are out; the owner's. */
  green_zmq_loans *of;
  const char *p;
  void *block; /* What p is in, from the owner's end on. */
  size_t size;
  int number;
};

struct green_zmq_loans {
  green_zmq_loan *back;  /* Atomic: pushed by any thread. */
  green_zmq_loan *taken; /* From there, by the owner, in turn. */
  green_zmq_loan *spare;
  green_list out;
  int n;       /* Numbers that were given. */
  int refs;    /* Atomic: the owner's, and that of each one out. */
  int is_over; /* Atomic: the owner has gone. */
  uint32_t generation;
  green_zmq_heap heap;
  pthread_mutex_t lock; /* Of all but back and refs, once it is over. */
};

green_zmq_loans *green_zmq_loans_new(void)
{
  if (lib.f_has("ws") || lib.f_has("wss")) return NULL;
  green_zmq_loans *l = green__zalloc(sizeof(*l));
  if (!l) return NULL;
  l->refs = 1;
  l->generation = green_fork_generation();
  green_list_init(&l->out);
  pthread_mutex_init(&l->lock, NULL);
  return l;
}

static void loans_unref(green_zmq_loans *l)
{
  if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  pthread_mutex_destroy(&l->lock);
  green__free(l);
}

/* -- Lending -------------------------------------------------------------- */

static green_zmq_loan *spare_new(green_zmq_loans *l)
{
  green_zmq_loan *k = green__zalloc(sizeof(*k));
  if (!k) return NULL;
  k->of = l;
  k->number = ++l->n;
  return k;
}

int green_zmq_loans_spare(green_zmq_loans *l, int n)
{
  green_zmq_loan **at = &l->spare;
  for (; n > 0; n--, at = &(*at)->next)
    if (!*at && !(*at = spare_new(l))) return GREEN_ENOMEM;
  return 0;
}

int green_zmq_loans_number(const green_zmq_loans *l, int i)
{
  const green_zmq_loan *k = l->spare;
  while (i-- > 0) k = k->next;
  return k->number;
}

green_zmq_loan *green_zmq_loans_give(green_zmq_loans *l, const char *p)
{
  green_zmq_loan *k = l->spare;
  green_assert(k, "there is a spare one");
  l->spare = k->next;
  k->p = p;
  green_list_push(&l->out, &k->link);
  __atomic_fetch_add(&l->refs, 1, __ATOMIC_RELAXED);
  return k;
}

/* -- Coming back ---------------------------------------------------------- */

static green_zmq_loan *take_back(green_zmq_loans *l)
{
  if (!__atomic_load_n(&l->back, __ATOMIC_RELAXED)) return NULL;
  return __atomic_exchange_n(&l->back, NULL, __ATOMIC_SEQ_CST);
}

int green_zmq_loans_back(green_zmq_loans *l)
{
  if (!l->taken) l->taken = take_back(l);
  green_zmq_loan *k = l->taken;
  if (!k) return 0;
  l->taken = k->next;
  green_link_remove(&k->link);
  k->next = l->spare;
  l->spare = k;
  return k->number;
}

int green_zmq_loans_out(const green_zmq_loans *l)
{
  return !green_list_empty(&l->out);
}

static void settle(green_zmq_loans *l);

/* It may be the owner's at once, and it may be the last. */
void green_zmq_loan_return(void *data, void *loan)
{
  green_zmq_loan *k = loan;
  green_zmq_loans *l = k->of;
  (void)data;
  k->next = __atomic_load_n(&l->back, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&l->back, &k->next, k, 1,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
  if (__atomic_load_n(&l->is_over, __ATOMIC_SEQ_CST)) settle(l);
  loans_unref(l);
}

/* -- The owner's end ------------------------------------------------------ */

static void spare_free(green_zmq_loans *l)
{
  while (l->spare) {
    green_zmq_loan *k = l->spare;
    l->spare = k->next;
    green__free(k);
  }
}

int green_zmq_loans_end(green_zmq_loans *l)
{
  while (green_zmq_loans_back(l)) {
  }
  spare_free(l);
  if (green_zmq_loans_out(l)) return 1;
  loans_unref(l);
  return 0;
}

int green_zmq_loans_forked(green_zmq_loans *l)
{
  if (green_likely(!green_fork_differs(l->generation))) return 0;
  while (green_zmq_loans_out(l)) {
    green_zmq_loan *k = green_container(l->out.next, green_zmq_loan, link);
    green_link_remove(&k->link);
    green__free(k);
  }
  spare_free(l);
  pthread_mutex_destroy(&l->lock);
  green__free(l);
  return 1;
}

#define EACH_OUT(k, l) \
  green_link *i_ = (l)->out.next; \
  (k = green_container(i_, green_zmq_loan, link), i_ != &(l)->out); \
  i_ = i_->next

size_t green_zmq_loans_keep(green_zmq_loans *l, void *block, size_t n)
{
  green_zmq_loan *k;
  size_t at = 0;
  const char *first = block;
  for (EACH_OUT(k, l)) {
    if (k->p < first || k->p >= first + n) continue;
    k->block = block;
    k->size = n;
    at = (size_t)(k->p - first);
  }
  return at;
}

/* The same string may have been sent twice. */
static int is_kept(const green_zmq_loans *l, const void *block)
{
  const green_zmq_loan *k;
  for (EACH_OUT(k, l))
    if (k->block == block) return 1;
  return 0;
}

static void loan_end(green_zmq_loans *l, green_zmq_loan *k)
{
  green_link_remove(&k->link);
  if (k->block && l->heap.alloc && !is_kept(l, k->block))
    l->heap.alloc(l->heap.ud, k->block, k->size, 0);
  green__free(k);
}

static void settle(green_zmq_loans *l)
{
  pthread_mutex_lock(&l->lock);
  green_zmq_loan *k = take_back(l), *next;
  int is_last = k != NULL;
  for (; k; k = next) {
    next = k->next;
    loan_end(l, k);
  }
  if (is_last && !green_zmq_loans_out(l) && l->heap.over)
    l->heap.over(&l->heap);
  pthread_mutex_unlock(&l->lock);
}

/* One that comes back meanwhile sees that it is over, or is seen here. */
void green_zmq_loans_settle(green_zmq_loans *l, green_zmq_heap heap)
{
  pthread_mutex_lock(&l->lock);
  l->heap = heap;
  pthread_mutex_unlock(&l->lock);
  __atomic_store_n(&l->is_over, 1, __ATOMIC_SEQ_CST);
  settle(l);
  loans_unref(l);
}
