/*
** disk_temp.c: files that take another's place as a whole, and files that only
** their maker knows.
*/

#include "io/disk_priv.h"
#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So many names are taken by others only where somebody guesses. */
enum { TEMP_TRIES = 100, TEMP_LETTERS = 12 };

/* -- Names ---------------------------------------------------------------- */

static int temp_name(char *text, const char *prefix, const char *suffix)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
  unsigned char bytes[TEMP_LETTERS];
  size_t n = strlen(prefix);
  if (n + TEMP_LETTERS + strlen(suffix) > NAME_MAX) return GREEN_ENAMETOOLONG;
  int err = green_random_fill(bytes, sizeof(bytes));
  if (err < 0) return err;
  memcpy(text, prefix, n);
  for (int i = 0; i < TEMP_LETTERS; i++) text[n++] = letters[bytes[i] & 31];
  memcpy(text + n, suffix, strlen(suffix) + 1);
  return 0;
}

/* The file at dir and name is the caller's alone. The number, or an error. */
static int temp_create(int dir, const char *name, int mode)
{
  int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  int fd = openat(dir, name, flags, mode);
  return fd < 0 ? -errno : fd;
}

/* text has room for NAME_MAX + 1 bytes. */
static int temp_try(int dir, char *text, const char *prefix, const char *suffix,
                    int mode, int is_folder)
{
  int r = -EEXIST;
  for (int i = 0; r == -EEXIST && i < TEMP_TRIES; i++) {
    r = temp_name(text, prefix, suffix);
    if (r < 0) return r;
    if (is_folder)
      r = mkdirat(dir, text, (mode_t)mode) < 0 ? -errno : 0;
    else
      r = temp_create(dir, text, mode);
  }
  return r;
}

/* The path of a temporary file beside name: ".NAME.RANDOM" of so much of the
** name as fits. path has room. 0 or an error. */
static int temp_beside(char *path, const char *name)
{
  char prefix[NAME_MAX + 1], text[NAME_MAX + 1];
  const char *slash = strrchr(name, '/');
  size_t n = slash ? (size_t)(slash - name) + 1 : 0;
  snprintf(prefix, NAME_MAX - TEMP_LETTERS, ".%s", name + n);
  memcpy(prefix + strlen(prefix), ".", 2);
  int err = temp_name(text, prefix, "");
  if (err < 0) return err;
  memcpy(path, name, n);
  memcpy(path + n, text, strlen(text) + 1);
  return 0;
}

int green__temp_open(int dir, const char *name, int mode, char **temp)
{
  char *path = green__alloc(strlen(name) + NAME_MAX + 1);
  if (!path) return GREEN_ENOMEM;
  int fd = -EEXIST;
  for (int i = 0; fd == -EEXIST && i < TEMP_TRIES; i++) {
    fd = temp_beside(path, name);
    if (fd == 0) fd = temp_create(dir, path, mode);
  }
  if (fd >= 0)
    *temp = path;
  else
    green__free(path);
  return fd;
}

/* -- For the caller ------------------------------------------------------- */

static int temp_in(green_disk *d, int dir)
{
  char text[NAME_MAX + 1];
  int is_folder = d->call.how & GREEN_DISK_FOLDER;
  int fd = temp_try(dir, text, d->to, d->data, d->call.mode, is_folder);
  if (fd < 0) return fd;
  int err = green_buf_append(&d->out, text, strlen(text));
  if (err == 0 && !is_folder) err = green__disk_look(d, fd);
  if (err == 0 && is_folder) return 0;
  if (err == 0)
    err = green__disk_keep(d, fd);
  else if (!is_folder)
    close(fd);
  if (err < 0) unlinkat(dir, text, is_folder ? AT_REMOVEDIR : 0);
  return err;
}

int64_t green__disk_temp(green_disk *d)
{
  if (strchr(d->to, '/') || strchr(d->data, '/')) return GREEN_EINVAL;
  int dir = green__place_file(d, d->path, O_RDONLY | O_DIRECTORY, 0);
  if (dir < 0) return dir;
  int64_t r = temp_in(d, dir);
  close(dir);
  return r;
}

/* -- Taking a place ------------------------------------------------------- */

int green__rename(int dir, const char *name, int to_dir, const char *to,
                  int how)
{
  enum { NOREPLACE = 1 }; /* RENAME_NOREPLACE, which not all headers have. */
  unsigned flags = how & GREEN_DISK_NOREPLACE ? NOREPLACE : 0;
  if (!flags) return renameat(dir, name, to_dir, to) < 0 ? -errno : 0;
  long r = syscall(SYS_renameat2, dir, name, to_dir, to, flags);
  return r < 0 ? -errno : 0;
}

/* What stands there hands on its rights and its owner. Without the right to do
** the latter the new file is ours: then set-id bits go. */
static int save_rights(int fd, const struct stat *old)
{
  mode_t mode = old->st_mode & 07777;
  if (fchown(fd, old->st_uid, old->st_gid) < 0) mode &= 0777;
  return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int save_data(green_disk *d, int fd, const struct stat *old)
{
  int err = green__disk_put_all(fd, d->data, d->call.size, -1);
  if (err == 0 && old) err = save_rights(fd, old);
  if (err < 0) return err;
  return (d->call.how & GREEN_DISK_SYNCED) && fsync(fd) < 0 ? -errno : 0;
}

/* The folder that a name is in, on the disk. */
int green__sync_folder(int dir, const char *name)
{
  char path[PATH_MAX];
  const char *slash = strrchr(name, '/');
  size_t n = slash ? (size_t)(slash - name) : 0;
  if (n >= sizeof(path)) return GREEN_ENAMETOOLONG;
  memcpy(path, name, n);
  snprintf(path + n, sizeof(path) - n, "%s", slash && !n ? "/" : n ? "" : ".");
  int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int err = fsync(fd) < 0 ? -errno : 0;
  close(fd);
  return err == -EINVAL ? 0 : err; /* A file system that has nothing to do. */
}

static int save_at(green_disk *d, const green__place *p, const struct stat *old)
{
  char *temp;
  int how = d->call.how;
  int fd = green__temp_open(p->dir, p->name, old ? 0600 : d->call.mode, &temp);
  if (fd < 0) return fd;
  int err = save_data(d, fd, old);
  if (close(fd) < 0 && err == 0) err = -errno;
  if (err == 0) err = green__rename(p->dir, temp, p->dir, p->name, how);
  if (err < 0) unlinkat(p->dir, temp, 0);
  if (err == 0 && (how & GREEN_DISK_SYNCED))
    err = green__sync_folder(p->dir, p->name);
  green__free(temp);
  return err;
}

/* May it be replaced by a file? What has other things behind its name (a
** device, a FIFO, a socket) is not to be put out of the way by who means to
** write to it: /dev/null would be gone for all. */
static int save_may(const struct stat *old, int how)
{
  if (S_ISDIR(old->st_mode)) return -EISDIR;
  if (how & GREEN_DISK_NOREPLACE) return GREEN_EEXIST;
  return S_ISREG(old->st_mode) || S_ISLNK(old->st_mode) ? 0 : GREEN_EOPNOTSUPP;
}

int64_t green__disk_save(green_disk *d)
{
  struct stat old;
  green__place p;
  int err = green__place_open(&p, d, d->path);
  if (err < 0) return err;
  int is_there = fstatat(p.dir, p.name, &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (is_there) err = save_may(&old, d->call.how);
  if (err == 0)
    err = save_at(d, &p, is_there && S_ISREG(old.st_mode) ? &old : NULL);
  green__place_close(&p);
  return err;
}
