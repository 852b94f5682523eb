/*
** usr2.c: SIGUSR2 posts to the hub, and the hub's thread starts a green one.
** The contract is in usr2.h.
*/

#include "cmd/usr2.h"

#include "hub/hub.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* Of the process: a signal has no other way to find its program. */
static struct {
  vm *v; /* NULL: not started. */
  pthread_t thread;
  green_post post;
  green_forkhook forked;
  atomic_int is_posted;
} usr2;

static const char usr2_key; /* The function, in the registry. */

/* -- The signal ----------------------------------------------------------- */

/* Only on the hub's thread, so that nobody is in here when that stops it. */
static void usr2_caught(int signo)
{
  int error = errno;
  if (!pthread_equal(pthread_self(), usr2.thread))
    pthread_kill(usr2.thread, signo);
  else if (usr2.v && atomic_exchange(&usr2.is_posted, 1) == 0)
    green_hub_post(usr2.v->hub, &usr2.post);
  errno = error;
}

static int usr2_spawn(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&usr2_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  vm_thread *t = vm_thread_new(usr2.v, L, 0, VM_F_NOWAIT, 0);
  green_task_start(&t->task);
  return 0;
}

/* Where there is no memory for a thread there is no list. */
static void usr2_deliver(green_post *post)
{
  lua_State *L = usr2.v->L;
  int top = lua_gettop(L);
  (void)post;
  atomic_store(&usr2.is_posted, 0);
  lua_cpcall(L, usr2_spawn, NULL);
  lua_settop(L, top);
}

/* What was posted before is the parent's. */
static void usr2_forked(green_forkhook *h)
{
  (void)h;
  green_hub_unpost(usr2.v->hub, &usr2.post);
  atomic_store(&usr2.is_posted, 0);
}

/* -- Starting and stopping ------------------------------------------------ */

static int usr2_is(void (*handler)(int))
{
  struct sigaction now;
  if (sigaction(SIGUSR2, NULL, &now) < 0 || now.sa_flags & SA_SIGINFO) return 0;
  return now.sa_handler == handler;
}

/* SA_ONSTACK: a library's threads may have small stacks. */
void green__usr2_start(greenlua *g, lua_State *L)
{
  struct sigaction sa = {.sa_handler = usr2_caught,
                         .sa_flags = SA_RESTART | SA_ONSTACK};
  sigemptyset(&sa.sa_mask);
  lua_pushlightuserdata(L, (void *)&usr2_key);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
  if (usr2.v || !usr2_is(SIG_DFL)) return;
  usr2.v = g->v;
  usr2.thread = pthread_self();
  usr2.post.run = usr2_deliver;
  usr2.forked.run = usr2_forked;
  green_hub_on_fork(g->v->hub, &usr2.forked);
  sigaction(SIGUSR2, &sa, NULL);
}

void green__usr2_stop(void)
{
  if (!usr2.v) return;
  if (usr2_is(usr2_caught)) signal(SIGUSR2, SIG_DFL);
  green_hub_unpost(usr2.v->hub, &usr2.post);
  green_forkhook_remove(&usr2.forked);
  usr2.v = NULL;
}
