/*
** fdname.c: asks the system what a descriptor is. The contract is in fdname.h.
*/

#include "io/fdname.h"
#include "base/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What snprintf said, as a result of ours. */
static int fitted(int n, size_t size)
{
  return n < 0 || (size_t)n >= size ? GREEN_EOVERFLOW : n;
}

/* -- Sockets -------------------------------------------------------------- */

static int sock_ask(int fd, int option)
{
  int value = -1;
  socklen_t n = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &n) < 0 ? -1 : value;
}

static const char *sock_kind(int fd)
{
  int family = sock_ask(fd, SO_DOMAIN), type = sock_ask(fd, SO_TYPE);
  if (family == AF_UNIX) return "unix";
  if (family != AF_INET && family != AF_INET6) return "socket";
  return type == SOCK_STREAM ? "tcp" : type == SOCK_DGRAM ? "udp" : "socket";
}

typedef int sock_name_fn(int fd, struct sockaddr *sa, socklen_t *n);

/* The text of one of a socket's addresses; 0: it has none that is one. */
static int sock_addr(int fd, sock_name_fn *ask, char text[GREEN_ADDR_TEXT])
{
  union {
    struct sockaddr sa;
    struct sockaddr_storage room;
  } u;
  socklen_t n = sizeof(u);
  green_addr a;
  memset(&u, 0, sizeof(u));
  if (ask(fd, &u.sa, &n) < 0 || n <= sizeof(sa_family_t)) return 0;
  if (n > sizeof(u) || green_addr_set(&a, &u.sa, n) < 0) return 0;
  return green_addr_format(&a, text, GREEN_ADDR_TEXT) > 0;
}

static int sock_name(int fd, char *text, size_t size)
{
  char at[GREEN_ADDR_TEXT];
  const char *kind = sock_kind(fd), *how = "";
  if (sock_ask(fd, SO_ACCEPTCONN) == 1)
    how = sock_addr(fd, getsockname, at) ? "listening on " : "listening";
  else if (!sock_addr(fd, getpeername, at))
    how = sock_addr(fd, getsockname, at) ? "from " : NULL;
  if (!how) return fitted(snprintf(text, size, "%s", kind), size);
  if (!strcmp(how, "listening")) at[0] = '\0';
  return fitted(snprintf(text, size, "%s %s%s", kind, how, at), size);
}

/* -- All others ----------------------------------------------------------- */

/* Where it leads, as the system puts it; empty: it does not say. */
static void link_of(int fd, char *text, size_t size)
{
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, text, size - 1);
  text[n < 0 ? 0 : n] = '\0';
}

/* "anon_inode:[eventpoll]", "anon_inode:inotify" to "eventpoll", "inotify". */
static int inner_kind(const char *link, char *text, size_t size)
{
  const char *name = strchr(link, ':');
  size_t n;
  if (strncmp(link, "anon_inode:", 11) != 0 || !name)
    return fitted(snprintf(text, size, "other"), size);
  name += name[1] == '[' ? 2 : 1;
  n = strcspn(name, "]");
  if (n == 9 && !strncmp(name, "eventpoll", n)) {
    name = "epoll";
    n = 5;
  }
  return fitted(snprintf(text, size, "%.*s", (int)n, name), size);
}

static const char *file_kind(int fd, const struct stat *st)
{
  if (S_ISFIFO(st->st_mode)) return "pipe";
  if (S_ISREG(st->st_mode)) return "file";
  if (S_ISDIR(st->st_mode)) return "folder";
  if (S_ISCHR(st->st_mode)) return isatty(fd) ? "terminal" : "device";
  if (S_ISBLK(st->st_mode)) return "device";
  return NULL;
}

/* -- Public API ----------------------------------------------------------- */

int green_fdname_kind(int fd, char *text, size_t size)
{
  struct stat st;
  char link[64];
  const char *kind;
  if (fstat(fd, &st) < 0) return fitted(snprintf(text, size, "closed"), size);
  kind = S_ISSOCK(st.st_mode) ? sock_kind(fd) : file_kind(fd, &st);
  if (kind) return fitted(snprintf(text, size, "%s", kind), size);
  link_of(fd, link, sizeof(link));
  return inner_kind(link, text, size);
}

int green_fdname(int fd, char *text, size_t size)
{
  char link[192];
  struct stat st;
  int error = errno, is_open = fstat(fd, &st) == 0;
  if (is_open && S_ISSOCK(st.st_mode)) return sock_name(fd, text, size);
  int n = green_fdname_kind(fd, text, size);
  errno = error;
  if (n < 0 || !is_open || !file_kind(fd, &st) || S_ISFIFO(st.st_mode))
    return n;
  link_of(fd, link, sizeof(link));
  int more = snprintf(text + n, size - (size_t)n, " %s", link);
  return link[0] ? fitted(n + more, size) : n;
}
