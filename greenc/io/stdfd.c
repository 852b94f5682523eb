/*
** stdfd.c: queue and private copy of an inherited descriptor.
*/

#include "io/stdfd.h"
#include "base/buf.h"
#include "hub/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STDFD_LIMIT (1u << 20)
#define STDFD_LINGER (5 * GREEN_SECOND)
/* Lazy bytes go out when there are this many: C's stdio has 4 KB here. */
#define STDFD_LAZY 16384u
/* A terminal says "writable" with as little room as this, or less. */
#define STDFD_TTY_CHUNK 256u

enum stdfd_kind {
  STDFD_NONE,    /* The number is not open. */
  STDFD_PLAIN,   /* Never waits: through the number itself. */
  STDFD_PRIVATE, /* Our own non-blocking description. */
  STDFD_SOCKET,  /* A dup, asked not to wait call by call. */
  STDFD_SHARED   /* A dup, asked by poll first. */
};

struct green_stdfd {
  green_fd fd;       /* The private copy; fd.fd is -1 without one. */
  green_task task;   /* Writes on when the copy takes more. */
  green_defer defer; /* Sends what a turn has put. */
  green_forkhook forked;
  green_buf out;
  green_waitq room;
  green_hub *hub;      /* NULL: deinit was called. */
  uint32_t generation; /* Of the process whose bytes are queued. */
  uint64_t dropped;
  int64_t linger;
  uint32_t limit;
  int number;
  dev_t dev, rdev; /* What the number led to when it was opened. */
  ino_t ino;
  uint8_t kind;
  uint8_t for_write;
  uint8_t is_tty;
  uint8_t writing; /* The task lives. */
  uint8_t given_up;
  int error; /* Of queued bytes, not told yet. */
};

/* -- Opening -------------------------------------------------------------- */

static int stdfd_kind_of(const green_stdfd *s, mode_t mode)
{
  if (S_ISSOCK(mode)) return STDFD_SOCKET;
  if (S_ISFIFO(mode) || (S_ISCHR(mode) && s->is_tty)) return STDFD_PRIVATE;
  return STDFD_PLAIN;
}

static int stdfd_open_anew(const green_stdfd *s)
{
  char path[32];
  int flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  snprintf(path, sizeof(path), "/proc/self/fd/%d", s->number);
  return open(path, flags | (s->for_write ? O_WRONLY : O_RDONLY));
}

static int stdfd_copy(green_stdfd *s)
{
  int fd = s->kind == STDFD_PRIVATE ? stdfd_open_anew(s) : -1;
  if (fd < 0 && s->kind == STDFD_PRIVATE) s->kind = STDFD_SHARED;
  if (fd < 0) fd = fcntl(s->number, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return -errno;
  int err = green__fd_adopt(&s->fd, s->hub, fd);
  if (err < 0) close(fd);
  return err;
}

/* Look at what the number leads to now. */
static int stdfd_attach(green_stdfd *s)
{
  struct stat st;
  s->kind = STDFD_NONE;
  s->fd.fd = -1;
  if (fstat(s->number, &st) < 0) return -errno;
  s->dev = st.st_dev;
  s->rdev = st.st_rdev;
  s->ino = st.st_ino;
  s->is_tty = S_ISCHR(st.st_mode) && isatty(s->number);
  s->kind = (uint8_t)stdfd_kind_of(s, st.st_mode);
  return s->kind == STDFD_PLAIN ? 0 : stdfd_copy(s);
}

static int stdfd_has_moved(const green_stdfd *s)
{
  struct stat st;
  if (fstat(s->number, &st) < 0) return s->kind != STDFD_NONE;
  return s->kind == STDFD_NONE || st.st_ino != s->ino || st.st_dev != s->dev ||
         st.st_rdev != s->rdev;
}

static void stdfd_follow(green_stdfd *s)
{
  if (!s->hub || !stdfd_has_moved(s)) return;
  if (s->fd.fd >= 0) green_fd_close(&s->fd);
  if (stdfd_attach(s) < 0) s->kind = STDFD_NONE;
}

size_t green_stdfd_size(void)
{
  return sizeof(green_stdfd);
}

static void stdfd_on_turn(green_defer *d);
static void stdfd_forked(green_forkhook *h);

int green_stdfd_init(green_stdfd *s, green_hub *hub, int number, int for_write)
{
  s->hub = hub;
  s->generation = green_fork_generation();
  s->number = number;
  s->for_write = (uint8_t)for_write;
  s->limit = STDFD_LIMIT;
  s->linger = STDFD_LINGER;
  s->defer.run = stdfd_on_turn;
  s->forked.run = stdfd_forked;
  green_waitq_init(&s->room);
  int err = stdfd_attach(s);
  if (err == 0 && s->kind == STDFD_PLAIN) err = GREEN_EOPNOTSUPP;
  if (err == 0)
    green_hub_on_fork(hub, &s->forked);
  else
    s->hub = NULL;
  return err;
}

void green_stdfd_set(green_stdfd *s, size_t limit, double linger)
{
  s->limit = limit < GREEN_BUF_MAX ? (uint32_t)limit : GREEN_BUF_MAX;
  s->linger = green_clock_after(0, linger);
}

int green_stdfd_is_tty(const green_stdfd *s)
{
  return s->is_tty;
}

int green_stdfd_is_open(const green_stdfd *s)
{
  return s->hub && s->fd.fd >= 0;
}

int green_stdfd_is_waiting(const green_stdfd *s)
{
  return s->writing;
}

/* -- System calls --------------------------------------------------------- */

static int stdfd_is_ready(int fd, short events)
{
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 0) > 0;
}

static int64_t stdfd_write_once(const green_stdfd *s, const char *p, size_t n)
{
  size_t chunk = s->is_tty ? STDFD_TTY_CHUNK : PIPE_BUF;
  switch (s->kind) {
  case STDFD_NONE:
    errno = EBADF;
    return -1;
  case STDFD_PLAIN:
    return write(s->number, p, n);
  case STDFD_PRIVATE:
    return write(s->fd.fd, p, n);
  case STDFD_SOCKET:
    return send(s->fd.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  default:
    errno = EAGAIN;
    if (!stdfd_is_ready(s->fd.fd, POLLOUT)) return -1;
    return write(s->fd.fd, p, n < chunk ? n : chunk);
  }
}

/* Bytes written, fewer than n when it would wait, or an error. */
static int64_t stdfd_write(green_stdfd *s, const char *p, size_t n)
{
  size_t done = 0;
  while (done < n) {
    int64_t r = stdfd_write_once(s, p + done, n - done);
    int err = errno;
    if (r < 0 && err == EINTR) continue;
    if (r < 0 && err == EAGAIN) break;
    if (r < 0) return -err;
    done += (size_t)r;
  }
  if (done) s->given_up = 0;
  return (int64_t)done;
}

static int64_t stdfd_read_once(const green_stdfd *s, char *p, size_t n)
{
  switch (s->kind) {
  case STDFD_NONE:
    errno = EBADF;
    return -1;
  case STDFD_PLAIN:
    return read(s->number, p, n);
  case STDFD_SOCKET:
    return recv(s->fd.fd, p, n, MSG_DONTWAIT);
  case STDFD_SHARED:
    errno = EAGAIN;
    if (!stdfd_is_ready(s->fd.fd, POLLIN)) return -1;
    return read(s->fd.fd, p, n);
  default:
    return read(s->fd.fd, p, n);
  }
}

/* -- The queue ------------------------------------------------------------ */

static void stdfd_wake_room(green_stdfd *s)
{
  if (green_buf_len(&s->out) <= s->limit / 2) green_waitq_wake_all(&s->room, 0);
}

static void stdfd_resume(green_task *t);

/* Something is queued that the copy does not take now. */
static void stdfd_watch(green_stdfd *s)
{
  if (s->writing || !s->hub) return;
  memset(&s->task, 0, sizeof(s->task));
  green_task_init(&s->task, s->hub, stdfd_resume);
  green_task_start(&s->task);
  s->writing = 1;
}

/* What the parent has queued, the parent writes. */
static void stdfd_check_fork(green_stdfd *s)
{
  if (green_likely(!green_fork_happened(&s->generation))) return;
  green_buf_reset(&s->out);
  s->dropped = 0;
  s->error = 0;
  stdfd_wake_room(s);
}

static void stdfd_forked(green_forkhook *h)
{
  stdfd_check_fork(green_container(h, green_stdfd, forked));
}

/* 0, GREEN_EAGAIN, or an error, after which the queue is empty. */
static int stdfd_send(green_stdfd *s)
{
  stdfd_check_fork(s);
  size_t len = green_buf_len(&s->out);
  if (len == 0) return 0;
  stdfd_follow(s);
  int64_t r = stdfd_write(s, green_buf_data(&s->out), len);
  green_buf_consume(&s->out, r < 0 ? len : (size_t)r);
  if (green_buf_len(&s->out) == 0) green_buf_reset(&s->out);
  stdfd_wake_room(s);
  if (r < 0) return (int)r;
  return (size_t)r < len ? GREEN_EAGAIN : 0;
}

int green_stdfd_flush(green_stdfd *s)
{
  int r = stdfd_send(s);
  if (r == GREEN_EAGAIN)
    stdfd_watch(s);
  else if (s->writing)
    green_task_wake(&s->task, 0); /* It has nothing more to do. */
  if (r == 0 && s->error) {
    r = s->error;
    s->error = 0;
  }
  return r;
}

static void stdfd_on_turn(green_defer *d)
{
  green_stdfd *s = green_container(d, green_stdfd, defer);
  int r = green_stdfd_flush(s);
  if (r < 0 && r != GREEN_EAGAIN) s->error = r;
}

static void stdfd_resume(green_task *t)
{
  green_stdfd *s = green_container(t, green_stdfd, task);
  int r = stdfd_send(s);
  if (r == GREEN_EAGAIN)
    r = green_fd_park(&s->fd, t, GREEN_WRITE, GREEN_NEVER);
  else if (r == 0)
    r = 1;
  if (r == 0) return; /* Parked. */
  if (r < 0) s->error = r;
  s->writing = 0;
  green_task_end(t);
}

static int stdfd_enqueue(green_stdfd *s, const char *p, size_t n)
{
  uint32_t len = (uint32_t)green_buf_len(&s->out);
  if (s->out.head > len) green_buf_compact(&s->out);
  int err = green_buf_append(&s->out, p, n);
  if (err < 0) green_stdfd_drop(s, n);
  return err;
}

/* The queue is empty: write at once, queue the rest. */
static int stdfd_put_now(green_stdfd *s, const char *p, size_t n)
{
  stdfd_follow(s);
  int64_t r = stdfd_write(s, p, n);
  if (r < 0) return (int)r;
  if ((size_t)r == n) return 0;
  int err = stdfd_enqueue(s, p + r, n - (size_t)r);
  if (err == 0) stdfd_watch(s);
  return err;
}

/* After deinit: nobody will come back for a queue. */
static int stdfd_put_late(green_stdfd *s, const char *p, size_t n)
{
  while (n > 0) {
    int64_t r = write(s->number, p, n);
    int err = errno;
    if (r < 0 && err == EINTR) continue;
    if (r < 0) return -err;
    p += r;
    n -= (size_t)r;
  }
  return 0;
}

static int stdfd_no_room(green_stdfd *s, size_t n)
{
  if (!s->given_up) return GREEN_EAGAIN;
  green_stdfd_drop(s, n);
  return GREEN_ENOBUFS;
}

int green_stdfd_put(green_stdfd *s, const char *p, size_t n, int lazy)
{
  if (!s->hub) return stdfd_put_late(s, p, n);
  stdfd_check_fork(s);
  size_t len = green_buf_len(&s->out);
  if (lazy && !s->writing && len + n <= STDFD_LAZY) {
    green_hub_defer(s->hub, &s->defer);
    int err = s->error;
    s->error = 0;
    return err < 0 ? err : stdfd_enqueue(s, p, n);
  }
  int r =
      s->writing && len + n <= s->limit ? GREEN_EAGAIN : green_stdfd_flush(s);
  if (r == 0) return stdfd_put_now(s, p, n);
  if (r != GREEN_EAGAIN) return r;
  len = green_buf_len(&s->out);
  return len + n <= s->limit ? stdfd_enqueue(s, p, n) : stdfd_no_room(s, n);
}

green_waitq *green_stdfd_room(green_stdfd *s)
{
  return &s->room;
}

void green_stdfd_drop(green_stdfd *s, size_t n)
{
  s->dropped += n;
}

void green_stdfd_give_up(green_stdfd *s)
{
  s->given_up = 1;
}

double green_stdfd_queued(const green_stdfd *s)
{
  return (double)green_buf_len(&s->out);
}

double green_stdfd_dropped(const green_stdfd *s)
{
  return (double)s->dropped;
}

/* -- Reading -------------------------------------------------------------- */

int64_t green_stdfd_read(green_stdfd *s, char *p, size_t n)
{
  stdfd_follow(s);
  for (;;) {
    int64_t r = stdfd_read_once(s, p, n);
    int err = errno;
    if (r >= 0) return r;
    if (err != EINTR) return -err;
  }
}

size_t green_stdfd_read_ahead(char *p, size_t n)
{
#ifdef __GLIBC__
  const char *from = stdin->_IO_read_ptr, *to = stdin->_IO_read_end;
  size_t ahead = to > from ? (size_t)(to - from) : 0;
  return ahead ? fread(p, 1, n < ahead ? n : ahead, stdin) : 0;
#else
  (void)p, (void)n;
  return 0;
#endif
}

/* -- The end -------------------------------------------------------------- */

static int stdfd_wait_writable(const green_stdfd *s, int64_t due)
{
  int64_t left = (due - green_clock_now()) / 1000000;
  struct pollfd p = {.fd = s->fd.fd, .events = POLLOUT};
  if (left <= 0) return 0;
  return poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX);
}

/* Write as long as somebody reads. */
static void stdfd_linger(green_stdfd *s)
{
  int64_t now = green_clock_now();
  int64_t end = green_clock_after(now, (double)s->linger * 10e-9);
  int64_t due = green_clock_after(now, (double)s->linger * 1e-9);
  size_t before = green_buf_len(&s->out);
  while (stdfd_send(s) == GREEN_EAGAIN) {
    size_t len = green_buf_len(&s->out);
    if (len < before)
      due = green_clock_after(green_clock_now(), (double)s->linger * 1e-9);
    before = len;
    if (stdfd_wait_writable(s, due < end ? due : end) == 0) break;
  }
  s->dropped += green_buf_len(&s->out);
}

static void stdfd_report(const green_stdfd *s)
{
  char text[128];
  int n = snprintf(text, sizeof(text),
                   "greenlua: nobody read descriptor %d: %llu bytes dropped\n",
                   s->number, (unsigned long long)s->dropped);
  if (s->number == 2 || !stdfd_is_ready(2, POLLOUT)) return;
  ssize_t r = write(2, text, (size_t)n);
  (void)r;
}

void green_stdfd_deinit(green_stdfd *s)
{
  if (!s->hub) return;
  stdfd_linger(s);
  if (s->dropped) stdfd_report(s);
  green_hub_undefer(&s->defer);
  green_forkhook_remove(&s->forked);
  if (s->writing) green_task_end(&s->task);
  s->writing = 0;
  green_waitq_wake_all(&s->room, GREEN_ECLOSED);
  if (s->fd.fd >= 0) green_fd_close(&s->fd);
  green_buf_reset(&s->out);
  s->hub = NULL;
}
