/*
** disk_data.c: files opened, read and written.
*/

#include "io/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* -- Looking -------------------------------------------------------------- */

static int64_t nanoseconds(struct timespec t)
{
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void green__disk_info_set(green_disk_info *info, const struct stat *st)
{
  *info = (green_disk_info){.dev = st->st_dev,
                            .ino = st->st_ino,
                            .nlink = st->st_nlink,
                            .rdev = st->st_rdev,
                            .size = st->st_size,
                            .blocks = st->st_blocks,
                            .blksize = st->st_blksize,
                            .atime = nanoseconds(st->st_atim),
                            .mtime = nanoseconds(st->st_mtim),
                            .ctime = nanoseconds(st->st_ctim),
                            .mode = st->st_mode,
                            .uid = st->st_uid,
                            .gid = st->st_gid};
}

int green__disk_look(green_disk *d, int fd)
{
  struct stat st;
  if (fstat(fd, &st) < 0) return -errno;
  green__disk_info_set(&d->info, &st);
  return 0;
}

int green__disk_keep(green_disk *d, int fd)
{
  d->opened = green_desc_new(fd);
  if (d->opened) return 0;
  close(fd);
  return GREEN_ENOMEM;
}

/* -- Opening -------------------------------------------------------------- */

/* FIFOs and terminals are for those who wait in the loop. Of other devices the
** kernel has no list: those that a poll finds ready in both directions at once
** are taken for files, as /dev/null and /dev/zero are. */
static int can_wait(int fd, uint32_t mode)
{
  struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
  if (S_ISFIFO(mode) || S_ISSOCK(mode)) return 1;
  if (!S_ISCHR(mode)) return 0;
  if (isatty(fd)) return 1;
  return poll(&p, 1, 0) != 1 || p.revents != (POLLIN | POLLOUT);
}

/* 0, GREEN_DISK_WAITS, 1: it has positions. Non-blocking if it waits. */
static int open_kind(green_disk *d, int fd, int is_path)
{
  int err = green__disk_look(d, fd);
  if (err < 0) return err;
  if (!is_path && can_wait(fd, d->info.mode)) return GREEN_DISK_WAITS;
  int flags = is_path ? -1 : fcntl(fd, F_GETFL);
  if (flags >= 0) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  return S_ISREG(d->info.mode) || S_ISBLK(d->info.mode) ||
         S_ISDIR(d->info.mode) || lseek(fd, 0, SEEK_CUR) >= 0;
}

int64_t green__disk_open(green_disk *d)
{
  int flags = d->call.flags;
  if (!(flags & O_PATH))
    flags |= O_NONBLOCK; /* openat2(2) takes none in vain. */
  int fd = green__place_file(d, d->path, flags, d->call.mode);
  if (fd < 0) return fd;
  int kind = open_kind(d, fd, flags & O_PATH);
  if (kind >= 0 && S_ISDIR(d->info.mode) && !(flags & O_DIRECTORY))
    kind = -EISDIR; /* One can be opened for reading, and never read. */
  if (kind < 0) {
    close(fd);
    return kind;
  }
  int err = green__disk_keep(d, fd);
  return err < 0 ? err : kind;
}

/* -- Reading -------------------------------------------------------------- */

static ssize_t read_at(int fd, void *p, size_t n, int64_t offset)
{
  ssize_t r;
  do r = offset < 0 ? read(fd, p, n) : pread(fd, p, n, offset);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : r;
}

int64_t green__disk_read(green_disk *d)
{
  green_buf *b = &d->out;
  int err = green_buf_reserve(b, GREEN__DISK_FRONT + (size_t)d->call.size);
  if (err < 0) return err;
  b->head = b->tail = GREEN__DISK_FRONT;
  ssize_t r = read_at(green_desc_number(d->call.file), b->data + b->head,
                      (size_t)d->call.size, d->call.offset);
  if (r > 0) b->tail += (uint32_t)r;
  return r;
}

/* Up to the end, or one byte beyond the limit. 0 or an error. */
static int load_rest(green_disk *d, int fd, int64_t limit)
{
  for (;;) {
    green_buf *b = &d->out;
    int64_t left = limit + 1 - (int64_t)green_buf_len(b);
    if (left <= 0) return GREEN_ETOOBIG;
    int err = green_buf_room(b) ? 0 : green_buf_reserve(b, 4096);
    if (err < 0) return err;
    size_t n = green_buf_room(b);
    ssize_t r = read_at(fd, green_buf_space(b),
                        (int64_t)n < left ? n : (size_t)left, -1);
    if (r <= 0) return (int)r;
    green_buf_commit(b, (size_t)r);
  }
}

/* The size that the system tells is no promise: files of /proc have 0. */
static int64_t load_opened(green_disk *d, int fd)
{
  int64_t limit = d->call.size;
  int kind = open_kind(d, fd, 0);
  if (kind < 0) return kind;
  if (kind == GREEN_DISK_WAITS) return kind;
  if (S_ISDIR(d->info.mode)) return -EISDIR;
  if (d->info.size > limit) return GREEN_ETOOBIG;
  int err = green_buf_reserve(&d->out, (size_t)d->info.size + 1);
  if (err == 0) err = load_rest(d, fd, limit);
  return err < 0 ? err : 0;
}

int64_t green__disk_load(green_disk *d)
{
  int fd = green__place_file(d, d->path, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0) return fd;
  int64_t r = load_opened(d, fd);
  if (r == GREEN_DISK_WAITS) { /* To open it again would cut off who writes. */
    int err = green__disk_keep(d, fd);
    return err < 0 ? err : r;
  }
  close(fd);
  return r;
}

/* -- Writing -------------------------------------------------------------- */

int64_t green__disk_put(int fd, const char *p, int64_t n, int64_t offset)
{
  int64_t done = 0;
  while (done < n) {
    size_t left = (size_t)(n - done);
    ssize_t r = offset < 0 ? write(fd, p + done, left)
                           : pwrite(fd, p + done, left, offset + done);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return done ? done : -errno;
    if (r == 0) break;
    done += r;
  }
  return done;
}

int green__disk_put_all(int fd, const char *p, int64_t n, int64_t offset)
{
  for (int64_t done = 0; done < n;) {
    int64_t at = offset < 0 ? offset : offset + done;
    int64_t r = green__disk_put(fd, p + done, n - done, at);
    if (r <= 0) return r < 0 ? (int)r : GREEN_ENOSPC;
    done += r;
  }
  return 0;
}

int64_t green__disk_write(green_disk *d)
{
  int fd = green_desc_number(d->call.file);
  return green__disk_put(fd, d->data, d->call.size, d->call.offset);
}

static int64_t append_opened(green_disk *d, int fd)
{
  int kind = open_kind(d, fd, 0);
  if (kind < 0) return kind;
  if (kind == GREEN_DISK_WAITS) return GREEN_EOPNOTSUPP;
  int err = green__disk_put_all(fd, d->data, d->call.size, -1);
  if (err < 0) return err;
  if ((d->call.how & GREEN_DISK_SYNCED) && fsync(fd) < 0) return -errno;
  return d->call.size;
}

int64_t green__disk_append(green_disk *d)
{
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK;
  int fd = green__place_file(d, d->path, flags, d->call.mode);
  if (fd < 0) return fd;
  int64_t r = append_opened(d, fd);
  return close(fd) < 0 && r >= 0 ? -errno : r;
}
