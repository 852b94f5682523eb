/*
** halt_test.c: reading and writing that wait in the system.
*/

#include "t.h"
#include "io/halt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static int ends[2];

static void make_pipe(void)
{
  ok(pipe(ends) == 0, "a pipe");
}

static void close_pipe(void)
{
  close(ends[0]);
  close(ends[1]);
}

static void test_read(void)
{
  char text[8];
  make_pipe();
  is(green_halt_read(ends[0], text, sizeof(text), 0), GREEN_EAGAIN,
     "nothing there");
  is(green_halt_read(ends[0], text, sizeof(text), 1), GREEN_EAGAIN,
     "nothing comes");
  is(green_halt_write(ends[1], "hello", 5), 0, "it is written");
  is(green_halt_read(ends[0], text, sizeof(text), -1), 5, "and read");
  ok(!memcmp(text, "hello", 5), "as it was");
  close(ends[1]);
  is(green_halt_read(ends[0], text, sizeof(text), -1), 0, "the end");
  close(ends[0]);
  is(green_halt_read(ends[0], text, sizeof(text), 0), GREEN_EBADF, "closed");
}

enum { LARGE = 1 << 20 };

static void *read_all(void *arg)
{
  static char text[4096];
  long *sum = arg;
  int n;
  while ((n = green_halt_read(ends[0], text, sizeof(text), -1)) > 0) *sum += n;
  return NULL;
}

/* More than a pipe holds, into a descriptor that does not wait by itself. */
static void test_write(void)
{
  static char large[LARGE];
  pthread_t reader;
  long sum = 0;
  make_pipe();
  ok(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0, "it does not wait");
  ok(pthread_create(&reader, NULL, read_all, &sum) == 0, "a reader");
  is(green_halt_write(ends[1], large, LARGE), 0, "all is written");
  close(ends[1]);
  ok(pthread_join(reader, NULL) == 0, "the reader ends");
  is(sum, (long)LARGE, "it has read all");
  close(ends[0]);
}

/* What is said of it is said when 0 and 1 are what they were. */
static void test_stdio(void)
{
  int fds[2], was[2] = {dup(0), dup(1)};
  char c = 0, none;
  make_pipe();
  dup2(ends[0], 0);
  int taken = green_halt_take_stdio(fds);
  int put = green_halt_write(ends[1], "x", 1);
  int got = green_halt_read(fds[0], &c, 1, -1);
  ssize_t rest = read(0, &none, 1); /* /dev/null */
  green_halt_close(fds[0]);
  green_halt_close(fds[1]);
  dup2(was[0], 0);
  dup2(was[1], 1);
  close(was[0]);
  close(was[1]);
  close_pipe();
  is(taken, 0, "taken");
  is(put, 0, "what 0 was still takes");
  ok(got == 1 && c == 'x', "and is read there");
  ok(rest == 0, "0 has nothing");
}

static void test_realpath(void)
{
  char path[64];
  is(green_halt_realpath("/proc/../proc/.", path, sizeof(path)), 5, "a length");
  ok(!strcmp(path, "/proc"), "the path");
  is(green_halt_realpath("/proc", path, 5), GREEN_ENAMETOOLONG, "no room");
  is(green_halt_realpath("/proc", path, 6), 5, "just enough");
  is(green_halt_realpath("/none/x", path, sizeof(path)), GREEN_ENOENT, "none");
}

int main(void)
{
  t_start();
  test_read();
  test_write();
  test_stdio();
  test_realpath();
  return t_done();
}
