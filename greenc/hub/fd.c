/*
** fd.c: parks tasks until a descriptor is ready, and keeps the table that says
** which object owns which number.
*/

#include "hub/fd.h"
#include "hub/loop.h"
#include "hub/trace_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define FDS_FIRST 64 /* More than most programs ever have open. */

/* -- The table of numbers ------------------------------------------------- */

static int fd_table_grow(green_hub *hub, uint32_t want)
{
  uint32_t cap = hub->fds_cap ? hub->fds_cap : FDS_FIRST;
  if (want <= hub->fds_cap) return 0;
  while (cap < want) cap *= 2;
  green_fd **fds = green__realloc(hub->fds, cap * sizeof(*fds));
  if (!fds) return GREEN_ENOMEM;
  memset(fds + hub->fds_cap, 0, (cap - hub->fds_cap) * sizeof(*fds));
  hub->fds = fds;
  hub->fds_cap = cap;
  return 0;
}

/* -- Letting go ----------------------------------------------------------- */

/* The kernel is told at the next poll; until then the number may be closed. */
static void fd_touch(green_fd *f)
{
  if (!green_link_in(&f->touched))
    green_list_push(&f->hub->touched, &f->touched);
}

static green__watcher_fn fd_on_event;

static void fd_watch(green_fd *f, int modes)
{
  green__loop_watch(f->hub->loop, &f->watcher, f->fd, modes, fd_on_event);
  f->armed = (uint8_t)modes;
  fd_touch(f);
}

static void fd_stop(green_fd *f, int modes)
{
  if (f->armed & modes) fd_watch(f, f->armed & ~modes);
}

static int fd_wake_readers(green_fd *f, int status)
{
  int n = 0;
  for (; f->readers; n++) green_task_wake(f->readers, status);
  return n;
}

void green_fd_wake(green_fd *f, int status)
{
  green__assert_thread(f->hub);
  fd_wake_readers(f, status);
  if (f->writer) green_task_wake(f->writer, status);
}

/* Leave table and poll; the number stays open. */
static int fd_release(green_fd *f, int status)
{
  int fd = f->fd;
  if (fd < 0) return -1;
  green_fd_wake(f, status);
  fd_stop(f, GREEN_READ | GREEN_WRITE);
  green_link_remove(&f->touched);
  f->hub->fds[fd] = NULL;
  f->hub->n_fds--;
  f->fd = -1;
  return fd;
}

/* The number is not ours any more, and the owner does not know. An idle set
** hands the fd out, so that whoever takes it finds out. */
static void fd_lost(green_fd *f, int status)
{
  if (f->idle) f->hub->on_idle_event(f);
  fd_release(f, status);
}

/* -- Events --------------------------------------------------------------- */

static int fd_is_open(const green_fd *f)
{
  return fcntl(f->fd, F_GETFD) >= 0;
}

/* The number may have been closed between the arming and the poll. */
static void fds_drop_touched(green_hub *hub)
{
  green_link *k;
  while ((k = green_list_pop(&hub->touched)) != NULL) {
    green_fd *f = green_container(k, green_fd, touched);
    if (f->armed && !fd_is_open(f)) fd_lost(f, GREEN_EBADF);
  }
}

/* The armed numbers that are not open any more: how many of numbers are filled,
** or a negative error. One call, however many are armed. */
static int fds_ask_all(const green_hub *hub, struct pollfd *all)
{
  nfds_t n = 0;
  for (uint32_t i = 0; i < hub->fds_cap; i++)
    if (hub->fds[i] && hub->fds[i]->armed)
      all[n++] = (struct pollfd){.fd = (int)i};
  int r = poll(all, n, 0);
  return r < 0 ? -errno : r ? (int)n : 0;
}

static void fds_drop_each(green_hub *hub)
{
  for (uint32_t i = 0; i < hub->fds_cap; i++) {
    green_fd *f = hub->fds[i];
    if (f && f->armed && !fd_is_open(f)) fd_lost(f, GREEN_EBADF);
  }
}

/* libev's poll backend ends the program at a number that is not open: it has to
** be found before, at each turn. */
static void fds_drop_all_closed(green_hub *hub)
{
  if (!hub->n_fds) return;
  struct pollfd *all = green__alloc(hub->n_fds * sizeof(*all));
  int n = all ? fds_ask_all(hub, all) : GREEN_ENOMEM;
  for (int i = 0; i < n; i++)
    if (all[i].revents & POLLNVAL) fd_lost(hub->fds[all[i].fd], GREEN_EBADF);
  if (n < 0) fds_drop_each(hub);
  green__free(all);
}

void green__fds_drop_closed(green_hub *hub, int all)
{
  if (all)
    fds_drop_all_closed(hub);
  else
    fds_drop_touched(hub);
}

/* A second poll of a turn, as after that of a task that polled itself, tells
** again of what a task was woken for that has not run yet. */
static int fd_read_event(green_fd *f)
{
  uint8_t turn = (uint8_t)f->hub->turns;
  if (!fd_wake_readers(f, 0)) return f->woken == turn;
  f->woken = turn;
  return 1;
}

static void fd_on_mode(green_fd *f, int mode)
{
  int is_heard = 0;
  if (mode == GREEN_READ) {
    f->drained = 0;
    is_heard = fd_read_event(f);
    if (!is_heard && f->idle) is_heard = f->hub->on_idle_event(f);
  } else if (f->writer) {
    is_heard = green_task_wake(f->writer, 0);
  }
  if (!is_heard) fd_stop(f, mode);
}

static void fd_on_event(green__watcher *w, int modes, int error)
{
  green_fd *f = green_container(w, green_fd, watcher);
  if (green_unlikely(error)) {
    fd_lost(f, GREEN_EBADF);
    return;
  }
  green__tell_io(f->hub, f->fd, modes);
  if (modes & GREEN_READ) fd_on_mode(f, GREEN_READ);
  if (modes & GREEN_WRITE) fd_on_mode(f, GREEN_WRITE);
}

/* -- Public API ----------------------------------------------------------- */

#ifdef GREEN_DEBUG
/* A number that is not open is another matter: arming it tells. */
static int fd_ends_at_exec(int fd)
{
  int flags = fcntl(fd, F_GETFD);
  return flags < 0 || (flags & FD_CLOEXEC);
}
#endif

static int fd_set_flags(int fd)
{
  int fl = fcntl(fd, F_GETFL);
  if (fl < 0) return GREEN_EBADF;
  if (!(fl & O_NONBLOCK)) fcntl(fd, F_SETFL, fl | O_NONBLOCK);
  int fdfl = fcntl(fd, F_GETFD);
  if (!(fdfl & FD_CLOEXEC)) fcntl(fd, F_SETFD, fdfl | FD_CLOEXEC);
  return 0;
}

int green_fd_open(green_fd *f, green_hub *hub, int fd)
{
  if (fd < 0) return GREEN_EBADF;
  int err = fd_set_flags(fd);
  if (err < 0) return err;
  return green__fd_adopt(f, hub, fd);
}

int green__fd_adopt(green_fd *f, green_hub *hub, int fd)
{
  green__assert_thread(hub);
  green_assert(fd >= 0 && fd_ends_at_exec(fd),
               "a number known to be close-on-exec");
  int err = fd_table_grow(hub, (uint32_t)fd + 1);
  if (err < 0) return err;
  if (hub->fds[fd]) fd_lost(hub->fds[fd], GREEN_ECLOSED);
  memset(f, 0, sizeof(*f));
  f->hub = hub;
  f->fd = fd;
  hub->fds[fd] = f;
  hub->n_fds++;
  return 0;
}

int green_fd_close(green_fd *f)
{
  if (f->idle) f->hub->on_idle_close(f);
  int fd = fd_release(f, GREEN_ECLOSED);
  if (fd < 0) return 0;
  /* Linux frees the number even when close says EINTR. */
  int r = close(fd);
  return r < 0 && errno != EINTR ? -errno : 0;
}

int green_fd_detach(green_fd *f)
{
  if (f->idle) f->hub->on_idle_close(f);
  return fd_release(f, GREEN_ECLOSED);
}

static int fd_arm(green_fd *f, int mode)
{
  if (f->armed & mode) return 0;
  /* libev aborts or spins on a number that is not open: ask first. */
  if (!fd_is_open(f)) {
    fd_lost(f, GREEN_EBADF);
    return GREEN_EBADF;
  }
  fd_watch(f, f->armed | mode);
  return 0;
}

int green__fd_arm_read(green_fd *f)
{
  return f->fd < 0 ? GREEN_ECLOSED : fd_arm(f, GREEN_READ);
}

/* Into the ring of readers, as the first or the last. */
static void fd_add_reader(green_fd *f, green_task *t, int is_first)
{
  if (f->readers)
    green_list_push(&f->readers->link, &t->link);
  else
    green_list_init(&t->link);
  if (is_first || !f->readers) f->readers = t;
}

/* Park t at f: place says as what. */
static int fd_park(green_fd *f, green_task *t, int place, int64_t deadline)
{
  green__assert_thread(f->hub);
  green_assert(t->state == GREEN_TASK_RUNNING, "From inside resume");
  green_assert(t->hub == f->hub, "t and f are of one hub.");
  int err = fd_arm(f, place == GREEN_AT_WRITE ? GREEN_WRITE : GREEN_READ);
  if (err == 0) err = green__task_park(t, NULL, deadline);
  if (err < 0) return err;
  if (place == GREEN_AT_WRITE)
    f->writer = t;
  else
    fd_add_reader(f, t, place == GREEN_AT_READ);
  t->at.fd = f;
  t->place = (uint8_t)place;
  f->hub->n_waits++;
  GREEN_PROBE4(park, t, place, f->fd, deadline);
  return 0;
}

int green_fd_park(green_fd *f, green_task *t, int mode, int64_t deadline)
{
  green_assert(mode == GREEN_READ || mode == GREEN_WRITE,
               "GREEN_READ or GREEN_WRITE");
  if (f->fd < 0) return GREEN_ECLOSED;
  if (green_fd_waiter(f, mode) || (mode == GREEN_READ && f->idle))
    return GREEN_EBUSY;
  return fd_park(f, t, mode, deadline);
}

int green_fd_watch(green_fd *f, green_task *t, int64_t deadline)
{
  if (f->fd < 0) return GREEN_ECLOSED;
  return fd_park(f, t, GREEN_AT_WATCH, deadline);
}

static void fd_on_unpark(green_fd *f, green_task *t)
{
  if (t->place == GREEN_AT_WRITE)
    f->writer = NULL;
  else if (f->readers == t)
    f->readers = t->link.next == &t->link
                     ? NULL
                     : green_container(t->link.next, green_task, link);
  f->hub->n_waits--;
}

/* -- For hub.c ------------------------------------------------------------ */

void green__fds_init(green_hub *hub)
{
  green_list_init(&hub->touched);
  hub->on_unpark = fd_on_unpark;
}

/* The old loop is still the hub's. */
static void fd_move(green_fd *f, green__loop *to)
{
  int armed = f->armed;
  if (!armed) return;
  fd_stop(f, armed);
  green__loop_watch(to, &f->watcher, f->fd, armed, fd_on_event);
  f->armed = (uint8_t)armed;
}

void green__fds_move(green_hub *hub, green__loop *to)
{
  for (uint32_t i = 0; i < hub->fds_cap; i++)
    if (hub->fds[i]) fd_move(hub->fds[i], to);
}

static void fd_forget(green_fd *f)
{
  fd_stop(f, GREEN_READ | GREEN_WRITE);
  f->fd = -1;
}

void green__fds_deinit(green_hub *hub)
{
  for (uint32_t i = 0; i < hub->fds_cap; i++)
    if (hub->fds[i]) fd_forget(hub->fds[i]);
  green__free(hub->fds);
}

green_fd *green_hub_fd_from(const green_hub *hub, int fd)
{
  green__assert_thread(hub);
  for (uint32_t i = fd < 0 ? 0 : (uint32_t)fd; i < hub->fds_cap; i++)
    if (hub->fds[i]) return hub->fds[i];
  return NULL;
}

/* -- Checking ------------------------------------------------------------- */

#ifdef GREEN_DEBUG
static uint32_t fd_check_task(const green_fd *f, const green_task *t, int place)
{
  green_assert(t->state == GREEN_TASK_PARKED && t->place == place &&
                   t->at.fd == f && t->hub == f->hub,
               "What it waits for, as place says.");
  return 1;
}

/* The first may read, all others watch. */
static uint32_t fd_check_readers(const green_fd *f)
{
  uint32_t n = 0;
  const green_task *t = f->readers;
  if (!t) return 0;
  green_assert(t->place == GREEN_AT_READ || t->place == GREEN_AT_WATCH,
               "one reader at most, who is the first, then those who watch");
  do {
    green_assert(green_link_is_sound(&t->link), "A ring through their links");
    n += fd_check_task(f, t, n ? GREEN_AT_WATCH : t->place);
    t = green_container(t->link.next, green_task, link);
  } while (t != f->readers);
  return n;
}

static uint32_t fd_check(const green_fd *f)
{
  uint32_t n = fd_check_readers(f);
  green_assert(!n || (f->armed & GREEN_READ), "what the poll watches");
  green_assert(!f->writer || (f->armed & GREEN_WRITE), "what the poll watches");
  green_assert(!f->idle || !green_fd_waiter(f, GREEN_READ),
               "GREEN_EBUSY (another task waits in this direction)");
  green_assert(f->armed == green__loop_watched(&f->watcher),
               "what the poll watches");
  return n + (f->writer ? fd_check_task(f, f->writer, GREEN_AT_WRITE) : 0);
}

uint32_t green__fds_check(const green_hub *hub)
{
  uint32_t n_fds = 0, n = 0;
  for (uint32_t i = 0; i < hub->fds_cap; i++) {
    const green_fd *f = hub->fds[i];
    if (!f) continue;
    green_assert(f->fd == (int)i && f->hub == hub,
                 "By number: who has it registered.");
    n_fds++;
    n += fd_check(f);
  }
  green_assert(n_fds == hub->n_fds, "Registered descriptors.");
  for (green_link *k = hub->touched.next; k != &hub->touched; k = k->next) {
    const green_fd *f = green_container(k, green_fd, touched);
    green_assert(green_link_is_sound(k) && f->fd >= 0 && hub->fds[f->fd] == f,
                 "Its registration changed since the last poll.");
  }
  return n;
}
#endif
