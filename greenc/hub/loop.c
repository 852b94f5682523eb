/*
** loop.c: the one file that knows libev.
**
** Our own loop is polled once a turn (EVRUN_ONCE). In a host's loop a prepare
** watcher does the hub's turn before each poll, a check watcher of the lowest
** priority fires deadlines after the I/O callbacks.
*/

#include "hub/loop.h"
#include "base/mem.h"

#include <ev.h>
#include <string.h>

struct green__loop {
  struct ev_loop *ev;
  green_hub *hub;
  int host;      /* The loop is the host's. */
  int64_t armed; /* The deadline the timer is set to, or GREEN_NEVER. */
  ev_timer timer;
  ev_async async;
  ev_fork fork;
  ev_prepare prepare;
  ev_check check;
  ev_idle idle; /* Host loop only: keeps the poll from waiting. */
};

_Static_assert(sizeof(ev_io) <= sizeof(green__io), "room for an ev_io");

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
  green__hub_run_posts(loop->hub);
}

/* libev is about to build its kernel state anew: after a fork, or when epoll
** reported a number that has changed hands. */
static void loop_on_fork(struct ev_loop *ev, ev_fork *w, int revents)
{
  green__loop *loop = w->data;
  (void)ev, (void)revents;
  green__fd_check_all(loop->hub);
}

static void loop_on_read(struct ev_loop *ev, ev_io *w, int revents)
{
  (void)ev;
  green__fd_event(w->data, GREEN_READ, revents & EV_ERROR);
}

static void loop_on_write(struct ev_loop *ev, ev_io *w, int revents)
{
  (void)ev;
  green__fd_event(w->data, GREEN_WRITE, revents & EV_ERROR);
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
static void loop_check_fds(green__loop *loop)
{
  if (ev_backend(loop->ev) == EVBACKEND_POLL)
    green__fd_check_all(loop->hub);
  else
    green__fd_check_touched(loop->hub);
}

static void loop_on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
  green__loop *loop = w->data;
  (void)revents;
  /* This iteration's fork watchers have run already. */
  if (green_hub_check_fork(loop->hub)) green__fd_check_all(loop->hub);
  /* A task that runs the host's loop again keeps the others waiting; a turn of
  ** our own has had its batch. */
  if (!loop->hub->running) green__hub_run_ready(loop->hub);
  loop_check_fds(loop);
  if (green__hub_is_ready(loop->hub) && !green_hub_current(loop->hub))
    ev_idle_start(ev, &loop->idle);
  else
    ev_idle_stop(ev, &loop->idle);
  loop_set_timer(loop, green__hub_due(loop->hub), green_hub_now(loop->hub));
}

static void loop_on_check(struct ev_loop *ev, ev_check *w, int revents)
{
  green__loop *loop = w->data;
  (void)revents;
  green__hub_expire(loop->hub);
  /* Ours may have been the last active watcher: keep ev_run for one more turn.
   */
  if (green__hub_is_ready(loop->hub)) ev_idle_start(ev, &loop->idle);
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

int green__loop_open(green__loop **out, green_hub *hub, const char *backend,
                     void *ev_loop)
{
  unsigned flags;
  int err = loop_flags(backend, &flags);
  if (err < 0) return err;
  green__loop *loop = green__zalloc(sizeof(*loop));
  if (!loop) return GREEN_ENOMEM;
  loop->hub = hub;
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
  loop_check_fds(loop);
  if (green__hub_is_ready(loop->hub)) block = 0;
  if (block) loop_set_timer(loop, due, now);
  ev_run(loop->ev, block ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void green__loop_wake(green__loop *loop)
{
  ev_async_send(loop->ev, &loop->async);
}

/* The kernel is told at the next poll; until then the number may be closed. */
static void loop_touch(green__loop *loop, green_fd *f)
{
  if (!green_link_in(&f->touched))
    green_list_push(&loop->hub->touched, &f->touched);
}

void green__loop_arm(green__loop *loop, green_fd *f, int mode)
{
  ev_io *w = (ev_io *)(mode == GREEN_READ ? &f->io_read : &f->io_write);
  ev_io_init(w, mode == GREEN_READ ? loop_on_read : loop_on_write, f->fd,
             mode == GREEN_READ ? EV_READ : EV_WRITE);
  w->data = f;
  ev_io_start(loop->ev, w);
  f->armed |= (uint8_t)mode;
  loop_touch(loop, f);
}

void green__loop_disarm(green__loop *loop, green_fd *f, int mode)
{
  if (!(f->armed & mode)) return;
  ev_io_stop(loop->ev,
             (ev_io *)(mode == GREEN_READ ? &f->io_read : &f->io_write));
  f->armed &= (uint8_t)~mode;
  loop_touch(loop, f);
}
