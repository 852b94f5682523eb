/*
** native.c: the thread of a runtime that another one has started.
*/

#include "native.h"
#include "keys.h"

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
  const vm_native_ops *ops;
  atomic_int refs; /* The starter, and the thread. */
  atomic_int status;
  int fd;              /* An eventfd: written to when it is over. */
  uint32_t generation; /* Of the process that the thread is in. */
  pthread_t thread;
  pthread_mutex_t lock;
  greenlua *g; /* While it runs; for interrupts, with the lock held. */
  char *error; /* Written before the status. */
  char *code, *name, *path, *cpath;
  vm_parcel parcel;
  vm_stall_options watch;
};

/* -- Memory --------------------------------------------------------------- */

/* In a child of a fork it is the parent's: there is no such thread, and the
** lock may be held for ever. */
static int is_orphan(const vm_native *n)
{
  return n->generation != green_fork_generation();
}

static void native_free(vm_native *n)
{
  vm_parcel_free(&n->parcel);
  green__free(n->code);
  green__free(n->name);
  green__free(n->path);
  green__free(n->cpath);
  green__free(n->error);
  if (n->fd >= 0) close(n->fd);
  pthread_mutex_destroy(&n->lock);
  green__free(n);
}

static void native_unref(vm_native *n)
{
  if (atomic_fetch_sub(&n->refs, 1) == 1) native_free(n);
}

/* 0 or GREEN_ENOMEM; what was copied so far is the record's. */
static int copy_texts(vm_native *n, const vm_native_plan *plan)
{
  n->code = green__copy_text(plan->code);
  n->name = green__copy_text(plan->name);
  n->path = green__copy_text(plan->path);
  n->cpath = green__copy_text(plan->cpath);
  return n->code && n->name && n->path && n->cpath ? 0 : GREEN_ENOMEM;
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
  lua_getglobal(L, "package");
  lua_pushstring(L, n->path);
  lua_setfield(L, -2, "path");
  lua_pushstring(L, n->cpath);
  lua_setfield(L, -2, "cpath");
  lua_settop(L, 0);
  if (n->watch.limit) vm_stall_start(vm_get(L), L, &n->watch);
  if (luaL_loadbuffer(L, n->code, strlen(n->code), n->name) != 0)
    return lua_error(L);
  int args = vm_unpack(L, &n->parcel);
  return args < 0 ? lua_error(L) : args + 1;
}

static int keep_body(lua_State *L)
{
  lua_pushcfunction(L, load_body);
  vm_set_key(L, VM_KEY_NATIVE_BODY);
  return 0;
}

/* How many arguments stand above the chunk; -1: an error does. */
static int push_chunk(vm_native *n, lua_State *L)
{
  int top = lua_gettop(L);
  if (lua_cpcall(L, keep_body, NULL) != 0) return -1;
  vm_push_key(L, VM_KEY_NATIVE_BODY);
  lua_pushlightuserdata(L, n);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != 0) return -1;
  return lua_gettop(L) - top - 1;
}

/* Its status; its error stays in n. */
static int run_chunk(vm_native *n, greenlua *g)
{
  lua_State *L = n->ops->state(g);
  int args = push_chunk(n, L);
  int r = args < 0 ? 1 : n->ops->call(g, args);
  const char *text = args < 0 ? lua_tostring(L, -1) : n->ops->error(g);
  if (r != 0)
    n->error = green__copy_text(text ? text : "(error object is not a string)");
  lua_settop(L, 0);
  return r;
}

static int run_runtime(vm_native *n)
{
  int err = 0;
  greenlua *g = n->ops->open(&err);
  if (!g) return err;
  publish(n, g);
  int r = run_chunk(n, g);
  publish(n, NULL);
  n->ops->close(g);
  return r;
}

/* It may have forked. */
static void *native_main(void *arg)
{
  vm_native *n = arg;
  int r = run_runtime(n);
  if (is_orphan(n)) return NULL;
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
  green__mem_shared();
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
  n->generation = green_fork_generation();
  n->ops = plan->ops;
  n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int err = n->fd < 0 ? -errno : copy_texts(n, plan);
  n->parcel = plan->parcel;
  n->watch = plan->watch;
  if (err == 0) err = start_thread(n);
  if (err < 0) {
    n->parcel = (vm_parcel){0}; /* It stays the caller's. */
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
  return is_orphan(n) ? GREEN_ECLOSED : atomic_load(&n->status);
}

const char *vm_native_error(const vm_native *n)
{
  return n->error ? n->error : "";
}

void vm_native_interrupt(vm_native *n)
{
  if (is_orphan(n)) return;
  pthread_mutex_lock(&n->lock);
  if (n->g) n->ops->interrupt(n->g);
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
