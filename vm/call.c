/*
** call.c: calls as jobs.
*/

#include "call.h"
#include "names.h"
#include "site.h"

#include "base/fork.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static vm_call *call_of(green_job *job)
{
  return green_container(job, vm_call, job);
}

/* In a child: a thread of the parent's may have been in the middle of it, with
** its lock in hand and half a parcel written. */
static int is_orphan(const vm_call *c)
{
  return c->generation && c->generation != green_fork_generation();
}

static void call_unref(vm_call *c)
{
  if (atomic_fetch_sub(&c->refs, 1) > 1) return;
  if (is_orphan(c)) {
    c->run.out = (vm_parcel){NULL, 0, 0, NULL};
    c->run.back = (vm_parcel){NULL, 0, 0, NULL};
  }
  vm_run_deinit(&c->run);
  green__free(c);
}

/* What a function does is not done again in a child. */
static void call_work(green_job *job)
{
  vm_call *c = call_of(job);
  if (is_orphan(c))
    c->run.outcome = VM_RUN_NONE;
  else if (job->slot)
    vm_worker_run(job->slot, &c->run);
}

static void call_done(green_job *job)
{
  vm_call *c = call_of(job);
  c->done = 1;
  if (!c->quiet) green_waitq_wake_all(&c->waiters, 0);
  call_unref(c);
}

static void call_drop(green_job *job)
{
  call_unref(call_of(job));
}

/* -- What it says of itself ----------------------------------------------- */

static void copy_text(char *to, size_t room, const char *from)
{
  size_t n = from ? strnlen(from, room - 1) : 0;
  if (n) memcpy(to, from, n);
  to[n] = '\0';
}

/* "module.function": the names of modules and fields have a NUL between
** them. */
static void note_name(vm_call_note *n, lua_State *L, int i)
{
  size_t len;
  int looked = 1; /* What is not known yet has no name. */
  if (!vm_names_push(L, i, &looked)) return;
  const char *text = lua_tolstring(L, -1, &len);
  if (len >= sizeof(n->function)) len = sizeof(n->function) - 1;
  memcpy(n->function, text, len);
  n->function[len] = '\0';
  char *end = memchr(n->function, '\0', len);
  if (end) *end = '.';
  lua_pop(L, 1);
}

static void note_function(vm_call_note *n, lua_State *L, int i)
{
  lua_Debug ar;
  if (!lua_isfunction(L, i)) return;
  note_name(n, L, i);
  lua_pushvalue(L, i);
  lua_getinfo(L, ">S", &ar);
  if (*ar.what == 'C') return;
  copy_text(n->source, sizeof(n->source), ar.short_src);
  n->line = ar.linedefined;
}

void vm_call_set_note(vm_call *c, const vm *v, lua_State *L, int i)
{
  const vm_thread *t = v->current;
  const char *name = vm_text_of(v, t->task.label);
  note_function(&c->note, L, i);
  c->note.by = t->id;
  copy_text(c->note.name, sizeof(c->note.name),
            !name && t == v->main ? "main" : name);
  copy_text(c->note.site, sizeof(c->note.site), vm_text_of(v, t->site));
}

/* By somebody else's thread: what is there was written before the start. */
static void call_note(const green_job *job, green_job_note *n)
{
  const vm_call_note *c = &green_container(job, vm_call, job)->note;
  const char *space = *c->function ? " " : "";
  if (*c->source)
    snprintf(n->what, sizeof(n->what), "function %s%s<%s:%d>", c->function,
             space, c->source, c->line);
  else if (*c->function)
    snprintf(n->what, sizeof(n->what), "function %s", c->function);
  else
    strcpy(n->what, "a function of C");
  n->by = c->by;
  memcpy(n->name, c->name, sizeof(n->name));
  memcpy(n->site, c->site, sizeof(n->site));
}

vm_run *vm_call_run(const green_job *job)
{
  vm_call *c = green_container(job, vm_call, job);
  return job->note == call_note ? &c->run : NULL;
}

/* -- Its life ------------------------------------------------------------- */

vm_call *vm_call_new(vm_setup *setup)
{
  vm_call *c = green__zalloc(sizeof(*c));
  if (!c) {
    vm_setup_unref(setup);
    return NULL;
  }
  c->job.work = call_work;
  c->job.done = call_done;
  c->job.drop = call_drop;
  c->job.note = call_note;
  vm_run_init(&c->run, setup);
  c->run.job = &c->job;
  green_waitq_init(&c->waiters);
  atomic_init(&c->refs, 1);
  return c;
}

int vm_call_start(vm_call *c, green_tpool *p)
{
  c->generation = green_fork_generation();
  atomic_fetch_add(&c->refs, 1);
  int err = green_job_submit(p, &c->job);
  if (err < 0) atomic_fetch_sub(&c->refs, 1);
  return err;
}

int vm_call_stop(vm_call *c)
{
  if (c->done) return 0;
  int runs = !is_orphan(c) && vm_worker_stop(&c->run);
  green_job_cancel(&c->job);
  return runs;
}

void vm_call_free(vm_call *c)
{
  if (!c) return;
  green_waitq_wake_all(&c->waiters, GREEN_ECLOSED);
  vm_call_stop(c);
  call_unref(c);
}
