/*
** zmq_ctx.c: contexts, and the threads that end them.
*/

#include "io/zmq_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "io/shared.h"

#include <signal.h>
#include <time.h>

/* -- The library ---------------------------------------------------------- */

int green_zmq_ctx_load(void)
{
  return green__zmq_load();
}

const char *green_zmq_ctx_why(void)
{
  return green__zmq_why();
}

void green_zmq_ctx_version(int32_t numbers[3])
{
  lib.f_version(&numbers[0], &numbers[1], &numbers[2]);
}

int green_zmq_ctx_has(const char *capability)
{
  return lib.f_has(capability) != 0;
}

/* -- Those that are being ended ------------------------------------------- */

/* In a child: the parent's are nobody's. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t cond;
  green_zmq_context *first;
  uint32_t last_id;
  green_forkonce made;
} ending;

static void ending_make(void *arg)
{
  pthread_condattr_t attr;
  (void)arg;
  pthread_mutex_init(&ending.lock, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&ending.cond, &attr);
  pthread_condattr_destroy(&attr);
  ending.first = NULL;
}

static void ending_lock(void)
{
  green_forkonce_check(&ending.made, ending_make, NULL);
  pthread_mutex_lock(&ending.lock);
}

static uint32_t ending_new_id(void)
{
  ending_lock();
  uint32_t id = ++ending.last_id;
  pthread_mutex_unlock(&ending.lock);
  return id;
}

static void ending_add(green_zmq_context *c)
{
  ending_lock();
  c->next = ending.first;
  ending.first = c;
  pthread_mutex_unlock(&ending.lock);
}

static void ending_remove(green_zmq_context *c)
{
  ending_lock();
  green_zmq_context **at = &ending.first;
  while (*at && *at != c) at = &(*at)->next;
  if (*at) *at = c->next;
  pthread_cond_broadcast(&ending.cond);
  pthread_mutex_unlock(&ending.lock);
  green__free(c);
}

static void *end_thread(void *arg)
{
  green_zmq_context *c = arg;
  while (lib.f_ctx_term(c->ctx) < 0 && green__zmq_error() == GREEN_EINTR) {
  }
  ending_remove(c);
  return NULL;
}

/* Signals are for the threads that want them. */
static int end_start(green_zmq_context *c)
{
  pthread_t thread;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int r = pthread_create(&thread, NULL, end_thread, c);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (r == 0) pthread_detach(thread);
  return r;
}

/* Takes it. Without a thread to wait in, what it still has to send goes on
** until the process ends. */
static void context_end(green_zmq_context *c)
{
  ending_add(c);
  if (end_start(c) != 0) ending_remove(c);
}

uint32_t green_zmq_ctx_id(const green_zmq_context *c)
{
  return c ? c->id : 0;
}

int green_zmq_ctx_ending(uint32_t id)
{
  int n = 0;
  ending_lock();
  for (const green_zmq_context *c = ending.first; c; c = c->next)
    n += !id || c->id == id;
  pthread_mutex_unlock(&ending.lock);
  return n;
}

int green_zmq_ctx_end_wait(int64_t deadline)
{
  int r = 0;
  struct timespec t = {.tv_sec = deadline / 1000000000,
                       .tv_nsec = deadline % 1000000000};
  ending_lock();
  while (ending.first && r == 0)
    r = pthread_cond_timedwait(&ending.cond, &ending.lock, &t);
  r = ending.first ? GREEN_ETIMEDOUT : 0;
  pthread_mutex_unlock(&ending.lock);
  return r;
}

/* -- Contexts ------------------------------------------------------------- */

static void *context_make(const void *arg)
{
  green_zmq_context *c = green__zalloc(sizeof(*c));
  (void)arg;
  if (!c) return NULL;
  c->ctx = lib.f_ctx_new();
  if (!c->ctx) {
    green__free(c);
    return NULL;
  }
  c->generation = green_fork_generation();
  c->id = ending_new_id();
  c->refs = 1;
  return c;
}

static void context_free(void *it)
{
  green_zmq_context *c = it;
  if (green_fork_differs(c->generation))
    green__free(c);
  else
    context_end(c);
}

/* libzmq's own memory stays as the fork left it. */
static void context_forget(void *it)
{
  green__free(it);
}

static green__shared shared = {
    .make = context_make, .free = context_free, .forget = context_forget};

/* A holder's of the shared one: it is told apart by that. */
typedef struct green_zmq_context context;

green_zmq_context *green_zmq_ctx_new(int is_own)
{
  green_fork_watch();
  if (is_own) return context_make(NULL);
  context *c = green__zalloc(sizeof(*c));
  if (!c) return NULL;
  context *one = green__shared_acquire(&shared, NULL);
  if (!one) {
    green__free(c);
    return NULL;
  }
  *c = (context){.ctx = one->ctx,
                 .id = one->id,
                 .refs = 1,
                 .is_shared = 1,
                 .generation = one->generation};
  return c;
}

green_zmq_context *green_zmq_ctx_ref(green_zmq_context *c)
{
  __atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
  return c;
}

void green_zmq_ctx_unref(green_zmq_context *c)
{
  if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  if (!c->is_shared) {
    context_free(c);
    return;
  }
  if (!green_fork_differs(c->generation)) green__shared_release(&shared);
  green__free(c);
}

static int context_usable(const green_zmq_context *c)
{
  return !c || green_fork_differs(c->generation) ? GREEN_ECLOSED : 0;
}

int green_zmq_ctx_set(green_zmq_context *c, int option, int value)
{
  int r = context_usable(c);
  if (r < 0) return r;
  return lib.f_ctx_set(c->ctx, option, value) < 0 ? green__zmq_error() : 0;
}

int green_zmq_ctx_get(green_zmq_context *c, int option)
{
  int r = context_usable(c);
  if (r < 0) return r;
  r = lib.f_ctx_get(c->ctx, option);
  return r < 0 ? green__zmq_error() : r;
}

void green_zmq_ctx_shutdown(green_zmq_context *c)
{
  if (context_usable(c) == 0) lib.f_ctx_shutdown(c->ctx);
}
