/*
** native.c: the thread of a runtime that another one has started.
*/

#include "native.h"
#include "greenlua.h"

#include "base/err.h"
#include "base/fork.h"
#include "base/mem.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vm_native {
  atomic_int refs; /* The starter, and the thread. */
  atomic_int status;
  int fd;              /* An eventfd: written to when it is over. */
  uint32_t generation; /* Of the process that the thread is in. */
  pthread_t thread;
  pthread_mutex_t lock;
  greenlua *g;       /* While it runs; for interrupts, with the lock held. */
  char *error;       /* Written before the status. */
  char *code, *name; /* Copies, */
  char **texts;      /* and these; freed with the record. */
  size_t *lens;
  int n;
};

/* -- Memory --------------------------------------------------------------- */

static void native_free(vm_native *n)
{
  for (int i = 0; n->texts && i < n->n; i++) green__free(n->texts[i]);
  green__free(n->texts);
  green__free(n->lens);
  green__free(n->code);
  green__free(n->name);
  free(n->error);
  if (n->fd >= 0) close(n->fd);
  pthread_mutex_destroy(&n->lock);
  green__free(n);
}

static void native_unref(vm_native *n)
{
  if (atomic_fetch_sub(&n->refs, 1) == 1) native_free(n);
}

static char *copy_text(const char *p, size_t len)
{
  char *copy = green__alloc(len + 1);
  if (!copy) return NULL;
  memcpy(copy, p, len);
  copy[len] = 0;
  return copy;
}

/* 0 or GREEN_ENOMEM; what was copied so far is the record's. */
static int copy_plan(vm_native *n, const vm_native_plan *plan)
{
  n->code = copy_text(plan->code, strlen(plan->code));
  n->name = copy_text(plan->name, strlen(plan->name));
  n->texts = green__zalloc((size_t)(plan->n + 1) * sizeof(*n->texts));
  n->lens = green__zalloc((size_t)(plan->n + 1) * sizeof(*n->lens));
  if (!n->code || !n->name || !n->texts || !n->lens) return GREEN_ENOMEM;
  for (; n->n < plan->n; n->n++) {
    n->lens[n->n] = plan->lens[n->n];
    n->texts[n->n] = copy_text(plan->texts[n->n], plan->lens[n->n]);
    if (!n->texts[n->n]) return GREEN_ENOMEM;
  }
  return 0;
}

/* -- In the thread -------------------------------------------------------- */

static void publish(vm_native *n, greenlua *g)
{
  pthread_mutex_lock(&n->lock);
  n->g = g;
  pthread_mutex_unlock(&n->lock);
}

/* Push the chunk and its arguments; or raise. */
static int load_body(lua_State *L)
{
  const vm_native *n = lua_touserdata(L, 1);
  lua_settop(L, 0);
  luaL_checkstack(L, n->n + 1, "arguments of a native thread");
  if (luaL_loadbuffer(L, n->code, strlen(n->code), n->name) != 0)
    return lua_error(L);
  for (int i = 0; i < n->n; i++) lua_pushlstring(L, n->texts[i], n->lens[i]);
  return n->n + 1;
}

static int push_chunk(vm_native *n, lua_State *L)
{
  lua_pushcfunction(L, load_body);
  lua_pushlightuserdata(L, n);
  return lua_pcall(L, 1, LUA_MULTRET, 0);
}

/* Its status; its error stays in n. */
static int run_chunk(vm_native *n, greenlua *g)
{
  lua_State *L = greenlua_state(g);
  const char *text;
  int r = push_chunk(n, L) == 0 ? greenlua_call(g, n->n) : 1;
  text = greenlua_error(g);
  if (r == 1 && !*text && lua_isstring(L, -1)) text = lua_tostring(L, -1);
  if (r != 0) n->error = strdup(text);
  lua_settop(L, 0);
  return r;
}

static int run_runtime(vm_native *n)
{
  greenlua *g = greenlua_new(NULL);
  if (!g) return greenlua_new_error();
  publish(n, g);
  int r = run_chunk(n, g);
  publish(n, NULL);
  greenlua_free(g);
  return r;
}

/* In a child of a fork of this thread the record is the parent's. */
static void *native_main(void *arg)
{
  vm_native *n = arg;
  uint32_t generation = n->generation;
  int r = run_runtime(n);
  if (green_fork_happened(&generation)) return NULL;
  atomic_store(&n->status, r);
  while (eventfd_write(n->fd, 1) < 0 && errno == EINTR) continue;
  native_unref(n);
  return NULL;
}

/* -- For the starter ------------------------------------------------------ */

static int start_thread(vm_native *n)
{
  atomic_store(&n->refs, 2);
  int err = pthread_create(&n->thread, NULL, native_main, n);
  if (err) atomic_store(&n->refs, 1);
  return -err;
}

int vm_native_start(vm_native **out, const vm_native_plan *plan)
{
  vm_native *n = green__zalloc(sizeof(*n));
  if (!n) return GREEN_ENOMEM;
  atomic_store(&n->refs, 1);
  atomic_store(&n->status, GREEN_EBUSY);
  pthread_mutex_init(&n->lock, NULL);
  green_fork_happened(&n->generation);
  n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int err = n->fd < 0 ? -errno : copy_plan(n, plan);
  if (err == 0) err = start_thread(n);
  if (err < 0) {
    native_unref(n);
    return err;
  }
  *out = n;
  return 0;
}

int vm_native_fd(const vm_native *n)
{
  return n->fd;
}

int vm_native_status(const vm_native *n)
{
  uint32_t generation = n->generation;
  if (green_fork_happened(&generation)) return GREEN_ECLOSED;
  return atomic_load(&n->status);
}

const char *vm_native_error(const vm_native *n)
{
  return n->error ? n->error : "";
}

void vm_native_interrupt(vm_native *n)
{
  uint32_t generation = n->generation;
  if (green_fork_happened(&generation)) return; /* The lock may be held. */
  pthread_mutex_lock(&n->lock);
  if (n->g) greenlua_interrupt(n->g);
  pthread_mutex_unlock(&n->lock);
}

/* One that has told of its end is waited for: its record goes here, and not a
** moment later. */
void vm_native_release(vm_native *n)
{
  if (!n) return;
  int status = vm_native_status(n);
  if (status == GREEN_EBUSY)
    pthread_detach(n->thread);
  else if (status != GREEN_ECLOSED)
    pthread_join(n->thread, NULL);
  native_unref(n);
}
