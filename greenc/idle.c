/*
** idle.c: a set of descriptors that wait without a task.
*/

#include "idle.h"
#include "hub_loop.h"

#include <string.h>

static green_fd *fd_of_link(green_link *k)
{
  return green_container(k, green_fd, idle_link);
}

static void idle_set_timer(green_idle *s)
{
  green_link *k = green_list_first(&s->waiting);
  if (k && !s->timer.slot)
    green_hub_timer_set(s->hub, &s->timer, fd_of_link(k)->idle_due);
}

/* Move f from waiting to ready and wake a worker. */
static void idle_ready(green_idle *s, green_fd *f)
{
  green_link_remove(&f->idle_link);
  green_list_push(&s->ready, &f->idle_link);
  f->idle_is_ready = 1;
  s->n_waiting--;
  s->n_ready++;
  s->hub->n_waits--;
  green_waitq_wake(&s->workers, 0);
}

/* The timer is lazy: it may find that the one it was set for has gone. */
static void idle_on_timer(green_timer *timer)
{
  green_idle *s = green_container(timer, green_idle, timer);
  int64_t now = green_hub_now(s->hub);
  green_link *k;
  while ((k = green_list_first(&s->waiting)) != NULL &&
         fd_of_link(k)->idle_due <= now) {
    fd_of_link(k)->idle_expired = 1;
    idle_ready(s, fd_of_link(k));
  }
  idle_set_timer(s);
}

void green_idle_init(green_idle *s, green_hub *hub, int64_t timeout)
{
  memset(s, 0, sizeof(*s));
  s->hub = hub;
  s->timeout = timeout;
  s->timer.fire = idle_on_timer;
  green_waitq_init(&s->workers);
  green_list_init(&s->waiting);
  green_list_init(&s->ready);
}

void green_idle_deinit(green_idle *s)
{
  green_link *k;
  while ((k = green_list_first(&s->waiting)) != NULL)
    green_idle_remove(fd_of_link(k));
  while ((k = green_list_first(&s->ready)) != NULL)
    green_idle_remove(fd_of_link(k));
  green_hub_timer_stop(s->hub, &s->timer);
  green_waitq_wake_all(&s->workers, GREEN_ECLOSED);
}

/* As of the last poll: a clock read a request is saved, and the deadlines of
** one turn are equal. */
static int64_t idle_due(const green_idle *s)
{
  if (s->timeout == GREEN_NEVER) return GREEN_NEVER;
  return s->hub->poll_now + s->timeout;
}

int green_idle_add(green_idle *s, green_fd *f)
{
  if (f->reader || f->idle) return GREEN_EBUSY;
  int err = green__fd_arm_read(f);
  if (err < 0) return err;
  f->idle = s;
  f->idle_is_ready = f->idle_expired = 0;
  f->idle_due = idle_due(s);
  green_list_push(&s->waiting, &f->idle_link);
  s->n_waiting++;
  s->hub->n_waits++;
  idle_set_timer(s);
  return 0;
}

void green_idle_remove(green_fd *f)
{
  green_idle *s = f->idle;
  if (!s) return;
  if (f->idle_is_ready) {
    s->n_ready--;
  } else {
    s->n_waiting--;
    s->hub->n_waits--;
  }
  green_link_remove(&f->idle_link);
  f->idle = NULL;
}

green_fd *green_idle_take(green_idle *s, int *expired)
{
  green_link *k = green_list_first(&s->ready);
  if (!k) return NULL;
  green_fd *f = fd_of_link(k);
  *expired = f->idle_expired;
  green_idle_remove(f);
  return f;
}

void green__idle_event(green_fd *f)
{
  if (!f->idle_is_ready) idle_ready(f->idle, f);
}
