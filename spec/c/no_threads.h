/*
** no_threads.h: a system that has no threads to give, while threads_fail is
** set. For tests that say so: wrap: pthread_create.
*/
#ifndef NO_THREADS_H
#define NO_THREADS_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int threads_fail;

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *arg)
{
  return threads_fail ? EAGAIN : __real_pthread_create(id, attr, fn, arg);
}

#endif
