/*
** zmq_ipc.c: binding at a path whose file is the user's alone.
**
** libzmq makes the file with the process's mask. To change that for the moment
** would be for all threads, and in a child of a fork that comes then for good.
** A socket that is not bound yet has a mode, too, and the file gets it: so it
** is made here, and libzmq is given it.
*/

#include "io/zmq_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char scheme[] = "ipc://";
enum { SCHEME = sizeof(scheme) - 1 };

/* What an earlier run has left behind goes, as with libzmq; but nothing that is
** no socket. */
static void ipc_clear(const char *path)
{
  struct stat st;
  if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) unlink(path);
}

static int ipc_bind_fd(int fd, const struct sockaddr_un *address, int backlog)
{
  const struct sockaddr *a = (const struct sockaddr *)address;
  ipc_clear(address->sun_path);
  if (fchmod(fd, 0600) < 0) return -errno;
  if (bind(fd, a, sizeof(*address)) < 0) return -errno;
  if (listen(fd, backlog) == 0) return 0;
  int err = -errno;
  unlink(address->sun_path);
  return err;
}

/* A descriptor that listens at the path, or an error. */
static int ipc_listen(const char *path, int backlog)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int err = ipc_bind_fd(fd, &address, backlog);
  if (err == 0) return fd;
  close(fd);
  return err;
}

static int ipc_get(void *socket, int option, int *value)
{
  size_t n = sizeof(*value);
  return lib.f_getsockopt(socket, option, value, &n) < 0 ? green__zmq_error()
                                                         : 0;
}

static int ipc_use(void *socket, int fd)
{
  return lib.f_setsockopt(socket, GREEN__ZMQ_USE_FD, &fd, sizeof(fd)) < 0
             ? green__zmq_error()
             : 0;
}

/* The descriptor is libzmq's once it is bound. */
static int ipc_give(void *socket, const char *endpoint, int fd)
{
  int err = ipc_use(socket, fd);
  if (err == 0 && lib.f_bind(socket, endpoint) < 0) err = green__zmq_error();
  ipc_use(socket, -1);
  if (err == 0) return 0;
  unlink(endpoint + SCHEME);
  close(fd);
  return err;
}

static int ipc_plain(void *socket, const char *endpoint)
{
  return lib.f_bind(socket, endpoint) < 0 ? green__zmq_error() : 0;
}

/* One that libzmq names is in a folder that it makes, the user's alone. */
static int ipc_named(void *socket, const char *endpoint)
{
  char bound[SCHEME + sizeof(struct sockaddr_un)] = "";
  size_t n = sizeof(bound);
  int err = ipc_plain(socket, endpoint);
  if (err < 0) return err;
  if (lib.f_getsockopt(socket, GREEN__ZMQ_LAST_ENDPOINT, bound, &n) == 0)
    chmod(bound + SCHEME, 0600);
  return 0;
}

/* Is there no file to be made, or is it the caller's descriptor, or no path? */
static int ipc_is_plain(void *socket, const char *endpoint)
{
  const char *path = endpoint + SCHEME;
  int fd = -1;
  if (strncmp(endpoint, scheme, SCHEME) || *path == '@' || !*path) return 1;
  if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) return 1;
  return ipc_get(socket, GREEN__ZMQ_USE_FD, &fd) < 0 || fd != -1;
}

int green__zmq_bind(void *socket, const char *endpoint)
{
  int backlog = 100;
  if (ipc_is_plain(socket, endpoint)) return ipc_plain(socket, endpoint);
  if (endpoint[SCHEME] == '*') return ipc_named(socket, endpoint);
  ipc_get(socket, GREEN__ZMQ_BACKLOG, &backlog);
  int fd = ipc_listen(endpoint + SCHEME, backlog);
  return fd < 0 ? fd : ipc_give(socket, endpoint, fd);
}
