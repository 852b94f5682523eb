/*
** zmq_wait.c: who waits for a ZeroMQ socket, and when to look for them.
**
** libzmq's descriptor becomes readable when something has changed, and any call
** on the socket takes the news and the readability away. So whoever waits has
** to be looked for after each call of somebody else: once a turn, before the
** poll, and not at all when nobody waits. Asking for the events costs as much
** as nine small messages.
**
** A call that found that it must wait has looked at everything, or left the
** descriptor readable: what comes later makes it so.
*/

#include "io/zmq_priv.h"

#include <string.h>

enum {
  AGAIN_LATER = 20 * 1000 * 1000, /* Nanoseconds; doubled after each round */
  AGAIN_DOUBLED = 6               /* that was in vain, so often. */
};

static uint64_t looks; /* Atomic; for tests. */

double green_zmq_looks(void)
{
  return (double)__atomic_load_n(&looks, __ATOMIC_RELAXED);
}

static int wait_any(const green_zmq *z)
{
  return green__zmq_count(z, GREEN_ZMQ_IN) ||
         green__zmq_count(z, GREEN_ZMQ_OUT) || z->watchers.n;
}

void green__zmq_stir(green_zmq *z)
{
  z->stirred = 1;
  green_hub_defer(z->hub, &z->look);
}

/* Those who were told before first. How many. */
static int wake_some(green_zmq *z, int direction)
{
  green_waitq *again = &z->again[direction], *line = &z->lines[direction];
  if (green__zmq_is_choosy(z, direction))
    return green_waitq_wake_all(again, 0) + green_waitq_wake_all(line, 0);
  return green_waitq_wake(again, 0) || green_waitq_wake(line, 0);
}

/* The one whose turn it is. It tries in the next turn; whether it did is seen
** at the end of that. */
static void wake_next(green_zmq *z, int direction)
{
  if (!wake_some(z, direction)) return;
  z->told[direction] = 1;
  green_hub_defer(z->hub, &z->look);
}

static void wake_watchers(green_zmq *z, int events)
{
  if (!(events & z->watched)) return;
  z->watched = 0;
  green_waitq_wake_all(&z->watchers, events);
}

static int ask_events(green_zmq *z)
{
  int events = 0;
  size_t n = sizeof(events);
  __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
  int r = lib.f_getsockopt(z->socket, GREEN__ZMQ_EVENTS, &events, &n);
  if (r < 0) return green__zmq_error();
  return (events & GREEN__ZMQ_POLLIN ? GREEN_READ : 0) |
         (events & GREEN__ZMQ_POLLOUT ? GREEN_WRITE : 0);
}

static uint8_t bits_without(int events)
{
  return (uint8_t)(~events & (GREEN_READ | GREEN_WRITE));
}

static int set_again_later(green_zmq *z)
{
  int64_t due = green_hub_now(z->hub) + ((int64_t)AGAIN_LATER << z->in_vain);
  if (green_hub_timer_due(z->hub, &z->again_later) <= due) return 0;
  return green_hub_timer_set(z->hub, &z->again_later, due);
}

/* For senders to one of several peers there is no event: another one may have
** room, and theirs may have gone. They try again when something has happened
** since they last did. What this look, or the try of one of them, has taken the
** news of is not known, so they try once more in a while: at once they would
** turn the loop for ever. */
static void wake_choosy(green_zmq *z, int was_quiet)
{
  z->quiet |= was_quiet;
  if (!was_quiet) z->in_vain = 0;
  if (!was_quiet || set_again_later(z) < 0) wake_next(z, GREEN_ZMQ_OUT);
}

static void wait_again(green_timer *t)
{
  green_zmq *z = green_container(t, green_zmq, again_later);
  if (z->in_vain < AGAIN_DOUBLED) z->in_vain++;
  wake_next(z, GREEN_ZMQ_OUT);
}

/* An error is for those who call. */
static void wake_ready(green_zmq *z)
{
  int was_quiet = z->quiet & GREEN_WRITE, events = ask_events(z);
  if (events < 0) events = GREEN_READ | GREEN_WRITE;
  z->quiet = bits_without(events);
  if (events & GREEN_READ) wake_next(z, GREEN_ZMQ_IN);
  if (z->is_choosy && green__zmq_count(z, GREEN_ZMQ_OUT))
    wake_choosy(z, was_quiet);
  else if (events & GREEN_WRITE)
    wake_next(z, GREEN_ZMQ_OUT);
  wake_watchers(z, events);
}

void green_zmq_leave(green_zmq *z)
{
  if (z->socket && !wait_any(z)) green_idle_remove(&z->f);
}

/* Who was told in the last turn and has not tried has ended without a word. */
static void wait_look(green_defer *d)
{
  green_zmq *z = green_container(d, green_zmq, look);
  int lost = z->told[GREEN_ZMQ_IN] || z->told[GREEN_ZMQ_OUT];
  int stirred = z->stirred;
  z->told[GREEN_ZMQ_IN] = z->told[GREEN_ZMQ_OUT] = 0;
  z->stirred = 0;
  if (green__zmq_usable(z) < 0) return;
  if ((stirred || lost) && wait_any(z)) wake_ready(z);
  green_zmq_leave(z);
}

/* The descriptor is readable. If all wait for messages, the first of them finds
** out by trying. A try to send would not: for a millisecond after its last look
** libzmq sends without one, so the descriptor stays as it is. */
static int wait_told(green_fd *f)
{
  green_zmq *z = green_container(f, green_zmq, f);
  z->quiet = 0;
  if (!wait_any(z)) {
    green_idle_remove(f);
    return 0;
  }
  if (f->fd < 0 || green__zmq_usable(z) < 0) return 1;
  if (z->poller) green__zmq_poller_ask(z->poller);
  if (z->watchers.n || green__zmq_count(z, GREEN_ZMQ_OUT))
    wake_ready(z);
  else
    wake_next(z, GREEN_ZMQ_IN);
  if (!wait_any(z)) green_idle_remove(f);
  return 1;
}

void green_zmq_touch(green_zmq *z)
{
  if (green__zmq_usable(z) == 0) green__zmq_called(z, -1, 0);
}

int green_zmq_events(green_zmq *z)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  r = ask_events(z);
  green__zmq_called(z, -1, 0);
  if (r >= 0) z->quiet = bits_without(r);
  return r;
}

static int wait_arm(green_zmq *z)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  if (z->f.idle) return green__fd_arm_read(&z->f);
  return green_idle_add(&z->set, &z->f);
}

int green_zmq_wait(green_zmq *z, int direction)
{
  int r = wait_arm(z);
  if (r == 0 && !(z->quiet & green__zmq_bit(direction))) green__zmq_stir(z);
  return r;
}

int green_zmq_watch(green_zmq *z, int events)
{
  int r = wait_arm(z);
  if (r < 0) return r;
  z->watched |= (uint8_t)events;
  if (events & ~z->quiet) green__zmq_stir(z);
  return 0;
}

green_waitq *green_zmq_line(green_zmq *z, int direction, int again)
{
  return again ? &z->again[direction] : &z->lines[direction];
}

green_waitq *green_zmq_watchers(green_zmq *z)
{
  return &z->watchers;
}

void green__zmq_wait_init(green_zmq *z)
{
  for (int i = 0; i < 2; i++) {
    green_waitq_init(&z->lines[i]);
    green_waitq_init(&z->again[i]);
  }
  green_waitq_init(&z->watchers);
  z->look.run = wait_look;
  z->again_later.fire = wait_again;
}

void green_zmq_forget(green_zmq *z)
{
  for (int i = 0; i < 2; i++) {
    green_waitq_forget(&z->again[i]);
    green_waitq_forget(&z->lines[i]);
  }
  green_waitq_forget(&z->watchers);
  green_hub_timer_stop(z->hub, &z->again_later);
  green_zmq_leave(z);
}

void green__zmq_wait_deinit(green_zmq *z)
{
  for (int i = 0; i < 2; i++) {
    green_waitq_wake_all(&z->again[i], GREEN_ECLOSED);
    green_waitq_wake_all(&z->lines[i], GREEN_ECLOSED);
    z->told[i] = 0;
  }
  green_waitq_wake_all(&z->watchers, GREEN_ECLOSED);
  green_hub_undefer(&z->look);
  green_hub_timer_stop(z->hub, &z->again_later);
}

void green__zmq_wait_open(green_zmq *z)
{
  green_idle_init(&z->set, z->hub, GREEN_NEVER);
  z->set.told = wait_told;
  z->quiet = 0;
}
