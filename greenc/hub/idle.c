/*
** idle.c: keeps connections that have nothing to do, without a green thread for
** each, and hands out those that get bytes or have waited too long.
*/

#include "hub/idle.h"
#include "hub/hub_priv.h"

#include <string.h>

/* The poll tells of a ready fd again in each turn until it is taken, mostly in
** the next one. From this many on it costs less to stop watching it, which
** takes a system call, and another when it is taken. */
#define IDLE_EVENTS 16

static green_fd *fd_of_link(green_link *k)
{
  return green_container(k, green_fd, idle_link);
}

static green_fd *fd_of_ready(green_link *k)
{
  return green_container(k, green_fd, ready_link);
}

static void idle_set_timer(green_idle *s, const green_fd *f)
{
  if (!s->timer.slot && f->idle_due != GREEN_NEVER)
    green_hub_timer_set(s->hub, &s->timer, f->idle_due);
}

int green_idlers_wake(green_idlers *w)
{
  int n = green_waitq_wake_last(&w->tasks, 0);
  w->woken += (uint32_t)n;
  return n;
}

/* Put f on the ready list, if it is not there. */
static void idle_ready(green_idle *s, green_fd *f)
{
  green_idlers *w = s->workers;
  if (green_link_in(&f->ready_link)) return;
  green_list_push(&s->ready, &f->ready_link);
  s->n_ready++;
  f->idle_events = 0;
  if (w->polls)
    s->hub->stirred = 1;
  else if (!w->burst || w->woken < w->burst)
    green_idlers_wake(w);
}

/* The timer is lazy: it may find that the fd it was set for has gone. An
** expired fd is told once, and stands aside from then on: many that nobody
** takes must not be passed by each that comes. */
static void idle_on_timer(green_timer *timer)
{
  green_idle *s = green_container(timer, green_idle, timer);
  int64_t now = green_hub_now(s->hub);
  green_link *k;
  while ((k = green_list_first(&s->waiting)) != NULL) {
    green_fd *f = fd_of_link(k);
    if (f->idle_due > now) {
      idle_set_timer(s, f);
      return;
    }
    green_link_remove(k);
    green_list_push(&s->expired, k);
    f->idle_due = GREEN_NEVER;
    f->idle_expired = 1;
    idle_ready(s, f);
  }
}

void green_idle_init(green_idle *s, green_hub *hub, int64_t timeout)
{
  memset(s, 0, sizeof(*s));
  s->hub = hub;
  green__assert_thread(hub);
  green_list_push(&hub->idles, &s->link);
  hub->on_idle_event = green__idle_event;
  hub->on_idle_close = green_idle_remove;
  s->timeout = timeout;
  s->timer.fire = idle_on_timer;
  green_waitq_init(&s->workers_own.tasks);
  s->workers = &s->workers_own;
  green_list_init(&s->waiting);
  green_list_init(&s->expired);
  green_list_init(&s->ready);
}

void green_idle_deinit(green_idle *s)
{
  green_link *k;
  green__assert_thread(s->hub);
  green_link_remove(&s->link);
  green_list_splice(&s->waiting, &s->expired);
  while ((k = green_list_first(&s->waiting)) != NULL)
    green_idle_remove(fd_of_link(k));
  green_hub_timer_stop(s->hub, &s->timer);
  green_waitq_wake_all(&s->workers_own.tasks, GREEN_ECLOSED);
}

/* As of the last poll: a clock read a request is saved, and the deadlines of
** one turn are equal. */
static int64_t idle_due(const green_idle *s)
{
  if (s->timeout == GREEN_NEVER) return GREEN_NEVER;
  return s->hub->poll_now + s->timeout;
}

/* Before those whose time is up later, who are few: they came since f was here
** before. Those that have waited for longer may be hundreds of thousands. */
static void idle_insert(green_idle *s, green_fd *f)
{
  green_link *k = s->waiting.prev;
  while (k != &s->waiting && fd_of_link(k)->idle_due > f->idle_due) k = k->prev;
  green_list_push_front(k, &f->idle_link);
  if (green_list_first(&s->waiting) == &f->idle_link)
    green_hub_timer_stop(s->hub, &s->timer); /* It was set for a later one. */
}

static int idle_enter(green_idle *s, green_fd *f, int64_t due)
{
  green__assert_thread(s->hub);
  green_assert(f->hub == s->hub || f->fd < 0, "Put f, of the same hub");
  if (green_fd_waiter(f, GREEN_READ) || f->idle) return GREEN_EBUSY;
  int err = green__fd_arm_read(f);
  if (err < 0) return err;
  f->idle = s;
  f->idle_expired = 0;
  f->idle_due = due;
  s->n_waiting++;
  s->hub->n_waits++;
  return 0;
}

int green_idle_add(green_idle *s, green_fd *f)
{
  int err = idle_enter(s, f, idle_due(s));
  if (err < 0) return err;
  green_list_push(&s->waiting, &f->idle_link);
  idle_set_timer(s, f);
  return 0;
}

int green_idle_add_by(green_idle *s, green_fd *f, int64_t due)
{
  int64_t last = idle_due(s);
  int err = idle_enter(s, f, due < last ? due : last);
  if (err < 0) return err;
  idle_insert(s, f);
  idle_set_timer(s, f);
  return 0;
}

void green_idle_set_timeout(green_idle *s, int64_t timeout)
{
  int64_t due;
  green__assert_thread(s->hub);
  s->timeout = timeout;
  due = idle_due(s);
  for (green_link *k = s->waiting.next; k != &s->waiting; k = k->next) {
    green_fd *f = fd_of_link(k);
    if (due < f->idle_due) f->idle_due = due;
  }
  green_link *first = green_list_first(&s->waiting);
  green_hub_timer_stop(s->hub, &s->timer); /* It may be set for one gone. */
  if (first) idle_set_timer(s, fd_of_link(first));
}

void green_idle_remove(green_fd *f)
{
  green_idle *s = f->idle;
  if (!s) return;
  green__assert_thread(s->hub);
  if (green_link_in(&f->ready_link)) s->n_ready--;
  green_link_remove(&f->ready_link);
  green_link_remove(&f->idle_link);
  s->n_waiting--;
  s->hub->n_waits--;
  f->idle = NULL;
}

green_fd *green_idle_take_held(green_list *held, int *expired)
{
  green_link *k = green_list_pop(held);
  if (!k) return NULL;
  green_fd *f = fd_of_ready(k);
  green__assert_thread(f->hub);
  f->idle->n_ready--;
  *expired = f->idle_expired;
  green__fd_arm_read(f); /* An event that found it ready took that back. */
  return f;
}

green_fd *green_idle_take(green_idle *s, int *expired)
{
  green__assert_thread(s->hub);
  return green_idle_take_held(&s->ready, expired);
}

green_fd *green_idle_hold(green_idle *s, green_list *held)
{
  green__assert_thread(s->hub);
  green_link *k = green_list_pop(&s->ready);
  if (!k) return NULL;
  green_list_push(held, k);
  return fd_of_ready(k);
}

/* An fd that is taken some turns later keeps its registration. */
int green__idle_event(green_fd *f)
{
  green_assert(f->idle, "Treat f, which is in a set");
  if (f->idle->told) return f->idle->told(f);
  idle_ready(f->idle, f);
  return f->idle_events++ < IDLE_EVENTS;
}

/* -- Checking ------------------------------------------------------------- */

uint32_t green__idles_count(const green_hub *hub)
{
  uint32_t n = 0;
  for (const green_link *k = hub->idles.next; k != &hub->idles; k = k->next)
    n += green_container(k, green_idle, link)->n_waiting;
  return n;
}

#ifdef GREEN_DEBUG
static uint32_t idle_check_list(const green_idle *s, const green_list *l,
                                uint32_t *n_ready)
{
  uint32_t n = 0;
  int64_t due = INT64_MIN;
  for (green_link *k = l->next; k != l; k = k->next, n++) {
    const green_fd *f = fd_of_link(k);
    green_assert(green_link_is_sound(k), "a ring with the head in it");
    green_assert(f->idle == s && f->hub == s->hub,
                 "Waits there without a task");
    green_assert(f->idle_expired == (l == &s->expired),
                 "those whose time was up");
    green_assert(f->idle_due >= due, "the set is in order of expiry");
    due = f->idle_due;
    *n_ready += green_link_in(&f->ready_link);
  }
  return n;
}

static void idle_check(const green_idle *s)
{
  uint32_t ready = 0;
  for (green_link *k = s->ready.next; k != &s->ready; k = k->next) {
    green_assert(green_link_is_sound(k), "a ring with the head in it");
    green_assert(fd_of_ready(k)->idle == s, "Those with bytes or expired");
  }
  uint32_t n = idle_check_list(s, &s->waiting, &ready) +
               idle_check_list(s, &s->expired, &ready);
  green_assert(n == s->n_waiting, "In the set, ready ones included.");
  green_assert(ready == s->n_ready, "On the ready list, or held");
  green_assert(!s->timer.slot || green_heap_has(&s->hub->heap, &s->timer),
               "one timer serves all");
}

uint32_t green__idles_check(const green_hub *hub)
{
  uint32_t n = 0;
  for (green_link *k = hub->idles.next; k != &hub->idles; k = k->next) {
    const green_idle *s = green_container(k, green_idle, link);
    green_assert(green_link_is_sound(k) && s->hub == hub,
                 "Among the hub's sets.");
    idle_check(s);
    n += s->n_waiting;
  }
  return n;
}
#endif
