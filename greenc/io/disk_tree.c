/*
** disk_tree.c: folders: made, listed, and removed with all that is below.
*/

#include "io/disk_priv.h"
#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* -- Reading entries ------------------------------------------------------ */

/* What getdents64 gives at a time. */
enum { BATCH = 32768 };

typedef struct batch {
  int64_t at, len;
  _Alignas(struct dirent64) char bytes[BATCH];
} batch;

static int is_dots(const char *name)
{
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* The next entry but "." and "..". 1, 0 at the end, or an error. */
static int batch_next(batch *b, int fd, const struct dirent64 **entry)
{
  for (;;) {
    if (b->at >= b->len) {
      ssize_t n = getdents64(fd, b->bytes, sizeof(b->bytes));
      if (n <= 0) return n < 0 ? -errno : 0;
      b->at = 0;
      b->len = n;
    }
    const struct dirent64 *e = (const void *)(b->bytes + b->at);
    b->at += e->d_reclen;
    if (is_dots(e->d_name)) continue;
    *entry = e;
    return 1;
  }
}

/* -- Listing -------------------------------------------------------------- */

/* A call gives about so many bytes of names. */
enum { LIST_BYTES = 65536 };

static unsigned char type_of_mode(mode_t mode)
{
  return (unsigned char)IFTODT(mode);
}

/* Some file systems do not say in their folders what an entry is. */
static char letter_of(int fd, const struct dirent64 *e)
{
  struct stat st;
  unsigned char type = e->d_type;
  if (type == DT_UNKNOWN &&
      fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    type = type_of_mode(st.st_mode);
  switch (type) {
  case DT_REG:
    return 'f';
  case DT_DIR:
    return 'd';
  case DT_LNK:
    return 'l';
  case DT_FIFO:
    return 'p';
  case DT_SOCK:
    return 's';
  case DT_CHR:
    return 'c';
  case DT_BLK:
    return 'b';
  default:
    return '?';
  }
}

static int list_add(green_disk *d, int fd, const struct dirent64 *e)
{
  char letter = letter_of(fd, e);
  int err = green_buf_append(&d->out, &letter, 1);
  if (err < 0) return err;
  return green_buf_append(&d->out, e->d_name, strlen(e->d_name) + 1);
}

/* A call ends where a batch does, so that none of its entries is lost. */
static int64_t list_opened(green_disk *d, int fd)
{
  batch b;
  const struct dirent64 *e;
  b.at = b.len = 0;
  for (;;) {
    int r = batch_next(&b, fd, &e);
    if (r <= 0) return r;
    int err = list_add(d, fd, e);
    if (err < 0) return err;
    if (b.at >= b.len && green_buf_len(&d->out) >= LIST_BYTES)
      return GREEN_DISK_MORE;
  }
}

int64_t green__disk_list(green_disk *d)
{
  if (d->call.file) return list_opened(d, green_desc_number(d->call.file));
  int flags = O_RDONLY | O_DIRECTORY;
  if (d->call.how & GREEN_DISK_NOFOLLOW) flags |= O_NOFOLLOW;
  int fd = green__place_file(d, d->path, flags, 0);
  if (fd < 0) return fd;
  int64_t r = list_opened(d, fd);
  if (r != GREEN_DISK_MORE) {
    close(fd);
    return r;
  }
  int err = green__disk_keep(d, fd);
  return err < 0 ? err : r;
}

/* -- Making --------------------------------------------------------------- */

static int make_one(green_disk *d, char *path)
{
  green__place p;
  int err = green__place_open(&p, d, path);
  if (err < 0) return err;
  if (mkdirat(p.dir, p.name, (mode_t)d->call.mode) < 0) err = -errno;
  green__place_close(&p);
  return err;
}

/* Is a folder there? 0 or an error. */
static int find_folder(green_disk *d, const char *path)
{
  int fd = green__place_file(d, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0) return fd == -ENOTDIR ? GREEN_EEXIST : fd;
  close(fd);
  return 0;
}

/* Each folder on the way, from the first on. Another may make them, too. */
static int make_parents(green_disk *d, char *path)
{
  char *p = path + strspn(path, "/");
  for (;;) {
    p += strcspn(p, "/");
    if (!p[strspn(p, "/")]) return 0;
    *p = '\0';
    int err = make_one(d, path);
    *p = '/';
    if (err < 0 && err != GREEN_EEXIST) return err;
    p += strspn(p, "/");
  }
}

int64_t green__disk_mkdir(green_disk *d)
{
  int err = make_one(d, d->path);
  if (!(d->call.how & GREEN_DISK_PARENTS)) return err;
  if (err == GREEN_ENOENT) {
    err = make_parents(d, d->path);
    if (err == 0) err = make_one(d, d->path);
  }
  return err == GREEN_EEXIST ? find_folder(d, d->path) : err;
}

/* -- Removing ------------------------------------------------------------- */

/* A folder on the way down. Only the lowest is open: the others are found by
** "..", and known again by their numbers, so that a tree may be as deep as it
** likes, and one that is moved away meanwhile leads nowhere. */
typedef struct level {
  dev_t dev;
  ino_t ino;
  char *name; /* In the level above. */
} level;

typedef struct tree {
  green_disk *d;
  const green__place *top;
  level *levels;
  size_t n, room;
  int fd; /* Of the last level. */
  int64_t due;
} tree;

/* Go down. 0 or an error: then nothing has changed. */
static int tree_enter(tree *t, int dir, const char *name)
{
  struct stat st;
  if (t->n == t->room) {
    size_t room = t->room ? 2 * t->room : 16;
    level *more = green__realloc(t->levels, room * sizeof(*more));
    if (!more) return GREEN_ENOMEM;
    t->levels = more;
    t->room = room;
  }
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -errno;
  int err = fstat(fd, &st) < 0 ? -errno : 0;
  char *copy = err < 0 ? NULL : green__copy_text(name);
  if (!copy) {
    close(fd);
    return err < 0 ? err : GREEN_ENOMEM;
  }
  t->levels[t->n++] = (level){.dev = st.st_dev, .ino = st.st_ino, .name = copy};
  if (t->fd >= 0) close(t->fd);
  t->fd = fd;
  return 0;
}

/* Open the level above the last. ESTALE: something else is there by now. */
static int tree_open_above(const tree *t)
{
  struct stat st;
  const level *above = &t->levels[t->n - 2];
  int fd = openat(t->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  if (fstat(fd, &st) == 0 && st.st_dev == above->dev && st.st_ino == above->ino)
    return fd;
  close(fd);
  return -ESTALE;
}

/* The last level is empty: remove it. 0 or an error. */
static int tree_leave(tree *t)
{
  int up = t->top->dir;
  if (t->n > 1) {
    up = tree_open_above(t);
    if (up < 0) return up;
  }
  level *last = &t->levels[t->n - 1];
  int err = unlinkat(up, last->name, AT_REMOVEDIR) < 0 ? -errno : 0;
  close(t->fd);
  t->fd = t->n > 1 ? up : -1;
  if (err == 0 || err == GREEN_ENOENT) {
    green__free(last->name);
    t->n--;
    return 0;
  }
  return err;
}

/* Remove what the last level has, up to the first folder, which is entered.
** 1: there is more to do in it; 0: it is empty; or an error. */
static int tree_sweep(tree *t)
{
  batch b;
  const struct dirent64 *e = NULL;
  int r;
  b.at = b.len = 0;
  while ((r = batch_next(&b, t->fd, &e)) > 0 && e) {
    if (unlinkat(t->fd, e->d_name, 0) == 0 || errno == ENOENT) continue;
    int err = -errno;
    if (err == -EISDIR) err = tree_enter(t, t->fd, e->d_name);
    if (err == GREEN_ENOENT) continue;
    if (err < 0) green_buf_append(&t->d->out, e->d_name, strlen(e->d_name));
    return err < 0 ? err : 1;
  }
  return r;
}

/* Where it failed, below the path: "a/b", before the name that sweep has put
** there. Without memory it is not told. */
static void tree_tell(tree *t)
{
  green_buf path;
  green_buf_init(&path, 0);
  for (size_t i = 1; i < t->n; i++) {
    const char *name = t->levels[i].name;
    if (green_buf_len(&path)) green_buf_append(&path, "/", 1);
    green_buf_append(&path, name, strlen(name));
  }
  if (green_buf_len(&t->d->out)) {
    if (green_buf_len(&path)) green_buf_append(&path, "/", 1);
    green_buf_append(&path, green_buf_data(&t->d->out),
                     green_buf_len(&t->d->out));
  }
  green_buf_reset(&t->d->out);
  t->d->out = path;
}

static int64_t tree_remove(tree *t)
{
  int r = tree_enter(t, t->top->dir, t->top->name);
  while (r >= 0 && t->n) {
    r = tree_sweep(t);
    if (r == 0) r = tree_leave(t);
    if (r >= 0 && t->n && green_clock_now() > t->due) return GREEN_DISK_MORE;
  }
  if (r == -ESTALE) return GREEN_DISK_MORE; /* Moved: from the top again. */
  if (r < 0) tree_tell(t);
  return r < 0 ? r : 0;
}

static int64_t remove_folder(green_disk *d, const green__place *p)
{
  tree t = {.d = d, .top = p, .fd = -1};
  t.due = green_clock_now() + GREEN__DISK_SLICE;
  int64_t r = tree_remove(&t);
  while (t.n) green__free(t.levels[--t.n].name);
  green__free(t.levels);
  if (t.fd >= 0) close(t.fd);
  return r;
}

int64_t green__disk_remove(green_disk *d)
{
  green__place p;
  int64_t r = green__place_open(&p, d, d->path);
  if (r < 0) return r;
  if (unlinkat(p.dir, p.name, 0) < 0) r = -errno;
  if (r == -EISDIR) r = remove_folder(d, &p);
  green__place_close(&p);
  return r;
}
