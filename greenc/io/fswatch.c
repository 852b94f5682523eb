/*
** fswatch.c: events of inotify, one at a time.
*/

#include "io/fswatch.h"
#include "hub/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A read of the kernel's queue: some hundred events, one at least. */
enum { FSWATCH_BYTES = 16384 };

struct green_fswatch {
  green_fd f;
  uint32_t at, len;
  _Alignas(struct inotify_event) char bytes[FSWATCH_BYTES];
};

_Static_assert(IN_MODIFY == GREEN_FSWATCH_WRITTEN &&
                   IN_ATTRIB == GREEN_FSWATCH_ATTRIB &&
                   IN_CLOSE_WRITE == GREEN_FSWATCH_CLOSED &&
                   IN_MOVED_FROM == GREEN_FSWATCH_MOVED_FROM &&
                   IN_MOVED_TO == GREEN_FSWATCH_MOVED_TO &&
                   IN_CREATE == GREEN_FSWATCH_CREATED &&
                   IN_DELETE == GREEN_FSWATCH_DELETED &&
                   IN_DELETE_SELF == GREEN_FSWATCH_SELF_DELETED &&
                   IN_MOVE_SELF == GREEN_FSWATCH_SELF_MOVED &&
                   IN_UNMOUNT == GREEN_FSWATCH_UNMOUNTED &&
                   IN_Q_OVERFLOW == GREEN_FSWATCH_OVERFLOW &&
                   IN_IGNORED == GREEN_FSWATCH_ENDED &&
                   IN_ONLYDIR == GREEN_FSWATCH_ONLY_FOLDER &&
                   IN_ISDIR == GREEN_FSWATCH_FOLDER,
               "the header says it without inotify's");

size_t green_fswatch_size(void)
{
  return sizeof(green_fswatch);
}

int green_fswatch_init(green_fswatch *w, green_hub *hub)
{
  w->f.fd = -1;
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return -errno;
  int err = green__fd_adopt(&w->f, hub, fd);
  if (err < 0) close(fd);
  return err;
}

void green_fswatch_deinit(green_fswatch *w)
{
  if (w->f.fd >= 0) green_fd_close(&w->f);
  w->at = w->len = 0;
}

green_desc *green_fswatch_desc(const green_fswatch *w)
{
  int fd = w->f.fd < 0 ? -1 : fcntl(w->f.fd, F_DUPFD_CLOEXEC, 0);
  green_desc *d = fd < 0 ? NULL : green_desc_new(fd);
  if (!d && fd >= 0) close(fd);
  return d;
}

void green_fswatch_forget(green_fswatch *w, int watch)
{
  if (w->f.fd >= 0) inotify_rm_watch(w->f.fd, watch);
}

/* More events. Their bytes, or an error. */
static ssize_t fswatch_read(green_fswatch *w)
{
  ssize_t n;
  if (w->f.fd < 0) return GREEN_ECLOSED;
  do n = read(w->f.fd, w->bytes, sizeof(w->bytes));
  while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  w->at = 0;
  w->len = (uint32_t)n;
  return n;
}

int green_fswatch_next(green_fswatch *w, green_fswatch_event *e)
{
  if (w->at >= w->len) {
    ssize_t n = fswatch_read(w);
    if (n <= 0) return n < 0 ? (int)n : GREEN_EAGAIN;
  }
  const struct inotify_event *event = (const void *)(w->bytes + w->at);
  w->at += (uint32_t)sizeof(*event) + event->len;
  e->watch = event->wd;
  e->mask = event->mask;
  e->cookie = event->cookie;
  e->name = event->len ? event->name : "";
  e->len = (uint32_t)strlen(e->name);
  return 1;
}
