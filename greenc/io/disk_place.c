/*
** disk_place.c: where a path leads: below a folder, and not out of it where it
** must not.
**
** What is to stay beneath is looked up by openat2(2): the kernel refuses "..",
** absolute paths and links that lead out, whatever is renamed meanwhile. A name
** in a folder that was opened so is used without any slash, so that nothing is
** followed behind the check.
*/

#include "io/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is renamed meanwhile makes the kernel ask for another try. */
enum { PLACE_TRIES = 1000 };

int green__place_at(const green_disk *d)
{
  return d->call.at ? green_desc_number(d->call.at) : AT_FDCWD;
}

static int open_beneath(int at, const char *path, int flags, int mode)
{
  struct open_how how = {.flags = (uint64_t)(uint32_t)flags,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  if (flags & (O_CREAT | O_TMPFILE)) how.mode = (uint64_t)(mode & 07777);
  long fd = -1;
  for (int i = 0; i < PLACE_TRIES; i++) {
    fd = syscall(SYS_openat2, at, path, &how, sizeof(how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fd < 0 ? -errno : (int)fd;
}

static int place_escaped(green_disk *d, int err)
{
  if (err == -EXDEV) d->escaped = 1;
  return err;
}

int green__place_file(green_disk *d, const char *path, int flags, int mode)
{
  int fd, at = green__place_at(d);
  flags |= O_CLOEXEC;
  if (!(flags & O_PATH)) flags |= O_NOCTTY; /* openat2(2) takes none in vain. */
  if (d->call.how & GREEN_DISK_BENEATH)
    return place_escaped(d, open_beneath(at, path, flags, mode));
  do fd = openat(at, path, flags, mode);
  while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

/* Cut slashes off the end. How long the path is then. */
static size_t trim(char *path)
{
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  path[n] = '\0';
  return n;
}

static int open_parent(green__place *p, green_disk *d, const char *path)
{
  int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  int fd = open_beneath(green__place_at(d), path, flags, 0);
  if (fd < 0) return place_escaped(d, fd);
  p->dir = fd;
  p->owned = 1;
  return 0;
}

int green__place_open(green__place *p, green_disk *d, char *path)
{
  *p = (green__place){.dir = green__place_at(d), .name = path};
  if (!(d->call.how & GREEN_DISK_BENEATH)) return 0;
  if (!*path) return GREEN_ENOENT;
  trim(path);
  char *slash = strrchr(path, '/');
  p->name = slash ? slash + 1 : path;
  if (!*p->name || !strcmp(p->name, "..")) return place_escaped(d, -EXDEV);
  if (!slash) return open_parent(p, d, ".");
  if (slash == path) return place_escaped(d, -EXDEV);
  *slash = '\0';
  int err = open_parent(p, d, path);
  *slash = '/';
  return err;
}

void green__place_close(const green__place *p)
{
  if (p->owned) close(p->dir);
}

int green_disk_can_stay_beneath(void)
{
  int fd = open_beneath(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  close(fd);
  return 0;
}
