/*
** sendfile_test.c: files as bodies of answers, and systems that cannot send
** them.
*/

#include "httpd/httpd_kit.h"

#include <sys/sendfile.h>

/* wrap: sendfile */

ssize_t __real_sendfile(int out, int in, off_t *at, size_t n);
ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t n);

/* The n-th call from now fails so, and all that follow; 0: none. */
static int fail_from, fail_errno, calls;

ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t n)
{
  if (!fail_from || ++calls < fail_from) {
    if (fail_from && n > 20000) n = 20000;
    return __real_sendfile(out, in, at, n);
  }
  errno = fail_errno;
  return -1;
}

#define SIZE 200000

static char text[SIZE + 1];

static int file_open(void)
{
  char path[] = "/tmp/sendfile_XXXXXX";
  int fd = mkstemp(path);
  for (int i = 0; i < SIZE; i++) text[i] = (char)('a' + i * 7 % 26);
  if (fd < 0 || write(fd, text, SIZE) != SIZE) abort();
  unlink(path);
  return fd;
}

static green_conn *begin(house *h, int fd, int64_t size)
{
  green_conn *c = next_after(h, fd, GET);
  green_conn_begin(c, 200);
  is(green_conn_file(c, size), size, "the head is there");
  return c;
}

/* Send it all from offset on. The last result. */
static int64_t send_all(green_conn *c, int file, int client, int64_t at)
{
  int64_t n = 1, left;
  heard_len = 0;
  while ((left = green_conn_room(c)) > 0) {
    n = green_conn_sendfile(c, file, at, left);
    if (n == GREEN_EAGAIN || n > 0) {
      ssize_t got = recv(client, heard_text + heard_len, 50000, MSG_DONTWAIT);
      if (got > 0) heard_len += (size_t)got;
    } else {
      return n;
    }
    if (n > 0) at += n;
  }
  return n;
}

static int heard_body(int client, int64_t at, size_t n)
{
  ssize_t got;
  while ((got = recv(client, heard_text + heard_len, 100000, MSG_DONTWAIT)) > 0)
    heard_len += (size_t)got;
  const char *p = strstr(heard_text, "\r\n\r\n");
  return p && (size_t)(heard_text + heard_len - p - 4) == n &&
         !memcmp(p + 4, text + at, n);
}

/* From the first call on, or amid the file. */
static void test_falls_back(void)
{
  static const int errors[] = {EINVAL, ENOSYS};
  int file = file_open();
  for (int i = 0; i < 8; i++) {
    house h = house_open();
    int fd = client_open(&h), at = i / 4 * 777;
    green_conn *c = begin(&h, fd, SIZE - at);
    fail_errno = errors[i % 2];
    fail_from = 1 + i / 2 % 2 * 2;
    calls = 0;
    ok(send_all(c, file, fd, at) > 0, "it is sent all the same");
    is(green_conn_end(c), 0, "to its end");
    green_conn_flush(c);
    ok(heard_body(fd, at, (size_t)(SIZE - at)), "as it is");
    fail_from = 0;
    green_conn_close(c);
    close(fd);
    house_close(&h);
  }
  close(file);
}

static void test_fails(void)
{
  house h = house_open();
  int fd = client_open(&h), file = file_open();
  green_conn *c = begin(&h, fd, SIZE);
  fail_from = 1;
  fail_errno = EIO;
  calls = 0;
  is(green_conn_sendfile(c, file, 0, SIZE), GREEN_EIO, "a disk that fails");
  fail_from = 0;
  is(green_conn_sendfile(c, file, 0, 20000), 20000, "may be asked again");
  if (ftruncate(file, 100)) abort();
  is(green_conn_sendfile(c, file, 50000, 100000), 0, "it became shorter");
  is(green_conn_sendfile(c, file, 50000, 100), 0, "for little, too");
  green_conn_close(c);
  close(fd);
  close(file);
  house_close(&h);
}

/* Nothing leaves that would not be the body's. */
static void test_refuses(void)
{
  house h = house_open();
  int fd = client_open(&h), file = file_open();
  green_conn *c = begin(&h, fd, 20000);
  is(green_conn_sendfile(c, file, 0, 20001), GREEN_EINVAL, "a byte too many");
  is(green_conn_sendfile(c, file, 0, 0), GREEN_EINVAL, "none");
  is(green_conn_sendfile(c, file, 0, -1), GREEN_EINVAL, "fewer than none");
  is(green_conn_sendfile(c, file, 0, 10000), 10000, "some");
  is(green_conn_sendfile(c, file, 0, 10001), GREEN_EINVAL, "than are left");
  is(green_conn_sendfile(c, file, 0, 10000), 10000, "the rest");
  is(green_conn_sendfile(c, file, 0, 1), GREEN_EINVAL, "behind the end");
  is(green_conn_end(c), 0, "that was all");
  is(green_conn_finish(c), 0, "the connection goes on");
  c = next_after(&h, fd, GET);
  green_conn_begin(c, 200);
  green_conn_stream(c);
  is(green_conn_sendfile(c, file, 0, 10), GREEN_EINVAL, "not in chunks");
  green_conn_end(c);
  green_conn_finish(c);
  c = next_after(&h, fd, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  green_conn_begin(c, 200);
  is(green_conn_file(c, 10), 0, "none is wanted");
  is(green_conn_sendfile(c, file, 0, 10), GREEN_EINVAL, "none is sent");
  is(green_conn_end(c), 0, "that was all");
  green_conn_finish(c);
  close(fd);
  close(file);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_falls_back();
  test_fails();
  test_refuses();
  return t_done();
}
