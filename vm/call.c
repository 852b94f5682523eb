/*
** call.c: calls as jobs.
*/

#include "call.h"

#include "base/fork.h"
#include "base/mem.h"

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
  vm_run_init(&c->run, setup);
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
