/*
** hub.c: runs the tasks that are ready, waits for events and deadlines when
** none is, and starts over: one round of this is a turn. Also what comes from
** outside of the thread: posts and forks.
*/

#include "hub/hub.h"
#include "hub/fd.h"
#include "hub/hub_priv.h"
#include "hub/idle.h"
#include "hub/later.h"
#include "hub/loop.h"
#include "hub/scope.h"
#include "hub/trace_priv.h"
#include "base/mem.h"

#include <sched.h>
#include <string.h>

/* Deadlines that expire in one turn: a million at once must not keep I/O
** waiting. This many take well under a millisecond. */
#define HUB_EXPIRE_MOST 1024

/* ns without a poll while a task runs that finds all it asks for. A poll costs
** as much as a dozen small messages; who waits for I/O waits no longer for it
** than for a turn of a few busy tasks. */
#define HUB_QUIET_MOST 100000

/* -- Batches -------------------------------------------------------------- */

static green_task *task_of_link(green_link *k)
{
  return green_container(k, green_task, link);
}

/* Other threads look at these (green_hub_pulse). */
static inline void hub_count(uint64_t *n)
{
  __atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

static inline void hub_set_current(green_hub *hub, green_task *t)
{
  __atomic_store_n(&hub->current, t, __ATOMIC_RELAXED);
}

/* Inline in both loops: a call for each switch would cost 1 % of it. */
static GREEN_INLINE void task_run(green_hub *hub, green_task *t)
{
  GREEN_PROBE3(switch, t, t->started, t->status);
  hub_set_current(hub, t);
  hub_count(&hub->switches);
  t->state = GREEN_TASK_RUNNING;
  t->started = 1;
  t->resume(t);
  hub_set_current(hub, NULL);
}

/* Whether it waits is seen when it is back, which costs the others nothing. One
** that has ended may be no more. */
static void task_run_traced(green_hub *hub, green_task *t)
{
  green__trace_task(t, GREEN_TRACE_SWITCH);
  hub->told = 0;
  task_run(hub, t);
  if (!hub->told && hub->tracer) green_hub_trace_left(t);
}

static GREEN_COLD void hub_run_traced(green_hub *hub, const volatile int *done)
{
  green_link *k;
  while (hub->tracer && !*done && (k = green_list_pop(&hub->batch)) != NULL)
    task_run_traced(hub, task_of_link(k));
}

/* Run what was ready when the batch began, until *done. */
static void hub_run_batch(green_hub *hub, const volatile int *done)
{
  green_link *k;
  green_list_splice(&hub->batch, &hub->ready);
  hub->unpolled = 1;
  if (green__is_traced(hub)) hub_run_traced(hub, done);
  while (!*done && (k = green_list_pop(&hub->batch)) != NULL)
    task_run(hub, task_of_link(k));
  /* Cut short: what is left keeps its place before the newly ready. */
  green_list_splice(&hub->batch, &hub->ready);
  green_list_splice(&hub->ready, &hub->batch);
}

/* -- Turns ---------------------------------------------------------------- */

static const int hub_never_done;

static int hub_is_ready(const green_hub *hub)
{
  return !green_list_empty(&hub->ready) || hub->mail || hub->stirred ||
         green_heap_aside(&hub->heap) ||
         atomic_load_explicit(&hub->posts, memory_order_relaxed) != NULL;
}

/* What a parent was about to send is not its child's to send: a fork is noticed
** first. */
static void hub_run_defers(green_hub *hub)
{
  green_list now;
  green_link *k;
  if (green_list_empty(&hub->defers)) return;
  green_hub_check_fork(hub);
  green_list_init(&now);
  green_list_splice(&now, &hub->defers);
  while ((k = green_list_pop(&now)) != NULL) {
    green_defer *d = green_container(k, green_defer, link);
    d->run(d);
  }
}

void green_hub_defer(green_hub *hub, green_defer *d)
{
  green__assert_thread(hub);
  green_assert(d->run, "Embed, zeroed, and set run");
  if (!green_link_in(&d->link)) green_list_push(&hub->defers, &d->link);
}

void green_hub_undefer(green_defer *d)
{
  green_link_remove(&d->link);
}

static void hub_run_ready(green_hub *hub)
{
  uint8_t was = hub->running;
  hub->running = 1;
  hub_count(&hub->turns);
  hub_run_batch(hub, &hub_never_done);
  hub_run_defers(hub);
  hub->unpolled = 0; /* The poll comes next. */
  hub->running = was;
}

/* What was posted goes behind what stands in the mail. */
static void hub_take_posts(green_hub *hub)
{
  green_post *p = atomic_exchange(&hub->posts, NULL), *first = NULL;
  green_post **end = &hub->mail;
  while (p) { /* Newest first: turn it round. */
    green_post *next = p->next;
    p->next = first;
    first = p;
    p = next;
  }
  while (*end) end = &(*end)->next;
  *end = first;
}

/* What is posted meanwhile waits for the next turn; run may free its post, and
** take back others. */
static void hub_run_posts(green_hub *hub)
{
  green_post **end = &hub->mail_now, *p;
  hub_take_posts(hub);
  while (*end) end = &(*end)->next; /* A run within a host's run. */
  *end = hub->mail;
  hub->mail = NULL;
  while ((p = hub->mail_now) != NULL) {
    hub->mail_now = p->next;
    p->run(p);
  }
}

static int mail_remove(green_post **at, const green_post *p)
{
  while (*at && *at != p) at = &(*at)->next;
  if (!*at) return 0;
  *at = p->next;
  return 1;
}

int green_hub_unpost(green_hub *hub, green_post *p)
{
  green__assert_thread(hub);
  hub_take_posts(hub);
  return mail_remove(&hub->mail_now, p) || mail_remove(&hub->mail, p);
}

static GREEN_COLD void hub_trace_timer(const green_hub *hub,
                                       const green_timer *t)
{
  int place = GREEN_TIMER_OTHER;
  const green_task *task = green__task_of_timer(t, &place);
  if (!task && (task = green__scope_task_of_timer(t)) != NULL)
    place = GREEN_TIMER_SCOPE;
  green__trace_timer(hub, task, place);
}

static inline void hub_tell_timer(const green_hub *hub, const green_timer *t)
{
  GREEN_PROBE3(timer, hub, t, t->fire);
  if (green__is_traced(hub)) hub_trace_timer(hub, t);
}

/* The rest of a long row of deadlines waits for the next turns. */
static void hub_expire(green_hub *hub)
{
  green_timer *t;
  hub->poll_now = green__hub_now(hub);
  green__laters_run(hub);
  if (!hub->heap.len && !green_heap_aside(&hub->heap)) return;
  if (!green_heap_aside(&hub->heap))
    green_heap_expire(&hub->heap, hub->poll_now);
  for (int n = 0; n < HUB_EXPIRE_MOST; n++) {
    if ((t = green_heap_take(&hub->heap)) == NULL) return;
    hub_tell_timer(hub, t);
    t->fire(t);
  }
}

/* When there is something to do, GREEN_NEVER: nothing. */
static int64_t hub_due(const green_hub *hub)
{
  int64_t due = hub->heap.len ? hub->heap.a[0].due : GREEN_NEVER;
  return hub->is_virtual ? due : green__laters_before(hub, due);
}

/* Can anything still happen? A virtual clock never waits for real time. */
static int hub_has_future(const green_hub *hub)
{
  return hub_is_ready(hub) || hub->heap.len > hub->n_background ||
         hub->n_waits || hub->holds || green__loop_is_host(hub->loop);
}

/* Nothing to do but to let virtual time pass: jump. */
static int hub_jump(green_hub *hub)
{
  int64_t due = hub_due(hub);
  if (!hub->is_virtual || hub->n_waits || hub->holds || due == GREEN_NEVER)
    return 0;
  if (due > hub->virtual_now) hub->virtual_now = due;
  return 1;
}

/* A turn stays cheap: about as many turns pass between two checks as a check
** has things to look at. */
static void hub_check_at_times(green_hub *hub)
{
#ifdef GREEN_DEBUG
  if (hub->turns < hub->check_at) return;
  green_hub_check(hub);
  hub->check_at = hub->turns + hub->n_live + hub->heap.len + hub->fds_cap / 8;
#else
  (void)hub;
#endif
}

/* The turn ends here: what comes next is the poll. Of the one in which this was
** asked for nothing is known. */
static void hub_end_turn(green_hub *hub)
{
  if (green_likely(!hub->measures) || hub->is_virtual) return;
  if (hub->measures == HUB_MEASURES)
    green_histogram_add(&hub->turn_times, green_clock_now() - hub->poll_now);
  hub->measures = HUB_MEASURES;
}

/* Poll and fire deadlines. 1, or 0: no future. */
static int hub_wait(green_hub *hub, int block)
{
  hub_run_defers(hub);
  green_hub_check_fork(hub);
  if (!hub_has_future(hub)) return 0;
  if (hub_is_ready(hub)) block = 0;
  if (block && hub_jump(hub)) block = 0;
  int64_t due = hub->is_virtual ? GREEN_NEVER : hub_due(hub);
  int64_t now = due == GREEN_NEVER || !block ? 0 : green__hub_now(hub);
  hub->unpolled = 0;
  hub_end_turn(hub);
  green__loop_poll(hub->loop, block, due, now);
  hub_expire(hub);
  hub_check_at_times(hub);
  return 1;
}

/* Nothing runs twice without a poll between, nor in a child before it has a
** hub of its own. */
static void hub_run_next(green_hub *hub, const volatile int *done)
{
  green_hub_check_fork(hub);
  if (hub->unpolled && !green_list_empty(&hub->ready)) hub_wait(hub, 0);
  hub_count(&hub->turns);
  hub_run_batch(hub, done);
}

int green_hub_is_busy(const green_hub *hub)
{
  return hub->running || green__loop_is_inside(hub->loop);
}

int green_hub_turn(green_hub *hub, int block)
{
  green__assert_thread(hub);
  if (green_hub_is_busy(hub)) return GREEN_EBUSY;
  hub->running = 1;
  hub_run_next(hub, &hub_never_done);
  int more = hub_wait(hub, block);
  hub->running = 0;
  return more;
}

int green_hub_run(green_hub *hub, const volatile int *done)
{
  int more = 1;
  green__assert_thread(hub);
  if (green_hub_is_busy(hub)) return GREEN_EBUSY;
  hub->running = 1;
  hub->done = done;
  while (!*done && more) {
    hub_run_next(hub, done);
    if (!*done) more = hub_wait(hub, 1);
  }
  hub->done = NULL;
  /* What the last tasks left, if *done cut a turn short. */
  hub_run_defers(hub);
  hub->running = 0;
  return *done ? 0 : GREEN_EDEADLOCK;
}

static int hub_may_poll(const green_hub *hub)
{
  return hub->done && !*hub->done && !hub->is_virtual &&
         !green__loop_is_host(hub->loop) && green_list_empty(&hub->batch) &&
         !hub_is_ready(hub) && !green_fork_differs(hub->generation);
}

int green_hub_poll(green_hub *hub, int64_t nap)
{
  green_task *me = hub->current;
  green__assert_thread(hub);
  if (!hub_may_poll(hub)) return 0;
  green_assert(me && me->state == GREEN_TASK_RUNNING, "From inside resume");
  hub_set_current(hub, NULL);
  hub_count(&hub->turns);
  hub_run_defers(hub); /* What was left to be sent does not wait for a nap. */
  if (nap > 0 && !hub_is_ready(hub)) green_clock_rest(nap);
  int more = hub_wait(hub, 1);
  hub->stirred = 0;
  hub->unpolled = 1; /* The batch goes on. */
  hub_set_current(hub, me);
  return more;
}

int green_hub_is_quiet(const green_hub *hub)
{
  green__assert_thread(hub);
  if (hub->is_virtual || hub_is_ready(hub) || !green_list_empty(&hub->batch) ||
      !green_list_empty(&hub->defers) || green_fork_differs(hub->generation))
    return 0;
  int64_t now = green_clock_now();
  return now - hub->poll_now < HUB_QUIET_MOST && hub_due(hub) > now;
}

/* -- What the loop calls -------------------------------------------------- */

static void hub_on_woken(void *owner)
{
  hub_run_posts(owner);
}

/* A task that runs the host's loop again keeps those made ready waiting, and
** may wait itself. */
static int hub_on_check_fds(void *owner, int all)
{
  green_hub *hub = owner;
  green__fds_drop_closed(hub, all);
  return hub_is_ready(hub) && !hub->current;
}

static void hub_on_before_poll(void *owner)
{
  green_hub *hub = owner;
  /* This iteration's fork watchers have run already. */
  if (green_hub_check_fork(hub)) green__fds_drop_closed(hub, 1);
  /* A task that runs the host's loop again keeps the others waiting; a turn of
  ** our own has had its batch. */
  if (hub->running) return;
  hub_run_ready(hub);
  hub_end_turn(hub);
}

static int64_t hub_on_due(const void *owner, int64_t *now)
{
  *now = green__hub_now(owner);
  return hub_due(owner);
}

static int hub_on_after_poll(void *owner)
{
  hub_expire(owner);
  hub_check_at_times(owner);
  return hub_is_ready(owner);
}

static const green__loop_calls hub_calls = {
    .woken = hub_on_woken,
    .check_fds = hub_on_check_fds,
    .before_poll = hub_on_before_poll,
    .due = hub_on_due,
    .after_poll = hub_on_after_poll,
};

/* -- Hubs ----------------------------------------------------------------- */

static int hub_new(green_hub **out, const char *backend, void *ev_loop)
{
  green_hub *hub = green__zalloc(sizeof(*hub));
  if (!hub) return GREEN_ENOMEM;
#ifdef GREEN_DEBUG
  hub->thread = pthread_self();
#endif
  green_list_init(&hub->ready);
  green_list_init(&hub->batch);
  green_list_init(&hub->all);
  green_list_init(&hub->idles);
  green_list_init(&hub->defers);
  green_list_init(&hub->laters);
  green_list_init(&hub->forkhooks);
  green__fds_init(hub);
  green__scopes_init(hub);
  green_fork_watch();
  hub->generation = green_fork_generation();
  int err = green_heap_init(&hub->heap);
  if (err < 0) goto fail_hub;
  err = green__loop_open(&hub->loop, &hub_calls, hub, backend, ev_loop);
  if (err < 0) goto fail_heap;
  hub->poll_now = green_clock_now();
  *out = hub;
  return 0;
fail_heap:
  green_heap_deinit(&hub->heap);
fail_hub:
  green__free(hub);
  return err;
}

int green_hub_new(green_hub **hub, const char *backend)
{
  return hub_new(hub, backend, NULL);
}

int green_hub_attach(green_hub **hub, void *ev_loop)
{
  return ev_loop ? hub_new(hub, NULL, ev_loop) : GREEN_EINVAL;
}

/* Whoever began to post before the loop changed may still wake the old one. */
void green_hub_post_await(green_hub *hub)
{
  while (atomic_load(&hub->posting)) sched_yield();
}

void green_hub_free(green_hub *hub)
{
  if (!hub) return;
  green__assert_thread(hub);
  green_hub_check_fork(hub); /* The parent's posters never come back. */
  green_hub_post_await(hub);
  hub_run_posts(hub); /* Their owners free themselves there. */
  green_hub_abandon(hub);
  green__fds_deinit(hub);
  green__loop_close(hub->loop);
  green__scopes_deinit(hub);
  green_heap_deinit(&hub->heap);
  green__free(hub);
}

void green_hub_abandon(green_hub *hub)
{
  green_link *k;
  green__assert_thread(hub);
  while ((k = green_list_first(&hub->all)) != NULL)
    green__task_leave(green_container(k, green_task, all));
}

int green_hub_use(green_hub *hub, const char *backend)
{
  green__loop *to;
  green__assert_thread(hub);
  if (green__loop_is_host(hub->loop)) return GREEN_EBUSY;
  green_hub_check_fork(hub);
  /* The new loop might get the number of a descriptor that is not open. */
  green__fds_drop_closed(hub, 1);
  int err = green__loop_open(&to, &hub_calls, hub, backend, NULL);
  if (err < 0) return err;
  green__fds_move(hub, to);
  green__loop *from = hub->loop;
  __atomic_store_n(&hub->loop, to, __ATOMIC_SEQ_CST);
  green_hub_post_await(hub);
  green__loop_close(from);
  /* A post may have been sent to the old loop's wake-up. */
  green__loop_wake(to);
  return 0;
}

void green_hub_library(int *major, int *minor)
{
  green__loop_version(major, minor);
}

const char *green_hub_backend(const green_hub *hub)
{
  return green__loop_backend(hub->loop);
}

void green_hub_hold(green_hub *hub)
{
  green__assert_thread(hub);
  hub->holds++;
}

void green_hub_unhold(green_hub *hub)
{
  green__assert_thread(hub);
  if (hub->holds) hub->holds--;
}

int green_hub_set_virtual(green_hub *hub, int on)
{
  green__assert_thread(hub);
  if (!!on == hub->is_virtual) return 0;
  if (hub->heap.len || green_heap_aside(&hub->heap)) return GREEN_EBUSY;
  if (on) hub->virtual_now = green_clock_now();
  hub->is_virtual = !!on;
  hub->poll_now = green__hub_now(hub);
  return 0;
}

void green_hub_advance(green_hub *hub, int64_t ns)
{
  green__assert_thread(hub);
  green_assert(ns >= 0, "Move a virtual clock on");
  if (hub->is_virtual) hub->virtual_now += ns;
}

/* -- Forks ---------------------------------------------------------------- */

void green_hub_on_fork(green_hub *hub, green_forkhook *h)
{
  green__assert_thread(hub);
  green_assert(h->run && !green_link_in(&h->link),
               "Embed, zeroed, and set run");
  green_list_push(&hub->forkhooks, &h->link);
}

/* Threads that were posting are the parent's. A hook may take back others. */
static void hub_forked(green_hub *hub)
{
  green_list todo;
  green_link *k;
  atomic_store(&hub->posting, 0);
  green__loop_forked(hub->loop);
  green__loop_wake(hub->loop); /* One may have posted and not woken it. */
  green_list_init(&todo);
  green_list_splice(&todo, &hub->forkhooks);
  while ((k = green_list_pop(&todo)) != NULL) {
    green_forkhook *h = green_container(k, green_forkhook, link);
    green_list_push(&hub->forkhooks, k);
    h->run(h);
  }
}

void green_hub_set_inherit(green_hub *hub, int on)
{
  hub->inherits = !!on;
}

int green_hub_inherits(const green_hub *hub)
{
  return hub->inherits;
}

int green_hub_check_fork(green_hub *hub)
{
  if (green_likely(!green_fork_happened(&hub->generation))) return 0;
  hub_forked(hub);
  return 1;
}

/* -- Posts ---------------------------------------------------------------- */

void green_hub_post_begin(green_hub *hub)
{
  atomic_fetch_add(&hub->posting, 1);
}

void green_hub_post_end(green_hub *hub)
{
  atomic_fetch_sub(&hub->posting, 1);
}

void green_hub_post(green_hub *hub, green_post *p)
{
  green_assert(p->run, "Embed, and set run");
  green_hub_post_begin(hub);
  p->next = atomic_load(&hub->posts);
  while (!atomic_compare_exchange_weak(&hub->posts, &p->next, p)) continue;
  green__loop_wake(__atomic_load_n(&hub->loop, __ATOMIC_SEQ_CST));
  green_hub_post_end(hub);
}
