/*
** trace_ring.c: events that wait for the functions of the script's.
*/

#include "trace_priv.h"

static int is_first(const green_trace_event *e, const vm_thread *t)
{
  return e->kind == GREEN_TRACE_SWITCH && !(t->flags & VM_F_STARTED);
}

static void record_thread(vm_trace_record *r, const vm *v, const vm_thread *t)
{
  r->id = t->id;
  r->label = t->task.label;
  r->site = t->site;
  r->is_main = (t->flags & VM_F_MAIN) || t == v->host;
}

void vm__trace_put(struct vm_trace *x, const green_trace_event *e,
                   const vm_thread *t)
{
  trace_ring *g = &x->ring;
  const vm *v = x->v;
  if (g->n == TRACE_RING) {
    g->lost++;
    return;
  }
  vm_trace_record *r = &g->at[(g->first + g->n++) % TRACE_RING];
  *r = (vm_trace_record){.at = green_hub_now(v->hub),
                         .deadline = e->deadline,
                         .lost = g->lost,
                         .status = e->status,
                         .fd = e->fd,
                         .kind = e->kind,
                         .place = e->place,
                         .modes = e->modes};
  g->lost = 0;
  if (vm__trace_runner(v)) r->by = vm__trace_runner(v)->id;
  if (!t) return;
  r->is_first = (uint8_t)is_first(e, t);
  record_thread(r, v, t);
}

int vm_trace_take(vm *v, vm_trace_record *r)
{
  trace_ring *g = v->trace ? &v->trace->ring : NULL;
  if (!g || !g->n || g->teller != green_hub_current(v->hub)) return 0;
  *r = g->at[g->first];
  g->first = (g->first + 1) % TRACE_RING;
  g->n--;
  return 1;
}
