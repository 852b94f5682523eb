/*
** pipe_test.c: pipes: the ways not to wait, ends, directions, what fails.
*/

/* wrap: open pipe2 */

#include "actor.h"
#include "io/pipe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define BLOCK 65536 /* What a pipe takes. */

static green_hub *hub;
static char room[2 * BLOCK];
static int open_fails; /* The error of the next open, 0: none. */
static int pipe_fails;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);

int __wrap_open(const char *path, int flags, ...)
{
  if (!open_fails) return __real_open(path, flags);
  errno = open_fails;
  open_fails = 0;
  return -1;
}

int __wrap_pipe2(int fds[2], int flags)
{
  if (!pipe_fails) return __real_pipe2(fds, flags);
  errno = pipe_fails;
  pipe_fails = 0;
  return -1;
}

static int open_fds(void)
{
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  if (!d) return -1;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static int is_nonblocking(int fd)
{
  return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static green_pipe *new_pipe(void)
{
  green_pipe *p = green_pipe_new(hub);
  if (!p) abort();
  return p;
}

static void raw_pipe(int fds[2])
{
  if (pipe(fds) < 0) abort();
}

/* -- Pairs ---------------------------------------------------------------- */

static void test_pair(void)
{
  green_pipe *r = new_pipe(), *w = new_pipe();
  is(green_pipe_pair(r, r), GREEN_EINVAL, "two ends are two objects");
  is(green_pipe_recv(r, room, 1), GREEN_ECLOSED, "closed at first");
  is(green_pipe_pair(r, w), 0, "a pipe");
  is(green_pipe_pair(r, w), GREEN_EINVAL, "which is open");
  is(green_pipe_recv(r, room, 10), GREEN_EAGAIN, "nothing there");
  is(green_pipe_send(w, "hello", 5), 5, "written");
  is(green_pipe_recv(r, room, 10), GREEN_EAGAIN, "the poll has not told yet");
  r->f.drained = 0;
  is(green_pipe_recv(r, room, 2), 2, "a part");
  is(green_pipe_fill(r, 0), 3, "the rest, into the buffer");
  is(green_pipe_recv(r, room, 9), 3, "and out of it");
  is(green_pipe_send(r, "x", 1), GREEN_EBADF, "a reader does not write");
  is(green_pipe_recv(w, room, 1), GREEN_EBADF, "a writer does not read");
  is(green_pipe_mode(r), GREEN_READ, "its direction");
  is(green_pipe_close(w), 0, "close");
  r->f.drained = 0;
  is(green_pipe_recv(r, room, 1), 0, "the end");
  is(green_pipe_recv(r, room, 1), 0, "which stays");
  green_pipe_free(r);
  green_pipe_free(w);
}

static void test_full(void)
{
  green_pipe *r = new_pipe(), *w = new_pipe();
  green_pipe_pair(r, w);
  is(green_pipe_send(w, room, sizeof(room)), BLOCK, "as much as it takes");
  is(green_pipe_send(w, room, 1), GREEN_EAGAIN, "no more");
  ok(green_pipe_set_room(w, 2 * BLOCK) >= 2 * BLOCK, "more room");
  is(green_pipe_room(r), green_pipe_room(w), "at both ends");
  is(green_pipe_send(w, room, BLOCK), BLOCK, "which is used");
  is(green_pipe_set_room(w, BLOCK), GREEN_EBUSY, "less is too late");
  is(green_pipe_recv(r, room, sizeof(room)), 2 * BLOCK, "all of it");
  green_pipe_close(r);
  is(green_pipe_send(w, room, 1), GREEN_EPIPE, "nobody reads");
  green_pipe_free(r);
  green_pipe_free(w);
}

static void test_limit(void)
{
  green_pipe *r = new_pipe(), *w = new_pipe();
  green_pipe_pair(r, w);
  green_pipe_input(r)->max = 8;
  green_pipe_send(w, "0123456789", 10);
  is(green_pipe_fill(r, 0), 8, "up to the buffer's limit");
  is(green_pipe_fill(r, 0), GREEN_ETOOBIG, "no further");
  is(green_pipe_recv(r, room, 9), 8, "what it held");
  is(green_pipe_fill(r, 0), 2, "then the rest");
  green_pipe_free(r);
  green_pipe_free(w);
}

/* -- Numbers of others ---------------------------------------------------- */

static void test_private(void)
{
  int fds[2];
  green_pipe *r = new_pipe(), *w = new_pipe();
  raw_pipe(fds);
  int others = dup(fds[0]);
  is(green_pipe_adopt(r, fds[0], 0), 0, "for what it was opened for");
  is(green_pipe_mode(r), GREEN_READ, "reading");
  is(green_pipe_fileno(r), fds[0], "the number stays");
  is(green_pipe_way(r), GREEN_PIPE_OWN, "by a flag of its own");
  ok(is_nonblocking(fds[0]) && !is_nonblocking(others), "others have not");
  is(fcntl(fds[0], F_GETFD), FD_CLOEXEC, "close-on-exec");
  is(green_pipe_copy(w, fds[1], GREEN_WRITE), 0, "a copy");
  ok(green_pipe_fileno(w) != fds[1], "has another number");
  ok(!is_nonblocking(fds[1]), "the copied one stays as it is");
  is(green_pipe_send(w, "x", 1), 1, "written");
  is(green_pipe_recv(r, room, 9), 1, "and read");
  green_pipe_free(r);
  green_pipe_free(w);
  close(others);
  close(fds[1]);
}

/* Where a description of one's own cannot be had. */
static void test_shared(void)
{
  int fds[2];
  green_pipe *r = new_pipe(), *w = new_pipe();
  raw_pipe(fds);
  open_fails = EACCES;
  is(green_pipe_adopt(r, fds[0], GREEN_READ), 0, "the reader");
  open_fails = EACCES;
  is(green_pipe_adopt(w, fds[1], GREEN_WRITE), 0, "the writer");
  is(green_pipe_way(r), GREEN_PIPE_SHARED, "asked by poll");
  ok(!is_nonblocking(fds[0]) && !is_nonblocking(fds[1]), "the flags stay");
  is(green_pipe_recv(r, room, 1), GREEN_EAGAIN, "no wait for input");
  int sent = 0, n;
  while ((n = green_pipe_send(w, room, sizeof(room))) > 0) sent += n;
  is(n, GREEN_EAGAIN, "no wait for room");
  is(sent, BLOCK, "all there was");
  r->f.drained = 0;
  is(green_pipe_recv(r, room, sizeof(room)), BLOCK, "is read");
  green_pipe_close(w);
  r->f.drained = 0;
  is(green_pipe_recv(r, room, 1), 0, "the end");
  green_pipe_free(r);
  green_pipe_free(w);
}

static void test_socket(void)
{
  int fds[2];
  green_pipe *a = new_pipe();
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) abort();
  is(green_pipe_adopt(a, fds[0], 0), 0, "a socket");
  is(green_pipe_way(a), GREEN_PIPE_SOCKET, "is asked call by call");
  ok(!is_nonblocking(fds[0]), "its flag stays");
  is(green_pipe_recv(a, room, 1), GREEN_EAGAIN, "nothing there");
  ok(write(fds[1], "x", 1) == 1, "the peer writes");
  a->f.drained = 0;
  is(green_pipe_recv(a, room, 9), 1, "read");
  while (green_pipe_send(a, room, sizeof(room)) > 0) {
  }
  is(green_pipe_send(a, room, 1), GREEN_EAGAIN, "no wait for room");
  close(fds[1]);
  is(green_pipe_send(a, room, 1), GREEN_EPIPE, "and no SIGPIPE");
  green_pipe_free(a);
}

static void test_refused(void)
{
  int fds[2];
  green_pipe *p = new_pipe();
  int file = __real_open("/proc/self/exe", O_RDONLY);
  int folder = __real_open("/", O_RDONLY);
  is(green_pipe_adopt(p, file, GREEN_READ), GREEN_EOPNOTSUPP, "a file");
  is(green_pipe_adopt(p, folder, 0), GREEN_EOPNOTSUPP, "a folder");
  ok(fcntl(file, F_GETFD) >= 0, "they stay the caller's");
  close(file);
  close(folder);
  is(green_pipe_adopt(p, file, GREEN_READ), GREEN_EBADF, "not open");
  raw_pipe(fds);
  is(green_pipe_adopt(p, fds[0], GREEN_WRITE), GREEN_EBADF, "not to write");
  is(green_pipe_copy(p, fds[1], GREEN_READ), GREEN_EBADF, "not to read");
  is(green_pipe_open(p, "/nowhere/at/all", GREEN_READ), -ENOENT, "no path");
  pipe_fails = EMFILE;
  green_pipe *q = new_pipe();
  is(green_pipe_pair(p, q), GREEN_EMFILE, "no numbers left");
  is(green_pipe_room(p), GREEN_ECLOSED, "it stays closed");
  green_pipe_deinit(p);
  is(green_pipe_open(p, "/dev/null", GREEN_READ), GREEN_ECLOSED, "for good");
  green_pipe_free(p);
  green_pipe_free(q);
  close(fds[0]);
  close(fds[1]);
}

/* -- Terminals ------------------------------------------------------------ */

static void make_raw(int fd)
{
  struct termios t;
  tcgetattr(fd, &t);
  cfmakeraw(&t);
  tcsetattr(fd, TCSANOW, &t);
}

static void test_terminal(void)
{
  int32_t size[2];
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(master);
  unlockpt(master);
  int slave = __real_open(ptsname(master), O_RDWR | O_NOCTTY);
  make_raw(slave);
  int others = dup(slave);
  green_pipe *m = new_pipe(), *s = new_pipe();
  is(green_pipe_adopt(m, master, 0), 0, "the master");
  is(green_pipe_adopt(s, slave, 0), 0, "the terminal");
  ok(!is_nonblocking(others), "others of it notice nothing");
  is(green_pipe_is_tty(m), 1, "it is one");
  is(green_pipe_set_window(m, 33, 111), 0, "its window");
  is(green_pipe_window(s, size), 0, "seen from the other side");
  ok(size[0] == 33 && size[1] == 111, "as it was set");
  is(green_pipe_set_window(m, -1, 1), GREEN_EINVAL, "no window");
  is(green_pipe_room(m), GREEN_EOPNOTSUPP, "no pipe");
  is(green_pipe_send(m, "x", 1), 1, "typed");
  is(green_pipe_recv(s, room, 9), 1, "read");
  is(green_pipe_send(s, "yz", 2), 2, "shown");
  is(green_pipe_recv(m, room, 9), 2, "seen");
  green_pipe_close(s);
  close(others);
  m->f.drained = 0;
  is(green_pipe_recv(m, room, 9), 0, "nobody has it any more: the end");
  green_pipe_free(m);
  green_pipe_free(s);
}

/* -- For other programs --------------------------------------------------- */

static void test_half(void)
{
  int32_t theirs = -1, ends[2] = {-1, -1};
  green_pipe *r = new_pipe();
  is(green_pipe_half(r, GREEN_READ, &theirs), 0, "our end reads");
  ok(is_nonblocking(green_pipe_fileno(r)), "and never waits");
  ok(!is_nonblocking(theirs), "the other one does");
  is(fcntl(theirs, F_GETFD), FD_CLOEXEC, "and is not for all");
  is(green_pipe_half(r, GREEN_READ, &theirs), GREEN_EINVAL, "it is open");
  ok(write(theirs, "x", 1) == 1, "written there");
  is(green_pipe_recv(r, room, 9), 1, "read here");
  green_pipe_drop(theirs);
  green_pipe_close(r);
  is(green_pipe_half(r, GREEN_WRITE, &theirs), 0, "the other way");
  is(green_pipe_send(r, "x", 1), 1, "written here");
  ok(read(theirs, room, 9) == 1, "read there");
  green_pipe_drop(theirs);
  is(green_pipe_plain(ends), 0, "two plain ends");
  ok(!is_nonblocking(ends[0]) && !is_nonblocking(ends[1]), "wait both");
  green_pipe_drop(ends[0]);
  green_pipe_drop(ends[1]);
  pipe_fails = EMFILE;
  is(green_pipe_plain(ends), GREEN_EMFILE, "none left");
  green_pipe_close(r);
  pipe_fails = ENFILE;
  is(green_pipe_half(r, GREEN_READ, &theirs), GREEN_ENFILE, "none at all");
  green_pipe_free(r);
}

static void test_new_terminal(void)
{
  int32_t theirs = -1, size[2];
  green_pipe *m = new_pipe();
  is(green_pipe_terminal(m, 30, 90, &theirs), 0, "a terminal");
  is(isatty(theirs), 1, "is one");
  ok(!is_nonblocking(theirs), "and waits");
  is(green_pipe_window(m, size), 0, "has a window");
  ok(size[0] == 30 && size[1] == 90, "of that size");
  is(green_pipe_send(m, "x\n", 2), 2, "typed");
  ok(read(theirs, room, 9) == 2, "read");
  is(green_pipe_lend(m, &theirs), GREEN_EOPNOTSUPP, "a master is not lent");
  green_pipe_drop(theirs);
  green_pipe_free(m);
}

static void test_lend(void)
{
  int32_t fd = -1;
  green_pipe *r = new_pipe(), *w = new_pipe();
  is(green_pipe_lend(r, &fd), GREEN_ECLOSED, "it is closed");
  green_pipe_pair(r, w);
  is(green_pipe_lend(w, &fd), 0, "the writer, lent");
  ok(!is_nonblocking(fd), "waits");
  ok(is_nonblocking(green_pipe_fileno(w)), "while ours does not");
  ok(write(fd, "x", 1) == 1, "written there");
  green_pipe_drop(fd);
  is(green_pipe_recv(r, room, 9), 1, "read here");
  open_fails = EACCES;
  is(green_pipe_lend(r, &fd), GREEN_EACCES, "it may not work");
  green_pipe_free(r);
  green_pipe_free(w);
}

/* What carries much gets more room, once. */
static void test_growth(void)
{
  green_pipe *r = new_pipe(), *w = new_pipe();
  green_pipe_pair(r, w);
  int before = green_pipe_room(r), total = 0;
  while (total < 5 << 20) {
    int n = green_pipe_send(w, room, BLOCK);
    if (n > 0) total += n;
    r->f.drained = 0;
    green_pipe_recv(r, room, BLOCK);
    if (total == 1 << 20) is(green_pipe_room(r), before, "not at once");
  }
  ok(green_pipe_room(r) > before, "later");
  green_pipe_set_room(r, BLOCK);
  r->f.drained = 0;
  green_pipe_send(w, room, BLOCK);
  green_pipe_recv(r, room, BLOCK);
  is(green_pipe_room(r), BLOCK, "whoever wants less has less");
  green_pipe_free(r);
  green_pipe_free(w);
}

/* -- Waiting -------------------------------------------------------------- */

static void test_close_wakes(void)
{
  green_pipe *r = new_pipe(), *w = new_pipe();
  actor a;
  green_pipe_pair(r, w);
  actor_start(&a, hub, 0, step_read);
  a.fd = green_pipe_fd(r);
  turns(hub, 1);
  green_pipe_close(r);
  run_out(hub);
  is(a.task.status, GREEN_ECLOSED, "who waits is told");
  green_pipe_free(r);
  green_pipe_free(w);
}

static void test_wait_for_bytes(void)
{
  green_pipe *r = new_pipe(), *w = new_pipe();
  actor a;
  green_pipe_pair(r, w);
  is(green_pipe_recv(r, room, 1), GREEN_EAGAIN, "nothing there");
  actor_start(&a, hub, 0, step_read);
  a.fd = green_pipe_fd(r);
  turns(hub, 1);
  green_pipe_send(w, "x", 1);
  run_out(hub);
  is(a.runs, 2, "woken");
  is(green_pipe_recv(r, room, 9), 1, "there is something");
  green_pipe_free(r);
  green_pipe_free(w);
}

int main(void)
{
  t_start();
  signal(SIGPIPE, SIG_IGN);
  hub = hub_open(NULL);
  int fds = open_fds();
  test_pair();
  test_full();
  test_limit();
  test_private();
  test_shared();
  test_socket();
  test_refused();
  test_terminal();
  test_half();
  test_new_terminal();
  test_lend();
  test_growth();
  test_close_wakes();
  test_wait_for_bytes();
  ok(is_clean(hub), "nothing is left in the hub");
  is(open_fds(), fds, "no descriptor is left open");
  green_hub_free(hub);
  return t_done();
}
