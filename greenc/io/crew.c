/*
** crew.c: threads that come when there is something to do, and retire.
**
** A crew's memory is counted: who made it and each thread hold a reference, so
** that it can be left while a thread is still in somebody's work.
*/

#include "io/crew.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/shared.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define CREW_IDLE_SECONDS 10
/* How long a fork waits for work to end. */
#define CREW_FORK_PATIENCE (GREEN_SECOND / 20)

enum { SLOT_FREE, SLOT_IDLE, SLOT_BUSY, SLOT_ENDED };

/* Where a thread is kept until it is joined. */
typedef struct crew_slot {
  green__crew *crew;
  pthread_t id;
  int state;
} crew_slot;

struct green__crew {
  pthread_cond_t more; /* Something is to be done, or threads shall end. */
  green_list ready;    /* Queues with something in them, next one first. */
  int refs;
  uint8_t is_shared;
  uint8_t ending; /* Nobody is in it any more. */
  uint32_t threads;
  uint32_t idle;
  uint32_t len; /* Things in its queues. */
  uint32_t size;
  crew_slot slots[];
};

/* Of the process. */
static struct {
  green_forkonce made;
  pthread_mutex_t lock;
  pthread_cond_t quiet; /* The last work that was running is over. */
  pthread_cond_t go_on; /* The last fork is over. */
  uint32_t running;
  uint32_t forking; /* Forks under way: no thread begins anything. */
} crews;

/* -- The lock, and forks -------------------------------------------------- */

static struct timespec time_after(int seconds, int64_t ns)
{
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  ns += ts.tv_nsec;
  ts.tv_sec += seconds + (time_t)(ns / GREEN_SECOND);
  ts.tv_nsec = (long)(ns % GREEN_SECOND);
  return ts;
}

static void cond_init(pthread_cond_t *c)
{
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(c, &attr);
  pthread_condattr_destroy(&attr);
}

/* A fork of C's waits until no thread is in the middle of something, so that a
** child finds the lists whole; and for a moment until no thread is at work: a
** child of a process that was inside the C library's resolver, say, may find
** its locks taken for ever. */
static void crews_before_fork(void)
{
  struct timespec until = time_after(0, CREW_FORK_PATIENCE);
  green__crew_lock();
  crews.forking++;
  while (crews.running)
    if (pthread_cond_timedwait(&crews.quiet, &crews.lock, &until)) break;
}

static void crews_in_parent(void)
{
  if (--crews.forking == 0) pthread_cond_broadcast(&crews.go_on);
  green__crew_unlock();
}

static void crews_in_child(void)
{
  green__crew_unlock();
}

static void crews_watch(void)
{
  pthread_atfork(crews_before_fork, crews_in_parent, crews_in_child);
}

/* In a child, too: who held the lock is not known, and who waited, who was at
** work and who forks is not here. */
static void crews_make(void *arg)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)arg;
  pthread_mutex_init(&crews.lock, NULL);
  cond_init(&crews.quiet);
  cond_init(&crews.go_on);
  crews.running = crews.forking = 0;
  pthread_once(&once, crews_watch);
}

void green__crew_lock(void)
{
  green_forkonce_check(&crews.made, crews_make, NULL);
  pthread_mutex_lock(&crews.lock);
}

void green__crew_unlock(void)
{
  pthread_mutex_unlock(&crews.lock);
}

void green__crew_wait(pthread_cond_t *cond)
{
  pthread_cond_wait(cond, &crews.lock);
}

/* fn may have forked: then nothing is counted as running here. */
void green__crew_do(void (*fn)(void *arg), void *arg)
{
  crews.running++;
  green__crew_unlock();
  fn(arg);
  green__crew_lock();
  if (crews.running && --crews.running == 0)
    pthread_cond_broadcast(&crews.quiet);
}

/* -- Crews ---------------------------------------------------------------- */

static green__crew *crew_new(int size)
{
  green__crew *c =
      green__zalloc(sizeof(*c) + (size_t)size * sizeof(c->slots[0]));
  if (!c) return NULL;
  cond_init(&c->more);
  green_list_init(&c->ready);
  c->size = (uint32_t)size;
  c->refs = 1;
  return c;
}

/* With the lock held. */
static void crew_unref(green__crew *c)
{
  if (--c->refs > 0) return;
  pthread_cond_destroy(&c->more);
  green__free(c);
}

/* With the lock held, which may be given up meanwhile. */
static void slot_end(crew_slot *slot)
{
  pthread_t id = slot->id;
  if (slot->state == SLOT_FREE) return;
  if (slot->state == SLOT_BUSY) {
    pthread_detach(id);
    return;
  }
  green__crew_unlock();
  pthread_join(id, NULL);
  green__crew_lock();
}

/* Nobody is in it. Threads that are at work look after themselves. */
static void crew_end(green__crew *c)
{
  green__crew_lock();
  c->ending = 1;
  pthread_cond_broadcast(&c->more);
  for (uint32_t i = 0; i < c->size; i++) slot_end(&c->slots[i]);
  crew_unref(c);
  green__crew_unlock();
}

/* The one of all queues that have none of their own. */

static void *shared_make(const void *size)
{
  green__crew *c = crew_new(*(const int *)size);
  if (c) c->is_shared = 1;
  return c;
}

static void shared_free(void *c)
{
  crew_end(c);
}

static green__shared crew_shared = {
    .make = shared_make, .free = shared_free, .forget = green__free};

/* -- Threads -------------------------------------------------------------- */

/* With the lock held: wait until something may be done. 1: that took too
** long. */
static int crew_wait(green__crew *c, const struct timespec *until)
{
  pthread_cond_t *cond = green_list_empty(&c->ready) ? &c->more : &crews.go_on;
  c->idle++;
  int err = pthread_cond_timedwait(cond, &crews.lock, until);
  c->idle--;
  return err == ETIMEDOUT;
}

/* With the lock held: whose turn it is, or NULL: this thread shall end. */
static green__queue *crew_next(green__crew *c)
{
  struct timespec until = time_after(CREW_IDLE_SECONDS, 0);
  int late = 0;
  while (green_list_empty(&c->ready) || crews.forking) {
    if (green_list_empty(&c->ready) && (c->ending || late)) return NULL;
    late = crew_wait(c, &until);
  }
  green__queue *q =
      green_container(green_list_pop(&c->ready), green__queue, link);
  c->len--;
  if (--q->len) green_list_push(&c->ready, &q->link);
  return q;
}

static void crew_work(green__crew *c, crew_slot *slot, green__slots **slots)
{
  green__queue *q;
  while ((q = crew_next(c)) != NULL) {
    slot->state = SLOT_BUSY;
    q->take(q, slots);
    slot->state = SLOT_IDLE;
  }
}

static void slots_end(void *arg)
{
  green__slots_end(arg);
}

/* Things may have come while slots were ended. */
static void *crew_main(void *arg)
{
  crew_slot *slot = arg;
  green__crew *c = slot->crew;
  green__slots *slots = NULL;
  /* Its own: another's would be written through files of /proc. */
  pthread_setname_np(pthread_self(), "green-pool");
  green__crew_lock();
  for (crew_work(c, slot, &slots); slots; crew_work(c, slot, &slots))
    green__crew_do(slots_end, &slots);
  slot->state = SLOT_ENDED;
  c->threads--;
  crew_unref(c);
  green__crew_unlock();
  return NULL;
}

/* Join threads that have retired. They hold the lock no more, so this does not
** block. */
static void crew_reap(green__crew *c)
{
  for (uint32_t i = 0; i < c->size; i++) {
    if (c->slots[i].state != SLOT_ENDED) continue;
    pthread_join(c->slots[i].id, NULL);
    c->slots[i].state = SLOT_FREE;
  }
}

static crew_slot *crew_free_slot(green__crew *c)
{
  crew_slot *slot = c->slots;
  crew_reap(c);
  while (slot->state != SLOT_FREE) slot++;
  return slot;
}

/* With the lock held, below the size. Signals are for the other threads of the
** process: a thread inherits the mask. */
static int crew_start_thread(green__crew *c)
{
  sigset_t all, old;
  crew_slot *slot = crew_free_slot(c);
  slot->crew = c;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int error = pthread_create(&slot->id, NULL, crew_main, slot);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error) return GREEN_ENOMEM;
  slot->state = SLOT_IDLE;
  c->threads++;
  c->refs++;
  return 0;
}

/* -- Queues --------------------------------------------------------------- */

/* With the lock held: what is in q gets its turn. */
static void queue_enter(green__queue *q)
{
  green__crew *c = q->crew;
  c->len += q->len;
  if (q->len) green_list_push(&c->ready, &q->link);
  for (uint32_t n = c->len; n > c->idle && c->threads < c->size; n--)
    if (crew_start_thread(c) < 0) break;
  pthread_cond_broadcast(&c->more);
}

int green__queue_open(green__queue *q)
{
  if (q->crew) return 0;
  green__crew *c = q->own ? crew_new(q->size)
                          : green__shared_acquire(&crew_shared, &q->size);
  if (!c) return GREEN_ENOMEM;
  green__crew_lock();
  q->crew = c;
  queue_enter(q);
  green__crew_unlock();
  return 0;
}

void green__queue_close(green__queue *q)
{
  green__crew *c = q->crew;
  green_assert(q->len == 0, "the queue is empty");
  q->crew = NULL;
  if (!c) return;
  if (c->is_shared)
    green__shared_release(&crew_shared);
  else
    crew_end(c);
}

/* The shared one is forgotten by whoever makes the next. */
void green__queue_forked(green__queue *q, uint32_t len)
{
  if (q->own) green__free(q->crew);
  q->crew = NULL;
  q->link = (green_link){NULL, NULL};
  q->len = len;
}

int green__queue_reserve(green__queue *q)
{
  green__crew *c = q->crew;
  if (c->idle > c->len || c->threads >= c->size) return 0;
  int err = crew_start_thread(c);
  return c->threads ? 0 : err;
}

void green__queue_pushed(green__queue *q)
{
  q->crew->len++;
  if (q->len++ == 0) green_list_push(&q->crew->ready, &q->link);
  pthread_cond_signal(&q->crew->more);
}

void green__queue_pulled(green__queue *q, uint32_t n)
{
  q->len -= n;
  if (!q->crew) return;
  q->crew->len -= n;
  if (!q->len) green_link_remove(&q->link);
}

uint32_t green__queue_threads(const green__queue *q)
{
  return q->crew ? q->crew->threads : 0;
}

uint32_t green__queue_idle(const green__queue *q)
{
  return q->crew ? q->crew->idle : 0;
}
