/*
** task.c: makes green threads ready, lets them wait, and ends their waits. The
** contract is in task.h.
*/

#include "hub/task.h"
#include "hub/trace_priv.h"

/* -- Ready lists ---------------------------------------------------------- */

static green_task *task_of_link(green_link *k)
{
  return green_container(k, green_task, link);
}

static void task_ready(green_task *t)
{
  t->state = GREEN_TASK_READY;
  t->hub->wakes++;
  green_list_push(&t->hub->ready, &t->link);
}

static void task_ready_first(green_task *t)
{
  t->state = GREEN_TASK_READY;
  t->hub->wakes++;
  green_list_push_front(&t->hub->batch, &t->link);
}

/* -- Ending a wait -------------------------------------------------------- */

static void task_forget_deadline(green_task *t)
{
  if (t->background > 1) t->hub->n_background--;
  t->background = t->background != 0;
  green_heap_remove(&t->hub->heap, &t->timer);
}

/* Take a parked task out of everything it waits in. */
static void task_unwait(green_task *t)
{
  if (t->place == GREEN_AT_QUEUE)
    t->at.queue->n--;
  else if (t->place != GREEN_AT_NOTHING)
    t->hub->on_unpark(t->at.fd, t);
  t->place = GREEN_AT_NOTHING;
  green_link_remove(&t->link);
  task_forget_deadline(t);
}

static int task_decide(green_task *t, int status)
{
  green__assert_thread(t->hub);
  if (t->state != GREEN_TASK_PARKED) return 0;
  task_unwait(t);
  t->status = status;
  t->no_cancel = 0;
  green__tell_wake(t);
  return 1;
}

static void task_on_deadline(green_timer *timer)
{
  green_task *t = green_container(timer, green_task, timer);
  green_task_wake(t, GREEN_ETIMEDOUT);
}

static void task_on_start(green_timer *timer)
{
  green_task *t = green_container(timer, green_task, timer);
  if (t->state == GREEN_TASK_NEW) task_ready(t);
}

const green_task *green__task_of_timer(const green_timer *timer, int *place)
{
  if (timer->fire == task_on_deadline)
    *place = GREEN_TIMER_WAIT;
  else if (timer->fire == task_on_start)
    *place = GREEN_TIMER_START;
  else
    return NULL;
  return green_container(timer, green_task, timer);
}

/* -- Public API ----------------------------------------------------------- */

void green_task_init(green_task *t, green_hub *hub, green_resume_fn *resume)
{
  green__assert_thread(hub);
  green_assert(!green_link_in(&t->all) && !t->timer.slot,
               "Embed in the owner, zeroed, then green_task_init.");
  t->hub = hub;
  t->resume = resume;
  t->state = GREEN_TASK_NEW;
  green_waitq_init(&t->joiners);
  green_list_init(&t->scopes);
  green_list_push(&hub->all, &t->all);
  hub->n_live++;
  hub->made++;
  GREEN_PROBE1(spawn, t);
}

void green_task_retire(green_task *t)
{
  green__assert_thread(t->hub);
  green_assert(t->state == GREEN_TASK_NEW && !t->timer.slot, "For a NEW task");
  t->background = 1;
}

void green_task_start(green_task *t)
{
  green__assert_thread(t->hub);
  if (t->state != GREEN_TASK_NEW) return;
  green_heap_remove(&t->hub->heap, &t->timer);
  task_ready(t);
}

int green_task_start_at(green_task *t, int64_t due)
{
  green_assert(t->state == GREEN_TASK_NEW,
               "Put a NEW task on the ready list at a deadline");
  t->timer.fire = task_on_start;
  return green_hub_timer_set(t->hub, &t->timer, due);
}

static void waitq_push(green_waitq *q, green_task *t)
{
  green_list_push(&q->tasks, &t->link);
  q->n++;
  t->at.queue = q;
  t->place = GREEN_AT_QUEUE;
}

static inline int task_park(green_task *t, green_waitq *q, int64_t deadline)
{
  green__assert_thread(t->hub);
  green_assert(t->state == GREEN_TASK_RUNNING, "From inside resume");
  green_assert(!q || q->tasks.next, "Embed, init");
  if (deadline != GREEN_NEVER) {
    t->timer.fire = task_on_deadline;
    int err = green_heap_add(&t->hub->heap, &t->timer, deadline);
    if (green_unlikely(err < 0)) return err;
    if (green_unlikely(t->background)) {
      t->background = 2; /* One of the hub's n_background. */
      t->hub->n_background++;
    }
  }
  if (q) waitq_push(q, t);
  t->state = GREEN_TASK_PARKED;
  t->status = 0;
  t->since = green__hub_poll_now(t->hub);
  return 0;
}

int green__task_park(green_task *t, green_waitq *q, int64_t deadline)
{
  return task_park(t, q, deadline);
}

int green_task_park(green_task *t, green_waitq *q, int64_t deadline)
{
  int err = task_park(t, q, deadline);
  if (err == 0) GREEN_PROBE4(park, t, t->place, -1, deadline);
  return err;
}

void green_task_yield(green_task *t)
{
  green_assert(t->state == GREEN_TASK_RUNNING, "From inside resume");
  t->status = 0;
  task_ready(t);
}

void green_task_yield_first(green_task *t)
{
  green_assert(t->state == GREEN_TASK_RUNNING, "From inside resume");
  green_link *first = green_list_pop(&t->hub->batch);
  t->status = 0;
  task_ready_first(t);
  if (first) green_list_push_front(&t->hub->batch, first);
}

int green_task_wake(green_task *t, int status)
{
  if (!task_decide(t, status)) return 0;
  task_ready(t);
  return 1;
}

int green_task_wake_first(green_task *t, int status)
{
  if (!task_decide(t, status)) return 0;
  task_ready_first(t);
  return 1;
}

void green_task_hurry(green_task *t)
{
  green__assert_thread(t->hub);
  if (t->state != GREEN_TASK_READY) return;
  green_link_remove(&t->link);
  t->hub->wakes--;
  task_ready_first(t);
}

void green__task_leave(green_task *t)
{
  if (t->state == GREEN_TASK_PARKED) task_unwait(t);
  if (t->state == GREEN_TASK_READY) t->hub->wakes--;
  green_link_remove(&t->link);
  green_heap_remove(&t->hub->heap, &t->timer);
  green_link_remove(&t->all);
  if (!green_list_empty(&t->scopes)) t->hub->on_end(t);
  t->state = GREEN_TASK_DEAD;
  t->hub->n_live--;
}

void green_task_end(green_task *t)
{
  if (t->state == GREEN_TASK_DEAD) return;
  green__assert_thread(t->hub);
  green__tell_end(t);
  green__task_leave(t);
  green_waitq_wake_all(&t->joiners, 0);
}

/* -- Wait queues ---------------------------------------------------------- */

void green_waitq_forget(green_waitq *q)
{
  green_link *k;
  green_assert(q->tasks.next, "Embed, init");
  while ((k = green_list_pop(&q->tasks)) != NULL)
    task_of_link(k)->place = GREEN_AT_NOTHING;
  q->n = 0;
}

int green_waitq_wake(green_waitq *q, int status)
{
  green_assert(q->tasks.next, "Embed, init");
  green_task *t = green_waitq_first(q);
  return t ? green_task_wake(t, status) : 0;
}

int green_waitq_wake_all(green_waitq *q, int status)
{
  int n = 0;
  while (green_waitq_wake(q, status)) n++;
  return n;
}

int green_waitq_wake_last(green_waitq *q, int status)
{
  green_assert(q->tasks.next, "Embed, init");
  if (green_list_empty(&q->tasks)) return 0;
  return green_task_wake(task_of_link(q->tasks.prev), status);
}

/* -- Deadlines ------------------------------------------------------------ */

int64_t green_hub_now(const green_hub *hub)
{
  return green__hub_now(hub);
}

int green_hub_timer_set(green_hub *hub, green_timer *t, int64_t due)
{
  green__assert_thread(hub);
  green_assert(t->fire, "set t->fire first");
  green_hub_timer_stop(hub, t);
  return due == GREEN_NEVER ? 0 : green_heap_add(&hub->heap, t, due);
}

void green_hub_timer_stop(green_hub *hub, green_timer *t)
{
  green__assert_thread(hub);
  green_assert(!t->slot || green_heap_has(&hub->heap, t),
               "A timer belongs to one hub while it is set.");
  green_heap_remove(&hub->heap, t);
}

int64_t green_hub_timer_due(const green_hub *hub, const green_timer *t)
{
  green__assert_thread(hub);
  return t->slot ? green_heap_due(&hub->heap, t) : GREEN_NEVER;
}

/* -- Checking ------------------------------------------------------------- */

#ifdef GREEN_DEBUG
static uint32_t waitq_check(const green_waitq *q)
{
  uint32_t n = 0;
  for (green_link *k = q->tasks.next; k != &q->tasks; k = k->next, n++) {
    const green_task *t = task_of_link(k);
    green_assert(green_link_is_sound(k), "a ring with the head in it");
    green_assert(t->state == GREEN_TASK_PARKED && t->place == GREEN_AT_QUEUE &&
                     t->at.queue == q,
                 "the task stands at its end until decided");
  }
  green_assert(n == q->n, "How many stand in it.");
  return n;
}

static uint32_t ready_check(const green_list *l)
{
  uint32_t n = 0;
  for (green_link *k = l->next; k != l; k = k->next, n++) {
    green_assert(green_link_is_sound(k), "a ring with the head in it");
    green_assert(task_of_link(k)->state == GREEN_TASK_READY,
                 "it stands in a ready list");
  }
  return n;
}

/* What is true of a task wherever it stands. */
static void task_check(const green_task *t, const green_hub *hub)
{
  int is_ring = t->place == GREEN_AT_READ || t->place == GREEN_AT_WATCH;
  int is_listed = t->state == GREEN_TASK_READY || t->place == GREEN_AT_QUEUE;
  green_assert(t->hub == hub && green_link_is_sound(&t->all),
               "In the hub's list of live tasks.");
  green_assert(t->state <= GREEN_TASK_PARKED, "it leaves every list");
  green_assert(t->state == GREEN_TASK_PARKED || t->place == GREEN_AT_NOTHING,
               "Where a parked task stands besides its deadline");
  green_assert(green_link_in(&t->link) == (is_listed || is_ring),
               "In a ready list or in a wait queue.");
  green_assert(!t->timer.slot || (green_heap_has(&hub->heap, &t->timer) &&
                                  (t->state == GREEN_TASK_PARKED ||
                                   t->state == GREEN_TASK_NEW)),
               "The deadline of the present wait.");
  green_assert(t->background < 2 || t->timer.slot,
               "Its deadlines are no future.");
}

/* Queues are found by their first task. */
uint32_t green__tasks_check(const green_hub *hub)
{
  uint32_t live = 0, ready = 0, queued = 0, at_fd = 0;
  for (green_link *k = hub->all.next; k != &hub->all; k = k->next, live++) {
    const green_task *t = green_container(k, green_task, all);
    task_check(t, hub);
    ready += t->state == GREEN_TASK_READY;
    at_fd += green_task_fd(t) != NULL;
    if (t->place != GREEN_AT_QUEUE) continue;
    queued++;
    if (t->link.prev == &t->at.queue->tasks) queued -= waitq_check(t->at.queue);
  }
  green_assert(live == hub->n_live, "Tasks made and not ended.");
  green_assert(queued == 0, "the task stands at its end until decided");
  green_assert(ready == ready_check(&hub->ready) + ready_check(&hub->batch),
               "Its wait is decided; it stands in a ready list.");
  green_assert(ready == hub->wakes - hub->switches,
               "Those who have not run, or left, are ready.");
  return at_fd;
}
#endif
