/*
** runtime.c: making a runtime in a Lua state, and letting go of its hub.
*/

#include "runtime.h"
#include "bridge.h"
#include "bytes.h"
#include "collector.h"
#include "interrupt.h"
#include "jobwatch.h"
#include "loans.h"
#include "profile.h"
#include "refusal.h"
#include "sampler.h"
#include "site.h"
#include "stall.h"
#include "trace.h"

#include <string.h>

/* -- Closing -------------------------------------------------------------- */

/* The hub goes when the last object has let it go. */
static void vm_release(vm *v)
{
  if (!v->ended || v->objects) return;
  green_forkhook_remove(&v->forked);
  green_hub_free(v->hub);
  v->hub = NULL;
  vm_slots_deinit(&v->slots);
  v->blocks = vm_blocks_free(v->blocks);
}

void vm_object_gone(vm *v)
{
  v->objects--;
  vm_release(v);
}

/* The state is closing: core's functions raise from here on. */
static int vm_gc(lua_State *L)
{
  vm *v = lua_touserdata(L, 1);
  v->ended = 1;
  vm_profiles_close(v);
  vm_stall_stop(v);
  vm_jobwatch_close(v);
  vm_trace_close(v);
  vm_sampler_free(v);
  vm_texts_free(v);
  vm_interrupt_forget(v);
  vm_blocks_close(v->blocks, L);
  vm_loans_close(v, L);
  green_hub_abandon(v->hub);
  vm_release(v);
  return 0;
}

/* -- Opening -------------------------------------------------------------- */

/* Push the runtime's memory; it has its finalizer, and the hub. */
static vm *vm_alloc(lua_State *L, green_hub *hub)
{
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, vm_gc);
  lua_setfield(L, -2, "__gc");
  vm *v = lua_newuserdata(L, sizeof(*v));
  memset(v, 0, sizeof(*v));
  lua_pushvalue(L, -1);
  vm_set_key(L, VM_KEY_RUNTIME);
  v->hub = hub; /* From here on it is the state's. */
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
  return v;
}

static void new_key_table(lua_State *L, enum vm_key k, const char *mode)
{
  lua_newtable(L);
  if (mode) {
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
  }
  vm_set_key(L, k);
}

static void open_keys(lua_State *L)
{
  for (int k = VM_KEY_THREADS; k <= VM_KEY_SENTINEL; k++)
    new_key_table(L, (enum vm_key)k, k == VM_KEY_LEVELS ? "v" : NULL);
  lua_pushboolean(L, 0); /* So that a fork allocates nothing. */
  vm_set_key(L, VM_KEY_MAIN);
  vm_open_blockers(L);
  vm_open_threads(L);
}

static void watch_forks(vm *v)
{
  v->generation = green_fork_generation();
  v->forked.run = vm_forked;
  green_hub_on_fork(v->hub, &v->forked);
}

void vm_open(lua_State *L, green_hub *hub)
{
  luaL_checkstack(L, 16, "greenlua");
  vm *v = vm_alloc(L, hub);
  lua_pop(L, 1);
  open_keys(L);
  v->L = lua_newthread(L);
  lua_checkstack(v->L, 100); /* Ends nest; nothing there may fail. */
  vm_set_key(L, VM_KEY_L);
  v->main_state = vm_is_main_state(L) ? L : NULL;
  v->resume = vm_resume;
  v->resume_host = vm_resume_host;
  v->turn.budget = GREEN_TURN_BUDGET;
  vm_thread_new_host(v, L);
  watch_forks(v);
}

static void on_made(void *v)
{
  vm_collector_pay(v);
}

static int on_idle(void *v)
{
  return vm_collector_idle(v);
}

void vm_open_blocks(lua_State *L)
{
  static const vm_blocks_calls calls = {on_made, on_idle};
  vm *v = vm_get(L);
  v->blocks = vm_blocks_open(v->L, v->hub, &calls, v);
  if (v->blocks) vm_bytes_open(v, L);
}
