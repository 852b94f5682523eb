/*
** profile_native.c: what jobs have used, by stacks. Threads count under the
** lock that jobs begin and end with.
*/

#include "profile_native.h"
#include "profile_text.h"

#include "base/mem.h"

#include <stdio.h>

#define MOST (4 << 20) /* Bytes of stacks. */

typedef struct vm_native_profile {
  green_meter meter;
  green_census seen;
  int64_t period;
  double ns;
  uint64_t times;
} vm_native_profile;

static void count(vm_native_profile *p, const vm_profile_text *t, int64_t ns)
{
  if (ns <= 0) return;
  p->ns += (double)ns;
  p->times++;
  green_census_add(&p->seen, t->text, t->len, 1, (double)ns);
}

/* The outermost lines: for whom. */
static void put_caller(vm_profile_text *t, const green_job_note *n)
{
  char line[sizeof(n->name) + sizeof(n->site) + 32];
  vm_profile_put(t, "(native thread)");
  if (*n->name && *n->site)
    snprintf(line, sizeof(line), "thread %s (spawned at %s)", n->name, n->site);
  else if (*n->name || *n->site)
    snprintf(line, sizeof(line), "thread %s%s", *n->name ? "" : "spawned at ",
             *n->name ? n->name : n->site);
  else
    return;
  vm_profile_put(t, line);
}

/* What no line has paid for. */
static void native_add(green_meter *m, const green_job *job, int64_t ns)
{
  vm_native_profile *p = green_container(m, vm_native_profile, meter);
  green_job_note n = {0};
  vm_profile_text t;
  t.len = 0;
  if (job->note) job->note(job, &n);
  vm_profile_put(&t, *n.what ? n.what : "a job");
  put_caller(&t, &n);
  count(p, &t, ns);
}

static void native_sample(green_meter *m, int64_t ns, void *text)
{
  count(green_container(m, vm_native_profile, meter), text, ns);
}

void vm_native_profile_sample(const green_job *job, lua_State *L,
                              lua_State *base)
{
  green_job_note n = {0};
  vm_profile_text t;
  t.len = 0;
  vm_profile_put_job(&t, L, base);
  if (job->note) job->note(job, &n);
  put_caller(&t, &n);
  green_meter_take(job, native_sample, &t);
}

/* -- Beginning and end ---------------------------------------------------- */

int vm_native_profile_start(vm *v, double period)
{
  vm_native_profile *p = green__zalloc(sizeof(*p));
  if (!p) return GREEN_ENOMEM;
  green_census_init(&p->seen, MOST);
  p->period = (int64_t)period;
  p->meter.hub = v->hub;
  p->meter.add = native_add;
  v->native_profile = p;
  green_meter_add(&p->meter);
  return 0;
}

static void add_all(green_census *into, const green_census *seen)
{
  const green_counted *c;
  for (uint32_t i = 0; (c = green_census_next(seen, &i)) != NULL;)
    green_census_add(into, c->text, c->len, c->count, c->value);
  into->others.count += seen->others.count;
  into->others.value += seen->others.value;
}

double vm_native_profile_stop(vm *v, green_census *into, uint64_t *times)
{
  vm_native_profile *p = v->native_profile;
  *times = 0;
  if (!p) return 0;
  v->native_profile = NULL;
  green_meter_remove(&p->meter);
  double ns = p->ns;
  *times = p->times;
  if (into) add_all(into, &p->seen);
  green_census_deinit(&p->seen);
  green__free(p);
  return ns;
}

int64_t vm_native_profile_period(const vm *v)
{
  return v->native_profile ? v->native_profile->period : 0;
}
