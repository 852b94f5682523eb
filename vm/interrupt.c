/*
** interrupt.c: Ctrl-C in a program that is not ours: the hook that its SIGINT
** handler sets is kept for the main chunk.
**
** All here is of the process: a signal has no other way to find its program.
*/

#include "interrupt.h"
#include "thread.h"

#include "io/signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* Lua that has not come back to the loop for this long will not. */
#define SPIN_PATIENCE (GREEN_SECOND / 10)
#define SPIN_CHECK 1000
#define YIELDS 100

static struct {
  atomic_int is_taken; /* Somebody's main chunk waits, or is about to: */
  _Atomic(vm *) waits; /* whose, on this thread. */
  pthread_t thread;
  struct sigaction theirs;
  green_post post;
  vm *posted_to;
  atomic_int posted;
  atomic_int is_kept; /* Their hook, for the main chunk: */
  lua_Hook hook;
  int mask;
  int count;
  int64_t at;      /* When it came. */
  uint32_t yields; /* Waits that were none. */
} intr;

static void intr_give(lua_State *L)
{
  if (atomic_exchange(&intr.is_kept, 0))
    lua_sethook(L, intr.hook, intr.mask, intr.count);
}

/* Runs in green threads, until the loop has seen the signal. */
static void intr_on_hook(lua_State *L, lua_Debug *ar)
{
  (void)ar;
  if (!atomic_load(&intr.is_kept) || !atomic_load(&intr.posted))
    lua_sethook(L, NULL, 0, 0);
  else if (green_clock_now() - intr.at < SPIN_PATIENCE)
    lua_sethook(L, intr_on_hook, LUA_MASKCOUNT, SPIN_CHECK);
  else
    intr_give(L);
}

/* On the hub's thread. */
static void intr_on_post(green_post *post)
{
  vm *v = intr.posted_to;
  (void)post;
  atomic_store(&intr.posted, 0);
  if (lua_gethook(v->L) == intr_on_hook) lua_sethook(v->L, NULL, 0, 0);
  if (atomic_load(&intr.is_kept)) green_task_wake(&v->host->task, GREEN_EINTR);
}

static void intr_call_theirs(int signo, siginfo_t *info, void *context)
{
  if (intr.theirs.sa_flags & SA_SIGINFO)
    intr.theirs.sa_sigaction(signo, info, context);
  else
    intr.theirs.sa_handler(signo);
}

/* Keep what their handler has set. */
static void intr_keep(vm *v, lua_Hook hook)
{
  intr.hook = hook;
  intr.mask = lua_gethookmask(v->L);
  intr.count = lua_gethookcount(v->L);
  intr.at = green_clock_now();
  atomic_store(&intr.is_kept, 1);
  lua_sethook(v->L, intr_on_hook, LUA_MASKCOUNT, 1);
  if (atomic_exchange(&intr.posted, 1) == 0) {
    intr.posted_to = v;
    green_hub_post(v->hub, &intr.post);
  }
}

static void intr_caught(int signo, siginfo_t *info, void *context)
{
  int error = errno;
  vm *v = atomic_load(&intr.waits);
  if (v && !pthread_equal(pthread_self(), intr.thread)) {
    pthread_kill(intr.thread, signo);
    errno = error;
    return;
  }
  lua_Hook before = v ? lua_gethook(v->L) : NULL;
  intr_call_theirs(signo, info, context);
  lua_Hook hook = v ? lua_gethook(v->L) : NULL;
  if (hook && hook != before && hook != intr_on_hook) intr_keep(v, hook);
  errno = error;
}

static int intr_is_theirs(const struct sigaction *sa)
{
  if (sa->sa_flags & SA_SIGINFO) return sa->sa_sigaction != intr_caught;
  if (sa->sa_handler == SIG_DFL || sa->sa_handler == SIG_IGN) return 0;
  return !green_signal_is_watched(SIGINT);
}

/* Such a program sets its handler anew whenever it runs something, and takes
** it back afterwards. So the system is asked for each wait; for turns that
** main gives to the others, which cost hardly more than that question, now
** and then. */
static int intr_is_due(const vm *v)
{
  return v->want.kind != VM_WANT_YIELD || intr.yields++ % YIELDS == 0;
}

static void intr_install(void)
{
  struct sigaction now, ours = {.sa_sigaction = intr_caught};
  if (sigaction(SIGINT, NULL, &now) < 0 || !intr_is_theirs(&now)) return;
  ours.sa_flags = SA_SIGINFO | (now.sa_flags & (SA_RESTART | SA_ONSTACK));
  ours.sa_mask = now.sa_mask;
  intr.theirs = now;
  sigaction(SIGINT, &ours, NULL);
}

/* If v is the one that waits. L gets the hook that was kept; NULL: nobody. */
static void intr_let_go(const vm *v, lua_State *L)
{
  if (atomic_load(&intr.waits) != v) return;
  atomic_store(&intr.waits, NULL);
  if (L) intr_give(L);
  atomic_store(&intr.is_taken, 0);
}

/* A hook that was set when no Lua ran any more, and before ours stood in for
** their handler: it would be called after the wait. One of the script's, for
** which it may be taken, must not change what is waited for: a wait that was
** refused in it has written its own there. */
static void intr_raise_early(vm *v, lua_State *L)
{
  if (!lua_gethook(L) || lua_gethook(L) == intr_on_hook) return;
  vm_want want = v->want;
  vm_push_key(L, VM_KEY_COUNTER);
  int r = lua_pcall(L, 0, 0, 0);
  v->want = want;
  if (r == 0) return;
  v->want.kind = VM_WANT_NOTHING;
  intr_let_go(v, L);
  lua_error(L);
}

void vm_interrupt_begin(vm *v, lua_State *L)
{
  if (!v->is_guest) return;
  if (atomic_exchange(&intr.is_taken, 1))
    return; /* By another thread's state. */
  intr.thread = pthread_self();
  intr.post.run = intr_on_post;
  atomic_store(&intr.waits, v); /* From here on a handler looks at these. */
  if (intr_is_due(v)) intr_install();
  intr_raise_early(v, L);
}

void vm_interrupt_end(vm *v, lua_State *L)
{
  if (v->is_guest) intr_let_go(v, L);
}

void vm_interrupt_forget(vm *v)
{
  struct sigaction now;
  if (!v->is_guest) return;
  intr_let_go(v, NULL);
  if (atomic_load(&intr.posted) && intr.posted_to == v) {
    green_hub_unpost(v->hub, &intr.post);
    atomic_store(&intr.posted, 0);
  }
  if (sigaction(SIGINT, NULL, &now) < 0 || !(now.sa_flags & SA_SIGINFO)) return;
  if (now.sa_sigaction == intr_caught) sigaction(SIGINT, &intr.theirs, NULL);
}
