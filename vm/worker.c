/*
** worker.c: the Lua states of native threads.
*/

#include "worker_priv.h"
#include "bundle.h"
#include "carry.h"
#include "finalizer.h"
#include "pairs.h"
#include "thread.h"

#include "base/env.h"
#include "base/fork.h"
#include "base/mem.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int vm_worker_is_here(void)
{
  return vm__worker != NULL;
}

vm_share *vm_worker_carried(void)
{
  return vm__worker && vm__worker->run ? vm__worker->run->carried : NULL;
}

int vm_worker_thread(void)
{
  return (int)syscall(SYS_gettid);
}

/* -- Setups --------------------------------------------------------------- */

vm_setup *vm_setup_new(lua_CFunction core, const char *path, const char *cpath)
{
  vm_setup *s = green__zalloc(sizeof(*s));
  if (!s) return NULL;
  atomic_init(&s->refs, 1);
  s->core = core;
  s->path = green__copy_text(path);
  s->cpath = green__copy_text(cpath);
  if (s->path && s->cpath) return s;
  vm_setup_unref(s);
  return NULL;
}

void vm_setup_ref(vm_setup *s)
{
  atomic_fetch_add(&s->refs, 1);
}

void vm_setup_unref(vm_setup *s)
{
  if (!s || atomic_fetch_sub(&s->refs, 1) > 1) return;
  vm_parcel_free(&s->init);
  green__free(s->path);
  green__free(s->cpath);
  green__free(s);
}

/* -- The state ------------------------------------------------------------ */

/* What `require "green.core"` calls. */
static int open_core(lua_State *L)
{
  vm_worker *w = vm__worker;
  if (!w->run) luaL_error(L, "the native thread ends");
  lua_pushcfunction(L, w->run->setup->core);
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  pthread_mutex_lock(&w->run->lock);
  w->v = vm_get(L);
  w->v->is_guest = 0; /* Ctrl-C is for the others. */
  pthread_mutex_unlock(&w->run->lock);
  return 1;
}

static void set_jit_limits(lua_State *L)
{
  lua_getglobal(L, "require");
  lua_pushliteral(L, "jit.opt");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "start");
  lua_pushliteral(L, "maxtrace=8000");
  lua_pushliteral(L, "maxrecord=16000");
  lua_pushliteral(L, "minstitch=3");
  lua_pushliteral(L, "maxmcode=40960");
  lua_call(L, 4, 0);
  lua_pop(L, 1);
}

/* require puts a mark of its own in package.loaded while it loads a module, and
** leaves it there when that raises. A loader that takes a look at it. */
static int look_at_mark(lua_State *L)
{
  lua_settop(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_insert(L, 1);
  lua_rawget(L, 1);
  vm_set_key(L, VM_KEY_LOADING);
  return 0;
}

static void find_mark(lua_State *L)
{
  static const char NAME[] = "green.worker.mark";
  lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_pushcfunction(L, look_at_mark);
  lua_setfield(L, -2, NAME);
  lua_getglobal(L, "require");
  lua_pushstring(L, NAME);
  lua_call(L, 1, 0);
  lua_pushnil(L);
  lua_setfield(L, -2, NAME);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_pushnil(L);
  lua_setfield(L, -2, NAME);
  lua_pop(L, 2);
}

/* Modules that raised may be loaded again. */
static int unmark_body(lua_State *L)
{
  vm_push_key(L, VM_KEY_LOADING);
  int mark = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (!lua_rawequal(L, -1, mark)) continue;
    lua_pushvalue(L, -2);
    lua_pushnil(L);
    lua_rawset(L, -5);
  }
  return 0;
}

static int run_body(lua_State *L);
static int strip_body(lua_State *L);
static int trace_body(lua_State *L);

static int open_body(lua_State *L)
{
  const struct {
    enum vm_key key;
    lua_CFunction body;
  } bodies[] = {{VM_KEY_RUN_BODY, run_body},
                {VM_KEY_STRIP_BODY, strip_body},
                {VM_KEY_TRACE_BODY, trace_body},
                {VM_KEY_UNMARK_BODY, unmark_body}};
  lua_pushboolean(L, green_env_is_ignored());
  lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  luaL_openlibs(L);
  vm_pairs_mend(L);
  vm_bundle_install(L);
  vm_finalizers_mend(L);
  lua_getglobal(L, "require");
  vm_set_key(L, VM_KEY_REQUIRE);
  set_jit_limits(L);
  find_mark(L);
  vm_parcel_open(L);
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    lua_pushcfunction(L, bodies[i].body);
    vm_set_key(L, bodies[i].key);
  }
  lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
  lua_pushcfunction(L, open_core);
  lua_setfield(L, -2, "green.core");
  return 0;
}

/* 0 or GREEN_ENOMEM. */
static int state_open(vm_worker *w)
{
  lua_State *L = luaL_newstate();
  if (!L) return GREEN_ENOMEM;
  if (lua_cpcall(L, open_body, NULL) != 0) {
    lua_close(L);
    return GREEN_ENOMEM;
  }
  w->L = L;
  return 0;
}

static void state_close(vm_worker *w)
{
  lua_State *L = w->L;
  if (w->v && atomic_exchange(&w->posted, 0))
    green_hub_unpost(w->v->hub, &w->post);
  if (w->v && atomic_exchange(&w->asked, 0))
    green_hub_unpost(w->v->hub, &w->ask);
  w->v = NULL;
  w->L = NULL;   /* For the handler. */
  w->run = NULL; /* For finalizers: it may be gone. */
  vm_setup_unref(w->setup);
  w->setup = NULL;
  vm_share_unref(w->carried);
  w->carried = NULL;
  w->interprets = 0;
  if (!L) return;
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
  lua_close(L);
}

static int worker_start(void **slot)
{
  vm_worker *w = green__zalloc(sizeof(*w));
  if (!w) return GREEN_ENOMEM;
  if (state_open(w) < 0) {
    green__free(w);
    return GREEN_ENOMEM;
  }
  w->thread = pthread_self();
  w->generation = green_fork_generation();
  w->post.run = vm__worker_stop_wait;
  w->ask.run = vm__worker_look_at_wait;
  vm__worker = w;
  vm__worker_let_signals_in();
  *slot = w;
  return 0;
}

static void worker_end(void *slot)
{
  vm_worker *w = slot;
  state_close(w);
  vm__worker = NULL;
  green__free(w);
}

const green_thread_hooks vm_worker_hooks = {worker_start, worker_end};

/* -- Running -------------------------------------------------------------- */

void vm_run_init(vm_run *r, vm_setup *setup)
{
  pthread_mutex_init(&r->lock, NULL);
  r->setup = setup;
}

void vm_run_deinit(vm_run *r)
{
  vm_parcel_free(&r->in);
  vm_parcel_free(&r->out);
  vm_parcel_free(&r->back);
  vm_share_unref(r->carried);
  vm_setup_unref(r->setup);
  green__free(r->look);
  pthread_mutex_destroy(&r->lock);
}

static void set_path(lua_State *L, const char *name, const char *path)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "package");
  lua_pushstring(L, path);
  lua_setfield(L, -2, name);
  lua_pop(L, 2);
}

/* A setup whose init raises is none: the next run makes another try. */
static void set_up(vm_worker *w, vm_setup *s)
{
  lua_State *L = w->L;
  if (w->setup == s) return;
  set_path(L, "path", s->path);
  set_path(L, "cpath", s->cpath);
  if (s->init.data) {
    int n = vm_unpack_here(L, &s->init);
    lua_call(L, n - 1, 0);
  }
  vm_setup_ref(s);
  vm_setup_unref(w->setup);
  w->setup = s;
}

/* The thread that runs the jobs, once the library is loaded. */
static const vm_thread *host_of(const vm_worker *w)
{
  return w->v ? w->v->host : NULL;
}

/* What the run before has left of it, or has set itself, is not this one's. */
static void take_carried(vm_worker *w)
{
  vm_share *s = w->run->carried;
  const vm_thread *host = host_of(w);
  int is_marked =
      host && (host->flags & VM_F_CONTEXT || host->task.label != w->label);
  if (s == w->carried && !is_marked) return;
  vm_carry_begin(w->L, s);
  host = host_of(w); /* It may have loaded it. */
  w->label = host ? host->task.label : 0;
  if (s) vm_share_ref(s);
  vm_share_unref(w->carried);
  w->carried = s;
}

/* ... = run(): called protected. */
static int run_body(lua_State *L)
{
  vm_worker *w = vm__worker;
  set_up(w, w->run->setup);
  take_carried(w);
  int n = vm_unpack_here(L, &w->run->in);
  lua_call(L, n - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* err = trace(err): its traceback is kept. */
static int trace_body(lua_State *L)
{
  lua_settop(L, 1);
  luaL_traceback(L, L, NULL, 1);
  vm_set_key(L, VM_KEY_TRACE);
  return 1;
}

static void set_compiling(vm_worker *w, int on)
{
  if (w->interprets == !on) return;
  int mode = on ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF;
  luaJIT_setmode(w->L, 0, LUAJIT_MODE_ENGINE | mode);
  if (!on) luaJIT_setmode(w->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
  w->interprets = !on;
}

/* From here on it can be stopped; 0: it has been. */
static int run_begin(vm_worker *w, vm_run *r)
{
  pthread_mutex_lock(&r->lock);
  int begins = !r->stopped;
  if (begins) r->worker = w;
  w->run = r;
  w->raised = 0;
  pthread_mutex_unlock(&r->lock);
  if (begins) set_compiling(w, !r->killable);
  if (begins && r->period) vm__worker_sample(w, r);
  return begins;
}

/* 1: it was told to stop. */
static int run_end(vm_worker *w, vm_run *r)
{
  pthread_mutex_lock(&r->lock);
  r->worker = NULL;
  atomic_store(&w->looking, 0);
  int was_stopped = atomic_exchange(&w->stopping, 0);
  pthread_mutex_unlock(&r->lock);
  if (w->has_timer) vm__worker_sample_no_more(w);
  lua_sethook(w->L, NULL, 0, 0);
  return was_stopped;
}

/* -- Errors on their way -------------------------------------------------- */

/* A copy without the fields that cannot cross, which are below it. */
static void push_stripped(lua_State *L, int i)
{
  vm_parcel p = {NULL, 0, 0, NULL};
  lua_newtable(L);
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, i); lua_settop(L, copy + 1)) {
    luaL_checkstack(L, 8, "error");
    lua_pushvalue(L, copy + 1);
    lua_pushvalue(L, copy + 2);
    if (vm_pack(L, 2, "error", 0, &p) < 0) continue;
    vm_parcel_free(&p);
    lua_pushvalue(L, copy + 1);
    lua_pushvalue(L, copy + 2);
    lua_rawset(L, copy);
  }
  if (lua_getmetatable(L, i)) lua_setmetatable(L, copy);
}

/* Push what its __tostring says; 0: it has none, or that raises. */
static int push_text(lua_State *L)
{
  if (!luaL_getmetafield(L, 1, "__tostring")) return 0;
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) == 0) return 1;
  lua_pop(L, 1);
  return 0;
}

/* err = strip(err, try, why): what is left of it; a table's fields at the first
** try, its text at the second. Called protected. */
static int strip_body(lua_State *L)
{
  if (lua_istable(L, 1) && lua_tointeger(L, 2) == 0) {
    push_stripped(L, 1);
    return 1;
  }
  if (!push_text(L))
    lua_pushfstring(L, "an error that is a %s", luaL_typename(L, 1));
  if (!lua_isstring(L, -1)) lua_pushliteral(L, "an error without a text");
  lua_pushfstring(L, "%s (%s)", lua_tostring(L, -1), lua_tostring(L, 3));
  return 1;
}

/* Pack the error at the top with its traceback. 0; -1: why not is pushed. */
static int pack_error(lua_State *L, vm_run *r)
{
  lua_pushvalue(L, -1);
  vm_push_key(L, VM_KEY_TRACE);
  return vm_pack(L, 2, "error", 0, &r->out);
}

/* The error at the top gets less until it can cross. */
static void send_error(lua_State *L, vm_run *r)
{
  r->outcome = VM_RUN_RAISED;
  for (int tries = 0; pack_error(L, r) < 0; tries++) {
    lua_pushinteger(L, tries);
    lua_insert(L, -2);
    vm_push_key(L, VM_KEY_STRIP_BODY);
    lua_insert(L, -4);
    if (tries == 2 || lua_pcall(L, 3, 1, 0) != 0) {
      r->outcome = VM_RUN_SPEECHLESS;
      return;
    }
  }
}

static void send_results(lua_State *L, vm_run *r, int n)
{
  r->outcome = VM_RUN_RETURNED;
  if (!lua_checkstack(L, n + 8)) {
    lua_settop(L, 0);
    lua_pushliteral(L, "too many results: no room on the stack");
  } else if (vm_pack(L, n, "result", 0, &r->out) == 0) {
    return;
  }
  lua_pushnil(L);
  vm_set_key(L, VM_KEY_TRACE);
  send_error(L, r);
}

static int run_in(lua_State *L)
{
  lua_settop(L, 0);
  lua_pushnil(L);
  vm_set_key(L, VM_KEY_TRACE);
  vm_push_key(L, VM_KEY_TRACE_BODY);
  vm_push_key(L, VM_KEY_RUN_BODY);
  return lua_pcall(L, 0, LUA_MULTRET, 1);
}

static void forget_half_loaded(lua_State *L)
{
  vm_push_key(L, VM_KEY_UNMARK_BODY);
  lua_pcall(L, 0, 0, 0);
  lua_settop(L, 0);
}

/* What was stopped in the middle of anything has left that behind: a module
** half loaded, say, which could never be required again. The next one finds a
** new state. */
void vm_worker_run(vm_worker *w, vm_run *r)
{
  if (!w->L && state_open(w) < 0) r->outcome = VM_RUN_SPEECHLESS;
  if (!w->L || !run_begin(w, r)) return;
  lua_State *L = w->L;
  int err = run_in(L);
  int was_stopped = run_end(w, r);
  if (err)
    send_error(L, r);
  else
    send_results(L, r, lua_gettop(L) - 1);
  lua_settop(L, 0);
  if (r->carried) vm_carry_end(L, &r->back);
  if (was_stopped)
    state_close(w);
  else if (err)
    forget_half_loaded(L);
}
