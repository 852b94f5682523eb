/*
** stdfd_test.c: inherited descriptors that must not stop the loop.
*/

/* wrap: open */

#include "base/mem.h"
#include "io/stdfd_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int no_proc; /* Opening anew fails. */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
  if (no_proc && strncmp(path, "/proc/", 6) == 0) {
    errno = ENOENT;
    return -1;
  }
  return __real_open(path, flags, 0600);
}

/* n bytes whose order can be checked. */
static char *block(size_t n, char from)
{
  char *p = malloc(n);
  if (!p) abort();
  for (size_t i = 0; i < n; i++) p[i] = (char)(from + (char)(i % 23));
  return p;
}

static int put_block(kit *k, size_t n, char from)
{
  char *p = block(n, from);
  int r = green_stdfd_put(k->s, p, n, 0);
  free(p);
  return r;
}

/* Is the next thing to read a block? Turns while it comes. */
static int reads_block(kit *k, size_t n, char from)
{
  char *want = block(n, from), *got = malloc(n);
  size_t len = 0;
  for (int i = 0; len < n && i < 10000; i++) {
    ssize_t r = has_input(k->in) ? read(k->in, got + len, n - len) : 0;
    if (r > 0) len += (size_t)r;
    turns(k->hub, 1);
  }
  int same = len == n && memcmp(want, got, n) == 0;
  free(want);
  free(got);
  return same;
}

/* -- Opening -------------------------------------------------------------- */

static void test_what_needs_none(void)
{
  green_hub *hub = hub_open(NULL);
  int err, null = open("/dev/null", O_RDWR | O_CLOEXEC);
  free(open_on(hub, null, 1, &err));
  is(err, GREEN_EOPNOTSUPP, "/dev/null is left to C's stdio");
  close(null);
  FILE *f = tmpfile();
  free(open_on(hub, fileno(f), 1, &err));
  is(err, GREEN_EOPNOTSUPP, "so is a regular file");
  fclose(f);
  free(open_on(hub, 999, 1, &err));
  is(err, GREEN_EBADF, "what is not open is told");
  green_hub_free(hub);
}

static void test_flags_stay(void)
{
  kit k = kit_open();
  put_block(&k, 3 * BLOCK, 'a');
  turns(k.hub, 2);
  is(fcntl(k.out, F_GETFL) & O_NONBLOCK, 0,
     "the shared flags stay as they are");
  is(fcntl(k.out, F_GETFD), 0, "the inherited number too");
  ok(reads_block(&k, 3 * BLOCK, 'a'), "all arrives");
  turns(k.hub, 2);
  kit_close(&k);
}

/* -- Writing -------------------------------------------------------------- */

static void test_at_once_and_lazy(void)
{
  kit k = kit_open();
  is(put(&k, "one", 0), 0, "a write is taken");
  ok(reads(k.in, "one"), "and is there at once");
  is(put(&k, "two", 1), 0, "a lazy one too");
  put(&k, "three", 1);
  ok(!has_input(k.in), "it waits for the end of the turn");
  turns(k.hub, 1);
  ok(reads(k.in, "twothree"), "and goes with the others");
  put(&k, "four", 1);
  put(&k, "five", 0);
  ok(reads(k.in, "fourfive"), "what comes later at once stays behind it");
  put(&k, "six", 1);
  is(green_stdfd_flush(k.s), 0, "a flush sends it");
  ok(reads(k.in, "six"), "in time");
  kit_close(&k);
}

static void test_a_full_pipe(void)
{
  kit k = kit_open();
  is(put_block(&k, BLOCK, 'a'), 0, "the pipe takes so much");
  is(put_block(&k, BLOCK, 'b'), 0, "the rest is queued");
  is(put(&k, "c", 1), 0, "lazy ones behind it");
  is((int)green_stdfd_queued(k.s), BLOCK + 1, "and counted");
  turns(k.hub, 3);
  is(stats_of(k.hub).waits, 1, "one task waits for the reader");
  is(green_stdfd_is_waiting(k.s), 1, "who counts waits is told");
  is(green_stdfd_is_open(k.s), 1, "and that it has a descriptor");
  ok(reads_block(&k, BLOCK, 'a'), "first is first");
  ok(reads_block(&k, BLOCK, 'b'), "then the next");
  turns(k.hub, 2);
  ok(reads(k.in, "c"), "then the last");
  is((int)green_stdfd_queued(k.s), 0, "and the queue is empty");
  turns(k.hub, 2);
  is(green_stdfd_is_waiting(k.s), 0, "nothing waits any more");
  ok(is_clean(k.hub) || stats_of(k.hub).live == 0, "no task is left");
  kit_close(&k);
}

static void test_the_limit(void)
{
  kit k = kit_open();
  actor waiter;
  put_block(&k, BLOCK, 'a');
  put_block(&k, 2 * BLOCK, 'b');
  is(put(&k, "x", 0), GREEN_EAGAIN, "beyond the limit nothing is taken");
  actor_start(&waiter, k.hub, 0, step_park);
  waiter.q = green_stdfd_room(k.s);
  turns(k.hub, 2);
  is(waiter.task.state, GREEN_TASK_PARKED, "who waits for room stands there");
  ok(reads_block(&k, BLOCK, 'a') && reads_block(&k, BLOCK, 'b'), "until half");
  turns(k.hub, 2);
  is(waiter.task.state, GREEN_TASK_DEAD, "is free again");
  is(put(&k, "x", 0), 0, "then it is taken");
  ok(reads_block(&k, 0, 'a'), "nothing was torn");
  char rest[BLOCK];
  ssize_t n = read(k.in, rest, BLOCK);
  ok(n > 0, "more was there");
  turns(k.hub, 3);
  kit_close(&k);
}

static void test_giving_up(void)
{
  kit k = kit_open();
  put_block(&k, BLOCK, 'a');
  put_block(&k, 2 * BLOCK, 'b');
  green_stdfd_give_up(k.s);
  is(put(&k, "lost", 0), GREEN_ENOBUFS, "a reader given up is not waited for");
  is((int)green_stdfd_dropped(k.s), 4, "what is lost is counted");
  green_stdfd_drop(k.s, 3);
  is((int)green_stdfd_dropped(k.s), 7, "by hand too");
  ok(reads_block(&k, BLOCK, 'a'), "when it reads again");
  is(put_block(&k, 3 * BLOCK, 'c'), GREEN_EAGAIN, "it is waited for again");
  ok(reads_block(&k, 2 * BLOCK, 'b'), "what was queued arrives whole");
  turns(k.hub, 2);
  kit_close(&k);
}

static void test_a_block_beyond_the_limit(void)
{
  kit k = kit_open();
  is(put_block(&k, 8 * BLOCK, 'a'), 0, "an empty queue takes any size");
  ok(reads_block(&k, 8 * BLOCK, 'a'), "and gives it back whole");
  turns(k.hub, 2);
  kit_close(&k);
}

static void test_a_reader_that_leaves(void)
{
  kit k = kit_open();
  put_block(&k, BLOCK, 'a');
  put_block(&k, 100, 'b');
  turns(k.hub, 2);
  close(k.in);
  turns(k.hub, 2);
  is((int)green_stdfd_queued(k.s), 0, "the queue is dropped");
  is(green_stdfd_flush(k.s), GREEN_EPIPE, "the next call tells");
  is(put(&k, "x", 0), GREEN_EPIPE, "and each write");
  put(&k, "x", 1);
  turns(k.hub, 1);
  is(put(&k, "y", 1), GREEN_EPIPE, "a lazy one the next time");
  kit_close(&k);
}

static void test_another_file_on_the_number(void)
{
  kit k = kit_open();
  int other[2];
  if (pipe(other) < 0) abort();
  put(&k, "here", 0);
  dup2(other[1], k.out);
  put(&k, "there", 0);
  ok(reads(k.in, "here"), "before");
  ok(reads(other[0], "there"), "writes follow dup2");
  FILE *f = tmpfile();
  dup2(fileno(f), k.out);
  is(put(&k, "file", 0), 0, "to a regular file too");
  is(lseek(fileno(f), 0, SEEK_END), 4, "which has it");
  fclose(f);
  close(other[0]);
  close(other[1]);
  kit_close(&k);
}

static void test_a_closed_number(void)
{
  kit k = kit_open();
  close(k.out);
  is(put(&k, "x", 0), GREEN_EBADF, "nowhere to write");
  k.out = dup(k.in);
  kit_close(&k);
}

static void test_no_memory(void)
{
  kit k = kit_open();
  put_block(&k, BLOCK, 'a');
  green__alloc_fail_from(1);
  int r = put(&k, "lost", 0);
  green__alloc_fail_from(0);
  is(r, GREEN_ENOMEM, "out of memory is told");
  is((int)green_stdfd_dropped(k.s), 4, "and counted");
  kit_close(&k);
}

/* -- Other kinds ---------------------------------------------------------- */

static void test_without_proc(void)
{
  no_proc = 1;
  kit k = kit_open();
  no_proc = 0;
  is(put_block(&k, 3 * BLOCK, 'a'), 0, "a shared pipe does not block");
  is(fcntl(k.out, F_GETFL) & O_NONBLOCK, 0, "and keeps its flags");
  ok(reads_block(&k, 3 * BLOCK, 'a'), "all arrives");
  turns(k.hub, 2);
  kit_close(&k);
}

static void test_a_socket(void)
{
  green_hub *hub = hub_open(NULL);
  int fds[2], err;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) abort();
  green_stdfd *s = open_on(hub, fds[0], 1, &err);
  char *p = block(40 * BLOCK, 'a');
  is(green_stdfd_put(s, p, 40 * BLOCK, 0), 0, "a full socket does not block");
  free(p);
  ok(green_stdfd_queued(s) > 0, "the rest is queued");
  is(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0, "its flags stay");
  close(fds[1]);
  turns(hub, 2);
  green_stdfd_deinit(s);
  free(s);
  green_hub_free(hub);
  close(fds[0]);
}

static void test_a_terminal(void)
{
  green_hub *hub = hub_open(NULL);
  int err, master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
    t_skip("terminals", "no pty here");
    green_hub_free(hub);
    return;
  }
  int tty = open(ptsname(master), O_RDWR | O_NOCTTY);
  green_stdfd *s = open_on(hub, tty, 1, &err);
  is(err, 0, "a terminal is taken");
  ok(green_stdfd_is_tty(s), "and known as one");
  char *p = block(8 * BLOCK, 'a');
  is(green_stdfd_put(s, p, 8 * BLOCK, 0), 0, "nobody reads, nothing blocks");
  free(p);
  ok(green_stdfd_queued(s) > 0, "the rest is queued");
  is(fcntl(tty, F_GETFL) & O_NONBLOCK, 0, "its flags stay");
  green_stdfd_deinit(s);
  free(s);
  green_hub_free(hub);
  close(tty);
  close(master);
}

/* -- Reading -------------------------------------------------------------- */

static void reading_from(int shared)
{
  green_hub *hub = hub_open(NULL);
  int fds[2], err;
  char p[16];
  if (pipe(fds) < 0) abort();
  no_proc = shared;
  green_stdfd *s = open_on(hub, fds[0], 0, &err);
  no_proc = 0;
  is(green_stdfd_read(s, p, 16), GREEN_EAGAIN, "nothing there yet");
  actor reader;
  actor_start(&reader, hub, 0, step_read);
  reader.fd = (green_fd *)s;
  turns(hub, 2);
  is(reader.task.state, GREEN_TASK_PARKED, "a reader waits");
  is(write(fds[1], "abc", 3), 3, "bytes come");
  turns(hub, 2);
  is(reader.task.state, GREEN_TASK_DEAD, "they wake it");
  is(green_stdfd_read(s, p, 2), 2, "some");
  is(green_stdfd_read(s, p, 16), 1, "and the rest");
  close(fds[1]);
  is(green_stdfd_read(s, p, 16), 0, "then the end");
  is(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0, "the flags stay");
  green_stdfd_deinit(s);
  ok(is_clean(hub), "nothing is left");
  free(s);
  green_hub_free(hub);
  close(fds[0]);
}

static void test_reading(void)
{
  reading_from(0);
  reading_from(1);
}

/* -- The end -------------------------------------------------------------- */

/* A child that reads slowly and gives whether it got n bytes. */
static pid_t slow_reader(kit *k, size_t n)
{
  pid_t pid = fork();
  if (pid != 0) return pid;
  char p[16384];
  size_t len = 0;
  close(k->out);
  for (;;) {
    ssize_t r = read(k->in, p, sizeof(p));
    if (r <= 0) break;
    len += (size_t)r;
    usleep(1000);
  }
  _exit(len == n ? 0 : 1);
}

static void test_deinit_flushes(void)
{
  kit k = kit_open();
  int status = 0;
  put_block(&k, 4 * BLOCK, 'a');
  put(&k, "end", 1);
  pid_t pid = slow_reader(&k, 4 * BLOCK + 3);
  /* The child has the private copies too: it sees no end while they live. */
  close(k.in);
  green_stdfd_set(k.s, BLOCK, 5);
  green_stdfd_deinit(k.s);
  is(green_stdfd_is_open(k.s), 0, "the end gives its descriptor back");
  is((int)green_stdfd_queued(k.s), 0, "the end writes all");
  is((int)green_stdfd_dropped(k.s), 0, "for a reader that is slow");
  is(green_stdfd_put(k.s, "", 0, 0), 0, "twice does no harm");
  green_stdfd_deinit(k.s);
  close(k.out);
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  free(k.s);
  green_hub_free(k.hub);
}

static void test_deinit_is_bounded(void)
{
  kit k = kit_open();
  put_block(&k, 2 * BLOCK, 'a');
  int64_t start = green_clock_now();
  green_stdfd_deinit(k.s);
  ok(green_clock_now() - start < 10 * GREEN_SECOND, "a stuck reader is left");
  is((int)green_stdfd_dropped(k.s), BLOCK, "and what is lost is counted");
  char p[BLOCK];
  is(read(k.in, p, BLOCK), BLOCK, "the pipe was full");
  is(put(&k, "late", 0), 0, "who writes after that is served");
  ok(reads(k.in, "late"), "at once");
  kit_close(&k);
}

int main(void)
{
  t_start();
  signal(SIGPIPE, SIG_IGN);
  test_what_needs_none();
  test_flags_stay();
  test_at_once_and_lazy();
  test_a_full_pipe();
  test_the_limit();
  test_giving_up();
  test_a_block_beyond_the_limit();
  test_a_reader_that_leaves();
  test_another_file_on_the_number();
  test_a_closed_number();
  test_no_memory();
  test_without_proc();
  test_a_socket();
  test_a_terminal();
  test_reading();
  test_deinit_flushes();
  test_deinit_is_bounded();
  return t_done();
}
