/*
** scope.c: keeps, for each task, the timeouts and kills that it has not yet
** obeyed, and says which to raise, and how soon again.
*/

#include "hub/scope.h"
#include "hub/hub_priv.h"
#include "base/mem.h"

#include <string.h>

#define SCOPE_BLOCK 64 /* Scopes allocated at a time: 4 KB. */
/* A task that swallows each raise runs 100 times a second at most. */
#define SCOPE_RAISE_GAP (10 * (GREEN_SECOND / 1000))

/* -- The pool ------------------------------------------------------------- */

static int scopes_grow(green__scopes *p)
{
  if (p->n_blocks >= GREEN_HANDLE_SLOTS / SCOPE_BLOCK) return GREEN_ENOMEM;
  size_t n = p->n_blocks + 1;
  green_scope **blocks = green__realloc(p->blocks, n * sizeof(*blocks));
  if (!blocks) return GREEN_ENOMEM;
  p->blocks = blocks;
  green_scope *b = green__zalloc(SCOPE_BLOCK * sizeof(*b));
  if (!b) return GREEN_ENOMEM;
  for (uint32_t i = 0; i < SCOPE_BLOCK; i++) {
    b[i].id = green_handle_first(p->n_blocks * SCOPE_BLOCK + i);
    green_list_push(&p->free, &b[i].link);
  }
  p->blocks[p->n_blocks++] = b;
  return 0;
}

green_scope *green_scope_find(green_hub *hub, green_handle id)
{
  uint32_t slot = green_handle_slot(id);
  if (slot / SCOPE_BLOCK >= hub->scopes.n_blocks) return NULL;
  green_scope *s = &hub->scopes.blocks[slot / SCOPE_BLOCK][slot % SCOPE_BLOCK];
  return s->task && s->id == id ? s : NULL;
}

/* -- What is pending ------------------------------------------------------ */

static green_scope *scope_of_link(green_link *k)
{
  return green_container(k, green_scope, link);
}

/* From the innermost outwards; the last one found is the outermost. Behind a
** shield (its own deadline counts) nothing is raised, yet it keeps the count of
** raises going: a cleanup in a shield must not let a task spin. */
static void task_find_pending(green_task *t)
{
  int masked = 0, quiet = !t->killed && !t->thrown;
  t->pending = NULL;
  t->cancel_pending = t->thrown;
  for (green_link *k = t->scopes.prev; k != &t->scopes; k = k->prev) {
    green_scope *s = scope_of_link(k);
    if (s->fired) quiet = 0;
    if (s->fired && !masked) {
      t->pending = s;
      t->cancel_pending = 1;
    }
    if (s->kind == GREEN_SCOPE_SHIELD) masked = 1;
  }
  if (quiet) t->raises = 0;
  if (!t->killed || masked) return;
  t->pending = NULL;
  t->cancel_pending = 1;
}

static void task_count_raise(green_task *t)
{
  if (t->raises <= GREEN_RAISE_LIMIT) t->raises++;
}

static void task_update(green_task *t)
{
  green__assert_thread(t->hub);
  task_find_pending(t);
  if (t->cancel_pending && !t->no_cancel && green_task_wake(t, GREEN_ECANCELED))
    task_count_raise(t);
}

static void scope_on_deadline(green_timer *timer)
{
  green_scope_fire(green_container(timer, green_scope, timer));
}

const green_task *green__scope_task_of_timer(const green_timer *timer)
{
  if (timer->fire != scope_on_deadline) return NULL;
  return green_container(timer, green_scope, timer)->task;
}

/* -- Public API ----------------------------------------------------------- */

int green_scope_reserve(green_hub *hub)
{
  green__scopes *p = &hub->scopes;
  green__assert_thread(hub);
  if (green_list_empty(&p->free) && scopes_grow(p) < 0) return GREEN_ENOMEM;
  return (int)p->n_blocks * SCOPE_BLOCK;
}

green_scope *green_scope_push(green_task *t, int kind, int64_t deadline)
{
  green_hub *hub = t->hub;
  green_assert(kind != GREEN_SCOPE_CANCEL || deadline == GREEN_NEVER,
               "Has no deadline, fires by hand only");
  if (green_scope_reserve(hub) < 0) return NULL;
  green_link *k = green_list_pop(&hub->scopes.free);
  green_scope *s = scope_of_link(k);
  s->timer.fire = scope_on_deadline;
  if (green_hub_timer_set(hub, &s->timer, deadline) < 0) {
    green_list_push_front(&hub->scopes.free, k);
    return NULL;
  }
  s->task = t;
  s->kind = (uint8_t)kind;
  s->fired = 0;
  s->data = 0;
  green_list_push(&t->scopes, k);
  if (kind == GREEN_SCOPE_SHIELD && t->cancel_pending) task_update(t);
  return s;
}

static void scope_free(green_hub *hub, green_scope *s)
{
  green_hub_timer_stop(hub, &s->timer);
  green_link_remove(&s->link);
  s->task = NULL;
  s->id = green_handle_next(s->id);
  green_list_push_front(&hub->scopes.free, &s->link);
}

void green_scope_pop(green_scope *s)
{
  green_task *t = s->task;
  green_assert(t, "Close it, once");
  int matters = s->fired || s->kind == GREEN_SCOPE_SHIELD;
  scope_free(t->hub, s);
  if (matters) task_update(t);
}

void green_scope_fire(green_scope *s)
{
  green_assert(s->task, "Fire one that is open");
  if (s->fired) return;
  s->fired = 1;
  green_hub_timer_stop(s->task->hub, &s->timer);
  task_update(s->task);
}

int green_task_kill(green_task *t)
{
  if (t->state == GREEN_TASK_DEAD || t->killed) return 0;
  t->killed = 1;
  task_update(t);
  return 1;
}

int green_task_throw(green_task *t)
{
  if (t->state == GREEN_TASK_DEAD) return 0;
  t->thrown = 1;
  task_update(t);
  return 1;
}

void green_task_pardon(green_task *t)
{
  t->killed = t->thrown = 0;
  task_update(t);
}

int64_t green_task_raise_at(green_task *t)
{
  uint8_t n = t->raises;
  green_assert(t->cancel_pending, "a task with cancel_pending set");
  task_count_raise(t);
  if (n == 0 || t->thrown) return 0;
  if (n < GREEN_RAISE_LIMIT) return -1;
  return green_hub_now(t->hub) + SCOPE_RAISE_GAP;
}

int green_task_raise(green_task *t)
{
  if (t->thrown) {
    t->thrown = 0;
    task_update(t);
    return GREEN_RAISE_THROW;
  }
  if (!t->cancel_pending) return GREEN_RAISE_NONE;
  return t->pending ? GREEN_RAISE_SCOPE : GREEN_RAISE_KILL;
}

/* -- For hub.c ------------------------------------------------------------ */

/* Whatever is pending is so no more. */
static void scope_on_end(green_task *t)
{
  green_link *k;
  while ((k = green_list_first(&t->scopes)) != NULL)
    scope_free(t->hub, scope_of_link(k));
  t->pending = NULL;
}

void green__scopes_init(green_hub *hub)
{
  green_list_init(&hub->scopes.free);
  hub->on_end = scope_on_end;
}

void green__scopes_deinit(green_hub *hub)
{
  for (uint32_t i = 0; i < hub->scopes.n_blocks; i++)
    green__free(hub->scopes.blocks[i]);
  green__free(hub->scopes.blocks);
  memset(&hub->scopes, 0, sizeof(hub->scopes));
}

/* -- Checking ------------------------------------------------------------- */

#ifdef GREEN_DEBUG
static void scope_check(const green_scope *s, const green_task *t)
{
  const green_heap *heap = &t->hub->heap;
  green_assert(green_link_is_sound(&s->link) && s->task == t,
               "In its task's list.");
  green_assert(s->id != 0, "Never 0");
  green_assert(!s->fired || !s->timer.slot,
               "Fires at its deadline, or by hand.");
  green_assert(!s->timer.slot || green_heap_has(heap, &s->timer),
               "Fires at its deadline, or by hand.");
}

/* Told in another way than task_find_pending does: from the outermost inwards,
** and each shield makes all before it count no more. Returns how many. */
static uint32_t scope_check_task(const green_task *t)
{
  const green_scope *pending = NULL;
  int masked = 0;
  uint32_t n = 0;
  for (green_link *k = t->scopes.next; k != &t->scopes; k = k->next, n++) {
    const green_scope *s = scope_of_link(k);
    scope_check(s, t);
    if (s->kind == GREEN_SCOPE_SHIELD) pending = NULL, masked = 1;
    if (s->fired && !pending) pending = s;
  }
  int is_killed = t->killed && !masked;
  green_assert(t->pending == (is_killed ? NULL : pending),
               "What is raised is the outermost pending one, but nothing "
               "outside of the innermost shield.");
  green_assert(t->cancel_pending == (t->thrown || is_killed || pending),
               "A kill or scope is due at the next checkpoint.");
  return n;
}

void green__scopes_check(const green_hub *hub)
{
  uint32_t n = 0;
  for (green_link *k = hub->all.next; k != &hub->all; k = k->next)
    n += scope_check_task(green_container(k, green_task, all));
  for (green_link *k = hub->scopes.free.next; k != &hub->scopes.free;
       k = k->next, n++)
    green_assert(!scope_of_link(k)->task, "NULL: popped.");
  green_assert(n == hub->scopes.n_blocks * SCOPE_BLOCK,
               "Scopes come from the hub's pool and return to it");
}
#endif
