/*
** file.c: files by their paths and numbers.
*/

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- By path -------------------------------------------------------------- */

int green_file_kind(const char *path)
{
  struct stat st;
  if (stat(path, &st) < 0) return -errno;
  switch (st.st_mode & S_IFMT) {
  case S_IFREG:
    return GREEN_FILE_REGULAR;
  case S_IFDIR:
    return GREEN_FILE_FOLDER;
  case S_IFIFO:
    return GREEN_FILE_FIFO;
  case S_IFSOCK:
    return GREEN_FILE_SOCKET;
  default:
    return GREEN_FILE_OTHER;
  }
}

int green_file_stamp(const char *path, green_stamp *s)
{
  struct stat st;
  memset(s, 0, sizeof(*s));
  if (stat(path, &st) < 0) return -errno;
  s->changed = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
  s->size = st.st_size;
  s->number = st.st_ino;
  s->device = st.st_dev;
  return 0;
}

int green_file_append(const char *path)
{
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC;
  int fd = open(path, flags, 0644);
  return fd < 0 ? -errno : fd;
}

int green_file_unlink(const char *path)
{
  return unlink(path) < 0 ? -errno : 0;
}

int green_file_chmod(const char *path, uint32_t mode)
{
  return chmod(path, mode) < 0 ? -errno : 0;
}

/* -- By number ------------------------------------------------------------ */

int64_t green_file_write(int fd, const char *p, uint64_t n)
{
  ssize_t done = write(fd, p, n);
  return done < 0 ? -errno : done;
}

void green_file_close(int fd)
{
  close(fd);
}

/* The number that an entry of /proc/self/fd is named by; -1: "." and "..". */
static int entry_number(const struct dirent *entry)
{
  char *end;
  long n = strtol(entry->d_name, &end, 10);
  return *end || end == entry->d_name ? -1 : (int)n;
}

int green_file_descriptors(int *fds, int max)
{
  DIR *dir = opendir("/proc/self/fd");
  const struct dirent *entry;
  int n = 0;
  if (!dir) return -errno;
  while ((entry = readdir(dir)) != NULL) {
    int fd = entry_number(entry);
    if (fd < 0 || fd == dirfd(dir)) continue;
    if (n < max) fds[n] = fd;
    n++;
  }
  closedir(dir);
  return n;
}

static bool is_tcp(int fd)
{
  int protocol = 0;
  socklen_t size = sizeof(protocol);
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
         protocol == IPPROTO_TCP;
}

/* SIOCOUTQ counts what is sent and not acknowledged, and what is not sent;
** SIOCOUTQNSD the latter alone. */
bool green_file_is_sending(int fd)
{
  int queued = 0, unsent = 0;
  return is_tcp(fd) && ioctl(fd, SIOCOUTQ, &queued) == 0 &&
         ioctl(fd, SIOCOUTQNSD, &unsent) == 0 && queued > unsent;
}
