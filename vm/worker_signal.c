/*
** worker_signal.c: what others tell a worker in the middle of a run: to stop,
** or to say where it stands.
**
** One signal is for both. Its handler sets a hook, and the next step of Lua
** does what is to be done.
*/

#include "worker_priv.h"
#include "profile_native.h"
#include "stall_text.h"

#include "base/fork.h"
#include "base/mem.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Nobody wants to hear of it, and where it has no handler it does nothing. */
#define STOP_SIGNAL SIGURG

#define STOP_PATIENCE 5 /* Errors that a run may catch. */

__thread vm_worker *vm__worker;

/* -- Stopping ------------------------------------------------------------- */

/* Called by the next step of Lua. What has caught it often is not left alone
** any more: then one step outside of a pcall is enough. */
static void stop_hook(lua_State *L, lua_Debug *ar)
{
  vm_worker *w = vm__worker;
  (void)ar;
  if (!w || !atomic_load(&w->stopping)) {
    lua_sethook(L, NULL, 0, 0);
  } else {
    int again = ++w->raised >= STOP_PATIENCE;
    lua_sethook(L, again ? stop_hook : NULL, again ? LUA_MASKCOUNT : 0, 1);
    luaL_error(L, "stopped: nobody waits for this any more");
  }
}

static void set_stop_hook(lua_State *L)
{
  lua_sethook(L, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* -- Looking -------------------------------------------------------------- */

typedef struct vm_look {
  uint8_t is_there; /* The answer to who asked last. */
  vm_stall_trace_text trace;
} vm_look;

/* Once: where L stands, which nobody else runs. */
static void look_write(vm_worker *w, lua_State *L)
{
  if (!atomic_exchange(&w->looking, 0) || !w->run) return;
  pthread_mutex_lock(&w->run->lock);
  vm_look *look = w->run->look;
  if (look && w->run->worker == w) {
    if (w->v)
      vm_stall_trace(w->v, L, &look->trace);
    else
      vm_stall_trace_alone(L, &look->trace);
    look->is_there = 1;
  }
  pthread_mutex_unlock(&w->run->lock);
}

/* By the worker's hub, in which its function waits, in place. */
void vm__worker_look_at_wait(green_post *post)
{
  vm_worker *w = green_container(post, vm_worker, ask);
  atomic_store(&w->asked, 0);
  look_write(w, w->L);
}

/* Called by the next step of Lua. */
static void look_hook(lua_State *L, lua_Debug *ar)
{
  vm_worker *w = vm__worker;
  (void)ar;
  lua_sethook(L, w->theirs, w->their_mask, w->their_count);
  if (atomic_load(&w->stopping)) set_stop_hook(L); /* It was told just now. */
  look_write(w, L);
  if (atomic_exchange(&w->sampling, 0) && w->has_timer)
    vm_native_profile_sample(w->run->job, L, w->L);
}

/* In the handler. */
static void look_set_hook(vm_worker *w)
{
  lua_State *L = w->L;
  lua_Hook now = lua_gethook(L);
  if (now == stop_hook) return;
  if (now != look_hook) {
    w->theirs = now;
    w->their_mask = lua_gethookmask(L);
    w->their_count = lua_gethookcount(L);
  }
  lua_sethook(L, look_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* What others had there. One of the two, or none. */
static struct {
  atomic_flag is_busy;
  void (*_Atomic action)(int signo, siginfo_t *info, void *context);
  void (*_Atomic handler)(int signo);
} before = {.is_busy = ATOMIC_FLAG_INIT};

/* It is called for what is not ours. */
static void pass_on(int signo, siginfo_t *info, void *context)
{
  void (*action)(int, siginfo_t *, void *) = atomic_load(&before.action);
  void (*handler)(int) = atomic_load(&before.handler);
  if (action)
    action(signo, info, context);
  else if (handler)
    handler(signo);
}

/* The timer's, of this thread. */
static void sample_caught(vm_worker *w)
{
  if (!w->has_timer || atomic_load(&w->stopping)) return;
  atomic_store(&w->sampling, 1);
  look_set_hook(w);
}

/* LuaJIT allows a hook to be set in a handler, in the state's own thread. Ours
** are sent to a thread, those of others to the process. */
static void stop_caught(int signo, siginfo_t *info, void *context)
{
  int error = errno;
  if (vm__worker && info->si_code == SI_TIMER &&
      info->si_value.sival_ptr == vm__worker)
    sample_caught(vm__worker);
  else if (!vm__worker || info->si_code != SI_TKILL)
    pass_on(signo, info, context);
  else if (vm__worker->L && atomic_load(&vm__worker->stopping))
    set_stop_hook(vm__worker->L);
  else if (vm__worker->L && atomic_load(&vm__worker->looking))
    look_set_hook(vm__worker);
  errno = error;
}

static void stop_keep(const struct sigaction *theirs)
{
  int is_action = theirs->sa_flags & SA_SIGINFO;
  int is_handler = !is_action && theirs->sa_handler != SIG_DFL &&
                   theirs->sa_handler != SIG_IGN;
  atomic_store(&before.action, is_action ? theirs->sa_sigaction : NULL);
  atomic_store(&before.handler, is_handler ? theirs->sa_handler : NULL);
}

/* The script may have put a handler of its own in the place of ours. */
static void stop_install(void)
{
  struct sigaction now,
      ours = {.sa_sigaction = stop_caught, .sa_flags = SA_SIGINFO | SA_RESTART};
  if (atomic_flag_test_and_set(&before.is_busy))
    return; /* Another thread is at it. */
  sigemptyset(&ours.sa_mask);
  sigaction(STOP_SIGNAL, NULL, &now);
  if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != stop_caught) {
    stop_keep(&now);
    sigaction(STOP_SIGNAL, &ours, NULL);
  }
  atomic_flag_clear(&before.is_busy);
}

/* By the worker's hub: whatever it waits for, it goes on. */
void vm__worker_stop_wait(green_post *post)
{
  vm_worker *w = green_container(post, vm_worker, post);
  atomic_store(&w->posted, 0);
  if (atomic_load(&w->stopping))
    green_task_wake(&w->v->host->task, GREEN_EINTR);
}

/* With the lock of its run held. */
static void worker_signal(vm_worker *w)
{
  atomic_store(&w->stopping, 1);
  stop_install();
  pthread_kill(w->thread, STOP_SIGNAL);
  if (w->v && !atomic_exchange(&w->posted, 1))
    green_hub_post(w->v->hub, &w->post);
}

/* The thread is there as long as it is at the run. */
int vm_worker_stop(vm_run *r)
{
  pthread_mutex_lock(&r->lock);
  vm_worker *w = r->worker;
  if (w && w->generation != green_fork_generation()) w = NULL;
  r->stopped = 1;
  if (w) worker_signal(w);
  pthread_mutex_unlock(&r->lock);
  return w != NULL;
}

/* One that sleeps is not sent the signal, which might cut a system call short:
** it may be its hub that does. */
static void worker_ask(vm_worker *w, int sleeps)
{
  atomic_store(&w->looking, 1);
  if (w->v && !atomic_exchange(&w->asked, 1))
    green_hub_post(w->v->hub, &w->ask);
  if (sleeps) return;
  stop_install();
  pthread_kill(w->thread, STOP_SIGNAL);
}

int vm_worker_ask(vm_run *r, int sleeps)
{
  int err = 0;
  pthread_mutex_lock(&r->lock);
  vm_worker *w = r->worker;
  if (w && w->generation == green_fork_generation() && (w->v || !sleeps)) {
    if (!r->look) r->look = green__alloc(sizeof(*r->look));
    err = r->look ? 1 : GREEN_ENOMEM;
  }
  if (err == 1) r->look->is_there = 0;
  if (err == 1) worker_ask(w, sleeps);
  pthread_mutex_unlock(&r->lock);
  return err;
}

size_t vm_worker_answer(vm_run *r, char *text, size_t room)
{
  size_t n = 0;
  pthread_mutex_lock(&r->lock);
  vm_look *look = r->look;
  if (look && look->is_there) {
    n = look->trace.len < room ? look->trace.len : room - 1;
    memcpy(text, look->trace.text, n);
  }
  pthread_mutex_unlock(&r->lock);
  text[n] = '\0';
  return n;
}

void vm__worker_let_signals_in(void)
{
  sigset_t set;
  stop_install();
  sigemptyset(&set);
  sigaddset(&set, STOP_SIGNAL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* -- Samples of a profile ------------------------------------------------- */

/* A clock of CPU time: who sleeps is sent nothing. Without a timer the job is
** seen as a whole. */
void vm__worker_sample(vm_worker *w, const vm_run *r)
{
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                           .sigev_signo = STOP_SIGNAL,
                           .sigev_value.sival_ptr = w};
  struct timespec each = {(time_t)(r->period / GREEN_SECOND),
                          (long)(r->period % GREEN_SECOND)};
  struct itimerspec often = {each, each};
  event._sigev_un._tid = gettid();
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &w->timer) < 0) return;
  stop_install();
  atomic_store(&w->sampling, 0);
  w->has_timer = 1;
  timer_settime(w->timer, 0, &often, NULL);
}

void vm__worker_sample_no_more(vm_worker *w)
{
  w->has_timer = 0;
  /* A child of a fork has no timers: that number may be another one's. */
  if (w->generation == green_fork_generation()) timer_delete(w->timer);
}
