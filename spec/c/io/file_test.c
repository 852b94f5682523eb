/*
** file_test.c: files by their paths and numbers.
*/

#include "io/file.h"
#include "t.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char folder[] = "/tmp/green_file_XXXXXX";
static char path[64];

static const char *named(const char *name)
{
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void bind_socket(const char *name)
{
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(a.sun_path, sizeof(a.sun_path), "%s", named(name));
  if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0) abort();
  close(s);
}

static void test_kinds(void)
{
  is(green_file_kind(folder), GREEN_FILE_FOLDER, "a folder");
  is(green_file_kind("/dev/null"), GREEN_FILE_OTHER, "a device");
  is(green_file_kind(named("nothing")), GREEN_ENOENT, "nothing");
  mkfifo(named("fifo"), 0600);
  is(green_file_kind(named("fifo")), GREEN_FILE_FIFO, "a FIFO");
  bind_socket("socket");
  is(green_file_kind(named("socket")), GREEN_FILE_SOCKET, "a socket");
}

static void test_append(void)
{
  char got[16] = "";
  int fd = green_file_append(named("log"));
  ok(fd >= 0, "a file that was not there");
  ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "no child has it");
  is(green_file_kind(path), GREEN_FILE_REGULAR, "is one now");
  is(green_file_write(fd, "one\n", 4), 4, "takes bytes");
  green_file_close(fd);
  is(green_file_write(fd, "x", 1), GREEN_EBADF, "until it is closed");
  fd = green_file_append(path);
  is(green_file_write(fd, "two\n", 4), 4, "and more");
  green_file_close(fd);
  fd = open(path, O_RDONLY);
  is(read(fd, got, sizeof(got) - 1), 8, "behind each other");
  is_str(got, "one\ntwo\n", "in order");
  close(fd);
  is(green_file_append(named("fifo")), -ENXIO, "a FIFO that nobody reads");
  is(green_file_append(named("socket")), -ENXIO, "a socket");
  is(green_file_append(folder), -EISDIR, "a folder");
  is(green_file_append(named("no/log")), GREEN_ENOENT, "no such folder");
}

static void test_mode_and_end(void)
{
  struct stat st;
  is(green_file_chmod(named("log"), 0600), 0, "chmod");
  is(stat(path, &st) == 0 ? st.st_mode & 07777 : 0, 0600, "gives the mode");
  is(green_file_unlink(path), 0, "unlink");
  is(green_file_unlink(path), GREEN_ENOENT, "once");
  is(green_file_chmod(path, 0600), GREEN_ENOENT, "no mode then");
}

static int has(const int *fds, int n, int fd)
{
  for (int i = 0; i < n; i++)
    if (fds[i] == fd) return 1;
  return 0;
}

static void test_descriptors(void)
{
  int fds[256], p[2];
  int before = green_file_descriptors(fds, 256);
  ok(has(fds, before, 0) && has(fds, before, 1), "the standard ones");
  if (pipe(p) < 0) abort();
  int n = green_file_descriptors(fds, 256);
  is(n, before + 2, "two more");
  ok(has(fds, n, p[0]) && has(fds, n, p[1]), "a pipe's");
  fds[1] = -5;
  is(green_file_descriptors(fds, 1), n, "counts what has no room");
  is(fds[1], -5, "and puts no more than that");
  close(p[0]);
  close(p[1]);
}

/* A connection whose other end takes nothing from its own system, which takes
** all there is room for. */
static void test_is_sending(void)
{
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t size = sizeof(a);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0) abort();
  listen(listener, 1);
  getsockname(listener, (struct sockaddr *)&a, &size);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0) abort();
  ok(!green_file_is_sending(s), "nothing was sent");
  if (write(s, "hello", 5) != 5) abort();
  while (green_file_is_sending(s)) usleep(1000);
  ok(1, "what was sent arrives, on this machine");
  ok(!green_file_is_sending(listener), "a listener sends nothing");
  ok(!green_file_is_sending(0), "nor does what is no socket");
  ok(!green_file_is_sending(-1), "nor what is not open");
  close(s);
  close(listener);
}

int main(void)
{
  t_start();
  if (!mkdtemp(folder)) abort();
  test_kinds();
  test_append();
  test_mode_and_end();
  test_descriptors();
  test_is_sending();
  green_file_unlink(named("fifo"));
  green_file_unlink(named("socket"));
  rmdir(folder);
  return t_done();
}
