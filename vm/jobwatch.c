/*
** jobwatch.c: the looks.
*/

#include "jobwatch.h"
#include "thread.h"

#include "base/clock.h"
#include "base/mem.h"
#include "hub/later.h"
#include "io/roster.h"

#define LOOKS 8              /* A limit. */
#define LOOKS_LEAST 5000000L /* ns between two. */

typedef struct vm_jobwatch {
  green_later later;
  vm *v;
  int64_t limit;
} vm_jobwatch;

static int is_over(const vm_jobwatch *w)
{
  green_native n;
  int64_t now = green_clock_now();
  for (uint64_t at = 1; green_roster_next(at, &n); at = n.number + 1)
    if (n.hub == w->v->hub && n.state == GREEN_NATIVE_AT_WORK &&
        now - n.since >= w->limit)
      return 1;
  return 0;
}

static int jobwatch_spawn(lua_State *L)
{
  vm *v = vm_get(L);
  vm_push_key(L, VM_KEY_ON_JOB);
  vm_thread *t = vm_thread_new(v, L, 0, VM_F_NOWAIT, 0);
  green_task_start(&t->task);
  return 0;
}

static void jobwatch_go_on(vm_jobwatch *w)
{
  int64_t span = w->limit / LOOKS;
  if (span < LOOKS_LEAST) span = LOOKS_LEAST;
  green_hub_later(w->v->hub, &w->later, green_clock_now() + span);
}

/* Where there is no memory for a thread the next look tells. */
static void jobwatch_look(green_later *l)
{
  vm_jobwatch *w = green_container(l, vm_jobwatch, later);
  lua_State *L = w->v->L;
  int top = lua_gettop(L);
  jobwatch_go_on(w);
  if (is_over(w)) lua_cpcall(L, jobwatch_spawn, NULL);
  lua_settop(L, top);
}

void vm_jobwatch_start(vm *v, lua_State *L, int64_t limit)
{
  vm_jobwatch *w = v->jobwatch;
  if (!w) w = green__zalloc(sizeof(*w));
  if (!w) luaL_error(L, "not enough memory");
  v->jobwatch = w; /* What raises from here on has changed nothing. */
  vm_set_key(L, VM_KEY_ON_JOB);
  w->v = v;
  w->limit = limit;
  w->later.run = jobwatch_look;
  jobwatch_go_on(w);
}

void vm_jobwatch_stop(vm *v)
{
  if (v->jobwatch) green_later_remove(&v->jobwatch->later);
}

void vm_jobwatch_close(vm *v)
{
  vm_jobwatch_stop(v);
  green__free(v->jobwatch);
  v->jobwatch = NULL;
}
