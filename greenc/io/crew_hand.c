/*
** crew_hand.c: threads that come when there is something to do, and retire.
**
** A crew's memory is counted: who made it and each thread hold a reference, so
** that it can be left while a thread is still in somebody's work. What a thread
** sleeps on is the crew's as long as that: a wake-up may come late.
**
** Who waits last is called first: its memory is still at hand, and those that
** are too many retire.
*/

#include "io/crew_priv.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/futex.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

#define CREW_IDLE (10 * GREEN_SECOND)

/* The lock is given up, and what was to be posted is. */
static void unlock_and_post(green_hub *hub, green_post *post)
{
  green__crew_unlock();
  if (!hub) return;
  green_hub_post(hub, post);
  green_hub_post_end(hub);
}

static void hand_unlock(green__hand *h)
{
  green_hub *hub = h->hub;
  green__hand *wake = h->wake;
  h->hub = NULL;
  h->wake = NULL;
  unlock_and_post(hub, h->post);
  green__hand_wake(wake);
}

/* What it did has forked, and has come back in the child: whoever wants to know
** of it is over there. With its last thread the process ends. */
static void hand_orphaned(void)
{
  pthread_exit(NULL);
}

void green__crew_do(green__hand *h, void (*fn)(void *arg), void *arg)
{
  uint32_t generation = green_fork_generation();
  green__crew_running_more();
  if (h)
    hand_unlock(h);
  else
    green__crew_unlock();
  fn(arg);
  if (h && green_fork_generation() != generation) hand_orphaned();
  green__crew_lock();
  if (!h || !h->lost) green__crew_running_less();
}

/* -- Crews ---------------------------------------------------------------- */

green__crew *green__crew_new(int size)
{
  green__crew *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  green_list_init(&c->ready);
  green_list_init(&c->hands);
  green_list_init(&c->idle);
  green_list_init(&c->ended);
  green_list_init(&c->spare);
  c->size = (uint32_t)size;
  c->refs = 1;
  return c;
}

void green__crew_forget(void *crew)
{
  green__crew *c = crew;
  green__hand *h, *older;
  for (h = c ? c->all : NULL; h; h = older) {
    older = h->older;
    green__free(h);
  }
  green__free(c);
}

/* With the lock held. */
static void crew_unref(green__crew *c)
{
  if (--c->refs == 0) green__crew_forget(c);
}

int green__hand_call(green__hand *h)
{
  if (!green_link_in(&h->rest)) return 0;
  green_link_remove(&h->rest);
  h->crew->n_idle--;
  h->called = 1;
  h->crew->n_called++;
  __atomic_store_n(&h->word, 1, __ATOMIC_RELEASE);
  return 1;
}

void green__hand_wake(green__hand *h)
{
  if (h) green__futex_wake(&h->word);
}

void green__hand_call_now(green__hand *h)
{
  if (green__hand_call(h)) green__hand_wake(h);
}

/* With the lock held, which may be given up: it will end, or has. Who is busy
** is looked after by nobody. */
static void hand_join(green__hand *h)
{
  green__crew *c = h->crew;
  pthread_t id = h->id;
  if (h->busy) {
    pthread_detach(id);
    h->detached = 1;
    green_link_remove(&h->link);
    return;
  }
  green__hand_call_now(h);
  green__crew_unlock();
  pthread_join(id, NULL);
  green__crew_lock();
  green_link_remove(&h->link);
  green_list_push(&c->spare, &h->link);
}

void green__crew_end(green__crew *c)
{
  green__hand *h;
  green__crew_lock();
  c->ending = 1;
  for (green_link *k; (k = green_list_first(&c->idle)) != NULL;)
    green__hand_call_now(green_container(k, green__hand, rest));
  while ((h = green__hand_of(green_list_first(&c->hands))) != NULL ||
         (h = green__hand_of(green_list_first(&c->ended))) != NULL)
    hand_join(h);
  crew_unref(c);
  green__crew_unlock();
}

/* -- Threads -------------------------------------------------------------- */

green__slots **green__hand_slots(green__hand *h)
{
  return &h->slots;
}

green__seat *green__hand_seat(green__hand *h)
{
  return &h->seat;
}

void green__hand_post(green__hand *h, green_hub *hub, green_post *post)
{
  green_assert(!h->hub, "Once before that");
  green_hub_post_begin(hub);
  h->hub = hub;
  h->post = post;
}

/* With the lock held: it has come. */
static void hand_come(green__hand *h)
{
  h->crew->n_called -= h->called;
  h->called = 0;
}

/* With the lock held, which is given up meanwhile: until it is called. 1: that
** took too long. A thread with a pin waits for ever. */
static int hand_sleep(green__hand *h)
{
  green__crew *c = h->crew;
  int64_t span = h->pins ? GREEN_NEVER : CREW_IDLE;
  __atomic_store_n(&h->word, 0, __ATOMIC_RELAXED);
  green_list_push_front(&c->idle, &h->rest);
  c->n_idle++;
  green__seat_rest(&h->seat);
  hand_unlock(h);
  int late = green__futex_wait(&h->word, 0, span);
  green__crew_lock();
  green__hand_call(h);
  hand_come(h);
  return late;
}

static int hand_has_work(const green__hand *h)
{
  return !green_list_empty(&h->ready) || !green_list_empty(&h->crew->ready);
}

/* With the lock held: where the next thing is, by turns. */
static green_list *hand_turn(green__hand *h)
{
  green_list *mine = &h->ready, *all = &h->crew->ready;
  int both = !green_list_empty(mine) && !green_list_empty(all);
  h->pinned_last = both ? !h->pinned_last : !green_list_empty(mine);
  return h->pinned_last ? mine : all;
}

/* With the lock held. There may be more than it was called for. */
static green__queue *hand_pick(green__hand *h)
{
  green_list *from = hand_turn(h);
  green__queue *q = green_container(green_list_pop(from), green__queue, link);
  q->len--;
  q->at_work++;
  if (q->len && (!q->most || q->at_work < q->most))
    green_list_push(from, &q->link);
  if (!green_list_empty(&h->crew->ready) && !h->crew->n_called)
    green__crew_call(h->crew, &h->wake);
  return q;
}

/* With the lock held: the next one, or NULL: this thread shall end. No thread
** begins anything amid a fork. */
static green__queue *hand_next(green__hand *h)
{
  int late = 0;
  while (green__crew_forking() || !hand_has_work(h)) {
    if (!hand_has_work(h)) {
      if (h->crew->ending || (late && !h->pins)) return NULL;
      late = hand_sleep(h);
    } else if (h->hub) {
      hand_unlock(h);
      green__crew_lock();
    } else {
      green__crew_await_fork();
    }
  }
  return hand_pick(h);
}

/* With the lock held. */
static void hand_work(green__hand *h)
{
  green__queue *q;
  while (!h->lost && (q = hand_next(h)) != NULL) {
    h->busy = 1;
    q->take(q, h);
    h->busy = 0;
  }
}

static void slots_end(void *slots)
{
  green__slots_end(slots);
}

/* With the lock held: who looks after itself leaves its memory. */
static void hand_leave(green__hand *h)
{
  green__crew *c = h->crew;
  green__roster_leave(&h->seat);
  green_link_remove(&h->link);
  green_list_push(h->detached ? &c->spare : &c->ended, &h->link);
  if (!h->lost) c->n_hands--;
  crew_unref(c);
}

/* Things may have come while its slots were ended. */
static void *hand_main(void *arg)
{
  green__hand *h = arg;
  /* Its own: another's would be written through files of /proc. */
  pthread_setname_np(pthread_self(), "green-pool");
  green__crew_lock();
  hand_come(h);
  green__roster_enter(&h->seat);
  for (hand_work(h); h->slots; hand_work(h)) {
    green__crew_do(h, slots_end, &h->slots);
    if (h->lost) green__crew_running_less();
  }
  green_hub *hub = h->hub;
  green_post *post = h->post;
  hand_leave(h);
  unlock_and_post(hub, post);
  return NULL;
}

/* Join threads that have retired. They hold the lock no more, so this does not
** block. */
static void crew_reap(green__crew *c)
{
  green__hand *h;
  while ((h = green__hand_of(green_list_pop(&c->ended))) != NULL) {
    pthread_join(h->id, NULL);
    green_list_push(&c->spare, &h->link);
  }
}

/* Memory of one that is no more, or new one. */
static green__hand *crew_hand(green__crew *c)
{
  crew_reap(c);
  green__hand *h = green__hand_of(green_list_pop(&c->spare));
  if (h) return h;
  h = green__zalloc(sizeof(*h));
  if (!h) return NULL;
  h->crew = c;
  h->older = c->all;
  c->all = h;
  return h;
}

static void hand_init(green__hand *h)
{
  green_list_init(&h->ready);
  green_list_init(&h->pinned);
  h->pins = 0;
  h->hub = NULL;
  h->wake = NULL;
  h->busy = h->detached = h->lost = h->pinned_last = 0;
}

/* Signals are for the other threads of the process: a thread inherits the
** mask. */
static int hand_start(green__hand *h)
{
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int error = pthread_create(&h->id, NULL, hand_main, h);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  green__mem_shared();
  return error;
}

green__hand *green__crew_start(green__crew *c)
{
  green__hand *h = crew_hand(c);
  if (!h) return NULL;
  hand_init(h);
  if (hand_start(h)) {
    green_list_push(&c->spare, &h->link);
    return NULL;
  }
  green_list_push(&c->hands, &h->link);
  c->n_hands++;
  c->refs++;
  h->called = 1;
  c->n_called++;
  return h;
}

int green__crew_call(green__crew *c, green__hand **wake)
{
  green_link *k = green_list_first(&c->idle);
  if (k && c->n_called) return 0;
  if (k) {
    *wake = green_container(k, green__hand, rest);
    green__hand_call(*wake);
    return 0;
  }
  if (c->n_hands < c->size) green__crew_start(c);
  return c->n_hands ? 0 : GREEN_ENOMEM;
}
