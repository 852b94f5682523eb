/*
** greenlua.c: what a C program calls to run green threads, and what `require
** "green.core"` does in a program that is not ours.
*/

#include "greenlua.h"
#include "bridge.h"
#include "bundle.h"
#include "collector.h"
#include "core/core.h"
#include "data.h"
#include "finalizer.h"
#include "greenlua_priv.h"
#include "native.h"
#include "pairs.h"
#include "stall.h"
#include "trace.h"
#include "text.h"

#include "base/env.h"
#include "base/mem.h"
#include "hub/scope.h"
#include "io/signal.h"

#include <luajit.h>
#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* -- Opening -------------------------------------------------------------- */

static int open_hub(green_hub **hub, const greenlua_options *o)
{
  if (o->ev_loop) return green_hub_attach(hub, o->ev_loop);
  if (o->hub && *o->hub) return green_hub_new(hub, o->hub);
  return green_hub_new(hub, green_env("GREENLUA_HUB"));
}

/* The module loader of the rock, of libgreenlua and of the binary alike. */
GREENLUA_API int luaopen_green_core(lua_State *L);

/* For runtimes in native threads. */
static greenlua *native_open(int *err)
{
  greenlua *g = greenlua_new(NULL);
  *err = greenlua_new_error();
  return g;
}

static const vm_native_ops native_ops = {native_open,        greenlua_state,
                                         greenlua_call,      greenlua_error,
                                         greenlua_interrupt, greenlua_free};

/* Make a runtime and push its green.core. */
static void open_core(lua_State *L, green_hub *hub)
{
  vm_open(L, hub);
  vm_get(L)->native = &native_ops;
  vm_get(L)->open_core = luaopen_green_core;
  vm_push_core(L, vm_get(L));
  lua_pushvalue(L, -1);
  vm_set_key(L, VM_KEY_CORE);
}

static int open_guest(lua_State *L)
{
  vm_pairs_mend(L);
  vm_finalizers_mend(L);
  open_core(L, lua_touserdata(L, 1));
  vm_stall_start_env(vm_get(L), L, 1);
  vm_trace_start_env(vm_get(L), L, 1);
  if (!vm_blocks_fit(L)) return 0;
  vm_collector_watch(L);
  vm_open_blocks(L);
  return 0;
}

static int no_hub(lua_State *L, int err)
{
  const char *name = green_env("GREENLUA_HUB");
  if (err == GREEN_EMFILE || err == GREEN_ENFILE)
    return luaL_error(L, "no loop: %s", green_err_text(err));
  return luaL_error(L, "GREENLUA_HUB=%s: %s", name ? name : "",
                    err == GREEN_EINVAL ? "no such hub" : green_err_text(err));
}

int luaopen_green_core(lua_State *L)
{
  green_hub *hub;
  const greenlua_options o = {0};
  if (!vm_get(L)) {
    int err = open_hub(&hub, &o);
    if (err < 0) return no_hub(L, err);
    green_signal_absorb(SIGPIPE); /* A write is to fail, not to end us. */
    err = lua_cpcall(L, open_guest, hub);
    if (err && !vm_get(L)) green_hub_free(hub);
    if (err) return lua_error(L);
    vm_get(L)->is_guest = 1;
  }
  vm_push_key(L, VM_KEY_CORE);
  return 1;
}

static void open_bodies(lua_State *L);

static int open_state(lua_State *L)
{
  green_hub *hub = lua_touserdata(L, 1);
  lua_pushboolean(L, green_env_is_ignored());
  lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* Where package looks. */
  luaL_openlibs(L);
  vm_pairs_mend(L);
  vm_collector_open(L);
  vm_bundle_install(L);
  vm_finalizers_mend(L);
  open_bodies(L);
  lua_getglobal(L, "require"); /* As it is before any script. */
  vm_set_key(L, VM_KEY_REQUIRE);
  open_core(L, hub);
  vm_open_blocks(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_insert(L, -2);
  lua_setfield(L, -2, "green.core");
  lua_getglobal(L, "package"); /* Should a script forget what is loaded. */
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_green_core);
  lua_setfield(L, -2, "green.core");
  vm_stall_start_env(vm_get(L), L, 0);
  vm_trace_start_env(vm_get(L), L, 0);
  return 0;
}

static __thread int new_error;

int greenlua_new_error(void)
{
  return new_error;
}

static void on_interrupt(green_post *post);

greenlua *greenlua_new(const greenlua_options *options)
{
  const greenlua_options none = {0};
  green_hub *hub = NULL;
  greenlua *g = green__zalloc(sizeof(*g));
  new_error = GREEN_ENOMEM;
  if (!g) return NULL;
  new_error = open_hub(&hub, options ? options : &none);
  if (new_error < 0) goto fail_g;
  new_error = GREEN_ENOMEM;
  g->L = luaL_newstate();
  if (!g->L) goto fail_hub;
  green_signal_absorb(SIGPIPE); /* A write is to fail, not to end us. */
  if (lua_cpcall(g->L, open_state, hub) != 0) goto fail_state;
  g->v = vm_get(g->L);
  g->interrupt.run = on_interrupt;
  new_error = 0;
  return g;
fail_state:
  if (vm_get(g->L)) hub = NULL; /* The state owns it already. */
  lua_close(g->L);
fail_hub:
  green_hub_free(hub);
fail_g:
  green__free(g);
  return NULL;
}

/* The program's cleanups, when the library is loaded and has any. */
static void end_program(greenlua *g)
{
  lua_State *L = g->L;
  int top = lua_gettop(L);
  if (!lua_checkstack(L, LUA_MINSTACK)) return;
  vm_push_key(L, VM_KEY_ON_ENDING);
  lua_pushboolean(L, !green_hub_is_busy(g->v->hub));
  if (lua_isfunction(L, -2) && lua_pcall(L, 1, 1, 0) == 0 &&
      lua_isfunction(L, -1)) {
    /* It was for the main that has ended. */
    if (greenlua__is_interrupted(g)) green_hub_turn(g->v->hub, 0);
    greenlua_call(g, 0);
  }
  lua_settop(L, top);
}

void greenlua_free(greenlua *g)
{
  if (!g) return;
  end_program(g);
  vm_tell_rest(g->v);
  vm_trace_flush(g->v);
  green_hub_abandon(g->v->hub);
  /* Compiled loops over pairs were seen to go on for ever in finalizers that
  ** lua_close calls: it turns the compiler off, and leaves what was
  ** compiled. */
  luaJIT_setmode(g->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
  lua_close(g->L);
  free(g->error);
  green__free(g);
}

/* -- Running -------------------------------------------------------------- */

/* A script may have changed whatever Lua offers, errors are objects of its own,
** and its finalizers run wherever Lua allocates: whatever does more than move
** values about is one of these bodies, which are called protected. */

typedef struct source {
  const char *code; /* NULL: the file `name`. */
  const char *name;
} source;

/* chunk = load(source) */
static int load_body(lua_State *L)
{
  const source *s = lua_touserdata(L, 1);
  int r = s->code ? luaL_loadbuffer(L, s->code, strlen(s->code), s->name)
                  : luaL_loadfile(L, s->name);
  return r == 0 ? 1 : lua_error(L);
}

/* thread = make(function, ...) */
static int make_body(lua_State *L)
{
  vm_thread_new(vm_get(L), L, lua_gettop(L) - 1, 0, 0);
  return 1;
}

/* text = text(thread): of the error that ended it. */
static int text_body(lua_State *L)
{
  vm_push_text(L);
  return 1;
}

/* ... = outcome(thread): its results, or its error. */
static int outcome_body(lua_State *L)
{
  return vm_data_push_outcome(L, 1);
}

static void open_bodies(lua_State *L)
{
  const struct {
    enum vm_key key;
    lua_CFunction body;
  } bodies[] = {{VM_KEY_LOAD_BODY, load_body},
                {VM_KEY_MAKE_BODY, make_body},
                {VM_KEY_TEXT_BODY, text_body},
                {VM_KEY_OUTCOME_BODY, outcome_body}};
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
    lua_pushcfunction(L, bodies[i].body);
    vm_set_key(L, bodies[i].key);
  }
}

/* body(...) with the n values at the top, protected. */
static int call_body(lua_State *L, enum vm_key body, int n, int results)
{
  vm_push_key(L, body);
  lua_insert(L, -n - 1);
  return lua_pcall(L, n, results, 0);
}

static void keep_error(greenlua *g, const char *text)
{
  free(g->error);
  g->error = text ? strdup(text) : NULL;
}

/* The value at the top is an error that no thread has raised. */
static int keep_failure(greenlua *g)
{
  int is_text = lua_type(g->L, -1) == LUA_TSTRING;
  keep_error(g, is_text ? lua_tostring(g->L, -1)
                        : "(error object is not a string)");
  return 1;
}

/* Push the results of the dead thread at index ud, or its error; they replace
** it. */
static int push_outcome(greenlua *g, int ud)
{
  lua_State *L = g->L;
  const vm_thread *t = lua_touserdata(L, ud);
  int r = t->ending == VM_RETURNED ? 0 : 1;
  if (t->flags & VM_F_SPEECHLESS) {
    keep_error(g, "not enough memory");
  } else if (r != 0) {
    lua_pushvalue(L, ud);
    call_body(L, VM_KEY_TEXT_BODY, 1, 1);
    keep_failure(g);
    lua_settop(L, ud);
  }
  if (call_body(L, VM_KEY_OUTCOME_BODY, 1, LUA_MULTRET) == 0) return r;
  return r == 0 ? keep_failure(g) : r;
}

int greenlua_call(greenlua *g, int n)
{
  lua_State *L = g->L;
  keep_error(g, NULL);
  if (call_body(L, VM_KEY_MAKE_BODY, n + 1, 1) != 0) return keep_failure(g);
  vm_thread *t = lua_touserdata(L, -1);
  int ud = lua_gettop(L);
  lua_pushboolean(L, 0);
  vm_set_key(L, VM_KEY_MAIN);
  int r = vm_run_main(g->v, t);
  vm_push_key(L, VM_KEY_MAIN);
  if (lua_isuserdata(L, -1)) lua_replace(L, ud); /* We are a child of a fork. */
  lua_settop(L, ud);
  if (r >= 0) return push_outcome(g, ud);
  keep_error(g, r == GREEN_EBUSY ? "the loop runs already (EBUSY)"
                                 : green_err_text(r));
  lua_settop(L, ud - 1);
  return r;
}

/* Push the chunk, or the message of what is wrong with it. */
static int load_source(lua_State *L, const source *s)
{
  lua_pushlightuserdata(L, (void *)s);
  return call_body(L, VM_KEY_LOAD_BODY, 1, 1);
}

static int run_source(greenlua *g, const source *s)
{
  int top = lua_gettop(g->L);
  int r = load_source(g->L, s) == 0 ? greenlua_call(g, 0) : keep_failure(g);
  lua_settop(g->L, top);
  return r;
}

int greenlua_dostring(greenlua *g, const char *code, const char *name)
{
  const source s = {code, name};
  return run_source(g, &s);
}

int greenlua_dofile(greenlua *g, const char *path)
{
  const source s = {NULL, path};
  return run_source(g, &s);
}

/* -- Starting and interrupting -------------------------------------------- */

/* Without the library nobody would tell of the thread's errors. */
static int start_body(lua_State *L)
{
  const source *s = lua_touserdata(L, 1);
  if (load_source(L, s) != 0) return lua_error(L);
  vm_push_key(L, VM_KEY_REQUIRE);
  lua_pushliteral(L, "green");
  lua_call(L, 1, 0);
  green_task_start(&vm_thread_new(vm_get(L), L, 0, VM_F_NOWAIT, 0)->task);
  return 0;
}

int greenlua_start(greenlua *g, const char *code, const char *name)
{
  source s = {code, name};
  int r = lua_cpcall(g->L, start_body, &s);
  if (r == 0) return 0;
  keep_failure(g);
  lua_pop(g->L, 1);
  return 1;
}

/* On the hub's thread. */
static void on_interrupt(green_post *post)
{
  greenlua *g = green_container(post, greenlua, interrupt);
  vm *v = g->v;
  atomic_store(&g->interrupted, 0);
  if (g->listener)
    green_task_wake(&g->listener->task, GREEN_EINTR);
  else if (v->main != v->host)
    green_task_kill(&v->main->task);
}

void greenlua_interrupt(greenlua *g)
{
  if (atomic_exchange(&g->interrupted, 1) == 0)
    green_hub_post(g->v->hub, &g->interrupt);
}

const char *greenlua_error(const greenlua *g)
{
  return g->error ? g->error : "";
}

lua_State *greenlua_state(greenlua *g)
{
  return g->L;
}

int greenlua_turn(greenlua *g, int block)
{
  return green_hub_turn(g->v->hub, block);
}
