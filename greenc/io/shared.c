/*
** shared.c: a slot, its lock and its count.
*/

#include "io/shared.h"

#include <stddef.h>

static void shared_make(void *arg)
{
  green__shared *s = arg;
  pthread_mutex_init(&s->lock, NULL);
  if (s->it && s->forget) s->forget(s->it);
  s->it = NULL;
  s->refs = 0;
}

static void shared_lock(green__shared *s)
{
  green_forkonce_check(&s->made, shared_make, s);
  pthread_mutex_lock(&s->lock);
}

void *green__shared_acquire(green__shared *s, const void *arg)
{
  shared_lock(s);
  if (!s->it) s->it = s->make(arg);
  void *it = s->it;
  if (it) s->refs++;
  pthread_mutex_unlock(&s->lock);
  return it;
}

/* Nobody waits for the lock while it is freed, which may take its time. */
void green__shared_release(green__shared *s)
{
  void *last = NULL;
  shared_lock(s);
  green_assert(s->refs > 0, "after a fork neither uses nor releases it");
  if (--s->refs == 0) {
    last = s->it;
    s->it = NULL;
  }
  pthread_mutex_unlock(&s->lock);
  if (last) s->free(last);
}
