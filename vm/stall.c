/*
** stall.c: what the watchdog has found becomes a report, and the end of it an
** event.
**
** Three hands write a record: the watchdog's thread begins it, LuaJIT's
** profiler adds where Lua stands, on the runtime's thread, and the bridge
** closes it when the run has ended. The lock keeps the first from the others.
*/

#include "stall.h"
#include "sampler.h"
#include "site.h"
#include "stall_text.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/typed.h"
#include "io/watchdog.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

typedef struct vm_stall {
  green_watch watch;
  vm_sampler_user sampler;
  green_forkhook forked;
  vm *v;
  vm_stall_options is;
  vm_stall_stats stats;
  pthread_mutex_t lock;
  vm_stall_record now;
  uint32_t generation; /* Of the process that the lock is of. */
  uint8_t has_said_blind;
} vm_stall;

/* -- The lock ------------------------------------------------------------- */

/* In a child of a fork, whose parent's watchdog may have held it then: nobody
** will let go of it here. The hooks of forks come later than the next look. */
static void stall_renew(vm_stall *st)
{
  st->generation = green_fork_generation();
  pthread_mutex_init(&st->lock, NULL);
  st->now.is_open = 0;
}

static void stall_lock(vm_stall *st)
{
  if (st->generation != green_fork_generation()) stall_renew(st);
  pthread_mutex_lock(&st->lock);
}

static void stall_unlock(vm_stall *st)
{
  pthread_mutex_unlock(&st->lock);
}

/* -- Beginning: on the watchdog's thread ---------------------------------- */

static void record_begin(vm_stall *st, const green_stall *s)
{
  vm_stall_record *r = &st->now;
  r->is_open = 1;
  r->run = s->run;
  r->begun = green_clock_now() - s->ns;
  r->is_turn = s->is_turn;
  r->call = VM_STALL_NO_CALL;
  r->has_said = 0;
  r->is_after = 0;
  r->trace.len = 0;
  vm_stall_look(st->v, st->watch.pulse.runs, s->run, &r->who);
}

/* Say it while it lasts, where Lua is not there to say more. */
static void stall_say(vm_stall *st, enum vm_stall_words words)
{
  vm_stall_record *r = &st->now;
  r->has_said = 1;
  if (st->is.logs) vm_stall_write(st->v, r, words, green_clock_now());
}

static void stall_say_blind(vm_stall *st)
{
  if (st->has_said_blind || !st->is.logs) return;
  st->has_said_blind = 1;
  vm_stall_write_line(
      "greenlua: the system does not tell in which system call a thread is "
      "(/proc/self/task/TID/syscall): blocking ones are reported without their "
      "names\n");
}

static void stall_begin(vm_stall *st, const green_stall *s)
{
  vm_stall_record *r = &st->now;
  if (!r->is_open && r->run == s->run) return; /* It has just ended. */
  if (!r->is_open || r->run != s->run) record_begin(st, s);
  if (s->is_blind) stall_say_blind(st);
  if (s->kind == GREEN_STALL_SLEEPS) {
    r->call = s->call;
    stall_say(st, VM_STALL_IN_CALL);
  } else if (s->kind == GREEN_STALL_IS_LATE) {
    if (!r->has_said) stall_say(st, VM_STALL_IN_C);
  } else if (!st->watch.signal) {
    if (!r->has_said) stall_say(st, VM_STALL_NO_LINE);
  } else if (st->is.raises) {
    atomic_store(&st->sampler.hooks, 1);
  }
}

static void stall_tell(green_watch *w, const green_stall *s)
{
  vm_stall *st = green_container(w, vm_stall, watch);
  stall_lock(st);
  stall_begin(st, s);
  stall_unlock(st);
  __atomic_store_n(&st->v->stalled, 1, __ATOMIC_RELEASE);
}

/* -- Where it stands: on the runtime's ------------------------------------ */

static uint64_t this_run(const vm_stall *st)
{
  return *st->watch.pulse.runs;
}

/* The profiler calls for whatever reason. */
static void stall_sample(vm_sampler_user *u, lua_State *L, int state)
{
  vm_stall *st = green_container(u, vm_stall, sampler);
  vm_stall_record *r = &st->now;
  (void)state;
  if (!__atomic_load_n(&st->v->stalled, __ATOMIC_ACQUIRE)) return;
  stall_lock(st);
  int is_wanted = r->is_open && r->run == this_run(st) && !r->trace.len;
  if (is_wanted) {
    __atomic_store_n(&st->watch.acked, r->run, __ATOMIC_RELAXED);
    if (!r->who.thread) vm_stall_look_here(st->v, &r->who);
    vm_stall_trace(st->v, L, &r->trace);
    stall_say(st, VM_STALL_AT);
  }
  stall_unlock(st);
}

/* Is the innermost function of Lua one of the library's? */
static int is_in_library(const vm *v, lua_State *L)
{
  lua_Debug at;
  for (int level = 0; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "S", &at);
    if (*at.what != 'C') return vm_is_library(v, at.source);
  }
  return 0;
}

static int stall_is_now(const vm_stall *st)
{
  return st && st->now.is_open && st->now.run == this_run(st);
}

/* Set by the signal's handler. What runs now may be somebody else. What the
** library has begun it ends first: a queue that was left in the middle of a put
** would be no queue, and a cleanup would not be run. */
static void stall_on_hook(lua_State *L, lua_Debug *ar)
{
  vm_stall *st = vm_get(L)->stall;
  int is_now = stall_is_now(st);
  (void)ar;
  if (is_now) stall_sample(&st->sampler, L, 0); /* Without what raises. */
  if (is_now && is_in_library(st->v, L)) return;
  vm_sampler_unhook(L);
  if (!is_now) return;
  vm_push_key(L, VM_KEY_STALL_RAISE);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  lua_call(L, 0, 0);
}

/* -- The profiler's owner -------------------------------------------------- */

/* 0, or GREEN_EBUSY. */
static int stall_take_profiler(vm_stall *st, lua_State *L)
{
  int err = vm_sampler_join(st->v, &st->sampler, L);
  st->watch.signal = err == 0 ? VM_SAMPLER_SIGNAL : 0;
  return err;
}

/* Its owner may have gone. */
static void stall_try_profiler(vm_stall *st)
{
  if (st->watch.signal || !st->is.limit) return;
  green_watch_remove(&st->watch);
  stall_take_profiler(st, st->v->L);
  green_watch_add(&st->watch);
}

/* In a child: the thread that looked is the parent's. */
static void stall_forked(green_forkhook *h)
{
  vm_stall *st = green_container(h, vm_stall, forked);
  stall_renew(st);
  st->v->stalled = 0;
  if (st->is.limit) green_watch_add(&st->watch);
}

/* -- The end of it -------------------------------------------------------- */

static void stats_add(vm_stall *st, int64_t ns)
{
  vm_stall_stats *s = &st->stats;
  int i = 0;
  s->count++;
  s->total += ns;
  if (ns > s->longest) s->longest = ns;
  for (int64_t most = 2 * st->is.limit; i < VM_STALL_BUCKETS - 1 && ns >= most;
       i++)
    most *= 2;
  s->buckets[i]++;
}

/* The next one shows its line. One that slept had none to show. */
static void stall_learn(vm_stall *st)
{
  if (st->now.call != VM_STALL_NO_CALL || st->sampler.exact ||
      !vm_sampler_is_joined(&st->sampler))
    return;
  vm_sampler_set_exact(&st->sampler);
}

/* body(): make the thread that the library's function runs in; the record is
** the last one. */
static int tell_body(lua_State *L)
{
  vm *v = vm_get(L);
  const vm_stall_record *r = lua_touserdata(L, 1);
  vm_push_key(L, VM_KEY_ON_STALL);
  if (lua_isnil(L, -1)) return 0;
  vm_stall_push(L, v, r);
  green_task_start(&vm_thread_new(v, L, 1, VM_F_NOWAIT, 0)->task);
  return 0;
}

static void stall_tell_library(vm *v, vm_stall_record *r)
{
  lua_State *L = v->L;
  int top = lua_gettop(L);
  vm_push_key(L, VM_KEY_STALL_BODY);
  lua_pushlightuserdata(L, r);
  lua_pcall(L, 1, 0, 0); /* No memory: nobody is told. */
  lua_settop(L, top);
}

/* Its line was not seen while it lasted: where it waits now is near to it. */
static void stall_end_unseen(vm_stall *st, vm_stall_record *r, int result)
{
  vm *v = st->v;
  if (r->trace.len) return;
  if (result == LUA_YIELD) vm_stall_trace(v, v->current->co, &r->trace);
  r->is_after = r->trace.len > 0;
  if (st->is.logs && !st->watch.signal && r->has_said) return;
  if (st->is.logs) vm_stall_write(v, r, VM_STALL_AFTER, r->ended);
  stall_learn(st);
}

void vm_stall_end(vm *v, int result)
{
  vm_stall *st = v->stall;
  __atomic_store_n(&v->stalled, 0, __ATOMIC_RELAXED);
  if (!st) return;
  stall_lock(st);
  vm_stall_record *r = &st->now;
  int was_open = r->is_open, is_now = r->run == this_run(st);
  r->is_open = 0;
  r->ended = green_clock_now();
  stall_unlock(st);
  if (!was_open) return;
  if (is_now && !r->who.thread) vm_stall_look_here(v, &r->who);
  stall_end_unseen(st, r, is_now ? result : 0);
  stats_add(st, r->ended - r->begun);
  if (st->is.tells) stall_tell_library(v, r);
  stall_try_profiler(st);
  r->trace.len = 0;
}

/* -- Watching ------------------------------------------------------------- */

static vm_stall *stall_new(vm *v, lua_State *L)
{
  vm_stall *st = green__zalloc(sizeof(*st));
  if (!st) luaL_error(L, "not enough memory");
  st->v = v;
  st->watch.tell = stall_tell;
  st->watch.pulse = green_hub_pulse(v->hub);
  st->sampler.sample = stall_sample;
  st->sampler.hook = stall_on_hook;
  stall_renew(st);
  st->forked.run = stall_forked;
  green_hub_on_fork(v->hub, &st->forked);
  v->stall = st;
  return st;
}

static void stall_pause(vm_stall *st)
{
  green_watch_remove(&st->watch);
  vm_sampler_part(&st->sampler);
  st->is.limit = 0;
  st->now.is_open = 0;
  st->now.run = 0; /* None: what runs now may be found anew. */
  st->v->stalled = 0;
}

int vm_stall_start(vm *v, lua_State *L, const vm_stall_options *o)
{
  vm_stall *st = v->stall;
  if (st) stall_pause(st);
  if (!o->limit) return 0;
  lua_pushcfunction(L, tell_body);
  vm_set_key(L, VM_KEY_STALL_BODY);
  if (!st) st = stall_new(v, L);
  st->sampler.exact = o->exact;
  st->watch.limit = o->limit;
  st->watch.repeats = o->raises;
  int busy = stall_take_profiler(st, L);
  st->is = *o;
  int err = green_watch_add(&st->watch);
  if (err == 0) return busy;
  stall_pause(st);
  return err;
}

void vm_stall_stop(vm *v)
{
  vm_stall *st = v->stall;
  if (!st) return;
  stall_pause(st);
  green_forkhook_remove(&st->forked);
  pthread_mutex_destroy(&st->lock);
  v->stall = NULL;
  green__free(st);
}

const vm_stall_options *vm_stall_get(const vm *v)
{
  return v->stall && v->stall->is.limit ? &v->stall->is : NULL;
}

void vm_stall_stats_get(const vm *v, vm_stall_stats *s)
{
  *s = v->stall ? v->stall->stats : (vm_stall_stats){0};
}

int vm_stall_is_told(const vm *v)
{
  vm_stall *st = v->stall;
  if (!st) return 0;
  stall_lock(st);
  const vm_stall_record *r = &st->now;
  int is_told =
      r->is_open && r->run == this_run(st) && (r->trace.len || r->has_said);
  stall_unlock(st);
  return is_told;
}

/* -- Limits --------------------------------------------------------------- */

#define LIMIT_LEAST 0.001 /* s */
#define LIMIT_MOST 86400.0

static const green_typed limit_typed = {.what = "number of seconds",
                                        .least = LIMIT_LEAST,
                                        .most = LIMIT_MOST,
                                        .or_zero = 1};

int64_t vm_stall_limit(const char *name, const char *text, char *out,
                       size_t size)
{
  double s;
  if (green_typed_read(&limit_typed, text, &s) == 0) return (int64_t)(s * 1e9);
  green_typed_explain(&limit_typed, name, text, out, size);
  return -1;
}

int64_t vm_stall_limit_of_env(char *out, size_t size)
{
  const char *text = green_env("GREENLUA_WATCHDOG");
  return text ? vm_stall_limit("GREENLUA_WATCHDOG=", text, out, size) : 0;
}

void vm_stall_start_env(vm *v, lua_State *L, int strict)
{
  char wrong[160];
  vm_stall_options o = {.exact = 1, .logs = 1};
  o.limit = vm_stall_limit_of_env(wrong, sizeof(wrong));
  if (o.limit < 0 && strict) luaL_error(L, "%s", wrong);
  if (o.limit > 0) vm_stall_start(v, L, &o);
}
