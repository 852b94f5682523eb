/*
** loop.c: waits for events with libev, which no other file knows.
**
** Our own loop is polled once a turn (EVRUN_ONCE). In a host's loop a prepare
** watcher does the hub's turn before each poll, a check watcher of the lowest
** priority fires deadlines after the I/O callbacks.
*/

#include "hub/loop.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct green__loop {
  struct ev_loop *ev;
  const green__loop_calls *calls;
  void *owner;
  int host;      /* The loop is the host's. */
  int64_t armed; /* The deadline the timer is set to, or GREEN_NEVER. */
  ev_timer timer;
  ev_async async;
  ev_fork fork;
  ev_prepare prepare;
  ev_check check;
  ev_idle idle; /* Host loop only: keeps the poll from waiting. */
};

_Static_assert(sizeof(ev_io) <= sizeof(green__watcher), "room for an ev_io");

/* -- Callbacks ------------------------------------------------------------ */

static void loop_on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
  green__loop *loop = w->data;
  (void)ev, (void)revents;
  loop->armed = GREEN_NEVER;
}

static void loop_on_async(struct ev_loop *ev, ev_async *w, int revents)
{
  green__loop *loop = w->data;
  (void)ev, (void)revents;
  loop->calls->woken(loop->owner);
}

/* libev is about to build its kernel state anew: after a fork, or when epoll
** reported a number that has changed hands. */
static void loop_on_fork(struct ev_loop *ev, ev_fork *w, int revents)
{
  green__loop *loop = w->data;
  (void)ev, (void)revents;
  loop->calls->check_fds(loop->owner, 1);
}

static int loop_modes(int events)
{
  return (events & EV_READ ? GREEN_READ : 0) |
         (events & EV_WRITE ? GREEN_WRITE : 0);
}

/* libev leaves data to its user: here, the function that hears the events. */
static void loop_on_io(struct ev_loop *ev, ev_io *w, int revents)
{
  green__watcher_fn *fn = (green__watcher_fn *)w->data;
  (void)ev;
  fn((green__watcher *)w, loop_modes(revents), revents & EV_ERROR);
}

static void loop_set_timer(green__loop *loop, int64_t due, int64_t now)
{
  if (due >= loop->armed) return;
  ev_now_update(loop->ev);
  ev_timer_stop(loop->ev, &loop->timer);
  ev_timer_set(&loop->timer, due > now ? (double)(due - now) * 1e-9 : 0., 0.);
  ev_timer_start(loop->ev, &loop->timer);
  loop->armed = due;
}

/* epoll aborts at what it is told of numbers that are not open, poll at every
** one that it finds; select reports them. */
static int loop_check_fds(green__loop *loop)
{
  int all = ev_backend(loop->ev) == EVBACKEND_POLL;
  return loop->calls->check_fds(loop->owner, all);
}

static void loop_on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
  green__loop *loop = w->data;
  int64_t due, now;
  (void)revents;
  loop->calls->before_poll(loop->owner);
  if (loop_check_fds(loop))
    ev_idle_start(ev, &loop->idle);
  else
    ev_idle_stop(ev, &loop->idle);
  due = loop->calls->due(loop->owner, &now);
  loop_set_timer(loop, due, now);
}

/* Ours may have been the last active watcher: keep ev_run for one more turn. */
static void loop_on_check(struct ev_loop *ev, ev_check *w, int revents)
{
  green__loop *loop = w->data;
  (void)revents;
  if (loop->calls->after_poll(loop->owner)) ev_idle_start(ev, &loop->idle);
}

static void loop_on_idle(struct ev_loop *ev, ev_idle *w, int revents)
{
  (void)ev, (void)w, (void)revents;
}

/* -- Opening -------------------------------------------------------------- */

static const struct {
  const char *name;
  unsigned flag;
} loop_backends[] = {
    {"epoll", EVBACKEND_EPOLL},     {"poll", EVBACKEND_POLL},
    {"select", EVBACKEND_SELECT},   {"kqueue", EVBACKEND_KQUEUE},
    {"port", EVBACKEND_PORT},       {"devpoll", EVBACKEND_DEVPOLL},
#ifdef EVBACKEND_IOURING
    {"iouring", EVBACKEND_IOURING},
#endif
};

#define N_BACKENDS (sizeof(loop_backends) / sizeof(loop_backends[0]))

/* EVFLAG_NOENV: LIBEV_FLAGS is not our interface; GREENLUA_HUB is. */
static int loop_flags(const char *backend, unsigned *flags)
{
  *flags = EVFLAG_NOENV;
  if (!backend) {
    *flags |= ev_recommended_backends() | EVBACKEND_POLL | EVBACKEND_SELECT;
    return 0;
  }
  for (size_t i = 0; i < N_BACKENDS; i++) {
    if (strcmp(backend, loop_backends[i].name) != 0) continue;
    *flags |= loop_backends[i].flag;
    return ev_supported_backends() & loop_backends[i].flag ? 0 : GREEN_ENOSYS;
  }
  return GREEN_EINVAL;
}

static void loop_start_host(green__loop *loop)
{
  ev_prepare_init(&loop->prepare, loop_on_prepare);
  ev_check_init(&loop->check, loop_on_check);
  ev_set_priority(&loop->check, EV_MINPRI);
  ev_idle_init(&loop->idle, loop_on_idle);
  loop->prepare.data = loop->check.data = loop->idle.data = loop;
  ev_prepare_start(loop->ev, &loop->prepare);
  ev_check_start(loop->ev, &loop->check);
  for (int i = 0; i < 4; i++) ev_unref(loop->ev); /* with async and fork */
}

static void loop_stop_host(green__loop *loop)
{
  for (int i = 0; i < 4; i++) ev_ref(loop->ev);
  ev_idle_stop(loop->ev, &loop->idle);
  ev_check_stop(loop->ev, &loop->check);
  ev_prepare_stop(loop->ev, &loop->prepare);
}

static void loop_start(green__loop *loop)
{
  ev_timer_init(&loop->timer, loop_on_timer, 0., 0.);
  ev_set_priority(&loop->timer, EV_MINPRI);
  ev_async_init(&loop->async, loop_on_async);
  ev_fork_init(&loop->fork, loop_on_fork);
  loop->timer.data = loop->async.data = loop->fork.data = loop;
  ev_async_start(loop->ev, &loop->async);
  ev_fork_start(loop->ev, &loop->fork);
  if (loop->host) loop_start_host(loop);
}

/* Where libev finds no descriptor for a loop it ends the process. It takes one
** for the kernel's poll and one for wake-ups, or two of these. Other threads
** may be faster still. 0, GREEN_EMFILE, GREEN_ENFILE, GREEN_ENOMEM. */
static int loop_has_room(void)
{
  int fds[3], n = 0;
  while (n < 3 && (fds[n] = eventfd(0, EFD_CLOEXEC)) >= 0) n++;
  int err = n < 3 ? -errno : 0;
  while (n > 0) close(fds[--n]);
  return err;
}

int green__loop_open(green__loop **out, const green__loop_calls *calls,
                     void *owner, const char *backend, void *ev_loop)
{
  unsigned flags;
  int err = loop_flags(backend, &flags);
  if (err == 0 && !ev_loop) err = loop_has_room();
  if (err < 0) return err;
  green__loop *loop = green__zalloc(sizeof(*loop));
  if (!loop) return GREEN_ENOMEM;
  loop->calls = calls;
  loop->owner = owner;
  loop->host = ev_loop != NULL;
  loop->armed = GREEN_NEVER;
  loop->ev = ev_loop ? ev_loop : ev_loop_new(flags);
  if (!loop->ev) {
    green__free(loop);
    return GREEN_ENOSYS;
  }
  loop_start(loop);
  *out = loop;
  return 0;
}

void green__loop_close(green__loop *loop)
{
  if (loop->host) loop_stop_host(loop);
  ev_fork_stop(loop->ev, &loop->fork);
  ev_async_stop(loop->ev, &loop->async);
  ev_timer_stop(loop->ev, &loop->timer);
  if (!loop->host) ev_loop_destroy(loop->ev);
  green__free(loop);
}

void green__loop_version(int *major, int *minor)
{
  *major = ev_version_major();
  *minor = ev_version_minor();
}

int green__loop_is_host(const green__loop *loop)
{
  return loop->host;
}

const char *green__loop_backend(const green__loop *loop)
{
  unsigned flag = ev_backend(loop->ev);
  for (size_t i = 0; i < N_BACKENDS; i++)
    if (loop_backends[i].flag == flag) return loop_backends[i].name;
  return "unknown";
}

/* -- Polling -------------------------------------------------------------- */

int green__loop_is_inside(const green__loop *loop)
{
  return loop->host && ev_depth(loop->ev) > 0;
}

void green__loop_forked(green__loop *loop)
{
  ev_loop_fork(loop->ev);
}

void green__loop_poll(green__loop *loop, int block, int64_t due, int64_t now)
{
  green_assert(!green__loop_is_inside(loop), "Not inside a run of the host's.");
  if (block && due <= now) block = 0;
  if (loop_check_fds(loop)) block = 0;
  if (block) loop_set_timer(loop, due, now);
  ev_run(loop->ev, block ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void green__loop_wake(green__loop *loop)
{
  ev_async_send(loop->ev, &loop->async);
}

/* What is set, and not modified, the kernel is told in any case: it may have
** forgotten a number that was closed and opened again. */
void green__loop_watch(green__loop *loop, green__watcher *w, int fd, int modes,
                       green__watcher_fn *fn)
{
  ev_io *io = (ev_io *)w;
  int more = modes & ~green__loop_watched(w);
  int events =
      (modes & GREEN_READ ? EV_READ : 0) | (modes & GREEN_WRITE ? EV_WRITE : 0);
  ev_io_stop(loop->ev, io);
  if (!modes) return;
  green_assert(!more || fcntl(fd, F_GETFD) >= 0,
               "its number must be open where one is added");
  if (more)
    ev_io_init(io, loop_on_io, fd, events);
  else
    io->events = events;
  io->data = (void *)fn;
  ev_io_start(loop->ev, io);
}

int green__loop_watched(const green__watcher *w)
{
  const ev_io *io = (const ev_io *)w;
  return ev_is_active(io) ? loop_modes(io->events) : 0;
}
