/*
** disk_call.c: the calls that are one system call, and who makes the others.
*/

#include "io/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int64_t result_of(int64_t r)
{
  return r < 0 ? -errno : r;
}

static int number_of(const green_disk *d)
{
  return green_desc_number(d->call.file);
}

/* -- Of a file, or of what a path leads to -------------------------------- */

typedef int64_t number_call(green_disk *d, int fd);

/* fn of the file; or of the path's, opened for that: with O_PATH, which needs
** no right to read it and does nothing to a device. */
static int64_t with_number(green_disk *d, number_call *fn, int flags)
{
  if (d->call.file) return fn(d, number_of(d));
  if (d->call.how & GREEN_DISK_NOFOLLOW) flags |= O_NOFOLLOW;
  green__place p = {.dir = -1};
  int fd;
  if (d->call.how & GREEN_DISK_NOFOLLOW) {
    /* The last name is used as it is, below the folder it is in. */
    int err = green__place_open(&p, d, d->path);
    if (err < 0) return err;
    fd = openat(p.dir, p.name, flags | O_CLOEXEC);
    if (fd < 0) fd = -errno;
    green__place_close(&p);
  } else {
    fd = green__place_file(d, d->path, flags, 0);
  }
  if (fd < 0) return fd;
  int64_t r = fn(d, fd);
  close(fd);
  return r;
}

static int64_t number_stat(green_disk *d, int fd)
{
  return green__disk_look(d, fd);
}

static int64_t number_statvfs(green_disk *d, int fd)
{
  struct statvfs v;
  if (fstatvfs(fd, &v) < 0) return -errno;
  d->space = (green_disk_space){.bsize = v.f_bsize,
                                .frsize = v.f_frsize,
                                .blocks = v.f_blocks,
                                .bfree = v.f_bfree,
                                .bavail = v.f_bavail,
                                .files = v.f_files,
                                .ffree = v.f_ffree,
                                .favail = v.f_favail,
                                .fsid = v.f_fsid,
                                .flag = v.f_flag,
                                .namemax = v.f_namemax};
  return 0;
}

/* A number opened with O_PATH has no fchmod: by its name in /proc it has. */
static int64_t number_chmod(green_disk *d, int fd)
{
  char path[64];
  mode_t mode = (mode_t)d->call.mode;
  if (d->call.file) return result_of(fchmod(fd, mode));
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return result_of(chmod(path, mode));
}

static int64_t number_chown(green_disk *d, int fd)
{
  uid_t user = (uid_t)d->call.offset;
  gid_t group = (gid_t)d->call.size;
  return result_of(fchownat(fd, "", user, group, AT_EMPTY_PATH));
}

static struct timespec time_of(int64_t ns)
{
  struct timespec t = {0};
  if (ns == GREEN_DISK_NOW || ns == GREEN_DISK_OMIT) {
    t.tv_nsec = ns == GREEN_DISK_NOW ? UTIME_NOW : UTIME_OMIT;
    return t;
  }
  t.tv_sec = ns / 1000000000;
  t.tv_nsec = ns % 1000000000;
  if (t.tv_nsec < 0) {
    t.tv_nsec += 1000000000;
    t.tv_sec--;
  }
  return t;
}

static int64_t number_utime(green_disk *d, int fd)
{
  struct timespec times[2] = {time_of(d->call.offset), time_of(d->call.size)};
  if (d->call.file) return result_of(futimens(fd, times));
  return result_of(utimensat(fd, "", times, AT_EMPTY_PATH));
}

static int64_t number_truncate(green_disk *d, int fd)
{
  return result_of(ftruncate(fd, d->call.size));
}

/* -- Of a file ------------------------------------------------------------ */

static int64_t file_sync(green_disk *d)
{
  int fd = number_of(d);
  return result_of(d->call.flags & 1 ? fdatasync(fd) : fsync(fd));
}

static int64_t file_lock(green_disk *d)
{
  int r = flock(number_of(d), d->call.flags | LOCK_NB);
  return r < 0 && errno == EWOULDBLOCK ? 1 : result_of(r);
}

/* -- Of names ------------------------------------------------------------- */

static int64_t name_unlink(green_disk *d, int flags)
{
  green__place p;
  int64_t r = green__place_open(&p, d, d->path);
  if (r < 0) return r;
  r = result_of(unlinkat(p.dir, p.name, flags));
  green__place_close(&p);
  return r;
}

typedef int64_t two_places(green_disk *d, const green__place *a,
                           const green__place *b);

static int64_t with_places(green_disk *d, two_places *fn)
{
  green__place a, b;
  int64_t r = green__place_open(&a, d, d->path);
  if (r < 0) return r;
  r = green__place_open(&b, d, d->to);
  if (r == 0) {
    r = fn(d, &a, &b);
    green__place_close(&b);
  }
  green__place_close(&a);
  return r;
}

static int64_t places_rename(green_disk *d, const green__place *a,
                             const green__place *b)
{
  return green__rename(a->dir, a->name, b->dir, b->name, d->call.how);
}

/* A link is not followed: it gets a second name itself. */
static int64_t places_link(green_disk *d, const green__place *a,
                           const green__place *b)
{
  (void)d;
  return result_of(linkat(a->dir, a->name, b->dir, b->name, 0));
}

static int64_t name_symlink(green_disk *d)
{
  green__place p;
  int64_t r = green__place_open(&p, d, d->path);
  if (r < 0) return r;
  r = result_of(symlinkat(d->to, p.dir, p.name));
  green__place_close(&p);
  return r;
}

static int64_t put_link(green_disk *d, int dir, const char *name)
{
  char text[PATH_MAX];
  ssize_t n = readlinkat(dir, name, text, sizeof(text));
  if (n < 0) return -errno;
  if (n == sizeof(text)) return GREEN_ENAMETOOLONG;
  return green_buf_append(&d->out, text, (size_t)n);
}

static int64_t name_readlink(green_disk *d)
{
  green__place p;
  int64_t r = green__place_open(&p, d, d->path);
  if (r < 0) return r;
  r = put_link(d, p.dir, p.name);
  green__place_close(&p);
  return r;
}

/* -- Real paths ----------------------------------------------------------- */

static int number_path(int fd, char *text)
{
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, text, PATH_MAX);
  if (n < 0) return -errno;
  if (n == PATH_MAX) return GREEN_ENAMETOOLONG;
  text[n] = '\0';
  return 0;
}

/* Of what is beneath a folder: from there. */
static int64_t number_realpath(green_disk *d, int fd)
{
  char top[PATH_MAX] = "", path[PATH_MAX] = "";
  int err = number_path(green_desc_number(d->call.at), top);
  if (err == 0) err = number_path(fd, path);
  if (err < 0) return err;
  size_t n = strcmp(top, "/") ? strlen(top) : 0;
  if (strncmp(path, top, n) || (path[n] && path[n] != '/')) {
    d->escaped = 1;
    return -EXDEV; /* It was moved away a moment ago. */
  }
  const char *rest = path[n] && path[n + 1] ? path + n + 1 : ".";
  return green_buf_append(&d->out, rest, strlen(rest));
}

static int64_t name_realpath(green_disk *d)
{
  char path[PATH_MAX];
  if (d->call.how & GREEN_DISK_BENEATH)
    return with_number(d, number_realpath, O_PATH);
  if (!realpath(d->path, path)) return -errno;
  return green_buf_append(&d->out, path, strlen(path));
}

/* -- Watches -------------------------------------------------------------- */

static int64_t number_watch(green_disk *d, int fd)
{
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  uint32_t mask = (uint32_t)d->call.mode;
  int watch = inotify_add_watch(number_of(d), path, mask & ~IN_DONT_FOLLOW);
  return result_of(watch);
}

/* What lies there is opened first, so that the watch is of that and no other
** thing, and links lead nowhere that they must not. */
static int64_t name_watch(green_disk *d)
{
  green__place p;
  int fd;
  if (!(d->call.how & GREEN_DISK_NOFOLLOW)) {
    fd = green__place_file(d, d->path, O_PATH, 0);
  } else {
    int err = green__place_open(&p, d, d->path);
    if (err < 0) return err;
    fd = openat(p.dir, p.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) fd = -errno;
    green__place_close(&p);
  }
  if (fd < 0) return fd;
  int64_t r = number_watch(d, fd);
  close(fd);
  return r;
}

/* -- All ------------------------------------------------------------------ */

/* What has to have a file has none when that was closed. */
static int lacks_file(const green_disk_call *c)
{
  switch (c->op) {
  case GREEN_DISK_READ:
  case GREEN_DISK_WRITE:
  case GREEN_DISK_SYNC:
  case GREEN_DISK_LOCK:
  case GREEN_DISK_WATCH:
    return !c->file;
  default:
    return 0;
  }
}

int64_t green__disk_call(green_disk *d)
{
  if (lacks_file(&d->call)) return GREEN_ECLOSED;
  if (!d->call.file && !d->path) return GREEN_ECLOSED;
  switch (d->call.op) {
  case GREEN_DISK_OPEN:
    return green__disk_open(d);
  case GREEN_DISK_READ:
    return green__disk_read(d);
  case GREEN_DISK_WRITE:
    return green__disk_write(d);
  case GREEN_DISK_TRUNCATE:
    return with_number(d, number_truncate, O_WRONLY | O_NONBLOCK);
  case GREEN_DISK_SYNC:
    return file_sync(d);
  case GREEN_DISK_LOCK:
    return file_lock(d);
  case GREEN_DISK_STAT:
    return with_number(d, number_stat, O_PATH);
  case GREEN_DISK_STATVFS:
    return with_number(d, number_statvfs, O_PATH);
  case GREEN_DISK_CHMOD:
    return with_number(d, number_chmod, O_PATH);
  case GREEN_DISK_CHOWN:
    return with_number(d, number_chown, O_PATH);
  case GREEN_DISK_UTIME:
    return with_number(d, number_utime, O_PATH);
  case GREEN_DISK_LIST:
    return green__disk_list(d);
  case GREEN_DISK_MKDIR:
    return green__disk_mkdir(d);
  case GREEN_DISK_RMDIR:
    return name_unlink(d, AT_REMOVEDIR);
  case GREEN_DISK_UNLINK:
    return name_unlink(d, 0);
  case GREEN_DISK_REMOVE:
    return green__disk_remove(d);
  case GREEN_DISK_RENAME:
    return with_places(d, places_rename);
  case GREEN_DISK_LINK:
    return with_places(d, places_link);
  case GREEN_DISK_SYMLINK:
    return name_symlink(d);
  case GREEN_DISK_READLINK:
    return name_readlink(d);
  case GREEN_DISK_REALPATH:
    return name_realpath(d);
  case GREEN_DISK_TEMP:
    return green__disk_temp(d);
  case GREEN_DISK_LOAD:
    return green__disk_load(d);
  case GREEN_DISK_SAVE:
    return green__disk_save(d);
  case GREEN_DISK_APPEND:
    return green__disk_append(d);
  case GREEN_DISK_COPY:
    return green__disk_copy(d);
  case GREEN_DISK_WATCH:
    return name_watch(d);
  default:
    return GREEN_EINVAL;
  }
}
