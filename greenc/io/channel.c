/*
** channel.c: items in a list, and two lines of those who wait for it.
*/

#include "io/channel.h"
#include "base/fork.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

struct green_channel {
  atomic_int refs;
  uint32_t generation; /* Of the process whose threads share it. */
  uint32_t capacity;
  pthread_mutex_t lock; /* For all below. */
  uint32_t size;
  uint8_t closed;
  green_list items;
  green_list waits[2];        /* By side; who came first stands first. */
  struct green_channel *next; /* Of those that a child was left with. */
};

struct green_channel_wait {
  green_link link; /* In line, until it is told. With the channel's lock. */
  green_channel *channel; /* NULL: it has ended. */
  green_hub *hub;
  green_post post; /* Posted with the lock held, once each time in line. */
  green_waitq queue;
  uint8_t side;
  uint8_t told; /* The post has run. */
};

/* -- Life ----------------------------------------------------------------- */

green_channel *green_channel_new(uint32_t capacity)
{
  green_assert(capacity > 0, "a channel has room for an item");
  green_channel *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  green_fork_watch();
  c->generation = green_fork_generation();
  atomic_store(&c->refs, 1);
  c->capacity = capacity;
  pthread_mutex_init(&c->lock, NULL);
  green_list_init(&c->items);
  green_list_init(&c->waits[GREEN_CHANNEL_GET]);
  green_list_init(&c->waits[GREEN_CHANNEL_PUT]);
  return c;
}

green_channel *green_channel_ref(green_channel *c)
{
  atomic_fetch_add(&c->refs, 1);
  return c;
}

static void channel_free(green_channel *c)
{
  green_link *k;
  while ((k = green_list_pop(&c->items))) {
    green_item *item = green_container(k, green_item, link);
    item->drop(item);
  }
  pthread_mutex_destroy(&c->lock);
  green__free(c);
}

/* Threads that the child does not have hold it for ever, and one of them may
** have been in the middle of it. */
static int is_orphan(const green_channel *c)
{
  return green_unlikely(green_fork_differs(c->generation)) &&
         green_fork_generation() != c->generation;
}

/* Keeps them in sight of those who look for lost memory. */
static _Atomic(green_channel *) orphans;

static void channel_leave(green_channel *c)
{
  c->next = atomic_exchange(&orphans, c);
}

void green_channel_unref(green_channel *c)
{
  if (!is_orphan(c)) {
    if (atomic_fetch_sub(&c->refs, 1) == 1) channel_free(c);
  } else if (!c->next) {
    channel_leave(c);
  }
}

/* -- Telling; with the lock held ------------------------------------------ */

/* Whoever has waited longest may try. */
static void tell_first(green_channel *c, enum green_channel_side side)
{
  green_link *k = green_list_pop(&c->waits[side]);
  if (!k) return;
  green_channel_wait *w = green_container(k, green_channel_wait, link);
  green_hub_post(w->hub, &w->post);
}

static void tell_all(green_channel *c, enum green_channel_side side)
{
  while (!green_list_empty(&c->waits[side])) tell_first(c, side);
}

/* Would a try of this side get anywhere? */
static int is_worth(const green_channel *c, enum green_channel_side side)
{
  if (c->closed) return 1;
  return side == GREEN_CHANNEL_GET ? c->size > 0 : c->size < c->capacity;
}

/* -- Items ---------------------------------------------------------------- */

int green_channel_put(green_channel *c, green_item *item)
{
  if (is_orphan(c)) return GREEN_ECLOSED;
  pthread_mutex_lock(&c->lock);
  int err = c->closed ? GREEN_ECLOSED : 0;
  if (err == 0 && c->size == c->capacity) err = GREEN_EAGAIN;
  if (err == 0) {
    green_list_push(&c->items, &item->link);
    c->size++;
    tell_first(c, GREEN_CHANNEL_GET);
  }
  pthread_mutex_unlock(&c->lock);
  return err;
}

int green_channel_get(green_channel *c, green_item **item)
{
  if (is_orphan(c)) return GREEN_ECLOSED;
  pthread_mutex_lock(&c->lock);
  green_link *k = green_list_pop(&c->items);
  int err = k ? 0 : c->closed ? GREEN_ECLOSED : GREEN_EAGAIN;
  if (k) {
    c->size--;
    tell_first(c, GREEN_CHANNEL_PUT);
  }
  pthread_mutex_unlock(&c->lock);
  if (k) *item = green_container(k, green_item, link);
  return err;
}

void green_channel_close(green_channel *c)
{
  if (is_orphan(c)) return;
  pthread_mutex_lock(&c->lock);
  c->closed = 1;
  tell_all(c, GREEN_CHANNEL_GET);
  tell_all(c, GREEN_CHANNEL_PUT);
  pthread_mutex_unlock(&c->lock);
}

uint32_t green_channel_size(green_channel *c)
{
  if (is_orphan(c)) return 0;
  pthread_mutex_lock(&c->lock);
  uint32_t n = c->size;
  pthread_mutex_unlock(&c->lock);
  return n;
}

uint32_t green_channel_capacity(const green_channel *c)
{
  return c->capacity;
}

int green_channel_is_closed(green_channel *c)
{
  if (is_orphan(c)) return 1;
  pthread_mutex_lock(&c->lock);
  int is = c->closed;
  pthread_mutex_unlock(&c->lock);
  return is;
}

/* -- Waiting -------------------------------------------------------------- */

size_t green_channel_wait_size(void)
{
  return sizeof(green_channel_wait);
}

/* On the hub's thread. */
static void wait_told(green_post *post)
{
  green_channel_wait *w = green_container(post, green_channel_wait, post);
  w->told = 1;
  green_waitq_wake_all(&w->queue, 0);
}

/* Stand in line, unless a try is worth it now. 0 or GREEN_EAGAIN. */
static int wait_link(green_channel_wait *w, int in_front)
{
  green_channel *c = w->channel;
  green_list *line = &c->waits[w->side];
  w->told = 0;
  pthread_mutex_lock(&c->lock);
  int worth = is_worth(c, w->side);
  if (!worth && in_front) green_list_push_front(line, &w->link);
  if (!worth && !in_front) green_list_push(line, &w->link);
  pthread_mutex_unlock(&c->lock);
  return worth ? GREEN_EAGAIN : 0;
}

int green_channel_wait_init(green_channel_wait *w, green_hub *hub,
                            green_channel *c, enum green_channel_side side)
{
  if (is_orphan(c)) return GREEN_EAGAIN;
  w->channel = c;
  w->hub = hub;
  w->side = (uint8_t)side;
  w->post.run = wait_told;
  green_waitq_init(&w->queue);
  int err = wait_link(w, 0);
  if (err < 0) {
    w->channel = NULL;
    return err;
  }
  green_channel_ref(c);
  green_hub_hold(hub);
  return 0;
}

int green_channel_wait_again(green_channel_wait *w)
{
  green_assert(w->channel && !green_link_in(&w->link), "it was told");
  return is_orphan(w->channel) ? GREEN_EAGAIN : wait_link(w, 1);
}

void green_channel_wait_deinit(green_channel_wait *w)
{
  green_channel *c = w->channel;
  if (!c) return;
  w->channel = NULL;
  if (!is_orphan(c)) {
    pthread_mutex_lock(&c->lock);
    int in_line = green_link_in(&w->link);
    green_link_remove(&w->link);
    /* It was told, and may have left what it was told of. */
    if (!in_line && is_worth(c, w->side)) tell_first(c, w->side);
    pthread_mutex_unlock(&c->lock);
  }
  green_hub_unpost(w->hub, &w->post);
  green_waitq_wake_all(&w->queue, GREEN_ECLOSED);
  green_hub_unhold(w->hub);
  green_channel_unref(c);
}

green_waitq *green_channel_wait_queue(green_channel_wait *w)
{
  return &w->queue;
}

int green_channel_wait_is_begun(const green_channel_wait *w)
{
  return w->channel != NULL;
}

int green_channel_wait_is_told(const green_channel_wait *w)
{
  return w->told;
}
