/*
** sock_file_test.c: what goes between sockets and files or pipes past us.
*/

#include "io/sock_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static char room[1 << 17];

static int temp_file(const char *text)
{
  char path[] = "/tmp/sock_file_XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) abort();
  unlink(path);
  return fd;
}

static void pair_open(green_sock **a, green_sock **b)
{
  *a = green_sock_new(hub);
  *b = green_sock_new(hub);
  if (green_sock_pair(*a, *b, GREEN_STREAM) < 0) abort();
}

static void test_sendfile(void)
{
  green_sock *a, *b;
  int fd = temp_file("0123456789"), none[2];
  if (pipe(none)) abort();
  pair_open(&a, &b);
  is(green_sock_sendfile(a, fd, 2, 5), 5, "a part of it");
  is(recv_wait(b, room, 100), 5, "comes");
  ok(!memcmp(room, "23456", 5), "from there");
  is((int)lseek(fd, 0, SEEK_CUR), 10, "where the file stands is its own");
  is(green_sock_sendfile(a, fd, 8, 100), 2, "up to its end");
  is(green_sock_sendfile(a, fd, 10, 100), 0, "where there is nothing");
  ok(green_sock_sendfile(a, none[0], 0, 5) < 0, "a pipe cannot be sent so");
  is(green_sock_sendfile(a, -1, 0, 5), GREEN_EBADF, "nor what is closed");
  green_sock_close(b);
  is(green_sock_sendfile(a, fd, 0, 5), GREEN_EPIPE, "nobody is there");
  green_sock_close(a);
  is(green_sock_sendfile(a, fd, 0, 5), GREEN_ECLOSED, "not open");
  close(fd);
  close(none[0]);
  close(none[1]);
  green_sock_free(a);
  green_sock_free(b);
}

static void test_sendfile_waits(void)
{
  green_sock *a, *b;
  int fd = temp_file(""), n = 0, got = 0, r;
  if (ftruncate(fd, 1 << 22)) abort();
  pair_open(&a, &b);
  while ((r = green_sock_sendfile(a, fd, n, 1 << 22)) > 0) n += r;
  is(r, GREEN_EAGAIN, "no more room");
  ok(n < 1 << 22, "before its end");
  while (got < n && (r = recv_wait(b, room, sizeof(room))) > 0) got += r;
  is(got, n, "what was counted has come");
  is(wait_for(a, GREEN_WRITE, 5), 0, "there is room");
  ok(green_sock_sendfile(a, fd, n, 1 << 22) > 0, "it goes on");
  close(fd);
  green_sock_free(a);
  green_sock_free(b);
}

static void test_splice(void)
{
  green_sock *a, *b;
  int p[2];
  if (pipe2(p, O_NONBLOCK)) abort();
  pair_open(&a, &b);
  is(green_sock_splice_in(b, p[1], 5), GREEN_EAGAIN, "nothing has come");
  is(b->f.drained, 1, "the poll is to tell");
  green_sock_send(a, "hello", 5);
  is(wait_readable(b), 0, "it does");
  is(green_sock_splice_in(b, p[1], 3), 3, "as much as is wanted");
  is(green_sock_splice_in(b, p[1], 9), 2, "then the rest");
  is(b->f.drained, 0, "which tells nothing");
  is(green_sock_splice_out(b, p[0], 5), 5, "and back");
  is(recv_wait(a, room, 9), 5, "it comes");
  ok(!memcmp(room, "hello", 5), "as it was");
  is(green_sock_splice_out(b, p[0], 5), GREEN_EAGAIN, "the pipe is empty");
  is(green_sock_send_more(b, "x", 1), 1, "what leaves with more");
  is(recv_wait(a, room, 9), 1, "comes");
  green_sock_send(a, "read", 4);
  fill_wait(b, 1);
  is(green_sock_splice_in(b, p[1], 9), GREEN_EOPNOTSUPP, "not past a buffer");
  green_buf_consume(&b->in, 4);
  green_sock_close(a);
  wait_readable(b);
  is(green_sock_splice_in(b, p[1], 9), 0, "the end");
  green_sock_close(b);
  is(green_sock_splice_in(b, p[1], 9), GREEN_ECLOSED, "not open");
  is(green_sock_splice_out(b, p[0], 9), GREEN_ECLOSED, "nor to write");
  is(green_sock_send_more(b, "x", 1), GREEN_ECLOSED, "in no way");
  close(p[0]);
  close(p[1]);
  green_sock_free(a);
  green_sock_free(b);
}

int main(void)
{
  t_start();
  signal(SIGPIPE, SIG_IGN);
  green_hub_new(&hub, NULL);
  test_sendfile();
  test_sendfile_waits();
  test_splice();
  green_hub_free(hub);
  return t_done();
}
