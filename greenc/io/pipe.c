/*
** pipe.c: descriptors of any kind that can be polled: opening, and bytes.
*/

#include "io/pipe.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* A fill asks for no less than the first, for no more than the last at once;
** how much it asks for unasked grows to the one in the middle. */
#define FILL_FIRST 4096
#define FILL_GROWN 65536
#define FILL_MOST 262144

/* A pipe that has carried so much gets more room, once: reader and writer wake
** each other less often. Not from the beginning: there is little for all pipes
** of a user together. */
#define ROOM_AFTER (4u << 20)
#define ROOM_GROWN (256 << 10)

/* A terminal says "writable" with as little room as this, or less. */
#define TTY_CHUNK 256u

/* -- Life ----------------------------------------------------------------- */

size_t green_pipe_size(void)
{
  return sizeof(green_pipe);
}

void green_pipe_init(green_pipe *p, green_hub *hub)
{
  p->f.hub = hub;
  p->f.fd = -1;
}

void green_pipe_deinit(green_pipe *p)
{
  green_pipe_close(p);
  p->f.hub = NULL;
}

green_pipe *green_pipe_new(green_hub *hub)
{
  green_pipe *p = green__zalloc(sizeof(*p));
  if (p) green_pipe_init(p, hub);
  return p;
}

void green_pipe_free(green_pipe *p)
{
  if (!p) return;
  green_pipe_deinit(p);
  green__free(p);
}

/* 0, or why it cannot be opened. */
static int pipe_openable(const green_pipe *p)
{
  if (!p->f.hub) return GREEN_ECLOSED;
  return p->f.fd >= 0 ? GREEN_EINVAL : 0;
}

static void pipe_describe(green_pipe *p, int mode, int way)
{
  green_buf_reset(&p->in);
  p->chunk = FILL_FIRST;
  p->mode = (uint8_t)mode;
  p->way = (uint8_t)way;
  p->seen = 0;
  p->is_pipe = p->is_tty = p->is_master = 0;
}

/* What is to be known of an open number besides its directions. */
static void pipe_look(green_pipe *p, mode_t kind, int fd)
{
  int number;
  p->is_pipe = S_ISFIFO(kind);
  p->is_tty = S_ISCHR(kind) && isatty(fd);
  p->is_master = p->is_tty && ioctl(fd, TIOCGPTN, &number) == 0;
}

/* Take over a number that has all its flags; on failure it is closed. A stale
** object may still stand in an idle set: close takes it out. */
static int pipe_own(green_pipe *p, int fd)
{
  green_fd_close(&p->f);
  int err = green__fd_adopt(&p->f, p->f.hub, fd);
  if (err < 0) close(fd);
  return err;
}

/* A number that was just opened, but not one of the standard streams: where
** such a one has been closed, a child that inherits it would get what is ours,
** and wait for the end of a pipe that it holds itself. Or an error. */
static int fd_raised(int fd)
{
  if (fd < 0) return -errno;
  if (fd > STDERR_FILENO) return fd;
  int other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int err = other < 0 ? -errno : 0;
  close(fd);
  return err < 0 ? err : other;
}

/* The numbers of a new pipe. 0 or an error. */
static int fd_pipe(int fds[2], int flags)
{
  int r = pipe2(fds, flags);
  if (r < 0) return -errno;
  fds[0] = fd_raised(fds[0]);
  fds[1] = fd_raised(fds[1]);
  int err = fds[0] < 0 ? fds[0] : fds[1];
  if (err >= 0) return 0;
  if (fds[0] >= 0) close(fds[0]);
  if (fds[1] >= 0) close(fds[1]);
  return err;
}

int green_pipe_pair(green_pipe *reader, green_pipe *writer)
{
  int fds[2], bad = pipe_openable(reader);
  if (bad == 0) bad = pipe_openable(writer);
  if (reader == writer || bad < 0) return bad < 0 ? bad : GREEN_EINVAL;
  int err = fd_pipe(fds, O_NONBLOCK | O_CLOEXEC);
  if (err < 0) return err;
  err = pipe_own(reader, fds[0]);
  if (err < 0) goto fail_second;
  err = pipe_own(writer, fds[1]);
  if (err < 0) goto fail_first;
  pipe_describe(reader, GREEN_READ, GREEN_PIPE_OWN);
  pipe_describe(writer, GREEN_WRITE, GREEN_PIPE_OWN);
  reader->is_pipe = writer->is_pipe = 1;
  return 0;
fail_second:
  close(fds[1]);
  return err;
fail_first:
  green_fd_close(&reader->f);
  return err;
}

int green_pipe_close(green_pipe *p)
{
  green_buf_reset(&p->in);
  green_fd_close(&p->f);
  return 0;
}

int green_pipe_detach(green_pipe *p)
{
  green_buf_reset(&p->in);
  int fd = green_fd_detach(&p->f);
  return fd < 0 ? GREEN_ECLOSED : fd;
}

/* -- Numbers of others ---------------------------------------------------- */

static int mode_flags(int mode)
{
  if (mode == (GREEN_READ | GREEN_WRITE)) return O_RDWR;
  return mode == GREEN_WRITE ? O_WRONLY : O_RDONLY;
}

static int flags_mode(int flags)
{
  int access = flags & O_ACCMODE;
  if (access == O_RDWR) return GREEN_READ | GREEN_WRITE;
  return access == O_WRONLY ? GREEN_WRITE : GREEN_READ;
}

static int kind_is_pollable(mode_t kind)
{
  return !S_ISREG(kind) && !S_ISDIR(kind) && !S_ISBLK(kind);
}

/* The number's flags, and what it is; or a negative error. */
static int fd_look(int fd, int mode, struct stat *st)
{
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return GREEN_EBADF;
  int r = fstat(fd, st);
  if (r < 0) return -errno;
  if (!kind_is_pollable(st->st_mode)) return GREEN_EOPNOTSUPP;
  return (flags_mode(flags) & mode) == mode ? flags : GREEN_EBADF;
}

/* Put in the place of fd a description that nobody else has. */
static int fd_reopen(int fd, int mode)
{
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  int flags = mode_flags(mode) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int own = fd_raised(open(path, flags));
  if (own < 0) return own;
  int r = dup3(own, fd, O_CLOEXEC);
  int err = r < 0 ? -errno : 0;
  close(own);
  return err;
}

/* Which way it is asked not to wait; it has been arranged for. The master of a
** terminal cannot be opened once more: that would be another terminal's. */
static int pipe_find_way(const green_pipe *p, int fd, int flags, mode_t kind)
{
  if (S_ISSOCK(kind)) return GREEN_PIPE_SOCKET;
  if (flags & O_NONBLOCK) return GREEN_PIPE_OWN;
  if (p->is_pipe || (p->is_tty && !p->is_master))
    return fd_reopen(fd, p->mode) == 0 ? GREEN_PIPE_OWN : GREEN_PIPE_SHARED;
  int r = fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  return r < 0 ? -errno : GREEN_PIPE_OWN;
}

static int pipe_adopt(green_pipe *p, int fd, int mode)
{
  struct stat st;
  int flags = fd_look(fd, mode, &st);
  if (flags < 0) return flags;
  green_fd_close(&p->f); /* As in pipe_own. */
  pipe_describe(p, mode ? mode : flags_mode(flags), 0);
  pipe_look(p, st.st_mode, fd);
  int way = pipe_find_way(p, fd, flags, st.st_mode);
  if (way < 0) return way;
  p->way = (uint8_t)way;
  int r = fcntl(fd, F_SETFD, FD_CLOEXEC);
  return r < 0 ? -errno : green__fd_adopt(&p->f, p->f.hub, fd);
}

int green_pipe_adopt(green_pipe *p, int fd, int mode)
{
  int bad = pipe_openable(p);
  return bad < 0 ? bad : pipe_adopt(p, fd, mode);
}

int green_pipe_copy(green_pipe *p, int fd, int mode)
{
  int bad = pipe_openable(p);
  if (bad < 0) return bad;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return -errno;
  int err = pipe_adopt(p, copy, mode);
  if (err < 0) close(copy);
  return err;
}

/* A first read of a FIFO that nobody has written to would find its end. */
void green_pipe_await(green_pipe *p)
{
  p->f.drained = p->is_pipe && p->mode == GREEN_READ;
}

int green_pipe_open(green_pipe *p, const char *path, int mode)
{
  int bad = pipe_openable(p);
  if (bad < 0) return bad;
  int fd = open(path, mode_flags(mode) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int err = pipe_adopt(p, fd, mode);
  if (err < 0) {
    close(fd);
    return err;
  }
  green_pipe_await(p);
  return 0;
}

int green_pipe_fileno(const green_pipe *p)
{
  return p->f.fd < 0 ? GREEN_ECLOSED : p->f.fd;
}

int green_pipe_mode(const green_pipe *p)
{
  return p->f.fd < 0 ? GREEN_ECLOSED : p->mode;
}

int green_pipe_way(const green_pipe *p)
{
  return p->f.fd < 0 ? GREEN_ECLOSED : p->way;
}

int green_pipe_is_tty(const green_pipe *p)
{
  return p->f.fd < 0 ? GREEN_ECLOSED : p->is_tty;
}

/* -- For other programs --------------------------------------------------- */

static int fd_set_waiting(int fd)
{
  int flags = fcntl(fd, F_GETFL);
  int r = flags < 0 ? flags : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  return r < 0 ? -errno : 0;
}

int green_pipe_half(green_pipe *p, int mode, int32_t *other)
{
  int fds[2], bad = pipe_openable(p);
  if (bad < 0) return bad;
  int err = fd_pipe(fds, O_NONBLOCK | O_CLOEXEC);
  if (err < 0) return err;
  int ours = mode == GREEN_READ ? fds[0] : fds[1];
  int theirs = mode == GREEN_READ ? fds[1] : fds[0];
  err = fd_set_waiting(theirs);
  if (err < 0) goto fail_ours;
  err = pipe_own(p, ours);
  if (err < 0) goto fail_theirs;
  pipe_describe(p, mode, GREEN_PIPE_OWN);
  p->is_pipe = 1;
  *other = theirs;
  return 0;
fail_ours:
  close(ours);
fail_theirs:
  close(theirs);
  return err;
}

int green_pipe_plain(int32_t ends[2])
{
  int fds[2];
  int err = fd_pipe(fds, O_CLOEXEC);
  if (err < 0) return err;
  ends[0] = fds[0];
  ends[1] = fds[1];
  return 0;
}

/* The terminal of a new master: the system needs no name for it. */
static int terminal_of(int master, int rows, int cols)
{
  struct winsize w = {.ws_row = (unsigned short)rows,
                      .ws_col = (unsigned short)cols};
  int r = unlockpt(master);
  if (r == 0) r = ioctl(master, TIOCSWINSZ, &w);
  if (r == 0) r = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return fd_raised(r);
}

int green_pipe_terminal(green_pipe *p, int rows, int cols, int32_t *slave)
{
  int bad = pipe_openable(p);
  if (bad < 0) return bad;
  int master =
      fd_raised(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (master < 0) return master;
  int fd = terminal_of(master, rows, cols);
  if (fd < 0) goto fail_master;
  int err = pipe_adopt(p, master, GREEN_READ | GREEN_WRITE);
  if (err < 0) goto fail_slave;
  *slave = fd;
  return 0;
fail_slave:
  close(fd);
  fd = err;
fail_master:
  close(master);
  return fd;
}

/* Opened with the flag: a FIFO that nobody has at its other end would wait. */
static int fd_open_waiting(int fd, int mode)
{
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  int own = open(path, mode_flags(mode) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own < 0) return -errno;
  int err = fd_set_waiting(own);
  if (err == 0) return own;
  close(own);
  return err;
}

static int fd_copy(int fd)
{
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? -errno : copy;
}

int green_pipe_lend(const green_pipe *p, int32_t *fd)
{
  int is_own = p->way == GREEN_PIPE_OWN;
  if (p->f.fd < 0) return GREEN_ECLOSED;
  if (is_own && !p->is_pipe && (!p->is_tty || p->is_master))
    return GREEN_EOPNOTSUPP;
  int n = is_own ? fd_open_waiting(p->f.fd, p->mode) : fd_copy(p->f.fd);
  if (n < 0) return n;
  *fd = n;
  return 0;
}

void green_pipe_drop(int fd)
{
  close(fd);
}

/* -- Bytes ---------------------------------------------------------------- */

static int fd_is_ready(int fd, short events)
{
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, 0) > 0;
}

static ssize_t pipe_read_once(const green_pipe *p, void *ptr, size_t n)
{
  if (p->way == GREEN_PIPE_SOCKET) return recv(p->f.fd, ptr, n, MSG_DONTWAIT);
  if (p->way == GREEN_PIPE_SHARED && !fd_is_ready(p->f.fd, POLLIN)) {
    errno = EAGAIN;
    return -1;
  }
  return read(p->f.fd, ptr, n);
}

static void pipe_count(green_pipe *p, size_t n)
{
  if (p->seen == UINT32_MAX || !p->is_pipe) return;
  p->seen = n < ROOM_AFTER - p->seen ? p->seen + (uint32_t)n : UINT32_MAX;
  if (p->seen != UINT32_MAX) return;
  int room = fcntl(p->f.fd, F_GETPIPE_SZ);
  if (room > 0 && room < ROOM_GROWN) fcntl(p->f.fd, F_SETPIPE_SZ, ROOM_GROWN);
}

/* The master of a terminal tells by an error that its users have gone. */
static int pipe_read(green_pipe *p, void *ptr, size_t n)
{
  ssize_t r;
  if (!(p->mode & GREEN_READ)) return GREEN_EBADF;
  if (p->f.drained) return GREEN_EAGAIN;
  if (n > GREEN_PIPE_CHUNK) n = GREEN_PIPE_CHUNK;
  do r = pipe_read_once(p, ptr, n);
  while (r < 0 && errno == EINTR);
  int err = r < 0 ? errno : 0;
  p->f.drained = err == EAGAIN || (r > 0 && (size_t)r < n);
  if (err == EIO && p->is_master) return 0;
  if (r > 0) pipe_count(p, (size_t)r);
  return r < 0 ? -err : (int)r;
}

int green_pipe_recv(green_pipe *p, void *ptr, size_t n)
{
  if (p->f.fd < 0) return GREEN_ECLOSED;
  size_t len = green_buf_len(&p->in);
  if (!len) return pipe_read(p, ptr, n);
  if (n > len) n = len;
  memcpy(ptr, green_buf_data(&p->in), n);
  green_buf_consume(&p->in, n);
  if (!green_buf_len(&p->in)) green_buf_reset(&p->in);
  return (int)n;
}

/* How much to read: the room there is, if that is enough; else what is wanted
** or has been useful, within the limit; 0: the buffer is full. */
static size_t fill_room(const green_pipe *p, size_t want)
{
  size_t len = green_buf_len(&p->in), room = green_buf_room(&p->in);
  size_t limit = p->in.max ? p->in.max : GREEN_BUF_MAX;
  size_t left = limit > len ? limit - len : 0;
  if (want > FILL_MOST) want = FILL_MOST;
  if (room < want || room < p->chunk / 4)
    room = want > p->chunk ? want : p->chunk;
  return room < left ? room : left;
}

/* Full reads ask for larger ones, small ones for smaller. */
static void fill_adapt(green_pipe *p, size_t asked, size_t got)
{
  if (got == asked && p->chunk < FILL_GROWN)
    p->chunk *= 2;
  else if (got < p->chunk / 4 && p->chunk > FILL_FIRST)
    p->chunk /= 2;
}

static int pipe_fill(green_pipe *p, size_t want)
{
  if (p->f.drained) return GREEN_EAGAIN;
  size_t room = fill_room(p, want);
  if (!room) return GREEN_ETOOBIG;
  int err = green_buf_reserve(&p->in, room);
  if (err < 0) return err;
  int r = pipe_read(p, green_buf_space(&p->in), room);
  if (r <= 0) return r;
  green_buf_commit(&p->in, (size_t)r);
  fill_adapt(p, room, (size_t)r);
  return r;
}

int green_pipe_fill(green_pipe *p, size_t want)
{
  if (p->f.fd < 0) return GREEN_ECLOSED;
  int r = pipe_fill(p, want);
  if (r <= 0 && !green_buf_len(&p->in)) green_buf_reset(&p->in);
  return r;
}

green_buf *green_pipe_input(green_pipe *p)
{
  return &p->in;
}

/* Of what is asked for by poll, no more than there is room for then. */
static ssize_t pipe_write_once(const green_pipe *p, const void *ptr, size_t n)
{
  size_t most = p->is_tty ? TTY_CHUNK : PIPE_BUF;
  if (p->way == GREEN_PIPE_SOCKET)
    return send(p->f.fd, ptr, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (p->way == GREEN_PIPE_OWN) return write(p->f.fd, ptr, n);
  errno = EAGAIN;
  if (!fd_is_ready(p->f.fd, POLLOUT)) return -1;
  return write(p->f.fd, ptr, n < most ? n : most);
}

int green_pipe_send(green_pipe *p, const void *ptr, size_t n)
{
  ssize_t r;
  if (p->f.fd < 0) return GREEN_ECLOSED;
  if (!(p->mode & GREEN_WRITE)) return GREEN_EBADF;
  if (n > GREEN_PIPE_CHUNK) n = GREEN_PIPE_CHUNK;
  do r = pipe_write_once(p, ptr, n);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : (int)r;
}

/* -- Size ----------------------------------------------------------------- */

int green_pipe_room(const green_pipe *p)
{
  if (p->f.fd < 0) return GREEN_ECLOSED;
  if (!p->is_pipe) return GREEN_EOPNOTSUPP;
  int r = fcntl(p->f.fd, F_GETPIPE_SZ);
  return r < 0 ? -errno : r;
}

int green_pipe_set_room(green_pipe *p, int bytes)
{
  if (p->f.fd < 0) return GREEN_ECLOSED;
  if (!p->is_pipe) return GREEN_EOPNOTSUPP;
  int r = fcntl(p->f.fd, F_SETPIPE_SZ, bytes);
  return r < 0 ? -errno : r;
}

int green_pipe_window(const green_pipe *p, int32_t size[2])
{
  struct winsize w;
  if (p->f.fd < 0) return GREEN_ECLOSED;
  if (!p->is_tty) return GREEN_EOPNOTSUPP;
  int r = ioctl(p->f.fd, TIOCGWINSZ, &w);
  if (r < 0) return -errno;
  size[0] = w.ws_row;
  size[1] = w.ws_col;
  return 0;
}

int green_pipe_set_window(green_pipe *p, int rows, int cols)
{
  struct winsize w = {.ws_row = (unsigned short)rows,
                      .ws_col = (unsigned short)cols};
  if (p->f.fd < 0) return GREEN_ECLOSED;
  if (!p->is_tty) return GREEN_EOPNOTSUPP;
  if (rows < 0 || rows > USHRT_MAX || cols < 0 || cols > USHRT_MAX)
    return GREEN_EINVAL;
  int r = ioctl(p->f.fd, TIOCSWINSZ, &w);
  return r < 0 ? -errno : 0;
}
