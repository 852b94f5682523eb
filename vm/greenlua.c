/*
** greenlua.c: the embedding API.
*/

#include "greenlua.h"
#include "bundle.h"
#include "runtime.h"

#include "../greenc/mem.h"
#include "../greenc/signal.h"

#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* -- Opening -------------------------------------------------------------- */

static int open_hub(green_hub **hub, const greenlua_options *o)
{
  if (o->ev_loop) return green_hub_attach(hub, o->ev_loop);
  const char *name = o->hub ? o->hub : getenv("GREENLUA_HUB");
  return green_hub_new(hub, name && *name ? name : NULL);
}

/* The module loader of the rock, of libgreenlua and of the binary alike. */
GREENLUA_API int luaopen_green_core(lua_State *L);

static int open_core(lua_State *L)
{
  vm_open(L, lua_touserdata(L, 1));
  return 0;
}

static int no_hub(lua_State *L, int err)
{
  const char *name = getenv("GREENLUA_HUB");
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
    err = lua_cpcall(L, open_core, hub);
    if (err && !vm_get(L)) green_hub_free(hub);
    if (err) return lua_error(L);
    vm_get(L)->is_guest = 1;
  }
  vm_push_key(L, VM_KEY_CORE);
  return 1;
}

static int open_state(lua_State *L)
{
  green_hub *hub = lua_touserdata(L, 1);
  luaL_openlibs(L);
  vm_bundle_install(L);
  vm_open(L, hub);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_insert(L, -2);
  lua_setfield(L, -2, "green.core");
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
    if (vm_interrupt_pending(g)) green_hub_turn(g->v->hub, 0);
    greenlua_call(g, 0);
  }
  lua_settop(L, top);
}

void greenlua_free(greenlua *g)
{
  if (!g) return;
  end_program(g);
  green_hub_abandon(g->v->hub);
  lua_close(g->L);
  free(g->error);
  green__free(g);
}

/* -- Running -------------------------------------------------------------- */

/* Push text for the error of the dead thread at index ud: the library's own
** account of it when it is loaded, else message and traceback. */
static void push_description(lua_State *L, int ud)
{
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "green.thread");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "describe");
    lua_pushvalue(L, ud);
    if (lua_pcall(L, 1, 1, 0) == 0 && lua_isstring(L, -1)) return;
  }
  vm_push_data(L, ud);
  lua_getglobal(L, "tostring");
  lua_getfield(L, -2, "error");
  if (lua_pcall(L, 1, 1, 0) != 0 || !lua_isstring(L, -1))
    lua_pushliteral(L, "(error object is not a string)");
  lua_pushliteral(L, "\n");
  lua_getfield(L, -3, "traceback");
  lua_concat(L, 3);
}

static void keep_error(greenlua *g, const char *text)
{
  free(g->error);
  g->error = text ? strdup(text) : NULL;
}

/* Push the results of the dead thread at index ud, or its error. */
static void push_outcome(greenlua *g, int ud, int r)
{
  lua_State *L = g->L;
  vm_push_data(L, ud);
  if (r == 1) {
    push_description(L, ud);
    keep_error(g, lua_tostring(L, -1));
    lua_settop(L, ud + 1);
    lua_getfield(L, -1, "error");
    lua_replace(L, ud);
    lua_settop(L, ud);
    return;
  }
  lua_getfield(L, -1, "results");
  int n = 0;
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "n");
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n + 2, "results");
    for (int i = 1; i <= n; i++) lua_rawgeti(L, ud + 2, i);
  }
  lua_remove(L, ud + 2);
  lua_remove(L, ud + 1);
  lua_remove(L, ud);
}

int greenlua_call(greenlua *g, int n)
{
  lua_State *L = g->L;
  vm_thread *t = vm_thread_new(g->v, L, n, 0, 0);
  int ud = lua_gettop(L);
  keep_error(g, NULL);
  lua_pushboolean(L, 0);
  vm_set_key(L, VM_KEY_MAIN);
  int r = vm_run_main(g->v, t);
  vm_push_key(L, VM_KEY_MAIN);
  if (lua_isuserdata(L, -1)) lua_replace(L, ud); /* We are a child of a fork. */
  lua_settop(L, ud);
  if (r < 0) {
    keep_error(g, r == GREEN_EBUSY ? "the loop runs already (EBUSY)"
                                   : green_err_text(r));
    lua_settop(L, ud - 1);
    return r;
  }
  push_outcome(g, ud, r);
  return r;
}

/* Run the chunk that a load function left at the top of the stack. */
static int run_chunk(greenlua *g, int load_status)
{
  if (load_status != 0) {
    keep_error(g, lua_tostring(g->L, -1));
    lua_pop(g->L, 1);
    return 1;
  }
  int top = lua_gettop(g->L) - 1;
  int r = greenlua_call(g, 0);
  lua_settop(g->L, top);
  return r;
}

int greenlua_dostring(greenlua *g, const char *code, const char *name)
{
  return run_chunk(g, luaL_loadbuffer(g->L, code, strlen(code), name));
}

int greenlua_dofile(greenlua *g, const char *path)
{
  return run_chunk(g, luaL_loadfile(g->L, path));
}

/* -- Starting and interrupting -------------------------------------------- */

/* Without the library nobody would tell of the thread's errors. */
static int start_chunk(lua_State *L)
{
  lua_getglobal(L, "require");
  lua_pushliteral(L, "green");
  lua_call(L, 1, 0);
  green_task_start(&vm_thread_new(vm_get(L), L, 0, VM_F_NOWAIT, 0)->task);
  return 0;
}

int greenlua_start(greenlua *g, const char *code, const char *name)
{
  lua_State *L = g->L;
  int r;
  lua_pushcfunction(L, start_chunk);
  r = luaL_loadbuffer(L, code, strlen(code), name);
  if (r == 0) r = lua_pcall(L, 1, 0, 0);
  if (r == 0) return 0;
  keep_error(g, lua_isstring(L, -1) ? lua_tostring(L, -1) : "unknown error");
  lua_pop(L, 1);
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
