/*
** object.c: green.core's objects: things of greenc in memory that Lua owns.
**
** Lua's memory outlives every finalizer, so whoever still holds an object of
** these meets one that is closed, never one that is gone. They are userdata:
** the FFI takes them where it wants a pointer, and so does core.park.
*/

#include "call.h"
#include "core/door.h"
#include "crossing.h"
#include "native.h"
#include "parcel.h"

#include "httpd/httpd.h"
#include "httpd/log.h"
#include "httpd/wsd.h"
#include "io/channel.h"
#include "io/child.h"
#include "io/disk.h"
#include "io/fswatch.h"
#include "io/lookup.h"
#include "io/pipe.h"
#include "io/resolver.h"
#include "io/signal.h"
#include "io/sock.h"
#include "io/stdfd.h"
#include "io/tls_pool.h"
#include "io/tpool.h"
#include "io/zmq.h"
#include "io/zmq_pump.h"
#include "proto/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -- Kinds ---------------------------------------------------------------- */

/* init makes one in zeroed memory: 0 or a negative error. deinit closes it for
** good. */
typedef struct object_kind {
  const char *name;
  size_t (*size)(void);
  int (*init)(void *p, vm *v, int a, int b);
  void (*deinit)(void *p, vm *v);
} object_kind;

static int sock_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_sock_init(p, v->hub);
  return 0;
}

static void sock_deinit(void *p, vm *v)
{
  (void)v;
  green_sock_deinit(p);
}

static int pipe_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_pipe_init(p, v->hub);
  return 0;
}

static void pipe_deinit(void *p, vm *v)
{
  (void)v;
  green_pipe_deinit(p);
}

static int child_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_child_init(p, v->hub);
  return 0;
}

static void child_deinit(void *p, vm *v)
{
  (void)v;
  green_child_deinit(p);
}

static int httpd_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_httpd_init(p, v->hub);
  return 0;
}

/* Connections that are still in hand are its, too. */
static void httpd_deinit(void *p, vm *v)
{
  vm_slots *t = &v->slots;
  for (uint32_t i = 0; i < t->cap; i++) {
    green_conn *c = t->at[i].c;
    if (c && green_conn_server(c) == p) vm_slot_close(t, c);
  }
  green_httpd_deinit(p);
}

static int wsd_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_wsd_init(p, v->hub);
  return 0;
}

static void wsd_deinit(void *p, vm *v)
{
  (void)v;
  green_wsd_deinit(p);
}

static int log_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_log_init(p, v->hub);
  return 0;
}

static void log_deinit(void *p, vm *v)
{
  (void)v;
  green_log_deinit(p);
}

/* a: the signal's number. */
static int signal_init(void *p, vm *v, int a, int b)
{
  (void)b;
  return green_signal_init(p, v->hub, a);
}

static void signal_deinit(void *p, vm *v)
{
  (void)v;
  green_signal_deinit(p);
}

/* a: the descriptor, b: is it for writing? */
static int stdfd_init(void *p, vm *v, int a, int b)
{
  return green_stdfd_init(p, v->hub, a, b);
}

static void stdfd_deinit(void *p, vm *v)
{
  (void)v;
  green_stdfd_deinit(p);
}

/* A native pool and a lookup live on while their threads are at work: the
** object is a pointer to one, NULL when it is closed. */
static size_t pointer_size(void)
{
  return sizeof(void *);
}

/* a: shall its threads have Lua states? */
static int tpool_init(void *p, vm *v, int a, int b)
{
  green_tpool **pool = p;
  (void)b;
  *pool = green_tpool_new(v->hub);
  if (*pool && a) green_tpool_set_hooks(*pool, &vm_worker_hooks);
  return *pool ? 0 : GREEN_ENOMEM;
}

static void tpool_deinit(void *p, vm *v)
{
  green_tpool **pool = p;
  (void)v;
  green_tpool_free(*pool);
  *pool = NULL;
}

static int tls_pool_init(void *p, vm *v, int a, int b)
{
  green_tls_pool **pool = p;
  (void)a, (void)b;
  *pool = green_tls_pool_new(v->hub);
  return *pool ? 0 : GREEN_ENOMEM;
}

static void tls_pool_deinit(void *p, vm *v)
{
  green_tls_pool **pool = p;
  (void)v;
  green_tls_pool_close(*pool);
  green_tls_pool_unref(*pool);
  *pool = NULL;
}

/* Who asks for one fills it. */
static int empty_init(void *p, vm *v, int a, int b)
{
  (void)p, (void)v, (void)a, (void)b;
  return 0;
}

static void lookup_deinit(void *p, vm *v)
{
  green_lookup **l = p;
  (void)v;
  green_lookup_free(*l);
  *l = NULL;
}

/* A pointer to one, NULL when it is closed: a thread may be at its call. */
static int disk_init(void *p, vm *v, int a, int b)
{
  green_disk **d = p;
  (void)v, (void)a, (void)b;
  *d = green_disk_new();
  return *d ? 0 : GREEN_ENOMEM;
}

static void disk_deinit(void *p, vm *v)
{
  green_disk **d = p;
  (void)v;
  green_disk_free(*d);
  *d = NULL;
}

static int fswatch_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  return green_fswatch_init(p, v->hub);
}

static void fswatch_deinit(void *p, vm *v)
{
  (void)v;
  green_fswatch_deinit(p);
}

static int resolver_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  return green_resolver_init(p, v->hub);
}

static void resolver_deinit(void *p, vm *v)
{
  (void)v;
  green_resolver_deinit(p);
}

/* A pointer to one, NULL when it is closed: answers may be on their way. */
static void question_deinit(void *p, vm *v)
{
  green_question **q = p;
  (void)v;
  green_resolver_forget(*q);
  *q = NULL;
}

static void call_deinit(void *p, vm *v)
{
  vm_call **c = p;
  (void)v;
  vm_call_free(*c);
  *c = NULL;
}

static void setup_deinit(void *p, vm *v)
{
  vm_setup **s = p;
  (void)v;
  vm_setup_unref(*s);
  *s = NULL;
}

static void pin_deinit(void *p, vm *v)
{
  green_pin **pin = p;
  (void)v;
  green_pin_free(*pin);
  *pin = NULL;
}

static size_t watch_size(void)
{
  return sizeof(green_fd);
}

/* a: a descriptor of somebody else's. A private dup of it is watched: the loop
** must not trip over a number that its owner closes. */
static int watch_init(void *p, vm *v, int a, int b)
{
  (void)b;
  int fd = fcntl(a, F_DUPFD_CLOEXEC, 0);
  int err = fd < 0 ? -errno : green__fd_adopt(p, v->hub, fd);
  if (err < 0 && fd >= 0) close(fd);
  return err;
}

/* a: a process. Readable when it has ended. */
static int pidfd_init(void *p, vm *v, int a, int b)
{
  (void)b;
  int fd = (int)syscall(SYS_pidfd_open, (pid_t)a, 0u);
  int err = fd < 0 ? -errno : green_fd_open(p, v->hub, fd);
  if (err < 0 && fd >= 0) close(fd);
  return err;
}

static void watch_deinit(void *p, vm *v)
{
  (void)v;
  green_fd_close(p);
}

/* A pointer to one that core/native.c has started, NULL before. */
static void native_deinit(void *p, vm *v)
{
  vm_native **n = p;
  (void)v;
  vm_native_release(*n);
  *n = NULL;
}

/* The same for what core/channel.c makes. */
static void message_deinit(void *p, vm *v)
{
  (void)v;
  vm_message **m = p;
  vm_message_free(*m);
  *m = NULL;
}

static void channel_deinit(void *p, vm *v)
{
  green_channel **c = p;
  (void)v;
  if (*c) green_channel_unref(*c);
  *c = NULL;
}

static int channel_init(void *p, vm *v, int a, int b)
{
  green_channel **c = p;
  (void)v, (void)b;
  *c = a > 0 ? green_channel_new((uint32_t)a) : NULL; /* 0: it has one. */
  return a > 0 && !*c ? GREEN_ENOMEM : 0;
}

static void channel_wait_deinit(void *p, vm *v)
{
  (void)v;
  green_channel_wait_deinit(p);
}

static void share_deinit(void *p, vm *v)
{
  vm_share **s = p;
  (void)v;
  vm_share_unref(*s);
  *s = NULL;
}

static size_t hosts_size(void)
{
  return sizeof(green_hosts);
}

static int hosts_init(void *p, vm *v, int a, int b)
{
  (void)v, (void)a, (void)b;
  green_hosts_init(p);
  return 0;
}

static void hosts_deinit(void *p, vm *v)
{
  (void)v;
  green_hosts_deinit(p);
}

static int zmq_init(void *p, vm *v, int a, int b)
{
  (void)a, (void)b;
  green_zmq_init(p, v->hub);
  return 0;
}

static void zmq_deinit(void *p, vm *v)
{
  (void)v;
  green_zmq_deinit(p);
}

/* A pointer to one, NULL when it is closed: its sockets hold it, too. a: is it
** to be one of its own, not the process's? */
static int zmq_context_init(void *p, vm *v, int a, int b)
{
  green_zmq_context **c = p;
  (void)v, (void)b;
  *c = green_zmq_ctx_new(a);
  return *c ? 0 : GREEN_ENOMEM;
}

static void zmq_context_deinit(void *p, vm *v)
{
  green_zmq_context **c = p;
  (void)v;
  green_zmq_ctx_unref(*c);
  *c = NULL;
}

static void zmq_pump_deinit(void *p, vm *v)
{
  (void)v;
  green_zmq_pump_deinit(p);
}

static const object_kind kinds[] = {
    {"call", pointer_size, empty_init, call_deinit},
    {"sock", green_sock_size, sock_init, sock_deinit},
    {"pipe", green_pipe_size, pipe_init, pipe_deinit},
    {"child", green_child_size, child_init, child_deinit},
    {"watch", watch_size, watch_init, watch_deinit},
    {"pidfd", watch_size, pidfd_init, watch_deinit},
    {"lookup", pointer_size, empty_init, lookup_deinit},
    {"disk", pointer_size, disk_init, disk_deinit},
    {"fswatch", green_fswatch_size, fswatch_init, fswatch_deinit},
    {"resolver", green_resolver_size, resolver_init, resolver_deinit},
    {"question", pointer_size, empty_init, question_deinit},
    {"httpd", green_httpd_size, httpd_init, httpd_deinit},
    {"httpd_log", green_log_size, log_init, log_deinit},
    {"wsd", green_wsd_size, wsd_init, wsd_deinit},
    {"signal", green_signal_size, signal_init, signal_deinit},
    {"stdfd", green_stdfd_size, stdfd_init, stdfd_deinit},
    {"tpool", pointer_size, tpool_init, tpool_deinit},
    {"pin", pointer_size, empty_init, pin_deinit},
    {"setup", pointer_size, empty_init, setup_deinit},
    {"tls_pool", pointer_size, tls_pool_init, tls_pool_deinit},
    {"native", pointer_size, empty_init, native_deinit},
    {"message", pointer_size, empty_init, message_deinit},
    {"channel", pointer_size, channel_init, channel_deinit},
    {"channel_wait", green_channel_wait_size, empty_init, channel_wait_deinit},
    {"share", pointer_size, empty_init, share_deinit},
    {"zmq", green_zmq_size, zmq_init, zmq_deinit},
    {"zmq_pump", green_zmq_pump_size, empty_init, zmq_pump_deinit},
    {"zmq_context", pointer_size, zmq_context_init, zmq_context_deinit},
    {"hosts", hosts_size, hosts_init, hosts_deinit},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const object_kind *find_kind(const char *name)
{
  for (size_t i = 0; i < N_KINDS; i++)
    if (!strcmp(kinds[i].name, name)) return &kinds[i];
  return NULL;
}

/* -- Life ----------------------------------------------------------------- */

/* The kind of the userdata at index i, NULL when it is none, or closed. */
static const object_kind *kind_of(lua_State *L, int i)
{
  const object_kind *kind = NULL;
  if (lua_type(L, i) != LUA_TUSERDATA || !lua_getmetatable(L, i)) return NULL;
  lua_rawgeti(L, -1, 1);
  const object_kind *k = lua_touserdata(L, -1);
  if (k >= kinds && k < kinds + N_KINDS) kind = k;
  lua_pop(L, 2);
  return kind;
}

void vm_close_object(vm *v, lua_State *L, int i)
{
  const object_kind *kind = kind_of(L, i);
  if (!kind) return;
  lua_pushnil(L);
  lua_setmetatable(L, i);
  kind->deinit(lua_touserdata(L, i), v);
  vm_object_gone(v);
}

/* Upvalue: the runtime, which may have ended. */
static int object_gc(lua_State *L)
{
  vm_close_object(lua_touserdata(L, lua_upvalueindex(1)), L, 1);
  return 0;
}

/* Nothing is linked to anything before all that can fail has been done. */
int vm_push_object(vm *v, lua_State *L, const char *name, int a, int b)
{
  const object_kind *kind = find_kind(name);
  if (!kind) return GREEN_EINVAL;
  vm_check_fork(v); /* What is made in a child is the child's. */
  size_t size = kind->size();
  void *p = lua_newuserdata(L, size);
  memset(p, 0, size);
  lua_pushlightuserdata(L, (void *)kind);
  lua_rawget(L, LUA_REGISTRYINDEX);
  int err = kind->init(p, v, a, b);
  if (err < 0) {
    lua_pop(L, 2);
    return err;
  }
  v->objects++;
  lua_setmetatable(L, -2);
  return 0;
}

/* What vm_push_object has done, for Lua: the object; nil, error code. */
static int object_result(lua_State *L, int err)
{
  if (err == 0) return 1;
  lua_pushnil(L);
  lua_pushinteger(L, err);
  return 2;
}

/* object = object(kind, a, b); nil, error code. */
static int core_object(lua_State *L)
{
  vm *v = core_vm(L);
  const char *name = luaL_checkstring(L, 1);
  int a = (int)lua_tointeger(L, 2), b = (int)lua_tointeger(L, 3);
  return object_result(L, vm_push_object(v, L, name, a, b));
}

/* release(object): close it now, as its finalizer would. Idempotent. */
static int core_release(lua_State *L)
{
  vm_close_object(core_vm(L), L, 1);
  return 0;
}

/* watch = watch(fd), to park on; or nil, error code. */
static int core_watch(lua_State *L)
{
  vm *v = core_vm(L);
  int fd = (int)luaL_checkinteger(L, 1);
  return object_result(L, vm_push_object(v, L, "watch", fd, 0));
}

void vm_carry_objects(lua_State *L, const char *name, const vm_carrier *carrier)
{
  lua_pushlightuserdata(L, (void *)find_kind(name));
  lua_rawget(L, LUA_REGISTRYINDEX);
  vm_carrier_set(L, carrier);
  lua_pop(L, 1);
}

void vm_open_objects(lua_State *L, vm *v)
{
  for (size_t i = 0; i < N_KINDS; i++) {
    lua_pushlightuserdata(L, (void *)&kinds[i]);
    lua_createtable(L, 1, 2);
    lua_pushlightuserdata(L, (void *)&kinds[i]);
    lua_rawseti(L, -2, 1);
    lua_pushlightuserdata(L, v);
    lua_pushcclosure(L, object_gc, 1);
    lua_setfield(L, -2, "__gc");
    lua_pushstring(L, kinds[i].name);
    lua_setfield(L, -2, "__name");
    lua_rawset(L, LUA_REGISTRYINDEX);
  }
}

const luaL_Reg vm_object_functions[] = {
    {"object", core_object},
    {"release", core_release},
    {"watch", core_watch},
    {NULL, NULL},
};
