/*
** sigint.c: the first Ctrl-C asks main to end, and breaks into Lua that does
** not wait; the second is the system's.
*/

#include "cmd/sigint.h"
#include "cmd/repl.h"
#include "sampler.h"
#include "hub/scope.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Of the process: a signal has no other way to find its program. */
static struct {
  greenlua *g;
  pthread_t thread;
  volatile sig_atomic_t count;
  volatile sig_atomic_t pid;   /* Whose count: a child of a fork begins anew. */
  volatile sig_atomic_t signo; /* The last one. */
  struct sigaction before;     /* What the signal did when we came, */
  struct sigaction term;       /* and SIGTERM. */
  char spun[128];              /* Where main was that did not wait. */
  int64_t at;                  /* When the last one came. */
  lua_Hook hook;               /* The script's own, while ours is set. */
  int mask;
  int hook_count;
} sigint;

/* Lua that has not come back to the loop for this long will not. */
#define SPIN_PATIENCE (GREEN_SECOND / 10)
#define SPIN_CHECK 1000

/* Raise what a kill raises; without the library, and in other threads, an
** error. */
static int sigint_raise(lua_State *L, vm *v)
{
  lua_Debug ar;
  if (v->current == v->main && lua_getstack(L, 0, &ar)) {
    lua_getinfo(L, "Sl", &ar);
    snprintf(sigint.spun, sizeof(sigint.spun), "%s:%d", ar.short_src,
             ar.currentline);
  }
  vm_push_key(L, VM_KEY_RAISE);
  if (!lua_isnil(L, -1) && v->current == v->main && !sigint.g->listener) {
    green_task_kill(&v->main->task);
    lua_call(L, 0, 0);
  }
  luaL_where(L, 0);
  lua_pushliteral(L, "interrupted");
  lua_concat(L, 2);
  return lua_error(L);
}

static int sigint_has_library(lua_State *L)
{
  vm_push_key(L, VM_KEY_RAISE);
  int yes = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return yes;
}

/* Runs now and then while Lua runs, from Ctrl-C until the loop has seen it. */
static void sigint_on_hook(lua_State *L, lua_Debug *ar)
{
  int64_t now = green_clock_now();
  (void)ar;
  if (!sigint.g || !greenlua__is_interrupted(sigint.g)) {
    lua_sethook(L, sigint.hook, sigint.mask, sigint.hook_count);
    return;
  }
  lua_sethook(L, sigint_on_hook, LUA_MASKCOUNT, SPIN_CHECK);
  if (now - sigint.at < SPIN_PATIENCE && sigint_has_library(L)) return;
  sigint.at = now;
  sigint_raise(L, vm_get(L));
}

static void sigint_set_hook(lua_State *L)
{
  lua_Hook old = lua_gethook(L);
  if (old != sigint_on_hook) {
    sigint.hook = old;
    sigint.mask = lua_gethookmask(L);
    sigint.hook_count = lua_gethookcount(L);
  }
  lua_sethook(L, sigint_on_hook, LUA_MASKCOUNT, 1);
}

/* In the profiler's handler. Compiled code takes few steps outside of itself,
** which the hook would wait for in vain. */
static int sigint_breaks(void)
{
  const greenlua *g = sigint.g;
  if (!g || !sigint.count || !pthread_equal(pthread_self(), sigint.thread))
    return 0;
  if (!greenlua__is_interrupted(g)) return 0;
  if (green_clock_now() - sigint.at < SPIN_PATIENCE) return 0;
  sigint_set_hook(g->L);
  return 1;
}

/* The first asks main to end, and breaks into Lua that does not wait; the
** second is the system's. */
static void sigint_caught(int signo)
{
  if (!pthread_equal(pthread_self(), sigint.thread)) {
    pthread_kill(sigint.thread, signo);
    return;
  }
  if (sigint.pid != getpid()) sigint.count = 0;
  sigint.pid = getpid();
  if (++sigint.count > 1 || !sigint.g) {
    green__repl_restore();
    signal(signo, SIG_DFL);
    raise(signo);
    return;
  }
  sigint.at = green_clock_now();
  sigint.signo = signo;
  greenlua_interrupt(sigint.g);
  sigint_set_hook(sigint.g->L);
}

void green__sigint_start(greenlua *g)
{
  struct sigaction sa = {.sa_handler = sigint_caught};
  sigemptyset(&sa.sa_mask);
  sigint.g = g;
  sigint.thread = pthread_self();
  vm_sampler_set_breaker(sigint_breaks);
  sigaction(SIGINT, NULL, &sigint.before);
  if (sigint.before.sa_handler != SIG_IGN) sigaction(SIGINT, &sa, NULL);
}

void green__sigint_take_term(void)
{
  struct sigaction sa = {.sa_handler = sigint_caught};
  sigemptyset(&sa.sa_mask);
  sigaction(SIGTERM, NULL, &sigint.term);
  if (sigint.term.sa_handler == SIG_DFL) sigaction(SIGTERM, &sa, NULL);
}

void green__sigint_stop(void)
{
  struct sigaction now;
  vm_sampler_set_breaker(NULL);
  sigint.g = NULL;
  sigaction(SIGINT, NULL, &now);
  if (now.sa_handler == sigint_caught) sigaction(SIGINT, &sigint.before, NULL);
  sigaction(SIGTERM, NULL, &now);
  if (now.sa_handler == sigint_caught) sigaction(SIGTERM, &sigint.term, NULL);
}

void green__sigint_listen(vm_thread *t)
{
  sigint.g->listener = t;
  sigint.count = 0;
}

greenlua *green__sigint_program(void)
{
  return sigint.g;
}

int green__sigint_number(void)
{
  return sigint.count == 0 || sigint.pid != getpid() ? 0 : sigint.signo;
}

const char *green__sigint_spun(void)
{
  return sigint.spun;
}
