/*
** library.c: opening libraries, one at a time.
*/

#include "base/library.h"
#include "base/env.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static int library_find(green__library *l, void *handle, const char *path)
{
  for (size_t i = 0; i < l->n; i++) {
    void *found = dlsym(handle, l->names[i]);
    if (!found) {
      snprintf(l->why, sizeof(l->why), "%s: %s has no %s", l->needs, path,
               l->names[i]);
      return GREEN_ENOLIBRARY;
    }
    memcpy((char *)l->table + i * sizeof(found), &found, sizeof(found));
  }
  return 0;
}

/* It is never closed: somebody may be in it when the program ends. */
static int library_open(green__library *l)
{
  const char *path = green_env(l->env);
  if (!path) path = l->file;
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) {
    snprintf(l->why, sizeof(l->why), "%s: %s", l->needs, dlerror());
    return GREEN_ENOLIBRARY;
  }
  int err = library_find(l, handle, path);
  return err == 0 && l->begin ? l->begin(l) : err;
}

/* A fork waits until nobody is opening one. */
static void library_before_fork(void)
{
  pthread_mutex_lock(&library_lock);
}

static void library_after_fork(void)
{
  pthread_mutex_unlock(&library_lock);
}

static void library_watch_forks(void)
{
  pthread_atfork(library_before_fork, library_after_fork, library_after_fork);
}

static int library_look(green__library *l)
{
  pthread_once(&library_once, library_watch_forks);
  pthread_mutex_lock(&library_lock);
  int state = l->state;
  if (state == 0) {
    state = library_open(l) < 0 ? -1 : 1;
    __atomic_store_n(&l->state, state, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&library_lock);
  return state;
}

int green__library_load(green__library *l)
{
  int state = __atomic_load_n(&l->state, __ATOMIC_ACQUIRE);
  if (green_unlikely(state == 0)) state = library_look(l);
  return state > 0 ? 0 : GREEN_ENOLIBRARY;
}
