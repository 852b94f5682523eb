/*
** collector.c: a finalizer that is called once in each cycle.
*/

#include "collector.h"
#include "blocks.h"
#include "trace.h"

#define PAID_MOST (64 << 20) /* Bytes of large blocks, in one go. */
#define IDLE_STEP 1024       /* KB. */
#define IDLE_MOST (96 << 10) /* KB, of all. */

/* Pauses, in hundredths: the next cycle begins at so many times of what lives.
** They fall between most and least, so that garbage (in KB) is what more than
** the least may add; large: the same where it is large blocks. */
typedef struct pace {
  int least;
  int most;
  int garbage;
  int large;
  int stepmul; /* How many times faster than it is filled memory is looked at:
                  what comes meanwhile is added to the pause. */
} pace;

static const pace usual = {
    .least = 200, /* These two are Lua's own. */
    .stepmul = 200,
    .most = 400,
    .garbage = 16 << 10,
    .large = 48 << 10,
};

static const pace growing = {
    .least = 140,
    .stepmul = 800,
    .most = 200,
    .garbage = 4 << 10,
    .large = 4 << 10,
};

/* So much was made in one cycle that stays: growth begins, and goes on. */
#define KEPT_BEGINS 256
#define KEPT_GOES_ON 32

/* What was set last, to be told from what a script has set since. */
typedef struct sentinel {
  int pause;
  int stepmul;
  uint32_t kept;    /* vm.kept at that time. */
  const pace *pace; /* NULL: the collector is not ours. */
} sentinel;

/* Large blocks that are garbage cost a cycle nothing, and where they are most
** of it a cycle is worth while only for many of them: between them they have
** emptied the caches, so that it takes four times as long as it would. */
static int pause_for(const pace *p, int live_kb, size_t large_kb)
{
  bool is_large = large_kb >= (size_t)live_kb;
  int garbage = is_large ? p->large : p->garbage;
  int pause = 100 + (int)(100LL * garbage / (live_kb + 1));
  if (pause > p->most && !is_large) return p->most;
  return pause < p->least ? p->least : pause;
}

/* Set a value, unless a script's stands. What ours is. */
static int set_ours(lua_State *L, int what, int was, int value)
{
  int now = lua_gc(L, what, value);
  if (now == was) return value;
  lua_gc(L, what, now);
  return was;
}

static uint32_t kept_in(lua_State *L)
{
  const vm *v = vm_get(L);
  return v ? v->kept : 0;
}

/* Push what is collected in the next cycle, at upvalue 1's behest. */
static void push_sentinel(lua_State *L, sentinel s)
{
  *(sentinel *)lua_newuserdata(L, sizeof(s)) = s;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
}

/* It is not hurried before there is garbage to speak of, whatever the pause. */
static void note_cycle(vm *v, int live_kb, int pause)
{
  int64_t begins = (int64_t)live_kb * pause / 100,
          due = live_kb + usual.garbage;
  v->gc_begins = begins < INT32_MAX ? (int32_t)begins : INT32_MAX;
  v->gc_due = due < v->gc_begins ? v->gc_begins : (int32_t)due;
  v->gc_large = 0;
  v->gc_cycles++;
  if (v->gc_stale) v->gc_stale--;
  if (green_unlikely(v->trace != NULL)) vm_trace_gc(v, -1, live_kb);
}

static int pause_now(lua_State *L)
{
  int pause = lua_gc(L, LUA_GCSETPAUSE, 0);
  lua_gc(L, LUA_GCSETPAUSE, pause);
  return pause;
}

/* A script may put back what it has found: that is ours again. */
static void pace_anew(lua_State *L, sentinel *s, int live_kb, size_t large_kb)
{
  uint32_t kept = kept_in(L);
  uint32_t enough = s->pace == &growing ? KEPT_GOES_ON : KEPT_BEGINS;
  s->pace = kept - s->kept < enough ? &usual : &growing;
  s->kept = kept;
  int pause = pause_for(s->pace, live_kb, large_kb);
  s->pause = set_ours(L, LUA_GCSETPAUSE, s->pause, pause);
  s->stepmul = set_ours(L, LUA_GCSETSTEPMUL, s->stepmul, s->pace->stepmul);
}

/* A finalizer, once in each cycle: what is left then is what lives, nearly. */
static int collector_on_cycle(lua_State *L)
{
  sentinel s = *(const sentinel *)lua_touserdata(L, 1);
  vm *v = vm_get(L);
  int live = lua_gc(L, LUA_GCCOUNT, 0);
  if (s.pace) pace_anew(L, &s, live, v ? v->gc_large >> 10 : 0);
  if (v) note_cycle(v, live, pause_now(L));
  push_sentinel(L, s);
  return 0;
}

static int collector_start(lua_State *L)
{
  push_sentinel(L, *(const sentinel *)lua_touserdata(L, 1));
  return 0;
}

static void watch(lua_State *L, const sentinel *s)
{
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, collector_on_cycle, 1);
  lua_setfield(L, -2, "__gc");
  lua_pushcclosure(L, collector_start, 1);
  lua_pushlightuserdata(L, (void *)s);
  lua_call(L, 1, 0);
}

void vm_collector_open(lua_State *L)
{
  sentinel s = {.pause = pause_for(&usual, lua_gc(L, LUA_GCCOUNT, 0), 0),
                .stepmul = usual.stepmul,
                .pace = &usual};
  lua_gc(L, LUA_GCSETPAUSE, s.pause);
  lua_gc(L, LUA_GCSETSTEPMUL, s.stepmul);
  watch(L, &s);
}

void vm_collector_watch(lua_State *L)
{
  watch(L, &(sentinel){0});
}

int vm_collector_stop(lua_State *L)
{
  if (!lua_gc(L, LUA_GCISRUNNING, 0)) return 0;
  lua_gc(L, LUA_GCSTOP, 0);
  return 1;
}

/* LuaJIT's word for `from where it would have begun` is the pause times what
** there is now. */
void vm_collector_go_on(const vm *v, lua_State *L)
{
  int kb = lua_gc(L, LUA_GCCOUNT, 0) + 1, pause = 100;
  if (kb < v->gc_begins) pause = (int)(100LL * v->gc_begins / kb);
  int was = lua_gc(L, LUA_GCSETPAUSE, pause);
  lua_gc(L, LUA_GCRESTART, -1);
  lua_gc(L, LUA_GCSETPAUSE, was);
}

static int step_body(lua_State *L)
{
  lua_gc(L, LUA_GCSTEP, *(const int *)lua_touserdata(L, 1));
  return 0;
}

/* As is owed for so many KB. Finalizers run, and may raise. */
static void step(vm *v, int kb)
{
  lua_State *L = v->L;
  int top = lua_gettop(L), is_measured = green_hub_measures(v->hub),
      is_traced = v->trace != NULL;
  if (!lua_gc(L, LUA_GCISRUNNING, 0)) return;
  int64_t began = is_measured || is_traced ? green_clock_now() : 0;
  lua_cpcall(L, step_body, &kb);
  lua_settop(L, top);
  int64_t took = began ? green_clock_now() - began : 0;
  if (is_measured) green_histogram_add(&v->gc_steps, took);
  if (is_traced) vm_trace_gc(v, took, 0);
}

void vm_collector_pay(vm *v)
{
  size_t made = vm_blocks_made(v->blocks);
  v->gc_large += made;
  if (made) v->gc_stale = 2;
  if (lua_gc(v->L, LUA_GCCOUNT, 0) < v->gc_due) return;
  step(v, made < PAID_MOST ? (int)(made >> 10) : PAID_MOST >> 10);
}

/* 0: none of them can be garbage; or there is so much else that it is not
** looked at without need; or it is not ours to say. */
int vm_collector_idle(vm *v)
{
  if (v->is_guest || v->gc_stale == 0) return 0;
  if (lua_gc(v->L, LUA_GCCOUNT, 0) > IDLE_MOST) return 0;
  step(v, IDLE_STEP);
  return v->gc_stale > 0 && lua_gc(v->L, LUA_GCISRUNNING, 0);
}
