/*
** profile.c: timer, allocator and walk, and what their samples add up to.
*/

#include "profile.h"
#include "profile_native.h"
#include "profile_text.h"
#include "sampler.h"

#include "base/mem.h"
#include "hub/later.h"
#include "io/cputimer.h"

#include <lauxlib.h>
#include <string.h>

#define MOST (16 << 20) /* Bytes of each kind's stacks. */
#define WALK 100        /* Threads that are looked at in one go, */
#define SLOTS 2000      /* and places of those that have ended. */

/* The function before the allocator. It stays for ever where somebody has put
** another before it. */
typedef struct vm_meter {
  lua_Alloc alloc;
  void *ud;
  vm_sampler_user *user; /* NULL: it counts no more. */
  int64_t left;          /* Bytes until the next sample is due. */
  double made;           /* Since the last one. */
  double period;
  uint64_t dice;
  uint8_t is_due;
} vm_meter;

typedef struct vm_profiles {
  vm *v;
  vm_profile of[VM_PROFILE_KINDS];
  vm_sampler_user user;
  green_forkhook forked;
  /* CPU. */
  green_cputimer timer;
  green_pulse pulse;
  uint32_t is_due;  /* A sample: the timer has ticked. Atomic. */
  int64_t cpu_seen; /* Of the thread's CPU time. */
  /* Memory. */
  vm_meter *meter;
  /* Waits. */
  green_later walk;
  uint32_t slot;      /* Where the walk goes on. */
  int64_t walk_begun; /* The present one, */
  double walk_stands; /* and how many ns each thread seen in it stands for. */
  vm_profile_text text;
} vm_profiles;

/* -- CPU ------------------------------------------------------------------ */

static void cpu_count(vm_profiles *p, enum vm_profile_state state, double ns)
{
  p->of[VM_PROFILE_CPU].times[state]++;
  p->of[VM_PROFILE_CPU].values[state] += ns;
}

/* The CPU time since this was last asked. */
static double cpu_take(vm_profiles *p)
{
  int64_t now = green_cputimer_now(), before = p->cpu_seen;
  p->cpu_seen = now;
  return (double)(now - before);
}

/* In the handler. While the hub is at its own work no Lua runs: the first line
** that comes after it is not to blame. */
static int profile_tick(vm_sampler_user *u, const siginfo_t *info)
{
  vm_profiles *p = green_container(u, vm_profiles, user);
  if (!green_cputimer_ticks(&p->timer, info)) return 0;
  if (green_hub_is_busy(p->v->hub) && !*p->pulse.current) {
    cpu_count(p, VM_PROFILE_LOOP, cpu_take(p));
    return 0;
  }
  __atomic_store_n(&p->is_due, 1, __ATOMIC_RELAXED);
  __atomic_store_n(&p->v->stalled, 1, __ATOMIC_RELEASE);
  return 1;
}

static enum vm_profile_state state_of(int letter)
{
  switch (letter) {
  case 'I':
    return VM_PROFILE_INTERPRETED;
  case 'C':
    return VM_PROFILE_C;
  case 'G':
    return VM_PROFILE_GC;
  case 'J':
    return VM_PROFILE_JIT;
  default:
    return VM_PROFILE_COMPILED;
  }
}

static void text_of_running(vm_profiles *p, lua_State *L,
                            enum vm_profile_state state)
{
  p->text.len = 0;
  if (state == VM_PROFILE_GC) vm_profile_put(&p->text, "(GC)");
  if (state == VM_PROFILE_JIT) vm_profile_put(&p->text, "(JIT compiler)");
  vm_profile_put_running(&p->text, p->v, L, state == VM_PROFILE_C);
}

/* One sample, however many ticks have asked for it. */
static void sample_cpu(vm_profiles *p, enum vm_profile_state state)
{
  __atomic_store_n(&p->is_due, 0, __ATOMIC_RELAXED);
  double ns = cpu_take(p);
  cpu_count(p, state, ns);
  green_census_add(&p->of[VM_PROFILE_CPU].seen, p->text.text, p->text.len, 1,
                   ns);
}

static int cpu_is_due(const vm_profiles *p)
{
  return p->of[VM_PROFILE_CPU].is_on &&
         __atomic_load_n(&p->is_due, __ATOMIC_RELAXED);
}

static void sample_memory(vm_profiles *p)
{
  vm_meter *m = p->meter;
  green_census_add(&p->of[VM_PROFILE_ALLOC].seen, p->text.text, p->text.len, 1,
                   m->made);
  m->made = 0;
  m->is_due = 0;
}

/* The collector's state is no place where memory is made. */
static void profile_sample(vm_sampler_user *u, lua_State *L, int letter)
{
  vm_profiles *p = green_container(u, vm_profiles, user);
  enum vm_profile_state state = state_of(letter);
  int is_cpu = cpu_is_due(p);
  int is_memory = p->meter && p->meter->is_due;
  if (is_cpu) {
    text_of_running(p, L, state);
    sample_cpu(p, state);
  }
  if (is_memory) {
    text_of_running(p, L, VM_PROFILE_COMPILED);
    sample_memory(p);
  }
}

/* The coroutine that the running thread stands in. */
static lua_State *innermost(vm *v)
{
  lua_State *co = NULL;
  if (v->turn.depth > 0) {
    vm_push_key(v->L, VM_KEY_LEVELS);
    lua_rawgeti(v->L, -1, v->turn.depth);
    co = lua_tothread(v->L, -1);
    lua_pop(v->L, 2);
  }
  return co ? co : v->current->co;
}

void vm_profile_end(vm *v)
{
  vm_profiles *p = v->profiles;
  if (!p || !cpu_is_due(p)) return;
  text_of_running(p, innermost(v), VM_PROFILE_C);
  sample_cpu(p, VM_PROFILE_C);
}

/* -- The timer ------------------------------------------------------------ */

static int timer_start(vm_profiles *p, double period)
{
  p->timer.signal = VM_SAMPLER_SIGNAL;
  p->timer.period = (int64_t)period;
  p->is_due = 0;
  p->cpu_seen = green_cputimer_now();
  return green_cputimer_start(&p->timer);
}

/* -- Memory --------------------------------------------------------------- */

/* Half of a period to one and a half: what makes memory in a beat of its own
** is not always met at the same place. */
static void meter_set(vm_meter *m)
{
  m->dice = m->dice * 6364136223846793005u + 1442695040888963407u;
  m->left =
      (int64_t)(m->period * (0.5 + (double)(m->dice >> 33) / 2147483648.0));
}

static __attribute__((noinline)) void meter_due(vm_meter *m)
{
  meter_set(m);
  if (!m->user) return;
  m->is_due = 1;
  vm_sampler_ask(m->user);
}

static void *meter_alloc(void *ud, void *at, size_t osize, size_t nsize)
{
  vm_meter *m = ud;
  if (nsize > osize) {
    m->made += (double)(nsize - osize);
    m->left -= (int64_t)(nsize - osize);
    if (green_unlikely(m->left < 0)) meter_due(m);
  }
  return m->alloc(m->ud, at, osize, nsize);
}

static int meter_open(vm_profiles *p, lua_State *L, double period)
{
  vm_meter *m = green__zalloc(sizeof(*m));
  if (!m) return GREEN_ENOMEM;
  m->user = &p->user;
  m->period = period;
  m->dice = (uintptr_t)m;
  meter_set(m);
  m->alloc = lua_getallocf(L, &m->ud);
  p->meter = m;
  lua_setallocf(L, meter_alloc, m);
  return 0;
}

static void meter_close(vm_profiles *p)
{
  void *ud;
  vm_meter *m = p->meter;
  p->meter = NULL;
  m->user = NULL;
  m->is_due = 0;
  if (lua_getallocf(p->v->L, &ud) != meter_alloc || ud != m) return;
  lua_setallocf(p->v->L, m->alloc, m->ud);
  green__free(m);
}

/* -- Waits ---------------------------------------------------------------- */

/* The thread of a slot, if it waits. */
static const vm_thread *waiting_at(vm *v, uint32_t slot)
{
  vm_push_key(v->L, VM_KEY_THREADS);
  lua_rawgeti(v->L, -1, (int)(2 * slot));
  const vm_thread *t = lua_touserdata(v->L, -1);
  lua_pop(v->L, 2);
  if (!t || t->kind != VM_THREAD || t->task.state != GREEN_TASK_PARKED)
    return NULL;
  return t != v->host || v->main == v->host ? t : NULL;
}

static void sample_wait(vm_profiles *p, const vm_thread *t)
{
  p->text.len = 0;
  vm_profile_put_waiting(&p->text, t);
  green_census_add(&p->of[VM_PROFILE_WAIT].seen, p->text.text, p->text.len, 1,
                   p->walk_stands);
}

/* From the first slot again: those seen stand for the time since the walk
** before began. */
static void walk_begin(vm_profiles *p)
{
  int64_t now = green_clock_now();
  p->slot = 1;
  p->walk_stands = (double)(now - p->walk_begun);
  p->walk_begun = now;
}

/* At due, in the hub: bounded, it goes on the next time. */
static void profile_walk(green_later *l)
{
  vm_profiles *p = green_container(l, vm_profiles, walk);
  vm *v = p->v;
  int seen = 0;
  if (p->slot > v->n_slots) walk_begin(p);
  for (int i = 0; i < SLOTS && seen < WALK && p->slot <= v->n_slots; i++) {
    const vm_thread *t = waiting_at(v, p->slot++);
    if (!t) continue;
    sample_wait(p, t);
    seen++;
  }
  green_hub_later(v->hub, l,
                  green_clock_now() + (int64_t)p->of[VM_PROFILE_WAIT].period);
}

static void walk_open(vm_profiles *p, double period)
{
  p->walk.run = profile_walk;
  p->walk_begun = green_clock_now();
  p->slot = p->v->n_slots + 1;
  green_hub_later(p->v->hub, &p->walk, p->walk_begun + (int64_t)period);
}

/* -- Beginning and end ---------------------------------------------------- */

/* A timer is not inherited, and what the parent has seen is the parent's. */
static void profiles_forked(green_forkhook *h)
{
  vm_profiles *p = green_container(h, vm_profiles, forked);
  for (int k = 0; k < VM_PROFILE_KINDS; k++) {
    vm_profile_stop(p->v, k);
    vm_profile_forget(p->v, k);
  }
}

static vm_profiles *profiles_open(vm *v, lua_State *L)
{
  vm_profiles *p = v->profiles;
  if (p) return p;
  p = green__zalloc(sizeof(*p));
  if (!p) luaL_error(L, "not enough memory");
  p->v = v;
  p->user.sample = profile_sample;
  p->user.tick = profile_tick;
  p->user.exact = 1;
  p->pulse = green_hub_pulse(v->hub);
  p->forked.run = profiles_forked;
  green_hub_on_fork(v->hub, &p->forked);
  v->profiles = p;
  return p;
}

/* While one of the two goes on. */
static void sampler_part_if_idle(vm_profiles *p)
{
  if (!p->of[VM_PROFILE_CPU].is_on && !p->of[VM_PROFILE_ALLOC].is_on)
    vm_sampler_part(&p->user);
}

static int profile_open(vm_profiles *p, lua_State *L, enum vm_profile_kind kind,
                        double period)
{
  int err = 0;
  if (kind == VM_PROFILE_WAIT) {
    walk_open(p, period);
    return 0;
  }
  err = vm_sampler_join(p->v, &p->user, L); /* It may raise: first of all. */
  if (err == 0 && kind == VM_PROFILE_CPU) err = timer_start(p, period);
  if (err == 0 && kind == VM_PROFILE_ALLOC) err = meter_open(p, L, period);
  if (err < 0) sampler_part_if_idle(p);
  return err;
}

int vm_profile_start(vm *v, lua_State *L, enum vm_profile_kind kind,
                     double period)
{
  vm_profiles *p = profiles_open(v, L);
  vm_profile *of = &p->of[kind];
  if (of->is_on) return GREEN_EALREADY;
  int err = profile_open(p, L, kind, period);
  if (err < 0) return err;
  green_census_deinit(&of->seen);
  memset(of, 0, sizeof(*of));
  green_census_init(&of->seen, MOST);
  of->period = period;
  of->begun = green_clock_now();
  of->is_on = 1;
  if (kind == VM_PROFILE_CPU) vm_native_profile_start(v, period);
  return 0;
}

static void cpu_add_natives(vm_profiles *p)
{
  vm_profile *of = &p->of[VM_PROFILE_CPU];
  of->values[VM_PROFILE_NATIVE] =
      vm_native_profile_stop(p->v, &of->seen, &of->times[VM_PROFILE_NATIVE]);
}

const vm_profile *vm_profile_stop(vm *v, enum vm_profile_kind kind)
{
  vm_profiles *p = v->profiles;
  if (!p) return NULL;
  if (!p->of[kind].is_on) return p->of[kind].period > 0 ? &p->of[kind] : NULL;
  if (kind == VM_PROFILE_CPU) cpu_add_natives(p);
  p->of[kind].is_on = 0;
  if (kind == VM_PROFILE_WAIT) green_later_remove(&p->walk);
  if (kind == VM_PROFILE_ALLOC) meter_close(p);
  if (kind == VM_PROFILE_CPU) green_cputimer_stop(&p->timer);
  sampler_part_if_idle(p);
  return &p->of[kind];
}

void vm_profile_forget(vm *v, enum vm_profile_kind kind)
{
  vm_profiles *p = v->profiles;
  if (!p || p->of[kind].is_on) return;
  green_census_deinit(&p->of[kind].seen);
  p->of[kind].period = 0;
}

const vm_profile *vm_profile_get(const vm *v, enum vm_profile_kind kind)
{
  const vm_profiles *p = v->profiles;
  return p && p->of[kind].period > 0 ? &p->of[kind] : NULL;
}

void vm_profiles_close(vm *v)
{
  vm_profiles *p = v->profiles;
  if (!p) return;
  for (int k = 0; k < VM_PROFILE_KINDS; k++) {
    vm_profile_stop(v, k);
    vm_profile_forget(v, k);
  }
  green_forkhook_remove(&p->forked);
  v->profiles = NULL;
  green__free(p);
}
