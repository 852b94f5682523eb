/*
** disk_copy.c: a file copied by the kernel, in slices.
**
** The copy grows under a temporary name beside its place and takes that as a
** whole: who opens it finds the old file or the new one, and a copy that fails,
** or is given up, leaves nothing.
*/

#include "io/disk_priv.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct green__copy {
  int from, to;
  green__place place; /* Where the copy is to be, */
  char *temp;         /* and its name meanwhile. */
  struct stat st;     /* Of the original. */
  int64_t at;         /* Everything before it is copied, */
  int64_t data_end;   /* and up to here there is no hole. */
  uint8_t by_hand;    /* The kernel does not copy between these two. */
  uint8_t no_holes;   /* Nor tells where holes are. */
  uint8_t is_done;    /* The temporary name is gone. */
};

/* So much is asked of the kernel at a time. */
enum { COPY_BYTES = 8 << 20, COPY_BUFFER = 256 << 10 };

void green__disk_copy_free(green__copy *c, int keep)
{
  if (c->temp && !c->is_done && !keep) unlinkat(c->place.dir, c->temp, 0);
  green__free(c->temp);
  if (c->from >= 0) close(c->from);
  if (c->to >= 0) close(c->to);
  green__place_close(&c->place);
  green__free(c);
}

/* -- Beginning ------------------------------------------------------------ */

static int check_target(const green__copy *c, int how)
{
  struct stat st;
  const green__place *p = &c->place;
  if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  if (how & GREEN_DISK_NOREPLACE) return GREEN_EEXIST;
  if (S_ISDIR(st.st_mode)) return -EISDIR;
  /* As in disk_temp.c: a device is no place for a file. */
  if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) return GREEN_EOPNOTSUPP;
  int is_same = st.st_dev == c->st.st_dev && st.st_ino == c->st.st_ino;
  return is_same ? GREEN_EINVAL : 0;
}

static int copy_open(green_disk *d, green__copy *c)
{
  int fd = green__place_file(d, d->path, O_RDONLY | O_NONBLOCK, 0);
  if (fd < 0) return fd;
  c->from = fd;
  if (fstat(fd, &c->st) < 0) return -errno;
  if (S_ISDIR(c->st.st_mode)) return -EISDIR;
  if (!S_ISREG(c->st.st_mode)) return GREEN_EOPNOTSUPP;
  int err = green__place_open(&c->place, d, d->to);
  if (err < 0) return err;
  err = check_target(c, d->call.how);
  if (err < 0) return err;
  /* Nobody who may not read the original may read the copy at any time. */
  fd = green__temp_open(c->place.dir, c->place.name, 0600, &c->temp);
  if (fd < 0) return fd;
  c->to = fd;
  return 0;
}

static int copy_begin(green_disk *d)
{
  green__copy *c = green__zalloc(sizeof(*c));
  if (!c) return GREEN_ENOMEM;
  c->from = c->to = -1;
  d->copy = c;
  return copy_open(d, c);
}

/* -- Bytes ---------------------------------------------------------------- */

/* Both have the same blocks from then on, until one is written. */
static int copy_share(const green__copy *c)
{
  return ioctl(c->to, FICLONE, c->from) == 0;
}

/* Skip a hole. 0, or 1: there is nothing but holes behind. */
static int copy_skip(green__copy *c)
{
  if (c->no_holes || c->at < c->data_end) return 0;
  off_t data = lseek(c->from, c->at, SEEK_DATA);
  if (data < 0 && errno == ENXIO) return 1;
  off_t hole = data < 0 ? -1 : lseek(c->from, data, SEEK_HOLE);
  if (hole < 0) {
    c->no_holes = 1;
    return 0;
  }
  c->at = data;
  c->data_end = hole;
  return 0;
}

static ssize_t copy_in_kernel(const green__copy *c, size_t n)
{
  off_t from = c->at, to = c->at;
  ssize_t r;
  do r = copy_file_range(c->from, &from, c->to, &to, n, 0);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : r;
}

static ssize_t copy_by_hand(const green__copy *c, size_t n)
{
  char *p = green__alloc(COPY_BUFFER);
  if (!p) return GREEN_ENOMEM;
  ssize_t r, done;
  do r = pread(c->from, p, n < COPY_BUFFER ? n : COPY_BUFFER, c->at);
  while (r < 0 && errno == EINTR);
  done = r < 0 ? -errno : r;
  int err = r > 0 ? green__disk_put_all(c->to, p, r, c->at) : 0;
  green__free(p);
  return err < 0 ? err : done;
}

/* Which errors mean that the kernel cannot, and not that nobody can? A count of
** 0 at the start means so, too: files of /proc have no size and yet bytes. */
static int is_refusal(const green__copy *c, ssize_t r)
{
  if (r == 0) return c->at == 0;
  return r == -EXDEV || r == GREEN_EINVAL || r == GREEN_ENOSYS ||
         r == GREEN_EOPNOTSUPP || r == GREEN_EPERM || r == -ETXTBSY;
}

/* The next piece: its length, 0 at the end, or an error. */
static ssize_t copy_piece(green__copy *c)
{
  if (copy_skip(c)) return 0;
  int64_t most = c->no_holes ? COPY_BYTES : c->data_end - c->at;
  size_t n = most < COPY_BYTES ? (size_t)most : COPY_BYTES;
  ssize_t r = c->by_hand ? 0 : copy_in_kernel(c, n);
  if (!c->by_hand && is_refusal(c, r)) c->by_hand = 1;
  if (c->by_hand) r = copy_by_hand(c, n);
  if (r > 0) c->at += r;
  return r;
}

/* 0, GREEN_DISK_MORE or an error. */
static int copy_bytes(green__copy *c)
{
  int64_t due = green_clock_now() + GREEN__DISK_SLICE;
  if (!c->at && c->st.st_size && copy_share(c)) return 0;
  if (!c->st.st_size) c->no_holes = 1;
  for (;;) {
    ssize_t r = copy_piece(c);
    if (r < 0) return (int)r;
    if (r == 0) break;
    if (green_clock_now() > due) return GREEN_DISK_MORE;
  }
  /* What ends in a hole is as long, too. */
  if (c->no_holes || c->at >= c->st.st_size) return 0;
  return ftruncate(c->to, c->st.st_size) < 0 ? -errno : 0;
}

/* -- The end -------------------------------------------------------------- */

static int copy_rights(const green__copy *c, int how)
{
  const struct timespec times[2] = {c->st.st_atim, c->st.st_mtim};
  mode_t mode = c->st.st_mode & 0777;
  if (how & GREEN_DISK_PRESERVE) {
    if (fchown(c->to, c->st.st_uid, c->st.st_gid) == 0)
      mode = c->st.st_mode & 07777;
    if (futimens(c->to, times) < 0) return -errno;
  }
  return fchmod(c->to, mode) < 0 ? -errno : 0;
}

/* Whatever close says, the number is free by then, and may be another
** thread's. */
static int copy_close(green__copy *c)
{
  int fd = c->to;
  c->to = -1;
  return close(fd) < 0 ? -errno : 0;
}

static int copy_finish(green__copy *c, int how)
{
  const green__place *p = &c->place;
  int err = copy_rights(c, how);
  if (err == 0 && (how & GREEN_DISK_SYNCED) && fsync(c->to) < 0) err = -errno;
  if (err == 0) err = copy_close(c);
  if (err < 0) return err;
  err = green__rename(p->dir, c->temp, p->dir, p->name, how);
  if (err < 0) return err;
  c->is_done = 1;
  return how & GREEN_DISK_SYNCED ? green__sync_folder(p->dir, p->name) : 0;
}

int64_t green__disk_copy(green_disk *d)
{
  int r = d->copy ? 0 : copy_begin(d);
  if (r == 0) r = copy_bytes(d->copy);
  if (r == GREEN_DISK_MORE) return r;
  if (r == 0) r = copy_finish(d->copy, d->call.how);
  if (d->copy) green__disk_copy_free(d->copy, 0);
  d->copy = NULL;
  return r;
}
